"""What fastgw takes: the wheel, a clean install, an import, an edge's start and its memory; status 3 where a bound is not kept,
or there is no figure.

usage: footprint.py [--installed]      (that: of this checkout as it stands, without building anything)

Builds an sdist, a wheel from it and a clean environment from that without any extra, so that it shows too that these can be built.
"""
import argparse
import http.client
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KEY = "fgw-footprint-0123456789abcdef0123456789"
REQUESTS = 1000
STARTS = 5
QUIET_SECONDS = 3.0            # then what is not needed any more has been given back
WAIT_SECONDS = 20.0

NOT_CORE = ("fastgw/console/", "fastgw/control/")      # of use with the extra `control` only
# What is measured, its unit, and what it must be less than.
BOUNDS = {
    "wheel": ("MB", 3.0), "core of the wheel": ("MB", 1.5), "clean install": ("MB", 40.0), "import fastgw": ("ms", 50.0),
    "exec to first answer": ("s", 0.3), "PSS after 1,000 requests": ("MiB", 30.0),
}
EDGE = ("exec to first answer", "PSS after 1,000 requests")
CONFIG = """
[integrations.mock]
provider = "openai"
base_url = "http://{mock}/v1"
api_key = "mock"

[[keys]]
name = "app"
key = "{key}"
integration = "mock"
budget = {{ usd = 100.0, window = "total" }}

[gateway.record]
sqlite = false

[gateway.record.jsonl]
path = "{lines}"
"""
BODY = b'{"model":"gpt-4.1","messages":[{"role":"user","content":"Hello"}],"max_tokens":20}'


class CannotMeasure(Exception):
    """The edge did something else than what is measured."""


def main() -> int:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--installed", action="store_true")
    opts = args.parse_args()
    with tempfile.TemporaryDirectory(prefix="fastgw-footprint-") as room:
        found = measure(Path(room), opts.installed)
    for name, value in found.items():
        unit, most = BOUNDS[name]
        print(f"{name:26} {value:8.3f} {unit:4} {'' if value < most else f'  expected less than {most:g}'}")
    return 3 if any(value >= BOUNDS[name][1] for name, value in found.items()) else 0


def measure(room: Path, is_installed: bool) -> dict[str, float]:
    found: dict[str, float] = {}
    python = Path(sys.executable)
    if not is_installed:
        wheel = build(room)
        python = install(room, wheel)
        found["wheel"] = wheel.stat().st_size / 1e6
        with zipfile.ZipFile(wheel) as packed:
            found["core of the wheel"] = found["wheel"] - sum(beside_core(packed)) / 1e6
        files = [path for path in (room / "clean").rglob("*") if path.is_file() and not path.is_symlink()]
        found["clean install"] = sum(path.stat().st_size for path in files) / 1e6
    found["import fastgw"] = 1e3 * min(import_seconds(python, ROOT if is_installed else room) for _ in range(STARTS))
    with mock() as address:
        try:
            found |= serve(room, python, address, ROOT if is_installed else room)
        except CannotMeasure as problem:
            print(f"{problem}: no figure of an edge")
            found |= dict.fromkeys(EDGE, float("inf"))
    return found


def beside_core(wheel: zipfile.ZipFile) -> Iterator[float]:
    """The bytes that files of the extra take in a wheel, and their lines in its list of files."""
    for entry in wheel.infolist():
        if entry.filename.startswith(NOT_CORE):
            yield entry.compress_size
        elif entry.filename.endswith("/RECORD"):
            lines = wheel.read(entry).decode().splitlines(keepends=True)
            kept = "".join(line for line in lines if not line.startswith(NOT_CORE))
            yield entry.compress_size - len(zlib.compress(kept.encode(), 9))


def build(room: Path) -> Path:
    """An sdist, and from it a wheel."""
    subprocess.run([sys.executable, "setup.py", "-q", "sdist", "-d", str(room)], cwd=ROOT, check=True, stdout=sys.stderr)
    [source] = room.glob("*.tar.gz")
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--disable-pip-version-check", "--no-build-isolation", "--no-deps",
                    "-w", str(room), str(source)], cwd=room, check=True, stdout=sys.stderr)
    [wheel] = room.glob("*.whl")
    return wheel


def install(room: Path, wheel: Path) -> Path:
    """A clean environment with the wheel and what it cannot do without; returns its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(room / "clean")], check=True)
    python = room / "clean" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--disable-pip-version-check", "--no-compile",
                    "-c", str(ROOT / "constraints.txt"), str(wheel)], cwd=room, check=True, stdout=sys.stderr)
    # as after a first start
    subprocess.run([str(python), "-m", "compileall", "-q", str(room / "clean")], check=False, stdout=subprocess.DEVNULL)
    return python


def import_seconds(python: Path, place: Path) -> float:
    code = "import time; at = time.perf_counter(); import fastgw; print(time.perf_counter() - at)"
    return float(subprocess.check_output([str(python), "-c", code], cwd=place, text=True))


@contextmanager
def mock() -> Iterator[str]:
    """A provider that answers from memory; this checkout's, for it is not what is measured."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fastgw", "mock", "--listen", "127.0.0.1:0"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip().rpartition("http://")[2]
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def serve(room: Path, python: Path, address: str, place: Path) -> dict[str, float]:
    """Start an edge some times, and ask one of them a thousand times."""
    config = room / "fastgw.toml"
    config.write_text(CONFIG.format(mock=address, key=KEY, lines=room / "records.jsonl"))
    starts = []
    for turn in range(STARTS):
        began = time.perf_counter()
        process = subprocess.Popen(
            [str(python), "-m", "fastgw", "serve", "--edge", "--config", str(config), "--listen", "127.0.0.1:18799",
             "--state", str(room / "state")], cwd=place, stdout=subprocess.DEVNULL)
        try:
            first_answer(process)
            starts.append(time.perf_counter() - began)
            if turn == STARTS - 1:
                ask_often(REQUESTS)
                time.sleep(QUIET_SECONDS)
                memory = pss_mib(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            status = process.wait(WAIT_SECONDS)
        if status != 0:
            raise CannotMeasure(f"expected an edge that ends with status 0, got {status}")
    lines = (room / "records.jsonl").read_text().count("\n")
    if lines != REQUESTS + STARTS:
        raise CannotMeasure(f"expected {REQUESTS + STARTS} records, got {lines}")
    return dict(zip(EDGE, (statistics.median(starts), memory), strict=True))


def first_answer(process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            return ask_often(1)
        except ConnectionRefusedError:
            time.sleep(0.002)
    raise CannotMeasure("expected an answer, got none")


def ask_often(count: int) -> None:
    """So many chats, on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", 18799, timeout=WAIT_SECONDS)
    for _ in range(count):
        connection.request("POST", "/v1/chat/completions", BODY, {"authorization": f"Bearer {KEY}", "content-type": "application/json"})
        reply = connection.getresponse()
        said = reply.read()
        if reply.status != 200:
            raise CannotMeasure(f"expected 200, got {reply.status}: {said!r}")
    connection.close()


def pss_mib(pid: int) -> float:
    rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(row.split()[1]) for row in rows if row.startswith("Pss:")) / 1024


if __name__ == "__main__":
    os.environ.pop("PYTHONPATH", None)
    sys.exit(main())
