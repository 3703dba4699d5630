"""Exporters: where records go. Each is one file with open, export and close, and one row in table.py."""
from typing import NamedTuple, Protocol

from fastgw.record.fields import Record


class Mark(NamedTuple):
    """How far a ring was read: the file (by when it was made) and the bytes read since."""

    created_ns: int
    position: int


class Batch:
    """Records with how far they take each ring, by the path of its file."""

    __slots__ = ("marks", "records", "size_bytes")

    def __init__(self, records: list[Record], marks: dict[str, Mark], size_bytes: int) -> None:
        self.records = records
        self.marks = marks
        self.size_bytes = size_bytes

    def __repr__(self) -> str:
        return f"Batch({len(self.records)} records, {self.size_bytes} bytes)"


class ExportFailed(Exception):
    """Nothing of the batch was kept, and trying it again may help."""


class ExportRefused(Exception):
    """The batch, or a part of it, was refused and would be again."""

    def __init__(self, message: str, records: int) -> None:
        super().__init__(message)
        self.records = records      # that were refused


class Exporter(Protocol):
    """One destination. Its methods are called by one thread, which is its own.

    open and export raise ExportFailed (or OSError) for what may pass; they are called again after a while. ExportRefused costs what was
    refused, any other exception the batch. An exporter that is `durable` keeps what it was given through a crash: rings are not
    reclaimed before it has their records, and `kept_marks` says how far it had come.
    """

    name: str
    durable: bool
    linger_seconds: float      # how long to gather records before an export
    most_records: int          # and how many

    def open(self) -> None: ...

    def export(self, batch: Batch) -> None: ...

    def close(self) -> None: ...

    def kept_marks(self) -> dict[str, Mark]: ...
