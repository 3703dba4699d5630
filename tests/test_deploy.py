"""What is shipped to run fastgw with: its configuration holds, and it calls fastgw by options that exist."""
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OPTION = re.compile(r"--[a-z-]+")


def fastgw(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fastgw", *words], cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False)


def served_by(name: str) -> list[str]:
    """The words behind `fastgw` in a file that starts it."""
    text = (ROOT / name).read_text(encoding="utf-8")
    match = re.search(r"^ *(?:CMD|command:) (\[\"serve\".*\])$|^ExecStart=\S+/fastgw (.*)$", text, re.M)
    assert match is not None, name
    return json.loads(match[1]) if match[1] else shlex.split(match[2])


def test_configuration_of_compose_holds() -> None:
    """deploy/compose.toml is a configuration, with the variables that compose.yaml sets."""
    done = fastgw("check", "deploy/compose.toml", OPENAI_API_KEY="sk-x", FASTGW_REDIS="redis://valkey:6379/0", PGPASSWORD="x")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["Dockerfile", "compose.yaml", "deploy/fastgw.service"])
def test_commands_have_options_that_exist(name: str) -> None:
    """Every option that the image, compose and the unit give to `fastgw serve` is one of its options."""
    words = served_by(name)
    known = set(OPTION.findall(fastgw("serve", "--help").stdout))
    assert words[0] == "serve"
    assert {word for word in words if word.startswith("--")} <= known
