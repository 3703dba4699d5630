"""Recorded streams are read as the official client reads them, and written so that it reads the same again."""

import openai
from openai.types.chat import ChatCompletionChunk

from fastgw.dialects.canonical import (
    Broke,
    Refusal,
    Reply,
    Text,
    Thinking,
    ToolCall,
)
from fastgw.dialects.openai_chat.request import read_request
from tests.feeding import same_however_fed
from tests.recordings import Recording, counted
from tests.unit.dialects.openai_chat.recorded import streams
from tests.unit.dialects.openai_chat.streaming import accumulated, assembled, chunks_in, events_in, seen, written


def stated(stream: bytes) -> tuple[int, int] | None:
    """The last usage that a recorded stream states."""
    found = None
    for chunk in chunks_in(stream):
        usage = chunk.get("usage") or chunk.get("x_groq", {}).get("usage")
        found = (usage["prompt_tokens"], usage["completion_tokens"]) if usage else found
    return found


def canonical(reply: Reply) -> list[object]:
    """The same of a canonical reply."""
    found: list[object] = []
    for choice in reply.choices:
        words = "".join(part.text for part in choice.parts if isinstance(part, Text))
        refusal = "".join(part.text for part in choice.parts if isinstance(part, Refusal))
        calls = [(part.name, part.arguments) for part in choice.parts if isinstance(part, ToolCall)]
        found.append((words, refusal, calls, choice.finish))
    return [*found, (reply.usage.input_tokens, reply.usage.output_tokens) if reply.usage else None]


def test_recorded_streams_are_read_as_the_client_reads_them() -> None:
    """The reader and the official client find the same words, calls, ends and usage; errors in mid-stream end both."""
    count = 0
    for chat in streams():
        events = events_in([chat.reply])
        if chat.provider == "mistral" and b'"thinking"' in chat.reply:
            continue  # the client cannot add arrays to strings; test_recorded_thoughts_are_read has it
        try:
            expected = seen(accumulated(chat.reply))
        except openai.APIError:
            assert isinstance(events[-1], Broke), chat.name
            assert events[-1].failure.status == 400, chat.name
            continue
        expected[-1] = stated(chat.reply)  # the client forgets a usage that is followed by a chunk without one, and knows no x_groq
        assert canonical(assembled(events)) == expected, chat.name
        assert not [event for event in events if isinstance(event, Broke)], chat.name
        count += 1
    counted(count, 81)


def thought(chat: Recording) -> str:
    """The words of thought in a recorded stream."""
    words = []
    for chunk in chunks_in(chat.reply):
        for choice in chunk.get("choices") or []:
            delta = choice.get("delta") or {}
            plain = delta.get("reasoning_content") or delta.get("reasoning")
            details = "".join(detail.get("text") or detail.get("summary") or "" for detail in delta.get("reasoning_details") or [])
            content = delta.get("content")
            if isinstance(content, list):
                plain = "".join(piece["text"] for part in content if part["type"] == "thinking" for piece in part["thinking"])
            words.append(plain or details)
    return "".join(words)


def test_recorded_thoughts_are_read() -> None:
    """Words of thought come out whole, whichever member they stand in; a signature stands at them."""
    count = 0
    for chat in streams():
        parts = [part for choice in assembled(events_in([chat.reply])).choices for part in choice.parts]
        thoughts = [part for part in parts if isinstance(part, Thinking)]
        assert "".join(part.text for part in thoughts) == thought(chat), chat.name
        if b'"signature":"E' in chat.reply:
            assert any(part.signature and part.dialect == "anthropic_messages" for part in thoughts), chat.name
        count += bool(thoughts)
    counted(count, 11)


def test_recorded_streams_survive() -> None:
    """Read and written again, a recorded stream is to the official client what it was."""
    for chat in streams():
        events = events_in([chat.reply])
        request = read_request(chat.request, "", True)
        request.include_usage = True
        stream = written(events, request)
        if isinstance(events[-1], Broke):
            assert b"[DONE]" not in stream and chunks_in(stream)[-1].keys() == {"error"}, chat.name
            continue
        for chunk in chunks_in(stream):
            ChatCompletionChunk.model_validate(chunk)
        assert seen(accumulated(stream)) == canonical(assembled(events)), chat.name
        assert stream.endswith(b"data: [DONE]\n\n"), chat.name


def test_recorded_streams_survive_being_read_again() -> None:
    """What the writer writes, the reader reads as the same reply, with its thoughts, proofs and log probabilities."""
    for chat in streams():
        events = events_in([chat.reply])
        if not isinstance(events[-1], Broke):
            first = assembled(events)
            again = assembled(events_in([written(events)]))
            first.created = first.created or again.created  # made where none was stated
            first.id = first.id or again.id
            for before, after in zip(first.choices, again.choices, strict=True):
                before.raw_finish = before.raw_finish or after.raw_finish
            assert again == first, chat.name


def test_recorded_streams_are_the_same_however_they_come() -> None:
    """Whole, byte by byte or split anywhere: the events are the same."""
    shortest: dict[str, Recording] = {}
    for chat in streams():
        known = shortest.get(chat.provider)
        if known is None or len(chat.reply) < len(known.reply):
            shortest[chat.provider] = chat
    for chat in shortest.values():
        same_however_fed(lambda pieces: [repr(event) for event in events_in(pieces)], chat.reply, seed=1)
