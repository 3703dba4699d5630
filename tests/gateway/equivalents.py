"""The same question in another dialect: a recorded request, read into the canonical types and written for each of the four clients."""
from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from fastgw.dialects.canonical import Message, Request, Text
from fastgw.dialects.notes import Notes
from fastgw.dialects.table import CALLERS, dialect_of
from tests.recordings import Recording
from tests.unit.dialects.bedrock_converse import asking as converse
from tests.unit.dialects.cohere_chat import asking as cohere

# What was asked of the providers, and the dialect of that.
DIALECTS = {
    "messages": "anthropic_messages", "generateContent": "gemini_generate", "streamGenerateContent": "gemini_generate",
    "converse": "bedrock_converse", "converse-stream": "bedrock_converse", "v2.chat": "cohere_chat", "chat.completions": "openai_chat",
    "responses": "openai_responses",
}
SURFACE = {dialect: operation for operation, dialect in CALLERS.items()}
MODEL = re.compile(r"/models?/([^:/]+)")


def model_of(recording: Recording) -> str:
    """The model that was asked, of the body or of the path."""
    if isinstance(recording.request, dict) and "messages" in recording.request and "model" in recording.request:
        return str(recording.request["model"])
    if recording.api == "responses":
        return str(recording.request["model"])
    found = MODEL.search(unquote(urlsplit(recording.url).path))
    assert found is not None, recording.url
    return found[1]


def canonical(recording: Recording) -> Request:
    """A recorded request as the canonical one, for a caller of any dialect; something is asked where no other dialect has its words."""
    if not isinstance(recording.request, dict):
        return Request("", model_of(recording), [Message("user", [Text("?")])])
    if recording.api in ("converse", "converse-stream"):
        request = converse.request_of(recording)
    elif recording.api == "v2.chat":
        request = cohere.request_of(recording)
    else:
        read = dialect_of(DIALECTS[recording.api]).read_request
        assert read is not None
        body = msgspec.json.decode(msgspec.json.encode(recording.request))
        request = read(body, model_of(recording), recording.api == "streamGenerateContent")
    request.model = model_of(recording)
    request.extra, request.echo, request.bound = {}, {}, {}
    if not any(isinstance(part, Text) for message in request.messages for part in message.parts if message.role == "user"):
        request.messages.append(Message("user", [Text("?")]))
    return request


def asked_in(dialect: str, recording: Recording) -> dict[str, Any]:
    """The body that a client of a dialect would have sent in the place of the recorded one."""
    request = canonical(recording)
    if dialect == "anthropic_messages" and request.max_tokens is None:
        request.max_tokens = 4096
    return {"model": request.model} | dialect_of(dialect).write_request(request, Notes(), frozenset())
