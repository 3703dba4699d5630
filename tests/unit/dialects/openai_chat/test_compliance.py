"""Promises of replies as callers of Portkey ask for them."""

import json
from typing import Any

from fastgw.dialects.assembly import events_of
from fastgw.dialects.canonical import Broke, Choice, Failure, Reply, Request, Text, Thinking, ToolCall
from fastgw.dialects.openai_chat import DIALECT
from fastgw.dialects.openai_chat.compliance import comply

PROOF = Thinking("Let me see.", "c2ln", dialect="anthropic_messages")
OPAQUE = Thinking(redacted="b3Bh", dialect="anthropic_messages")
REPLY = Reply(
    "r1", "m", 7,
    choices=[Choice([PROOF, OPAQUE, Text("It is "), Text("Paris.")], "stop", raw_finish="end_turn")],
    extra={"provider": "x"},
)  # fmt: skip
CALLING = Reply("r2", "m", 7, choices=[Choice([ToolCall("c1", "look", '{"a":1}', signature="c2ln")], "tool_calls")])
BLOCKS = [
    {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"}, {"type": "redacted_thinking", "data": "b3Bh"},
    {"type": "text", "text": "It is Paris."},
]  # fmt: skip


def whole(compliance: str, reply: Reply = REPLY) -> Any:
    write = comply(DIALECT, compliance).write_reply
    assert write is not None
    return json.loads(json.dumps(write(reply, Request(dialect="openai_chat", model="m", messages=[]))))


def chunks(compliance: str, reply: Reply = REPLY) -> list[Any]:
    """The chunks of a stream of the reply, which must end as all do."""
    make = comply(DIALECT, compliance).stream_writer
    assert make is not None
    writer = make(Request(dialect="openai_chat", model="m", messages=[], stream=True, include_usage=True))
    written = b"".join(writer.write([event]) for event in events_of(reply)) + writer.finish()
    lines = written.decode().split("\n\n")
    assert lines[-1] == "" and lines[-2] == "data: [DONE]" and all(line.startswith("data: {") for line in lines[:-2])
    return [json.loads(line[6:]) for line in lines[:-2]]


def test_strict_reply_holds_what_openai_defines() -> None:
    """Thoughts, proofs and a provider's own words stay out; what was said stays."""
    reply = whole("strict")
    assert set(reply) <= {"id", "object", "created", "model", "choices", "usage", "service_tier", "system_fingerprint"}
    message = {"role": "assistant", "content": "It is Paris.", "refusal": None}
    assert reply["choices"] == [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}]
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"a":1}'}}
    assert whole("strict", CALLING)["choices"][0]["message"]["tool_calls"] == [call]


def test_strict_stream_holds_what_openai_defines() -> None:
    """No chunk has a member of another's making, and none is empty."""
    for reply in (REPLY, CALLING):
        for chunk in chunks("strict", reply):
            for choice in chunk["choices"]:
                assert set(choice) == {"index", "delta", "logprobs", "finish_reason"}
                assert set(choice["delta"]) <= {"role", "content", "refusal", "tool_calls"} and (choice["delta"] or choice["finish_reason"])
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks("strict")) == "It is Paris."


def test_blocks_stand_beside_the_words() -> None:
    """content_blocks are what was thought and said, in order, with proofs; they lead back to the same thoughts."""
    message = whole("blocks")["choices"][0]["message"]
    assert (message["content"], message["content_blocks"]) == ("It is Paris.", BLOCKS)
    assert DIALECT.read_request is not None
    again = DIALECT.read_request({"messages": [{"role": "assistant", "content": "", "content_blocks": BLOCKS}]}, "m", False)
    thoughts = [part for part in again.messages[0].parts if isinstance(part, Thinking)]
    assert [(thought.text, thought.signature, thought.redacted) for thought in thoughts] == [("Let me see.", "c2ln", ""), ("", "", "b3Bh")]
    assert "content_blocks" not in whole("blocks", CALLING)["choices"][0]["message"]


def test_streamed_blocks_add_up_to_the_whole() -> None:
    """Deltas of one index are one block."""
    found: dict[int, dict[str, str]] = {}
    for chunk in chunks("blocks"):
        for choice in chunk["choices"]:
            for piece in choice["delta"].get("content_blocks", []):
                block = found.setdefault(piece["index"], {})
                for name, value in piece["delta"].items():
                    block[name] = block.get(name, "") + value
    assert [found[index] for index in sorted(found)] == [{k: v for k, v in block.items() if k != "type"} for block in BLOCKS]


def test_error_in_mid_stream_passes() -> None:
    """What breaks a stream is said in either way."""
    for compliance in ("strict", "blocks"):
        make = comply(DIALECT, compliance).stream_writer
        assert make is not None
        writer = make(Request(dialect="openai_chat", model="m", messages=[], stream=True))
        written = writer.write([*events_of(REPLY)[:3], Broke(Failure(500, "server", "it broke"))]) + writer.finish()
        assert json.loads(written.decode().split("\n\n")[-2][6:])["error"]["message"] == "it broke"
