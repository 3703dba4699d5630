"""Pictures are made by any provider for callers who speak as OpenAI's client does."""

import base64
import json
from typing import Any

import pytest

from fastgw.dialects.canonical import Usage
from fastgw.dialects.shapes.multipart import read_form
from fastgw.dialects.translate import NotOfDialect
from fastgw.errors import GatewayError
from tests.unit.dialects.shapes.opening import Provider, open_json, replied, sent

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n picture").decode()
JPEG = base64.b64encode(b"\xff\xd8\xff\xe0 picture").decode()
GEMINI = {"candidates": [{"content": {"parts": [{"text": "Here"}, {"inlineData": {"mimeType": "image/png", "data": PNG}}]},
                          "finishReason": "STOP"}],
          "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 1290}, "modelVersion": "g"}
REPLIES: list[tuple[str, str, Any, Usage | None]] = [
    ("generate", "", GEMINI, Usage(9, 1290)),
    ("vertex_image", "", {"predictions": [{"bytesBase64Encoded": PNG, "mimeType": "image/png", "prompt": "better words"}]}, None),
    ("stability_image", "", {"image": PNG, "finish_reason": "SUCCESS", "seed": 5}, None),
    ("stability_image", "bedrock", {"seeds": [5], "finish_reasons": [None], "images": [PNG]}, None),
]


@pytest.mark.parametrize(("upstream", "quirks", "reply", "usage"), REPLIES)
def test_the_client_of_openai_reads_every_reply(upstream: str, quirks: str, reply: Any, usage: Usage | None) -> None:
    """By OpenAI's client there is a picture in base64, its format, when it was made, and the tokens where they are stated."""
    provider = Provider(upstream, reply, quirks=quirks)
    found = provider.openai().images.generate(model="x", prompt="a cat")
    assert found.data is not None and found.data[0].b64_json == PNG
    assert found.data[0].revised_prompt == ("better words" if upstream == "vertex_image" else None)
    assert (found.output_format, found.created > 1_700_000_000) == ("png", True)
    assert provider.translation.usage == usage
    assert (found.usage.total_tokens if found.usage is not None else 0) == (1299 if usage is not None else 0)


def test_who_wants_a_url_gets_one() -> None:
    """There is no place where a picture could be fetched, so that the URL holds it."""
    found = Provider("generate", GEMINI).openai().images.generate(model="x", prompt="a cat", response_format="url")
    assert found.data is not None and (found.data[0].url, found.data[0].b64_json) == (f"data:image/png;base64,{PNG}", None)


def test_who_wants_a_stream_gets_its_last_event() -> None:
    """The picture comes as the event that completes a stream."""
    events = list(Provider("generate", GEMINI).openai().images.generate(model="x", prompt="a cat", stream=True, size="1024x1024"))
    assert [event.type for event in events] == ["image_generation.completed"]
    assert (events[0].b64_json, events[0].size, events[0].usage.output_tokens) == (PNG, "1024x1024", 1290)  # type: ignore[union-attr]  # of this event


def test_a_picture_may_come_as_itself() -> None:
    """Stability sends the picture's bytes where its JSON was not asked for."""
    translation = open_json("images", "stability_image", {"prompt": "a cat"}, model="core")
    found = json.loads(translation.reply(base64.b64decode(JPEG), "image/jpeg"))
    assert (found["data"], found["output_format"]) == ([{"b64_json": JPEG}], "jpeg")
    assert translation.accept == "application/json"


WRITTEN: list[tuple[str, str, dict[str, Any], dict[str, Any], list[str]]] = [
    ("generate", "", {"prompt": "a cat", "size": "1792x1024", "n": 2, "quality": "hd"}, {
        "contents": [{"role": "user", "parts": [{"text": "a cat"}]}],
        "generationConfig": {"responseModalities": ["IMAGE"], "imageConfig": {"aspectRatio": "16:9"}}}, ["n", "quality"]),
    ("generate", "", {"prompt": "a cat", "size": "4096x4096", "output_format": "webp"}, {
        "contents": [{"role": "user", "parts": [{"text": "a cat"}]}],
        "generationConfig": {"responseModalities": ["IMAGE"], "imageConfig": {"aspectRatio": "1:1", "imageSize": "4K"}}},
     ["output_format"]),
    ("generate", "vertex", {"prompt": "a cat", "output_format": "jpeg", "output_compression": 85, "size": "auto"}, {
        "contents": [{"role": "user", "parts": [{"text": "a cat"}]}],
        "generationConfig": {"responseModalities": ["IMAGE"], "imageConfig": {
            "imageOutputOptions": {"mimeType": "image/jpeg", "compressionQuality": 85}}}}, []),
    ("vertex_image", "", {"prompt": "a cat", "n": 3, "size": "1024x1536", "output_format": "jpeg", "seed": 5, "style": "vivid"}, {
        "instances": [{"prompt": "a cat"}],
        "parameters": {"sampleCount": 3, "aspectRatio": "3:4", "outputOptions": {"mimeType": "image/jpeg"}, "seed": 5}},
     ["size", "style"]),
    ("stability_image", "bedrock", {"prompt": "a cat", "size": "1024x1024", "negative_prompt": "dog", "user": "u"}, {
        "prompt": "a cat", "aspect_ratio": "1:1", "negative_prompt": "dog"}, ["user"]),
]


@pytest.mark.parametrize(("upstream", "quirks", "body", "expected", "dropped"), WRITTEN)
def test_requests_are_written(upstream: str, quirks: str, body: dict[str, Any], expected: dict[str, Any], dropped: list[str]) -> None:
    """The size becomes the nearest ratio, formats the provider's; what it has not is named."""
    translation = open_json("images", upstream, body, quirks=quirks)
    assert (sent(translation), translation.dropped) == (expected, dropped)


@pytest.mark.parametrize(("model", "path", "member"), [
    ("core", "core", None), ("stable-image-ultra", "ultra", None), ("sd3.5-large", "sd3", "sd3.5-large"), ("other", "{model}", None),
])
def test_stability_takes_a_form(model: str, path: str, member: str | None) -> None:
    """The path names the engine, the form what is wanted of it."""
    translation = open_json("images", "stability_image", {"prompt": "ein Kätzchen", "size": "1536x1024", "output_format": "webp"},
                            model=model)
    form = read_form(translation.body, translation.request_content_type.encode())
    assert form.texts == {"prompt": "ein Kätzchen", "aspect_ratio": "3:2", "output_format": "webp"} | ({"model": member} if member else {})
    assert translation.path("/v2beta/stable-image/generate/{model}") == f"/v2beta/stable-image/generate/{path}"


@pytest.mark.parametrize(("upstream", "reply", "words"), [
    ("generate", {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, "PROHIBITED_CONTENT"),
    ("generate", {"candidates": [{"finishReason": "IMAGE_SAFETY"}]}, "IMAGE_SAFETY"),
    ("vertex_image", {"predictions": [{"raiFilteredReason": "people"}]}, "people"),
    ("vertex_image", {}, "filtered"),
    ("stability_image", {"finish_reason": "CONTENT_FILTERED", "image": PNG}, "CONTENT_FILTERED"),
    ("stability_image", {"finish_reasons": ["Filter reason: prompt"], "images": []}, "Filter reason: prompt"),
])
def test_what_the_provider_withholds_is_the_callers_error(upstream: str, reply: Any, words: str) -> None:
    """A reply of success without a picture, for what the prompt is, is a 400 with the reason, and never tried again."""
    translation = open_json("images", upstream, {"prompt": "a cat"})
    with pytest.raises(GatewayError) as caught:
        translation.reply(json.dumps(reply).encode(), "application/json")
    assert caught.value.status == 400 and words in caught.value.message
    assert translation.failure is not None and translation.failure.kind == "content_policy"


@pytest.mark.parametrize(("upstream", "reply"), [
    ("generate", {"candidates": [{"content": {"parts": [{"text": "I cannot draw."}]}, "finishReason": "STOP"}]}),
    ("generate", []), ("stability_image", {}), ("vertex_image", {"predictions": 5}),
])
def test_a_reply_without_a_picture_is_an_error(upstream: str, reply: Any) -> None:
    """What has no picture, and no reason why, is no reply of the provider's shape."""
    with pytest.raises(NotOfDialect):
        replied(open_json("images", upstream, {"prompt": "a cat"}), reply)


@pytest.mark.parametrize(("body", "words"), [
    ({}, "$.prompt"), ({"prompt": "a", "size": "big"}, "$.size"), ({"prompt": "a", "n": "many"}, "$.n"),
    ({"prompt": "a", "output_format": "gif"}, "$.output_format"),
])
def test_what_is_no_request_is_refused(body: dict[str, Any], words: str) -> None:
    """The message says where the request is wrong."""
    with pytest.raises(GatewayError) as caught:
        open_json("images", "generate", body)
    assert caught.value.code == "invalid_request" and words in caught.value.message


def test_errors_keep_the_words_of_the_provider() -> None:
    """Stability lists what is wrong; its own word for what is not allowed is OpenAI's too."""
    translation = open_json("images", "stability_image", {"prompt": "a"})
    written = json.loads(translation.error(400, b'{"id": "i", "name": "bad_request", "errors": ["prompt: too long", "seed: no"]}', "id"))
    assert written["error"]["message"] == "prompt: too long; seed: no"
    written = json.loads(translation.error(403, b'{"name": "content_moderation", "errors": ["not allowed"]}', "id"))
    assert written["error"]["code"] == "content_policy_violation"
