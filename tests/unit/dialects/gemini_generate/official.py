"""Read replies and streams with the official client, google-genai, over a transport that answers from memory."""

import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
from google import genai
from google.genai import types


class Said(NamedTuple):
    """What a caller has of an answer, streamed or not: neighbouring words are one."""

    parts: list[tuple[Any, ...]]
    finish: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int


class Official:
    """The client, and what its next request is answered with."""

    def __init__(self) -> None:
        self.body = b""
        self.client = genai.Client(api_key="key", http_options=types.HttpOptions(
            base_url="http://provider.test", client_args={"transport": httpx.MockTransport(self._answer)}))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        streamed = "streamGenerateContent" in request.url.path
        return httpx.Response(200, headers={"content-type": "text/event-stream" if streamed else "application/json"}, content=self.body)

    def reply(self, body: bytes) -> types.GenerateContentResponse:
        """A whole reply as the client parses it."""
        self.body = body
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a word that the client does not know is a warning there
            return self.client.models.generate_content(model="m", contents="x")

    def stream(self, body: bytes) -> Iterator[types.GenerateContentResponse]:
        """The pieces of a stream as the client parses them."""
        self.body = body
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield from self.client.models.generate_content_stream(model="m", contents="x")


def said(pieces: list[types.GenerateContentResponse], number: int = 0) -> Said:
    """One answer of a reply, or of all the pieces of a stream."""
    parts: list[tuple[Any, ...]] = []
    finish = ""
    usage = types.GenerateContentResponseUsageMetadata()
    for piece in pieces:
        usage = piece.usage_metadata or usage
        for candidate in piece.candidates or []:
            if (candidate.index or 0) != number:
                continue
            finish = candidate.finish_reason.value if candidate.finish_reason else finish
            for part in (candidate.content.parts if candidate.content else None) or []:
                join(parts, view(part))
    prompt, words, thoughts = usage.prompt_token_count or 0, usage.candidates_token_count or 0, usage.thoughts_token_count or 0
    return Said([part for part in parts if part[1:] != ("", None)], finish, prompt + (usage.tool_use_prompt_token_count or 0),
                words + thoughts, usage.cached_content_token_count or 0, thoughts)


def view(part: types.Part) -> tuple[Any, ...]:
    """A part as a tuple that compares; the id of a call is left out, since the API states none."""
    signature = part.thought_signature
    if part.text is not None:
        return ("thought" if part.thought else "text", part.text, signature)
    if part.function_call is not None:
        return ("call", part.function_call.name, part.function_call.args or {}, signature)
    if part.inline_data is not None:
        return ("media", part.inline_data.mime_type, part.inline_data.data, signature)
    return ("other", part.model_dump(exclude_none=True))


def join(parts: list[tuple[Any, ...]], part: tuple[Any, ...]) -> None:
    """Add a part, or more of the last one: words go on until they have their signature."""
    last = parts[-1] if parts else ("",)
    if part[0] in ("text", "thought") and last[0] == part[0] and last[2] is None:
        parts[-1] = (part[0], last[1] + part[1], part[2])
    else:
        parts.append(part)
