"""A log-linear histogram of durations in nanoseconds, exact to three significant digits."""

class Histogram:
    """Durations, kept by size; what is longer than 73 minutes counts as that."""

    def __init__(self) -> None: ...
    @property
    def count(self) -> int: ...
    @property
    def least_ns(self) -> int:
        """The least recorded, exactly; 0 where there is none."""
    @property
    def most_ns(self) -> int:
        """The greatest recorded, exactly."""
    def record(self, value_ns: int) -> None: ...
    def merge(self, other: Histogram) -> None: ...
    def clear(self) -> None: ...
    def mean_ns(self) -> float: ...
    def percentile_ns(self, share: float) -> int:
        """The value that a `share` (0 to 1) of the samples does not exceed: nearest rank, rounded up; 0 where there are none."""
    def between(self, low_ns: int, high_ns: int) -> int:
        """How many samples lie in [low, high], to the resolution of the buckets."""
    def buckets(self) -> list[tuple[int, int]]:
        """(greatest value of the bucket, count) of those that are not empty, in order."""
