"""The machine that figures come from: what it is, and what it did meanwhile."""
from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import msgspec

import fastgw

PROC = Path("/proc")


class Weather(msgspec.Struct, frozen=True):
    """What disturbs a run: share of CPU time that the hypervisor took, pages swapped in or out."""

    steal: float
    swapped_pages: int


class Watch:
    """Look at the machine from when this is made to `weather()`."""

    def __init__(self, proc: Path = PROC) -> None:
        self._proc = proc
        self._cpu = self._cpu_ticks()
        self._swap = self._swapped_pages()

    def __repr__(self) -> str:
        return f"<Watch since steal {self._cpu[0]} of {self._cpu[1]} ticks>"

    def weather(self) -> Weather:
        steal, total = self._cpu_ticks()
        ticks = total - self._cpu[1]
        return Weather(
            steal=(steal - self._cpu[0]) / ticks if ticks > 0 else 0.0,
            swapped_pages=self._swapped_pages() - self._swap,
        )

    def _cpu_ticks(self) -> tuple[int, int]:
        """(stolen, all) so far; guest time is in user time already."""
        fields = [int(word) for word in (self._proc / "stat").read_text().split("\n", 1)[0].split()[1:9]]
        return (fields[7] if len(fields) > 7 else 0), sum(fields)

    def _swapped_pages(self) -> int:
        rows = (line.split() for line in (self._proc / "vmstat").read_text().splitlines())
        return sum(int(count) for name, count in rows if name in ("pswpin", "pswpout"))


def machine() -> dict[str, str]:
    """Processor, memory, kernel: what is needed to know whether two figures can be compared."""
    rows = (PROC / "cpuinfo").read_text().splitlines()
    memory = (PROC / "meminfo").read_text().split(None, 2)[1]
    governor = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    return {
        "cores": str(os.cpu_count()),
        "usable cores": str(len(os.sched_getaffinity(0))),
        "processor": next((row.split(":", 1)[1].strip() for row in rows if row.startswith("model name")), platform.machine()),
        "memory": f"{int(memory) / 1048576:.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "governor": governor.read_text().strip() if governor.exists() else "unknown",
        "load average": f"{os.getloadavg()[0]:.2f}",
    }


def versions() -> dict[str, str]:
    """What measured: fastgw and its commit, where it runs from a checkout."""
    found = {"fastgw": fastgw.__version__, "commit": commit(), "python": platform.python_version()}
    for name in ("uvloop", "matplotlib"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """The commit of the checkout, "+" behind it where files have changed since; "none" where it is installed from a package."""
    root = Path(fastgw.__file__).parent.parent
    if not (root / ".git").exists():
        return "none"
    try:
        words = ["git", "-C", str(root), "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
        return subprocess.run(words, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"
