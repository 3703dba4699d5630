"""Write records for a terminal, one aligned line each and their attempts below it, or as JSON."""
from collections.abc import Iterator
from datetime import datetime

from fastgw.record.fields import Record
from fastgw.record.query import Listed

HEADS = (
    ("TIME", 23), ("STATUS", 6), ("OUTCOME", 9), ("KEY", 16), ("MODEL", 24), ("PROVIDER", 12), ("IN", 7), ("OUT", 7),
    ("COST USD", 11), ("TOTAL ms", 9), ("FIRST ms", 9), ("GW us", 7), ("NOTES", 0),
)
RIGHT = {"IN", "OUT", "COST USD", "TOTAL ms", "FIRST ms", "GW us", "STATUS"}


def heading() -> str:
    """Return the line of column names."""
    return " ".join(aligned(name, name, width) for name, width in HEADS).rstrip()


def line(listed: Listed) -> str:
    """Return one record as a line of text without control characters."""
    record = listed.record
    cells = (
        local_time(record.started_ns), str(record.status or "-"), record.outcome, record.key or "-",
        record.model or "-", record.provider or "-",
        str(record.input_tokens), str(record.output_tokens), dollars(record.cost_nano_usd),
        scaled(record.finished_ns, 1e6, 2), scaled(record.first_byte_ns, 1e6, 2), scaled(record.gateway_ns, 1e3, 0),
        ", ".join(notes(record)),
    )
    return " ".join(aligned(name, cell, width) for (name, width), cell in zip(HEADS, cells, strict=True)).rstrip()


def notes(record: Record) -> Iterator[str]:
    """Yield what most records have nothing of."""
    if record.error:
        yield record.error
    if record.cache == "hit":
        yield f"cache hit, saved {dollars(record.saved_nano_usd)}"
    if record.attempts > 1:
        yield f"{record.attempts} attempts"
    if record.retries:
        yield f"{record.retries} {'retry' if record.retries == 1 else 'retries'}"


def lines(listed: Listed) -> Iterator[str]:
    """Yield a record's line, and below it the attempts where there were several, or none because of who was passed over."""
    yield line(listed)
    record = listed.record
    if record.detail is not None and record.attempts != 1:
        for name in ("attempts", "passed_over"):
            if told := record.detail.get(name):
                yield f"    {name.replace('_', ' ')}: {printable(str(told))}"


def aligned(name: str, cell: str, width: int) -> str:
    """Pad to `width`, cut what is longer, and show what a terminal might obey as `?`."""
    shown = printable(cell)
    if width and len(shown) > width:
        shown = shown[:width - 1] + "…"
    return shown.rjust(width) if name in RIGHT else shown.ljust(width)


def printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


def local_time(at_ns: int) -> str:
    seconds, rest_ns = divmod(at_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S}.{rest_ns // 1_000_000:03d}"


def scaled(value_ns: int, unit_ns: float, digits: int) -> str:
    return "-" if value_ns < 0 else f"{value_ns / unit_ns:.{digits}f}"


def dollars(nano_usd: int) -> str:
    """Nine digits hold every nano-dollar; trailing zeros go down to six."""
    if nano_usd < 0:
        return "unknown"
    whole = f"{nano_usd // 1_000_000_000}.{nano_usd % 1_000_000_000:09d}"
    return whole.removesuffix("000")


