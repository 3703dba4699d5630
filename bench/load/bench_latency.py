"""Added latency: paired with direct at one connection, and open loop at a stated rate; and the delayed-acknowledgement test.

usage: bench_latency.py [--blocks 40] [--rate 4200] [--secs 10]

Paired: blocks of 500 requests in ABBA order, direct to the mock and through the gateway; the medians of the blocks' differences, with a
bootstrap interval, and an A/A run (direct beside direct) as the floor. Open loop: requests are due at fixed times and latency counts
from then. Share of samples at 38 to 44 ms must be 0.
"""
import argparse
import asyncio
import random
import socket
import statistics
import sys
import time
from typing import cast
from urllib.parse import urlsplit

import uvloop

from bench.load.rig import KEY, chat_body, machine, running

BODY = chat_body()
REQUEST = (b"POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nAuthorization: Bearer " + KEY.encode()
           + b"\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY)
BLOCK = 500


def percentile(samples: list[float], share: float) -> float:
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, -int(-(len(ordered) * share) // 1) - 1)]


class Caller:
    """One blocking keep-alive connection."""

    def __init__(self, url: str) -> None:
        at = urlsplit(url)
        self.socket = socket.create_connection((at.hostname or "", at.port or 80))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.length = 0

    def ask(self) -> float:
        """Microseconds from the first byte out to the last byte in."""
        began = time.perf_counter_ns()
        self.socket.sendall(REQUEST)
        got = self.socket.recv(65536)
        while b"\r\n\r\n" not in got:
            got += self.socket.recv(65536)
        head, _, body = got.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        while len(body) < length:
            body += self.socket.recv(65536)
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"void: {head[:200]!r}")
        return (time.perf_counter_ns() - began) / 1e3

    def block(self) -> list[float]:
        return [self.ask() for _ in range(BLOCK)]


def paired(first: str, second: str, blocks: int) -> tuple[list[float], list[float], list[float]]:
    """Differences (second - first) of p50 and p99 by pairs of blocks, and all samples of the second."""
    one, two = Caller(first), Caller(second)
    one.block(), two.block()
    p50, p99, samples = [], [], []
    for number in range(blocks):
        a, b = (one.block(), two.block()) if number % 2 == 0 else (lambda y: (one.block(), y))(two.block())
        p50.append(percentile(b, 0.5) - percentile(a, 0.5))
        p99.append(percentile(b, 0.99) - percentile(a, 0.99))
        samples += b
    return p50, p99, samples


def interval(values: list[float]) -> tuple[float, float]:
    """A bootstrap 95 % interval of the median."""
    chance = random.Random(1)
    medians = sorted(statistics.median(chance.choices(values, k=len(values))) for _ in range(2000))
    return medians[50], medians[1949]


class OpenLoop(asyncio.Protocol):
    """One of many connections that take requests when they are due."""

    def __init__(self, free: list["OpenLoop"], samples: list[float], due: list[float]) -> None:
        self.free, self.samples, self.due = free, samples, due
        self.started = 0.0
        self.data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.free.append(self)

    def send(self, due: float) -> None:
        self.started = due
        self.transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        self.data += data
        if self.data.endswith(b'"service_tier": "default"}'):
            self.samples.append((time.perf_counter() - self.started) * 1e6)
            self.data = b""
            if self.due:
                self.send(self.due.pop(0))
            else:
                self.free.append(self)


async def open_loop(url: str, rate: int, secs: float) -> tuple[list[float], float]:
    """Latencies in microseconds from when each request was due, and the rate that was reached."""
    at = urlsplit(url)
    free: list[OpenLoop] = []
    samples: list[float] = []
    due: list[float] = []
    loop = asyncio.get_running_loop()
    for _ in range(64):
        await loop.create_connection(lambda: OpenLoop(free, samples, due), at.hostname or "", at.port or 80)
    began = time.perf_counter()
    sent = 0
    while (now := time.perf_counter()) < began + secs:
        while began + sent / rate <= now:
            at_s = began + sent / rate
            sent += 1
            if free:
                free.pop().send(at_s)
            else:
                due.append(at_s)
        await asyncio.sleep(0)
    while len(samples) < sent and time.perf_counter() < began + secs + 5:
        await asyncio.sleep(0.01)
    return samples, len(samples) / secs


def main() -> int:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--blocks", type=int, default=40)
    args.add_argument("--rate", type=int, default=4200)
    args.add_argument("--secs", type=float, default=10)
    opts = args.parse_args()
    print(machine())
    stalled = 0
    with running() as rig:
        pairs = (("A/A floor (direct - direct)", rig.mock), ("nginx - direct", rig.proxy), ("fastgw - direct", rig.gateway))
        for name, second in pairs:
            p50, p99, samples = paired(rig.mock, second, opts.blocks)
            low, high = interval(p50)
            slow = sum(38_000 <= sample <= 44_000 for sample in samples)
            stalled += slow if second == rig.gateway else 0
            print(f"{name:28} added p50 {statistics.median(p50):7.1f} us [{low:.1f}, {high:.1f}]   "
                  f"p99 {statistics.median(p99):7.1f} us   at 38-44 ms: {slow} of {len(samples)}", flush=True)
        for name, url in (("direct", rig.mock), ("nginx", rig.proxy), ("fastgw", rig.gateway)) * 2:
            latencies, reached = uvloop.run(open_loop(url, opts.rate, opts.secs))
            slow = sum(38_000 <= sample <= 44_000 for sample in latencies)
            stalled += slow if name == "fastgw" else 0
            print(f"open loop {name:8} {reached:7.0f}/s  p50 {percentile(latencies, 0.5):7.0f} us  "
                  f"p99 {percentile(latencies, 0.99):7.0f} us  p99.9 {percentile(latencies, 0.999):7.0f} us  "
                  f"at 38-44 ms: {slow}", flush=True)
    return 0 if not stalled else 1


if __name__ == "__main__":
    sys.exit(main())
