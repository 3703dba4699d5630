"""Calls that the official clients make, to a provider or through a gateway, each returning a plain value to compare.

A call takes the address without a path and a key. `CALLS` names them all.
"""
from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import anthropic
import openai
from google import genai
from google.genai import types

MODEL, CLAUDE, GEMINI, EMBEDDING = "gpt-4.1", "claude-sonnet-4-6", "gemini-2.5-flash", "text-embedding-3-small"
QUESTION = "Which city is the capital of France?"
WEATHER: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
Call = Callable[[str, str], object]


def openai_client(base_url: str, key: str) -> openai.OpenAI:
    """Make OpenAI's client; it does not retry, so that errors are seen."""
    return openai.OpenAI(base_url=f"{base_url}/v1", api_key=key, max_retries=0, timeout=20)


def anthropic_client(base_url: str, key: str) -> anthropic.Anthropic:
    """Make Anthropic's client."""
    return anthropic.Anthropic(base_url=base_url, api_key=key, max_retries=0, timeout=20)


def gemini_client(base_url: str, key: str) -> genai.Client:
    """Make Google's client."""
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=base_url, timeout=20000))


def openai_chat(base_url: str, key: str) -> object:
    """A chat completion."""
    with openai_client(base_url, key) as client:
        reply = client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": QUESTION}], max_tokens=7
        )
    return reply.model_dump()


def openai_chat_stream(base_url: str, key: str) -> object:
    """A streamed chat completion whose client did not ask for usage."""
    with openai_client(base_url, key) as client:
        stream = client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": QUESTION}], stream=True
        )
        return [chunk.model_dump() for chunk in stream]


def openai_chat_stream_usage(base_url: str, key: str) -> object:
    """A streamed chat completion with usage."""
    with openai_client(base_url, key) as client:
        stream = client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": QUESTION}],
            stream=True,
            stream_options={"include_usage": True},
        )
        return [chunk.model_dump() for chunk in stream]


def openai_tool(base_url: str, key: str) -> object:
    """A tool call."""
    with openai_client(base_url, key) as client:
        reply = client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": QUESTION}], tool_choice="required",
            tools=[{"type": "function", "function": {"name": "weather", "parameters": WEATHER}}])
    return reply.model_dump()


def openai_tool_stream(base_url: str, key: str) -> object:
    """A streamed tool call, put together by the client's own accumulator."""
    with openai_client(base_url, key) as client, client.chat.completions.stream(
            model=MODEL, messages=[{"role": "user", "content": QUESTION}], tool_choice="required",
            tools=[{"type": "function", "function": {"name": "weather", "parameters": WEATHER}}]) as stream:
        return stream.get_final_completion().model_dump()


def openai_completions(base_url: str, key: str) -> object:
    """A plain completion, whole and streamed."""
    with openai_client(base_url, key) as client:
        whole = client.completions.create(model=MODEL, prompt=QUESTION, max_tokens=5)
        stream = client.completions.create(model=MODEL, prompt=QUESTION, max_tokens=5, stream=True)
        return [whole.model_dump(), *(chunk.model_dump() for chunk in stream)]


def openai_embeddings(base_url: str, key: str) -> object:
    """Embeddings, which this client asks for in base64, and as numbers."""
    with openai_client(base_url, key) as client:
        packed = client.embeddings.create(model=EMBEDDING, input=[QUESTION, "second"], dimensions=64)
        plain = client.embeddings.create(
            model=EMBEDDING, input=[QUESTION, "second"], dimensions=64, encoding_format="float"
        )
    return [packed.model_dump(), plain.model_dump()]


def openai_responses(base_url: str, key: str) -> object:
    """A response."""
    with openai_client(base_url, key) as client:
        reply = client.responses.create(model=MODEL, input=QUESTION, max_output_tokens=7)
    return [reply.output_text, reply.model_dump()]


def openai_responses_stream(base_url: str, key: str) -> object:
    """A streamed response, with its final state as the client put it together."""
    with openai_client(base_url, key) as client, client.responses.stream(model=MODEL, input=QUESTION) as stream:
        kinds = [event.type for event in stream]
        return [kinds, stream.get_final_response().model_dump()]


def openai_responses_tool(base_url: str, key: str) -> object:
    """A function call in the Responses API, streamed."""
    tool: Any = {"type": "function", "name": "weather", "parameters": WEATHER, "strict": True}
    with openai_client(base_url, key) as client:
        stream = client.responses.create(model=MODEL, input=QUESTION, tools=[tool], tool_choice="required", stream=True)
        return [event.model_dump() for event in stream]


def openai_moderations(base_url: str, key: str) -> object:
    """A moderation."""
    with openai_client(base_url, key) as client:
        return client.moderations.create(model="omni-moderation-latest", input="some violence").model_dump()


def openai_images(base_url: str, key: str) -> object:
    """A picture."""
    with openai_client(base_url, key) as client:
        return client.images.generate(model="gpt-image-1", prompt="a dot").model_dump()


def openai_speech(base_url: str, key: str) -> object:
    """Spoken words."""
    with openai_client(base_url, key) as client:
        return client.audio.speech.create(model="tts-1", voice="alloy", input=QUESTION).content


def openai_transcription(base_url: str, key: str) -> object:
    """Words from sound, sent as a form."""
    with openai_client(base_url, key) as client:
        sound = ("sound.wav", io.BytesIO(bytes(range(256)) * 40))
        return client.audio.transcriptions.create(model="gpt-4o-transcribe", file=sound).model_dump()


def openai_files_and_batch(base_url: str, key: str) -> object:
    """A file goes up, a batch runs over it, its output comes down; names are left out, since each run makes others."""
    line = b'{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-4.1",' \
           b'"messages":[{"role":"user","content":"hi"}]}}\n'
    with openai_client(base_url, key) as client:
        file = client.files.create(file=("in.jsonl", line), purpose="batch")
        batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
        done = client.batches.retrieve(batch.id)
        assert done.output_file_id is not None
        output = client.files.content(done.output_file_id).text
        same = client.files.content(file.id).content == line
        deleted = client.files.delete(file.id).deleted
        listed = batch.id in [item.id for item in client.batches.list()]
        return [file.bytes, file.filename, batch.status, done.status, output, same, deleted, listed]


def openai_models(base_url: str, key: str) -> object:
    """The models, and one of them."""
    with openai_client(base_url, key) as client:
        return [[model.id for model in client.models.list()], client.models.retrieve(MODEL).model_dump()]


def anthropic_message(base_url: str, key: str) -> object:
    """A message."""
    with anthropic_client(base_url, key) as client:
        reply = client.messages.create(model=CLAUDE, max_tokens=7, messages=[{"role": "user", "content": QUESTION}])
    return reply.model_dump()


def anthropic_message_stream(base_url: str, key: str) -> object:
    """A streamed message, with its final state as the client put it together."""
    with anthropic_client(base_url, key) as client, client.messages.stream(
            model=CLAUDE, max_tokens=70, messages=[{"role": "user", "content": QUESTION}]) as stream:
        kinds = [event.type for event in stream]
        return [kinds, stream.get_final_message().model_dump()]


def anthropic_tool(base_url: str, key: str) -> object:
    """The use of a tool, whole and streamed."""
    ask: Any = {"model": CLAUDE, "max_tokens": 70, "messages": [{"role": "user", "content": QUESTION}],
                "tools": [{"name": "weather", "input_schema": WEATHER}], "tool_choice": {"type": "any"}}
    with anthropic_client(base_url, key) as client:
        whole = client.messages.create(**ask)
        with client.messages.stream(**ask) as stream:
            return [whole.model_dump(), stream.get_final_message().model_dump()]


def anthropic_count_tokens(base_url: str, key: str) -> object:
    """A count of tokens."""
    with anthropic_client(base_url, key) as client:
        return client.messages.count_tokens(model=CLAUDE, messages=[{"role": "user", "content": QUESTION}]).input_tokens


def gemini_generate(base_url: str, key: str) -> object:
    """Generated content."""
    with gemini_client(base_url, key) as client:
        reply = client.models.generate_content(
            model=GEMINI, contents=QUESTION, config=types.GenerateContentConfig(max_output_tokens=7))
    return [reply.text, reply.model_dump(mode="json", exclude={"sdk_http_response"})]


def gemini_generate_stream(base_url: str, key: str) -> object:
    """Streamed content."""
    with gemini_client(base_url, key) as client:
        stream = client.models.generate_content_stream(model=GEMINI, contents=QUESTION)
        return [chunk.model_dump(mode="json", exclude={"sdk_http_response"}) for chunk in stream]


def gemini_tool(base_url: str, key: str) -> object:
    """A function call."""
    weather = types.FunctionDeclaration(name="weather", parameters_json_schema=WEATHER)
    mode = types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.ANY)
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[weather])], tool_config=types.ToolConfig(function_calling_config=mode),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True))
    with gemini_client(base_url, key) as client:
        reply = client.models.generate_content(model=GEMINI, contents=QUESTION, config=config)
    return [call.model_dump(mode="json") for call in reply.function_calls or []]


def gemini_embed(base_url: str, key: str) -> object:
    """Embeddings."""
    contents: list[Any] = [QUESTION, "second"]  # of a type that depends on what else is installed
    with gemini_client(base_url, key) as client:
        reply = client.models.embed_content(
            model="gemini-embedding-001",
            contents=contents,
            config=types.EmbedContentConfig(output_dimensionality=32),
        )
    return [embedding.values for embedding in reply.embeddings or []]


def gemini_count_tokens(base_url: str, key: str) -> object:
    """A count of tokens."""
    with gemini_client(base_url, key) as client:
        return client.models.count_tokens(model=GEMINI, contents=QUESTION).total_tokens


def openai_status(base_url: str, key: str, model: str) -> tuple[int, object]:
    """The status and body of the error that a chat with this model ends in."""
    with openai_client(base_url, key) as client:
        try:
            client.chat.completions.create(model=model, messages=[{"role": "user", "content": QUESTION}])
        except openai.APIStatusError as error:
            return error.status_code, error.body
    return 200, None


CALLS: dict[str, Call] = {
    call.__name__: call
    for call in (
        openai_chat,
        openai_chat_stream,
        openai_chat_stream_usage,
        openai_tool,
        openai_tool_stream,
        openai_completions,
        openai_embeddings,
        openai_responses,
        openai_responses_stream,
        openai_responses_tool,
        openai_moderations,
        openai_images,
        openai_speech,
        openai_transcription,
        openai_files_and_batch,
        openai_models,
        anthropic_message,
        anthropic_message_stream,
        anthropic_tool,
        anthropic_count_tokens,
        gemini_generate,
        gemini_generate_stream,
        gemini_tool,
        gemini_embed,
        gemini_count_tokens,
    )
}
