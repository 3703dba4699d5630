"""Whole replies and errors, in both directions."""

from typing import Any

import msgspec
import pytest
from hypothesis import given

from fastgw.dialects.canonical import (
    Choice,
    Citation,
    Failure,
    Logprob,
    Media,
    Native,
    Refusal,
    Reply,
    Request,
    Text,
    Thinking,
    ToolCall,
    Usage,
)
from fastgw.dialects.gemini_generate import proof
from fastgw.dialects.gemini_generate.failure import read_failure, write_failure
from fastgw.dialects.gemini_generate.reply import read_reply, write_reply
from fastgw.dialects.gemini_generate.turns import Turns
from tests.recordings import counted, recordings, skip_without_corpus
from tests.unit.dialects.gemini_generate.official import Official, said
from tests.unit.dialects.gemini_generate.test_asking import json_values

ASKED = Request("gemini_generate", "asked-model", [])


def candidate(*parts: Any, **members: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts), "role": "model"}, "finishReason": "STOP", "index": 0, **members}]}


def written(*parts: Any, **members: Any) -> Any:
    return write_reply(Reply("id", "m", choices=[Choice(list(parts), **members)]), ASKED)["candidates"][0]  # type: ignore[index]  # one


def test_every_part_of_a_reply_is_read() -> None:
    """Thoughts, words, calls, pictures and what only Google has, with their signatures and in their order."""
    reply = read_reply({**candidate(
        {"text": "hm", "thought": True}, {"text": "so", "thoughtSignature": "c2ln"}, {"text": ""},
        {"functionCall": {"name": "f", "args": {"a": [1, "é"]}}, "thoughtSignature": "dA=="}, {"functionCall": {"name": "f", "id": "own"}},
        {"inlineData": {"mimeType": "image/png", "data": "aGk="}}, {"executableCode": {"code": "1"}}, {"thoughtSignature": "eA=="},
    ), "responseId": "abc", "modelVersion": "gemini-x", "createTime": "2026-02-17T04:28:18.088960123Z"})
    assert (reply.id, reply.model, reply.created) == ("abc", "gemini-x", 1771302498)
    assert reply.choices == [Choice([
        Thinking("hm", dialect="gemini"), Text("so", signature="c2ln"), ToolCall("call_abc_0", "f", '{"a":[1,"é"]}', signature="dA=="),
        ToolCall("own", "f", "{}"), Media("image", "aGk=", media_type="image/png"),
        Native("gemini_generate", {"executableCode": {"code": "1"}}), Text("", signature="eA=="),
    ], "tool_calls", "STOP")]


def test_ids_of_calls_are_unique_and_stable() -> None:
    """A reply with an id gives its calls the same ids each time; one without gives none twice."""
    calls = candidate(*[{"functionCall": {"name": "f"}}] * 3)

    def ids(body: dict[str, Any]) -> list[str]:
        return [part.id for part in read_reply(body).choices[0].parts if isinstance(part, ToolCall)]

    assert ids({**calls, "responseId": "r-_1"}) == ["call_r-_1_0", "call_r-_1_1", "call_r-_1_2"]
    assert len({*ids(calls), *ids(calls), *ids({**calls, "responseId": "not an id"})}) == 9
    assert all(len(identity) <= 40 for identity in ids({**calls, "responseId": "x" * 300}))


@pytest.mark.parametrize(
    ("reason", "finish", "word"),
    [
        ("STOP", "stop", "STOP"), ("MAX_TOKENS", "length", "MAX_TOKENS"), ("SAFETY", "content_filter", "SAFETY"),
        ("RECITATION", "content_filter", "RECITATION"), ("PROHIBITED_CONTENT", "content_filter", "PROHIBITED_CONTENT"),
        ("SPII", "content_filter", "SPII"), ("IMAGE_SAFETY", "content_filter", "IMAGE_SAFETY"), ("LANGUAGE", "content_filter", "LANGUAGE"),
        ("BLOCKLIST", "content_filter", "BLOCKLIST"), ("MALFORMED_FUNCTION_CALL", "error", "MALFORMED_FUNCTION_CALL"),
        ("UNEXPECTED_TOOL_CALL", "error", "UNEXPECTED_TOOL_CALL"), ("OTHER", "error", "OTHER"), (None, "stop", ""), (1, "stop", "STOP"),
        (2, "length", "MAX_TOKENS"), (99, "stop", "99"), ("BRAND_NEW", "stop", "BRAND_NEW"), ([], "stop", ""),
    ],
)
def test_finish_reasons_are_read(reason: Any, finish: str, word: str) -> None:
    """Each word has its canonical finish, and goes back to a caller as it was if it is one of Gemini's."""
    choice = read_reply(candidate({"text": "a"}, finishReason=reason)).choices[0]
    assert (choice.finish, choice.raw_finish) == (finish, word)
    again = written(Text("a"), finish=choice.finish, raw_finish=choice.raw_finish)["finishReason"]
    assert again == (word if word and word not in ("99", "BRAND_NEW") else {"stop": "STOP", "error": "OTHER"}[finish])


def test_call_that_is_called_unexpected_is_a_call() -> None:
    """A caller gets the call and an end that says so, and one of Gemini's own the word that Google said."""
    choice = read_reply(candidate({"functionCall": {"name": "f", "args": {}}}, finishReason="UNEXPECTED_TOOL_CALL")).choices[0]
    assert (choice.finish, choice.raw_finish) == ("tool_calls", "UNEXPECTED_TOOL_CALL")
    assert written(choice.parts[0], finish=choice.finish, raw_finish=choice.raw_finish)["finishReason"] == "UNEXPECTED_TOOL_CALL"


@pytest.mark.parametrize(
    ("finish", "raw", "reason"),
    [
        ("tool_calls", "tool_use", "STOP"), ("stop_sequence", "stop", "STOP"), ("pause", "", "STOP"),
        ("length", "max_tokens", "MAX_TOKENS"), ("context_window", "", "MAX_TOKENS"), ("refusal", "refusal", "SAFETY"),
        ("content_filter", "content_filter", "SAFETY"),
        ("error", "", "OTHER"), ("stop", "MAX_TOKENS", "STOP"),
    ],
)
def test_finish_reasons_of_others_are_written(finish: Any, raw: str, reason: str) -> None:
    """Callers get words of Gemini's whoever answered."""
    assert written(Text("a"), finish=finish, raw_finish=raw)["finishReason"] == reason


def test_a_refused_prompt_is_a_filtered_answer() -> None:
    """promptFeedback without candidates is no error."""
    reply = read_reply({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 4}})
    assert reply.choices == [Choice([], "content_filter", "PROHIBITED_CONTENT")]
    assert reply.usage == Usage(4)
    assert Official().reply(msgspec.json.encode(write_reply(reply, ASKED))).candidates[0].finish_reason == "PROHIBITED_CONTENT"  # type: ignore[index]  # one


def test_usage_counts_everything_once() -> None:
    """Thoughts are output, what tools fed the model is input; the total is that of both."""
    stated = {
        "promptTokenCount": 10, "toolUsePromptTokenCount": 5, "candidatesTokenCount": 7, "thoughtsTokenCount": 3,
        "cachedContentTokenCount": 4, "totalTokenCount": 25,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 8}, {"modality": "AUDIO", "tokenCount": 2}],
        "candidatesTokensDetails": [{"modality": 4, "tokenCount": 1}],
    }
    usage = read_reply({**candidate({"text": "a"}), "usageMetadata": stated}).usage
    assert usage == Usage(15, 10, 4, reasoning_tokens=3, audio_input_tokens=2, audio_output_tokens=1)
    again = write_reply(Reply(choices=[Choice()], usage=usage), ASKED)["usageMetadata"]
    assert again == {
        "promptTokenCount": 15, "candidatesTokenCount": 7, "thoughtsTokenCount": 3, "cachedContentTokenCount": 4, "totalTokenCount": 25,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 13}, {"modality": "AUDIO", "tokenCount": 2}],
        "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 6}, {"modality": "AUDIO", "tokenCount": 1}],
    }
    assert read_reply({**candidate({"text": "a"}), "usageMetadata": again}).usage == usage


def test_sources_are_counted_in_characters() -> None:
    """Google counts bytes over all the words, a citation characters of its part; wrong offsets are mended by the words."""
    metadata = {
        "groundingChunks": [
            {"web": {"uri": "https://a.org", "title": "A"}}, {"retrievedContext": {"title": "B", "text": "said"}}, {"web": {}}],
        "groundingSupports": [
            {"segment": {"startIndex": 3, "endIndex": 6, "text": "23°"[1:] + "C"}, "groundingChunkIndices": [0, 1, 7]},
            {"segment": {"startIndex": 9, "endIndex": 12, "text": "wet"}, "groundingChunkIndices": [0]},
            {"segment": {"startIndex": 900, "endIndex": 903, "text": "wet"}, "groundingChunkIndices": [1]},
            {"segment": {"endIndex": 3, "text": "nowhere"}, "groundingChunkIndices": ["x", 0]},
        ],
    }
    reply = read_reply(candidate({"text": "thought", "thought": True}, {"text": "é 3°C, "}, {"text": "wet"}, groundingMetadata=metadata))
    first, second = (part for part in reply.choices[0].parts if isinstance(part, Text))
    assert [(one.start, one.end, one.url, one.title, one.cited) for one in first.citations] == [
        (2, 5, "https://a.org", "A", ""), (2, 5, "", "B", "said")]
    assert [(one.start, one.end, one.title) for one in second.citations] == [(0, 3, "A"), (0, 3, "B"), (-1, -1, "A"), (-1, -1, "")]
    again = write_reply(reply, ASKED)["candidates"][0]["groundingMetadata"]  # type: ignore[index]  # it is there
    assert again["groundingChunks"] == metadata["groundingChunks"]
    assert again["groundingSupports"] == [
        {"segment": {"startIndex": 3, "endIndex": 7, "text": "3°C"}, "groundingChunkIndices": [0, 1]},
        {"segment": {"startIndex": 9, "endIndex": 12, "text": "wet"}, "groundingChunkIndices": [0, 1]},
    ]


def test_sources_of_others_are_written() -> None:
    """A citation of another dialect is a chunk and what it supports: its words, or all of its part."""
    part = Text("é wet", [
        Citation(2, 5, "https://a.org", "A"), Citation(url="https://a.org", title="A"), Citation(0, 1, title="doc", cited="é")])
    after = written(Text("before "), part)
    assert after["groundingMetadata"] == {
        "groundingChunks": [{"web": {"uri": "https://a.org", "title": "A"}}, {"retrievedContext": {"title": "doc", "text": "é"}}],
        "groundingSupports": [
            {"segment": {"startIndex": 10, "endIndex": 13, "text": "wet"}, "groundingChunkIndices": [0]},
            {"segment": {"startIndex": 7, "endIndex": 13, "text": "é wet"}, "groundingChunkIndices": [0]},
            {"segment": {"startIndex": 7, "endIndex": 9, "text": "é"}, "groundingChunkIndices": [1]},
        ],
    }


def test_citation_sources_survive() -> None:
    """citationMetadata, in either of its shapes, is citations, and is written again."""
    source = {"startIndex": 0, "endIndex": 3, "uri": "https://a.org", "license": "mit"}
    for name in ("citationSources", "citations"):
        reply = read_reply(candidate({"text": "é b"}, citationMetadata={name: [source]}))
        part = reply.choices[0].parts[0]
        assert isinstance(part, Text)
        assert [(one.start, one.end, one.url) for one in part.citations] == [(0, 2, "https://a.org")]
        assert write_reply(reply, ASKED)["candidates"][0]["citationMetadata"] == {"citationSources": [source]}  # type: ignore[index]  # one


def test_logprobs_survive() -> None:
    """Each token with the likeliest others."""
    logprobs = [Logprob("a", -0.5, top=[Logprob("a", -0.5), Logprob("b", -1.5)]), Logprob("c", -0.25)]
    after = written(Text("ac"), logprobs=logprobs)
    assert after["logprobsResult"]["chosenCandidates"][1] == {"token": "c", "logProbability": -0.25}
    assert read_reply({"candidates": [after]}).choices[0].logprobs == logprobs


def test_arguments_that_are_no_object_are_told_as_google_tells_them() -> None:
    """The client could not read them as a call; the others of the reply stay calls."""
    after = written(ToolCall("1", "f", '{"a": 1}'), ToolCall("2", "g", '{"a'), finish="tool_calls")
    assert after["content"]["parts"] == [{"functionCall": {"name": "f", "args": {"a": 1}, "id": "1"}}]
    assert (after["finishReason"], after["finishMessage"]) == ("MALFORMED_FUNCTION_CALL", 'Malformed function call: g({"a)')
    assert written(ToolCall("2", "g", '{"a'), finish="length")["finishReason"] == "MAX_TOKENS"


def test_what_only_others_have_is_written_as_words_or_left_out() -> None:
    """A refusal is words; another's native part is nothing."""
    assert written(Refusal("no"), Native("openai_responses", {"type": "x"}), finish="refusal") == {
        "content": {"parts": [{"text": "no"}], "role": "model"}, "finishReason": "SAFETY", "index": 0}


@pytest.mark.parametrize("thought", [
    Thinking("hm", "sig", dialect="anthropic_messages"),
    Thinking("", redacted="opaque", dialect="anthropic_messages"),
    Thinking("sum", id="rs_1", encrypted="gAAA", summary=True, dialect="openai_responses"),
])
def test_proofs_of_others_come_back(thought: Thinking) -> None:
    """What a caller sends back of another's thought is that thought, in whichever alphabet the client writes base64."""
    part = written(thought)["content"]["parts"][0]
    assert part["thought"] is True
    for signature in (part["thoughtSignature"], part["thoughtSignature"].replace("+", "-").replace("/", "_").rstrip("=")):
        contents = [{"role": "model", "parts": [{**part, "thoughtSignature": signature}]}]
        assert Turns().read(contents, "$.contents")[0].parts == [thought]


@pytest.mark.parametrize("rest", ["", "!!!", "AAAA", "nsi"])
def test_other_signatures_are_geminis(rest: str) -> None:
    """Even those that begin like a sealed proof and are none."""
    signature = proof.BEGINNING + rest
    assert proof.unseal("hm", signature) == Thinking("hm", signature, dialect="gemini")


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT"}},
         Failure(400, "invalid_request", "bad", "INVALID_ARGUMENT")),
        (400, {"error": {"code": 400, "message": "The input token count (2) exceeds the maximum number of tokens allowed (1).",
                         "status": "INVALID_ARGUMENT"}},
         Failure(400, "context_window", "The input token count (2) exceeds the maximum number of tokens allowed (1).", "INVALID_ARGUMENT")),
        (400, {"error": {"message": "key", "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}},
         Failure(400, "authentication", "key", "INVALID_ARGUMENT")),
        (400, {"error": {"message": "m", "status": "INVALID_ARGUMENT", "details": [{"fieldViolations": [{"field": "contents"}]}]}},
         Failure(400, "invalid_request", "m", "INVALID_ARGUMENT", "contents")),
        (429, {"error": {"message": "slow", "status": "RESOURCE_EXHAUSTED", "details": [{"retryDelay": "34.5s"}]}},
         Failure(429, "rate_limit", "slow", "RESOURCE_EXHAUSTED", retry_after_s=34.5)),
        (429, {"error": {"message": "slow", "status": "RESOURCE_EXHAUSTED", "details": [{"retryDelay": {"seconds": "7"}}]}},
         Failure(429, "rate_limit", "slow", "RESOURCE_EXHAUSTED", retry_after_s=7.0)),
        (402, {"error": {"message": "no credit", "status": "RESOURCE_EXHAUSTED"}},
         Failure(402, "billing", "no credit", "RESOURCE_EXHAUSTED")),
        (503, {"error": {"message": "full", "status": "UNAVAILABLE"}}, Failure(503, "overloaded", "full", "UNAVAILABLE")),
        (504, {"error": {"message": "late", "status": "DEADLINE_EXCEEDED"}}, Failure(504, "timeout", "late", "DEADLINE_EXCEEDED")),
        (403, {"error": {"message": "no", "status": "PERMISSION_DENIED"}}, Failure(403, "permission", "no", "PERMISSION_DENIED")),
        (401, {"error": {"message": "who", "status": "UNAUTHENTICATED"}}, Failure(401, "authentication", "who", "UNAUTHENTICATED")),
        (404, {"error": {"message": "where", "status": "NOT_FOUND"}}, Failure(404, "not_found", "where", "NOT_FOUND")),
        (500, {"error": {"message": "oh", "status": "INTERNAL"}}, Failure(500, "server", "oh", "INTERNAL")),
        (400, {"error": {"message": "pay", "status": "FAILED_PRECONDITION"}}, Failure(400, "billing", "pay", "FAILED_PRECONDITION")),
        (200, [{"error": {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED"}}],
         Failure(429, "rate_limit", "slow", "RESOURCE_EXHAUSTED")),
        (200, {"error": {"status": "UNAVAILABLE"}}, Failure(503, "overloaded", "UNAVAILABLE", "UNAVAILABLE")),
        (502, "<html>", Failure(502, "server", "<html>")),
        (413, None, Failure(413, "too_large", "the provider answered with status 413 and no error of Google's shape")),
        (400, {"error": "plain"}, Failure(400, "invalid_request", "plain")),
    ],
)
def test_errors_are_read(status: int, body: Any, expected: Failure) -> None:
    """Google's statuses, the array that streams have, the wait that is asked for, and what is no error of Google's at all."""
    assert read_failure(status, body) == expected


def test_recorded_errors_are_read() -> None:
    """The recorded errors are what their status says, and keep their words."""
    skip_without_corpus()
    kinds = {400: "invalid_request", 401: "authentication", 403: "permission", 404: "not_found", 429: "rate_limit", 503: "overloaded"}
    failed = [one for provider in ("gemini", "vertex") for one in recordings(provider, "generateContent") if one.status in kinds]
    counted(len(failed), 5)
    for one in failed:
        failure = read_failure(one.status, one.decoded())
        assert failure.kind in (kinds[one.status], "context_window", "authentication", "billing"), one.name
        stated = one.decoded()
        if isinstance(stated, dict):
            assert failure.message == stated["error"]["message"], one.name


def test_errors_are_written_as_the_gateways_own() -> None:
    """The official client raises them with code, status and message; the provider's own code is the reason."""
    body = write_failure(Failure(429, "rate_limit", "slow", "rate_limit_exceeded", retry_after_s=2.5), "req-1")
    assert body == {"error": {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED", "details": [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "rate_limit_exceeded", "domain": "fastgw",
         "metadata": {"request_id": "req-1"}},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2.5s"},
    ]}}
    assert read_failure(429, body) == Failure(429, "rate_limit", "slow", "RESOURCE_EXHAUSTED", retry_after_s=2.5)


def test_the_client_reads_what_is_written_for_others() -> None:
    """A reply of another provider's, with all that can be in it, is one that the official client reads."""
    reply = Reply("chatcmpl-1", "gpt-x", 1_700_000_000, [
        Choice([Thinking("hm", "s", dialect="anthropic_messages"), Text("hi"), ToolCall("c", "f", '{"a":1}')], "tool_calls", "tool_use"),
        Choice([Media("audio", "AAAA", media_type="audio/wav")], "stop"),
    ], Usage(5, 9, 1, reasoning_tokens=4), service_tier="default")
    parsed = Official().reply(msgspec.json.encode(write_reply(reply, ASKED)))
    first = said([parsed])
    assert [part[:2] for part in first.parts] == [("thought", "hm"), ("text", "hi"), ("call", "f")]
    assert first[1:] == ("STOP", 5, 9, 1, 4)
    assert said([parsed], 1).parts == [("media", "audio/wav", b"\0\0\0", None)]
    assert (parsed.response_id, parsed.model_version) == ("chatcmpl-1", "gpt-x")


@given(json_values, json_values)
def test_odd_replies_are_read(part: Any, other: Any) -> None:
    """Whatever stands wherever, a reply is read and can be written, or is none."""
    bodies: list[dict[str, Any]] = [
        candidate(part, other),
        candidate({"text": "words"}, groundingMetadata=other, citationMetadata=part, logprobsResult=other),
        {"candidates": [part], "usageMetadata": other},
        {"candidates": other, "promptFeedback": part, "responseId": other, "createTime": part},
        {"usageMetadata": {"promptTokenCount": part, "promptTokensDetails": [other]}},
    ]
    for body in bodies:
        msgspec.json.encode(write_reply(read_reply(body), ASKED))
    read_failure(400, part)
    read_failure(400, {"error": part})
    read_failure(400, {"error": {"details": [other], "message": part, "code": other}})


@pytest.mark.parametrize("body", [{}, {"choices": []}, {"error": {"message": "x"}}])
def test_what_is_no_reply_is_told(body: dict[str, Any]) -> None:
    """An object without any member of a reply's is none."""
    with pytest.raises(ValueError, match="expected a reply of generateContent"):
        read_reply(body)
