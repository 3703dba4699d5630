"""Time the step from a head to the caller: for a key of the file, and for one among a million that were issued.

Run: pytest bench/kernels/bench_auth.py -o python_files='bench_*.py'
"""
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from fastgw._core.digest import KeyTable
from fastgw._core.keyfile import KeyFile
from fastgw._core.ledger import Ledger
from fastgw.auth.credential import _bench_authenticate
from fastgw.auth.keys import digest_of
from fastgw.snapshot.callers import CallerMaker
from fastgw.snapshot.config import Config
from fastgw.snapshot.keyring import KEYS, KeyEntry, KeyRing, KeyRow
from fastgw.snapshot.types import Caller, Snapshot

ISSUED = 1_000_000
COUNT = 200_000
HEAD = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer {key}\r\nx-own: 1\r\n\r\n"


def key_of(number: int) -> str:
    return f"fgw-{number:043d}"


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """One key of the file, and a million that were issued."""
    state = tmp_path_factory.mktemp("state")
    table = KeyTable()
    table.add(digest_of("fgw-of-the-file"), 0)
    return Snapshot(
        version=1, loaded_ns=0, origin_path="", keys=table, callers=[Caller("own", "default", chain=())], integrations={}, aliases={},
        resolver=lambda *asked: None, payloads=0, max_payload_bytes=0, buffer_reply_bytes=0, issued=issued(state),
        maker=CallerMaker(Config(), Ledger(state / "ledger")))  # fmt: skip


def issued(state: Path) -> KeyFile:
    entry = KeyEntry(name="app", id="k", workspace="default", chain=())
    ring = KeyRing(state)
    ring.replace_all((KeyRow(digest_of(key_of(number)), entry) for number in range(ISSUED)), ISSUED)
    ring.close()
    return KeyFile(state / KEYS)


@pytest.mark.parametrize("key", ["fgw-of-the-file", key_of(7)], ids=["file", "issued"])
def test_authenticate(benchmark: BenchmarkFixture, snapshot: Snapshot, key: str) -> None:
    """One key again and again: everything is in the nearest cache."""
    head = HEAD.format(key=key).encode()
    caller = benchmark.pedantic(_bench_authenticate, args=(snapshot, head, COUNT), rounds=7, warmup_rounds=1)  # type: ignore[no-untyped-call]
    assert caller.name == ("own" if key == "fgw-of-the-file" else "app")
    each_ns = benchmark.stats.stats.median / COUNT * 1e9  # type: ignore[union-attr]  # set once it has run
    benchmark.extra_info["ns_each"] = round(each_ns, 1)
    print(f"\nauthenticate {key[:15]}: {each_ns:.1f} ns")
