"""The drain takes what is left of the processor, unless it falls behind."""
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastgw._core.ring import RingReader, RingWriter, filling, pack_record
from fastgw.record.pace import FED_LOOKS, STARVED_LOOKS, Pace, waited_ns


@pytest.fixture
def process() -> Iterator[int]:
    running = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield running.pid
    running.communicate(b"\n", 10)


def test_drain_is_put_aside_unless_a_ring_fills(tmp_path: Path, process: int) -> None:
    """With an empty ring the drain is SCHED_IDLE; past a third it has its share again, and keeps it until it has caught up."""

    def used() -> float:
        return filling(tmp_path / "ring")[0]

    writer = RingWriter(tmp_path / "ring", 65536)
    reader = RingReader(tmp_path / "ring")
    pace = Pace([tmp_path / "ring"])
    pace.look(process)
    assert os.sched_getscheduler(process) == os.SCHED_IDLE
    record = pack_record()
    while used() <= 0.34:
        assert writer.push_packed(record)
        pace.look(process)
    assert os.sched_getscheduler(process) == os.SCHED_OTHER
    reader.read(15)
    assert 0.17 < used() < 0.33
    pace.look(process)
    assert os.sched_getscheduler(process) == os.SCHED_OTHER
    while reader.read(10):
        pace.look(process)
    assert (used(), os.sched_getscheduler(process)) == (0.0, os.SCHED_IDLE)
    reader.close()
    writer.close()


def test_drain_keeps_its_share_while_a_ring_fills_fast(tmp_path: Path, process: int) -> None:
    """However well it keeps up: where a sixteenth of a ring comes between two looks, there is no time to notice later."""
    writer = RingWriter(tmp_path / "ring", 65536)
    reader = RingReader(tmp_path / "ring")
    pace = Pace([tmp_path / "ring"])
    pace.look(process)
    for is_fast in (True, True, False):
        for _ in range(10 if is_fast else 2):
            assert writer.push_packed(pack_record())
        while reader.read(10):
            pass
        pace.look(process)
        assert os.sched_getscheduler(process) == (os.SCHED_OTHER if is_fast else os.SCHED_IDLE)
    reader.close()
    writer.close()


def test_what_is_not_there_is_no_fault(tmp_path: Path, process: int) -> None:
    """A ring that does not exist yet is empty; a drain that has just died is looked for again."""
    pace = Pace([tmp_path / "none"])
    pace.look(0)
    assert not pace.is_idle
    pace.look(2**22 - 3)
    assert (pace.is_idle, pace.is_able) == (False, True)
    pace.look(process)
    assert pace.is_idle


def test_drain_gets_its_share_where_others_keep_the_machine_busy(tmp_path: Path, process: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A drain that waits for a core most of the time has its share for a while, whatever the rings say, and then the rest again."""
    waited = iter(range(10**9, 10**12, 10**9))
    monkeypatch.setattr("fastgw.record.pace.waited_ns", lambda pid: next(waited))
    pace = Pace([tmp_path / "none"])
    seen = []
    for _ in range(3 * STARVED_LOOKS):
        pace.look(process)
        seen.append(os.sched_getscheduler(process))
    # the first look at it has nothing to compare with
    assert seen == [os.SCHED_IDLE] * (2 * STARVED_LOOKS - 1) + [os.SCHED_OTHER] * (STARVED_LOOKS + 1)
    monkeypatch.setattr("fastgw.record.pace.waited_ns", lambda pid: 10**12)
    for _ in range(FED_LOOKS):
        pace.look(process)
    assert os.sched_getscheduler(process) == os.SCHED_IDLE


def test_waiting_is_counted() -> None:
    """What the kernel says of this very process grows; of one that is not there it is nothing."""
    assert waited_ns(os.getpid()) > 0
    assert waited_ns(2**22 - 3) == 0
