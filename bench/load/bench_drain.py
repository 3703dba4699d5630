"""Measure what a record costs the drain, in CPU time, for each exporter and for all together.

Run: python -m bench.load.bench_drain [--records 200000] [--payload-bytes 0] [--details]. It pushes into a ring at full speed from
this process; the pushing is measured alone first and taken off. With --rate 4200 [--secs 30] the drain is a process of its own with all
exporters, records come at that rate, and what share of a core the drain takes is measured.
"""
import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from bench.load.rig import cpu_s
from fastgw._core.ring import RingWriter, pack_record
from fastgw.record.daemon import SOCKET_NAME, run_drain
from fastgw.record.drain import Drain
from fastgw.record.exporters import Exporter
from fastgw.record.exporters.jsonl import JsonLines
from fastgw.record.exporters.otlp import OtlpTraces
from fastgw.record.exporters.prometheus import Counters
from fastgw.record.exporters.sqlite import SqliteLog
from fastgw.record.options import DrainOptions
from fastgw.snapshot.config import Otlp

KEYS, MODELS = 500, 20
DETAIL = (
    b'{"attempts":"\\"openai-main/gpt-4.1\\";status=503;trouble=\\"overloaded\\";ms=312, \\"azure/gpt-4.1\\";status=200;ms=801",'
    b'"passed_over":"\\"azure/gpt-4.1-nano\\";why=\\"open\\"","metadata":{"team":"search","user":"4711"}}'
)


def make_records(count: int) -> list[bytes]:
    """Seeded by position: 500 keys, 20 models, 5 % errors; ids and times go up as in life."""
    started_ns = time.time_ns()
    return [
        pack_record(
            id=number.to_bytes(6, "big") + bytes([112, 1, 128]) + (number * 2654435761 % 2**56).to_bytes(7, "big"),
            started_ns=started_ns + 200_000 * number, read_ns=20_000, admitted_ns=30_000, sent_ns=40_000,
            first_byte_ns=250_000_000 + number, replied_ns=900_000_000, finished_ns=900_100_000,
            gateway_ns=30_000 + number % 9000, input_tokens=900 + number % 700, output_tokens=200 + number % 90,
            cache_read_tokens=number % 3, cost_nano_usd=3_000_000 + number, request_bytes=3000, reply_bytes=1500,
            status=429 if number % 20 == 0 else 200, upstream_status=200, outcome=number % 20 == 0, attempts=1,
            operation=0, flags=1, key=f"app-{number * 7 % KEYS}", workspace=f"team-{number % 12}",
            integration="openai-main", provider="openai", model=f"gpt-{number % MODELS}",
            upstream_model=f"gpt-{number % MODELS}-2025-04-14", dialect="openai",
        )
        for number in range(count)
    ]


class Collector(BaseHTTPRequestHandler):
    """Takes spans and forgets them."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """It says nothing."""


@contextmanager
def collecting() -> Iterator[str]:
    """A collector in a process of its own, so that what it costs is not counted; yields its address."""
    server = HTTPServer(("127.0.0.1", 0), Collector)
    process = multiprocessing.get_context("fork").Process(target=server.serve_forever)
    process.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        process.terminate()
        process.join()
        server.server_close()


def drain_all(
    directory: Path, records: list[bytes], payload: bytes | None, detail: bytes | None, exporters: Sequence[Exporter],
) -> float:
    """Push everything through a drain; return CPU seconds of the whole process."""
    writer = RingWriter(directory / "ring", 64 << 20)
    drain = Drain([directory / "ring"], exporters, queue_records=10**9, queue_bytes=1 << 40)
    started = time.process_time()
    drain.start()
    for record in records:
        while writer.push_packed(record, payload, detail=detail) != 2:
            time.sleep(0.001)
    assert drain.stop(120)
    assert drain.read_records >= len(records)
    spent = time.process_time() - started
    writer.close()
    return spent


def share_at(directory: Path, rate: int, seconds: float, payload: bytes | None, detail: bytes | None) -> tuple[float, int]:
    """Push at a rate into a drain of its own; return the share of a core that it takes and how many records were dropped."""
    writer = RingWriter(directory / "ring", 64 << 20)
    options = DrainOptions(rings=(directory / "ring",), state=directory, jsonl_path=directory / "records.jsonl")
    process = multiprocessing.get_context("spawn").Process(target=run_drain, args=(options,))
    process.start()
    assert process.pid is not None
    while not (directory / SOCKET_NAME).exists():
        time.sleep(0.05)
    time.sleep(1.0)
    records, dropped = make_records(rate), 0
    spent, started, pushed = cpu_s([process.pid]), time.monotonic(), 0
    while (passed := time.monotonic() - started) < seconds:
        for _ in range(int(passed * rate) - pushed):
            dropped += writer.push_packed(records[pushed % rate], payload, detail=detail) != 2
            pushed += 1
        time.sleep(0.005)
    spent = cpu_s([process.pid]) - spent
    process.terminate()
    process.join()
    writer.close()
    return spent / seconds, dropped


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--payload-bytes", type=int, default=0)
    parser.add_argument("--details", action="store_true", help="every record has one, of two attempts")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=int, default=0)
    parser.add_argument("--secs", type=float, default=30.0)
    options = parser.parse_args()
    payload = b'{"messages": [{"role": "user", "content": "' + b"word " * (options.payload_bytes // 5) + b'"}]}'
    given = payload if options.payload_bytes else None
    detail = DETAIL if options.details else None
    if options.rate:
        with tempfile.TemporaryDirectory() as directory:
            share, dropped = share_at(Path(directory), options.rate, options.secs, given, detail)
        print(f"{options.rate} records/s: {100 * share:.1f} % of a core, {share / options.rate * 1e6:.1f} us a record, {dropped} dropped")
        return
    records = make_records(options.records)
    cases = {"none": "", "sqlite": "s", "jsonl": "j", "prometheus": "p", "otlp": "o", "all but otlp": "sjp"}
    base = 0.0
    for name, letters in cases.items():
        spent = []
        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory() as directory, collecting() as collector:
                made: dict[str, Exporter] = {
                    "o": OtlpTraces(Otlp(endpoint=collector)),
                    "s": SqliteLog(Path(directory) / "logs.db"),
                    "j": JsonLines(Path(directory) / "records.jsonl"),
                    "p": Counters(),
                }
                spent.append(drain_all(Path(directory), records, given, detail, [made[letter] for letter in letters]))
        micros = statistics.median(spent) / options.records * 1e6
        base = base or micros
        print(f"{name:12} {micros:7.2f} us of CPU a record ({micros - base:6.2f} above reading; spread "
              f"{min(spent) / options.records * 1e6:.2f}-{max(spent) / options.records * 1e6:.2f})")


if __name__ == "__main__":
    main()
