"""Broken and hostile replies and errors of every provider's dialect: each caller gets a reply of its own dialect, or a clear error."""

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgw.dialects.table import dialect_of
from fastgw.dialects.translate import Asked, NotOfDialect, Translation, translate
from tests.unit.dialects.golden import CLIENTS, UPSTREAMS, events_in, load
from tests.unit.dialects.test_hostile_streams import GARBAGE, JSON, ODD, ends, request_of, spoiled

SCENARIOS = ("text", "tools", "thinking", "refusal")


def asked(client: str, upstream: str, stream: bool) -> Translation:
    return translate(dialect_of(client), dialect_of(upstream), request_of(client, stream), Asked("m", stream))


def judged(client: str, upstream: str, body: bytes) -> bool:
    """Whether a reply was one; whole and streamed callers are told the same."""
    try:
        whole = json.loads(asked(client, upstream, False).reply(body))
    except NotOfDialect as problem:
        assert str(problem)
        with pytest.raises(NotOfDialect):
            asked(client, upstream, True).reply(body)
        return False
    assert isinstance(whole, dict)
    events = events_in(asked(client, upstream, True).reply(body))
    is_whole, is_error = ends(client, events)
    assert is_whole or is_error, events[-2:]
    return True


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_member_of_a_reply_may_be_of_any_type(upstream: str, scenario: str) -> None:
    """Whatever stands in the place of whatever member, no caller sees a crash."""
    reply = load("providers", upstream)[scenario]["reply"]
    rng = random.Random(f"{upstream} {scenario}")
    for odd in ODD:
        for other in spoiled(reply, odd):
            judged(rng.choice(CLIENTS), upstream, json.dumps(other).encode())


@pytest.mark.parametrize("body", [*GARBAGE, b"", b" "], ids=lambda body: repr(body[:16]))
@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_what_is_no_reply_is_said_to_be_none(upstream: str, body: bytes) -> None:
    """What is no JSON, no UTF-8 or no reply is an error of the provider's, to all callers."""
    assert not any(judged(client, upstream, body) for client in CLIENTS)


@pytest.mark.parametrize("upstream", UPSTREAMS)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_json_at_all(upstream: str, data: st.DataObject) -> None:
    """JSON of any shape is a reply, or said to be none."""
    judged(data.draw(st.sampled_from(CLIENTS)), upstream, json.dumps(data.draw(JSON)).encode())


@pytest.mark.parametrize("status", [400, 401, 404, 408, 413, 429, 500, 502, 503, 529, 418, 999])
@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_error_of_any_body_is_an_error_to_every_caller(upstream: str, status: int) -> None:
    """An error is told in the caller's dialect, in words, whatever the provider's body is."""
    good = load("providers", upstream)["error"]["body"]
    bodies: list[Any] = [json.dumps(other).encode() for odd in ODD for other in spoiled(good, odd)]
    bodies += [*GARBAGE, b"", b"<html>502 Bad Gateway</html>", json.dumps([good]).encode()]
    for body in bodies:
        for client in CLIENTS:
            made = asked(client, upstream, False)
            told = json.loads(made.error(status, body, "req"))
            assert made.failure is not None and made.failure.message and told["error"]["message"], body
    words = "message" if "message" in good else "error"
    said = good[words] if isinstance(good[words], str) else good[words]["message"]
    assert said in json.dumps(json.loads(asked("openai_chat", upstream, False).error(status, json.dumps([good]).encode(), "req")))


def test_array_of_a_stream_is_a_reply() -> None:
    """Gemini's stream as one array, where alt=sse was lost on the way, is the reply that its events make."""
    answers = load("providers", "gemini_generate")
    for scenario in SCENARIOS:
        pieces = [piece for _, piece in answers[scenario]["stream"]]
        for client in CLIENTS:
            assert judged(client, "gemini_generate", json.dumps(pieces).encode())
    body = json.dumps([piece for _, piece in answers["text"]["stream"]]).encode()
    chat = json.loads(asked("openai_chat", "gemini_generate", False).reply(body))
    assert (chat["choices"][0]["message"]["content"], chat["usage"]["total_tokens"]) == ("Paris.", 23)
    with pytest.raises(NotOfDialect, match="overloaded"):
        asked("openai_chat", "gemini_generate", False).reply(json.dumps([piece for _, piece in answers["error"]["stream"]]).encode())
