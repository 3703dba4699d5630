"""Count the instructions of each kernel bench with callgrind, and compare them with those of the last release.

usage: python -m bench.instructions [--renew] [--only WORDS]

Instructions do not depend on how busy the machine is, so a slow day is no regression. Every bench of bench/kernels whose work is a kernel's
runs twice (the first call is not counted) under valgrind; the counts are compared with bench/results/instructions.json, which is renewed
(--renew) by whoever makes a release. More than 20 % above prints REGRESSION, and the exit status is 1; .ci/run shows the table and goes on,
for a kernel that does more may well cost more: whoever changed it says so in the commit. The compiler is part of the figure: where another
one built the kernels, nothing is called a regression.

callgrind knows no SHA instructions, so the portable digest is what is counted.
"""
from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

import fastgw
from fastgw.bench import machine

ROOT = Path(__file__).resolve().parents[1]
BASELINE = ROOT / "bench/results/instructions.json"
MOST_GROWTH = 0.20
LEFT_OUT = "million"     # it takes minutes to prepare under valgrind
BENCHES = "cube digest http1 ledger lookup price ring route scan usage".split()
MARK = "sched_get_priority_max"
"""A function of the C library that nothing else calls: callgrind begins another part of its report wherever it is entered."""


class Counts(msgspec.Struct, frozen=True):
    """What was counted: instructions by the name of the bench."""

    version: str
    commit: str
    built_by: str
    instructions: dict[str, int]


def compiler() -> str:
    """The compiler that builds kernels here, and for which machine."""
    command = (sysconfig.get_config_var("CC") or "cc").split()[0]
    said = subprocess.run([command, "-dumpfullversion"], capture_output=True, text=True, check=False).stdout.strip()
    return f"{command} {said}, {sysconfig.get_platform()}, Python {sys.version_info.major}.{sys.version_info.minor}"


def parts(report: str) -> Iterator[int]:
    """The totals of a report of callgrind, part by part."""
    for match in re.finditer(r"^totals: (\d+)$", report, re.M):
        yield int(match[1])


def count(only: str) -> dict[str, int]:
    """Run the benches under callgrind; raises SystemExit where that fails."""
    with tempfile.TemporaryDirectory(prefix="fastgw-count-") as folder:
        report, names = Path(folder, "report"), Path(folder, "names")
        words = f"not ({LEFT_OUT})" + (f" and ({only})" if only else "")
        command = [
            "valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={report}", "--combine-dumps=yes", f"--dump-before={MARK}",
            sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(ROOT), "--import-mode=importlib",
            "-p", "no:cacheprovider", "-p", "bench.counting", "-o", "python_files=bench_*.py", "-k", words, f"--basetemp={folder}/pytest",
            *(str(ROOT / f"bench/kernels/bench_{name}.py") for name in BENCHES),
        ]
        environment = {
            **os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "FASTGW_COUNTED": str(names)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"the benches failed under valgrind:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        # Parts: before the first bench, the first bench, between, the second bench, ...
        counted = list(parts(report.read_text(errors="replace")))[1::2]
        found = json.loads(names.read_text())
    if len(found) > len(counted):
        raise SystemExit(f"expected {len(found)} parts in the report of callgrind, found {len(counted)}")
    return dict(zip(found, counted, strict=False))


def compare(now: Counts, then: Counts) -> list[str]:
    """Print a row for each bench; the names of those that grew by too much."""
    print(f"{'kernel bench':66} {then.version:>15} {'now':>15} {'':>7}")
    grown = []
    for name, instructions in now.instructions.items():
        before = then.instructions.get(name)
        ratio = instructions / before if before else None
        is_grown = ratio is not None and ratio > 1 + MOST_GROWTH
        if is_grown:
            grown.append(name)
        told = "new" if ratio is None else f"{ratio - 1:+.1%}"
        print(f"{name:66} {before or 0:15,} {instructions:15,} {told:>7}{'  REGRESSION' if is_grown else ''}")
    for name in then.instructions.keys() - now.instructions.keys():
        print(f"{name:66} is gone")
    return grown


def main() -> int:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--renew", action="store_true", help="write what is counted as the baseline")
    args.add_argument("--only", default="", help="a pytest expression: benches to count")
    opts = args.parse_args()
    if opts.renew and opts.only:
        args.error("a baseline has all benches: leave out --only")
    if shutil.which("valgrind") is None:
        print("valgrind is missing; on Debian and Ubuntu: apt-get install valgrind", file=sys.stderr)
        return 2
    now = Counts(fastgw.__version__, machine.commit(), compiler(), count(opts.only))
    if opts.renew or not BASELINE.exists():
        BASELINE.write_bytes(msgspec.json.format(msgspec.json.encode(now)) + b"\n")
        print(f"wrote {BASELINE.relative_to(ROOT)}: {len(now.instructions)} benches")
        return 0
    then = msgspec.json.decode(BASELINE.read_bytes(), type=Counts)
    if opts.only:
        then = msgspec.structs.replace(
            then, instructions={name: value for name, value in then.instructions.items() if name in now.instructions})
    grown = compare(now, then)
    if then.built_by != now.built_by:
        print(f"the baseline was built by {then.built_by}, this by {now.built_by}: no regression can be told from that")
        return 0
    if grown:
        print(f"REGRESSION: {len(grown)} of {len(now.instructions)} kernel benches need over {MOST_GROWTH:.0%} more instructions than "
              f"{then.version} did: {', '.join(grown)}")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
