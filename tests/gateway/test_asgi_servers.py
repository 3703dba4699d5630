"""The application under servers of others, and Granian under our supervisor: TLS, HTTP/2, workers, an orderly end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.fakes.framing import FramingError
from tests.fakes.raw_client import RawClient
from tests.fakes.script import Gate, chunk, close, head, json_reply, pause, send
from tests.fakes.upstream import SSE_FIELDS, Upstream
from tests.gateway.lane_gateway import REPLY, chat, config, get
from tests.gateway.running import KEY, ROOT, RunningGateway
from tests.patience import PATIENCE_S

COMMANDS = {
    "uvicorn": ["uvicorn", "--log-level", "warning", "fastgw.asgi:app"],
    "uvicorn, two processes": ["uvicorn", "--workers", "2", "--log-level", "warning", "fastgw.asgi:app"],
    "granian": ["granian", "--interface", "asgi", "--workers", "2", "--no-ws", "fastgw.asgi:app"],
}
ROUTES = {
    "/v1/cut": [send(head(200, [("transfer-encoding", "chunked")]) + chunk(b"some")), close()],
    "/v1/stream": [send(head(200, [*SSE_FIELDS, ("transfer-encoding", "chunked")]) + chunk(b"data: 1\n\n")), close()],
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(json_reply(REPLY), routes=ROUTES) as running:
        yield running


@contextmanager
def under(command: list[str], directory: Path, url: str) -> Iterator[str]:
    """The application under another server, in a process group of its own."""
    path = directory / "fastgw.toml"
    path.write_text(config(url, f'[gateway]\nstate = "{directory / "state"}"\n[gateway.record.jsonl]\n'
                                f'path = "{directory / "records.jsonl"}"\n'))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", *command, "--port", str(port)], cwd=directory, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "FASTGW_CONFIG": str(path)}, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                with RawClient(address) as client:
                    client.send(get("/healthz"))
                    assert client.read_response().status == 200
                    break
            except OSError:
                assert time.monotonic() < deadline and process.poll() is None
                time.sleep(0.05)
        yield address
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(PATIENCE_S)


def rows_of(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / "records.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("name", COMMANDS)
def test_other_servers_run_it(upstream: Upstream, tmp_path: Path, name: str) -> None:
    """Each serves, in one process or in some that share a state directory; every exchange has its record once the server has ended."""
    with under(COMMANDS[name], tmp_path, upstream.url) as url:
        for number in range(30):
            with RawClient(url) as client:
                client.send(chat(f"t{number}"))
                assert client.read_response("POST").status == 200
        if name.startswith("uvicorn"):      # Granian by its own command ends it in good order: see docs/asgi.md
            with RawClient(url) as client, pytest.raises(FramingError):
                client.send(get("/v1/cut"))
                client.read_response()
    rows = [row for row in rows_of(tmp_path) if row["trace_id"].startswith("t")]
    assert len(rows) == 30 and {row["status"] for row in rows} == {200}


@pytest.fixture(scope="module")
def secured(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Granian with TLS under our supervisor, and who signed its certificate."""
    directory = tmp_path_factory.mktemp("granian")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    certificate.private_key_pem.write_to_path(str(directory / "key.pem"))
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(str(directory / "cert.pem"), append=True)
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    text = config(upstream.url, f'[gateway.tls]\ncert = "{directory}/cert.pem"\nkey = "{directory}/key.pem"\n')
    with RunningGateway(directory, text, workers=2, options=["--server", "granian", "--granian", "runtime-threads=2"]) as running:
        yield running.address, directory


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_granian_speaks_both_versions_over_tls(secured: tuple[str, Path], version: str) -> None:
    """By the certificate of the configuration, and by what the client offers; with as many workers as asked for."""
    url, directory = secured
    said = subprocess.run(
        ["curl", "-sS", f"--http{version}", "--cacert", str(directory / "ca.pem"), "-w", "%{http_version} %{http_code}", "-o", "/dev/null",
         f"{url}/v1/chat/completions", "-H", f"authorization: Bearer {KEY}", "-H", "content-type: application/json",
         "-d", '{"model":"m","messages":[]}'], capture_output=True, text=True)
    assert said.stdout == f"{version} 200", said


def test_under_granian_a_reply_that_broke_is_seen_to_have(upstream: Upstream, tmp_path: Path) -> None:
    """Granian would end it in good order: the connection is shut instead, after what had come, and no descriptor is lost by it."""
    with RunningGateway(tmp_path, config(upstream.url), options=["--server", "granian"]) as gateway:
        descriptors = Path(f"/proc/{gateway.worker_pids()[0]}/fd")

        def cut_off(path: str) -> bytes:
            with RawClient(gateway.address) as client:
                client.send(get(path))
                got = client.read_until_close()
            assert b"HTTP/1.1 200 " in got and not got.endswith(b"0\r\n\r\n"), got
            return got

        cut_off("/v1/cut")
        before = len(list(descriptors.iterdir()))
        for _ in range(10):
            assert b"some" in cut_off("/v1/cut")
        assert b"data: 1\n\n" in cut_off("/v1/stream")
        assert len(list(descriptors.iterdir())) <= before + 2


def test_an_http2_connection_that_ends_ends_all_its_requests(tmp_path: Path) -> None:
    """Three requests that await their replies on one connection are cancelled at the provider, and recorded so, when it closes."""
    h2 = pytest.importorskip("h2.connection", reason="h2 is in the extra `test`")
    gate = Gate()
    with Upstream([pause(gate)]) as waiting, RunningGateway(tmp_path, config(waiting.url), options=["--server", "granian"]) as gateway:
        speaker = h2.H2Connection()
        speaker.initiate_connection()
        with RawClient(gateway.address) as client:
            for stream in (1, 3, 5):
                speaker.send_headers(stream, [(":method", "GET"), (":scheme", "http"), (":path", "/v1/x"), (":authority", "test"),
                                              ("authorization", f"Bearer {KEY}")], end_stream=True)
            client.send(speaker.data_to_send())
            waiting.wait(3)
        rows = gateway.records(3)
        assert [(row["outcome"], row["error"]) for row in rows] == [("cancelled", "client_gone")] * 3
        assert all(received.connection.closed.wait(PATIENCE_S) for received in waiting.received)
        gate.release()
