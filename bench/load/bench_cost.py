"""CPU per request beside nginx's plain proxy, in turn in one run: at 0.4 KB, 16 KiB and 128 KiB bodies, worker and process tree.

usage: bench_cost.py [--secs 4] [--rounds 3] [--conns 32] [--python build/clean/bin/python]      (that: of a fastgw that is installed there)

Key, two levels of budget and rate, cost and a record drained to SQLite and JSON lines are on. A run in which anything was answered
otherwise than 200, or any record was dropped, prints no figure and ends with status 1.
"""
import argparse
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench.load.rig import KEY, Rig, chat_body, cpu_s, machine, pss_mib, running, tree

SIZES = {"0.4 KB": 0, "16 KiB": 16 << 10, "128 KiB": 128 << 10}
LUA = """wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {key}"
local file = io.open("{body}", "rb")
wrk.body = file:read("*all")
file:close()
"""


def drive(url: str, script: Path, conns: int, secs: int) -> tuple[int, str]:
    """Requests answered by one run of wrk, and what was wrong."""
    command = ["wrk", "-t1", f"-c{conns}", f"-d{secs}", "-s", str(script), url]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    count = re.search(r"(\d+) requests in", out)
    wrong = re.search(r"Non-2xx.*|Socket errors.*", out)
    return int(count[1]) if count else 0, wrong[0] if wrong else ""


def settle(pid: int) -> None:
    """Wait until the gateway's drain is idle, so that a backlog is not charged to nobody."""
    last = -1.0
    while (now := cpu_s(tree(pid))) - last > 0.011:
        last = now
        time.sleep(0.3)


def chat_script(rig: Rig, size: int) -> Path:
    """What wrk runs to send chats with so many bytes of text."""
    body, script = rig.run / "body.json", rig.run / "chat.lua"
    body.write_bytes(chat_body(size))
    script.write_text(LUA.format(key=KEY, body=body))
    return script


def measure(rig: Rig, size: int, opts: argparse.Namespace) -> dict[str, list[float]]:
    script = chat_script(rig, size)
    servers = {"nginx": (rig.proxy, [rig.proxy_pid, *tree(rig.proxy_pid)[1:]]), "fastgw": (rig.gateway, rig.worker_pids)}
    rows: dict[str, list[float]] = {"nginx": [], "workers": [], "tree": [], "nginx rps": [], "fastgw rps": []}
    for url, _ in servers.values():
        drive(url, script, opts.conns, 1)
    for _ in range(opts.rounds):
        for name, (url, pids) in servers.items():
            settle(rig.gateway_pid)
            before, whole = cpu_s(pids), cpu_s(tree(rig.gateway_pid))
            count, wrong = drive(url, script, opts.conns, opts.secs)
            spent = cpu_s(pids) - before
            settle(rig.gateway_pid)             # the drain's work belongs to the run that caused it
            if wrong or not count:
                raise SystemExit(f"void: {name}: {wrong or 'no answers'}")
            rows[f"{name} rps"].append(count / opts.secs)
            if name == "nginx":
                rows["nginx"].append(1e6 * spent / count)
            else:
                rows["workers"].append(1e6 * spent / count)
                rows["tree"].append(1e6 * (cpu_s(tree(rig.gateway_pid)) - whole) / count)
    return rows


def main() -> int:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--secs", type=int, default=4)
    args.add_argument("--rounds", type=int, default=3)
    args.add_argument("--conns", type=int, default=32)
    args.add_argument("--python")
    opts = args.parse_args()
    print(machine())
    print(f"{'body':8} {'nginx us':>9} {'workers us':>11} {'ratio':>6} {'tree us':>8} {'ratio':>6} {'nginx rps':>10} {'fastgw rps':>11}")
    with running(python=opts.python) as rig:
        for label, size in SIZES.items():
            median = {name: statistics.median(values) for name, values in measure(rig, size, opts).items()}
            print(f"{label:8} {median['nginx']:9.1f} {median['workers']:11.1f} {median['workers'] / median['nginx']:6.2f} "
                  f"{median['tree']:8.1f} {median['tree'] / median['nginx']:6.2f} {median['nginx rps']:10.0f} {median['fastgw rps']:11.0f}",
                  flush=True)
        lost = {name: count for name, count in rig.dropped().items() if count}
        print(f"records dropped: {lost or 'none'}; PSS of the worker: {pss_mib(rig.worker_pids):.1f} MiB")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
