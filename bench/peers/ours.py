"""fastgw itself, as the lane and behind Granian, with nothing on and with everything on."""
from __future__ import annotations

import subprocess
import sys
from functools import partial

import fastgw
from bench.peers.place import ROOT, CannotRun, Place
from bench.peers.recipe import MODEL, Recipe, Started

KEY = "fgw-peers-0123456789abcdef0123456789abcdef"
CONFIG = """
[gateway]
listen = "127.0.0.1:{port}"
state = "{run}/state"
workers = 1
[gateway.record]
sqlite = {keeps}
{jsonl}
[control]
enabled = {keeps}
[integrations.mock]
provider = "openai"
base_url = "{upstream}/v1"
api_key = "sk-upstream"
max_connections = 1024
[models."{model}"]
targets = [{{ integration = "mock", model = "{model}" }}]
[workspaces.default]
{limits}
[[keys]]
name = "bench"
key = "{key}"
{limits}
"""
JSONL = '[gateway.record.jsonl]\npath = "{run}/records.jsonl"\nrotate_bytes = 67108864\nkeep = 1'
LIMITS = """budget = {{ usd = 1000000000.0, window = "{window}" }}
rate = {{ requests_per_minute = 600000000, tokens_per_minute = 600000000000 }}"""
DOES = {
    "bare": "one key, without limits; no records, no control plane; usage and cost are still computed",
    "governed": "one key; budget, request rate and token rate of key and workspace; "
                "cost; a record to SQLite and JSON lines; the control plane with its store",
}


def prepare(place: Place, server: str) -> str:
    if server != "lane":
        said = subprocess.run([sys.executable, "-m", "fastgw", "serve", "--help"], cwd=ROOT, capture_output=True, text=True, check=False)
        if "--server" not in said.stdout:
            raise CannotRun("this version of fastgw has no `serve --server`")
    return fastgw.__version__


def start(place: Place, lane: str, server: str) -> Started:
    is_governed = lane == "governed"
    text = CONFIG.format(
        port=place.port, run=place.run, upstream=place.upstream, key=KEY, model=MODEL, keeps=str(is_governed).lower(),
        jsonl=JSONL.format(run=place.run) if is_governed else "", limits="{limits}")
    for window in ("month", "total"):           # of the workspace, then of the key
        text = text.replace("{limits}", LIMITS.format(window=window) if is_governed else "", 1)
    config = place.write("fastgw.toml", text)
    more = [] if server == "lane" else ["--server", server]
    pid = place.spawn([sys.executable, "-m", "fastgw", "serve", "--config", str(config), *more], PYTHONPATH=str(ROOT))
    place.await_http("/healthz")
    return Started(place.url, (pid,), key=KEY)


OURS = tuple(
    Recipe(
        name=name, source="this checkout", setup=setup, lanes=DOES, unequal="bare too needs a key, and meters usage",
        prepare=partial(prepare, server=server), start=partial(start, server=server))
    for name, server, setup in (
        ("fastgw", "lane", "one worker; all else as it comes"),
        ("fastgw-granian", "granian", "`serve --server granian`, one worker; all else as it comes"),
    )
)
