"""Thoughts on messages, in each of the ways that this wire's servers and clients have come to write them.

reasoning_content    words only (DeepSeek); `reasoning` likewise (OpenRouter, Groq, vLLM)
thinking_blocks      Anthropic's blocks with their signatures (LiteLLM); content_blocks likewise (Portkey). Whose proof it is, where it is
                     not Anthropic's, stands in a member `format` of ours
reasoning_details    words, summaries and opaque words, each with a format that says whose they are (OpenRouter)
"""

from types import MappingProxyType

from fastgw.dialects.canonical import Thinking
from fastgw.dialects.reading import Json, as_object, as_text

ANTHROPIC = "anthropic_messages"
RESPONSES = "openai_responses"
# OpenRouter's name of a format, to the dialect whose proof it is. The proof of another format is known by the format's own name.
DIALECTS = MappingProxyType({"anthropic-claude-v1": ANTHROPIC, "openai-responses-v1": RESPONSES})
FORMATS = MappingProxyType({dialect: name for name, dialect in DIALECTS.items()})


def dialect_of(format_: object) -> str:
    """Whose proof a format says it is; "" where it says nothing."""
    name = as_text(format_)
    return "" if name == "unknown" else DIALECTS.get(name, name)


def words_of(value: object) -> str:
    """The words of a thought: a string, or an array of text chunks (Mistral)."""
    if isinstance(value, list):
        return "".join(as_text(as_object(chunk).get("text")) for chunk in value)
    return as_text(value)


def thinking_chunk(block: Json) -> Thinking:
    """A block of type thinking or redacted_thinking, of Anthropic's or Mistral's making."""
    whose = as_text(block.get("format")) or ANTHROPIC
    if block.get("type") == "redacted_thinking":
        return Thinking(redacted=as_text(block.get("data")), dialect=whose)
    signature = as_text(block.get("signature"))
    return Thinking(words_of(block.get("thinking")), signature, dialect=whose if signature else "")


def thoughts_of(message: Json) -> list[Thinking]:
    """The thoughts of an assistant message, read from the members that say most; what is not as expected is passed over."""
    blocks = message.get("thinking_blocks") or message.get("content_blocks")
    found = blocks_of(blocks) if isinstance(blocks, list) else []
    details = message.get("reasoning_details")
    if isinstance(details, list) and details:
        merged = merge(details)
        found += [thought for thought in merged if thought.encrypted or thought.id] if found else merged
    if not any(thought.text for thought in found):
        words = as_text(message.get("reasoning_content")) or as_text(message.get("reasoning"))
        if words:
            found.insert(0, Thinking(words))
    return found


def blocks_of(blocks: list[object]) -> list[Thinking]:
    """The thoughts among blocks. One that says only whose proof will come, as our streams begin, belongs to the next."""
    found = []
    whose = ""
    for block in map(as_object, blocks):
        if block.get("type") not in ("thinking", "redacted_thinking"):
            continue
        whose = as_text(block.get("format")) or whose
        thought = thinking_chunk({**block, "format": whose})
        if thought.text or thought.signature or thought.redacted:
            found.append(thought)
            whose = ""
    return found


def merge(details: list[object]) -> list[Thinking]:
    """reasoning_details as thoughts: entries of one index or id, or pieces of a stream that a client kept apart, are one thought."""
    found: list[Thinking] = []
    open_index: object = None
    for detail in map(as_object, details):
        thought = thought_of(detail)
        if thought is None:
            continue
        last = found[-1] if found else None
        same = detail.get("index") == open_index or bool(last and last.id and last.id == thought.id)
        if last is None or not same or last.dialect not in ("", thought.dialect) or not _continues(last, thought):
            found.append(thought)
            open_index = detail.get("index")
            continue
        last.text += thought.text
        last.signature = thought.signature or last.signature
        last.encrypted, last.id = thought.encrypted or last.encrypted, thought.id or last.id
        last.dialect = thought.dialect
    return found


def _continues(last: Thinking, more: Thinking) -> bool:
    """Whether a thought is not whole yet: its proof comes last."""
    if last.redacted or more.redacted or last.summary != more.summary and not more.encrypted:
        return False
    return not (last.signature or last.encrypted)


def thought_of(detail: Json) -> Thinking | None:
    """One entry of reasoning_details; None where it says nothing."""
    kind, whose, identity = detail.get("type"), dialect_of(detail.get("format")), as_text(detail.get("id"))
    if kind == "reasoning.encrypted":
        opaque = as_text(detail.get("data"))
        if not opaque:
            return None
        if whose == ANTHROPIC:
            return Thinking(redacted=opaque, dialect=whose)
        return Thinking(id=identity, encrypted=opaque, dialect=whose)
    if kind == "reasoning.summary":
        return Thinking(as_text(detail.get("summary")), id=identity, summary=True, dialect=whose)
    if kind == "reasoning.text":
        return Thinking(as_text(detail.get("text")), as_text(detail.get("signature")), id=identity, dialect=whose)
    return None


def block_of(thought: Thinking, index: int) -> Json:
    """A thought as an entry of thinking_blocks. index: for clients that put streamed lists together by it."""
    block: Json
    if thought.redacted:
        block = {"type": "redacted_thinking", "data": thought.redacted, "index": index}
    else:
        block = {"type": "thinking", "thinking": thought.text, "index": index}
        if thought.signature:
            block["signature"] = thought.signature
    if thought.dialect not in ("", ANTHROPIC):
        block["format"] = thought.dialect
    return block


def details_of(thought: Thinking, index: int) -> list[object]:
    """A thought as entries of reasoning_details, all of one index."""
    shared: Json = {"id": thought.id} if thought.id else {}
    shared |= {"format": FORMATS.get(thought.dialect, thought.dialect or "unknown"), "index": index}
    if thought.redacted:
        return [{"type": "reasoning.encrypted", "data": thought.redacted, **shared}]
    details: list[object] = []
    if thought.summary and (thought.text or not thought.encrypted):
        details.append({"type": "reasoning.summary", "summary": thought.text, **shared})
    elif not thought.summary and (thought.text or thought.signature):
        signed: Json = {"signature": thought.signature} if thought.signature else {}
        details.append({"type": "reasoning.text", "text": thought.text, **signed, **shared})
    if thought.encrypted:
        details.append({"type": "reasoning.encrypted", "data": thought.encrypted, **shared})
    return details


def apart(details: list[object], first: int) -> list[object]:
    """Entries for a caller, each with an index of its own: OpenAI's client adds up the strings of entries that share one."""
    return [{**as_object(detail), "index": first + at} for at, detail in enumerate(details)]


def is_block(thought: Thinking) -> bool:
    """Whether a thought has a proof of the kind that thinking_blocks carry."""
    return bool(thought.signature or thought.redacted)


def write_thoughts(thoughts: list[Thinking], message: Json) -> None:
    """Put thoughts on a message to a caller: the words for those who show them, and what proves them for those who send them back."""
    words = "".join(thought.text for thought in thoughts)
    if words:
        message["reasoning_content"] = words
    if any(map(is_block, thoughts)):
        message["thinking_blocks"] = [
            block_of(thought, index) for index, thought in enumerate(thought for thought in thoughts if not thought.encrypted)
        ]
    details: list[object] = []
    for thought in thoughts:
        if thought.encrypted or thought.id and not is_block(thought):
            details += apart(details_of(thought, 0), len(details))
    if details:
        message["reasoning_details"] = details


def echo_thoughts(thoughts: list[Thinking], message: Json, quirks: frozenset[str]) -> None:
    """Put thoughts of earlier turns on a message to a provider, as it wants them back; most want none."""
    words = "".join(thought.text for thought in thoughts)
    if "echo_reasoning_details" in quirks:
        details = [detail for index, thought in enumerate(thoughts) for detail in details_of(thought, index)]
        if details:
            message["reasoning_details"] = details
    elif "echo_thinking_blocks" in quirks:
        blocks: list[object] = [block_of(thought, index) for index, thought in enumerate(thoughts) if is_block(thought)]
        if blocks:
            message["thinking_blocks"] = blocks
        if words:
            message["reasoning_content"] = words
    elif "echo_reasoning_content" in quirks and (words or "tool_calls" in message):
        message["reasoning_content"] = words  # DeepSeek refuses calls without it, though it be empty
    elif "echo_reasoning" in quirks and words:
        message["reasoning"] = words


def chunk_of(thought: Thinking) -> Json:
    """A thought as Mistral's content has it."""
    return {"type": "thinking", "thinking": [{"type": "text", "text": thought.text}]}
