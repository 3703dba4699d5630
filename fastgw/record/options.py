"""What the drain is told by whoever starts it."""
from pathlib import Path

from msgspec import Struct


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
    models: frozenset[str] | None = None          # names that may be Prometheus labels; None: any, up to 200 label sets
    queue_records: int = 100_000                  # each exporter's bound
    queue_bytes: int = 128 << 20
    stop_seconds: float = 10.0                    # how long a stop may take
    parent_pid: int = 0                           # stop when this process is no longer the parent; 0: never
