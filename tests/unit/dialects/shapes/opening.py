"""Ask through a shape, by bytes or by the official client of the caller over a transport that answers from memory."""

import json
from typing import Any

import cohere
import httpx
import httpx2
import openai
from google import genai
from google.genai import types

from fastgw.dialects.shapes.table import open_shape
from fastgw.dialects.shapes.translation import ShapeTranslation
from fastgw.dialects.translate import Asked, Policy

JSON = "application/json"


def open_json(
    operation: str, upstream: str, body: object, *, model: str = "m", quirks: str = "", policy: Policy = "drop"
) -> ShapeTranslation:
    """A translation of a JSON body."""
    asked = Asked(model, False, quirks=frozenset(quirks.split()), policy=policy, target="there")
    return open_shape(operation, upstream, json.dumps(body).encode(), JSON.encode(), asked)


def sent(translation: ShapeTranslation) -> Any:
    """The JSON body that goes to the provider."""
    return json.loads(translation.body)


def replied(translation: ShapeTranslation, reply: object) -> Any:
    """What the caller gets of a provider's reply in JSON."""
    return json.loads(translation.reply(json.dumps(reply).encode(), JSON))


OPERATIONS = {
    "embeddings": "embeddings", "generations": "images", "speech": "speech", "transcriptions": "transcriptions",
    "translations": "translations", "moderations": "moderations", "rerank": "rerank", "embed": "cohere_embed",
}


class Provider:
    """What stands behind the clients: the gateway's part between their requests and one reply of a provider.

    translation   the last one; path: where it went
    """

    def __init__(
        self, upstream: str, reply: object, *, status: int = 200, content_type: str = JSON, model: str = "m", quirks: str = "",
        template: str = "/v1/ask",
    ) -> None:
        self.upstream = upstream
        self.reply = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        self.status = status
        self.reply_type = content_type
        self.asked = Asked(model, False, quirks=frozenset(quirks.split()), target="there")
        self.template = template
        self.path = ""
        self.translation: ShapeTranslation

    def answer(self, path: str, content_type: str, body: bytes) -> tuple[str, bytes]:
        """The gateway's reply: its type and its body."""
        step = path.rpartition("/")[2]
        operation = "embed" if "mbedContent" in step else OPERATIONS[step]
        self.translation = open_shape(operation, self.upstream, body, content_type.encode(), self.asked)
        self.path = self.translation.path(self.template)
        if self.status >= 400:
            return JSON, self.translation.error(self.status, self.reply, "id")
        return self.translation.content_type, self.translation.reply(self.reply, self.reply_type)

    def respond(self, request: httpx.Request) -> httpx.Response:
        kind, content = self.answer(request.url.path, request.headers["content-type"], request.read())
        return httpx.Response(self.status, headers={"content-type": kind}, content=content)

    def respond2(self, request: httpx2.Request) -> httpx2.Response:
        kind, content = self.answer(request.url.path, request.headers["content-type"], request.read())
        return httpx2.Response(self.status, headers={"content-type": kind}, content=content)

    @property
    def sent(self) -> Any:
        """The JSON body that went to the provider."""
        return json.loads(self.translation.body)

    def openai(self) -> openai.OpenAI:
        return openai.OpenAI(api_key="key", base_url="http://gateway.test/v1", max_retries=0,
                             http_client=httpx2.Client(transport=httpx2.MockTransport(self.respond2)))

    def cohere(self) -> cohere.ClientV2:
        return cohere.ClientV2(api_key="key", base_url="http://gateway.test",
                               httpx_client=httpx.Client(transport=httpx.MockTransport(self.respond)))

    def gemini(self) -> genai.Client:
        return genai.Client(api_key="key", http_options=types.HttpOptions(
            base_url="http://gateway.test", client_args={"transport": httpx.MockTransport(self.respond)}))
