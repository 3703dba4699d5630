"""A million issued keys: how long they take to publish and to start with, what a worker has of them in memory, a change until it counts.

usage: bench_keys.py [--keys 1000000] [--workers 2]
"""
import argparse
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path

from bench.load.rig import ROOT, children, machine, pss_mib
from fastgw._core.ledger import Ledger
from fastgw.snapshot.keyring import KEYS, KeyEntry, KeyRing, KeyRow

PORT = 19788
ASKED = 20_000
CHANGES = 200
CONFIG = '[gateway]\nlisten = "127.0.0.1:{port}"\nstate = "{state}"\nworkers = {workers}\n[workspaces.default]\n'


def key_of(number: int) -> str:
    return f"fgw-bench-{number:038d}"


def entry_of(number: int, account: int) -> KeyEntry:
    """A key as a store would have it."""
    return KeyEntry(
        name=f"app-{number}", id=f"{number:032x}", workspace="default", organisation="bench", user=f"user-{number % 1000}",
        models=("gpt-4.1", "claude-sonnet-4-6"), metadata={"team": f"team-{number % 100}", "cost-center": "4711"},
        chain=((account, "workspace 'default'"), (account, f"key 'app-{number}'")))  # fmt: skip


def rows(count: int, account: int) -> Iterator[KeyRow]:
    for number in range(count):
        yield KeyRow(sha256(key_of(number).encode()).digest(), entry_of(number, account))


def ask(client: HTTPConnection, number: int) -> int:
    """Ask for the list of models, which asks for nothing but the caller and its accounts."""
    client.request("GET", "/v1/models?x", headers={"authorization": f"Bearer {key_of(number)}"})
    reply = client.getresponse()
    reply.read()
    return reply.status


def start(config: Path) -> tuple[subprocess.Popen[bytes], float]:
    """Start a gateway; return it and the seconds until all its workers accept."""
    started = time.perf_counter()
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    gateway = subprocess.Popen([sys.executable, "-m", "fastgw", "serve", "--config", str(config)], stdout=subprocess.PIPE, env=environ)
    assert gateway.stdout is not None
    if b"serves" not in gateway.stdout.readline():
        raise SystemExit("the gateway did not start")
    return gateway, time.perf_counter() - started


def measure(run: Path, keys: int, workers: int) -> None:
    state, config = run / "state", run / "fastgw.toml"
    state.mkdir(mode=0o700)
    config.write_text(CONFIG.format(port=PORT, state=state, workers=workers))
    gateway, without_s = start(config)
    end(gateway)
    account = Ledger(state / "ledger").define("workspace:default")
    ring, began = KeyRing(state), time.perf_counter()
    ring.replace_all(rows(keys, account))
    print(f"{keys} keys published in {time.perf_counter() - began:.2f} s, {(state / KEYS).stat().st_size >> 20} MiB long")
    gateway, with_s = start(config)
    try:
        print(f"start: {without_s:.2f} s without keys, {with_s:.2f} s with them")
        pids = children(gateway.pid)[:workers]
        idle = pss_mib(pids, "Pss_Anon")
        client = HTTPConnection("127.0.0.1", PORT)
        if {ask(client, number) for number in random.Random(3).sample(range(keys), min(ASKED, keys))} != {200}:
            raise SystemExit("void: a key was refused")
        print(f"own memory of {workers} workers: {idle:.1f} MiB, {pss_mib(pids, 'Pss_Anon'):.1f} after {ASKED} keys were used once at one "
              f"of them; {pss_mib(pids, 'Pss_File'):.1f} of files, the key file among them, shared by all")
        taken: list[float] = []
        for number in random.Random(4).sample(range(keys), CHANGES):
            digest = sha256(key_of(number).encode()).digest()
            began = time.perf_counter()
            ring.remove(digest)
            if ask(client, number) != 401:
                raise SystemExit("void: a revoked key was served")
            taken.append(time.perf_counter() - began)
        print(f"revocation until a request is refused: median {statistics.median(taken) * 1e3:.2f} ms, most {max(taken) * 1e3:.2f} ms")
    finally:
        end(gateway)
        ring.close()


def end(gateway: subprocess.Popen[bytes]) -> None:
    gateway.send_signal(signal.SIGTERM)
    gateway.wait(30)
    assert gateway.stdout is not None
    gateway.stdout.close()


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
