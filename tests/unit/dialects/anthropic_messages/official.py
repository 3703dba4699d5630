"""The official client, answered from memory; and the recordings of this dialect."""

from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
from anthropic.types.beta import BetaMessage

from fastgw.dialects.anthropic_messages import DIALECT
from fastgw.dialects.canonical import Event, Request
from fastgw.dialects.sse import EventSplitter
from tests.recordings import Recording, recordings, skip_without_corpus

ASKED = Request("anthropic_messages", "claude-opus-5", [], max_tokens=10)


def client_of(body: bytes, content_type: str = "application/json", status: int = 200) -> anthropic.Anthropic:
    """A client whose every request has this reply."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, headers={"content-type": content_type}, content=body)

    transport = httpx2.Client(transport=httpx2.MockTransport(answer))
    return anthropic.Anthropic(api_key="k", max_retries=0, http_client=transport)


def whole(body: bytes) -> BetaMessage:
    """What the client makes of a whole reply."""
    return client_of(body).beta.messages.create(model="claude-opus-5", max_tokens=10, messages=[{"role": "user", "content": "?"}])


def streamed(body: bytes) -> BetaMessage:
    """What the client makes of a stream, at its end."""
    with client_of(body, "text/event-stream").beta.messages.stream(
        model="claude-opus-5", max_tokens=10, messages=[{"role": "user", "content": "?"}]
    ) as stream:
        return stream.get_final_message()


def members(message: Any) -> dict[str, Any]:
    """A message of the client's as plain values, without what it adds or what is not stated.

    An image, which the client has no type for, it keeps as it came and warns of.
    """
    found: dict[str, Any] = message.model_dump(by_alias=True, exclude_unset=True, warnings=False)
    for block in found["content"]:
        block.pop("parsed_output", None)
    return found


def events_of(pieces: list[bytes]) -> list[Event]:
    """The events that the dialect reads in a stream that comes in these pieces."""
    splitter, reader = EventSplitter(), DIALECT.stream_reader()
    events: list[Event] = []
    for piece in pieces:
        for name, payload in splitter.feed(piece):
            events += reader.read(name, payload)
    for name, payload in splitter.finish():
        events += reader.read(name, payload)
    return events + reader.finish()


def rewritten(events: list[Event]) -> bytes:
    """The stream that the dialect writes of these events."""
    assert DIALECT.stream_writer is not None
    writer = DIALECT.stream_writer(ASKED)
    return b"".join([writer.write([event]) for event in events]) + writer.finish()


def messages_recorded() -> Iterator[Recording]:
    """All that was recorded of the Messages API, at Anthropic and on Bedrock."""
    skip_without_corpus()
    yield from (exchange for exchange in recordings("anthropic", "messages") if isinstance(exchange.request, dict))
    for exchange in recordings("bedrock", "invoke", "invoke-stream"):
        if isinstance(exchange.request, dict) and "anthropic_version" in exchange.request:
            yield exchange
