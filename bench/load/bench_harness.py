"""Measure the harness itself: its throughput beside wrk's, against nginx, and how often an A/A run finds a difference that is none.

usage: bench_harness.py [--secs 2] [--rounds 6] [--conns 8,32,128] [--coverage N]

Beside wrk: windows in ABBA order, the same request; the median of the rounds' ratios must be within 5 %, and the generator must be able to
make 60,000 requests/s with a core of its own (rate / share of a core that it used). nginx gets a core and the generators another, where
there are two: on one, the cheaper generator leaves more of it to nginx. With --coverage: N paired runs of nginx beside itself, as
`fastgw bench` makes them; at most 10 % of them may be void, and at least 95 % of the intervals must contain zero.
"""
import argparse
import io
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

from bench.load.rig import MOCK, machine, running, tree
from fastgw.bench import paired
from fastgw.bench.generator import Load
from fastgw.bench.plan import Plan
from fastgw.bench.progress import Progress
from fastgw.bench.rig import Rig as BenchRig

WIDEST = 0.05
LEAST_RATE = 60_000
LEAST_COVERAGE = 0.95
LEAST_SOUND = 0.90
LUA = """wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local file = io.open("{body}", "rb")
wrk.body = file:read("*all")
file:close()
"""


def give_cores(nginx_pid: int) -> None:
    """One core for nginx, another for the generators, if there are two."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        for pid in tree(nginx_pid):
            os.sched_setaffinity(pid, {cores[0]})
        os.sched_setaffinity(0, {cores[-1]})


def wrk_rate(url: str, script: Path, conns: int, secs: float) -> float:
    command = ["wrk", "-t1", f"-c{conns}", f"-d{secs:g}s", "-s", str(script), url]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if wrong := re.search(r"Non-2xx.*|Socket errors.*", out):
        raise SystemExit(f"void: wrk: {wrong[0]}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    assert rate is not None, out
    return float(rate[1])


def own_rate(rig: BenchRig, conns: int, secs: float) -> tuple[float, float]:
    """(requests/s, CPU time of the generator per wall time)."""
    load: Load = rig.load(rig.lanes[0], rig.asked(), connections=conns)
    rig.drive(load, seconds=secs)
    load.close()
    if load.errors or load.unanswered:
        raise SystemExit(f"void: {load.faults()}")
    return load.replies / (load.wall_ns / 1e9), load.busy_ns / load.wall_ns


def beside_wrk(rig: BenchRig, url: str, script: Path, opts: argparse.Namespace) -> bool:
    """Whether the two agree; prints a row for each number of connections."""
    is_good = True
    print(f"{'connections':>11} {'wrk 1/s':>9} {'fastgw 1/s':>11} {'ratio':>6}  {'rounds':24} {'generator per core':>18}")
    for conns in map(int, opts.conns.split(",")):
        rates: dict[str, list[float]] = {"wrk": [], "own": []}
        capacities = []
        for number in range(opts.rounds):
            for name in ("wrk", "own") if number % 2 == 0 else ("own", "wrk"):
                if name == "wrk":
                    rates[name].append(wrk_rate(url, script, conns, opts.secs))
                else:
                    rate, busy = own_rate(rig, conns, opts.secs)
                    rates[name].append(rate)
                    capacities.append(rate / busy)
        ratios = [own / wrk for own, wrk in zip(rates["own"], rates["wrk"], strict=True)]
        ratio, capacity = statistics.median(ratios), statistics.median(capacities)
        is_good = is_good and abs(ratio - 1) <= WIDEST and capacity >= LEAST_RATE
        print(f"{conns:11} {statistics.median(rates['wrk']):9,.0f} {statistics.median(rates['own']):11,.0f} {ratio:6.3f}  "
              f"{' '.join(f'{one:.2f}' for one in ratios):24} {capacity:18,.0f}", flush=True)
    return is_good


def coverage(rig: BenchRig, runs: int) -> bool:
    """Whether nginx beside itself is found to be as fast as itself, as often as must be."""
    holds = {"added p50": 0, "added p99": 0}
    sound = 0
    for number in range(runs):
        floor = [one for one in paired.measure(rig).figures if one.lane == paired.FLOOR]
        if any(one.void for one in floor):
            print(f"run {number + 1} is void: {floor[0].void[0]}")
            continue
        sound += 1
        for one in floor:
            assert one.low is not None and one.high is not None
            holds[one.name] += one.low <= 0 <= one.high
    print(f"A/A: of {sound} sound runs of {runs}, zero is in the interval of p50 in {holds['added p50']}, of p99 in {holds['added p99']}")
    return sound >= LEAST_SOUND * runs and min(holds.values()) >= LEAST_COVERAGE * sound


def main() -> int:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--secs", type=float, default=2)
    args.add_argument("--rounds", type=int, default=6)
    args.add_argument("--conns", default="8,32,128")
    args.add_argument("--coverage", type=int, default=0)
    opts = args.parse_args()
    print(machine(), f"{len(os.sched_getaffinity(0))} usable", sep=", ")
    with running(only_mock=True) as nginx:
        give_cores(nginx.mock_pid)
        url = f"http://127.0.0.1:{MOCK}/v1/chat/completions"
        rig = BenchRig(Plan(url=url, seconds=opts.secs), Progress(io.StringIO(), is_quiet=True))
        rig.prepare()
        if opts.coverage:
            return 0 if coverage(rig, opts.coverage) else 1
        body, script = nginx.run / "body.json", nginx.run / "chat.lua"
        body.write_bytes(rig.template(rig.asked()).body)
        script.write_text(LUA.format(body=body))
        return 0 if beside_wrk(rig, url, script, opts) else 1


if __name__ == "__main__":
    sys.exit(main())
