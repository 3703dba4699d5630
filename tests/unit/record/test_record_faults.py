"""The log through kill -9, a full disk and files of earlier releases: exact, sound, and told."""
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fastgw._core.ring import RingWriter
from fastgw.record.analytics import groups, summary
from fastgw.record.drain import Drain
from fastgw.record.exporters import Batch
from fastgw.record.exporters.sqlite import SqliteLog
from fastgw.record.exposition import Exposition, metrics_text
from fastgw.record.filters import Filters
from fastgw.record.query import list_page
from fastgw.record.schema import MIGRATIONS, SCHEMA_VERSION
from tests.oracles.cube import summed
from tests.patience import PATIENCE_S
from tests.unit.record.making import packed, record_of, wait_until
from tests.unit.record.test_record_analytics import many, placed, same
from tests.unit.record.test_record_sqlite import make_version_1

ROOT = Path(__file__).parents[3]

DRAINING = """
import sys
from pathlib import Path
from fastgw.record import rollups
from fastgw.record.daemon import run_drain
from fastgw.record.options import DrainOptions
rollups.FLUSH_RECORDS = 100
state = Path(sys.argv[1])
run_drain(DrainOptions(rings=(state / "ring-0",), state=state, prometheus=False))
"""


def start_drain(state: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", DRAINING, str(state)], cwd=ROOT)


def test_killed_drain_leaves_sums_of_just_the_records(tmp_path: Path) -> None:
    """After kill -9 at any moment sums, index and blocks are those of the records in the file, each record once."""
    writer = RingWriter(tmp_path / "ring-0", 16 << 20)     # never half full: nothing is given back before it is kept
    dice, pushed = random.Random(1), 0
    for _ in range(6):
        drain = start_drain(tmp_path)
        until = time.monotonic() + 0.6 + dice.random()
        while time.monotonic() < until:
            assert writer.push_packed(packed(input_tokens=pushed, status=dice.choice([200, 503])), b"number%d" % pushed) == 2
            pushed += 1
            time.sleep(0.001)
        drain.send_signal(signal.SIGKILL)
        drain.wait()
        check_log(tmp_path / "logs.db")
    drain = start_drain(tmp_path)
    wait_until(lambda: summary(tmp_path / "logs.db", Filters()).requests == pushed)
    drain.terminate()
    assert drain.wait(PATIENCE_S) == 0
    check_log(tmp_path / "logs.db")
    found = [one.record.input_tokens for one in list_page(tmp_path / "logs.db", Filters(limit=10_000)).records]
    assert found == list(range(pushed - 1, -1, -1))
    writer.close()


def check_log(path: Path) -> None:
    """Hold sums and index to the records that are there."""
    records = placed(path) if path.exists() else []
    if records:
        assert same(summary(path, Filters()), summed(records, lambda r: ())[()])
        latest = next(one for one in list_page(path, Filters(payloads=True, limit=10_000)).records if one.record.request)
        assert list_page(path, Filters(text=latest.record.request, payloads=True)).records[0] == latest


def soft_limit(size_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))


FULL_DISK = """
import sys
from pathlib import Path
from tests.unit.record.test_record_faults import fill_and_free
fill_and_free(Path(sys.argv[1]))
"""


def fill_and_free(state: Path) -> None:
    """A drain whose files can grow no more for a while, as on a disk that is full; runs in a process of its own."""
    writer = RingWriter(state / "ring-0", 1 << 20)
    log = SqliteLog(state / "logs.db")
    drain = Drain([state / "ring-0"], [log], queue_records=3000)
    (feed,) = drain.feeds
    drain.start()
    payload = os.urandom(500).hex().encode()
    for _ in range(200):
        assert writer.push_packed(packed(), payload) == 2
    wait_until(lambda: feed.exported_records == 200)
    soft_limit(max((state / name).stat().st_size for name in ("logs.db", "logs.db-wal")) + 50_000)
    pushed = 200
    while feed.dropped_records == 0:
        pushed += writer.push_packed(packed(), payload) > 0    # never waits, whatever the disk does
        time.sleep(0.0002)
    text = metrics_text(Exposition(drain)).decode()
    assert 'fastgw_exporter_up{exporter="sqlite"} 0.0' in text
    assert 'fastgw_exporter_dropped_records_total{exporter="sqlite"} 0.0' not in text
    assert integrity(state / "logs.db") == "ok"
    check_log(state / "logs.db")
    soft_limit(resource.RLIM_INFINITY)
    writer.push_packed(packed(key="last"))
    wait_until(lambda: len(list_page(state / "logs.db", Filters(key="last")).records) == 1, PATIENCE_S)
    assert drain.stop() and 'fastgw_exporter_up{exporter="sqlite"} 1.0' in metrics_text(Exposition(drain)).decode()
    kept = summary(state / "logs.db", Filters()).requests
    assert kept == feed.exported_records and kept + feed.dropped_records == pushed + 1
    assert integrity(state / "logs.db") == "ok"
    check_log(state / "logs.db")


def integrity(path: Path) -> str:
    connection = sqlite3.connect(path)
    told = str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    connection.close()
    return told


def test_full_disk_is_told_and_survived(tmp_path: Path) -> None:
    """While nothing can be written workers go on, metrics say so, what is lost is counted; with room again the log goes on, sound."""
    run = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("version", [1, 2])
def test_earlier_log_gets_sums_and_search(tmp_path: Path, version: int) -> None:
    """A file of each earlier schema is answered from its records as it is, and once opened has sums of all of them."""
    path = tmp_path / "logs.db"
    before = many(250)
    for record in before:
        record.detail, record.cache, record.saved_nano_usd, record.retries = None, "", 0, 0
    before[1].request = "in"
    make_version_1(path, before)
    if version == 2:
        connection = sqlite3.connect(path)
        names = "".join(f"\nkey=k{at}\n" for at in range(5))
        connection.executescript(f"{MIGRATIONS[1]} PRAGMA user_version = 2")
        connection.execute("INSERT INTO blocks VALUES (1, ?, ?)", (before[99].recorded_ns, names))
        connection.execute("UPDATE payloads SET request = 'an old payload'")
        connection.commit()
        connection.close()
    expected = summed(placed(path), lambda r: (r.model,))
    for _ in range(2):
        assert {(group.name,) for group in groups(path, Filters(), "model").groups} == set(expected)
        assert all(same(group.measures, expected[(group.name,)]) for group in groups(path, Filters(), "model").groups)
        assert len(list_page(path, Filters(text="in" if version == 1 else "old pay", provider="openai")).records) >= 1
        log = SqliteLog(path, retention_days=3660)
        log.open()
        log.close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION
    assert connection.execute("SELECT count(*) FROM rollups").fetchone()[0] > 100
    connection.close()
    log.export(Batch([record_of(id="later", started_ns=time.time_ns(), request="a later payload")], {}, 0))
    log.close()
    assert [one.record.id for one in list_page(path, Filters(text="later pay")).records] == ["later"]
    assert summary(path, Filters()).requests == 251
