"""Broken and hostile streams of every provider's dialect: to each caller they end whole, or in exactly one error that comes last.

Never an exception, never silence. The streams are those of the golden cases, cut, torn, swapped and spoiled.
"""

import json
import random
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastgw.dialects.sse import MOST_EVENT_BYTES
from fastgw.dialects.table import dialect_of
from fastgw.dialects.translate import Asked, NotOfDialect, TranslatedStream, translate
from tests.feeding import split_at_random
from tests.messages import message, text_header
from tests.unit.dialects.golden import CLIENTS, PAIRS, UPSTREAMS, events_in, framed, load

SCENARIOS = ("text", "tools", "thinking", "refusal")
# A value of each kind of JSON, in the place of every other.
ODD: tuple[Any, ...] = (None, True, 7, -1, 1.5, 10**30, "x", "", [], [[]], {}, {"a": {}}, [None], ["x"], [{}])
WHOLE = {
    "openai_chat": {"[DONE]"}, "anthropic_messages": {"message_stop"},
    "openai_responses": {"response.completed", "response.incomplete", "response.failed"},
}


@cache
def events_of(upstream: str, scenario: str) -> list[Any]:
    """The events of a golden stream."""
    found: list[Any] = load("providers", upstream)[scenario]["stream"]
    return found


@cache
def request_of(client: str, stream: bool) -> bytes:
    """A caller's request."""
    body = load("callers", client)["text"] | ({"stream": True} if stream else {})
    return json.dumps(body if client == "gemini_generate" else {"model": "m", **body}).encode()


def opened(client: str, upstream: str, stream: bool = True) -> TranslatedStream:
    """A new stream between two dialects."""
    return translate(dialect_of(client), dialect_of(upstream), request_of(client, stream), Asked("m", stream)).stream()


def ends(client: str, events: list[Any]) -> tuple[bool, bool]:
    """(ends whole, ends in an error), after it was seen that no error comes before the end."""
    failed = [at for at, (name, payload) in enumerate(events) if name == "error" or isinstance(payload, dict) and payload.get("error")]
    name, payload = events[-1]
    if client == "openai_responses":
        # both ends that a broken response has: the event, and the failed response
        kinds = [event[0] for event in events]
        assert kinds.count("error") <= 1 and (kinds[-2:] == ["error", "response.failed"]) == ("error" in kinds), kinds
        return name in WHOLE[client] and "error" not in kinds, "error" in kinds
    assert failed in ([], [len(events) - 1]), events
    if client == "gemini_generate":
        return not failed and any(one.get("finishReason") for _, piece in events for one in piece.get("candidates") or []), bool(failed)
    return not failed and (payload if isinstance(payload, str) else name) in WHOLE[client], bool(failed)


def judged(client: str, upstream: str, pieces: list[bytes]) -> bool:
    """Feed a stream and hold the caller's to its promises. Return whether it ended in an error."""
    stream = opened(client, upstream)
    out = b""
    for piece in pieces:
        out += stream.feed(piece)
    if stream.failure is not None:
        assert stream.feed(b"data: {}\n\n") == b""
    out += stream.finish()
    found = events_in(out)
    assert found, "the caller was left in silence"
    is_whole, is_error = ends(client, found)
    assert is_whole != is_error, found[-2:]
    # a model that ends with an error has none but an event of that for callers of messages
    assert is_error == (stream.failure is not None) or is_error and client == "anthropic_messages"
    unasked = opened(client, upstream, False)
    try:
        assert not any(unasked.feed(piece) for piece in pieces)
        json.loads(unasked.finish())
        assert stream.failure is None
    except NotOfDialect:
        assert stream.failure is not None
    return stream.failure is not None


def for_all(upstream: str, pieces: list[bytes]) -> set[bool]:
    """To callers of all dialects."""
    return {judged(client, upstream, pieces) for client in CLIENTS}


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_whole_stream_ends_whole(client: str, upstream: str, scenario: str) -> None:
    """What is right is not taken for broken."""
    assert not judged(client, upstream, [framed(upstream, events_of(upstream, scenario))])


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_cut_stream_ends_in_an_error(upstream: str, scenario: str) -> None:
    """A stream that is cut after any of its events, or within one, ends in an error until it has said why it ended."""
    events = events_of(upstream, scenario)
    ended = [for_all(upstream, [framed(upstream, events[:count])]) for count in range(len(events) + 1)]
    assert ended[0] == {True} and ended[-1] == {False}
    assert all(len(answers) == 1 for answers in ended), "callers of different dialects were told different things"
    assert ended == sorted(ended, key=lambda answers: True not in answers), "a longer part was broken, a shorter one not"
    stream = framed(upstream, events)
    for at in range(0, len(stream), max(1, len(stream) // 40)):
        for_all(upstream, [stream[:at]])


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_error_event_ends_a_stream_wherever_it_comes(upstream: str) -> None:
    """First, in the middle or last: one error, with the provider's words, and nothing after it."""
    events, failure = events_of(upstream, "text"), events_of(upstream, "error")[-1]
    for at in range(len(events)):
        stream = framed(upstream, [*events[:at], failure, *events[at:]])
        for client in CLIENTS:
            out = opened(client, upstream)
            said = out.feed(stream) + out.finish()
            if out.failure is None:     # after the provider had said that it ended
                assert for_all(upstream, [framed(upstream, events[:at])]) == {False}
            else:
                assert json.dumps(out.failure.message)[1:-1].encode() in said
        for_all(upstream, [stream])


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_events_may_be_missing_doubled_or_swapped(upstream: str, scenario: str) -> None:
    """Missing starts, duplicate ends, events out of order and two streams in one are survived."""
    events = events_of(upstream, scenario)
    for at in range(len(events)):
        for_all(upstream, [framed(upstream, events[:at] + events[at + 1:])])
        for_all(upstream, [framed(upstream, [*events[:at], events[at], *events[at:]])])
    for_all(upstream, [framed(upstream, events[::-1])])
    for_all(upstream, [framed(upstream, [*events, *events])])
    rng = random.Random(upstream)
    for _ in range(30):
        shuffled = events[:]
        rng.shuffle(shuffled)
        for_all(upstream, split_at_random(framed(upstream, shuffled), rng))


def spoiled(value: Any, odd: Any) -> Iterator[Any]:
    """The value with each of its members, at any depth, replaced by something odd, and without it."""
    yield odd
    items = list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    for name, member in items:
        for other in spoiled(member, odd):
            copy = dict(value) if isinstance(value, dict) else list(value)
            copy[name] = other
            yield copy
        if isinstance(value, dict):
            yield {key: kept for key, kept in value.items() if key != name}


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_member_may_be_of_any_type(upstream: str, scenario: str) -> None:
    """Whatever stands in the place of whatever member of whatever event, no caller sees a crash."""
    events = events_of(upstream, scenario)
    rng = random.Random(f"{upstream} {scenario}")
    for at, (name, payload) in enumerate(events):
        if isinstance(payload, str):
            continue
        for odd in rng.sample(ODD, 4):
            for other in spoiled(payload, odd):
                if upstream == "bedrock_converse" and name.startswith("exception:") and not isinstance(other, dict):
                    continue
                stream = framed(upstream, [*events[:at], [name, other], *events[at + 1:]])
                judged(rng.choice(CLIENTS), upstream, [stream])


KINDS = {
    upstream: sorted({name for scenario in (*SCENARIOS, "error") for name, _ in events_of(upstream, scenario)}) for upstream in UPSTREAMS}
WORDS = sorted({"index", "type", "delta", "text", "choices", "message", "content", "id", "usage", "error", "candidates", "parts", "item",
                "response", "output_index", "contentBlockIndex", "start", "toolUse", "input", "finish_reason", "tool_calls", "function",
                "name", "arguments", "thinking", "reasoningContent", "content_block", "item_id", "part", "summary_index", "stop_reason"})
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.sampled_from(WORDS) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4), max_leaves=12)


@pytest.mark.parametrize("upstream", UPSTREAMS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_events_at_all(upstream: str, data: st.DataObject) -> None:
    """Events of any name and content, between those of a good stream or alone."""
    odd = data.draw(st.lists(st.tuples(st.sampled_from([*KINDS[upstream], "no such event"]), JSON), max_size=6))
    events = events_of(upstream, data.draw(st.sampled_from(SCENARIOS)))
    at = data.draw(st.integers(0, len(events)))
    rest = data.draw(st.sampled_from([[], events[at:]]))
    pieces = [[name, payload if isinstance(payload, dict) else {"type": name, "value": payload}] for name, payload in odd]
    judged(data.draw(st.sampled_from(CLIENTS)), upstream, [framed(upstream, [*events[:at], *pieces, *rest])])


def raw_event(upstream: str, name: str, payload: bytes) -> bytes:
    """One event with a payload of any bytes."""
    if upstream == "bedrock_converse":
        return message(text_header(":event-type", name) + text_header(":message-type", "event"), payload)
    return (f"event: {name}\n" if name else "").encode() + b"data: " + payload + b"\n\n"


GARBAGE = (b"{", b"nonsense", b"[]", b"null", b'"text"', b"7", b'{"a":', b"\xff\xfe", b'{"type":"\xff"}',
           b'{"text":"\xed\xa0\x80"}', b'{"a":"\\ud800"}', b"[" * 5000, b'{"a":' * 5000,
           b'{"index":1e400}', b'{"index":99999999999999999999999}', b"\x00", b"{}{}", b"NaN")


@pytest.mark.parametrize("payload", GARBAGE, ids=lambda payload: repr(payload[:16]))
@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_garbage_is_no_crash(upstream: str, payload: bytes) -> None:
    """What is no JSON, no UTF-8 or nothing but brackets ends a stream in an error or is passed over; never both ways for two callers."""
    events = events_of(upstream, "tools")
    for at in (0, 2, len(events) - 2):
        for name in KINDS[upstream]:
            if not name.startswith("exception:"):
                stream = framed(upstream, events[:at]) + raw_event(upstream, name, payload) + framed(upstream, events[at:])
                assert len(for_all(upstream, [stream])) == 1


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_random_bytes_are_no_crash(upstream: str) -> None:
    """Noise in the place of a stream, or within one, is survived."""
    rng = random.Random(upstream)
    good = framed(upstream, events_of(upstream, "tools"))
    for _ in range(60):
        spoilt = bytearray(good)
        for _ in range(rng.randint(1, 8)):
            spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
        for_all(upstream, split_at_random(bytes(spoilt), rng))
    assert for_all(upstream, [rng.randbytes(5000)]) == {True}


def test_member_of_a_waiting_block_is_no_crash() -> None:
    """What is passed over at first and decoded later is no JSON of ours either."""
    waits = ["content_block_start", {"type": "content_block_start", "index": 0, "content_block": {"type": "web_search_tool_result"}}]
    start = framed("anthropic_messages", [events_of("anthropic_messages", "text")[0], waits])
    spoilt = raw_event("anthropic_messages", "", b'{"type":"content_block_delta","index":0,"delta":{"type":"new_delta","x":"\xff"}}')
    assert for_all("anthropic_messages", [start + spoilt]) == {True}


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_huge_numbers_are_bounded(upstream: str) -> None:
    """Indexes that no list can have, and counts that no model can have used, neither fill the memory nor crash."""
    for scenario in ("text", "tools"):
        events = events_of(upstream, scenario)
        for huge in (10**6, 2**31, 2**63, 10**30, -1, -(10**30)):
            changed = json.loads(json.dumps(events), parse_int=lambda text, huge=huge: huge)  # type: ignore[misc]  # bound at once
            for_all(upstream, [framed(upstream, changed)])


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_event_without_an_end_is_cut_off(upstream: str) -> None:
    """An event of 40 MB is an error once it is longer than an event may be, and no more of it is kept."""
    if upstream == "bedrock_converse":
        stream = [message(b"", b" " * 100)[:8].replace(b"\x00\x00\x00\x74", (40 << 20).to_bytes(4, "big")) + b"\x00" * 1000]
    else:
        stream = [b"data: " + b"a" * (1 << 20), *[b"a" * (1 << 20)] * 40]
    out = opened("openai_chat", upstream)
    told = [bool(out.feed(piece)) for piece in stream]
    assert out.failure is not None and sum(told) == 1 and out.failure.status == 502
    assert told.index(True) <= MOST_EVENT_BYTES >> 20
    assert out.finish() == b""
