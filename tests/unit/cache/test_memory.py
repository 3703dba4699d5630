"""Promises of what a worker keeps: the latest used, never more bytes than allowed, nothing beyond its time."""

import gc
import random
import tracemalloc

import pytest

from fastgw.cache.memory import ENTRY_BYTES, MemoryStore

NEVER = 10**15


class PlainStore:
    """The same by the simplest means: a list from the least to the most lately used."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.rows: list[tuple[bytes, bytes, int]] = []

    @property
    def used_bytes(self) -> int:
        return sum(len(key) + len(value) + ENTRY_BYTES for key, value, _ in self.rows)

    def get(self, key: bytes, now_ms: int) -> bytes | None:
        for row in self.rows:
            if row[0] == key:
                self.rows.remove(row)
                if now_ms < row[2]:
                    self.rows.append(row)
                    return row[1]
        return None

    def put(self, key: bytes, value: bytes, expires_ms: int) -> bool:
        self.rows = [row for row in self.rows if row[0] != key]
        if len(key) + len(value) + ENTRY_BYTES > self.max_bytes:
            return False
        self.rows.append((key, value, expires_ms))
        while self.used_bytes > self.max_bytes:
            del self.rows[0]
        return True


@pytest.mark.parametrize("seed", range(12))
def test_store_does_what_a_plain_one_does(seed: int) -> None:
    """Gets and puts at random find and leave what a list would, byte for byte of the account, with room for none, few or many."""
    rng = random.Random(seed)
    most = rng.choice((0, ENTRY_BYTES, 2_000, 20_000, 200_000))
    store, plain = MemoryStore(most), PlainStore(most)
    now = 0
    for _ in range(2_000):
        now += rng.choice((0, 0, 1, 50))
        key = b"k%d" % rng.randrange(40)
        if rng.random() < 0.5:
            assert store.get(key, now) == plain.get(key, now)
        elif rng.random() < 0.05:
            store.drop(key)
            plain.rows = [row for row in plain.rows if row[0] != key]
        else:
            value = bytes(rng.choice((0, 1, 100, 1_000, 5_000)))
            expires = now + rng.randrange(300)
            assert store.put(key, value, expires) == plain.put(key, value, expires)
        assert store.used_bytes == plain.used_bytes <= most
        assert len(store) == len(plain.rows)


def test_latest_used_stay() -> None:
    """What was taken lately outlives what was put in lately and never taken."""
    store = MemoryStore(3 * (ENTRY_BYTES + 2))
    for key in (b"a", b"b", b"c"):
        store.put(key, b"v", NEVER)
    assert store.get(b"a", 0) == b"v"
    store.put(b"d", b"v", NEVER)
    assert [store.get(key, 0) for key in (b"a", b"b", b"c", b"d")] == [b"v", None, b"v", b"v"]
    assert (store.evicted, repr(store)) == (1, f"<MemoryStore of 3 in {store.used_bytes} of {store.max_bytes} bytes>")


def test_what_is_too_old_is_gone_at_its_time() -> None:
    """A value is there until its last millisecond, and then its bytes are given back."""
    store = MemoryStore(10_000)
    store.put(b"k", b"v", 100)
    assert (store.get(b"k", 99), store.get(b"k", 100)) == (b"v", None)
    assert (len(store), store.used_bytes) == (0, 0)


def test_value_larger_than_all_room_evicts_nobody() -> None:
    """One that can never fit is refused, and takes only the value before it under its own key along."""
    store = MemoryStore(2_000)
    store.put(b"a", b"v", NEVER)
    store.put(b"b", b"v", NEVER)
    assert not store.put(b"b", bytes(2_000), NEVER)
    assert (store.get(b"a", 0), store.get(b"b", 0)) == (b"v", None)


def test_clear_forgets_all() -> None:
    """After clear there is nothing and no byte is counted."""
    store = MemoryStore(10_000)
    store.put(b"a", b"v", NEVER)
    store.clear()
    assert (len(store), store.used_bytes, store.get(b"a", 0)) == (0, 0, None)


def test_account_is_at_least_what_python_takes() -> None:
    """For 5,000 entries the bytes that are counted are no less than what the interpreter allocates for them."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        store = MemoryStore(10**9)
        for number in range(5_000):
            store.put(number.to_bytes(32, "little"), bytes(700 + number % 100), 1_800_000_000_000 + number)
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert taken <= store.used_bytes < 1.3 * taken
