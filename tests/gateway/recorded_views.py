"""What a provider's own client reads of a recording."""
from __future__ import annotations

import json
import warnings
from functools import cache
from typing import Any

from openai._models import construct_type
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response

from fastgw.dialects.sse import EventSplitter
from tests.botocore_oracle import Bedrock
from tests.gateway.equivalents import DIALECTS
from tests.gateway.sdk_views import (
    Said,
    chat_said,
    chat_stream_said,
    cohere_said,
    converse_said,
    converse_stream_said,
    gemini_said,
    message_said,
    response_said,
)
from tests.recordings import Recording, is_counted
from tests.unit.dialects.anthropic_messages import official as claude


class Refused(Exception):
    """A stream of the recording is an error, as its client raises it."""


class Unreadable(Exception):
    """The provider's own client cannot read the recording, so it is no judge of what others read."""


@cache
def bedrock() -> Bedrock:
    """Bedrock's model, loaded once."""
    return Bedrock()


def is_whole(recording: Recording) -> bool:
    """Whether the reply is one JSON object."""
    return recording.reply.lstrip().startswith(b"{")


def events_of(recording: Recording) -> list[Any]:
    """The decoded events of an event stream. raises Refused where the first of them is an error"""
    splitter = EventSplitter()
    found = [json.loads(payload) for _, payload in splitter.feed(recording.reply) + splitter.finish() if payload.startswith(b"{")]
    if found and found[-1].get("error") and not found[-1].get("response"):
        raise Refused(found[-1]["error"])
    return found


@cache
def said_by_provider(recording: Recording) -> Said:
    """The view of a recording with status 200, made once for all. raises Refused where its stream is an error; Unreadable"""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".* is not a valid ", UserWarning)  # google-genai, of words that are newer than itself
            return _said(recording)
    except Refused:
        raise
    except Exception as problem:  # whatever a client raises
        if is_counted():
            raise  # all of these can be read
        raise Unreadable(f"{type(problem).__name__}: {problem}") from problem


def _said(recording: Recording) -> Said:
    dialect = DIALECTS[recording.api]
    if dialect == "anthropic_messages":
        return message_said(claude.whole(recording.reply) if is_whole(recording) else claude.streamed(recording.reply))
    if dialect == "gemini_generate":
        return gemini_said(recording.reply)
    if dialect == "cohere_chat":
        return cohere_said(recording.reply)
    if dialect == "bedrock_converse":
        if recording.api == "converse":
            return converse_said(bedrock().reply(recording.reply))
        return converse_stream_said(bedrock().stream(recording.reply))
    if dialect == "openai_chat":
        if is_whole(recording):
            return chat_said(construct_type(type_=ChatCompletion, value=recording.json()))
        return chat_stream_said(construct_type(type_=ChatCompletionChunk, value=chunk) for chunk in events_of(recording))
    whole = recording.json() if is_whole(recording) else [event for event in events_of(recording) if event.get("response")][-1]["response"]
    return response_said(construct_type(type_=Response, value=whole))
