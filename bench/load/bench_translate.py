"""What translation adds: OpenAI's chat to Anthropic's messages and back, beside the same chat to a provider of its own dialect.

usage: bench_translate.py [--secs 4] [--rounds 3] [--conns 32] [--streams 400]

Requests and replies of some 1 KB; CPU of the worker, in turn in one run. Streams: the slope of the CPU over their chunks, as bench_stream.
"""
import argparse
import statistics
import sys

from bench.load.bench_cost import LUA, drive, settle
from bench.load.bench_stream import cost_us, streams
from bench.load.rig import KEY, Rig, chat_body, cpu_s, machine, running


def request_us(rig: Rig, model: str, opts: argparse.Namespace) -> float:
    """CPU of the worker for one request."""
    body, script = rig.run / f"{model}.json", rig.run / f"{model}.lua"
    body.write_bytes(chat_body(800, model=model))
    script.write_text(LUA.format(key=KEY, body=body))
    settle(rig.gateway_pid)
    before = cpu_s(rig.worker_pids)
    count, wrong = drive(rig.gateway, script, opts.conns, opts.secs)
    if wrong or not count:
        raise SystemExit(f"void: {model}: {wrong or 'no answers'}")
    return 1e6 * (cpu_s(rig.worker_pids) - before) / count


def main() -> int:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--secs", type=int, default=4)
    args.add_argument("--rounds", type=int, default=3)
    args.add_argument("--conns", type=int, default=32)
    args.add_argument("--streams", type=int, default=400)
    opts = args.parse_args()
    print(machine())
    with running() as rig:
        rows: dict[str, list[float]] = {"long": [], "claude": []}
        for _ in range(opts.rounds + 1):
            for model, values in rows.items():
                values.append(request_us(rig, model, opts))
        same, other = (statistics.median(values[1:]) for values in rows.values())
        print(f"a request of 1 KB and its reply: {same:.1f} us in one dialect, {other:.1f} us translated: {other - same:.1f} us on top")
        conns = opts.conns
        opts.conns = 8
        for model in ("stream", "claude-stream"):
            streams(rig.gateway, 1, 20, model)
            slopes = []
            for _ in range(opts.rounds):
                one = cost_us(rig.gateway, rig.worker_pids, 1, opts, model)
                slopes.append((cost_us(rig.gateway, rig.worker_pids, 257, opts, model) - one) / 256)
            print(f"a chunk, {model}: {statistics.median(slopes):.2f} us of {', '.join(f'{slope:.2f}' for slope in slopes)}", flush=True)
        opts.conns = conns
    return 0


if __name__ == "__main__":
    sys.exit(main())
