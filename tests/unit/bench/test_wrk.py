"""The generator beside wrk: both say the same of one nginx.

It answers at a rate of its own, below what a slow day leaves of a machine; at full speed bench/load/bench_harness.py compares them.
"""

import grp
import os
import pwd
import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.load.bench_harness import WIDEST, wrk_rate
from bench.peers.place import free_port
from fastgw.bench.generator import Load
from tests.patience import PATIENCE_S

REPLY = '{"usage":{"prompt_tokens":3,"completion_tokens":1}}'
REQUEST = b"GET /reply.json HTTP/1.1\r\nHost: bench\r\n\r\n"
CONNECTIONS = 16
WINDOW_S = 1         # wrk counts in whole seconds
RATE = 2000
ROUNDS, TRIES = 3, 6         # on a busy machine windows are off by chance, but not all of them
CONFIG = """
user {user} {group}; worker_processes 1; daemon off; pid {run}/nginx.pid; error_log {run}/nginx.err;
events {{ worker_connections 256; }}
http {{
  limit_req_zone $binary_remote_addr zone=all:1m rate={rate}r/s; limit_req zone=all burst={burst};
  access_log off; keepalive_requests 100000000; client_body_temp_path {run}/body;
  server {{ listen 127.0.0.1:{port}; root {run}; }}
}}
"""


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    port = free_port()
    config = tmp_path / "nginx.conf"
    (tmp_path / "reply.json").write_text(REPLY)
    user, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name     # who may read the directory
    config.write_text(CONFIG.format(run=tmp_path, port=port, rate=RATE, burst=8 * CONNECTIONS, user=user, group=group))
    with subprocess.Popen(["nginx", "-p", str(tmp_path), "-c", str(config)], stderr=subprocess.DEVNULL) as nginx:
        try:
            await_port(port)
            yield port
        finally:
            nginx.terminate()


def await_port(port: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "nginx does not listen"
            time.sleep(0.02)


def own_rate(port: int) -> float:
    load = Load(("127.0.0.1", port), socket.AF_INET, REQUEST, connections=CONNECTIONS)
    load.start(seconds=WINDOW_S)
    while load.advance(0.1):
        pass
    load.close()
    assert not load.errors and load.replies == load.sent, load.faults()
    return load.replies / (load.wall_ns / 1e9)


@pytest.mark.skipif(not (shutil.which("nginx") and shutil.which("wrk")), reason="nginx or wrk, the one beside the other, is missing")
def test_the_generator_and_wrk_agree(port: int, tmp_path: Path) -> None:
    """Within 5 % in requests/s: a generator that lost replies, waited or counted wrongly would never come near."""
    script = tmp_path / "get.lua"
    script.write_text('wrk.method = "GET"')
    seen = []
    for _ in range(TRIES):
        ratios = [own_rate(port) / wrk_rate(f"http://127.0.0.1:{port}/reply.json", script, CONNECTIONS, WINDOW_S) for _ in range(ROUNDS)]
        seen.append(statistics.median(ratios))
        if abs(seen[-1] - 1) <= WIDEST:
            return
    raise AssertionError(f"expected to be within {WIDEST:.0%} of wrk once in {TRIES} times, found {[round(one, 2) for one in seen]}")
