"""A log as the drain leaves it, for the tests of what the admin API reads of it."""

import random
import time
from pathlib import Path
from typing import Any

from fastgw.record.exporters import Batch
from fastgw.record.exporters.sqlite import SqliteLog
from fastgw.record.fields import Record
from tests.unit.record.making import record_of

SECOND_NS = 10**9
WORKSPACES = ("team-a", "team-b", "team-c")


def recorded(number: int, at_ns: int, **values: Any) -> Record:
    """One exchange that ended at a time."""
    milliseconds = f"{at_ns // 10**6:012x}"
    usual = {
        "id": f"{milliseconds[:8]}-{milliseconds[8:]}-7abc-8abc-{number:012x}", "started_ns": at_ns - 900_000_000,
        "finished_ns": 900_000_000,
    }
    return record_of(**(usual | values))


def many(count: int = 300, until_ns: int = 0) -> list[Record]:
    """Seeded exchanges over three workspaces, ten seconds apart, the last one ending `until_ns` (by default a minute ago)."""
    dice, until_ns = random.Random(7), until_ns or time.time_ns() - 60 * SECOND_NS
    return [
        recorded(
            at, until_ns - (count - 1 - at) * 10 * SECOND_NS, workspace=WORKSPACES[at % 3], key=f"app-{at % 5}",
            model=f"m{dice.randrange(3)}", status=(status := dice.choice([200, 200, 200, 429, 503])),
            outcome="served" if status == 200 else "failed", error="" if status == 200 else "upstream_status",
            cache=dice.choice(["", "hit", "miss"]), cost_nano_usd=dice.choice([-1, 1_000_000, 5_000_000]),
            trace_id=f"trace-{at}", flags=dice.choice(["", "streamed"]), request=f'{{"secretly":"word{at}"}}', reply="{}",
            detail={"metadata": {"_user": f"u{at % 4}@example.com", "team": f"t{at % 2}"},
                    "attempts": '"main/m";status=503;trouble="so;, \\"so";ms=12, "other/m";status=200;ms=7'},
        )
        for at in range(count)
    ]  # fmt: skip


def write(state: Path, records: list[Record]) -> None:
    """Add records to the log in a state directory, as the drain does."""
    log = SqliteLog(state / "logs.db")
    log.open()
    log.export(Batch(records, {}, 0))
    log.close()
