"""The drain's process: metrics over its socket, and an end when its parent is gone."""
import http.client
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fastgw._core.ring import RingWriter
from fastgw.record.daemon import SOCKET_NAME, respond
from fastgw.record.drain import Drain
from fastgw.record.filters import Filters
from fastgw.record.query import list_records
from tests.patience import PATIENCE_S
from tests.unit.record.making import packed, wait_until
from tests.unit.record.test_record_drain import ROOT, start_drain


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE_S)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect(str(self.path))


def test_metrics_are_served_on_a_private_socket(tmp_path: Path, writer: RingWriter) -> None:
    """Two requests on one connection get the metrics; the socket is its user's alone and goes with the process."""
    with start_drain(tmp_path) as process:
        path = tmp_path / SOCKET_NAME
        wait_until(path.exists)
        assert path.stat().st_mode & 0o777 == 0o600
        connection = UnixConnection(path)
        wait_until(lambda: is_listening(path))
        for target, status in (("/metrics", 200), ("/other", 404), ("/metrics?x=1", 200)):
            connection.request("GET", target)
            response = connection.getresponse()
            body = response.read()
            assert response.status == status and (b"fastgw_worker_up" in body) == (status == 200)
        connection.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    assert not path.exists()


def is_listening(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


@pytest.mark.parametrize("head, status, keep_alive", [
    (b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n", 200, True),
    (b"GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n", 200, False),
    (b"GET /metrics HTTP/1.0\r\n\r\n", 200, False),
    (b"HEAD /metrics HTTP/1.1\r\n\r\n", 200, True),
    (b"GET /logs HTTP/1.1\r\n\r\n", 404, True),
    (b"POST /metrics HTTP/1.1\r\ncontent-length: 0\r\n\r\n", 405, True),
    (b"GET /metrics HTTP/1.1\r\ncontent-length: 5\r\n\r\n", 400, False),
    (b"GET /metrics HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", 400, False),
    (b"nonsense\r\n\r\n", 400, False),
])
def test_answers_are_plain_http(head: bytes, status: int, keep_alive: bool) -> None:
    """Each answer has its status, its length, and says whether the connection stays."""
    answer, stays = respond(head, Drain([], []))
    top, _, body = answer.partition(b"\r\n\r\n")
    assert top.startswith(b"HTTP/1.1 %d " % status) and stays is keep_alive
    assert (b"connection: keep-alive" in top) is keep_alive
    length = int(top.split(b"content-length: ")[1].split(b"\r\n")[0])
    assert length > 0 and body == b"" if head.startswith(b"HEAD") else length == len(body)


PARENT = """
import os, sys
from pathlib import Path
from fastgw.record.daemon import run_drain
from fastgw.record.options import DrainOptions
state = Path(sys.argv[1])
parent = os.getpid()
if os.fork() == 0:
    (state / "pid").write_text(str(os.getpid()))
    os._exit(run_drain(DrainOptions(rings=(state / "ring-0",), state=state, parent_pid=parent)))
sys.stdin.read()
os._exit(0)
"""


def test_orphaned_drain_reads_out_and_ends(tmp_path: Path, writer: RingWriter) -> None:
    """When the parent is killed, what is in the rings still gets to the log, and the process goes."""
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdin=subprocess.PIPE, cwd=ROOT) as parent:
        wait_until((tmp_path / SOCKET_NAME).exists)
        parent.kill()
    writer.push_packed(packed(input_tokens=1))
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: not is_running(pid))
    assert len(list_records(tmp_path / "logs.db", Filters())) == 1


def is_running(pid: int) -> bool:
    """False once the process has ended, waited for by somebody or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except FileNotFoundError:
        return False


def test_long_socket_path_costs_only_the_metrics(tmp_path: Path) -> None:
    """Where the socket cannot be made the records go on."""
    state = tmp_path / ("d" * 120)
    state.mkdir()
    writer = RingWriter(state / "ring-0", 1 << 16)
    with start_drain(state) as process:
        writer.push_packed(packed())
        wait_until((state / "logs.db").exists)
        wait_until(lambda: has_one(state / "logs.db"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    writer.close()


def has_one(log: Path) -> bool:
    try:
        return len(list_records(log, Filters())) == 1
    except Exception:        # not made yet
        return False
