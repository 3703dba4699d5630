"""A million keys in the store: how long the control process takes to publish them, what it has in memory, a change until it counts.

usage: bench_control.py [--keys 1000000] [--workers 2]
"""
import argparse
import json
import os
import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path

from bench.load.bench_keys import key_of
from bench.load.rig import ROOT, children, machine, pss_mib

PORT = 19789
CHANGES = 20
CONFIG = '[gateway]\nlisten = "127.0.0.1:{port}"\nstate = "{state}"\nworkers = {workers}\nlog_level = "warning"\n'
SPEC = '{{"name":"app-{number}","workspace":"default","budgets":[{{"usd":10,"window":"month"}}],"metadata":{{"team":"team-{team}"}}}}'


class Gateway:
    """A gateway with its control plane."""

    def __init__(self, config: Path) -> None:
        began = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fastgw", "serve", "--config", str(config)], stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}, text=True)
        assert self.process.stdout is not None
        if "serves" not in self.process.stdout.readline():
            raise SystemExit("the gateway did not start")
        self.took_s = time.perf_counter() - began

    def password(self) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if "password " in line:
                return line.split("password ")[1].split(" ")[0]
        raise SystemExit("no password was told")

    def control_pid(self) -> int:
        """The process that has loaded Granian."""
        while True:
            for pid in children(self.process.pid):
                if "granian" in Path(f"/proc/{pid}/maps").read_text():
                    return pid
            time.sleep(0.1)

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()


def rows(count: int, organisation: str, workspace: str, revision: int) -> Iterator[tuple[object, ...]]:
    for number in range(count):
        spec = SPEC.format(number=number, team=number % 100)
        digest = sha256(key_of(number).encode()).digest()
        yield (f"{number:032x}", organisation, workspace, f"app-{number}", digest, "fgw-…abcd", 0, spec, 1, revision, 0, 0)


def fill(state: Path, count: int) -> None:
    """Write keys into the store, as many calls of the API would."""
    store = sqlite3.connect(state / "store.db")
    organisation, workspace = store.execute("select organisation_id, id from workspaces").fetchone()
    revision = store.execute("select revision from state").fetchone()[0] + 1
    columns = "id, organisation_id, workspace_id, name, digest, masked, removed, spec, version, revision, created_ns, updated_ns"
    with store:
        marks = ", ".join("?" * 12)
        store.executemany(f"insert into keys ({columns}) values ({marks})", rows(count, organisation, workspace, revision))
        store.execute("update state set revision = ?, keys_revision = ?", (revision, revision))
    store.close()


def published(state: Path) -> bool:
    return (state / "keys.mark").exists()


def call(method: str, path: str, body: object, fields: dict[str, str]) -> tuple[int, dict[str, str], dict[str, object]]:
    client = HTTPConnection("127.0.0.1", PORT, timeout=30)
    client.request(method, path, json.dumps(body), {"content-type": "application/json", **fields})
    reply = client.getresponse()
    answer = reply.status, {name.lower(): value for name, value in reply.getheaders()}, json.loads(reply.read() or b"{}")
    client.close()
    return answer


def changed(password: str, keys: int) -> list[float]:
    """How long each of some changes takes by API until the data plane goes by it."""
    _, fields, answer = call("POST", "/api/v1/login", {"email": "owner@localhost", "password": password}, {})
    who = {"cookie": fields["set-cookie"].partition(";")[0], "x-csrf-token": str(answer["csrf"])}
    taken = []
    for number in random.Random(4).sample(range(keys), CHANGES):
        began = time.perf_counter()
        status, _, answer = call("PATCH", f"/api/v1/keys/{number:032x}", {"enabled": False}, who)
        if status != 200:
            raise SystemExit(f"void: {answer}")
        while call("GET", "/v1/models", None, {"authorization": f"Bearer {key_of(number)}"})[0] != 403:
            time.sleep(0.005)
        taken.append(time.perf_counter() - began)
    return taken


def await_keys(state: Path) -> int:
    """Wait until all keys are published; how often the API answered meanwhile, which it does once they are."""
    answered = 0
    while not published(state):
        answered += call("GET", "/api/v1/login/options", None, {})[0] == 200
        time.sleep(0.05)
    return answered


def measure(run: Path, keys: int, workers: int) -> None:
    state, config = run / "state", run / "fastgw.toml"
    config.write_text(CONFIG.format(port=PORT, state=state, workers=workers))
    gateway = Gateway(config)
    password = gateway.password()
    gateway.end()
    began = time.perf_counter()
    fill(state, keys)
    (state / "keys.mark").unlink(missing_ok=True)
    print(f"{keys} keys written into the store in {time.perf_counter() - began:.1f} s, {(state / 'store.db').stat().st_size >> 20} MiB")
    began = time.perf_counter()
    gateway = Gateway(config)
    answered = await_keys(state)
    print(f"published {time.perf_counter() - began:.1f} s after the start, in which the API answered {answered} times")
    memory(gateway, workers, "after they were published")
    gateway.end()
    gateway = Gateway(config)
    try:
        print(f"start with them: {gateway.took_s:.2f} s")
        gateway.control_pid()
        while call("GET", "/api/v1/login/options", None, {})[0] != 200:
            time.sleep(0.05)
        taken = changed(password, keys)
        print(f"a change by API until a request is refused: median {statistics.median(taken) * 1e3:.0f} ms, most {max(taken) * 1e3:.0f} ms")
        memory(gateway, workers, "after a start with them")
    finally:
        gateway.end()


def memory(gateway: Gateway, workers: int, when: str) -> None:
    pids = children(gateway.process.pid)[:workers]
    control = [gateway.control_pid()]
    print(f"memory {when}: control process {pss_mib(control, 'Pss_Anon'):.0f} MiB of its own, {workers} workers "
          f"{pss_mib(pids, 'Pss_Anon'):.0f}; files, shared: {pss_mib([*control, *pids], 'Pss_File'):.0f}")


def main() -> int:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--keys", type=int, default=1_000_000)
    args.add_argument("--workers", type=int, default=2)
    opts = args.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as run:
        measure(Path(run), opts.keys, opts.workers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
