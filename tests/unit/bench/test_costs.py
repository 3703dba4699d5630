"""Promises of the cost readings: whole trees, ended children too, and one clear line where something cannot be read."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastgw.bench.figures import CannotMeasure
from fastgw.bench.machine import Watch, machine, versions
from fastgw.bench.tree import ControlGroup, ProcessTree, idle_share

SPENDING = """
import subprocess, sys, time
def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end: pass
if len(sys.argv) > 1:
    burn(0.3)
    if sys.argv[1] == "stay": print("burnt", flush=True); time.sleep(60)
else:
    subprocess.run([sys.executable, __file__, "end"])
    child = subprocess.Popen([sys.executable, __file__, "stay"], stdout=subprocess.PIPE)
    child.stdout.readline()
    print("ready", flush=True)
    sys.stdin.read()
    child.kill()
    child.wait()
"""


@pytest.fixture
def family(tmp_path: Path) -> Iterator[int]:
    """A process with a child that has burnt 0.3 s and ended, and one that has burnt 0.3 s and lives."""
    script = tmp_path / "spending.py"
    script.write_text(SPENDING)
    with subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        yield process.pid
        process.stdin.close()


def test_a_tree_is_counted_whole(family: int) -> None:
    """CPU time of children counts, of those that have ended as well; memory and switches are those of all."""
    tree = ProcessTree([family])
    tree.check()
    assert len(tree.pids()) == 2
    assert tree.cpu_s() >= 0.6 - 0.02
    assert 1 < tree.memory_mib() < 500
    assert tree.switches()[0] >= 1
    assert idle_share(tree, 0.2) < 0.5


def test_a_process_named_twice_counts_once(family: int) -> None:
    """Naming a child beside its parent changes nothing."""
    child = ProcessTree([family]).pids()[1]
    assert sorted(ProcessTree([family, child, family]).pids()) == sorted([family, child])


def test_a_process_that_is_not_there_is_said() -> None:
    """A wrong pid ends in one line that names it."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    with pytest.raises(CannotMeasure, match=rf"no process {ended.pid}"):
        ProcessTree([ended.pid]).check()


def test_what_may_not_be_read_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where /proc denies, the line says which file and what to do."""
    read_text = Path.read_text

    def denied(path: Path, encoding: str | None = None, errors: str | None = None) -> str:
        if path.name == "smaps_rollup":
            raise PermissionError(13, "Permission denied", str(path))
        return read_text(path, encoding, errors)

    monkeypatch.setattr(Path, "read_text", denied)
    with pytest.raises(CannotMeasure, match=rf"no permission to read /proc/{os.getpid()}/smaps_rollup: run the bench as the user"):
        ProcessTree([os.getpid()]).check()


def test_a_control_group_is_read(tmp_path: Path) -> None:
    """CPU time and memory of a group of version 2; what is none says what was expected."""
    (tmp_path / "cpu.stat").write_text("usage_usec 2500000\nuser_usec 1\nsystem_usec 2\n")
    (tmp_path / "memory.current").write_text("2097152\n")
    group = ControlGroup(tmp_path)
    group.check()
    assert (group.cpu_s(), group.memory_mib(), group.switches()) == (2.5, 2.0, None)
    (tmp_path / "cpu.stat").write_text("nr_periods 0\n")
    with pytest.raises(CannotMeasure, match="expected usage_usec"):
        group.check()
    with pytest.raises(CannotMeasure, match="No such file"):
        ControlGroup(tmp_path / "absent").check()


def test_steal_and_swap_are_seen(tmp_path: Path) -> None:
    """The share of time that the hypervisor took, and pages swapped, between two looks."""
    (tmp_path / "stat").write_text("cpu  100 0 100 800 0 0 0 10 50 0\ncpu0 1 2 3\n")
    (tmp_path / "vmstat").write_text("pgfault 9\npswpin 5\npswpout 7\n")
    watch = Watch(tmp_path)
    (tmp_path / "stat").write_text("cpu  150 0 150 880 0 0 0 30 99 0\ncpu0 1 2 3\n")
    (tmp_path / "vmstat").write_text("pgfault 90\npswpin 5\npswpout 10\n")
    weather = watch.weather()
    assert weather.steal == pytest.approx(20 / 200) and weather.swapped_pages == 3


def test_the_machine_is_described() -> None:
    """Every fact that is needed to compare two reports is there, and none is empty."""
    found = {**machine(), **versions()}
    assert {"cores", "processor", "memory", "kernel", "governor", "fastgw", "commit", "python"} <= set(found)
    assert all(found.values())


def test_the_watch_reads_this_machine() -> None:
    """The real /proc has what is looked for."""
    watch = Watch()
    time.sleep(0.02)
    assert 0 <= watch.weather().steal <= 1
