"""One exchange between two dialects: the caller's body to the provider's, the provider's reply, stream or error to the caller's.

Pure: bytes in, bytes out, no I/O. A Translation is made for each attempt and holds what its stream needs.
"""

from typing import Literal

import msgspec

from fastgw.dialects.assembly import Assembler, events_of
from fastgw.dialects.canonical import (
    TOO_LONG,
    Broke,
    Delta,
    Dialect,
    Event,
    Failure,
    Reply,
    Request,
    StreamWriter,
    Usage,
    UsageStated,
)
from fastgw.dialects.framing import SPLITTERS
from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import an_object
from fastgw.errors import GatewayError, error

DEFAULT_LIMIT_TOKENS = 4096  # where a dialect must state a limit, and neither the caller nor the price table does

Policy = Literal["pass", "drop", "error"]
_decode = msgspec.json.decode
_encode = msgspec.json.encode


class NotOfDialect(ValueError):
    """A reply is none of the dialect that the provider was asked in."""


class Asked(msgspec.Struct, frozen=True):
    """What the caller's path and the target say beside the body.

    model          the provider's name of the model
    stream, array  the caller wants a stream; as one JSON array (Gemini)
    quirks         of the provider's row
    policy         for what the provider's dialect cannot carry
    target         name of the target, for messages
    limit          output tokens that admission allows, -1 where it sets none
    most_output    the model's own limit, 0 unknown
    compliance     of a chat's reply with what OpenAI defines: "strict" or "blocks", "" as the dialect has it
    beta           what the caller's field anthropic-beta says, for platforms that want it in the body
    """

    model: str
    stream: bool
    array: bool = False
    quirks: frozenset[str] = frozenset()
    policy: Policy = "drop"
    target: str = ""
    limit: int = -1
    most_output: int = 0
    beta: str = ""
    compliance: str = ""


class TranslatedStream:
    """A provider's stream on its way to the caller, who gets a stream too, or all of it at the end where none was asked for."""

    __slots__ = ("_assembler", "_client", "_reader", "_request", "_splitter", "_writer", "failure", "text_bytes", "usage")

    def __init__(self, client: Dialect, upstream: Dialect, request: Request) -> None:
        self._client = client
        self._request = request
        self._splitter = SPLITTERS[upstream.stream_framing]()
        self._reader = upstream.stream_reader()
        self._writer: StreamWriter | None = None
        self._assembler = Assembler()
        if request.stream:
            assert client.stream_writer is not None
            self._writer = client.stream_writer(request)
        self.failure: Failure | None = None
        self.usage: Usage | None = None
        self.text_bytes = 0

    def __repr__(self) -> str:
        return f"<TranslatedStream to {self._client.name}, {self.text_bytes} bytes of text>"

    def feed(self, piece: bytes) -> bytes:
        """The next bytes of the provider's, as bytes of the caller's. After `failure` is set nothing more comes."""
        if self.failure is not None:
            return b""
        try:
            framed = self._splitter.feed(piece)
        except ValueError as problem:
            return self._take([Broke(Failure(502, "server", str(problem)))])
        events: list[Event] = []
        for name, payload in framed:
            events += self._reader.read(name, payload)
        return self._take(events) if events else b""

    def finish(self) -> bytes:
        """The provider's stream has ended: the rest of the caller's.

        raises NotOfDialect where it broke and the caller, who wanted no stream, has not had a byte
        """
        rest = b""
        if self.failure is None:
            rest = self._take(self._last())
        if self._writer is not None:
            return rest + self._writer.finish()
        if self.failure is not None:
            raise NotOfDialect(self.failure.message)
        assert self._client.write_reply is not None
        return _encode(self._client.write_reply(self._assembler.finish(), self._request))

    def abort(self, failure: Failure) -> bytes:
        """The stream was cut: what tells a caller who has a part of it."""
        return self._take([Broke(failure)]) if self.failure is None else b""

    def _last(self) -> list[Event]:
        events: list[Event] = []
        try:
            framed = self._splitter.finish()
        except ValueError as problem:
            return [Broke(Failure(502, "server", str(problem)))]
        for name, payload in framed:
            events += self._reader.read(name, payload)
        return events + self._reader.finish()

    def _take(self, events: list[Event]) -> bytes:
        for event in events:
            if isinstance(event, Delta):
                self.text_bytes += len(event.text)
            elif isinstance(event, UsageStated):
                self.usage = event.usage
            elif isinstance(event, Broke):
                self.failure = event.failure
        if self._writer is not None:
            return self._writer.write(events)
        self._assembler.take(events)
        return b""


class Translation:
    """One attempt. body: what goes to the provider; dropped: what of the request had no place in it. answer, usage: of a whole reply."""

    __slots__ = ("_client", "_request", "_upstream", "answer", "body", "dropped", "failure", "usage")

    def __init__(self, client: Dialect, upstream: Dialect, request: Request, body: bytes, dropped: list[str]) -> None:
        self._client = client
        self._upstream = upstream
        self._request = request
        self.body = body
        self.dropped = dropped
        self.answer: Reply | None = None
        self.usage: Usage | None = None
        self.failure: Failure | None = None

    def __repr__(self) -> str:
        return f"<Translation of {self._client.name} to {self._upstream.name}>"

    @property
    def content_type(self) -> str:
        """Of the reply to the caller."""
        return "text/event-stream" if self._request.stream and not self._request.stream_array else "application/json"

    def reply(self, body: bytes) -> bytes:
        """A whole reply of the provider, as the caller wants it: whole, or as a stream. raises NotOfDialect"""
        try:
            decoded = _decode(body)
            if isinstance(decoded, list):
                reply = self._joined(decoded)
            elif isinstance(decoded, dict):
                reply = self._upstream.read_reply(decoded)
            else:
                raise ValueError("not a JSON object")
        except (msgspec.DecodeError, ValueError, RecursionError) as problem:
            raise NotOfDialect(str(problem)) from problem
        self.usage = reply.usage
        self.answer = reply
        if self._request.stream:
            assert self._client.stream_writer is not None
            writer = self._client.stream_writer(self._request)
            return writer.write(events_of(reply)) + writer.finish()
        assert self._client.write_reply is not None
        return _encode(self._client.write_reply(reply, self._request))

    def _joined(self, pieces: list[object]) -> Reply:
        """The reply of a stream that came as one array of its events, as Gemini's does where alt=sse was lost on the way."""
        reader, assembler = self._upstream.stream_reader(), Assembler()
        for piece in pieces:
            assembler.take(reader.read("", _encode(piece)))
        assembler.take(reader.finish())
        if assembler.failure is not None:
            raise NotOfDialect(assembler.failure.message)
        return assembler.finish()

    def error(self, status: int, body: bytes, request_id: str, code: str = "") -> bytes:
        """An error of the provider, in the caller's dialect; `failure` then says what it was. code: what its head says of it."""
        self.failure = read_failure(self._upstream, status, body, code)
        assert self._client.write_failure is not None
        return _encode(self._client.write_failure(self.failure, request_id))

    def stream(self) -> TranslatedStream:
        """The provider's reply is a stream."""
        return TranslatedStream(self._client, self._upstream, self._request)


def translate(client: Dialect, upstream: Dialect, body: bytes, asked: Asked) -> Translation:
    """Read a request of one dialect and write it in another.

    raises  InvalidRequest with the path of what is wrong in the caller's body; UnsupportedParameter by the policy `error`, and for what
            is bound to a provider of the caller's dialect
    """
    assert client.read_request is not None
    try:
        decoded = an_object(_decode(body), "$")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise error("InvalidRequest", f"expected a JSON object: {problem}") from problem
    if asked.beta:
        decoded.setdefault("anthropic_beta", asked.beta)
    request = client.read_request(decoded, asked.model, asked.stream)
    if request.bound and upstream.name != client.name:
        bound, why = next(iter(request.bound.items()))
        raise error("UnsupportedParameter", f"{bound} cannot go to {asked.target or 'the target'}, which speaks another dialect: {why}",
                    param=bound)
    request.model = asked.model
    request.stream_array = asked.array
    if asked.limit >= 0:
        # a limit that the target put in holds where it is the lower one
        request.max_tokens = min(request.max_tokens or asked.limit, asked.limit)
    elif request.max_tokens is None and upstream.wants_limit:
        request.max_tokens = asked.most_output or DEFAULT_LIMIT_TOKENS
    assert client.names_of is not None
    notes = Notes(asked.policy, asked.target, client.names_of(request, decoded))
    written = upstream.write_request(request, notes, asked.quirks)
    for name, value in request.extra.items():
        if name in written:
            continue  # the provider's dialect knows it
        if asked.policy == "pass":
            written[name] = value
        else:
            notes.drop(name)
    if asked.policy == "pass":
        for name in [one for one in notes.dropped if one in decoded]:
            written.setdefault(name, decoded[name])
            notes.dropped.remove(name)
    return Translation(client, upstream, request, _encode(written), notes.dropped)


def read_failure(upstream: Dialect, status: int, body: bytes, code: str = "") -> Failure:
    """What an error body of a provider says, whatever it is; `code` stands in the head instead (x-amzn-errortype)."""
    try:
        decoded: object = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        decoded = body[:2000].decode("utf-8", "replace") or None
    if code and isinstance(decoded, dict):
        decoded.setdefault("__type", f"#{code}")
    if isinstance(decoded, list) and decoded:
        decoded = decoded[0]        # a stream of Gemini's that was to be one array
    failure = upstream.read_failure(status, decoded)
    failure.message = failure.message or f"the provider answered {status} without a reason"
    return failure


# Failure kinds as the error's type in the OpenAI, Anthropic and Gemini dialect.
KINDS: dict[str, tuple[str, str, str]] = {
    "invalid_request": ("invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"),
    "context_window": ("invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"),
    "content_policy": ("invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"),
    "too_large": ("invalid_request_error", "request_too_large", "INVALID_ARGUMENT"),
    "not_found": ("invalid_request_error", "not_found_error", "NOT_FOUND"),
    "rate_limit": ("rate_limit_error", "rate_limit_error", "RESOURCE_EXHAUSTED"),
    "billing": ("insufficient_quota", "billing_error", "FAILED_PRECONDITION"),
    "overloaded": ("server_error", "overloaded_error", "UNAVAILABLE"),
    "timeout": ("server_error", "timeout_error", "DEADLINE_EXCEEDED"),
}


def problem_of(failure: Failure, integration: str) -> GatewayError:
    """A provider's error that came in the place of a stream, as one of ours with the provider's status."""
    said = f"integration {integration!r}: {failure.message}"
    problem = error("UpstreamStatus", f"{TOO_LONG}: {said}" if failure.kind == "context_window" else said)
    if failure.status >= 400:
        problem.status = failure.status
    problem.kinds = KINDS.get(failure.kind, problem.kinds)
    return problem


def failure_of(problem: GatewayError) -> Failure:
    """One of our errors that breaks a stream, as its writer takes it."""
    return Failure(problem.status, "timeout" if problem.status == 504 else "server", problem.message, problem.code)
