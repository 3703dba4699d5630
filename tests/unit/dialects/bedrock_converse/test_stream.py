"""Streams of ConverseStream are read as boto3 reads them, however they come and however they break."""

import base64
import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgw.dialects.assembly import Assembler, usage_of
from fastgw.dialects.bedrock_converse import DIALECT
from fastgw.dialects.canonical import (
    Began,
    Broke,
    Citation,
    Delta,
    Ended,
    Event,
    FailureKind,
    Media,
    Native,
    PartBegan,
    PartEnded,
    Text,
    Thinking,
    ToolCall,
    Usage,
    UsageStated,
)
from fastgw.dialects.eventstream import MessageSplitter
from tests.botocore_oracle import Bedrock
from tests.feeding import same_however_fed
from tests.messages import event, exception
from tests.recordings import counted, recordings, skip_without_corpus

START = event("messageStart", {"p": "abc", "role": "assistant"})
STOP = event("messageStop", {"stopReason": "end_turn"})


def delta(block: int, **value: object) -> bytes:
    return event("contentBlockDelta", {"contentBlockIndex": block, "delta": value, "p": "abcd"})


def start(block: int, **value: object) -> bytes:
    return event("contentBlockStart", {"contentBlockIndex": block, "start": value})


def stop(block: int) -> bytes:
    return event("contentBlockStop", {"contentBlockIndex": block})


def read(pieces: Iterable[bytes]) -> list[Event]:
    splitter, reader = MessageSplitter(), DIALECT.stream_reader()
    events = [found for piece in pieces for name, payload in splitter.feed(piece) for found in reader.read(name, payload)]
    for name, payload in splitter.finish():
        events += reader.read(name, payload)
    return events + reader.finish()


def gathered(events: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str, dict[str, Any]]:
    """(blocks, stop reason, usage) of what boto3 yields, put together as its users do; empty texts are none."""
    blocks: dict[int, dict[str, Any]] = {}
    reason, usage = "", {}
    for found in events:
        (name, value), = found.items()
        if name == "contentBlockStart":
            blocks[value["contentBlockIndex"]] = {kind: dict(said) for kind, said in value["start"].items()}
        elif name == "contentBlockDelta":
            block = blocks.setdefault(value["contentBlockIndex"], {})
            (kind, more), = value["delta"].items()
            if kind == "text":
                block["text"] = block.get("text", "") + more
            elif kind == "toolResult":
                block["toolResult"].setdefault("content", []).extend(more)
            else:
                held = block.setdefault(kind, {})
                for member, words in more.items():
                    held[member] = held.get(member, type(words)()) + words
        elif name == "messageStop":
            reason = value["stopReason"]
        elif name == "metadata":
            usage = value["usage"]
    return [block for block in blocks.values() if block != {"text": ""}], reason, usage


def as_gathered(part: object) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"text": part.text}
    if isinstance(part, ToolCall):
        return {"toolUse": {"toolUseId": part.id, "name": part.name, "input": part.arguments}}
    if isinstance(part, Thinking):
        said = {"text": part.text, "signature": part.signature, "redactedContent": part.redacted.encode()}
        return {"reasoningContent": {name: words for name, words in said.items() if words}}
    assert isinstance(part, Native)
    use = part.value.get("toolUse")
    return part.value if not isinstance(use, dict) else {"toolUse": use | {"input": json.dumps(use["input"], separators=(",", ":"))}}


def test_recorded_streams_are_what_boto3_reads() -> None:
    """Texts, calls, thoughts, reason and usage of every recorded stream are those that boto3 yields, in whatever pieces it comes."""
    skip_without_corpus()
    bedrock = Bedrock()
    count = 0
    for recording in recordings("bedrock", "converse-stream"):
        if recording.status != 200:
            continue
        events = same_however_fed(read, recording.reply, splits=2)
        blocks, reason, used = gathered(bedrock.stream(recording.reply))
        for block in blocks:
            if block.get("toolUse", {}).get("type") == "tool_use":
                del block["toolUse"]["type"]
        assembler = Assembler()
        assembler.take(events)
        choice = assembler.finish().choices[0]
        assert [as_gathered(part) for part in choice.parts] == blocks, recording.name
        assert assembler.ended and choice.raw_finish == reason
        usage = usage_of(events)
        assert usage is not None and usage.output_tokens == used["outputTokens"]
        assert usage.input_tokens + usage.output_tokens == used["totalTokens"]
        assert [type(found) for found in events].count(Began) == 1 and isinstance(events[0], Began)
        began = [found.index for found in events if isinstance(found, PartBegan)]
        assert began == list(range(len(began))) == sorted(found.index for found in events if isinstance(found, PartEnded))
        count += 1
    counted(count, 17)


def test_every_kind_of_block_is_read() -> None:
    """Text, calls, thoughts, citations, a tool of AWS's own and an image come as parts in the order they begin."""
    cited: dict[str, object] = {"title": "D", "location": {"documentPage": {"documentIndex": 1, "start": 2, "end": 3}}}
    opaque = base64.b64encode(b"EqMB").decode()
    stream = b"".join([
        START, delta(0, text=""), stop(0),
        delta(1, reasoningContent={"text": "Hm"}), delta(1, reasoningContent={"signature": "sig"}), stop(1),
        delta(2, reasoningContent={"redactedContent": opaque}), stop(2),
        delta(3, text="He"), delta(3, text="llo"), delta(3, citation=cited), stop(3),
        start(4, toolUse={"toolUseId": "s1", "name": "nova_code_interpreter", "type": "server_tool_use"}),
        delta(4, toolUse={"input": '{"snippet":'}), delta(4, toolUse={"input": '"1"}'}), stop(4),
        start(5, toolResult={"toolUseId": "s1", "status": "success"}), delta(5, toolResult=[{"json": {"out": 1}}]), stop(5),
        start(6, image={"format": "png"}), delta(6, image={"source": {"bytes": "aGk="}}), stop(6),
        start(7, toolUse={"toolUseId": "t1", "name": "f"}), delta(7, toolUse={"input": '{"a":'}), delta(7, toolUse={"input": "1}"}),
        stop(7),
        start(8, toolUse={"toolUseId": "t2", "name": "fastgw_text_q"}), delta(8, toolUse={"input": '{"input":"SEL'}),
        delta(8, toolUse={"input": 'ECT"}'}), stop(8),
        event("messageStop", {"stopReason": "stop_sequence", "additionalModelResponseFields": {"stop_sequence": "END"}}),
        event("metadata", {"usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}, "metrics": {"latencyMs": 5}}),
    ])
    call = {"toolUseId": "s1", "name": "nova_code_interpreter", "type": "server_tool_use", "input": {"snippet": "1"}}
    use: dict[str, object] = {"toolUse": call}
    result: dict[str, object] = {"toolResult": {"toolUseId": "s1", "status": "success", "content": [{"json": {"out": 1}}]}}
    assert same_however_fed(read, stream) == [
        Began(),
        PartBegan(0, Thinking(dialect="anthropic_messages")), Delta(0, "Hm"), Delta(0, signature="sig"), PartEnded(0),
        PartBegan(1, Thinking(redacted="EqMB", dialect="anthropic_messages")), PartEnded(1),
        PartBegan(2, Text()), Delta(2, "He"), Delta(2, "llo"),
        Delta(2, citations=[Citation(title="D", document=1, dialect="bedrock_converse", native=cited)]), PartEnded(2),
        PartBegan(3, Native("bedrock_converse", use)), PartEnded(3),
        PartBegan(4, Native("bedrock_converse", result)), PartEnded(4),
        PartBegan(5, Media("image", "aGk=", media_type="image/png")), PartEnded(5),
        PartBegan(6, ToolCall("t1", "f")), Delta(6, '{"a":'), Delta(6, "1}"), PartEnded(6),
        PartBegan(7, ToolCall("t2", "q", custom=True)), Delta(7, "SELECT"), PartEnded(7),
        Ended("stop_sequence", raw_finish="stop_sequence", stop_sequence="END"), UsageStated(Usage(1, 2)),
    ]


def test_free_text_that_is_cut_off_is_kept() -> None:
    """A call of a tool of free text whose arguments are not whole is what came of them."""
    began = START + start(0, toolUse={"toolUseId": "t", "name": "fastgw_text_q"})
    assert read([began + delta(0, toolUse={"input": '{"input":"SEL'}) + STOP + STOP])[1:] == [
        PartBegan(0, ToolCall("t", "q", custom=True)), Delta(0, '{"input":"SEL'), PartEnded(0), Ended("stop", raw_finish="end_turn")]


def test_parts_left_open_are_ended() -> None:
    """What a model forgot to close is closed before the end; a stream without a beginning begins."""
    stream = delta(0, text="a") + start(1, toolUse={"toolUseId": "s", "type": "server_tool_use"}) + delta(1, toolUse={"input": "{"}) + STOP
    assert same_however_fed(read, stream) == [
        Began(), PartBegan(0, Text()), Delta(0, "a"), PartEnded(0),
        PartBegan(1, Native("bedrock_converse", {"toolUse": {"toolUseId": "s", "type": "server_tool_use", "input": "{"}})), PartEnded(1),
        Ended("stop", raw_finish="end_turn")]


@pytest.mark.parametrize(("broken", "kind", "words"), [
    (exception("throttlingException", {"message": "Too many requests"}), "rate_limit", "Too many requests"),
    (exception("modelStreamErrorException", {"originalMessage": "model died", "originalStatusCode": 500}), "server", "model died"),
    (exception("validationException", {"message": "bad"}), "invalid_request", "bad"),
    (exception("serviceUnavailableException", {}), "overloaded", "serviceUnavailableException"),
    (exception("somethingNew", {"message": "x"}), "server", "x"),
    (event("contentBlockDelta", {"delta": {"text": 5}}), "server", "contentBlockDelta"),
    (event("contentBlockDelta", {}), "server", "contentBlockDelta"),
    (b"", "server", "messageStop"),
])
def test_broken_stream_ends_in_one_failure(broken: bytes, kind: FailureKind, words: str) -> None:
    """An exception, garbage or an early end is one Broke with a message, and nothing comes after it."""
    events = same_however_fed(read, START + delta(0, text="a") + broken + (delta(0, text="b") + STOP if broken else b""))
    assert events[:3] == [Began(), PartBegan(0, Text()), Delta(0, "a")] and len(events) == 4
    last = events[-1]
    assert isinstance(last, Broke) and last.failure.kind == kind and words in last.failure.message


def test_unknown_events_are_passed_over() -> None:
    """What AWS adds later does not break a stream."""
    events = read([START + event("initial-response", {}) + event("newEvent", {"a": 1}) + start(0) + stop(0) + stop(9)
                   + start(1) + delta(1, text="a") + start(2, newKind={"b": 1}) + stop(1) + delta(3, newKind={}) + STOP])
    assert events == [Began(), PartBegan(0, Text()), Delta(0, "a"), PartEnded(0),
                      PartBegan(1, Native("bedrock_converse", {"newKind": {"b": 1}})), PartEnded(1), Ended("stop", raw_finish="end_turn")]


MEMBERS = st.sampled_from(["delta", "start", "contentBlockIndex", "toolUse", "toolResult", "image", "reasoningContent", "text", "citation",
                           "usage", "stopReason", "input"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(MEMBERS, inner, max_size=3), max_leaves=6)
NAMES = st.sampled_from([
    "messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata", "exception:x", ""])


@given(st.lists(st.tuples(NAMES, ANYTHING), max_size=8))
def test_random_events_end_in_order(asked: list[tuple[str, object]]) -> None:
    """Whatever the events hold, the reader gives events in order and at most one failure, which is the last."""
    reader = DIALECT.stream_reader()
    events = [found for name, value in asked for found in reader.read(name, json.dumps(value).encode())] + reader.finish()
    broke = [found for found in events if isinstance(found, Broke)]
    assert len(broke) <= 1 and (not broke or events[-1] is broke[0])
    assembler = Assembler()
    assembler.take(events)
    assembler.finish()
