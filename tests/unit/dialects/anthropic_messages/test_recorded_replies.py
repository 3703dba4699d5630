"""What the official client reads in a recorded reply, it reads again after the reply was read and written here; whole or streamed."""

import json
from collections.abc import Iterable
from typing import Any

from fastgw.dialects.anthropic_messages import BEDROCK, DIALECT
from fastgw.dialects.assembly import Assembler
from fastgw.dialects.assembly import events_of as events_of_reply
from fastgw.dialects.canonical import Event, Reply, UsageStated
from fastgw.dialects.eventstream import MessageSplitter
from tests.feeding import same_however_fed
from tests.recordings import Recording, counted
from tests.unit.dialects.anthropic_messages.official import ASKED, events_of, members, messages_recorded, rewritten, streamed, whole


def whole_replies() -> list[Recording]:
    return [exchange for exchange in messages_recorded() if exchange.status == 200 and exchange.reply.startswith(b"{")]


def streams() -> list[Recording]:
    return [exchange for exchange in messages_recorded() if exchange.status == 200 and exchange.reply.startswith(b"event:")]


def comparable(message: dict[str, Any]) -> dict[str, Any]:
    """What must be the same: all but counts that the canonical usage has no field for, and members that say nothing."""
    usage = message["usage"]
    counted: dict[str, Any] = {name: usage.get(name) or 0 for name in (
        "input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")}
    counted["long"] = (usage.get("cache_creation") or {}).get("ephemeral_1h_input_tokens") or 0
    counted["thinking"] = (usage.get("output_tokens_details") or {}).get("thinking_tokens") or 0
    for iteration in usage.get("iterations") or []:
        if iteration["type"] == "compaction":  # charged, and counted by the canonical usage
            for name in ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"):
                counted[name] += iteration[name]
    content = [{name: value for name, value in block.items() if value not in (None, [])} for block in message["content"]]
    found = {name: message.get(name) for name in ("id", "model", "role", "type", "stop_reason", "stop_sequence", "stop_details")}
    return {**found, "content": content, "usage": counted, "tier": usage.get("service_tier")}


def reply_of(events: Iterable[Event]) -> Reply:
    assembler = Assembler()
    assembler.take(list(events))
    assert assembler.failure is None
    return assembler.finish()


def write(reply: Reply) -> bytes:
    assert DIALECT.write_reply is not None
    return json.dumps(DIALECT.write_reply(reply, ASKED)).encode()


def events_of_aws(stream: bytes) -> list[Event]:
    splitter, reader = MessageSplitter(), BEDROCK.stream_reader()
    return [event for name, payload in splitter.feed(stream) for event in reader.read(name, payload)] + reader.finish()


def test_recorded_replies_survive() -> None:
    """The client finds the same texts, calls, end and usage in a reply that went through the canonical types."""
    replies = whole_replies()
    counted(len(replies), 281)
    for exchange in replies:
        expected = comparable(members(whole(exchange.reply)))
        reply = DIALECT.read_reply(exchange.json())
        assert comparable(members(whole(write(reply)))) == expected, exchange.name
        assert comparable(members(streamed(rewritten(events_of_reply(reply))))) == expected, exchange.name


def test_recorded_streams_survive() -> None:
    """The client adds up the same of a stream that went through the canonical events, and of the reply that these make."""
    recorded = streams()
    counted(len(recorded), 30)
    for exchange in recorded:
        expected = comparable(members(streamed(exchange.reply)))
        events = events_of([exchange.reply])
        assert comparable(members(streamed(rewritten(events)))) == expected, exchange.name
        # only message_start has the long writes, and only a whole reply has them again
        assert comparable(members(whole(write(reply_of(events_of([exchange.reply])))))) == expected, exchange.name


def test_recorded_streams_are_read_the_same_however_they_come() -> None:
    """The events do not depend on where the network cuts a stream."""
    for exchange in streams():
        same_however_fed(lambda pieces: events_of(list(pieces)), exchange.reply, splits=3)


def test_recorded_streams_of_aws_are_read() -> None:
    """InvokeModelWithResponseStream brings the same events in messages of its own."""
    count = 0
    for exchange in messages_recorded():
        if exchange.api != "invoke-stream" or exchange.status != 200:
            continue
        reply = reply_of(events_of_aws(exchange.reply))
        assert reply.usage is not None and reply.usage.output_tokens > 0
        assert reply.choices[0].parts and reply.choices[0].raw_finish
        assert members(streamed(rewritten(events_of_aws(exchange.reply))))["content"] == members(whole(write(reply)))["content"]
        count += 1
    counted(count, 2)


def test_usage_is_stated_from_the_beginning() -> None:
    """What a stream that is cut has used by then is known: message_start says it."""
    for exchange in streams():
        events = events_of([exchange.reply])
        stated = [event.usage for event in events if isinstance(event, UsageStated)]
        assert len(stated) == 2 and stated[0].input_tokens > 0, exchange.name
