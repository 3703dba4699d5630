"""Streams in both directions: what each piece says, what comes late, and how a stream breaks."""

import json
from typing import Any

import pytest
from google.genai import errors
from hypothesis import given
from hypothesis import strategies as st

from fastgw.dialects.assembly import Assembler, events_of
from fastgw.dialects.canonical import (
    Began,
    Broke,
    Choice,
    Citation,
    Delta,
    Ended,
    Event,
    Failure,
    Logprob,
    Media,
    Native,
    PartBegan,
    PartEnded,
    Refusal,
    Reply,
    Request,
    Text,
    Thinking,
    ToolCall,
    Usage,
    UsageStated,
)
from fastgw.dialects.gemini_generate.stream import StreamReader
from fastgw.dialects.gemini_generate.stream_writer import StreamWriter
from fastgw.dialects.gemini_generate.turns import Turns
from tests.unit.dialects.gemini_generate.official import Official, said
from tests.unit.dialects.gemini_generate.test_asking import json_values

ASKED = Request("gemini_generate", "asked-model", [], True)
ARRAY = Request("gemini_generate", "asked-model", [], True, True)


def piece(*parts: Any, finish: Any = None, index: int = 0, **members: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": index, **members}
    return {"candidates": [candidate | ({"finishReason": finish} if finish else {})], "responseId": "abc", "modelVersion": "gemini-x"}


def read(*pieces: Any) -> list[Event]:
    reader = StreamReader()
    events: list[Event] = []
    for one in pieces:
        events += reader.read("", one if isinstance(one, bytes) else json.dumps(one).encode())
    return events + reader.finish()


def assembled(events: list[Event]) -> Reply:
    assembler = Assembler()
    assembler.take(events)
    return assembler.finish()


def written(events: list[Event], asked: Request = ASKED) -> bytes:
    writer = StreamWriter(asked)
    return writer.write(events) + writer.finish()


def pieces_of(body: bytes) -> list[Any]:
    return [json.loads(line[6:]) for line in body.split(b"\r\n\r\n") if line]


def test_words_that_follow_one_another_are_one_part() -> None:
    """Thoughts, words and calls are parts in their order; a finish in every piece is no end; the usage is the last one."""
    events = read(
        {**piece({"text": "h", "thought": True}, finish="STOP"), "usageMetadata": {"promptTokenCount": 4}},
        piece({"text": "m", "thought": True}, {"text": "a"}, finish="STOP"),
        piece({"text": "b"}), piece({"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "c2ln"}),
        {**piece({"text": ""}, finish="STOP"), "usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 3}},
    )
    assert events == [
        Began("abc", "gemini-x"),
        PartBegan(0, Thinking(dialect="gemini")), Delta(0, "h"), UsageStated(Usage(4)), Delta(0, "m"), PartEnded(0),
        PartBegan(1, Text()), Delta(1, "a"), Delta(1, "b"), PartEnded(1),
        PartBegan(2, ToolCall("call_abc_0", "f", signature="c2ln")), Delta(2, '{"a":1}'), PartEnded(2),
        UsageStated(Usage(4, 3)), Ended("tool_calls", 0, "STOP"), UsageStated(Usage(4, 3)),
    ]


def test_a_signature_may_come_last() -> None:
    """An empty part with a signature signs the words before, words after it are another part, and both are written as they came."""
    body = [
        piece({"text": "a"}), piece({"text": "", "thoughtSignature": "c2ln"}), piece({"text": "b", "thoughtSignature": "dA=="}),
        piece({"functionCall": {"name": "f"}}), piece({"text": "", "thoughtSignature": "eA=="}, finish="STOP"),
    ]
    events = read(*body)
    parts = assembled(list(events)).choices[0].parts
    assert [(part.text, part.signature) for part in parts if isinstance(part, Text)] == [("a", "c2ln"), ("b", "dA=="), ("", "eA==")]
    said_by_it = [part for one in pieces_of(written(read(*body))) for part in one["candidates"][0]["content"]["parts"]]
    assert said_by_it == [
        {"text": "a"}, {"text": "", "thoughtSignature": "c2ln"}, {"text": "b", "thoughtSignature": "dA=="},
        {"functionCall": {"name": "f", "args": {}, "id": "call_abc_0"}}, {"text": "", "thoughtSignature": "eA=="}, {"text": ""},
    ]


def test_parts_that_are_no_words_come_whole() -> None:
    """Pictures and what only Google has."""
    events = read(piece(
        {"executableCode": {"code": "1"}, "thoughtSignature": "c2ln"}, {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
        {"thoughtSignature": "dA=="}, finish="STOP"))
    assert [event.part for event in events if isinstance(event, PartBegan)] == [
        Native("gemini_generate", {"executableCode": {"code": "1"}, "thoughtSignature": "c2ln"}),
        Media("image", "aGk=", media_type="image/png"), Text("", signature="dA=="),
    ]
    assert sum(isinstance(event, PartEnded) for event in events) == 3


def test_each_answer_is_a_choice() -> None:
    """Candidates are told apart by their index."""
    reply = assembled(read(piece({"text": "a"}), piece({"text": "x"}, index=1), piece({"text": "b"}, finish="STOP"),
                           piece({"text": "y"}, finish="MAX_TOKENS", index=1)))
    assert [(choice.parts, choice.finish) for choice in reply.choices] == [([Text("ab")], "stop"), ([Text("xy")], "length")]


def test_sources_come_at_the_end() -> None:
    """Grounding that the last piece states is for all the words; a writer states it in its last piece again."""
    chunk = {"web": {"uri": "https://a.org", "title": "A"}}
    metadata = {
        "groundingChunks": [chunk],
        "groundingSupports": [{"segment": {"startIndex": 3, "endIndex": 8, "text": "sunny"}, "groundingChunkIndices": [0]}],
    }
    body = [piece({"text": "é "}), piece({"text": "sun"}), piece({"text": "ny"}, finish="STOP", groundingMetadata=metadata)]
    events = read(*body)
    cited = Citation(2, 7, "https://a.org", "A", dialect="gemini_generate", native={"groundingChunk": chunk})
    assert Delta(0, citations=[cited]) in events
    assert pieces_of(written(events))[-1]["candidates"][0]["groundingMetadata"] == metadata


def test_logprobs_go_with_their_words() -> None:
    """A logprobsResult is that of the piece's words, in both directions."""
    result = {"chosenCandidates": [{"token": "a", "logProbability": -0.5}], "topCandidates": [{"candidates": []}]}
    events = read(piece({"text": "a"}, finish="STOP", logprobsResult=result))
    assert Delta(0, logprobs=[Logprob("a", -0.5)]) in events
    assert [one["candidates"][0].get("logprobsResult") for one in pieces_of(written(events))] == [None, result, None]


def test_a_refused_prompt_ends_filtered() -> None:
    """promptFeedback and no answer is a filtered one."""
    events = read({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 3}, "responseId": "abc"})
    assert events == [Began("abc"), UsageStated(Usage(3)), Ended("content_filter", 0, "SAFETY"), UsageStated(Usage(3))]


@pytest.mark.parametrize(
    ("pieces", "failure"),
    [
        ([piece({"text": "a"})], Failure(502, "server", "expected a finishReason before the end of the stream, got none")),
        ([], Failure(502, "server", "expected a finishReason before the end of the stream, got none")),
        ([{"error": {"code": 503, "message": "full", "status": "UNAVAILABLE"}}], Failure(503, "overloaded", "full", "UNAVAILABLE")),
        ([[{"error": {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED"}}]],
         Failure(429, "rate_limit", "slow", "RESOURCE_EXHAUSTED")),
        ([piece({"text": "a"}), {"error": "broken"}], Failure(200, "server", "broken")),
        ([{"choices": []}], Failure(502, "server", "expected a reply of generateContent, got b'{\"choices\": []}'")),
        ([b"<html>"], None), ([b"[1]"], None), ([b"null"], None), ([b""], None), ([b"[" * 100_000], None),
    ],
)
def test_a_stream_breaks_once(pieces: list[Any], failure: Failure | None) -> None:
    """Errors, ends without a finish and garbage are one Broke, and nothing after it."""
    events = read(*pieces, piece({"text": "more"}, finish=None), b"more garbage")
    broken = [event for event in events if isinstance(event, Broke)]
    assert len(broken) == 1 and events[-1] is broken[0]
    if failure is not None and pieces and failure.message != "expected a finishReason before the end of the stream, got none":
        assert broken[0].failure.kind == failure.kind and broken[0].failure.message == failure.message
    elif failure is not None:
        assert read(*pieces)[-1] == Broke(failure)


def test_odd_pieces_are_read_tolerantly() -> None:
    """Empty pieces, a proxy's [DONE], members of other types, answers beyond all number: what can be read is."""
    events = read(
        b"{}", b" [DONE] ", piece({"text": "lost"}, index=10**9), piece({"text": "lost"}, index=-1),
        {**piece({"text": "a", "thought": 0}, 7, {"text": None}), "usageMetadata": {"promptTokenCount": "5", "promptTokensDetails": 1}},
        {"candidates": [{"finishReason": 1, "index": 0}]},
    )
    reply = assembled(events)
    assert [choice.parts for choice in reply.choices] == [[Text("a")]]
    assert (reply.choices[0].finish, reply.usage) == ("stop", Usage())


@given(st.lists(st.one_of(json_values.map(lambda part: piece(part, finish="STOP")), json_values, st.binary(max_size=8)), max_size=4))
def test_nothing_that_a_provider_sends_crashes(pieces: list[Any]) -> None:
    """Whatever comes, it is read and can be written; at most one Broke, at the end."""
    events = read(*pieces)
    assert [isinstance(event, Broke) for event in events[:-1]].count(True) == 0
    written(events)
    assembled(events)


def test_calls_wait_until_they_are_whole() -> None:
    """Arguments come in pieces, of several calls at once and after their end; the client gets each call once, whole."""
    call = [ToolCall("1", "f", signature="c2ln"), ToolCall("2", "g"), ToolCall("3", "h")]
    events: list[Event] = [
        Began("id", "m"), PartBegan(0, call[0]), Delta(0, '{"a"'), PartEnded(0), PartBegan(1, call[1]), Delta(1, '{"b":2}'),
        Delta(0, ":1}"), PartEnded(1), PartBegan(2, call[2]), PartEnded(2), Ended("tool_calls"), UsageStated(Usage(3, 4)),
    ]
    pieces = list(Official().stream(written(events)))
    assert said(pieces).parts == [("call", "g", {"b": 2}, None), ("call", "f", {"a": 1}, b"sig"), ("call", "h", {}, None)]
    assert said(pieces)[1:] == ("STOP", 3, 4, 0, 0)


def test_arguments_that_are_no_object_end_the_answer_so() -> None:
    """As Google tells a call that went wrong."""
    last = pieces_of(written([Began(), PartBegan(0, ToolCall("1", "f")), Delta(0, '{"a'), PartEnded(0), Ended("tool_calls")]))[-1]
    assert last["candidates"][0]["finishReason"] == "MALFORMED_FUNCTION_CALL"
    assert last["candidates"][0]["finishMessage"] == 'Malformed function call: f({"a)'


def test_proofs_of_others_are_sealed_when_they_are_whole() -> None:
    """A thought of Anthropic's or OpenAI's comes back from the caller's history as it was."""
    thoughts = [
        Thinking("hm", "sig", dialect="anthropic_messages"), Thinking("", redacted="opaque", dialect="anthropic_messages"),
        Thinking("sum", id="rs_1", encrypted="gAAA", summary=True, dialect="openai_responses"), Thinking("plain"),
    ]
    events = events_of(Reply("id", "m", choices=[Choice([*thoughts])]))
    encrypted = next(event for event in events if isinstance(event, PartBegan) and event.index == 2).part
    assert isinstance(encrypted, Thinking)
    encrypted.encrypted = ""  # OpenAI states it last
    events.insert(events.index(PartEnded(2)), Delta(2, encrypted="gAAA"))
    parts = [part for one in pieces_of(written(events)) for part in one["candidates"][0]["content"]["parts"]]
    history = Turns().read([{"role": "model", "parts": parts}], "$.contents")[0].parts
    proven = [part for part in history if isinstance(part, Thinking) and part.dialect != "gemini"]
    assert [(part.signature, part.redacted, part.id, part.encrypted, part.dialect) for part in proven] == [
        (part.signature, part.redacted, part.id, part.encrypted, part.dialect) for part in thoughts[:3]]
    assert "".join(part.text for part in history if isinstance(part, Thinking)) == "hmsumplain"


def test_sounds_come_whole() -> None:
    """Base64 in pieces, each padded for itself, is one sound."""
    events: list[Event] = [
        Began(), PartBegan(0, Media("audio", "AA==", media_type="audio/pcm")), Delta(0, "AQI="), Delta(0, transcript="hm"),
        PartEnded(0), Ended("stop"),
    ]
    assert said(list(Official().stream(written(events)))).parts == [("media", "audio/pcm", b"\x00\x01\x02", None)]


def test_other_parts_are_written() -> None:
    """A refusal is words, another's native part is nothing, citations that come with words are stated at the end."""
    events: list[Event] = [
        Began("id", "m", 1_700_000_000, "flex"), PartBegan(0, Refusal()), Delta(0, "no"), PartEnded(0),
        PartBegan(1, Native("openai_responses", {"type": "x"})), PartEnded(1),
        PartBegan(2, Text("be", [Citation(url="https://a.org")])), Delta(2, "gun"), PartEnded(2), Delta(9, "lost"),
        PartBegan(3, Text()), Delta(3, "two", 0, "c2ln", citations=[Citation(0, 3, "https://b.org")]), PartEnded(3),
        UsageStated(Usage(1, 2)), Ended("refusal"),
    ]
    pieces = list(Official().stream(written(events)))
    assert said(pieces).parts == [("text", "nobeguntwo", b"sig")]
    last = pieces[-1]
    assert (last.response_id, last.model_version, last.usage_metadata.total_token_count) == ("id", "m", 3)  # type: ignore[union-attr]  # stated
    grounding = last.candidates[0].grounding_metadata  # type: ignore[index]  # one
    supports = grounding.grounding_supports or []  # type: ignore[union-attr]  # stated
    assert [(one.segment.start_index, one.segment.end_index) for one in supports] == [(2, 7), (7, 10)]  # type: ignore[union-attr]  # stated


def test_choices_are_told_apart() -> None:
    """Each piece says whose it is, and the last one how all of them ended."""
    reply = Reply("id", "m", choices=[Choice([Text("a")]), Choice([Text("b")], "length")])
    pieces = list(Official().stream(written(events_of(reply))))
    assert (said(pieces, 0)[:2], said(pieces, 1)[:2]) == (([("text", "a", None)], "STOP"), ([("text", "b", None)], "MAX_TOKENS"))


def test_an_array_is_one_json_document() -> None:
    """However its pieces come, after an error and with nothing to say too."""
    events = events_of(Reply("id", "m", choices=[Choice([Text("a"), Text("b")])], usage=Usage(1, 1)))
    writer = StreamWriter(ARRAY)
    body = b"".join(writer.write([event]) for event in events) + writer.finish()
    assert [one["candidates"][0]["content"]["parts"] for one in json.loads(body)] == [[{"text": "a"}], [{"text": "b"}], [{"text": ""}]]
    assert body.startswith(b"[{") and body.endswith(b"}\r\n]") and b"},\r\n{" in body
    assert written([], ARRAY) == b"[]"
    broken = json.loads(written([Began(), PartBegan(0, Text()), Delta(0, "a"), Broke(Failure(503, "overloaded", "full"))], ARRAY))
    assert [list(one)[0] for one in broken] == ["candidates", "error"]
    assert json.loads(written([Broke(Failure(503, "overloaded", "full"))], ARRAY))[0]["error"]["status"] == "UNAVAILABLE"


def test_a_broken_stream_raises_in_the_client() -> None:
    """The error is the last event, with the status and the message; nothing follows it."""
    writer = StreamWriter(ASKED)
    body = writer.write([Began("id", "m"), PartBegan(0, Text()), Delta(0, "a"), Broke(Failure(529, "overloaded", "full"))])
    assert writer.write([Delta(0, "b")]) == writer.finish() == b""
    with pytest.raises(errors.ServerError) as caught:
        list(Official().stream(body))
    assert (caught.value.code, caught.value.status, caught.value.message) == (529, "UNAVAILABLE", "full")


def test_an_event_is_bytes_of_this_dialect() -> None:
    """The commonest event, to the byte."""
    writer = StreamWriter(ASKED)
    writer.write([Began("id", "m"), PartBegan(0, Text())])
    candidate = b'{"content":{"parts":[{"text":"a\\n"}],"role":"model"},"index":0}'
    head = b'"modelVersion":"m","responseId":"id"'
    assert writer.write([Delta(0, "a\n")]) == b'data: {"candidates":[' + candidate + b"]," + head + b"}\r\n\r\n"
    assert written([]) == b""
