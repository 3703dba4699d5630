"""Measure what a console asks of a log with a million records over 30 days: pages, filters, searches, graphs.

Run: python -m bench.load.bench_logs [--records 1000000] [--directory DIR to keep the log in]. The log is made by the exporter itself.
Each question is asked --rounds times, of a file that is in the system's cache; its slowest answer is what counts.
"""
import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from msgspec import structs

from fastgw.record.analytics import active, groups, series, summary
from fastgw.record.exporters import Batch
from fastgw.record.exporters.sqlite import SqliteLog
from fastgw.record.fields import FIELDS, Record
from fastgw.record.filters import Filters
from fastgw.record.query import find_record, list_page, list_since

DAYS = 30
DAY_S = 86_400
KEYS, WORKSPACES, MODELS, USERS = 500, 12, 20, 5000
BATCH = 5000
BOUND_MS = 300
UNBOUNDED = "from the records"     # every record is read for these: shown, and held to nothing
ERRORS = {429: "rate_limited", 503: "upstream_status", 400: "invalid_request"}


def make_records(count: int, until_s: int, dice: random.Random) -> Iterator[Record]:
    """Seeded: 5 % errors, 10 % with metadata, 5 % of a trace, 2 % with payloads of some 2 KB, times from 0.1 to 10 s."""
    words = ["".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=dice.randint(2, 10))) for _ in range(20_000)]
    first_ns = (until_s - DAYS * DAY_S) * 10**9
    for number in range(count):
        started_ns = first_ns + DAYS * DAY_S * 10**9 // count * number
        key, model = dice.randrange(KEYS), min(int(dice.expovariate(0.3)), MODELS - 1)
        status = dice.choice(list(ERRORS)) if dice.random() < 0.05 else 200
        latency_ns = int(10 ** dice.uniform(8, 10))
        said = " ".join(dice.choices(words, k=300)) if dice.random() < 0.02 else None
        values = dict.fromkeys(FIELDS, 0) | {
            "id": f"{started_ns // 10**6:012x}"[:8] + "-" + f"{started_ns // 10**6:012x}"[8:] + f"-7000-8000-{number:012x}",
            "trace": f"{number:032x}" if number % 20 == 0 else "", "started_ns": started_ns, "finished_ns": latency_ns,
            "first_byte_ns": latency_ns // 4, "gateway_ns": dice.randint(20_000, 60_000), "input_tokens": dice.randint(50, 4000),
            "output_tokens": dice.randint(10, 800), "cost_nano_usd": dice.randint(10_000, 9_000_000), "status": status,
            "upstream_status": status, "outcome": "served" if status == 200 else "failed", "error": ERRORS.get(status, ""),
            "attempts": 1, "operation": "chat", "key": f"app-{key}", "workspace": f"team-{key % WORKSPACES}",
            "integration": f"main-{model % 3}", "provider": ("openai", "anthropic", "google")[model % 3], "model": f"model-{model}",
            "upstream_model": f"model-{model}-2026", "dialect": "openai", "flags": "streamed" if number % 2 else "",
            "cache": "hit" if number % 17 == 0 else "", "trace_id": "",
            "detail": {"metadata": {"_user": f"user-{dice.randrange(USERS)}", "team": f"t{key % 9}"}} if number % 10 == 0 else None,
        }
        yield Record(**values, request=said, reply=said and said[:400])  # type: ignore[arg-type]  # values by their names


def fill(path: Path, count: int, until_s: int) -> float:
    """Write the records as the drain does; return how many seconds it took."""
    log = SqliteLog(path, retention_days=2 * DAYS, retention_bytes=1 << 40)
    log.open()
    records = make_records(count, until_s, random.Random(1))
    spent = 0.0
    while batch := [record for record, _ in zip(records, range(BATCH), strict=False)]:
        started = time.perf_counter()
        log.export(Batch(batch, {}, 0))
        spent += time.perf_counter() - started
    log.close()
    return spent


def questions(path: Path, count: int, until_s: int) -> dict[str, Callable[[], object]]:
    month = Filters(since_ns=(until_s - DAYS * DAY_S) * 10**9, until_ns=until_s * 10**9)
    members = structs.replace(month, workspaces=frozenset(("team-1", "team-7")))
    middle = list_page(path, Filters(until_ns=(until_s - DAYS * DAY_S // 2) * 10**9, limit=1)).records[0]
    latest = list_since(path, Filters()).after
    page = partial(list_page, path)
    return {
        "page, the latest 100": partial(page, Filters()),
        "page, from the middle": partial(page, Filters(after=middle.seq)),
        "page of a key": partial(page, Filters(key="app-77")),
        "page of a key that is not there": partial(page, Filters(key="nobody")),
        "page of two workspaces, 503 only": partial(page, Filters(workspaces=members.workspaces, status=503)),
        "page of a user": partial(page, Filters(user="user-1234")),
        "page of a trace": partial(page, Filters(trace=f"{count // 3 // 20 * 20:032x}")),
        "page of the dearest (cost >= 0.00899)": partial(page, Filters(min_cost_nano_usd=8_990_000)),
        "page of the slowest (>= 9.9 s), streamed": partial(page, Filters(min_latency_ns=9_900_000_000, is_streamed=True)),
        "search, words of a payload": partial(page, Filters(text=(middle_text(path) or "")[:30])),
        "search, a model's name": partial(page, Filters(text="model-19")),
        "search, nothing found": partial(page, Filters(text="qqqqqqqqqq")),
        "one by its id": partial(find_record, path, middle.record.id),
        "live, nothing has come": partial(list_since, path, Filters(after=latest)),
        "overview, 30 days by the day": partial(series, path, month, DAY_S),
        "overview, 30 days by the hour": partial(series, path, month, 3600),
        "overview of two workspaces, by the day": partial(series, path, members, DAY_S),
        "summary": partial(summary, path, month),
        "by model": partial(groups, path, month, "model"),
        "by key": partial(groups, path, month, "key"),
        "by workspace": partial(groups, path, month, "workspace"),
        "by error": partial(groups, path, month, "error"),
        "by user": partial(groups, path, month, "user"),
        "by metadata:team": partial(groups, path, month, "metadata:team"),
        "users, by the day": partial(active, path, month, DAY_S),
        "requests by model, by the day": partial(series, path, month, DAY_S, "model"),
        "one key's month, by the day": partial(series, path, structs.replace(month, key="app-77"), DAY_S),
        "cost >= 0.0089 by model, from the records": partial(groups, path, structs.replace(month, min_cost_nano_usd=8_900_000), "model"),
    }


def middle_text(path: Path) -> str | None:
    for listed in list_page(path, Filters(payloads=True, limit=1000)).records:
        if listed.record.request is not None:
            return listed.record.request
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--directory", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        path = (options.directory or Path(made)) / "logs.db"
        until_s = int(time.time()) // DAY_S * DAY_S
        if not path.exists():
            spent = fill(path, options.records, until_s)
            size_mib = path.stat().st_size >> 20
            print(f"{options.records} records in {spent:.1f} s, {spent / options.records * 1e6:.1f} us each; {size_mib} MiB")
        late = []
        for name, ask in questions(path, options.records, until_s).items():
            taken = []
            for _ in range(options.rounds):
                started = time.perf_counter()
                ask()
                taken.append((time.perf_counter() - started) * 1000)
            print(f"{name:45} {sorted(taken)[len(taken) // 2]:7.1f} ms, the slowest {max(taken):7.1f}")
            late += [name] if max(taken) > BOUND_MS and not name.endswith(UNBOUNDED) else []
        raise SystemExit(f"over {BOUND_MS} ms: {', '.join(late)}" if late else 0)


if __name__ == "__main__":
    main()
