"""Sums and histograms of records by the names they share, for the drain and for those who read its log."""
from typing import SupportsIndex

SUMS: tuple[str, ...]
HISTOGRAMS: tuple[str, ...]
SOURCES: tuple[str, ...]
OTHER: str

class Cube:
    """Cells by tuples of names, in the order of `dimensions`. Not for use by two threads at a time."""

    dimensions: tuple[str, ...]
    most_cells: int
    def __init__(self, dimensions: tuple[str, ...], fields: tuple[str, ...] = ..., most_cells: SupportsIndex = ...) -> None:
        """`fields`: what stands where in the rows of fold and add; SOURCES must be among them.

        Beyond `most_cells`, what has no cell yet goes to the one where all names but the first are OTHER.
        """
    def __len__(self) -> int: ...
    def clear(self) -> None: ...
    def fold(self, rows: list[tuple[object, ...]]) -> None:
        """Add records under the names that stand in their own fields."""
    def add(self, names: tuple[str | int, ...], row: tuple[object, ...]) -> None:
        """Add one record under these names."""
    def encode(self) -> bytes: ...
    def merge(
        self, body: bytes, slot: int | None = None, keep: tuple[int, ...] | None = None,
        allowed: tuple[tuple[int, frozenset[str]], ...] = (), histograms: int = 15,
    ) -> None:
        """Add the rows of a body. Raises ValueError where it is damaged.

        `keep`: which of the body's dimensions name a cell here, all by default; `slot`, where given, is their first name. `allowed`:
        pairs of a dimension's position and the names that pass. `histograms`: a bit each for those that are wanted.
        """
    def renamed(self, names: dict[tuple[str | int, ...], tuple[str | int, ...] | None]) -> Cube:
        """Return a cube where cells have other names; None takes a cell out."""
    def sums(self) -> dict[tuple[str | int, ...], tuple[int, ...]]:
        """The names of each cell to its sums, in the order of SUMS."""
    def requests(self) -> dict[tuple[str | int, ...], int]:
        """The names of each cell to how many records are in it."""
    def quantiles(self, names: tuple[str | int, ...], histogram: int, shares: tuple[float, ...]) -> tuple[int, ...]:
        """The middles of the buckets where these shares of the values (ascending) are reached, by nearest rank; () without values."""
    def counts(self, names: tuple[str | int, ...], histogram: int) -> dict[int, int]:
        """The middle of each bucket that has values, and how many."""
