"""The requests that a bench sends: one template each for chats, messages and embeddings, of any size."""
from __future__ import annotations

import json
import secrets

import msgspec

NONCE = "0" * 16
TEXT = (
    "Summarise the following paragraph in one sentence. The quick brown fox jumps over the lazy dog, and the dog, being lazy, "
    "does not react at all to the fox. "
)
MODELS = {"openai": "gpt-4.1", "anthropic": "claude-sonnet-4-5", "embeddings": "text-embedding-3-small"}
PATHS = {"openai": "/chat/completions", "anthropic": "/messages", "embeddings": "/embeddings"}


class Asked(msgspec.Struct, frozen=True):
    """What to ask for.

    kind        "openai" (chat completions), "anthropic" (messages) or "embeddings"
    body_bytes  about how long the body is; 0 as short as it comes (some 0.3 KB)
    """

    kind: str
    model: str
    is_stream: bool = False
    tokens: int = 64
    body_bytes: int = 0


class Template(msgspec.Struct, frozen=True):
    """A body; the 16 bytes at nonce_at are all that differs from one request to another, where they are to differ."""

    body: bytes
    nonce_at: int


def template(asked: Asked) -> Template:
    """Compose the body, with text of the length that is asked for."""
    text = TEXT
    body = compose(asked, text)
    if asked.body_bytes > len(body):
        text = (TEXT * (asked.body_bytes // len(TEXT) + 2))[: len(TEXT) + asked.body_bytes - len(body)]
        body = compose(asked, text)
    return Template(body, body.index(NONCE.encode()))


def compose(asked: Asked, text: str) -> bytes:
    prompt = f"Request {NONCE}. {text}"
    if asked.kind == "embeddings":
        return json.dumps({"model": asked.model, "input": prompt}).encode()
    body: dict[str, object] = {
        "model": asked.model, "max_tokens": asked.tokens, "messages": [{"role": "user", "content": prompt}], "stream": asked.is_stream,
    }
    if asked.is_stream and asked.kind == "openai":
        body["stream_options"] = {"include_usage": True}
    return json.dumps(body).encode()


def fixed(found: Template) -> Template:
    """The same with one nonce for all requests: a cache that has seen an earlier bench has not seen this one."""
    nonce = secrets.token_hex(8).encode()
    return Template(found.body.replace(NONCE.encode(), nonce, 1), found.nonce_at)


def credentials(kind: str, key: str) -> dict[str, str]:
    """The fields that carry a key, as the dialect has them."""
    if kind == "anthropic":
        return {"anthropic-version": "2023-06-01", **({"x-api-key": key} if key else {})}
    return {"Authorization": f"Bearer {key}"} if key else {}
