"""Where a peer lives and runs: its folder, its core, its port, the processes that were started for it and end with it."""
from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "build/peers"
STOP_S = 15.0


class CannotRun(Exception):
    """A peer cannot be installed or does not start; the message is one line, which stands in its row."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def on_cores(cores: set[int]) -> Iterator[None]:
    """What is started meanwhile runs there, since children inherit it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Place:
    """One peer's place.

    folder    build/peers/NAME, where it is installed; kept
    run       a directory of this start; removed at the end
    upstream  address of the mock provider, without a path
    cores     where its processes run
    binaries  by name, what the command line gave by --binary
    """

    def __init__(self, name: str, run: Path, upstream: str, cores: set[int], binaries: Mapping[str, Path]) -> None:
        self.folder, self.run, self.upstream, self.cores, self.binaries = PEERS / name, run, upstream, cores, binaries
        self.port = free_port()
        self.processes: list[subprocess.Popen[bytes]] = []

    def __repr__(self) -> str:
        return f"<Place {self.folder.name} at port {self.port}, {len(self.processes)} processes>"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def binary(self, name: str) -> Path:
        """A binary that was named on the command line; raises CannotRun where none was."""
        found = self.binaries.get(name)
        if found is None:
            raise CannotRun(f"no registry carries it: name a binary by --binary {name}=PATH")
        if not os.access(found, os.X_OK):
            raise CannotRun(f"--binary {name}={found}: expected a program that may be run")
        return found

    def install(self, *commands: list[str]) -> None:
        """Run these in the folder, once; raises CannotRun with the last line that a failing one said."""
        if (self.folder / ".installed").exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        for command in commands:
            try:
                done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
            except OSError as error:
                raise CannotRun(f"cannot install: {command[0]}: {error.strerror}") from None
            if done.returncode:
                said = (done.stderr.strip() or done.stdout.strip()).splitlines() or [f"status {done.returncode}"]
                raise CannotRun(f"cannot install: {command[0]}: {said[-1][:200]}")
        (self.folder / ".installed").touch()

    def write(self, name: str, text: str) -> Path:
        path = self.run / name
        path.write_text(text)
        return path

    def spawn(self, command: list[str], **environment: str) -> int:
        """Start a process on the peer's cores, with a home of its own and nothing of the caller's settings."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        with (self.run / "output").open("ab") as output, on_cores(self.cores):
            try:
                process = subprocess.Popen(
                    command, cwd=self.run, stdout=output, stderr=output, start_new_session=True,
                    env={**kept, "HOME": str(self.run), "NO_PROXY": "*", **environment})
            except OSError as error:
                raise CannotRun(f"does not start: {command[0]}: {error.strerror}") from None
        self.processes.append(process)
        return process.pid

    def await_http(self, path: str, *, port: int | None = None, seconds: float = 60.0) -> None:
        """Wait for any reply; raises CannotRun, with the end of what it printed, where none comes."""
        deadline = time.monotonic() + seconds
        while True:
            connection = HTTPConnection("127.0.0.1", port or self.port, timeout=5)
            try:
                connection.request("GET", path)
                connection.getresponse().read()
                return
            except (OSError, HTTPException):
                time.sleep(0.1)
            finally:
                connection.close()
            if self.processes[-1].poll() is not None or time.monotonic() > deadline:
                said = " ".join((self.run / "output").read_text(errors="replace").split())[-300:]
                raise CannotRun(f"does not start: {said or 'it prints nothing'}")

    def stop(self) -> None:
        """End what was started, last first; what outlives its parent ends with its process group."""
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in reversed(self.processes):
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


@contextmanager
def placed(name: str, upstream: str, cores: set[int], binaries: Mapping[str, Path]) -> Iterator[Place]:
    """A place from start to end."""
    with tempfile.TemporaryDirectory(prefix="fastgw-peer-") as run:
        os.chmod(run, 0o755)                    # nginx and PostgreSQL give up root, and keep files here
        place = Place(name, Path(run), upstream, cores, binaries)
        try:
            yield place
        finally:
            place.stop()
