"""Compare fastgw with its rivals: run all that are there, one after another, write the results and the table.

usage: python -m bench.peers [NAMES] [--lanes bare,governed] [--stream] [--minutes N] [--binary NAME=PATH] [--no-docs] [--list]

--minutes is what the whole takes, about: the windows are cut to it, but not below what a slow peer needs for 1,000 replies. A peer that
cannot be installed or does not start is a row that says why. The results go to bench/results/peers-DATE-COMMIT.json, the table to
docs/performance.md; `python -m bench.peers --render FILE` writes the table again from a file of results.
"""
from __future__ import annotations

import argparse
import datetime
import shlex
import signal
import sys
import time
from pathlib import Path

import msgspec

from bench.peers.measure import Comparing, Row
from bench.peers.place import ROOT
from bench.peers.recipe import LANES
from bench.peers.render import Comparison, insert, markdown
from bench.peers.table import RECIPES
from fastgw.bench import machine
from fastgw.bench.progress import Progress

FORMAT = 1
RESULTS, PAGE = ROOT / "bench/results", ROOT / "docs/performance.md"


def options(words: list[str]) -> argparse.Namespace:
    args = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("names", nargs="*", metavar="NAME", help=f"some of: {', '.join(RECIPES)}")
    args.add_argument("--lanes", default=",".join(LANES))
    args.add_argument("--stream", action="store_true")
    args.add_argument("--minutes", type=float, default=20)
    args.add_argument("--binary", action="append", default=[], metavar="NAME=PATH")
    args.add_argument("--no-docs", action="store_true", help="leave docs/performance.md as it is")
    args.add_argument("--list", action="store_true", help="say what each recipe does, and stop")
    args.add_argument("--render", type=Path, metavar="FILE")
    found = args.parse_args(words)
    found.lanes = found.lanes.split(",")
    found.binaries = dict(one.partition("=")[::2] for one in found.binary)
    for kind, given, known in (("peer", found.names, RECIPES), ("lane", found.lanes, LANES), ("peer", found.binaries, RECIPES)):
        if wrong := [one for one in given if one not in known]:
            args.error(f"expected a {kind} of {', '.join(known)}, got {wrong[0]!r}")
    return found


def told(name: str) -> str:
    """One recipe in words."""
    one = RECIPES[name]
    lines = [f"{name} ({one.source})", f"  set up: {one.setup}", f"  not equal: {one.unequal}"]
    lines += [f"  {lane}: {one.lanes[lane] if lane in one.lanes else 'no: ' + one.lacks[lane]}" for lane in LANES]
    return "\n".join(lines)


def compare(opts: argparse.Namespace) -> list[Row]:
    """All rows, nginx first: the others stand beside it."""
    names = opts.names or list(RECIPES)
    wanted = ["nginx", *(name for name in names if name != "nginx")]
    runs = [(RECIPES[name], lane) for lane in opts.lanes for name in wanted]
    if "bare" not in opts.lanes:
        runs.insert(0, (RECIPES["nginx"], "bare"))
    measured = sum(lane in recipe.lanes for recipe, lane in runs)
    comparing = Comparing(
        lane_s=60 * opts.minutes / max(1, measured), is_stream=opts.stream,
        binaries={name: Path(path).resolve() for name, path in opts.binaries.items()}, progress=Progress(sys.stderr))
    rows = []
    for recipe, lane in runs:
        rows.append(comparing.row(recipe, lane))
        print(f"{recipe.name}, {lane}: {rows[-1].absent or 'measured'}", flush=True)
    return rows


def main(words: list[str]) -> int:
    opts = options(words)
    if opts.list:
        print("\n".join(map(told, opts.names or RECIPES)))
        return 0
    if opts.render:
        insert(PAGE, markdown(msgspec.json.decode(opts.render.read_bytes(), type=Comparison)))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))      # so that what was started ends too
    began, began_at, before = time.monotonic(), datetime.datetime.now(datetime.UTC), machine.machine()
    rows = compare(opts)
    commit = machine.commit()
    found = Comparison(
        FORMAT, shlex.join(["python", "-m", "bench.peers", *words]), began_at.isoformat(timespec="seconds"),
        round(time.monotonic() - began, 1), commit, before, rows)
    path = RESULTS / f"peers-{began_at:%Y-%m-%d-%H%M}-{commit.rstrip('+')}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    text = markdown(found)
    print(f"\n{text}\n\nwrote {path.relative_to(ROOT)}")
    if not opts.no_docs:
        insert(PAGE, text)
    return 0 if any(row.report for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
