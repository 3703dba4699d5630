"""Append records to a file, one JSON object a line, and rotate it by size."""
import os
from pathlib import Path

import msgspec

from fastgw.record.exporters import Batch, Mark


class JsonLines:
    """One file, `PATH`, and up to `keep` older ones, `PATH.1` being the youngest.

    A batch is one write, so that readers see whole lines; when somebody else moves the file away, the next batch makes
    a fresh one.
    """

    name = "jsonl"
    durable = False
    linger_seconds = 0.2
    most_records = 5000

    def __init__(self, path: Path, rotate_bytes: int = 256 << 20, keep: int = 5) -> None:
        self.path = path
        self.rotate_bytes = rotate_bytes
        self.keep = keep
        self.fd = -1
        self.size_bytes = 0
        self.encoder = msgspec.json.Encoder()

    def __repr__(self) -> str:
        return f"JsonLines({str(self.path)!r})"

    def open(self) -> None:
        self.fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.size_bytes = os.fstat(self.fd).st_size
        if self.size_bytes and os.pread(self.fd, 1, self.size_bytes - 1) != b"\n":
            # A process that was killed in a write left half a line: end it, so that only that line is lost.
            self.size_bytes += os.write(self.fd, b"\n")

    def export(self, batch: Batch) -> None:
        lines = self.encoder.encode_lines(batch.records)
        if self.is_moved():
            self.close()
            self.open()
        if self.size_bytes and self.size_bytes + len(lines) > self.rotate_bytes:
            self.rotate()
        self.append(lines)

    def append(self, lines: bytes) -> None:
        """Write all or nothing; a disk that fills up in the middle leaves the file as it was."""
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[os.write(self.fd, rest):]
        except OSError:
            os.ftruncate(self.fd, self.size_bytes)
            raise
        self.size_bytes += len(lines)

    def is_moved(self) -> bool:
        if self.fd < 0:
            return True
        try:
            there, here = os.stat(self.path), os.fstat(self.fd)
        except FileNotFoundError:
            return True
        return (there.st_ino, there.st_dev) != (here.st_ino, here.st_dev)

    def rotate(self) -> None:
        """Move PATH to PATH.1, PATH.1 to PATH.2 and so on; what would be number keep + 1 goes."""
        self.close()
        for number in range(self.keep - 1, 0, -1):
            older = self.numbered(number)
            if older.exists():
                older.replace(self.numbered(number + 1))
        if self.keep:
            self.path.replace(self.numbered(1))
        else:
            self.path.unlink()
        self.open()

    def numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def kept_marks(self) -> dict[str, Mark]:
        return {}
