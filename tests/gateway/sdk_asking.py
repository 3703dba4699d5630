"""The official clients before a gateway: each sends any body of its dialect, whole or streamed, and gives a view of what it gets."""
from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import anthropic
import httpx
import httpx2
import openai
from google import genai
from google.genai import types

from tests.gateway.running import KEY
from tests.gateway.sdk_views import Said, chat_said, chat_stream_said, generated_said, message_said, response_said

Fields = Mapping[str, str]
Body = dict[str, Any]
Answer = Callable[[str, bytes], tuple[int, str, bytes]]


def answered(answer: Answer, asked: Any) -> dict[str, Any]:
    """A reply from memory as the arguments of either library's Response."""
    status, kind, body = answer(asked.url.path, asked.content)
    return {"status_code": status, "headers": {"content-type": kind}, "content": body}


class Clients:
    """One client of each dialect, kept for the life of a test module. answer: given path and body, takes the place of the network."""

    def __init__(self, url: str, answer: Answer | None = None) -> None:
        mine, theirs = None, {}
        if answer is not None:
            mine = httpx2.Client(transport=httpx2.MockTransport(lambda asked: httpx2.Response(**answered(answer, asked))))
            theirs = {"transport": httpx.MockTransport(lambda asked: httpx.Response(**answered(answer, asked)))}
        self.openai = openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0, timeout=20, http_client=mine)
        self.anthropic = anthropic.Anthropic(base_url=url, api_key=KEY, max_retries=0, timeout=20, http_client=mine)
        self.google = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=url, timeout=20000, client_args=theirs))
        self.asking: dict[str, Callable[[Body, bool, Fields], Said]] = {
            "openai_chat": self.chat, "openai_responses": self.response, "anthropic_messages": self.message,
            "gemini_generate": self.generate,
        }

    def __repr__(self) -> str:
        return f"<Clients of {self.openai.base_url}>"

    def close(self) -> None:
        """Let go of their connections."""
        self.openai.close()
        self.anthropic.close()
        self.google.close()

    def ask(self, dialect: str, body: Body, stream: bool, fields: Fields) -> Said:
        """Send a body of a dialect by its client. raises what the client raises"""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of models whose end is announced
            warnings.filterwarnings("ignore", ".* is not a valid ", UserWarning)  # google-genai, of words that are newer than itself
            return self.asking[dialect](dict(body), stream, fields)

    def chat(self, body: Body, stream: bool, fields: Fields) -> Said:
        """A chat completion."""
        named = {name: body.pop(name) for name in ("model", "messages")}
        if not stream:
            body.pop("stream", None)
            return chat_said(self.openai.chat.completions.create(**named, extra_body=body, extra_headers=fields))
        body.pop("stream_options", None)
        return chat_stream_said(self.openai.chat.completions.create(
            **named, stream=True, stream_options={"include_usage": True}, extra_body=body, extra_headers=fields))

    def response(self, body: Body, stream: bool, fields: Fields) -> Said:
        """A response."""
        named = {name: body.pop(name) for name in ("model", "input")}
        body.pop("stream", None)
        if not stream:
            return response_said(self.openai.responses.create(**named, extra_body=body, extra_headers=fields))
        last: Any = None  # the client's own accumulator knows no other end than a completed one
        for event in self.openai.responses.create(**named, stream=True, extra_body=body, extra_headers=fields):
            last = event if getattr(event, "response", None) is not None else last
        return response_said(last.response)

    def message(self, body: Body, stream: bool, fields: Fields) -> Said:
        """A message."""
        named = {name: body.pop(name) for name in ("model", "max_tokens", "messages")}
        body.pop("stream", None)
        if not stream:
            return message_said(self.anthropic.beta.messages.create(**named, extra_body=body, extra_headers=fields))
        with self.anthropic.beta.messages.stream(**named, extra_body=body, extra_headers=fields) as events:
            return message_said(events.get_final_message())

    def generate(self, body: Body, stream: bool, fields: Fields) -> Said:
        """Generated content."""
        model = body.pop("model")
        options = types.HttpOptions(headers=dict(fields), extra_body=body)
        config = types.GenerateContentConfig(http_options=options)
        if not stream:
            return generated_said([self.google.models.generate_content(model=model, contents="x", config=config)])
        return generated_said(self.google.models.generate_content_stream(model=model, contents="x", config=config))


def status_of(error: Exception) -> int:
    """The status that a client's exception carries, 0 where it has none."""
    return int(getattr(error, "status_code", None) or getattr(error, "code", None) or 0)
