"""Feed incremental parsers in every way a network can: whole, byte by byte, split at random, with bytes after the end.

    def parse(pieces: Iterable[bytes]) -> object: ...   # a fresh parser each time; what it finds compares by ==
    found = same_however_fed(parse, body, seed=1)        # every way finds the same, and this is it

A failure names the sizes of the pieces, so that it can be repeated with split_at().
"""

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Found = TypeVar("Found")


def split_at(body: bytes, cuts: Iterable[int]) -> list[bytes]:
    """Cut `body` before each of the offsets."""
    edges = [0, *sorted(cuts), len(body)]
    return [body[start:end] for start, end in itertools.pairwise(edges)]


def byte_by_byte(body: bytes) -> list[bytes]:
    return [body[at : at + 1] for at in range(len(body))]


def split_at_random(body: bytes, rng: random.Random) -> list[bytes]:
    """Cut into up to twelve pieces; empty ones among them."""
    return split_at(body, (rng.randint(0, len(body)) for _ in range(rng.randint(1, 11))))


def ways_to_feed(body: bytes, seed: int, splits: int = 5) -> Iterator[list[bytes]]:
    """Yield lists of pieces that all join to `body`: whole first, then byte by byte, then split at random."""
    yield [body]
    yield byte_by_byte(body)
    rng = random.Random(seed)
    for _ in range(splits):
        yield split_at_random(body, rng)


def same_however_fed(
    parse: Callable[[Iterable[bytes]], Found], body: bytes, seed: int = 0, splits: int = 5, trailing: bytes = b""
) -> Found:
    """Assert that `parse` finds the same however `body` is fed, and with `trailing` bytes after it; return that."""
    found = parse([body])
    for pieces in ways_to_feed(body, seed, splits):
        _expect(found, parse(pieces), pieces)
    if trailing:
        for pieces in ([body + trailing], [body, trailing], [*byte_by_byte(body), *byte_by_byte(trailing)]):
            _expect(found, parse(pieces), pieces)
    return found


def _expect(found: object, again: object, pieces: list[bytes]) -> None:
    assert again == found, f"whole: {found!r}; in pieces of {[len(piece) for piece in pieces][:40]}: {again!r}"
