"""The smaller operations of OpenAI: embeddings, moderations, images, speech, transcriptions, models."""
from __future__ import annotations

import array
import base64
import hashlib
import math
import struct
import zlib

from fastgw.mock.answers import CREATED_AT, bytes_reply, json_reply
from fastgw.mock.asked import Asked, Json
from fastgw.mock.connection import Reply
from fastgw.mock.faults import Fault
from fastgw.mock.multipart import read_form
from fastgw.mock.words import WORDS

MODELS = (
    "gpt-4.1",
    "gpt-4.1-mini",
    "gpt-4o",
    "gpt-4o-mini",
    "text-embedding-3-small",
    "claude-sonnet-4-6",
    "gemini-2.5-flash",
)
CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
FLAGGED_WORD = "violence"
BYTES_PER_AUDIO_TOKEN = 1000
IMAGE_TOKENS = 100


def vector_of(text: str, dimensions: int) -> list[float]:
    """Make a vector of about unit length that depends on the text alone; its numbers are exact in 32 bits."""
    seed = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    tile = [(byte - 127.5) / 1024 for byte in seed]
    length = math.sqrt(sum(number * number for number in tile) * dimensions / len(tile))
    scale = 2.0 ** -round(math.log2(length))
    return ([number * scale for number in tile] * (dimensions // len(tile) + 1))[:dimensions]


def inputs_of(given: Json) -> list[str]:
    """The texts to embed: one, several, or one or several in tokens."""
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list) or not given:
        raise Fault(400, "'$.input' is invalid: expected a string or a list, not empty", param="input")
    if isinstance(given[0], int):
        return [str(given)]
    return [item if isinstance(item, str) else str(item) for item in given]


def answer_embeddings(asked: Asked) -> Reply:
    """POST /v1/embeddings."""
    texts = inputs_of(asked.content.get("input"))
    model = asked.text("model", asked.params.get("deployment"))
    dimensions = min(asked.number("dimensions") or 1536, 8192)
    found = []
    for index, text in enumerate(texts):
        vector = vector_of(text, dimensions)
        packed = base64.b64encode(array.array("f", vector).tobytes()).decode()
        is_packed = asked.content.get("encoding_format") == "base64"
        found.append({"object": "embedding", "index": index, "embedding": packed if is_packed else vector})
    tokens = asked.input_tokens()
    usage = {} if asked.wish.no_usage else {"usage": {"prompt_tokens": tokens, "total_tokens": tokens}}
    return json_reply({"object": "list", "data": found, "model": model, **usage})


def answer_moderations(asked: Asked) -> Reply:
    """POST /v1/moderations: flags what has the word "violence" in it."""
    results = []
    for text in inputs_of(asked.content.get("input")):
        is_flagged = FLAGGED_WORD in text
        hits = {name: is_flagged and name == "violence" for name in CATEGORIES}
        scores = {name: 0.9 if hit else 0.00001 for name, hit in hits.items()}
        kinds = {name: ["text"] for name in CATEGORIES}
        results.append({"flagged": is_flagged, "categories": hits, "category_scores": scores,
                        "category_applied_input_types": kinds})
    return json_reply(
        {"id": asked.name("modr-"), "model": asked.text("model", "omni-moderation-latest"), "results": results}
    )


def tiny_png() -> bytes:
    """A picture of one grey pixel."""

    def part(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", zlib.compress(b"\0\x80")) + part(b"IEND", b"")


def tiny_wav() -> bytes:
    """A tenth of a second of silence: 16 bits, mono, 8 kHz."""
    samples = bytes(1600)
    return struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(samples), b"WAVE", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16,
                       b"data", len(samples)) + samples


def answer_images(asked: Asked) -> Reply:
    """POST /v1/images/generations."""
    asked.text("prompt")
    count = min(asked.number("n") or 1, 10)
    picture = base64.b64encode(tiny_png()).decode()
    tokens, output = asked.input_tokens(), IMAGE_TOKENS * count
    usage = {"input_tokens": tokens, "output_tokens": output, "total_tokens": tokens + output,
             "input_tokens_details": {"text_tokens": tokens, "image_tokens": 0}}
    return json_reply({"created": CREATED_AT, "data": [{"b64_json": picture}] * count, "usage": usage})


def answer_speech(asked: Asked) -> Reply:
    """POST /v1/audio/speech."""
    asked.text("input")
    asked.text("model", asked.params.get("deployment"))
    return bytes_reply(tiny_wav(), b"audio/wav")


def answer_transcriptions(asked: Asked) -> Reply:
    """POST /v1/audio/transcriptions, a form with file and model."""
    form = read_form(asked)
    if "file" not in form:
        raise Fault(400, "Missing required parameter: 'file'", param="file")
    text = "".join(WORDS[:9])
    shape = form["response_format"].body if "response_format" in form else b"json"
    if shape == b"text":
        return bytes_reply(text.encode() + b"\n", b"text/plain; charset=utf-8", is_shared=False)
    given = max(1, len(form["file"].body) // BYTES_PER_AUDIO_TOKEN)
    output = asked.output_tokens(None)
    usage = {"type": "tokens", "input_tokens": given, "output_tokens": output, "total_tokens": given + output,
             "input_token_details": {"text_tokens": 0, "audio_tokens": given}}
    return json_reply({"text": text, "usage": usage}, is_shared=False)


def model_of(name: str) -> dict[str, object]:
    """A model in OpenAI's words."""
    return {"id": name, "object": "model", "created": CREATED_AT, "owned_by": "mock"}


def answer_models(asked: Asked) -> Reply:
    """GET /v1/models, in the words of the client's dialect."""
    if "anthropic-version" in asked.fields:
        found = [anthropic_model(name) for name in MODELS]
        return json_reply({"data": found, "has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]})
    if "x-goog-api-key" in asked.fields or "key" in asked.query:
        return json_reply({"models": [gemini_model(name) for name in MODELS]})
    return json_reply({"object": "list", "data": [model_of(name) for name in MODELS]})


def answer_model(asked: Asked) -> Reply:
    """GET /v1/models/{model}: whatever is asked for exists, but "no-such-model"."""
    name = asked.params["model"]
    if name == "no-such-model":
        raise Fault(404, f"The model '{name}' does not exist")
    if "anthropic-version" in asked.fields:
        return json_reply(anthropic_model(name))
    return json_reply(gemini_model(name) if "x-goog-api-key" in asked.fields else model_of(name))


def anthropic_model(name: str) -> dict[str, object]:
    """A model in Anthropic's words."""
    return {"type": "model", "id": name, "display_name": name, "created_at": "2025-03-10T00:00:00Z"}


def gemini_model(name: str) -> dict[str, object]:
    """A model in Gemini's words."""
    return {"name": f"models/{name}", "version": "001", "displayName": name, "inputTokenLimit": 1048576,
            "outputTokenLimit": 65536, "supportedGenerationMethods": ["generateContent", "countTokens", "embedContent"]}
