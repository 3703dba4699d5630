"""PSS of one worker: idle, under 150 KB bodies at 256 connections, and once it is quiet again.

usage: bench_memory.py [--secs 60]      (600 for the figure of ten minutes)
"""
import argparse
import sys
import time

from bench.load.bench_cost import LUA, drive
from bench.load.rig import KEY, chat_body, machine, pss_mib, running

QUIET_S = 10.0


def main() -> int:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--secs", type=int, default=60)
    opts = args.parse_args()
    print(machine())
    with running() as rig:
        body, script = rig.run / "body.json", rig.run / "chat.lua"
        body.write_bytes(chat_body())
        script.write_text(LUA.format(key=KEY, body=body))
        drive(rig.gateway, script, 1, 1)
        time.sleep(3)
        idle = pss_mib(rig.worker_pids)
        body.write_bytes(chat_body(150_000))
        count, wrong = drive(rig.gateway, script, 256, opts.secs)
        if wrong:
            raise SystemExit(f"void: {wrong}")
        loaded = pss_mib(rig.worker_pids)
        time.sleep(QUIET_S)
        quiet = pss_mib(rig.worker_pids)
        print(f"PSS MiB: idle {idle:.1f}, after {opts.secs} s of 150 KB bodies at 256 connections ({count} requests) {loaded:.1f}, "
              f"quiet {quiet:.1f} ({quiet / idle:.2f} of idle)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
