"""The four dialects of callers as a plain client writes and reads them: a question, with or without a tool, whole or as a stream."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.fakes.framing import BodyReader, Fields, FramingError, split_head
from tests.fakes.raw_client import RawClient, Response, json_request
from tests.gateway.limited import CHAT, MESSAGES, RESPONSES, bearer

WEATHER: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = "get_weather"


class NotWhole(AssertionError):
    """A stream that is no whole answer: an error event, a broken connection, no end, or what cannot be read."""


@dataclass(frozen=True)
class Answer:
    """What a client got out of a reply."""

    text: str = ""
    tools: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Speaker:
    """A client of one dialect."""

    name: str

    def target(self, model: str, stream: bool = False) -> str:
        """The path of its request."""
        if self.name == "gemini":
            return f"/v1beta/models/{model}:{'streamGenerateContent?alt=sse' if stream else 'generateContent'}"
        return {"chat": CHAT, "responses": RESPONSES, "messages": MESSAGES}[self.name]

    def body(self, model: str, said: str, *, stream: bool = False, schema: object = None, **more: object) -> dict[str, Any]:
        """A question; schema: of the parameters of the one tool that it offers."""
        if self.name == "gemini":
            tools: list[dict[str, Any]] = [{"functionDeclarations": [{"name": TOOL, "description": "w", "parametersJsonSchema": schema}]}]
            asked: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": said}]}]}
        elif self.name == "responses":
            tools = [{"type": "function", "name": TOOL, "description": "w", "parameters": schema, "strict": False}]
            asked = {"model": model, "input": said}
        elif self.name == "messages":
            tools = [{"name": TOOL, "description": "w", "input_schema": schema}]
            asked = {"model": model, "max_tokens": 200, "messages": [{"role": "user", "content": said}]}
        else:
            tools = [{"type": "function", "function": {"name": TOOL, "description": "w", "parameters": schema}}]
            asked = {"model": model, "messages": [{"role": "user", "content": said}]}
        if stream and self.name != "gemini":
            asked["stream"] = True
        return {**asked, **({"tools": tools} if schema is not None else {}), **more}

    def ask(self, url: str, model: str, said: str, fields: Fields | None = None, **more: Any) -> Response:
        """One request on a connection of its own. raises NotWhole where the connection breaks in mid-reply"""
        with RawClient(url) as client:
            body = self.body(model, said, **more)
            client.send(json_request(self.target(model, bool(more.get("stream"))), body, [*bearer(), *(fields or [])]))
            try:
                return client.read_response("POST")
            except FramingError as problem:
                raise NotWhole(str(problem)) from problem

    def follow(self, url: str, model: str, said: str) -> Answer:
        """Ask for a stream and look at each event as it comes, so that a bad one ends it at once. raises NotWhole"""
        with RawClient(url) as client:
            client.send(json_request(self.target(model, True), self.body(model, said, stream=True), bearer()))
            head = client.read_until(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                raise NotWhole(f"expected 200, got {head!r}")
            split = split_head(bytearray(head))
            assert split is not None
            reader = BodyReader(split[1], is_request=False)
            reader.feed(bytes(client.unread))
            while not reader.done:
                so_far = bytes(reader.body).replace(b"\r\n", b"\n")
                events_in(so_far[: so_far.rfind(b"\n\n") + 2] if b"\n\n" in so_far else b"")
                client.unread.clear()
                if not client._receive():
                    raise NotWhole("the connection ended")
                reader.feed(bytes(client.unread))
            return self._streamed(events_in(bytes(reader.body)))

    def read(self, reply: Response, *, stream: bool = False) -> Answer:
        """The answer. raises NotWhole for a stream that does not end as it should"""
        assert reply.status == 200, reply.body
        if not stream:
            return self._whole(json.loads(reply.body))
        assert (reply.field("content-type") or "").startswith("text/event-stream"), reply
        return self._streamed(events_in(reply.body))

    def code(self, reply: Response) -> str:
        """The stable code of one of the gateway's errors; fails the test where the shape is another dialect's."""
        body = json.loads(reply.body)
        if self.name == "gemini":
            assert set(body["error"]) == {"code", "message", "status", "details"} and body["error"]["code"] == reply.status, body
            return str(body["error"]["details"][0]["reason"])
        if self.name == "messages":
            assert body["type"] == "error" and body["error"]["type"] and body["request_id"], body
        else:
            assert set(body["error"]) == {"message", "type", "param", "code"}, body
        return str(body["error"].get("code"))

    def _whole(self, body: dict[str, Any]) -> Answer:
        if self.name == "chat":
            message = body["choices"][0]["message"]
            assert body["choices"][0]["finish_reason"] in ("stop", "length", "tool_calls") and body["usage"]["total_tokens"] >= 0, body
            called = [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in message.get("tool_calls") or []]
            return Answer(message.get("content") or "", tuple(called))
        if self.name == "messages":
            assert body["type"] == "message" and body["stop_reason"] and body["usage"]["output_tokens"] >= 0, body
            called = [(part["name"], part["input"]) for part in body["content"] if part["type"] == "tool_use"]
            return Answer("".join(part["text"] for part in body["content"] if part["type"] == "text"), tuple(called))
        if self.name == "gemini":
            return gemini_answer([body])
        assert body["object"] == "response" and body["status"] == "completed" and "usage" in body, body
        called = [(item["name"], json.loads(item["arguments"])) for item in body["output"] if item["type"] == "function_call"]
        parts = [part for item in body["output"] if item["type"] == "message" for part in item["content"]]
        return Answer("".join(part["text"] for part in parts if part["type"] == "output_text"), tuple(called))

    def _streamed(self, events: list[dict[str, Any]]) -> Answer:
        kinds = [event.get("type") for event in events]
        if self.name == "gemini":
            return gemini_answer(events)
        if self.name == "responses":
            if not kinds or kinds[-1] != "response.completed":
                raise NotWhole(f"expected response.completed at the end, got {kinds[-1:]}")
            return self._whole(events[-1]["response"])
        if self.name == "messages":
            if not kinds or kinds[-1] != "message_stop":
                raise NotWhole(f"expected message_stop at the end, got {kinds[-1:]}")
            return messages_answer(events)
        if not events or events[-1] != {"done": True}:
            raise NotWhole(f"expected [DONE] at the end, got {events[-1:]}")
        return chat_answer(events[:-1])


def events_in(body: bytes) -> list[dict[str, Any]]:
    """The JSON of each event; [DONE] is {"done": true}. raises NotWhole for an error event, and for what is none"""
    found: list[dict[str, Any]] = []
    *whole, rest = body.replace(b"\r\n", b"\n").split(b"\n\n")
    if rest:
        raise NotWhole(f"expected a whole event at the end, got {rest[-80:]!r}")
    for block in whole:
        payload = b"\n".join(line[5:].lstrip() for line in block.split(b"\n") if line.startswith(b"data:"))
        if not payload:
            continue
        try:
            event = {"done": True} if payload == b"[DONE]" else json.loads(payload)
        except ValueError as problem:
            raise NotWhole(f"expected JSON, got {payload[:80]!r}") from problem
        if "error" in event and event["error"] is not None or event.get("type") in ("error", "response.failed"):
            raise NotWhole(f"an error: {event}")
        found.append(event)
    return found


def chat_answer(chunks: list[dict[str, Any]]) -> Answer:
    text, calls = "", dict[int, list[str]]()
    reasons = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"] if choice.get("finish_reason")]
    if not reasons:
        raise NotWhole("no finish_reason")
    for chunk in chunks:
        for choice in chunk["choices"]:
            text += choice["delta"].get("content") or ""
            for call in choice["delta"].get("tool_calls") or []:
                name, arguments = call["function"].get("name"), call["function"].get("arguments")
                parts = calls.setdefault(call["index"], ["", ""])
                parts[0] += name or ""
                parts[1] += arguments or ""
    return Answer(text, tuple((name, json.loads(arguments)) for name, arguments in calls.values()))


def messages_answer(events: list[dict[str, Any]]) -> Answer:
    blocks: dict[int, dict[str, Any]] = {}
    for event in events:
        if event["type"] == "content_block_start":
            blocks[event["index"]] = {**event["content_block"], "said": ""}
        elif event["type"] == "content_block_delta":
            blocks[event["index"]]["said"] += event["delta"].get("text") or event["delta"].get("partial_json") or ""
    text = "".join(block["said"] for block in blocks.values() if block["type"] == "text")
    called = [(block["name"], json.loads(block["said"] or "{}")) for block in blocks.values() if block["type"] == "tool_use"]
    return Answer(text, tuple(called))


def gemini_answer(chunks: list[dict[str, Any]]) -> Answer:
    candidates = [chunk["candidates"][0] for chunk in chunks if chunk.get("candidates")]
    if not any(candidate.get("finishReason") for candidate in candidates):
        raise NotWhole("no finishReason")
    parts = [part for candidate in candidates for part in candidate.get("content", {}).get("parts", [])]
    called = [(part["functionCall"]["name"], part["functionCall"].get("args") or {}) for part in parts if "functionCall" in part]
    return Answer("".join(part.get("text", "") for part in parts if not part.get("thought")), tuple(called))


SPEAKERS = tuple(Speaker(name) for name in ("chat", "responses", "messages", "gemini"))
