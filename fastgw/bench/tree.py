"""What a gateway costs: CPU time, memory and context switches of its whole process tree, or of its control group."""
from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from fastgw.bench.figures import CannotMeasure

PROC = Path("/proc")
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
LOOK_S = 0.3
QUIET_S = 0.011
"""One tick of CPU in LOOK_S, beside what the gateway spends when idle, is quiet."""


class Spending(Protocol):
    """Something whose costs can be read."""

    memory_name: str

    def check(self) -> None: ...
    def cpu_s(self) -> float: ...
    def memory_mib(self) -> float: ...
    def switches(self) -> tuple[int, int] | None: ...


class ProcessTree:
    """Some processes and all their descendants, found again at each reading."""

    memory_name = "PSS"

    def __init__(self, pids: Iterable[int], proc: Path = PROC) -> None:
        self._roots = tuple(pids)
        self._proc = proc

    def __repr__(self) -> str:
        return f"<ProcessTree of {', '.join(map(str, self._roots))}>"

    def check(self) -> None:
        """Raise CannotMeasure, in one line, where something that will be needed cannot be read."""
        for pid in self._roots:
            if not (self._proc / str(pid)).exists():
                raise CannotMeasure(f"no process {pid}: it has ended, or /proc hides the processes of other users from this one")
        for pid in self.pids():
            for name in ("stat", "smaps_rollup", "status"):
                self._read(pid, name)

    def pids(self) -> list[int]:
        """All of them, a parent before its children."""
        found = list(dict.fromkeys(self._roots))
        for pid in found:
            for path in (self._proc / str(pid) / "task").glob("*/children"):
                try:
                    found += [int(word) for word in path.read_text().split() if int(word) not in found]
                except (FileNotFoundError, ProcessLookupError):
                    continue                    # the thread ended meanwhile
        return found

    def cpu_s(self) -> float:
        """User and system time so far, of ended children too."""
        total = 0
        for pid in self.pids():
            fields = self._read(pid, "stat").rpartition(")")[2].split()
            total += sum(int(field) for field in fields[11:15])
        return total * TICK_S

    def memory_mib(self) -> float:
        """Proportional set size: what is shared counts once."""
        lines = (line for pid in self.pids() for line in self._read(pid, "smaps_rollup").splitlines())
        return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024

    def switches(self) -> tuple[int, int]:
        """(voluntary, involuntary) context switches so far, of all threads."""
        counts = [0, 0]
        for pid in self.pids():
            for path in (self._proc / str(pid) / "task").glob("*/status"):
                try:
                    rows = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
                except (FileNotFoundError, ProcessLookupError):
                    continue
                counts[0] += int(rows.get("voluntary_ctxt_switches", 0))
                counts[1] += int(rows.get("nonvoluntary_ctxt_switches", 0))
        return counts[0], counts[1]

    def _read(self, pid: int, name: str) -> str:
        path = self._proc / str(pid) / name
        try:
            return path.read_text()
        except PermissionError:
            raise CannotMeasure(f"no permission to read {path}: run the bench as the user of process {pid}, or as root") from None
        except (FileNotFoundError, ProcessLookupError):
            if pid in self._roots:
                raise CannotMeasure(f"process {pid} has ended") from None
            return ""


class ControlGroup:
    """A control group of version 2, by its directory."""

    memory_name = "memory.current"

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __repr__(self) -> str:
        return f"<ControlGroup {self._directory}>"

    def check(self) -> None:
        self.cpu_s()
        self.memory_mib()

    def cpu_s(self) -> float:
        for line in self._read("cpu.stat").splitlines():
            if line.startswith("usage_usec "):
                return int(line.split()[1]) / 1e6
        raise CannotMeasure(f"expected usage_usec in {self._directory / 'cpu.stat'} (a control group of version 2), found none")

    def memory_mib(self) -> float:
        return int(self._read("memory.current")) / 1048576

    def switches(self) -> tuple[int, int] | None:
        return None

    def _read(self, name: str) -> str:
        try:
            return (self._directory / name).read_text()
        except OSError as error:
            raise CannotMeasure(f"cannot read {self._directory / name}: {error.strerror}") from None


def idle_share(spending: Spending, seconds: float) -> float:
    """CPU time per second while nothing is asked of it."""
    began, cpu = time.monotonic(), spending.cpu_s()
    time.sleep(seconds)
    return (spending.cpu_s() - cpu) / (time.monotonic() - began)


def settle(spending: Spending, idle: float, most_s: float = 5.0, looks: int = 1) -> None:
    """Wait until it is as quiet as it was when idle, so that what it does afterwards (writing records) is charged to the run.

    looks   how many in a row must find it quiet
    """
    deadline = time.monotonic() + most_s
    last, quiet = spending.cpu_s(), 0
    while quiet < looks and time.monotonic() < deadline:
        time.sleep(LOOK_S)
        now = spending.cpu_s()
        quiet = quiet + 1 if now - last <= idle * LOOK_S + QUIET_S else 0
        last = now
