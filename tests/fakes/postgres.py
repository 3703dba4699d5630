"""PostgreSQL from the wheel's own binaries: a server of the tests' own, in a temporary directory, on a Unix socket."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg

START_SECONDS = 90.0
STOP_SECONDS = 20.0
OWNER = "nobody"  # runs the server where the tests run as root, whom it refuses
# Waits for the end of its input, which comes when the tests are killed: then it ends the server in their place.
GUARD = 'read _; kill -QUIT "$1"; rm -rf "$2"'
# A crash of the machine may take the data, and nothing waits for a disk.
SETTINGS = (
    "fsync=off", "synchronous_commit=off", "full_page_writes=off", "listen_addresses=", "max_connections=200", "shared_buffers=32MB",
)  # fmt: skip


class Postgres:
    """A server in a process of its own; a context manager."""

    def __init__(self) -> None:
        found = importlib.util.find_spec("pgserver")
        assert found is not None and found.origin, "pgserver, whose wheel carries PostgreSQL, is not installed"
        self.package = Path(found.origin).parent
        # a socket's path has at most 107 bytes, which the directories of pytest may exceed
        self.directory = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp" if os.path.isdir("/tmp") else None))
        self.data = self.directory / "data"
        self.log = self.directory / "log"
        self.user = OWNER if os.geteuid() == 0 else None

    def __repr__(self) -> str:
        return f"<Postgres in {self.directory}>"

    def __enter__(self) -> Postgres:
        try:
            if self.user is not None:
                # what is below a home of root's is closed to others
                for part in ("pgserver/pginstall", "pgserver.libs"):
                    shutil.copytree(self.package.parent / part, self.directory / part)
                self.package = self.directory / "pgserver"
                shutil.chown(self.directory, self.user)
            self._initialise()
            self.start()
        except BaseException:
            shutil.rmtree(self.directory)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop(signal.SIGQUIT, signal.SIGKILL)  # what it would write before an orderly end is removed anyway
        shutil.rmtree(self.directory)

    def stop(self, *hows: signal.Signals) -> None:
        """End connections; where that takes too long, end at once."""
        with self.guard:  # closes its input, once it is gone
            self.guard.kill()
        for how in hows or (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            self.process.send_signal(how)
            try:
                self.process.wait(STOP_SECONDS)
                return
            except subprocess.TimeoutExpired:
                continue

    def _initialise(self) -> None:
        options = ["-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync", "--no-instructions"]
        made = subprocess.run(
            [self._command("initdb"), *options], user=self.user, cwd=self.directory, capture_output=True, text=True, timeout=START_SECONDS
        )
        assert made.returncode == 0, f"initdb: {made.stdout[-1000:]}{made.stderr[-1000:]}"

    def start(self) -> None:
        """Begin, or begin again over the same data."""
        options = [part for setting in (*SETTINGS, f"unix_socket_directories={self.directory}") for part in ("-c", setting)]
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [self._command("postgres"), "-D", str(self.data), *options],
                user=self.user, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        guard = ["sh", "-c", GUARD, "sh", str(self.process.pid), str(self.directory)]
        nowhere = subprocess.DEVNULL
        self.guard = subprocess.Popen(guard, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere, start_new_session=True)
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            has_ended = self.process.poll() is not None
            if has_ended or time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"PostgreSQL did not start: {self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)

    def _is_ready(self) -> bool:
        """Whether it says so itself, in the eighth line of its file: then it takes connections."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready"

    def _command(self, name: str) -> str:
        return str(self.package / "pginstall/bin" / name)

    def make_database(self) -> str:
        """The URL of a database of its own, empty."""
        name = f"t{uuid4().hex}"

        self.execute(f"CREATE DATABASE {name}")
        return f"postgresql://postgres@/{name}?host={self.directory}"

    def execute(self, statements: str, url: str = "") -> None:
        """Carry out SQL in the database at a URL."""

        async def run() -> None:
            name = urlsplit(url).path[1:] or "postgres"
            connection = await asyncpg.connect(host=str(self.directory), user="postgres", database=name, timeout=START_SECONDS)
            try:
                await connection.execute(statements)
            finally:
                await connection.close()

        asyncio.run(run())
