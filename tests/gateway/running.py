"""Run a real gateway for a test: the command line, a supervisor, workers and a drain, on a free port and in a directory of its own."""
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.fakes.h2_bridge import H2Bridge
from tests.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
KEY = "fgw-test-0123456789abcdef0123456789abcdef"
START_SECONDS = 60.0
# What all gateways of a run are reached by: nothing is the lane; "http1" and "http2" are Granian's (see test_under_granian).
SERVER = os.environ.get("FASTGW_TEST_SERVER", "")


class RunningGateway:
    """A gateway in processes of its own.

    config   TOML; [gateway] may be left out, and {port} is not needed: a free port is taken
    records  read from the JSON lines that the drain writes
    """

    def __init__(
        self, directory: Path, config: str, *, workers: int = 1, environ: dict[str, str] | None = None, control: bool = False,
        options: Sequence[str] = (),
    ) -> None:
        self.directory = directory
        self.config_path = directory / "fastgw.toml"
        self.state = directory / "state"
        self.lines_path = directory / "records.jsonl"
        self.log_path = directory / "gateway.log"
        self.workers = workers
        self.control = control
        self.options = [*(["--server", "granian"] if SERVER else []), *options]
        self.environ = environ or {}
        self.url = self.address = ""
        self.bridge: H2Bridge | None = None
        self.write_config(config)
        self.start()

    def write_config(self, config: str) -> None:
        """Put a configuration in place at once, as a careful editor would."""
        if "[gateway.record.jsonl]" not in config:
            config += f'\n[gateway.record.jsonl]\npath = "{self.lines_path}"\n'
        draft = self.config_path.with_suffix(".new")
        draft.write_text(config)
        draft.rename(self.config_path)

    def start(self) -> None:
        listen = self.address.rpartition("//")[2] or "127.0.0.1:0"
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **self.environ}
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "fastgw", "serve", "--config", str(self.config_path), "--listen", listen,
                 "--state", str(self.state), "--workers", str(self.workers), "--control" if self.control else "--no-control",
                 *self.options],
                stdout=subprocess.PIPE, stderr=log, env=environ, start_new_session=True, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if "serves" not in line:
            self.process.wait(PATIENCE_S)
            self.process.stdout.close()
            raise AssertionError(f"the gateway did not start: {line}{self.log_path.read_text()}")
        self.url = self.address = line.split("serves ")[1].split(" ")[0]
        if SERVER == "http2":
            self.bridge = self.bridge or H2Bridge(self.address)
            self.url = self.bridge.url
        self.wait_until(lambda: self.ready() == self.workers, f"{self.workers} workers", START_SECONDS)
        # on a busy machine it starts after the workers, and /metrics is its own
        self.wait_until((self.state / "drain.sock").exists, "the drain", START_SECONDS)

    def ready(self) -> int:
        """How many workers accept connections: listening sockets of this port."""
        port = f":{int(self.address.rpartition(':')[2]):04X} "
        tables = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
        return sum(1 for row in tables.splitlines() if port in row and " 0A " in row and row.split()[1].endswith(port.strip()))

    def worker_pids(self) -> list[int]:
        """The workers' process ids, in their order."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children][: self.workers]

    def records(self, at_least: int = 0, timeout_s: float = PATIENCE_S) -> list[dict[str, Any]]:
        """All records so far, oldest first, once there are at least so many."""
        self.wait_until(lambda: len(self._lines()) >= at_least, f"{at_least} records", timeout_s)
        return self._lines()

    def _lines(self) -> list[dict[str, Any]]:
        if not self.lines_path.exists():
            return []
        return [json.loads(line) for line in self.lines_path.read_text().splitlines() if line.endswith("}")]

    def log(self) -> str:
        return self.log_path.read_text()

    def wait_until(self, is_true: Any, what: str, timeout_s: float = PATIENCE_S) -> None:
        deadline = time.monotonic() + timeout_s
        while not is_true():
            if time.monotonic() > deadline:
                raise AssertionError(f"expected {what} within {timeout_s} s; records: {self._lines()[-5:]}; log: {self.log()[-3000:]}")
            time.sleep(0.01)

    def kill_everything(self) -> None:
        """SIGKILL to every process of the gateway at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)
        if self.process.stdout:
            self.process.stdout.close()
        self.wait_until(lambda: self.ready() == 0, "no listener")

    def stop(self) -> int:
        """SIGTERM, then the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(40)
        finally:
            if self.process.poll() is None:
                self.kill_everything()

    def restart(self) -> None:
        """Stop, and start again at the same address."""
        self.stop()
        if self.process.stdout:
            self.process.stdout.close()
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        if self.bridge:
            self.bridge.close()
        if self.process.stdout:
            self.process.stdout.close()
