"""What the digest kernel promises: SHA-256 as everyone computes it, and a table that behaves as a dict."""
import hashlib
import random
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fastgw._core.digest import KeyTable, portable_digest, sha256_digest


@pytest.mark.parametrize("digest_of", [sha256_digest, portable_digest])
def test_digest_is_the_one_everyone_computes(digest_of: Callable[[bytes], bytes]) -> None:
    """Every length from 0 to 300, all block borders among them, gives hashlib's digest."""
    rng = random.Random(1)
    for length in [*range(301), 1000, 4095, 4096, 4097, 1 << 16]:
        message = rng.randbytes(length)
        assert digest_of(message) == hashlib.sha256(message).digest(), length


def test_key_is_found_by_its_secret() -> None:
    """A key that was added by its digest is found by the secret, and no other secret is."""
    table = KeyTable()
    for number in range(5000):
        table.add(hashlib.sha256(b"key-%d" % number).digest(), number)
    assert len(table) == 5000
    assert [table.find_key(b"key-%d" % number) for number in range(5000)] == list(range(5000))
    assert {table.find_key(b"other-%d" % number) for number in range(5000)} == {-1}


def test_capacity_hint_keeps_the_block_in_its_place() -> None:
    """A table made for n keys takes n keys without growing."""
    table = KeyTable(1000)
    before = table.capacity
    for number in range(1000):
        table.add(sha256_digest(b"%d" % number), number)
    assert table.capacity == before


@pytest.mark.parametrize("bit", range(0, 256, 7))
def test_digests_that_differ_in_one_bit_are_different_keys(bit: int) -> None:
    """All 32 bytes count, also where the first eight agree."""
    digest = sha256_digest(b"key")
    near = (int.from_bytes(digest, "big") ^ 1 << bit).to_bytes(32, "big")
    table = KeyTable()
    table.add(digest, 7)
    assert table.find_digest(near) == -1
    table.add(near, 8)
    assert (table.find_digest(digest), table.find_digest(near)) == (7, 8)


def test_wrong_arguments_are_refused() -> None:
    """A digest of another length and an index below zero are refused by name."""
    table = KeyTable()
    with pytest.raises(ValueError, match="expected a digest of 32 bytes, got 31"):
        table.add(bytes(31), 1)
    with pytest.raises(ValueError, match="expected an index of at least 0, got -1"):
        table.add(bytes(32), -1)
    assert table.find_digest(bytes(31)) == -1
    assert not table.remove(bytes(31))


def test_table_says_what_it_holds() -> None:
    """The representation shows the count and never a digest."""
    table = KeyTable(30)
    table.add(bytes(32), 0)
    assert repr(table) == "<KeyTable 1 of 41>"


class TableAgainstDict(RuleBasedStateMachine):
    """Add, replace and remove digests that crowd into the same few rows, some of them round the end of the block."""

    digests = st.builds(
        lambda head, tail: head.to_bytes(8, "little") + bytes(23) + bytes([tail]),
        st.sampled_from([0, 1, 1 << 62, (1 << 64) - 1, (1 << 64) - (1 << 59)]),
        st.integers(0, 9),
    )

    def __init__(self) -> None:
        super().__init__()
        self.table = KeyTable()
        self.model: dict[bytes, int] = {}

    @rule(digest=digests, index=st.integers(0, 2**31 - 1))
    def add(self, digest: bytes, index: int) -> None:
        self.table.add(digest, index)
        self.model[digest] = index

    @rule(digest=digests)
    def remove(self, digest: bytes) -> None:
        assert self.table.remove(digest) == (self.model.pop(digest, None) is not None)

    @rule(digest=digests)
    def find(self, digest: bytes) -> None:
        assert self.table.find_digest(digest) == self.model.get(digest, -1)

    @invariant()
    def holds_the_same(self) -> None:
        assert len(self.table) == len(self.model)
        assert {digest: self.table.find_digest(digest) for digest in self.model} == self.model


TestTableAgainstDict = TableAgainstDict.TestCase
TestTableAgainstDict.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
