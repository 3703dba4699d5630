"""Replies become events and events become replies without loss."""

from fastgw.dialects.assembly import Assembler, events_of
from fastgw.dialects.canonical import (
    Broke,
    Choice,
    Citation,
    Delta,
    Ended,
    Failure,
    Logprob,
    Media,
    Native,
    PartBegan,
    Refusal,
    Reply,
    Text,
    Thinking,
    ToolCall,
    Usage,
)

REPLY = Reply(
    id="r1", model="m", created=7, service_tier="default", system_fingerprint="fp",
    choices=[
        Choice(parts=[
            Thinking("hm", "sig", id="rs_1", encrypted="e", summary=True, dialect="anthropic"),
            Thinking("", "", redacted="opaque", dialect="anthropic"),
            Text("Hello", citations=[Citation(0, 5, url="https://a.example")], signature="s2"),
            ToolCall("c1", "f", '{"a": 1}', signature="s3"),
            Media("image", data="aGk=", media_type="image/png"),
            Native("gemini", {"executableCode": {"code": "1"}}),
        ], finish="tool_calls", raw_finish="tool_use", logprobs=[Logprob("Hello", -0.1)]),
        Choice(parts=[Refusal("no")], finish="stop_sequence", stop_sequence="END"),
    ],
    usage=Usage(3, 4, reasoning_tokens=2),
)


def test_reply_survives_being_streamed() -> None:
    """Every part, logprob, citation and end of a reply is there again once its events are put together."""
    assembler = Assembler()
    for event in events_of(REPLY):
        assembler.take([event])
    assert assembler.finish() == REPLY


def test_interleaved_tool_calls_keep_their_arguments() -> None:
    """Arguments of two calls that come in turn end up with their own call."""
    assembler = Assembler()
    assembler.take([PartBegan(0, ToolCall("a", "f")), PartBegan(1, ToolCall("b", "g"))])
    assembler.take([Delta(0, "{"), Delta(1, "["), Delta(0, "}"), Delta(1, "]"), Ended("tool_calls")])
    assert assembler.finish().choices[0].parts == [ToolCall("a", "f", "{}"), ToolCall("b", "g", "[]")]


def test_failure_in_midstream_is_kept() -> None:
    """What broke a stream stands beside what came before."""
    assembler = Assembler()
    failure = Failure(529, "overloaded", "busy")
    assembler.take([PartBegan(0, Text()), Delta(0, "He"), Broke(failure)])
    assert assembler.failure == failure and assembler.finish().choices[0].parts == [Text("He")]
