"""Run a part of a test in a process that has loaded little: for tests that fork hundreds of times.

A fork copies the tables of the memory that its parent has, which for pytest in a run of all tests is a gigabyte and takes 50 ms.
"""

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def in_small_process(work: Callable[..., None], *arguments: object) -> None:
    """Call a function of a test module with these arguments; fails the test where it raises."""
    code = f"import pickle, sys; from {work.__module__} import {work.__name__} as work; work(*pickle.load(sys.stdin.buffer))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, input=pickle.dumps(arguments), capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode(errors="replace")
