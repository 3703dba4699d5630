"""How the control process is doing: a small file that it writes every few seconds, and that the drain shows among its metrics."""
import os
import time
from pathlib import Path

import msgspec
from msgspec import Struct

VITALS = "control.vitals"      # in the state directory
WRITE_SECONDS = 5.0
STALE_SECONDS = 20.0           # without a word a process that is there hangs


class Work(Struct, frozen=True):
    """Something that is done again and again: how often it failed, and whether it does now."""

    failures: int
    is_failing: bool


class Vitals(Struct, frozen=True):
    """What was written last."""

    pid: int
    at_s: float
    published_s: float         # when all that administrators changed was last found published; 0: not yet
    works: dict[str, Work]

    @property
    def is_up(self) -> bool:
        """Whether the process is there, and not stuck."""
        return time.time() - self.at_s < STALE_SECONDS and Path(f"/proc/{self.pid}").exists()


def write_vitals(state: Path, vitals: Vitals) -> None:
    """raises  OSError"""
    path = state / VITALS
    aside = path.with_suffix(".tmp")
    aside.write_bytes(msgspec.json.encode(vitals))
    os.replace(aside, path)


def read_vitals(state: Path) -> Vitals | None:
    """None where there is no control process, or its file cannot be read."""
    try:
        return msgspec.json.decode((state / VITALS).read_bytes(), type=Vitals)
    except (OSError, msgspec.DecodeError):
        return None
