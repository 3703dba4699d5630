"""What the drain is told by whoever starts it."""
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from fastgw.errors import CODES
from fastgw.snapshot.config import Otlp, Recording


class DrainOptions(Struct, frozen=True, kw_only=True):
    """Everything that run_drain needs; picklable and independent of how people configure."""

    rings: tuple[Path, ...]                       # one file a worker; they may come into being later
    state: Path                                   # directory of logs.db and drain.sock
    errors: tuple[str, ...] = ("",)               # codes by the index that records carry
    sqlite: bool = True
    retention_days: int = 30
    retention_bytes: int = 1 << 30
    jsonl_path: Path | None = None
    jsonl_rotate_bytes: int = 256 << 20
    jsonl_keep: int = 5
    prometheus: bool = True
    otlp: Otlp | None = None
    models: frozenset[str] | None = None          # names that may be Prometheus labels; None: any, up to 200 label sets
    queue_records: int = 100_000                  # each exporter's bound
    queue_bytes: int = 128 << 20
    stop_seconds: float = 10.0                    # how long a stop may take
    parent_pid: int = 0                           # stop when this process is no longer the parent; 0: never


def drain_options(record: Recording, state: Path, rings: Iterable[Path], parent_pid: int = 0) -> DrainOptions:
    """What the configuration says of records, and the rings of the workers that there may be."""
    rings = tuple(rings)
    return DrainOptions(
        # a gateway with more workers may have been killed before its rings were read out
        rings=(*rings, *sorted(set(state.glob("ring-*.ring")) - set(rings))), state=state, errors=CODES,
        sqlite=record.sqlite, retention_days=record.retention_days, retention_bytes=record.retention_bytes,
        jsonl_path=Path(record.jsonl.path) if record.jsonl else None,
        jsonl_rotate_bytes=record.jsonl.rotate_bytes if record.jsonl else 256 << 20,
        jsonl_keep=record.jsonl.keep if record.jsonl else 5, otlp=record.otlp, parent_pid=parent_pid)
