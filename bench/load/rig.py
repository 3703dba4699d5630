"""Start what a load bench needs: nginx as mock and as reference proxy, an SSE mock, and the gateway with everything on.

Everything listens on loopback, in a directory that is removed at the end, and ends with the bench.
"""
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEY = "fgw-bench-0123456789abcdef0123456789abcdef"
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
MOCK, PROXY, SSE, GATEWAY = 19001, 19002, 19003, 19787

REPLY = {
    "id": "chatcmpl-bench", "object": "chat.completion", "created": 1741569952, "model": "gpt-4.1-2025-04-14",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello! How can I assist you today?", "refusal": None},
                 "logprobs": None, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29,
              "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
              "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0}}, "service_tier": "default",
}
CLAUDE = {
    "id": "msg_bench", "type": "message", "role": "assistant", "model": "claude-sonnet-4-6", "stop_reason": "end_turn",
    "stop_sequence": None,
    "content": [{"type": "text", "text": "Hello! How can I assist you today? " * 12}],
    "usage": {"input_tokens": 19, "output_tokens": 10, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0},
}
LONG = {**REPLY, "choices": [{**REPLY["choices"][0], "message": {  # type: ignore[index]
    "role": "assistant", "content": "Hello! How can I assist you today? " * 12, "refusal": None}}]}
NGINX = """
worker_processes 1; daemon off; pid {run}/{name}.pid; error_log {run}/{name}.err;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 100000000; client_max_body_size 64m; client_body_buffer_size 1m;
  client_body_temp_path {run}/{name}-body; proxy_temp_path {run}/{name}-proxy;
  {http}
}}
"""
MOCK_HTTP = """server {{ listen 127.0.0.1:{mock} reuseport; default_type application/json;
  location / {{ return 200 '{reply}'; }} location /long/ {{ return 200 '{long}'; }} location /v1/messages {{ return 200 '{claude}'; }} }}"""
PROXY_HTTP = """upstream mock {{ server 127.0.0.1:{mock}; keepalive 512; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{proxy} reuseport; location / {{
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Authorization "Bearer sk-upstream";
    proxy_pass http://mock; }} }}"""
CONFIG = """
[gateway]
listen = "127.0.0.1:{gateway}"
state = "{run}/state"
workers = {workers}
[gateway.record.jsonl]
path = "{run}/records.jsonl"
rotate_bytes = 67108864
keep = 1
[integrations.mock]
provider = "openai"
base_url = "http://127.0.0.1:{mock}/v1"
api_key = "sk-upstream"
max_connections = 1024
[integrations.sse]
provider = "openai"
base_url = "http://127.0.0.1:{sse}/v1"
api_key = "sk-upstream"
max_connections = 1024
[integrations.long]
provider = "openai"
base_url = "http://127.0.0.1:{mock}/long/v1"
api_key = "sk-upstream"
[integrations.claude]
provider = "anthropic"
base_url = "http://127.0.0.1:{mock}/v1"
api_key = "sk-upstream"
[integrations.claude-sse]
provider = "anthropic"
base_url = "http://127.0.0.1:{sse}/v1"
api_key = "sk-upstream"
[models.long]
targets = [{{ integration = "long", model = "gpt-4.1" }}]
[models.claude]
targets = [{{ integration = "claude", model = "claude-sonnet-4-6" }}]
[models.claude-stream]
targets = [{{ integration = "claude-sse", model = "claude-sonnet-4-6" }}]
[models."gpt-4.1"]
targets = [{{ integration = "mock", model = "gpt-4.1" }}]
[models.stream]
targets = [{{ integration = "sse", model = "gpt-4.1" }}]
[workspaces.default]
budget = {{ usd = 1000000000.0, window = "month" }}
rate = {{ requests_per_minute = 600000000, tokens_per_minute = 600000000000 }}
[[keys]]
name = "bench"
key = "{key}"
budget = {{ usd = 1000000000.0, window = "total" }}
rate = {{ requests_per_minute = 600000000, tokens_per_minute = 600000000000 }}
"""


class Rig:
    """The running servers: their addresses and process ids."""

    def __init__(self, run: Path, workers: int = 1, python: str | None = None) -> None:
        self.run = run
        self.python = python
        self.processes: list[subprocess.Popen[bytes]] = []
        self.workers = workers
        self.mock = f"http://127.0.0.1:{MOCK}/v1/chat/completions"
        self.proxy = f"http://127.0.0.1:{PROXY}/v1/chat/completions"
        self.sse = f"http://127.0.0.1:{SSE}/v1/chat/completions"
        self.gateway = f"http://127.0.0.1:{GATEWAY}/v1/chat/completions"

    def __repr__(self) -> str:
        return f"<Rig in {self.run}, {len(self.processes)} processes>"

    def start_mock(self) -> None:
        self.mock_pid = self._nginx("mock", MOCK_HTTP.format(
            mock=MOCK, reply=json.dumps(REPLY), long=json.dumps(LONG), claude=json.dumps(CLAUDE)))
        self._await(MOCK)

    def start(self) -> None:
        self.start_mock()
        self.proxy_pid = self._nginx("proxy", PROXY_HTTP.format(mock=MOCK, proxy=PROXY))
        self._spawn([sys.executable, str(ROOT / "bench/load/sse_mock.py"), str(SSE)])
        for port in (PROXY, SSE):
            self._await(port)
        # another interpreter has a fastgw of its own, and must not find this one
        self.gateway_pid, self.worker_pids = self.start_gateway(self.run, GATEWAY, str(ROOT) if self.python is None else "")

    def start_gateway(self, run: Path, port: int, place: str) -> tuple[int, list[int]]:
        """Another gateway before the same mocks, with its state in `run` and its code from `place`: its process and its workers."""
        config = run / "fastgw.toml"
        config.write_text(CONFIG.format(run=run, mock=MOCK, sse=SSE, gateway=port, key=KEY, workers=self.workers))
        pid = self._spawn([self.python or sys.executable, "-m", "fastgw", "serve", "--config", str(config)], place)
        self._await(port)
        return pid, children(pid)[: self.workers]

    def _nginx(self, name: str, http: str) -> int:
        path = self.run / f"{name}.conf"
        path.write_text(NGINX.format(run=self.run, name=name, http=http))
        return self._spawn(["nginx", "-p", str(self.run), "-c", str(path)])

    def _spawn(self, command: list[str], place: str = str(ROOT)) -> int:
        with (self.run / "output").open("ab") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=output, env={**os.environ, "PYTHONPATH": place}, cwd=place or self.run)
        self.processes.append(process)
        return process.pid

    def _await(self, port: int) -> None:
        deadline = time.monotonic() + 20
        while True:
            try:
                connection = HTTPConnection("127.0.0.1", port, timeout=2)
                connection.request("GET", "/healthz")
                connection.getresponse().read()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise SystemExit(f"nothing listens on {port}: {(self.run / 'output').read_text()[-2000:]}") from None
                time.sleep(0.05)

    def stop(self) -> None:
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        # the gateway first: what it waits for must still be there
        for process in self.processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()

    def dropped(self) -> dict[str, float]:
        """What the gateway's own metrics say was lost."""
        connection = HTTPConnection("127.0.0.1", GATEWAY, timeout=5)
        connection.request("GET", "/metrics")
        lost: dict[str, float] = {}
        for line in connection.getresponse().read().decode().splitlines():
            if "dropped" in line and not line.startswith("#"):
                lost[line.rsplit(" ", 1)[0]] = float(line.rsplit(" ", 1)[1])
        return lost


@contextmanager
def running(workers: int = 1, *, only_mock: bool = False, python: str | None = None) -> Iterator[Rig]:
    """A rig from start to end.

    python   an interpreter that has fastgw installed, to measure that one
    """
    for tool in ("nginx", "wrk"):
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is missing; on Debian and Ubuntu: apt-get install nginx-light wrk")
    with tempfile.TemporaryDirectory(prefix="fastgw-bench-") as run:
        os.chmod(run, 0o755)                    # nginx gives up root, and keeps large bodies in files here
        rig = Rig(Path(run), workers, python)
        try:
            if only_mock:
                rig.start_mock()
            else:
                rig.start()
            yield rig
        finally:
            rig.stop()


def children(pid: int) -> list[int]:
    """The child processes, oldest first."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def tree(pid: int) -> list[int]:
    """The process and all its descendants."""
    found = [pid]
    for child in children(pid):
        found += tree(child)
    return found


def cpu_s(pids: list[int]) -> float:
    """User and system time so far."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total * TICK_S


def pss_mib(pids: list[int], kind: str = "Pss") -> float:
    """Proportional set size; kind: Pss_Anon what is the processes' own, Pss_File what is mapped from files."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(f"{kind}:"):
                total += int(line.split()[1])
    return total / 1024


def chat_body(content_bytes: int = 0, **more: object) -> bytes:
    """A chat request; content_bytes of user text, or the usual 0.4 KB."""
    text = ("Hello! Please summarise the following paragraph in one sentence: The quick brown fox jumps over the lazy dog, and the dog, "
            "being lazy, does not react at all to the fox. ")
    if content_bytes:
        text = (text * (content_bytes // len(text) + 1))[:content_bytes]
    return json.dumps({"model": "gpt-4.1", "messages": [{"role": "system", "content": "You are a helpful assistant."},
                                                        {"role": "user", "content": text}],
                       "temperature": 0.7, "max_tokens": 256, **more}).encode()


def machine() -> str:
    """What the figures were measured on."""
    rows = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((row.split(":")[1].strip() for row in rows if row.startswith("model name")), "?")
    return f"{os.cpu_count()} x {model}, Linux {platform.release()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
