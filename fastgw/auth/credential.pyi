"""Who is calling: the key is found in the head, and the caller by its digest."""
from fastgw.snapshot.types import Caller, Snapshot

HOW: str

def _bench_authenticate(snapshot: Snapshot, head: bytes, count: int) -> Caller | None: ...
