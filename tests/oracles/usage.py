"""The usage kernel, slowly: json.loads for each reply or event, dicts for the counts."""

import json
import re
from dataclasses import dataclass, field

OPENAI, ANTHROPIC, GEMINI, COHERE = 1, 2, 3, 4
NAMES = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
)
TEXT = {
    "text",
    "content",
    "refusal",
    "thinking",
    "arguments",
    "reasoning",
    "completion",
    "partial_json",
    "reasoning_content",
}
RESPONSE_ENDS = {"response.completed", "response.incomplete", "response.failed"}
Json = dict[str, object]


@dataclass
class Watched:
    """What a tap should have seen at the end of a reply."""

    usage: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    seen: bool = False
    final: bool = False
    text_bytes: int = 0
    events: int = 0
    saw_done: bool = False
    saw_error: bool = False
    passed_on: bytes = b""
    told: dict[str, int] = field(default_factory=dict, compare=False)


def watch_json(dialect: int, body: bytes) -> Watched:
    """One whole reply."""
    watched = Watched(passed_on=body, events=1, saw_done=True)
    try:
        reply = json.loads(body)
    except ValueError:
        return Watched(passed_on=body)
    parts = reply if isinstance(reply, list) and dialect == GEMINI else [reply]
    for part in parts:
        if isinstance(part, dict):
            _take_usage(dialect, part, watched)
            watched.saw_error = watched.saw_error or isinstance(part.get("error"), dict | list | str)
    watched.saw_error = watched.saw_error or (isinstance(reply, dict) and reply.get("type") == "error")
    watched.text_bytes = _text_bytes(reply)
    watched.final = watched.seen
    return watched


def watch_events(dialect: int, body: bytes, strip: bool = False) -> Watched:
    """One whole event stream; an event without its empty line counts."""
    watched = Watched()
    for raw, content in split_events(body):
        drop = _watch_event(dialect, content, watched) if content else False
        if not (drop and strip and dialect == OPENAI):
            watched.passed_on += raw
    return watched


def split_events(body: bytes) -> list[tuple[bytes, bytes]]:
    """The bytes of each event with its line ends, and its data."""
    events: list[tuple[bytes, bytes]] = []
    raw, lines = b"", list[bytes]()
    for number, match in enumerate(re.finditer(rb"([^\r\n]*)(\r\n|\r|\n|$)", body)):
        raw += match[0]
        line = match[1].removeprefix(b"\xef\xbb\xbf") if number == 0 else match[1]
        if line.startswith(b"data:"):
            lines.append(line[5:].removeprefix(b" "))
        elif not line and match[2]:
            events.append((raw, b"\n".join(lines)))
            raw, lines = b"", []
    if raw:
        events.append((raw, b"\n".join(lines)))
    return events


def _watch_event(dialect: int, content: bytes, watched: Watched) -> bool:
    """Is it an event that only carries usage?"""
    watched.events += 1
    if content == b"[DONE]":
        watched.saw_done = True
        watched.final = watched.seen
        return False
    try:
        event = json.loads(content)
    except ValueError:
        return False
    if not isinstance(event, dict):
        return False
    kind = str(event.get("type"))
    delta = event.get("delta")
    if kind.startswith("response."):
        watched.text_bytes += len(delta.encode()) if isinstance(delta, str) else 0
    else:
        watched.text_bytes += _text_bytes(event)
    finished = _has_finish(event)
    failed = isinstance(event.get("error"), dict | list | str)
    watched.saw_error = watched.saw_error or failed or kind in ("error", "response.failed")
    watched.saw_done = (
        watched.saw_done or kind == "message_stop" or kind in RESPONSE_ENDS or (dialect in (GEMINI, COHERE) and finished)
    )
    if _take_usage(dialect, event, watched):
        if finished or kind == "message_delta" or kind in RESPONSE_ENDS:
            watched.final = True
        elif dialect == OPENAI and not kind.startswith("response."):
            watched.final = event.get("choices", []) == []
    return event.get("choices") == [] and _states(dialect, event.get("usage")) and not failed


def _states(dialect: int, usage: object) -> bool:
    return isinstance(usage, dict) and _openai(usage) is not None


def _take_usage(dialect: int, reply: Json, watched: Watched) -> bool:
    places: list[object] = []
    for key, value in reply.items():
        if key == ("usageMetadata" if dialect == GEMINI else "usage"):
            places.append(value)
        if key == "meta" and dialect == COHERE:
            places.append(value)
        wrappers = {OPENAI: ("response", "x_groq"), ANTHROPIC: ("message",), GEMINI: (), COHERE: ("delta",)}[dialect]
        if key in wrappers and isinstance(value, dict):
            places.append(value.get("usage"))
    taken = False
    for place in places:
        if isinstance(place, dict):
            counts = {OPENAI: _openai, ANTHROPIC: _anthropic, GEMINI: _gemini, COHERE: _cohere}[dialect](place)
            if counts is not None:
                watched.usage = _bounded(_merged(counts, watched) if dialect == ANTHROPIC else dict.fromkeys(NAMES, 0) | counts)
                watched.seen = taken = True
    return taken


def _merged(counts: dict[str, int], watched: Watched) -> dict[str, int]:
    """Anthropic's later usages leave out what has not changed, compactions among it; the sums are without compactions."""
    watched.told = told = watched.told | counts
    parts = [
        {name: told.get(f"{group}{name}", 0) for name in (*NAMES, "fresh")} for group in ("", "compacted_")
    ]
    for part in parts:
        part["cache_write_1h_tokens"] = min(part["cache_write_1h_tokens"], part["cache_write_tokens"])
        part["input_tokens"] = part["fresh"] + part["cache_read_tokens"] + part["cache_write_tokens"]
    return {name: sum(part[name] for part in parts) for name in NAMES}


def _bounded(counts: dict[str, int]) -> dict[str, int]:
    usage = {name: counts[name] for name in NAMES}
    for part, whole in (
        ("cache_read_tokens", usage["input_tokens"]),
        ("cache_write_tokens", usage["input_tokens"] - min(usage["cache_read_tokens"], usage["input_tokens"])),
        ("audio_input_tokens", usage["input_tokens"]),
        ("reasoning_tokens", usage["output_tokens"]),
        ("audio_output_tokens", usage["output_tokens"]),
    ):
        usage[part] = min(usage[part], whole)
    usage["cache_write_1h_tokens"] = min(usage["cache_write_1h_tokens"], usage["cache_write_tokens"])
    return usage


def _count(usage: object, *names: str) -> int | None:
    """The last stated one of some names in the order of the object."""
    if not isinstance(usage, dict):
        return None
    counts = [value for name, value in usage.items() if name in names and type(value) is int and 0 <= value <= 2**53]
    return counts[-1] if counts else None


def _details(usage: Json, *names: str) -> Json:
    merged: Json = {}
    for name, value in usage.items():
        if name in names and isinstance(value, dict):
            merged |= value
    return merged


def _openai(usage: Json) -> dict[str, int] | None:
    tokens_in, tokens_out = (
        _count(usage, "prompt_tokens", "input_tokens"),
        _count(usage, "completion_tokens", "output_tokens"),
    )
    total = _count(usage, "total_tokens")
    if tokens_in is None and tokens_out is None and total is None:
        return None
    if tokens_in is None:
        tokens_in = max((total or 0) - (tokens_out or 0), 0)
    of_input = _details(usage, "prompt_tokens_details", "input_tokens_details", "input_token_details")
    of_output = _details(usage, "completion_tokens_details", "output_tokens_details", "output_token_details")
    cached = _count(of_input, "cached_tokens")
    if cached is None:
        cached = _count(usage, "prompt_cache_hit_tokens", "num_cached_tokens")
    return {
        "input_tokens": tokens_in,
        "output_tokens": max(tokens_out or 0, (total or 0) - tokens_in),
        "cache_read_tokens": cached or 0,
        "cache_write_tokens": _count(of_input, "cache_write_tokens") or 0,
        "reasoning_tokens": _count(of_output, "reasoning_tokens") or 0,
        "audio_input_tokens": _count(of_input, "audio_tokens") or 0,
        "audio_output_tokens": _count(of_output, "audio_tokens") or 0,
    }


def _anthropic(usage: Json) -> dict[str, int] | None:
    counts = _iteration(usage)
    thoughts = _count(usage.get("output_tokens_details"), "thinking_tokens")
    if "fresh" not in counts and "output_tokens" not in counts:
        return None
    if thoughts is not None:
        counts["reasoning_tokens"] = thoughts
    if isinstance(iterations := usage.get("iterations"), list):
        taken = [_iteration(one) for one in iterations if isinstance(one, dict) and one.get("type") == "compaction"]
        for one in taken:
            one["cache_write_1h_tokens"] = min(one.get("cache_write_1h_tokens", 0), one.get("cache_write_tokens", 0))
        names = (*NAMES, "fresh")
        counts |= {f"compacted_{name}": min(sum(one.get(name, 0) for one in taken), 2**53) for name in names}
    return counts


def _iteration(stated: Json) -> dict[str, int]:
    rows = {
        "fresh": _count(stated, "input_tokens"),
        "output_tokens": _count(stated, "output_tokens"),
        "cache_read_tokens": _count(stated, "cache_read_input_tokens"),
        "cache_write_tokens": _count(stated, "cache_creation_input_tokens"),
        "cache_write_1h_tokens": _count(stated.get("cache_creation"), "ephemeral_1h_input_tokens"),
    }
    return {name: count for name, count in rows.items() if count is not None}


def _gemini(usage: Json) -> dict[str, int] | None:
    prompt, candidates = _count(usage, "promptTokenCount"), _count(usage, "candidatesTokenCount")
    total = _count(usage, "totalTokenCount")
    if prompt is None and candidates is None and total is None:
        return None
    tokens_in = (prompt or 0) + (_count(usage, "toolUsePromptTokenCount") or 0)
    thoughts = _count(usage, "thoughtsTokenCount") or 0
    return {
        "input_tokens": tokens_in,
        "output_tokens": max((total or 0) - tokens_in, thoughts) if candidates is None else candidates + thoughts,
        "cache_read_tokens": _count(usage, "cachedContentTokenCount") or 0,
        "reasoning_tokens": thoughts,
        "audio_input_tokens": _audio(usage.get("promptTokensDetails")),
        "audio_output_tokens": _audio(usage.get("candidatesTokensDetails")),
    }


def _cohere(usage: Json) -> dict[str, int] | None:
    billed = usage.get("billed_units")
    tokens_in, tokens_out = _count(billed, "input_tokens"), _count(billed, "output_tokens")
    if tokens_in is None and tokens_out is None:
        return None
    return {"input_tokens": (tokens_in or 0) + (_count(billed, "image_tokens") or 0), "output_tokens": tokens_out or 0}


def _audio(details: object) -> int:
    rows = details if isinstance(details, list) else []
    return sum(
        _count(row, "tokenCount") or 0 for row in rows if isinstance(row, dict) and row.get("modality") == "AUDIO"
    )


def _text_bytes(value: object) -> int:
    if isinstance(value, dict):
        own = sum(_utf8_bytes(inner) for key, inner in value.items() if key in TEXT and isinstance(inner, str))
        return own + sum(_text_bytes(inner) for inner in value.values())
    return sum(map(_text_bytes, value)) if isinstance(value, list) else 0


def _utf8_bytes(text: str) -> int:
    """Half a surrogate pair counts for two."""
    return sum(2 if 0xD800 <= ord(c) < 0xE000 else len(c.encode()) for c in text)


def _has_finish(value: object) -> bool:
    if isinstance(value, dict):
        return any(
            (key in ("finish_reason", "finishReason") and isinstance(inner, str)) or _has_finish(inner)
            for key, inner in value.items()
        )
    return any(map(_has_finish, value)) if isinstance(value, list) else False
