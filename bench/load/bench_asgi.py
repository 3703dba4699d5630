"""What the gateway costs behind Granian, beside the lane and nginx's plain proxy, in turn in one run: CPU per request and latency.

usage: bench_asgi.py [--secs 4] [--rounds 3] [--conns 32]

HTTP/1.1, 0.4 KB, everything on as in bench_cost; the latency is wrk's median at one connection. A row is the edge. Where h2load is there
(nghttp2-client), the last two rows are Granian by HTTP/2 and, for what the generator makes of it, by HTTP/1.1 from h2load as well.
"""
import argparse
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from bench.load.bench_cost import LUA
from bench.load.rig import CONFIG, GATEWAY, KEY, MOCK, SSE, Rig, chat_body, children, cpu_s, machine, running, tree

WAYS = {"granian": ("--server", "granian"), "granian, two runtime threads": ("--server", "granian", "--granian", "runtime-threads=2"),
        "edge": ("--edge",)}
BY_H2LOAD = {"granian, HTTP/2 (h2load)": (), "granian, HTTP/1.1 (h2load)": ("--h1",)}
LATENCY = re.compile(r"50%\s+([\d.]+)(us|ms|s)")
UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6}


def drive(url: str, script: Path, conns: int, secs: int) -> tuple[int, float]:
    """Requests answered by one run of wrk, and the median latency in microseconds."""
    out = subprocess.run(["wrk", "-t1", f"-c{conns}", f"-d{secs}", "--latency", "-s", str(script), url], capture_output=True, text=True,
                         check=True).stdout
    count, median = re.search(r"(\d+) requests in", out), LATENCY.search(out)
    if re.search(r"Non-2xx|Socket errors", out) or count is None or median is None:
        raise SystemExit(f"void: {url}: {out}")
    return int(count[1]), float(median[1]) * UNITS[median[2]]


def drive_h2(url: str, body: Path, conns: int, secs: int, options: tuple[str, ...]) -> tuple[int, float]:
    """The same by one run of h2load, one request at a time on a connection."""
    with tempfile.NamedTemporaryFile() as log:
        out = subprocess.run(
            ["h2load", "-t1", f"-c{conns}", "-m1", f"-D{secs}", "-d", str(body), "-H", "content-type: application/json", "-H",
             f"authorization: Bearer {KEY}", f"--log-file={log.name}", *options, url], capture_output=True, text=True, check=True).stdout
        # start in microseconds, status, duration in microseconds
        rows = [line.split("\t") for line in Path(log.name).read_text().splitlines()]
    if not rows or any(status != "200" for _, status, _ in rows) or not re.search(r" 0 failed, 0 errored", out):
        raise SystemExit(f"void: {url}: {out}")
    return len(rows), statistics.median(int(took) for _, _, took in rows)


def start(rig: Rig, name: str, number: int) -> tuple[str, list[int], int]:
    """Another gateway beside the rig's: its address, its workers and the root of its processes."""
    port, room = GATEWAY + 1 + number, Path(tempfile.mkdtemp(dir=rig.run))
    config = room / "fastgw.toml"
    config.write_text(CONFIG.format(run=room, mock=MOCK, sse=SSE, gateway=port, key=KEY, workers=1))
    root = rig._spawn([sys.executable, "-m", "fastgw", "serve", "--config", str(config), "--no-control", *WAYS[name]])
    rig._await(port)
    return f"http://127.0.0.1:{port}/v1/chat/completions", children(root)[:1] or [root], root


def main() -> int:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--secs", type=int, default=4)
    args.add_argument("--rounds", type=int, default=3)
    args.add_argument("--conns", type=int, default=32)
    opts = args.parse_args()
    print(machine())
    with running() as rig:
        body, script = rig.run / "body.json", rig.run / "chat.lua"
        body.write_bytes(chat_body())
        script.write_text(LUA.format(key=KEY, body=body))
        servers = {"nginx": (rig.proxy, tree(rig.proxy_pid), rig.proxy_pid), "lane": (rig.gateway, rig.worker_pids, rig.gateway_pid)}
        servers |= {name: start(rig, name, number) for number, name in enumerate(WAYS)}
        drivers = {name: partial(drive, servers[name][0], script) for name in servers}
        if shutil.which("h2load"):
            for name, options in BY_H2LOAD.items():
                servers[name] = servers["granian"]
                drivers[name] = partial(drive_h2, servers["granian"][0], body, options=options)
        rows: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in servers}
        for drive_one in drivers.values():
            drive_one(opts.conns, 1)
        for _ in range(opts.rounds):
            for name, (_, pids, root) in servers.items():
                time.sleep(1.0)                 # the drain's last batch of the round before
                before, whole = cpu_s(pids), cpu_s(tree(root))
                count, _ = drivers[name](opts.conns, opts.secs)
                spent = cpu_s(pids) - before
                time.sleep(1.0)
                everything = cpu_s(tree(root)) - whole
                alone = drivers[name](1, 1)[1]
                rows[name].append((1e6 * spent / count, 1e6 * everything / count, count / opts.secs, alone))
        print(f"{'':30} {'worker us':>10} {'tree us':>8} {'requests/s':>11} {'p50 us':>9}")
        for name, found in rows.items():
            worker, whole, rate, alone = (statistics.median(column) for column in zip(*found, strict=True))
            print(f"{name:30} {worker:10.1f} {whole:8.1f} {rate:11.0f} {alone:9.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
