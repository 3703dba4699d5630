"""CPU per request of this checkout beside another, in turn in one run: what a change of the hot path costs or saves.

usage: bench_beside.py ../before [--secs 2] [--rounds 8] [--conns 32]

`../before` is a checkout with its kernels built in place; the same one twice says what the spread is:

    git worktree add ../before main~1
    cp fastgw/meter/*.json ../before/fastgw/meter/
    cd ../before && python setup.py build_ext --inplace

Both gateways run all the time before the same mock, and each round drives one and then the other, every other round in the opposite
order. The table has the median of each, and the median of the differences within a round with the quarters about it.
"""
import argparse
import statistics
import sys
from pathlib import Path

from bench.load.bench_cost import SIZES, chat_script, drive, settle
from bench.load.rig import GATEWAY, Rig, cpu_s, machine, running, tree

OTHER = GATEWAY + 1


class Side:
    """One of the two gateways."""

    def __init__(self, url: str, pid: int, workers: list[int]) -> None:
        self.url, self.pid, self.workers = url, pid, workers

    def __repr__(self) -> str:
        return f"<Side at {self.url}>"

    def cost(self, script: Path, conns: int, secs: int) -> tuple[float, float]:
        """Microseconds of CPU a request: of the workers, and of the process tree."""
        settle(self.pid)
        workers, whole = cpu_s(self.workers), cpu_s(tree(self.pid))
        count, wrong = drive(self.url, script, conns, secs)
        workers = cpu_s(self.workers) - workers
        settle(self.pid)                        # the drain's work belongs to the run that caused it
        if wrong or not count:
            raise SystemExit(f"void: {self.url}: {wrong or 'no answers'}")
        return 1e6 * workers / count, 1e6 * (cpu_s(tree(self.pid)) - whole) / count


def compare(rig: Rig, size: int, here: Side, other: Side, opts: argparse.Namespace) -> list[tuple[list[float], list[float]]]:
    """Of the workers and of the tree: what each round cost here and there."""
    script = chat_script(rig, size)
    for side in (here, other):
        drive(side.url, script, opts.conns, 1)
    rows: list[tuple[list[float], list[float]]] = [([], []), ([], [])]
    for number in range(opts.rounds):
        order = (here, other) if number % 2 else (other, here)
        costs = {side: side.cost(script, opts.conns, opts.secs) for side in order}
        for which, (ours, theirs) in enumerate(rows):
            ours.append(costs[here][which])
            theirs.append(costs[other][which])
    return rows


def main() -> int:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("other", type=Path)
    args.add_argument("--secs", type=int, default=2)
    args.add_argument("--rounds", type=int, default=8)
    args.add_argument("--conns", type=int, default=32)
    opts = args.parse_args()
    other_place = opts.other.resolve()
    if not list(other_place.glob("fastgw/_core/scan.*.so")):
        raise SystemExit(f"expected a checkout with kernels built in place, found none in {other_place}: "
                         "run `python setup.py build_ext --inplace` there")
    print(machine())
    print(f"{'body':8} {'':8} {'other us':>9} {'here us':>8} {'difference: median, quarters':>30} {'ratio':>6}")
    with running() as rig:
        state = rig.run / "other"
        state.mkdir()
        here = Side(rig.gateway, rig.gateway_pid, rig.worker_pids)
        other = Side(rig.gateway.replace(str(GATEWAY), str(OTHER)), *rig.start_gateway(state, OTHER, str(other_place)))
        for label, size in SIZES.items():
            for name, (ours, theirs) in zip(("workers", "tree"), compare(rig, size, here, other, opts), strict=True):
                more = [mine - its for mine, its in zip(ours, theirs, strict=True)]
                low, middle, high = statistics.quantiles(more, n=4)
                before = statistics.median(theirs)
                print(f"{label:8} {name:8} {before:9.2f} {statistics.median(ours):8.2f} {middle:+12.2f} ({low:+.2f} to {high:+.2f}) "
                      f"{1 + middle / before:9.3f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
