"""The table of exporters: a new one is a file beside this and a row here."""
from collections.abc import Callable
from typing import NamedTuple

from fastgw.record.exporters import Exporter
from fastgw.record.options import DrainOptions


class Row(NamedTuple):
    """An exporter's name and how it is made; None where the options do not want it."""

    name: str
    make: Callable[[DrainOptions], Exporter | None]


def make_sqlite(options: DrainOptions) -> Exporter | None:
    if not options.sqlite:
        return None
    # here and below: what an exporter needs is not loaded where nobody wants it
    from fastgw.record.exporters.sqlite import SqliteLog

    return SqliteLog(options.state / "logs.db", options.retention_days, options.retention_bytes)


def make_jsonl(options: DrainOptions) -> Exporter | None:
    if options.jsonl_path is None:
        return None
    from fastgw.record.exporters.jsonl import JsonLines

    return JsonLines(options.jsonl_path, options.jsonl_rotate_bytes, options.jsonl_keep)


def make_prometheus(options: DrainOptions) -> Exporter | None:
    if not options.prometheus:
        return None
    from fastgw.record.exporters.prometheus import Counters

    return Counters(options.models)


def make_otlp(options: DrainOptions) -> Exporter | None:
    if options.otlp is None:
        return None
    from fastgw.record.exporters.otlp import OtlpTraces

    return OtlpTraces(options.otlp)


EXPORTERS = (
    Row("sqlite", make_sqlite),
    Row("jsonl", make_jsonl),
    Row("prometheus", make_prometheus),
    Row("otlp", make_otlp),
)


def make_exporters(options: DrainOptions) -> list[Exporter]:
    """Make every exporter that the options want; none of them opens anything yet."""
    made = (row.make(options) for row in EXPORTERS)
    return [exporter for exporter in made if exporter is not None]
