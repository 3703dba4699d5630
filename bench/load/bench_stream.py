"""CPU per streamed chunk by slope, (CPU of 257 chunks - CPU of 1) / 256, and whether the bytes come through unchanged.

usage: bench_stream.py [--streams 400] [--conns 8]
"""
import argparse
import http.client
import json
import statistics
import sys
import threading
from urllib.parse import urlsplit

from bench.load.rig import KEY, chat_body, cpu_s, machine, running

HEADERS = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}


def streams(url: str, chunks: int, times: int, model: str = "stream") -> bytes:
    """Read so many streams one after the other; the last one's bytes."""
    at = urlsplit(url)
    connection = http.client.HTTPConnection(at.netloc, timeout=60)
    body = chat_body(model=model, stream=True, stream_options={"include_usage": True}, max_tokens=chunks)
    events = b""
    for _ in range(times):
        connection.request("POST", at.path, body, HEADERS)
        reply = connection.getresponse()
        events = reply.read()
        if reply.status != 200:
            raise SystemExit(f"void: {url}: {reply.status} {events[:300]!r}")
    return events


def cost_us(url: str, pids: list[int], chunks: int, opts: argparse.Namespace, model: str = "stream") -> float:
    before = cpu_s(pids)
    each = opts.streams // opts.conns
    threads = [threading.Thread(target=streams, args=(url, chunks, each, model)) for _ in range(opts.conns)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent_us: float = 1e6 * (cpu_s(pids) - before) / (each * opts.conns)
    return spent_us


def main() -> int:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--streams", type=int, default=400)
    args.add_argument("--conns", type=int, default=8)
    opts = args.parse_args()
    print(machine())
    with running() as rig:
        streams(rig.gateway, 1, 20)
        slopes = []
        for _ in range(3):
            one = cost_us(rig.gateway, rig.worker_pids, 1, opts)
            many = cost_us(rig.gateway, rig.worker_pids, 257, opts)
            slopes.append((many - one) / 256)
        print(f"CPU us per chunk: median {statistics.median(slopes):.2f} of {', '.join(f'{slope:.2f}' for slope in slopes)}")
        same = streams(rig.gateway, 64, 1) == streams(rig.sse, 64, 1)
        print(json.dumps({"bytes unchanged": same}))
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
