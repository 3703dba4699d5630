"""The ring between a worker and the drain: order, bounds, counts, crashes."""
import os
import re
import signal
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgw._core import ring
from fastgw._core.ring import ENTRY_BYTES, RECORD_BYTES, RingError, RingReader, RingWriter, pack_record, record_layout
from tests.oracles.ring import MOST_DETAIL_BYTES, ModelRing, Pushed

ROOT = Path(__file__).parents[2]
INDEX = {name: at for at, (name, _, _, _) in enumerate(record_layout())}
DETAIL, REQUEST, REPLY = len(INDEX), len(INDEX) + 1, len(INDEX) + 2
DETAIL_DROPPED = 64


def piece_of(size: int) -> bytes:
    return bytes([size % 251]) * size


PAYLOADS = st.one_of(st.none(), st.integers(0, 1500).map(piece_of))
DETAILS = st.one_of(st.none(), st.integers(1, 600).map(piece_of), st.integers(4000, MOST_DETAIL_BYTES + 20).map(piece_of))


def numbered(number: int, **values: Any) -> bytes:
    return pack_record(input_tokens=number, **values)


def numbers(rows: list[tuple[Any, ...]]) -> list[int]:
    return [row[INDEX["input_tokens"]] for row in rows]


def test_layout_lists_every_byte_of_the_struct() -> None:
    """The layout that Python sees is the struct of ring.pxd: its names in order, without a gap."""
    text = (ROOT / "fastgw/_core/ring.pxd").read_text()
    body = text.split("cdef struct Record:")[1].split("cdef class")[0]
    declared = re.findall(r"^    (?:u?int\d+_t|char) (\w+)", body, re.MULTILINE)
    assert [name for name, _, _, _ in record_layout()] == declared
    end = 0
    for name, _, size, offset in record_layout():
        assert offset == end, name
        end += size
    assert 0 <= RECORD_BYTES - end < 8


def test_every_field_comes_back_as_it_was_packed(tmp_path: Path) -> None:
    """Each field has its own place: distinct values in, the same values out."""
    values: dict[str, Any] = {}
    for at, (name, kind, size, _) in enumerate(record_layout()):
        values[name] = {"text": f"n{at}", "bytes": bytes([at + 1]) * 16}.get(kind, at + 1 if size < 8 else -at - 1)
    writer, reader = RingWriter(tmp_path / "ring"), RingReader(tmp_path / "ring")
    writer.push_packed(pack_record(**values), b"in", b"out", detail=b"{}")
    (row,) = reader.read()
    for name, at in INDEX.items():
        if name == "id":
            assert row[at] == "01010101-0101-0101-0101-010101010101"
        elif name == "trace":
            assert row[at] == "02" * 16
        else:
            assert row[at] in (values[name], str(values[name])), name
    assert row[DETAIL:] == (b"{}", b"in", b"out")


def test_tables_turn_indexes_into_names(tmp_path: Path) -> None:
    """Indexes come out as names; one past the end of its table as its number."""
    writer = RingWriter(tmp_path / "ring")
    tables = {"outcomes": ("served", "refused"), "operations": ("chat",), "errors": ("", "budget"), "caches": ("", "hit")}
    reader = RingReader(tmp_path / "ring", **tables)
    writer.push_packed(pack_record(outcome=1, operation=0, error=1, cache=1))
    writer.push_packed(pack_record(outcome=9, operation=7, error=-1, cache=8))
    named = [[row[INDEX[name]] for name in ("outcome", "operation", "error", "cache")] for row in reader.read()]
    assert named == [["refused", "chat", "budget", "hit"], ["9", "7", "-1", "8"]]


@pytest.mark.parametrize("name", ["", "k", "ключ", "k" * 48, "é" * 24, "a" + "é" * 24])
def test_names_survive_being_cut(tmp_path: Path, name: str) -> None:
    """A name longer than its field is cut at a character, and the cache of names never confuses two."""
    writer, reader = RingWriter(tmp_path / "ring"), RingReader(tmp_path / "ring")
    for text in (name, "other", name):
        writer.push_packed(pack_record(key=text))
    read = [row[INDEX["key"]] for row in reader.read()]
    cut = name.encode()[:48].decode(errors="ignore")
    assert read == [cut, "other", cut]


def test_many_names_do_not_collide(tmp_path: Path) -> None:
    """More names than the cache holds still come out right."""
    writer, reader = RingWriter(tmp_path / "ring"), RingReader(tmp_path / "ring")
    for number in range(1000):
        writer.push_packed(pack_record(model=f"model-{number % 500}"))
    assert [row[INDEX["model"]] for row in reader.read()] == [f"model-{number % 500}" for number in range(1000)]


def pushed_in(row: tuple[Any, ...]) -> Pushed:
    return Pushed(row[INDEX["input_tokens"]], *row[DETAIL:])._replace(detail_dropped=row[INDEX["flags"]] == str(DETAIL_DROPPED))


@given(st.lists(st.one_of(st.tuples(DETAILS, PAYLOADS, PAYLOADS), st.integers(1, 20)), max_size=120))
def test_ring_agrees_with_the_oracle(steps: list[Any]) -> None:
    """Whatever is pushed and read in whatever order, the kernel accepts, drops, counts and returns as the model."""
    path = Path(f"/dev/shm/ring-oracle-{os.getpid()}")
    path.unlink(missing_ok=True)
    writer, model = RingWriter(path, 8192), ModelRing(8192, RECORD_BYTES)
    reader = RingReader(path)
    try:
        for number, step in enumerate(steps):
            if isinstance(step, int):
                assert list(map(pushed_in, reader.read(step))) == model.read(step)
            else:
                detail, request, reply = step
                result = writer.push_packed(numbered(number), request, reply, detail=detail)
                assert result == model.push(Pushed(number, detail, request, reply))
        counts = (model.pushed, model.dropped_payloads, model.dropped_details, model.dropped_records)
        assert (reader.pushed(), *reader.dropped()) == counts
        assert list(map(pushed_in, reader.read(10**6))) == model.read(10**6)
    finally:
        writer.close()
        reader.close()
        path.unlink()


def test_full_ring_drops_payloads_first_and_counts_exactly(tmp_path: Path) -> None:
    """A ring filling up gives payloads up while records still fit, and every drop is counted."""
    writer, reader = RingWriter(tmp_path / "ring", 65536), RingReader(tmp_path / "ring")
    results = [writer.push_packed(numbered(number), b"x" * 1000) for number in range(200)]
    assert results == sorted(results, reverse=True) and set(results) == {2, 1, 0}
    assert reader.dropped() == (results.count(1) + results.count(0), 0, results.count(0))
    assert reader.pushed() == results.count(2) + results.count(1)
    assert numbers(reader.read()) == list(range(reader.pushed()))
    assert writer.push_packed(numbered(0), b"x" * 1000) == 2


def test_payload_takes_at_most_an_eighth(tmp_path: Path) -> None:
    """A payload larger than an eighth of the ring is dropped and counted; its record stays."""
    writer, reader = RingWriter(tmp_path / "ring", 65536), RingReader(tmp_path / "ring")
    assert writer.push_packed(numbered(1), b"a" * 4096, b"b" * 4096) == 2
    assert writer.push_packed(numbered(2), b"a" * 4096, b"b" * 4097) == 1
    assert [row[REQUEST:] for row in reader.read()] == [(b"a" * 4096, b"b" * 4096), (None, None)]
    assert reader.dropped() == (1, 0, 0)


def test_detail_is_whole_or_left_out(tmp_path: Path) -> None:
    """A detail of 4 KiB is kept with the largest payload; a longer one is not cut: it is left out, counted and flagged."""
    writer, reader = RingWriter(tmp_path / "ring", 65536), RingReader(tmp_path / "ring")
    most = b"{" + b" " * (MOST_DETAIL_BYTES - 2) + b"}"
    assert writer.push_packed(numbered(1), b"a" * 8192, detail=most) == 2
    assert writer.push_packed(numbered(2, flags=1), b"a", detail=most + b" ") == 1
    assert writer.push_packed(numbered(3), detail=most + b" ") == 1
    assert writer.push_packed(numbered(4), detail=b"") == 2
    rows = reader.read()
    assert [row[DETAIL:] for row in rows] == [(most, b"a" * 8192, None), (None, b"a", None), (None,) * 3, (None,) * 3]
    assert [row[INDEX["flags"]] for row in rows] == ["0", str(DETAIL_DROPPED | 1), str(DETAIL_DROPPED), "0"]
    assert reader.dropped() == (0, 2, 0)


def test_full_ring_keeps_details_longer_than_payloads(tmp_path: Path) -> None:
    """A ring filling up gives up payloads, then details, then records, and every drop is counted and flagged."""
    writer, reader = RingWriter(tmp_path / "ring", 65536), RingReader(tmp_path / "ring")
    results = [writer.push_packed(numbered(number), b"x" * 1000, detail=b"d" * 600) for number in range(100)]
    rows = reader.read()
    kept = ["".join("-" if piece is None else "+" for piece in row[DETAIL:REPLY]) for row in rows]
    assert kept == sorted(kept, key=["++", "+-", "--"].index) and set(kept) == {"++", "+-", "--"}
    assert [row[INDEX["flags"]] == str(DETAIL_DROPPED) for row in rows] == [shape == "--" for shape in kept]
    lost = results.count(0)
    assert lost == 100 - len(rows) and reader.dropped() == (100 - kept.count("++"), kept.count("--") + lost, lost)


def test_unread_records_of_a_dead_writer_are_read(tmp_path: Path) -> None:
    """A writer that takes the file over leaves what is unread and goes on after it."""
    path = tmp_path / "ring"
    first = RingWriter(path)
    first.push_packed(numbered(1))
    first.set_gauge(0, 5)
    first.close()
    assert first.push_packed(numbered(9)) == 0
    reader = RingReader(path)
    assert not reader.writer_alive() and reader.gauges()[0] == 5
    second = RingWriter(path)
    second.push_packed(numbered(2))
    assert reader.writer_alive() and reader.gauges()[0] == 0
    assert numbers(reader.read()) == [1, 2]


def test_two_writers_or_two_readers_are_refused(tmp_path: Path) -> None:
    """Each end belongs to one at a time."""
    writer, reader = RingWriter(tmp_path / "ring"), RingReader(tmp_path / "ring")
    with pytest.raises(RingError, match="another process"):
        RingWriter(tmp_path / "ring")
    with pytest.raises(RingError, match="another process"):
        RingReader(tmp_path / "ring")
    assert writer.push_packed(numbered(3)) == 2 and numbers(reader.read()) == [3]


def test_what_was_not_released_is_read_again(tmp_path: Path) -> None:
    """A reader that dies before release loses nothing; seek skips what was already kept elsewhere."""
    path = tmp_path / "ring"
    writer, reader = RingWriter(path), RingReader(path)
    for number in range(5):
        writer.push_packed(numbered(number))
    assert numbers(reader.read(2, release=False)) == [0, 1]
    kept = reader.position
    assert numbers(reader.read(2, release=False)) == [2, 3]
    reader.release(kept)
    reader.close()
    again = RingReader(path)
    assert numbers(again.read(1, release=False)) == [2]
    assert not again.seek(kept)
    assert again.seek(again.position + RECORD_BYTES + ENTRY_BYTES)
    assert numbers(again.read()) == [4] and again.used_bytes == 0


def test_pages_that_go_take_nothing_with_them(tmp_path: Path) -> None:
    """Either end may let its pages go at any time: they are out of memory, and every record and count is what it was."""
    writer = RingWriter(tmp_path / "ring", 1 << 20, 0)
    reader = RingReader(tmp_path / "ring")
    for number in range(1000):
        assert writer.push_packed(numbered(number)) == 2
    mapped = mapped_kib(tmp_path / "ring")
    writer.let_pages_go()
    assert mapped > 500 and mapped_kib(tmp_path / "ring") < 200, "what is left is the reader's"
    assert writer.push_packed(numbered(1000)) == 2
    assert numbers(reader.read(600)) == list(range(600))
    reader.let_pages_go()
    writer.let_pages_go()
    assert numbers(reader.read(600)) == list(range(600, 1001))
    writer.close()
    reader.close()
    for closed in (writer, reader):
        closed.let_pages_go()


def mapped_kib(path: Path) -> int:
    """How much of a file this process has in memory."""
    found, is_it = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            is_it = line.endswith(str(path))
        elif is_it and line.startswith("Rss:"):
            found += int(line.split()[1])
    return found


def test_capacity_changes_once_the_ring_is_read_out(tmp_path: Path) -> None:
    """A configured capacity waits for unread records, then takes effect; the reader can tell."""
    path = tmp_path / "ring"
    writer = RingWriter(path, 8192)
    writer.push_packed(numbered(1))
    writer.close()
    reader = RingReader(path)
    writer = RingWriter(path, 16384)
    assert writer.capacity_bytes == 8192 and numbers(reader.read()) == [1] and not reader.is_replaced()
    writer.close()
    writer = RingWriter(path, 16384)
    assert writer.capacity_bytes == 16384 and reader.is_replaced() and writer.moved_aside is None


@pytest.mark.parametrize("at, written", [(0, b"something else"), (8, b"\x63"), (12, b"\x01\x01"), (64, b"\xff" * 8)])
def test_strange_file_is_moved_aside_not_overwritten(tmp_path: Path, at: int, written: bytes) -> None:
    """A file that is no ring, of another layout or damaged keeps its bytes under another name."""
    path = tmp_path / "ring"
    RingWriter(path).close()
    with path.open("r+b") as file:
        file.seek(at)
        file.write(written)
    before = path.read_bytes()
    writer = RingWriter(path)
    assert writer.moved_aside is not None and Path(writer.moved_aside).read_bytes() == before
    writer.push_packed(numbered(1))
    assert numbers(RingReader(path).read()) == [1]


def test_nonsense_in_the_ring_is_skipped_and_counted(tmp_path: Path) -> None:
    """An entry whose length makes no sense costs what is in the ring, never a crash or an endless loop."""
    path = tmp_path / "ring"
    writer, reader = RingWriter(path), RingReader(path)
    writer.push_packed(numbered(1))
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff\xff\xff\x7f")
    assert reader.read() == [] and reader.damaged == 1
    writer.push_packed(numbered(2))
    assert numbers(reader.read()) == [2]


def test_file_that_is_not_ready_is_not_read(tmp_path: Path) -> None:
    """A reader that comes before the writer says so instead of reading zeros."""
    with pytest.raises(FileNotFoundError):
        RingReader(tmp_path / "ring")
    (tmp_path / "ring").touch()
    with pytest.raises(RingError, match="not ready"):
        RingReader(tmp_path / "ring")


@pytest.mark.parametrize("capacity", [0, 4096, 10000, 1 << 31])
def test_odd_capacity_is_refused(tmp_path: Path, capacity: int) -> None:
    """A capacity that is no power of two in range is refused before a file is made."""
    with pytest.raises(ValueError, match="power of two"):
        RingWriter(tmp_path / "ring", capacity)
    assert not (tmp_path / "ring").exists()


PRODUCER = """
import sys, zlib
from fastgw._core.ring import RingWriter, pack_record
writer = RingWriter(sys.argv[1], 65536)
print("ready", flush=True)
number = 0
while number != int(sys.argv[2]):
    payload = bytes([number % 256]) * (number * 7919 % 3000)
    record = pack_record(input_tokens=number, output_tokens=zlib.crc32(payload), key=f"key-{number % 97}")
    if writer.push_packed(record, payload, payload[:9] if number % 3 else None) == 2:
        number += 1
"""


def start_producer(path: Path, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PRODUCER, str(path), str(count)]
    producer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert producer.stdout is not None and producer.stdout.readline() == "ready\n"
    return producer


def check_whole(row: tuple[Any, ...]) -> int:
    """Return the number of a row whose payload has its checksum, or fail; a row without payload is whole too."""
    number: int = row[INDEX["input_tokens"]]
    if row[REQUEST] is not None:
        assert zlib.crc32(row[REQUEST]) == row[INDEX["output_tokens"]]
        assert row[REPLY] == (row[REQUEST][:9] if number % 3 else None)
    assert row[INDEX["key"]] == f"key-{number % 97}"
    return number


def test_two_processes_pass_every_record_whole_and_in_order(tmp_path: Path) -> None:
    """One producer at full speed, one consumer: nothing torn, nothing lost unless counted, nothing out of order."""
    count = 30_000
    with start_producer(tmp_path / "ring", count) as producer:
        reader = RingReader(tmp_path / "ring")
        whole: list[int] = []
        while producer.poll() is None or reader.unread_bytes:
            rows = reader.read(500)
            whole += [check_whole(row) for row in rows if row[REQUEST] is not None]
            if not rows:
                os.sched_yield()
    assert producer.returncode == 0
    assert whole == list(range(count))


def test_killed_producer_leaves_only_whole_records(tmp_path: Path) -> None:
    """kill -9 in the middle of pushing: all that was pushed is read whole, and the next writer goes on."""
    path = tmp_path / "ring"
    for _ in range(5):
        with start_producer(path, -1) as producer:
            reader = RingReader(path)
            seen = 0
            while seen < 300:
                seen += len([check_whole(row) for row in reader.read(50)])
            producer.send_signal(signal.SIGKILL)
        while rows := reader.read(50):
            assert [check_whole(row) for row in rows]
        assert reader.damaged == 0 and not reader.writer_alive() and reader.used_bytes == 0
        reader.close()


def test_packing_refuses_unknown_fields() -> None:
    """A misspelt field is an error, not a silent zero."""
    with pytest.raises(TypeError, match="no field 'ky'"):
        pack_record(ky="x")
    assert len(ring.pack_record()) == RECORD_BYTES
