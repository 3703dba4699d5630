"""Recorded requests, replies and streams of the Responses API pass through the canonical types without loss."""

import copy
import json
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from openai.types.responses import Response

from fastgw.dialects.assembly import Assembler
from fastgw.dialects.canonical import Event, Request
from fastgw.dialects.framing import SPLITTERS
from fastgw.dialects.notes import Notes
from fastgw.dialects.openai_responses import DIALECT
from tests.feeding import same_however_fed
from tests.recordings import Recording, counted, skip_without_corpus
from tests.unit.dialects.openai_responses.responses_seen import (
    comparable,
    events_in,
    exchanges,
    parsed,
    seen_by_client,
    seen_in_reply,
    streamed,
)

# The recorded items of web searches have members that the client's own types do not allow: there its types cannot be the judge.
UNKNOWN_TO_CLIENT = ("test_openai_responses_model_web_search_tool_stream",)
# Recorded from a provider that left out the ends of two items: they come at the end, out of order.
OUT_OF_ORDER = ("test_openai_responses_model_mcp_list_tools_stream_backfills_missing_results",)


def normal(body: Any) -> Any:
    """A request's body in one of the ways that mean the same.

    * members that are null, empty lists and empty words are left out, as are stream: false, `text` that asks for text and `strict: null`
    * words as a string, and as a list of one part; a message's type; an input that is a string
    * the status of a reasoning item and of what the caller said: both are whole
    * generate_summary is the old name of summary
    """
    body = _without_nothing(copy.deepcopy(body))
    if isinstance(body.get("input"), str):
        body["input"] = [{"role": "user", "content": body["input"]}]
    for item in body["input"]:
        if "role" in item and item.get("type", "message") == "message":
            item.pop("type", None)
            if isinstance(item.get("content"), str):
                kind = "output_text" if item["role"] == "assistant" else "input_text"
                item["content"] = [{"type": kind, "text": item["content"]}]
        if item.get("type") == "reasoning" or item.get("role") == "user":
            item.pop("status", None)
        output = item.get("output")
        if isinstance(output, list) and len(output) == 1 and output[0]["type"] == "input_text":
            item["output"] = output[0]["text"]
    if body.get("stream") is False:
        del body["stream"]
    if body.get("text", {}).get("format") == {"type": "text"}:
        del body["text"]["format"]
    if "generate_summary" in body.get("reasoning", {}):
        body["reasoning"]["summary"] = body["reasoning"].pop("generate_summary")
    return _without_nothing(body)


def _without_nothing(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: _without_nothing(member) for name, member in value.items() if member is not None}
        return {name: member for name, member in kept.items() if member not in ("", []) and not (name == "text" and member == {})}
    return [_without_nothing(member) for member in value] if isinstance(value, list) else value


def asked(recording: Recording) -> Request:
    assert DIALECT.read_request is not None
    return DIALECT.read_request(copy.deepcopy(recording.request), "", False)


def read_stream(pieces: Iterable[bytes]) -> list[Event]:
    splitter, reader = SPLITTERS["sse"](), DIALECT.stream_reader()
    events: list[Event] = []
    for piece in pieces:
        for name, payload in splitter.feed(piece):
            events += reader.read(name, payload)
    for name, payload in splitter.finish():
        events += reader.read(name, payload)
    return events + reader.finish()


def is_stream(recording: Recording) -> bool:
    return recording.is_sse or recording.reply.startswith(b"event:")  # one recording has lost its content-type


def test_recorded_requests_come_back_as_they_were() -> None:
    """Reading and writing a recorded request leaves it what it was, and notes nothing."""
    skip_without_corpus()
    count = 0
    for recording in exchanges():
        notes = Notes()
        written = DIALECT.write_request(asked(recording), notes, frozenset())
        assert normal(json.loads(msgspec.json.encode(written))) == normal(recording.request), recording.name
        assert notes.dropped == [], recording.name
        count += 1
    counted(count, 351)


def test_recorded_replies_are_the_same_to_the_client() -> None:
    """Reading and writing a recorded response gives the official client the same items, status and usage."""
    skip_without_corpus()
    assert DIALECT.write_reply is not None
    count = 0
    for recording in exchanges():
        if recording.status != 200 or is_stream(recording):
            continue
        body = recording.json()
        if body["status"] == "queued":
            with pytest.raises(ValueError, match="queued"):
                DIALECT.read_reply(body)
            continue
        reply = DIALECT.read_reply(body)
        expected = comparable(seen_by_client(parsed(recording.reply)))
        assert comparable(seen_in_reply(reply)) == expected, recording.name
        written = msgspec.json.encode(DIALECT.write_reply(reply, asked(recording)))
        assert comparable(seen_by_client(parsed(written))) == expected, recording.name
        if not recording.name.split("--")[1].startswith(UNKNOWN_TO_CLIENT):
            Response.model_validate_json(written)
        count += 1
    counted(count, 271)


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # of recorded items that are not what the client's types say
def test_recorded_streams_are_what_the_client_makes_of_them() -> None:
    """A recorded stream, read and put together, is what the official client puts together; and so is the stream that is written of it."""
    skip_without_corpus()
    assert DIALECT.stream_writer is not None
    count = 0
    for recording in exchanges():
        if recording.status != 200 or not is_stream(recording):
            continue
        events = read_stream([recording.reply])
        assembler = Assembler()
        assembler.take(copy.deepcopy(events))
        assert assembler.failure is None
        found = [comparable(seen_in_reply(assembler.finish()), True)]
        writer = DIALECT.stream_writer(asked(recording))
        written = b"".join(writer.write([event]) for event in events) + writer.finish()
        test = recording.name.split("--")[1]
        events_in(written, is_checked=test not in UNKNOWN_TO_CLIENT)
        found.append(comparable(seen_by_client(streamed(written)), True))
        expected = comparable(seen_by_client(streamed(recording.reply)), True)
        if test in OUT_OF_ORDER:
            for seen in (*found, expected):
                seen["items"].sort(key=str)
        assert found == [expected, expected], recording.name
        count += 1
    counted(count, 51)


def test_recorded_streams_read_the_same_however_they_come() -> None:
    """The events of a stream do not depend on how the network cut it."""
    skip_without_corpus()
    for number, recording in enumerate(exchanges()):
        if recording.status == 200 and is_stream(recording) and len(recording.reply) < 60_000:
            same_however_fed(read_stream, recording.reply, seed=number, splits=3)


def test_recorded_errors_keep_their_words() -> None:
    """An error that a provider answered keeps its message, code and param, and has a kind."""
    skip_without_corpus()
    assert DIALECT.write_failure is not None
    count = 0
    for recording in exchanges():
        body = recording.decoded()
        stated = body.get("error") if isinstance(body, dict) else None
        if recording.status >= 400 and isinstance(stated, dict):
            failure = DIALECT.read_failure(recording.status, body)
            written = DIALECT.write_failure(failure, "req")["error"]
            assert isinstance(written, dict)
            assert (written["message"], written["param"]) == (stated["message"], stated.get("param")), recording.name
            if recording.status in (401, 404, 429):
                assert failure.kind in ("authentication", "not_found", "rate_limit", "billing"), recording.name
            count += 1
    counted(count, 2)
