"""What the key file promises to one process: it behaves as a dict, shows changes at once, and refuses what is no key file."""
import hashlib
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fastgw._core.keyfile import MOST_ENTRY_BYTES, KeyFile, KeyFileWriter, LayoutError

HEADER_BYTES = 4096
HEADER_PLACES = {"magic": 0, "layout": 1, "slot_bytes": 2, "slots": 3, "heap_bytes": 4, "heap_used": 6}


def digest_of(number: int) -> bytes:
    return hashlib.sha256(b"%d" % number).digest()


def entry_at(file: KeyFile, digest: bytes) -> bytes | None:
    """What the file has of a digest."""
    slot = file.find_digest(digest)
    return None if slot < 0 else file.view(slot).entry


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def test_reader_sees_every_change_at_once(path: Path) -> None:
    """What the writer adds, changes, disables, ends and removes is there for who had the file mapped before."""
    writer = KeyFileWriter(path)
    reader = KeyFile(path)
    digest = digest_of(1)
    assert reader.find_digest(digest) == -1
    writer.put(digest, b"first")
    slot = reader.find_digest(digest)
    first = reader.view(slot)
    assert first[0] == b"first" and first.enabled and first.until_ns == 0
    writer.put(digest, b"second", until_ns=77)
    second = reader.view(slot)
    assert (second.entry, second.until_ns) == (b"second", 77) and second.version != first.version
    assert writer.set_enabled(digest, False) and not reader.view(slot).enabled
    assert reader.view(slot).version != second.version
    assert writer.set_enabled(digest, True) and reader.view(slot) == second
    assert writer.remove(digest) and reader.find_digest(digest) == -1 and len(reader) == 0
    assert not writer.remove(digest) and not writer.set_enabled(digest, True) and not writer.remove(digest_of(2))
    writer.put(digest, b"third", enabled=False)
    assert reader.find_digest(digest) == slot and not reader.view(slot).enabled and len(reader) == 1


def test_next_generation_takes_the_place_of_the_old_one(path: Path) -> None:
    """A reader of the old generation goes on with it, is told, and finds all in the next one."""
    writer = KeyFileWriter(path)
    writer.put(digest_of(1), b"old")
    reader = KeyFile(path)
    assert reader.is_current()
    assert writer.replace_all([(digest_of(number), b"new", True, 0) for number in (2, 3)]) == 2
    assert not reader.is_current()
    assert entry_at(reader, digest_of(1)) == b"old" and reader.find_digest(digest_of(2)) == -1
    after = KeyFile(path)
    assert after.is_current() and after.generation == reader.generation + 1
    assert after.find_digest(digest_of(1)) == -1 and entry_at(after, digest_of(2)) == b"new"
    after.close()
    assert after.find_digest(digest_of(2)) == -1 and len(after) == 0 and not after.is_current()


def test_file_that_was_put_there_by_another_is_noticed(path: Path) -> None:
    """A writer that died before it could mark the old generation leaves readers that notice all the same."""
    KeyFileWriter(path).close()
    reader = KeyFile(path)
    aside = path.with_name("other")
    aside.write_bytes(path.read_bytes())
    aside.rename(path)
    assert not reader.is_current()
    path.unlink()
    assert reader.is_current(), "there is nothing better"


def test_file_grows_as_keys_come_and_shrinks_as_garbage_goes(path: Path) -> None:
    """More keys than the first table has, and more changes than the heap holds, only make the next generations."""
    writer = KeyFileWriter(path)
    for number in range(5000):
        writer.put(digest_of(number), b"%d" % number * 20)
    assert len(writer) == 5000 and writer.generation > 1
    for turn in range(3):
        for number in range(1000):
            writer.put(digest_of(number), b"%d" % turn * 2000)
    assert len(writer) == 5000
    assert entry_at(writer, digest_of(999)) == b"2" * 2000 and entry_at(writer, digest_of(4999)) == b"4999" * 20
    writer.replace_all((digest_of(number), b"x" * 60_000, True, 0) for number in range(200))
    for number in range(1, 200):
        assert writer.remove(digest_of(number))
    before = writer.generation
    writer.put(digest_of(0), b"last")
    assert writer.generation == before + 1 and [row[1] for row in writer.items()] == [b"last"]
    assert path.stat().st_size < 2 << 20


def test_writer_takes_up_what_another_left(path: Path) -> None:
    """Everything is there after a close, and space that is in use is not used again."""
    writer = KeyFileWriter(path)
    rows = {digest_of(number): b"%d" % number for number in range(100)}
    for digest, entry in rows.items():
        writer.put(digest, entry)
    writer.close()
    with pytest.raises(LayoutError, match="it is closed"):
        writer.put(digest_of(1), b"")
    again = KeyFileWriter(path)
    assert len(again) == 100
    again.put(digest_of(100), b"more")
    assert {row[0]: row[1] for row in again.items()} == {**rows, digest_of(100): b"more"}


def test_second_writer_is_refused(path: Path) -> None:
    """There is one writer at a time, and nobody else can read the file's keys."""
    writer = KeyFileWriter(path)
    with pytest.raises(BlockingIOError, match="another process writes the keys"):
        KeyFileWriter(path)
    assert path.stat().st_mode & 0o777 == 0o600
    writer.close()
    KeyFileWriter(path).close()


def test_failed_replacement_leaves_what_was(path: Path) -> None:
    """Keys that cannot be read to the end change nothing and leave no file."""
    writer = KeyFileWriter(path)
    writer.put(digest_of(1), b"here")
    with pytest.raises(ValueError, match="expected a digest of 32 bytes, got 3"):
        writer.replace_all([(digest_of(2), b"x", True, 0), (b"odd", b"x", True, 0)])
    with pytest.raises(ValueError, match=f"expected an entry of at most {MOST_ENTRY_BYTES} bytes, got {MOST_ENTRY_BYTES + 1}"):
        writer.put(digest_of(1), b"x" * (MOST_ENTRY_BYTES + 1))
    with pytest.raises(ValueError, match="expected until_ns of at least 0"):
        writer.put(digest_of(1), b"x", until_ns=-1)
    assert sorted(one.name for one in path.parent.iterdir()) == ["keys", "keys.lock"]
    assert [row[:2] for row in writer.items()] == [(digest_of(1), b"here")] and writer.generation == 1


def test_later_of_two_rows_counts(path: Path) -> None:
    """A digest that comes twice in a replacement has the later entry."""
    writer = KeyFileWriter(path)
    assert writer.replace_all([(digest_of(1), b"a", True, 0), (digest_of(1), b"b", False, 5)]) == 1
    assert list(writer.items()) == [(digest_of(1), b"b", False, 5)]


@pytest.mark.parametrize("content", [b"", b"x" * 10, b"x" * 8192, bytes(8192)])
def test_other_file_is_refused(path: Path, content: bytes) -> None:
    """A file that is no key file is refused by readers; the writer waits for all keys, and then replaces it."""
    path.write_bytes(content)
    with pytest.raises(LayoutError, match="expected a key file"):
        KeyFile(path)
    writer = KeyFileWriter(path)
    assert "expected a key file" in writer.damage
    with pytest.raises(LayoutError, match="cannot be changed until all are replaced"):
        writer.put(digest_of(1), b"x")
    assert path.read_bytes() == content
    assert writer.replace_all([(digest_of(1), b"x", True, 0)]) == 1 and writer.damage == ""
    assert entry_at(KeyFile(path), digest_of(1)) == b"x"


@pytest.mark.parametrize(
    ("place", "number"),
    [("magic", 0), ("layout", 2), ("slot_bytes", 48), ("slots", 0), ("slots", 1 << 60), ("heap_bytes", 7), ("heap_bytes", 1 << 63)],
)
def test_damaged_head_is_refused(path: Path, place: str, number: int) -> None:
    """Sizes that do not fit the file are refused before anything is looked up by them."""
    KeyFileWriter(path).close()
    with path.open("r+b") as file:
        file.seek(HEADER_PLACES[place] * 8)
        file.write(number.to_bytes(8, "little"))
    with pytest.raises(LayoutError):
        KeyFile(path)
    assert KeyFileWriter(path).damage


def test_cut_file_is_refused(path: Path) -> None:
    """A file that lost its end is refused whole."""
    KeyFileWriter(path).close()
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(LayoutError, match="cut off or damaged"):
        KeyFile(path)


def test_damaged_entry_is_told_from_a_good_one(path: Path) -> None:
    """Any byte of a record that changed is found when it is read, and a word that leads nowhere is no crash."""
    writer = KeyFileWriter(path)
    writer.put(digest_of(1), b"0123456789" * 3, until_ns=9)
    writer.close()
    good = path.read_bytes()
    for at in range(HEADER_BYTES, HEADER_BYTES + 16 + 30):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        reader = KeyFile(path)
        with pytest.raises(LayoutError):
            reader.view(reader.find_digest(digest_of(1)))
    word = good.rindex(digest_of(1)) + 32
    path.write_bytes(good[:word] + b"\x01" + b"\xff" * 7 + good[word + 8 :])
    reader = KeyFile(path)
    with pytest.raises(LayoutError, match="found none at slot"):
        reader.view(reader.find_digest(digest_of(1)))
    assert "expected a record below" in KeyFileWriter(path).damage


def test_full_table_ends_a_search(path: Path) -> None:
    """A damaged table without an empty slot is searched once, not for ever."""
    KeyFileWriter(path).close()
    content = bytearray(path.read_bytes())
    slots = int.from_bytes(content[24:32], "little")
    for slot in range(slots):
        end = len(content) - slot * 40
        content[end - 8 : end] = b"\x01" + bytes(7)
    path.write_bytes(content)
    assert KeyFile(path).find_digest(digest_of(1)) == -1


def test_slots_outside_the_table_are_refused(path: Path) -> None:
    """A slot that there is none of, or that is empty, has no entry."""
    writer = KeyFileWriter(path)
    for slot in (-1, 1 << 40):
        with pytest.raises(IndexError):
            writer.view(slot)
    with pytest.raises(LayoutError):
        writer.view(0)
    assert writer.find_digest(b"short") == -1


def test_reading_all_keys_ends_where_another_file_comes(path: Path) -> None:
    """Keys of two generations are never mixed in one reading."""
    writer = KeyFileWriter(path)
    writer.replace_all((digest_of(number), b"x", True, 0) for number in range(10))
    rows = writer.items()
    next(rows)
    writer.compact()
    with pytest.raises(RuntimeError, match="was replaced or closed while its keys were read"):
        next(rows)


def test_writer_does_not_touch_a_file_that_took_the_place_of_its_own(path: Path) -> None:
    """Who puts another file there finds it as it was; the next replacement of all keys puts things right."""
    writer = KeyFileWriter(path)
    path.unlink()
    path.write_bytes(b"other")
    with pytest.raises(LayoutError, match="another file was put in the place"):
        writer.put(digest_of(1), b"x")
    assert path.read_bytes() == b"other" and writer.damage
    assert writer.replace_all([(digest_of(1), b"x", True, 0)]) == 1 and entry_at(KeyFile(path), digest_of(1)) == b"x"


class KeyFileAgainstADict(RuleBasedStateMachine):
    """Everything that a writer can do, beside a dict; a reader looks on."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name) / "keys"
        self.writer = KeyFileWriter(self.path)
        self.reader = KeyFile(self.path)
        self.twin: dict[bytes, tuple[bytes, bool, int]] = {}

    def teardown(self) -> None:
        self.writer.close()
        self.directory.cleanup()

    numbers = st.integers(0, 20)
    entries = st.binary(max_size=40)

    @rule(number=numbers, entry=entries, enabled=st.booleans(), until_ns=st.sampled_from([0, 1, 2**62]))
    def put(self, number: int, entry: bytes, enabled: bool, until_ns: int) -> None:
        self.writer.put(digest_of(number), entry, enabled, until_ns)
        self.twin[digest_of(number)] = entry, enabled, until_ns

    @rule(number=numbers)
    def remove(self, number: int) -> None:
        assert self.writer.remove(digest_of(number)) is (self.twin.pop(digest_of(number), None) is not None)

    @rule(number=numbers, enabled=st.booleans())
    def set_enabled(self, number: int, enabled: bool) -> None:
        was = self.twin.get(digest_of(number))
        assert self.writer.set_enabled(digest_of(number), enabled) is (was is not None)
        if was is not None:
            self.twin[digest_of(number)] = was[0], enabled, was[2]

    @rule(rows=st.dictionaries(numbers, entries), count=st.integers(0, 50))
    def replace_all(self, rows: dict[int, bytes], count: int) -> None:
        self.writer.replace_all(((digest_of(number), entry, True, 0) for number, entry in rows.items()), count)
        self.twin = {digest_of(number): (entry, True, 0) for number, entry in rows.items()}

    @rule()
    def compact(self) -> None:
        self.writer.compact()

    @rule()
    def die_and_return(self) -> None:
        self.writer.close()
        self.writer = KeyFileWriter(self.path)

    @invariant()
    def reader_sees_the_same(self) -> None:
        if not self.reader.is_current():
            self.reader = KeyFile(self.path)
        assert len(self.reader) == len(self.writer) == len(self.twin)
        for number in range(21):
            slot, row = self.reader.find_digest(digest_of(number)), self.twin.get(digest_of(number))
            assert (slot >= 0) is (row is not None)
            if row is not None:
                view = self.reader.view(slot)
                assert (view.entry, view.enabled, view.until_ns) == row


TestKeyFileAgainstADict = KeyFileAgainstADict.TestCase
TestKeyFileAgainstADict.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
