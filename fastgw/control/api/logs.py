"""The records of exchanges: a page of them, one with its bodies, those that come in, and all as lines of JSON."""

import re
from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct, structs
from starlette.responses import StreamingResponse

from fastgw.control.api.asked import QUERY, Sight, ask, asked_of, sight_of
from fastgw.control.api.call import Answer, Call, moment
from fastgw.control.api.endpoint import JSON, Endpoint
from fastgw.control.api.problem import ApiError, invalid, missing
from fastgw.control.api.resource import MOST_LISTED, USUAL_LISTED, read_cursor, write_cursor
from fastgw.record.fields import Record
from fastgw.record.filters import LAST_SEQ, USER, Filters
from fastgw.record.query import Listed, Page, find_record, list_page, list_since

LIST, VIEW, EXPORT = "logs.list", "logs.view", "logs.export"
EXPORTED_AT_ONCE: Final = 500   # records that are in memory while an export runs
JSON_LINES: Final = "application/x-ndjson"
# Beyond 2^53 a number is not the same everywhere that JSON is read.
TEXT_NUMBERS: Final = ("started_ns",)
TRAIL: Final = re.compile(r'"((?:[^"\\]|\\.)*)"((?:;[a-z_]+=(?:"(?:[^"\\]|\\.)*"|[^;,"]+))*)')
TOLD: Final = re.compile(r';([a-z_]+)=(?:"((?:[^"\\]|\\.)*)"|([^;,"]+))')


class LogLine(Struct, kw_only=True):
    """One exchange, as lists show it; docs/records.md says what each member means."""

    id: str
    seq: Annotated[str, Meta(description="when it ended, in nanoseconds since 1970, as text: its place in the log")]
    at: str
    workspace: str
    key: str
    user: str | None
    model: str
    upstream_model: str
    provider: str
    integration: str
    operation: str
    status: int
    outcome: str
    error: str
    streamed: bool
    cache: str
    attempts: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    total_ms: float | None
    gateway_ms: float | None
    first_byte_ms: float | None
    trace_id: str


class Timings(Struct):
    """When each step was done, in milliseconds from the exchange's start; null where it did not get there."""

    read_ms: float | None
    admitted_ms: float | None
    sent_ms: float | None
    first_byte_ms: float | None
    replied_ms: float | None
    finished_ms: float | None


class Tokens(Struct):
    """Tokens by kind; those of caches, reasoning and audio are parts of the first two."""

    input: int
    output: int
    cache_read: int
    cache_write: int
    reasoning: int
    audio: int


class LogWhole(LogLine, kw_only=True):
    """One exchange with all that is known of it."""

    timings: Timings
    tokens: Tokens
    trace: str
    started_ns: str
    upstream_status: int
    flags: list[str]
    retries: int
    saved_usd: float
    request_bytes: int
    reply_bytes: int
    dialect: str
    worker: int
    detail: dict[str, object]
    request: str | None
    reply: str | None


class LogPage(Struct):
    """Records, the latest first; is_cut: the time was over before the page was full, and `next` goes on from there."""

    data: list[LogLine]
    next: str | None
    is_cut: bool
    total: None = None          # counting them would take longer than reading them


class LogTail(Struct):
    """What came in, the oldest first; last: what to ask for next time."""

    data: list[LogLine]
    last: str


class Logs:
    """Records, read from the file that the drain writes."""

    def __repr__(self) -> str:
        return "<Logs>"

    def endpoints(self) -> list[Endpoint]:
        rows = (
            ("/logs", self.list_lines, "List exchanges, the latest first", LIST, LogPage, (*QUERY, "limit", "cursor")),
            ("/logs/live", self.tail, "Exchanges that ended after one; without one, where the log is now", LIST, LogTail,
             (*QUERY, "limit", "after")),
            ("/logs/export", self.export, "All exchanges as lines of JSON, the latest first", EXPORT, str, (*QUERY, "format", "payloads")),
            ("/logs/{log}", self.read, "One exchange with what was recorded of its bodies", VIEW, LogWhole, ()),
        )
        return [
            Endpoint(method="GET", path=path, run=run, summary=summary, scope=scope, uses="none", reply=reply, query=query, tag="logs",
                     media=JSON_LINES if reply is str else JSON, codes=("query_too_long", "unavailable"))
            for path, run, summary, scope, reply, query in rows
        ]  # fmt: skip

    async def list_lines(self, call: Call) -> Answer:
        filters, _ = await asked_of(call, LIST, ("limit", "cursor"))
        filters = structs.replace(filters, limit=call.integer("limit", USUAL_LISTED, 1, MOST_LISTED), after=after_cursor(call))
        page = await ask(call, Page([], None), partial(list_page, filters=filters))
        following = None if page.after is None else write_cursor(str(page.after))
        return Answer(LogPage([line_of(one) for one in page.records], following, page.is_cut))

    async def tail(self, call: Call) -> Answer:
        filters, _ = await asked_of(call, LIST, ("limit", "after"))
        after = call.integer("after", 0, 0, LAST_SEQ - 1) if "after" in call.query else None
        filters = structs.replace(filters, limit=call.integer("limit", MOST_LISTED, 1, MOST_LISTED), after=after)
        page = await ask(call, Page([], after or 0), partial(list_since, filters=filters))
        return Answer(LogTail([line_of(one) for one in page.records], str(page.after)))

    async def read(self, call: Call) -> Answer:
        sight, record_id = await sight_of(call, VIEW), call.path["log"]
        seen = partial(find_record, record_id=record_id, workspaces=sight.workspaces, own_keys=sight.own_keys)
        found = await ask(call, None, seen)
        if found is None:
            raise missing("exchange", record_id[:100])
        return Answer(whole_of(found, sight.is_whole(found.record.workspace)))

    async def export(self, call: Call) -> Answer:
        filters, sight = await asked_of(call, EXPORT, ("format", "payloads"))
        if (asked := call.query.get("format", "jsonl")) != "jsonl":
            raise invalid("?format", "jsonl", repr(asked[:40]))
        if (payloads := call.query.get("payloads", "false")) not in ("true", "false"):
            raise invalid("?payloads", "true or false", repr(payloads[:40]))
        bodies = await sight_of(call, VIEW) if payloads == "true" else Sight(frozenset())
        filters = structs.replace(filters, limit=EXPORTED_AT_ONCE, payloads=payloads == "true")
        # before the reply begins, so that what is wrong with the question is said in the API's words
        first = await ask(call, Page([], None), partial(list_page, filters=filters))
        fields = {"content-disposition": 'attachment; filename="fastgw-logs.jsonl"'}
        return Answer(StreamingResponse(pages(call, filters, first, bodies), 200, fields, JSON_LINES))


async def pages(call: Call, filters: Filters, page: Page, bodies: Sight) -> AsyncIterator[bytes]:
    """A page of lines at a time, each read when the one before was taken; a last line with `error` says that more is missing."""
    while True:
        if page.records:
            yield b"".join(exported(listed, bodies.is_whole(listed.record.workspace)) for listed in page.records)
        if page.after is None:
            return
        try:
            page = await ask(call, Page([], None), partial(list_page, filters=structs.replace(filters, after=page.after)))
        except ApiError as error:
            yield msgspec.json.encode(error.body(call.request_id)) + b"\n"
            return


def exported(listed: Listed, has_bodies: bool) -> bytes:
    """A line with the fields of docs/records.md, large numbers as text."""
    record = structs.asdict(listed.record)
    record |= {name: str(record[name]) for name in TEXT_NUMBERS}
    if not has_bodies:
        del record["request"], record["reply"]
    return msgspec.json.encode({"seq": str(listed.seq), **record}) + b"\n"


def after_cursor(call: Call) -> int | None:
    text = call.query.get("cursor")
    if text is None:
        return None
    seq = read_cursor(text)
    if not seq.isascii() or not seq.isdigit() or int(seq[:20]) > LAST_SEQ:
        raise invalid("?cursor", "what `next` of the page before said", repr(text[:40]))
    return int(seq)


def line_of(listed: Listed) -> LogLine:
    return LogLine(**members_of(listed))  # type: ignore[arg-type]  # members by their names


def members_of(listed: Listed) -> dict[str, object]:
    record = listed.record
    members: dict[str, object] = {
        name: getattr(record, name) for name in LogLine.__struct_fields__ if name in Record.__struct_fields__
    }
    metadata = (record.detail or {}).get("metadata")
    return members | {
        "seq": str(listed.seq),
        "at": moment(listed.seq),
        "user": metadata.get(USER) if isinstance(metadata, dict) else None,
        "streamed": "streamed" in record.flags,
        "cost_usd": None if record.cost_nano_usd < 0 else record.cost_nano_usd / 1e9,
        "total_ms": milliseconds(record.finished_ns),
        "gateway_ms": milliseconds(record.gateway_ns),
        "first_byte_ms": milliseconds(record.first_byte_ns),
        "trace_id": record.trace_id or record.trace,
    }


def whole_of(listed: Listed, has_bodies: bool) -> LogWhole:
    record = listed.record
    detail = dict(record.detail or {})
    for name in ("attempts", "passed_over"):
        if isinstance(text := detail.get(name), str):
            detail[name] = steps_of(text)
    return LogWhole(
        **members_of(listed),  # type: ignore[arg-type]  # members by their names
        timings=Timings(*(milliseconds(getattr(record, f"{name.removesuffix('_ms')}_ns")) for name in Timings.__struct_fields__)),
        tokens=Tokens(*(getattr(record, f"{name}_tokens") for name in Tokens.__struct_fields__)),
        trace=record.trace,
        started_ns=str(record.started_ns),
        upstream_status=record.upstream_status,
        flags=[flag for flag in record.flags.split(",") if flag],
        retries=record.retries,
        saved_usd=record.saved_nano_usd / 1e9,
        request_bytes=record.request_bytes,
        reply_bytes=record.reply_bytes,
        dialect=record.dialect,
        worker=record.worker,
        detail=detail,
        request=record.request if has_bodies else None,
        reply=record.reply if has_bodies else None,
    )


def steps_of(trail: str) -> list[dict[str, object]]:
    """The members of a list as docs/routing.md has it, each with its parameters."""
    return [
        {"target": unquoted(target)} | {name: unquoted(quoted) if not word else int(word) if word.isdigit() else word
                                        for name, quoted, word in TOLD.findall(rest)}
        for target, rest in TRAIL.findall(trail)
    ]


def unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def milliseconds(ns: int) -> float | None:
    return None if ns < 0 else round(ns / 1e6, 3)
