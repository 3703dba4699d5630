"""Take values out of a configuration of LiteLLM: references to the environment, times, numbers, names."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

from fastgw.imports.report import Report
from fastgw.snapshot.config import NAME_PATTERN

REFERENCE: Final = "os.environ/"
DURATION: Final = re.compile(r"([1-9][0-9]*)(s|m|h|d|w|mo)\Z")
SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "mo": 2_592_000}
MOST_DAYS: Final = 366


def reference_of(value: object) -> str | None:
    """The variable that "os.environ/NAME" means; None for anything else."""
    return value.removeprefix(REFERENCE) if isinstance(value, str) and value.startswith(REFERENCE) else None


def secret(value: object, place: str, report: Report) -> tuple[str, str] | None:
    """(what our file says, note) of a credential; None where it is none."""
    name = reference_of(value)
    if name is not None:
        return f"env:{name}", ""
    if not isinstance(value, str) or not value.strip():
        return None
    report.warn(f"{place} is a secret in plain text, and stays one: put it into a variable and write env:NAME")
    return value, "a secret in plain text"


def plain(value: object, environ: Mapping[str, str]) -> object:
    """A value that is no secret: what the environment says for a reference, None where it says nothing."""
    name = reference_of(value)
    return value if name is None else environ.get(name) or None


def number(value: object, environ: Mapping[str, str]) -> Decimal | None:
    """A number, also one that is written as text."""
    value = plain(value, environ)
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        read = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return read if read.is_finite() else None


def milliseconds(value: object, environ: Mapping[str, str]) -> int | None:
    """Seconds as milliseconds, within the limits of our file."""
    read = number(value, environ)
    return None if read is None or read <= 0 else max(1, min(int(read * 1000), 86_400_000))


def window(duration: object) -> str | None:
    """A budget's window in our words: "30d" stays, months and weeks are the calendar's; None where there is none alike."""
    match = DURATION.match(duration) if isinstance(duration, str) else None
    if match is None:
        return None
    count, unit = int(match[1]), match[2]
    if unit == "mo":
        return "month" if count == 1 else f"{count * 30}d" if count * 30 <= MOST_DAYS else None
    if count == 1 and unit in ("d", "w"):
        return {"d": "day", "w": "week"}[unit]
    days, left = divmod(count * SECONDS[unit], 86_400)
    return f"{days}d" if not left and 1 <= days <= MOST_DAYS else None


def name_of(text: str) -> str:
    """A name that our file takes: the text itself, or with "-" for what it does not."""
    if re.match(NAME_PATTERN, text):
        return text
    return re.sub(r"[^A-Za-z0-9._:/-]+", "-", text).strip("-")[:64] or "unnamed"


def texts(value: object) -> list[str]:
    """The texts of a list; one text is a list of it."""
    items = [value] if isinstance(value, str) else value
    return [item for item in items if isinstance(item, str)] if isinstance(items, list) else []


def table(value: object) -> dict[str, object]:
    """The members of a mapping whose keys are texts; empty for anything else."""
    return {name: item for name, item in value.items() if isinstance(name, str)} if isinstance(value, dict) else {}
