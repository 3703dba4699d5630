"""The golden cases: what callers ask and providers answer, written by hand, and what the gateway makes of both, rendered and reviewed.

tests/golden/callers/DIALECT.json     a request by scenario, as a caller of the dialect writes it
tests/golden/providers/DIALECT.json   a reply and the same as a stream by scenario, and an error, as the provider documents them
tests/golden/pairs/CALLER.PROVIDER.json   what goes to the provider and what comes back to the caller

`python -m tools.render_golden` writes the pairs anew: read the difference before it is committed.
"""

import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from fastgw.dialects.sse import EventSplitter
from fastgw.dialects.table import CALLERS, dialect_of
from fastgw.dialects.translate import Asked, NotOfDialect, Translation, translate
from tests.messages import event, exception

FOLDER = Path(__file__).parents[2] / "golden"
CLIENTS = tuple(CALLERS.values())
UPSTREAMS = (*CLIENTS, "bedrock_converse", "cohere_chat")
PAIRS = [(client, upstream) for client in CLIENTS for upstream in UPSTREAMS]
NOW = 1_700_000_000
Json = dict[str, Any]


def load(kind: str, name: str) -> Json:
    """A file of cases."""
    found: Json = json.loads((FOLDER / kind / f"{name}.json").read_text(encoding="utf-8"))
    return found


def dump(cases: Json) -> str:
    """Cases as text: a line for each member, and for each event of a stream."""
    blocks = []
    for name, members in cases.items():
        if not isinstance(members, dict):
            blocks.append(f" {compact(name)}: {compact(members)}")
            continue
        lines = [f"  {compact(part)}: {events_text(value) if 'stream' in part else compact(value)}" for part, value in members.items()]
        blocks.append(f" {compact(name)}: {{\n" + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def events_text(value: object) -> str:
    """Events, a line for each; anything else on one line."""
    if not isinstance(value, list):
        return compact(value)
    return "[\n" + ",\n".join(f"   {compact(item)}" for item in value) + "\n  ]"


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


@contextmanager
def fixed() -> Iterator[None]:
    """Clock and random ids stand still."""
    with patch.object(os, "urandom", bytes), patch.object(time, "time", lambda: float(NOW)), \
            patch.object(secrets, "token_hex", lambda size: "00" * size):
        yield


def framed(upstream: str, events: list[Any]) -> bytes:
    """A provider's events as the bytes of its stream."""
    if upstream == "bedrock_converse":
        return b"".join(
            exception(name.removeprefix("exception:"), payload) if name.startswith("exception:") else event(name, payload)
            for name, payload in events)
    texts = [(name, payload if isinstance(payload, str) else json.dumps(payload)) for name, payload in events]
    return b"".join((f"event: {name}\n" if name else "").encode() + b"data: " + text.encode() + b"\n\n" for name, text in texts)


def events_in(stream: bytes) -> list[Any]:
    """The events of a caller's stream, decoded; each is framed as the standard has it, or the splitter would not find it."""
    splitter = EventSplitter()
    found = [[name, "[DONE]" if data == b"[DONE]" else json.loads(data)] for name, data in splitter.feed(stream)]
    assert not splitter.finish(), "expected the last event to be ended"
    return found


def asking(client: str, upstream: str, scenario: str, stream: bool) -> Translation:
    """The translation of a caller's request of a scenario."""
    body = load("callers", client)["text" if scenario == "error" else scenario]
    model = load("providers", upstream)["model"]
    if client != "gemini_generate":
        body = {"model": "alias", **body} | ({"stream": True} if stream else {})
    if client == "openai_chat" and stream:
        body["stream_options"] = {"include_usage": True}
    return translate(dialect_of(client), dialect_of(upstream), json.dumps(body).encode(), Asked(model, stream))


def streamed(client: str, upstream: str, scenario: str, pieces: list[bytes]) -> bytes:
    """The caller's stream for a provider's that comes in pieces."""
    events = asking(client, upstream, scenario, True).stream()
    return b"".join([events.feed(piece) for piece in pieces]) + events.finish()


def assembled(client: str, upstream: str, scenario: str, pieces: list[bytes]) -> Any:
    """The caller's whole reply for a provider's stream; None where that is an error"""
    events = asking(client, upstream, scenario, False).stream()
    for piece in pieces:
        assert events.feed(piece) == b""
    try:
        return json.loads(events.finish())
    except NotOfDialect:
        return None


def scenarios(client: str, upstream: str) -> list[str]:
    """What both dialects have."""
    return [name for name in load("callers", client) if name in load("providers", upstream)]


def render(client: str, upstream: str) -> Json:
    """The cases of a pair."""
    answers = load("providers", upstream)
    cases: Json = {}
    with fixed():
        for name in scenarios(client, upstream):
            whole = asking(client, upstream, name, False)
            request, streaming = json.loads(whole.body), json.loads(asking(client, upstream, name, True).body)
            case = cases[name] = {"request": request}
            case["request streamed"] = {key: value for key, value in streaming.items() if request.get(key) != value}
            if whole.dropped:
                case["dropped"] = whole.dropped
            case["reply"] = json.loads(whole.reply(json.dumps(answers[name]["reply"]).encode()))
            case["stream"] = events_in(streamed(client, upstream, name, [framed(upstream, answers[name]["stream"])]))
        error = answers["error"]
        told = asking(client, upstream, "error", False).error(error["status"], json.dumps(error["body"]).encode(), "req")
        cases["error"] = {"reply": json.loads(told), "stream": events_in(
            streamed(client, upstream, "error", [framed(upstream, error["stream"])]))}
    return cases
