"""Records for a terminal: from the options of `fastgw logs` to lines."""
import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from msgspec import structs

from fastgw.record.filters import Filters
from fastgw.record.listing import heading, lines
from fastgw.record.query import MOST_RECORDS, Listed, QueryTooLong, RecordsUnavailable, follow_records, json_line, list_records

SECONDS = 60.0                 # somebody at a terminal would rather wait than take a shorter range
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class WrongFilter(ValueError):
    """An option says something that no record can be compared with."""


def show(path: Path, *, follow: bool, as_json: bool, status: str | None = None, since: str | None = None,
         **wanted: str | int | None) -> Iterator[str]:
    """Yield the lines, the latest last. raises WrongFilter, RuntimeError where there is no log"""
    code, status_class = parse_status(status)
    filters = Filters(status=code, status_class=status_class, since_ns=parse_since(since), **wanted)  # type: ignore[arg-type]  # click's own checks

    def write(listed: Listed) -> Iterator[str]:
        return iter([json_line(listed).decode()]) if as_json else lines(listed)

    try:
        # must come before the listing, so that what is written between the two is followed
        seen = max((listed.seq for listed in list_records(path, Filters(limit=1))), default=0)
        found = list_records(path, filters, SECONDS)
        if not as_json:
            yield heading()
        for listed in reversed(found):
            yield from write(listed)
        if follow:
            seen = max([seen, *(listed.seq for listed in found)])
            for listed in follow_records(path, structs.replace(filters, after=seen, limit=MOST_RECORDS)):
                yield from write(listed)
    except (RecordsUnavailable, QueryTooLong) as error:
        raise RuntimeError(str(error)) from error


def parse_status(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    if re.fullmatch(r"[1-5]xx", text.lower()):
        return None, int(text[0])
    if re.fullmatch(r"[0-9]{1,3}", text):
        return int(text), None
    raise WrongFilter(f"expected a status such as 429 or a class such as 4xx, got {text!r}")


def parse_since(text: str | None) -> int | None:
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    if match:
        return max(0, time.time_ns() - int(match[1]) * UNITS_S[match[2]] * 10**9)
    try:
        return max(0, int(datetime.fromisoformat(text).astimezone().timestamp()) * 10**9)
    except (ValueError, OverflowError) as error:
        raise WrongFilter(f"expected 15m, 2h, 3d or a time such as 2026-11-23T10:00:00Z, got {text!r}") from error
