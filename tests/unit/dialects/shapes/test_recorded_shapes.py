"""Recorded replies of real providers are read to the last digit, and recorded requests are what the shapes write."""

import base64
import json
import struct
from typing import Any

import pytest

from fastgw.dialects.canonical import Usage
from tests.recordings import Recording, counted, recordings, skip_without_corpus
from tests.unit.dialects.shapes.opening import open_json, replied, sent


def embedding_of(recording: Recording, upstream: str, count: int, quirks: str = "") -> list[list[float]]:
    """The vectors that a caller of OpenAI's gets, as numbers; by base64 they must be the same as float32."""
    inputs = ["text"] * count
    plain = open_json("embeddings", upstream, {"input": inputs}, quirks=quirks)
    vectors = [one["embedding"] for one in json.loads(plain.reply(recording.reply))["data"]]
    packed = open_json("embeddings", upstream, {"input": inputs, "encoding_format": "base64"}, quirks=quirks)
    for vector, one in zip(vectors, json.loads(packed.reply(recording.reply))["data"], strict=True):
        assert base64.b64decode(one["embedding"]) == struct.pack(f"<{len(vector)}f", *vector), recording.name
    return vectors


def unpacked(vector: Any) -> list[float]:
    """A recorded vector as numbers, whichever way it was sent."""
    if isinstance(vector, str):
        packed = base64.b64decode(vector)
        return list(struct.unpack(f"<{len(packed) // 4}f", packed))
    return list(map(float, vector))


def stated(recording: Recording) -> list[Any]:
    """The vectors of a recorded reply, read without the shapes."""
    reply = recording.json()
    if "data" in reply:
        return [one["embedding"] for one in reply["data"]]
    if "predictions" in reply:
        return [one["embeddings"]["values"] for one in reply["predictions"]]
    if "embedding" in reply:
        return [reply["embedding"]["values"] if isinstance(reply["embedding"], dict) else reply["embedding"]]
    found = reply["embeddings"]
    if isinstance(found, dict):
        return list(found["float"])
    return [one["values"] if isinstance(one, dict) else one for one in found]


KINDS = [
    ("openai", "embeddings", "embeddings", "", 21), ("azure", "embeddings", "embeddings", "", 1),
    ("mistral", "embeddings", "embeddings", "", 2), ("gemini", "embedContent", "embed", "", 17),
    ("vertex", "embedContent", "embed", "vertex", 1), ("vertex", "predict", "vertex_embed", "", 1),
    ("cohere", "embed", "cohere_embed", "", 4), ("voyage", "embeddings", "voyage_embed", "", 7),
]


@pytest.mark.parametrize(("provider", "api", "upstream", "quirks", "expected"), KINDS)
def test_recorded_vectors_are_read(provider: str, api: str, upstream: str, quirks: str, expected: int) -> None:
    """Every recorded vector reaches a caller whole, as numbers and as base64."""
    skip_without_corpus()
    count = 0
    for recording in recordings(provider, api):
        if recording.status != 200:
            continue
        vectors = stated(recording)
        if upstream == "embeddings":
            translation = open_json("embed", "embeddings", {"requests": [{"content": {"parts": [{"text": "a"}]}}] * len(vectors)})
            found = [one["values"] for one in json.loads(translation.reply(recording.reply))["embeddings"]]
        else:
            found = embedding_of(recording, upstream, len(vectors), quirks)
        assert found == [unpacked(vector) for vector in vectors], recording.name
        count += 1
    counted(count, expected)


def test_recorded_vectors_of_bedrock_are_read() -> None:
    """Titan's and Cohere's replies to invoke are read, those of each generation."""
    skip_without_corpus()
    seen = {"titan_embed": 0, "cohere_embed": 0}
    for recording in recordings("bedrock", "invoke"):
        upstream = "titan_embed" if "titan-embed" in recording.url else "cohere_embed" if "cohere.embed" in recording.url else ""
        if upstream and recording.status == 200:
            vectors = stated(recording)
            assert embedding_of(recording, upstream, len(vectors), "bedrock") == [unpacked(vector) for vector in vectors]
            seen[upstream] += 1
    counted(seen["titan_embed"], 5)
    counted(seen["cohere_embed"], 8)


def test_recorded_usage_is_counted() -> None:
    """Where a provider states the tokens of an embedding they are counted."""
    skip_without_corpus()
    found = set()
    for provider, api, upstream, quirks, _ in KINDS[3:]:
        for recording in recordings(provider, api):
            if recording.status == 200:
                translation = open_json("embeddings", upstream, {"input": ["a"] * len(stated(recording))}, quirks=quirks)
                translation.reply(recording.reply)
                if translation.usage is not None and translation.usage != Usage():
                    found.add((upstream, quirks))
    counted(len(found), 5)


def test_recorded_ranks_are_read() -> None:
    """Order and scores of every recorded reply of Cohere and Voyage reach the caller."""
    skip_without_corpus()
    count = 0
    for provider, upstream in (("cohere", "cohere_rerank"), ("voyage", "voyage_rerank")):
        for recording in recordings(provider, "rerank"):
            reply = recording.json()
            translation = open_json("rerank", upstream, recording.request | {"return_documents": True})
            found = replied(translation, reply)["results"]
            wanted = reply.get("results") or reply["data"]
            assert [(one["index"], one["relevance_score"]) for one in found] == [(one["index"], one["relevance_score"]) for one in wanted]
            assert all(one["document"]["text"] == recording.request["documents"][one["index"]] for one in found)
            count += 1
    counted(count, 6)


def test_recorded_requests_are_what_the_shapes_write() -> None:
    """What Google's, Cohere's and Voyage's own clients send, the shapes write for the same question, but for what is null."""
    skip_without_corpus()
    count = 0
    for provider, api, upstream in (("gemini", "embedContent", "embed"), ("cohere", "embed", "cohere_embed"),
                                    ("voyage", "embeddings", "voyage_embed")):
        for recording in recordings(provider, api):
            if not recording.name.startswith("pydantic-ai--Test"):
                continue
            asked = {name: value for name, value in recording.request.items() if value is not None}
            if upstream == "embed":
                one = asked["requests"][0]
                body = {"input": [part["content"]["parts"][0]["text"] for part in asked["requests"]], "task_type": one.get("taskType"),
                        "dimensions": one.get("outputDimensionality")}
                model = one["model"].removeprefix("models/")
            else:
                body = {"input": asked.get("texts", asked.get("input")), "input_type": asked.get("input_type"),
                        "dimensions": asked.get("output_dimension"), "truncate": asked.get("truncate"),
                        "truncation": asked.get("truncation"), "encoding_format": asked.get("encoding_format")}
                model = asked["model"]
            assert sent(open_json("embeddings", upstream, body, model=model)) == asked, recording.name
            count += 1
    counted(count, 14)


def test_recorded_errors_keep_their_words() -> None:
    """The words of every recorded error of an embedding reach the caller of OpenAI's."""
    skip_without_corpus()
    count = 0
    for provider, api, upstream, quirks, _ in KINDS:
        for recording in recordings(provider, api):
            if recording.status >= 400:
                operation = "embed" if upstream == "embeddings" else "embeddings"
                asked: dict[str, Any] = {"content": {"parts": [{"text": "a"}]}} if operation == "embed" else {"input": "a"}
                written = json.loads(open_json(operation, upstream, asked, quirks=quirks).error(recording.status, recording.reply, "id"))
                reply = recording.json()
                words = reply.get("message") or reply.get("detail") or reply["error"]["message"]
                assert written["error"]["message"] == words, recording.name
                count += 1
    counted(count, 4)


def test_recorded_picture_is_read() -> None:
    """A picture that Gemini made on Vertex reaches the caller of OpenAI's, and so does what it cost."""
    skip_without_corpus()
    found = [one for one in recordings("vertex", "generateContent") if "image_generation_with_output_format" in one.name]
    counted(len(found), 1)
    translation = open_json("images", "generate", {"prompt": "Generate an image of an axolotl.", "output_format": "jpeg",
                                                   "output_compression": 85}, quirks="vertex")
    reply = replied(translation, found[0].json())
    part = found[0].json()["candidates"][0]["content"]["parts"][0]["inlineData"]
    assert (reply["data"], reply["output_format"]) == ([{"b64_json": part["data"]}], "jpeg")
    assert translation.usage == Usage(9, 1290)
    assert sent(translation)["generationConfig"]["imageConfig"] == found[0].request["generationConfig"]["imageConfig"]
