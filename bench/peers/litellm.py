"""LiteLLM's proxy, from PyPI, in an environment of its own."""
from __future__ import annotations

import sys

from bench.peers.floors import said_version
from bench.peers.place import Place
from bench.peers.recipe import MODEL, Recipe, Started

# The last whose extra `proxy` installs from PyPI alone: 1.110 wants a distribution litellm-proxy that PyPI does not have.
VERSION = "1.106.2"
MASTER_KEY = "sk-bench-0123456789abcdef"
CONFIG = """
model_list:
- model_name: {model}
  litellm_params: {{model: openai/{model}, api_base: "{upstream}/v1", api_key: sk-upstream}}
litellm_settings: {{request_timeout: 600, set_verbose: false, json_logs: true}}
general_settings: {{master_key: {key}}}
"""


def prepare(place: Place) -> str:
    python = str(place.folder / "bin/python")
    place.install(
        [sys.executable, "-m", "venv", "."],
        [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", f"litellm[proxy]=={VERSION}"])
    return said_version([python, "-c", "import importlib.metadata as m; print('litellm', m.version('litellm'))"], r"litellm (\S+)")


def start(place: Place, lane: str) -> Started:
    config = place.write("config.yaml", CONFIG.format(model=MODEL, upstream=place.upstream, key=MASTER_KEY))
    command = [str(place.folder / "bin/litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(place.port),
               "--num_workers", str(len(place.cores)), "--telemetry", "False"]
    pid = place.spawn(
        command, LITELLM_MODE="PRODUCTION", LITELLM_LOG="ERROR", LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_DONT_SHOW_FEEDBACK_BOX="True")
    place.await_http("/health/liveliness", seconds=180)
    return Started(place.url, (pid,), key=MASTER_KEY)


LITELLM = Recipe(
    name="litellm", source=f"PyPI, litellm[proxy] {VERSION}",
    setup="a worker a core, LITELLM_MODE=PRODUCTION, LITELLM_LOG=ERROR, JSON logs, its own price table, telemetry off, no database",
    lanes={"bare": "checks the master key, reads and writes JSON anew, computes the cost; keeps nothing"},
    lacks={"governed": "its keys, budgets and log need PostgreSQL through Prisma, whose query engine no registry carries "
                       "(its client downloads it from Prisma's own site)"},
    unequal="bare: one key for all, which is compared in memory", prepare=prepare, start=start, window_s=30.0)
