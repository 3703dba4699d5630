"""The one list of what is recorded of an exchange: name, type, unit and meaning of each field.

The order is that of the Record struct in the ring, then the detail, then the payloads; tables, JSON lines and docs/records.md follow it.
"""
from typing import Annotated, NamedTuple, get_type_hints

from msgspec import Struct


class Column(NamedTuple):
    """How a field is kept and what it means."""

    sql_type: str
    unit: str
    meaning: str


def count(unit: str, meaning: str) -> Column:
    return Column("INTEGER", unit, meaning)


def text(meaning: str) -> Column:
    return Column("TEXT", "", meaning)


class Record(Struct, gc=False, kw_only=False):
    """One exchange, whether served, refused, failed, cancelled or lost.

    Points in time are nanoseconds after `started_ns`, -1 where the exchange did not get there.
    """

    id: Annotated[str, text("the request's id (UUIDv7), as in `x-fastgw-request-id`")]
    trace: Annotated[str, text("W3C trace id, 32 hexadecimal digits; empty where the caller sent none")]
    started_ns: Annotated[int, count("ns", "wall clock since 1970: the request's head is whole")]
    read_ns: Annotated[int, count("ns", "request read whole; after `sent_ns` where its body streams through")]
    admitted_ns: Annotated[int, count("ns", "key, limits and budget passed")]
    sent_ns: Annotated[int, count("ns", "upstream request handed to the kernel")]
    first_byte_ns: Annotated[int, count("ns", "first byte of the provider's reply")]
    replied_ns: Annotated[int, count("ns", "provider's reply whole")]
    finished_ns: Annotated[int, count("ns", "last bytes about to be handed to the kernel for the caller: the total time")]
    gateway_ns: Annotated[int, count("ns", "the gateway's own share of `finished_ns`")]
    input_tokens: Annotated[int, count("tokens", "all of the input, cached and audio included")]
    output_tokens: Annotated[int, count("tokens", "all of the output, reasoning and audio included")]
    cache_read_tokens: Annotated[int, count("tokens", "part of the input that came from the provider's cache")]
    cache_write_tokens: Annotated[int, count("tokens", "part of the input that was written to the provider's cache")]
    reasoning_tokens: Annotated[int, count("tokens", "part of the output that was reasoning")]
    audio_tokens: Annotated[int, count("tokens", "part of input and output that was audio")]
    cost_nano_usd: Annotated[int, count("nano-USD", "what the exchange cost; -1 where the price is unknown")]
    saved_nano_usd: Annotated[int, count("nano-USD", "what the reply would have cost had it not come from the gateway's cache")]
    request_bytes: Annotated[int, count("bytes", "the request's body")]
    reply_bytes: Annotated[int, count("bytes", "the reply's body, as sent to the caller")]
    status: Annotated[int, count("", "HTTP status sent to the caller; 0 where none was")]
    upstream_status: Annotated[int, count("", "HTTP status of the provider; 0 where none came")]
    outcome: Annotated[str, text("`served`, `refused` (the gateway said no), `failed` (the provider or the way to it), "
                                 "`cancelled` (the caller went away) or `lost` (the worker died)")]
    error: Annotated[str, text("code of the error, as in docs/errors.md; empty where there was none")]
    flags: Annotated[str, text("comma-separated: `streamed`, `estimated` (usage counted by the gateway), `clamped` "
                               "(output limited to what the budget pays for), `price_unknown`, `retried`, `tls`, "
                               "`detail_dropped` (it was too large, or the ring was full)")]
    attempts: Annotated[int, count("", "requests sent to targets, one after another; a transparent retry is none, but the flag `retried`")]
    retries: Annotated[int, count("", "of the attempts, how many asked the same target again")]
    cache: Annotated[str, text("the gateway's cache of responses: `hit`, `miss`, `refresh` (a fresh one was wanted, and kept) or "
                               "`bypass`; empty where none is in use")]
    operation: Annotated[str, text("what was asked for: `chat`, `embeddings`, `messages`, ...")]
    worker: Annotated[int, count("", "number of the worker that served it")]
    key: Annotated[str, text("name of the virtual key; empty where the caller is unknown")]
    workspace: Annotated[str, text("name of the workspace")]
    integration: Annotated[str, text("name of the integration that served it")]
    provider: Annotated[str, text("name of the provider; empty where no route was found")]
    model: Annotated[str, text("model as the caller named it")]
    upstream_model: Annotated[str, text("model as the provider was asked for it")]
    trace_id: Annotated[str, text("what `x-portkey-trace-id` said")]
    dialect: Annotated[str, text("dialect of the request")]
    detail: Annotated[dict[str, object] | None, text("a JSON object of what has no field of its own, see below")] = None
    request: Annotated[str | None, text("the request's body with secrets masked, where payloads are recorded")] = None
    reply: Annotated[str | None, text("the reply's body with secrets masked, where payloads are recorded")] = None

    @property
    def recorded_ns(self) -> int:
        """When the exchange ended, on the wall clock."""
        return self.started_ns + max(0, self.finished_ns)


COLUMNS: dict[str, Column] = {
    name: hint.__metadata__[0] for name, hint in get_type_hints(Record, include_extras=True).items()
}
PAYLOADS = ("request", "reply")
FIELDS = tuple(name for name in COLUMNS if name not in PAYLOADS)
