"""Replies and errors of Converse are read as boto3 reads them."""

import base64
import json
from typing import Any

import pytest

from fastgw.dialects.bedrock_converse import DIALECT
from fastgw.dialects.canonical import (
    Citation,
    FailureKind,
    FinishReason,
    Media,
    Native,
    Part,
    Reply,
    Text,
    Thinking,
    ToolCall,
    Usage,
)
from tests.botocore_oracle import Bedrock
from tests.recordings import counted, recordings, skip_without_corpus


def reply_with(*blocks: dict[str, object], **members: object) -> dict[str, object]:
    message = {"role": "assistant", "content": list(blocks)}
    return {"output": {"message": message}, "stopReason": "end_turn", "usage": {}, "metrics": {"latencyMs": 1}} | members


def as_boto3_sees_it(part: Part) -> dict[str, Any] | None:
    """A part in the words of boto3, None where the two say it too differently."""
    if isinstance(part, Text) and not part.citations:
        return {"text": part.text}
    if isinstance(part, ToolCall):
        return {"toolUse": {"toolUseId": part.id, "name": part.name, "input": json.loads(part.arguments)}}
    if isinstance(part, Thinking) and part.redacted:
        return {"reasoningContent": {"redactedContent": part.redacted.encode()}}
    if isinstance(part, Thinking):
        said = {"text": part.text} | ({"signature": part.signature} if part.signature else {})
        return {"reasoningContent": {"reasoningText": said}}
    return part.value if isinstance(part, Native) else None


def without_type(block: dict[str, Any]) -> dict[str, Any]:
    """Nova says of a caller's own tool that its use is a use."""
    if block.get("toolUse", {}).get("type") == "tool_use":
        block = {"toolUse": {name: value for name, value in block["toolUse"].items() if name != "type"}}
    return block


def test_recorded_replies_are_what_boto3_reads() -> None:
    """Texts, calls, thoughts, reason and usage of every recorded reply are those that boto3 finds in it."""
    skip_without_corpus()
    bedrock = Bedrock()
    count = 0
    for recording in recordings("bedrock", "converse"):
        if recording.status != 200:
            continue
        expected = bedrock.reply(recording.reply)
        reply = DIALECT.read_reply(recording.json())
        found = [as_boto3_sees_it(part) for part in reply.choices[0].parts]
        assert found == [without_type(block) for block in expected["output"]["message"]["content"]], recording.name
        assert reply.choices[0].raw_finish == expected["stopReason"]
        used, usage = expected["usage"], reply.usage
        assert usage is not None and usage.input_tokens + usage.output_tokens == used["totalTokens"], recording.name
        assert usage.output_tokens == used["outputTokens"]
        assert usage.cache_read_tokens == used.get("cacheReadInputTokens", 0)
        assert usage.cache_write_tokens == used.get("cacheWriteInputTokens", 0)
        assert reply.service_tier == expected.get("serviceTier", {}).get("type", "")
        count += 1
    counted(count, 161)


def test_recorded_errors_say_what_is_wrong() -> None:
    """Every recorded error keeps AWS's own message and status; one that says no more than 400 is the caller's."""
    skip_without_corpus()
    failed = [recording for recording in recordings("bedrock", "converse", "converse-stream") if recording.status >= 400]
    counted(len(failed), 9)
    for recording in failed:
        stated = recording.decoded()
        said = stated.get("message") or stated.get("Message") if isinstance(stated, dict) else stated
        failure = DIALECT.read_failure(recording.status, stated)
        assert (failure.status, failure.message) == (recording.status, said or failure.message), recording.name
        if recording.status == 400 and isinstance(stated, dict) and stated.keys() == {"message"}:
            assert failure.kind in ("invalid_request", "context_window"), recording.name


SIGNED = base64.b64encode(b"EqMBCkgIBx==").decode()


@pytest.mark.parametrize(("block", "part"), [
    ({"text": "Hi"}, Text("Hi")),
    ({"toolUse": {"toolUseId": "t1", "name": "f", "input": {"a": [1, "\u00e9"]}}}, ToolCall("t1", "f", '{"a":[1,"\u00e9"]}')),
    ({"toolUse": {"toolUseId": "t1", "name": "f"}}, ToolCall("t1", "f", "{}")),
    ({"toolUse": {"toolUseId": "t1", "name": "a_x2e_b", "input": {}}}, ToolCall("t1", "a.b", "{}")),
    ({"toolUse": {"toolUseId": "t1", "name": "fastgw_text_q", "input": {"input": "SELECT"}}}, ToolCall("t1", "q", "SELECT", custom=True)),
    ({"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "s"}}}, Thinking("Hm", "s", dialect="anthropic_messages")),
    ({"reasoningContent": {"redactedContent": SIGNED}}, Thinking(redacted="EqMBCkgIBx==", dialect="anthropic_messages")),
    ({"reasoningContent": {"redactedContent": "/+8="}}, Thinking(redacted="/+8=", dialect="bedrock_converse")),
    ({"reasoningContent": {"redactedContent": "no base64"}}, Thinking(redacted="no base64", dialect="bedrock_converse")),
    ({"image": {"format": "png", "source": {"bytes": "aGk="}}}, Media("image", "aGk=", media_type="image/png")),
    ({"audio": {"format": "mp3", "source": {"s3Location": {"uri": "s3://b/a"}}}}, Media("audio", url="s3://b/a", media_type="audio/mpeg")),
    ({"toolUse": {"type": "server_tool_use", "name": "nova_grounding"}},
     Native("bedrock_converse", {"toolUse": {"type": "server_tool_use", "name": "nova_grounding"}})),
    ({"somethingNew": {"a": 1}}, Native("bedrock_converse", {"somethingNew": {"a": 1}})),
])
def test_blocks_become_parts(block: dict[str, object], part: Part) -> None:
    """Each kind of block becomes its part; what a caller must not answer stays as it is."""
    assert DIALECT.read_reply(reply_with(block)).choices[0].parts == [part]


def test_citations_keep_their_source_and_their_own_form() -> None:
    """A cited block is a text with citations of documents and pages."""
    place = {"documentChar": {"documentIndex": 2, "start": 0, "end": 6}}
    document: dict[str, object] = {"title": "D", "sourceContent": [{"text": "green "}], "location": place}
    page: dict[str, object] = {"source": "https://a.example/p", "location": {"web": {"url": "https://a.example", "domain": "a.example"}}}
    block: dict[str, object] = {"citationsContent": {"content": [{"text": "It is "}, {"text": "green."}], "citations": [document, page]}}
    assert DIALECT.read_reply(reply_with(block)).choices[0].parts == [Text("It is green.", [
        Citation(title="D", cited="green ", document=2, dialect="bedrock_converse", native=document),
        Citation(url="https://a.example", dialect="bedrock_converse", native=page)])]


@pytest.mark.parametrize(("raw", "finish"), [
    ("end_turn", "stop"), ("tool_use", "tool_calls"), ("max_tokens", "length"), ("stop_sequence", "stop_sequence"),
    ("guardrail_intervened", "content_filter"), ("content_filtered", "content_filter"), ("malformed_tool_use", "error"),
    ("model_context_window_exceeded", "context_window"), ("something_new", "stop"),
])
def test_reasons_to_stop(raw: str, finish: FinishReason) -> None:
    """Each reason has its word, and Bedrock's own stays beside it; the stop sequence is there where Claude states it."""
    body = reply_with({"text": "a"}, stopReason=raw, additionalModelResponseFields={"stop_sequence": "END"})
    choice = DIALECT.read_reply(body).choices[0]
    assert (choice.finish, choice.raw_finish, choice.stop_sequence) == (finish, raw, "END")


def test_all_input_is_counted() -> None:
    """Input that was read from or written to the cache is input too, and what stays an hour is known."""
    usage = {"inputTokens": 3, "outputTokens": 5, "totalTokens": 118, "cacheReadInputTokens": 10, "cacheWriteInputTokens": 100,
             "cacheDetails": [{"ttl": "1h", "inputTokens": 60}, {"ttl": "5m", "inputTokens": 40}]}
    assert DIALECT.read_reply(reply_with(usage=usage)).usage == Usage(113, 5, 10, 100, 60)


@pytest.mark.parametrize("body", [{}, {"message": "no"}, {"output": None}, {"output": {"message": []}}])
def test_other_json_is_no_reply(body: dict[str, object]) -> None:
    """What has no message is said to be no reply."""
    with pytest.raises(ValueError, match="output.message"):
        DIALECT.read_reply(body)


@pytest.mark.parametrize("noise", [None, 7, "x", [], [7], {}, {"a": 1}])
def test_odd_replies_are_read(noise: object) -> None:
    """A member of another type than it should be is as if it were not there."""
    blocks: list[dict[str, object]] = [
        {name: noise} for name in ("text", "toolUse", "reasoningContent", "citationsContent", "image", "document")]
    blocks += [{"toolUse": {"toolUseId": noise, "name": noise, "input": noise}}, {"reasoningContent": {"reasoningText": noise}},
               {"citationsContent": {"content": noise, "citations": [{"location": noise, "sourceContent": noise, "title": noise}]}},
               {"image": {"format": noise, "source": noise}}]
    members = {name: noise for name in ("stopReason", "usage", "trace", "serviceTier", "additionalModelResponseFields")}
    assert isinstance(DIALECT.read_reply(reply_with(*blocks, **members)), Reply)
    DIALECT.read_reply(reply_with() | {"output": {"message": {"content": noise}}})


@pytest.mark.parametrize(("status", "body", "kind", "code"), [
    (429, {"message": "slow", "__type": "com.amazon.coral#ThrottlingException:http://x"}, "rate_limit", "ThrottlingException"),
    (403, {"Message": "no"}, "permission", ""),
    (403, {"message": "no", "__type": "UnrecognizedClientException"}, "authentication", "UnrecognizedClientException"),
    (400, {"message": "Input is too long for requested model."}, "context_window", ""),
    (400, {"message": "prompt is too long: 200001 tokens > 200000 maximum"}, "context_window", ""),
    (424, {"message": "x", "__type": "ModelErrorException"}, "server", "ModelErrorException"),
    (503, None, "overloaded", ""),
    (502, "<html>", "server", ""),
    (404, {}, "not_found", ""),
    (409, {}, "invalid_request", ""),
    (424, {}, "server", ""),
    (529, "busy", "overloaded", ""),
])
def test_errors_have_their_kind(status: int, body: object, kind: FailureKind, code: str) -> None:
    """An error is told by AWS's name for it, else by its status, and always has a message."""
    failure = DIALECT.read_failure(status, body)
    assert (failure.status, failure.kind, failure.code) == (status, kind, code) and failure.message
