"""Embeddings, ranks, pictures and sounds at providers of other shapes, through a real worker."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.fakes.raw_client import RawClient
from tests.fakes.script import bytes_reply, json_reply
from tests.fakes.upstream import Upstream
from tests.gateway.lane_gateway import record_of
from tests.gateway.limited import ask, bearer, code_of, key_lines
from tests.gateway.running import KEY, RunningGateway

PROVIDERS = {
    "cohere": "cohere", "voyage": "voyage", "gemini": "gemini", "elevenlabs": "elevenlabs", "deepgram": "deepgram",
    "stability": "stability-ai",
}  # fmt: skip
WAV = b"RIFF$\x00\x00\x00WAVEfmt "


@pytest.fixture(scope="module")
def provider() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(provider: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    lines = []
    for name, row in PROVIDERS.items():
        prefix = {"cohere": "", "gemini": "", "stability": ""}.get(name, "/v1")
        lines += [f"[integrations.{name}]", f'provider = "{row}"', f'base_url = "{provider.url}{prefix}"', 'api_key = "sk-0123456789"',
                  f'models = ["{name}-model"]']
    with RunningGateway(tmp_path_factory.mktemp("shapes"), "\n".join([*lines, key_lines()])) as running:
        yield running
        assert "Traceback" not in running.log()


def test_embeddings_come_as_the_official_client_asks_for_them(gateway: RunningGateway, provider: Upstream) -> None:
    """OpenAI's client, which asks for base64 unasked, gets Cohere's vectors and usage."""
    reply = {"id": "e", "embeddings": {"float": [[0.5, -0.25], [1.0, 2.0]]}, "meta": {"billed_units": {"input_tokens": 7}}}
    provider.play(json_reply(reply))
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0)
    found = client.embeddings.create(model="cohere-model", input=["a", "b"])
    assert [row.embedding for row in found.data] == [[0.5, -0.25], [1.0, 2.0]] and found.usage.prompt_tokens == 7
    sent: Any = json.loads(provider.received[-1].body)
    assert (provider.received[-1].path, sent["texts"], sent["input_type"]) == ("/v2/embed", ["a", "b"], "search_document")
    raw = ask(gateway.url, "/v1/embeddings", {"model": "cohere-model", "input": ["a", "b"], "encoding_format": "base64"})
    body: Any = raw.json()
    assert struct.unpack("<2f", base64.b64decode(body["data"][0]["embedding"])) == (0.5, -0.25)
    row = record_of(gateway, raw)
    assert (row["operation"], row["input_tokens"], row["outcome"]) == ("embeddings", 7, "served")


def test_gemini_embeds_what_openai_asks(gateway: RunningGateway, provider: Upstream) -> None:
    """A path that the shape makes out of the way's is asked."""
    provider.play(json_reply({"embeddings": [{"values": [0.5]}]}))
    reply = ask(gateway.url, "/v1/embeddings", {"model": "gemini-model", "input": ["a"], "dimensions": 1})
    assert reply.json()["data"][0]["embedding"] == [0.5]  # type: ignore[index]
    assert provider.received[-1].path == "/v1beta/models/gemini-model:batchEmbedContents"


def test_ranks_are_asked_of_voyage(gateway: RunningGateway, provider: Upstream) -> None:
    """/v1/rerank reaches a provider of another shape, with its documents back."""
    provider.play(json_reply({"object": "list", "data": [{"index": 1, "relevance_score": 0.9}], "usage": {"total_tokens": 3}}))
    reply = ask(gateway.url, "/v1/rerank", {"model": "voyage-model", "query": "q", "documents": ["a", "b"], "top_n": 1})
    body: Any = reply.json()
    assert (reply.status, body["results"][0]["index"], body["results"][0]["relevance_score"]) == (200, 1, 0.9)
    assert json.loads(provider.received[-1].body)["top_k"] == 1 and record_of(gateway, reply)["operation"] == "rerank"


def test_speech_comes_as_sound(gateway: RunningGateway, provider: Upstream) -> None:
    """The sound of another provider reaches OpenAI's client byte for byte, with its type."""
    provider.play(bytes_reply(WAV, 200, [("content-type", "audio/mpeg")]))
    reply = ask(gateway.url, "/v1/audio/speech", {"model": "elevenlabs-model", "input": "hi", "voice": "abc"})
    assert (reply.status, reply.field("content-type"), reply.body) == (200, "audio/mpeg", WAV)
    sent = provider.received[-1]
    assert sent.path == "/v1/text-to-speech/abc" and sent.field("xi-api-key") == "sk-0123456789"


def test_sound_is_written_down(gateway: RunningGateway, provider: Upstream) -> None:
    """A form with a sound reaches Deepgram as it wants it, and its words come back."""
    words = {"results": {"channels": [{"alternatives": [{"transcript": "hello"}]}]}, "metadata": {"duration": 1.0}}
    provider.play(json_reply(words))
    part = b"--b\r\ncontent-disposition: form-data; name="
    form = part + b'"model"\r\n\r\ndeepgram-model\r\n' + part + b'"file"; filename="a.wav"\r\n\r\n' + WAV + b"\r\n--b--\r\n"
    with RawClient(gateway.url) as client:
        reply = client.ask("POST", "/v1/audio/transcriptions", form, [*bearer(), ("content-type", "multipart/form-data; boundary=b")])
    assert (reply.status, reply.json()["text"]) == (200, "hello")  # type: ignore[index]
    assert provider.received[-1].path == "/v1/listen" and provider.received[-1].body == WAV


def test_what_a_shape_cannot_carry_is_refused(gateway: RunningGateway, provider: Upstream) -> None:
    """Token numbers of one provider's vocabulary mean nothing to another; its error comes in the caller's dialect."""
    reply = ask(gateway.url, "/v1/embeddings", {"model": "cohere-model", "input": [1, 2, 3]})
    assert (reply.status, code_of(reply)) == (400, "invalid_request") and "$.input" in reply.json()["error"]["message"]  # type: ignore[index]
    provider.play(json_reply({"message": "invalid model"}, 404))
    reply = ask(gateway.url, "/v1/embeddings", {"model": "cohere-model", "input": "a"})
    assert reply.status == 404 and "invalid model" in reply.json()["error"]["message"]  # type: ignore[index]
