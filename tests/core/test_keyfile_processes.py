"""What the key file promises to several processes, and after its writer was killed at any instruction."""
import hashlib
import os
import random
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

from fastgw._core.keyfile import KeyFile, KeyFileWriter
from tests.small_process import in_small_process

FUSE_BLEW = 9
Rows = dict[bytes, tuple[bytes, bool, int]]
Act = tuple[str, int, bytes]

# What a writer does, in this order; "flood" fills the heap until a next generation must be made.
ACTS: tuple[Act, ...] = (
    ("put", 1, b"first"), ("put", 2, b"second"), ("put", 1, b"changed, and longer than it was"), ("disable", 2, b""), ("remove", 1, b""),
    ("put", 1, b"back"), ("replace", 3, b"all"), ("put", 2, b"after"), ("compact", 0, b""), ("flood", 4, b"x" * 60_000),
    ("remove", 3, b""), ("put", 5, b"last"),
)  # fmt: skip


def digest_of(number: int) -> bytes:
    return hashlib.sha256(b"%d" % number).digest()


def act(writer: KeyFileWriter, what: str, number: int, entry: bytes) -> None:
    digest = digest_of(number)
    if what == "put":
        writer.put(digest, entry)
    elif what == "disable":
        writer.set_enabled(digest, False)
    elif what == "remove":
        writer.remove(digest)
    elif what == "replace":
        writer.replace_all([(digest_of(other), entry, True, 0) for other in (number, number + 10)])
    elif what == "compact":
        writer.compact()
    else:
        before = writer.generation
        while writer.generation == before:
            writer.put(digest, entry)


def states() -> list[Rows]:
    """What the file holds before the first act and after each of them."""
    rows: Rows = {}
    found = [dict(rows)]
    for what, number, entry in ACTS:
        digest = digest_of(number)
        if what in ("put", "flood"):
            rows[digest] = entry, True, 0
        elif what == "disable":
            rows[digest] = rows[digest][0], False, 0
        elif what == "remove":
            rows.pop(digest)
        elif what == "replace":
            rows = {digest_of(other): (entry, True, 0) for other in (number, number + 10)}
        found.append(dict(rows))
    return found


def rows_of(file: KeyFile) -> Rows:
    """All that is in the file, each row found by its digest."""
    rows = {digest: tuple(rest) for digest, *rest in file.items()}
    assert all(file.view(file.find_digest(digest))[0] == row[0] for digest, row in rows.items())
    return rows  # type: ignore[return-value]  # of the lengths that items() has


def in_child(work: Callable[[], None]) -> int:
    """Run something in a forked process and return its number."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return child


def exit_of(child: int) -> int:
    """Wait for a child's end; its exit status, or minus the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def play_until(fuse: int, path: Path) -> None:
    """Do everything, and die after so many stores."""
    writer = KeyFileWriter(path)
    writer._light_fuse(fuse)
    for row in ACTS:
        act(writer, *row)


def die_after_each_store(tmp_path: Path) -> None:
    expected = states()
    points = 0
    while True:
        points += 1
        path = tmp_path / f"keys-{points}"
        KeyFileWriter(path).close()
        early = KeyFile(path)
        status = exit_of(in_child(partial(play_until, points, path)))
        left = rows_of(KeyFile(path))
        assert left in expected, f"after point {points}: {left}"
        assert rows_of(early) in expected
        assert early.is_current() is (KeyFile(path).generation == early.generation)
        writer = KeyFileWriter(path)
        assert writer.damage == "" and rows_of(writer) == left and len(writer) == len(left)
        for row in ACTS:
            act(writer, *row)
        assert rows_of(KeyFile(path)) == expected[-1]
        writer.close()
        if status == 0:
            break
        assert status == FUSE_BLEW
    assert points > 60


def test_death_after_any_store_leaves_a_file_of_before_or_after(tmp_path: Path) -> None:
    """A writer killed after each of its stores in turn leaves what one act has made of it, whole; the next writer goes on from there."""
    in_small_process(die_after_each_store, tmp_path)


def churn(path: Path, ready: int, gone: int) -> None:
    """Change keys without end: each entry states its number and repeats its turn, so that half of one would show."""
    writer = KeyFileWriter(path)
    rng = random.Random(gone)
    turn = 0
    while True:
        turn += 1
        number = rng.randrange(50)
        what = rng.random()
        if what < 0.1:
            writer.remove(digest_of(number))
        elif what < 0.2:
            writer.set_enabled(digest_of(number), turn % 2 == 0)
        elif what < 0.201:
            writer.compact()
        else:
            writer.put(digest_of(number), b"%d:" % number + b"%08d" % turn * rng.randint(1, 400), True, turn)
        if turn == 100:
            os.write(ready, b"!")


def read_steadily(path: Path, rounds: int) -> None:
    """Read every key again and again; each entry must be whole, of its key, and not older than one that was seen before."""
    file = KeyFile(path)
    newest = [0] * 50
    moves = 0
    for turn in range(rounds):
        if turn % 10 == 0 and not file.is_current():
            file = KeyFile(path)
            moves += 1
        for number in range(50):
            slot = file.find_digest(digest_of(number))
            if slot < 0:
                continue
            view = file.view(slot)
            named, _, turns = view.entry.partition(b":")
            assert int(named) == number and len(turns) % 8 == 0 and turns == turns[:8] * (len(turns) // 8)
            assert int(turns[:8]) == view.until_ns >= newest[number]
            newest[number] = view.until_ns
    assert moves > 0


def test_readers_see_whole_entries_while_a_writer_churns(tmp_path: Path) -> None:
    """Two readers beside a writer at full speed, through generations: no entry is torn, of another key, or of before."""
    path = tmp_path / "keys"
    mine, theirs = os.pipe()
    writer = in_child(partial(churn, path, theirs, 1))
    try:
        assert os.read(mine, 1) == b"!"
        readers = [in_child(partial(read_steadily, path, 1500)) for _ in range(2)]
        assert [exit_of(reader) for reader in readers] == [0, 0]
    finally:
        os.kill(writer, signal.SIGKILL)
        assert exit_of(writer) == -signal.SIGKILL
        os.close(mine)
        os.close(theirs)


def test_kill_at_random_moments_leaves_a_file_that_serves(tmp_path: Path) -> None:
    """Twenty writers killed in full flight, one after another, on one file: every entry stays whole, and a reader never has to wait."""
    path = tmp_path / "keys"
    KeyFileWriter(path).close()
    rng = random.Random(5)
    for turn in range(20):
        mine, theirs = os.pipe()
        writer = in_child(partial(churn, path, theirs, turn))
        assert os.read(mine, 1) == b"!"
        file = KeyFile(path)
        for _ in range(rng.randint(1, 300)):
            file.find_digest(digest_of(rng.randrange(50)))
        os.kill(writer, signal.SIGKILL)
        assert exit_of(writer) == -signal.SIGKILL
        for number, (digest, (entry, _, until_ns)) in enumerate(rows_of(KeyFile(path)).items()):
            named, _, turns = entry.partition(b":")
            assert digest == digest_of(int(named)) and int(turns[:8]) == until_ns, number
        os.close(mine)
        os.close(theirs)
