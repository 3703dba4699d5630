"""Promises of the requests: bodies of the dialect and of the size that was asked for, addresses as people write them."""

import json

import pytest

from fastgw.bench.figures import CannotMeasure
from fastgw.bench.reply import ANTHROPIC_STREAM, OPENAI_STREAM, look_at_events, tells_usage
from fastgw.bench.request import NONCE, Asked, credentials, fixed, template
from fastgw.bench.target import Target, full_url


@pytest.mark.parametrize("kind", ["openai", "anthropic", "embeddings"])
@pytest.mark.parametrize("size", [0, 1024, 150_000])
def test_bodies_have_the_size_that_was_asked_for(kind: str, size: int) -> None:
    """A body is JSON with the model and one nonce, and as long as it should be."""
    found = template(Asked(kind, "some-model", body_bytes=size))
    body = json.loads(found.body)
    assert body["model"] == "some-model"
    assert found.body[found.nonce_at : found.nonce_at + 16] == NONCE.encode() and found.body.count(NONCE.encode()) == 1
    assert len(found.body) == size if size else 200 < len(found.body) < 500
    assert ("input" in body) is (kind == "embeddings")


def test_streams_ask_for_usage() -> None:
    """An OpenAI stream asks for its usage, since a reply without one is refused; an Anthropic one always has it."""
    assert json.loads(template(Asked("openai", "m", is_stream=True)).body)["stream_options"] == {"include_usage": True}
    body = json.loads(template(Asked("anthropic", "m", is_stream=True, tokens=7)).body)
    assert body["stream"] is True and body["max_tokens"] == 7 and "stream_options" not in body


def test_a_fixed_body_is_that_of_this_bench_only() -> None:
    """One nonce for all requests of a bench, another one for the next, so that no cache remembers."""
    found = template(Asked("openai", "m"))
    one, two = fixed(found), fixed(found)
    assert one.body != two.body and len(one.body) == len(found.body) and NONCE.encode() not in one.body


def test_keys_go_where_the_dialect_has_them() -> None:
    """Bearer for OpenAI, x-api-key with a version for Anthropic, none where there is none."""
    assert credentials("openai", "k") == {"Authorization": "Bearer k"} and credentials("openai", "") == {}
    assert credentials("anthropic", "k") == {"anthropic-version": "2023-06-01", "x-api-key": "k"}


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("http://127.0.0.1:8787", "http://127.0.0.1:8787/v1/chat/completions"),
        ("127.0.0.1:8787", "http://127.0.0.1:8787/v1/chat/completions"),
        ("http://h/v1/", "http://h/v1/chat/completions"),
        ("https://h/openai/v1?x=1", "https://h/openai/v1/chat/completions?x=1"),
        ("http://h/v1/chat/completions", "http://h/v1/chat/completions"),
        ("http://[::1]:9/anything/else", "http://[::1]:9/anything/else"),
    ],
)
def test_addresses_are_completed(url: str, whole: str) -> None:
    """A host, a host with /v1, and a whole path all lead to the chat path."""
    assert full_url(url, "openai") == whole


NO_ADDRESSES = ["", "http://", "ftp://h/", "http://h:port", "http://h:99999", "http://h:0", "http://h/a b", "http://h/#x", "h/\n"]


@pytest.mark.parametrize("url", NO_ADDRESSES)
def test_what_is_no_address_is_said(url: str) -> None:
    """A URL that cannot be one is refused with an example of one that can."""
    with pytest.raises(CannotMeasure, match="expected a URL such as"):
        full_url(url, "openai")


def test_requests_are_well_formed() -> None:
    """Host, length and the fields of the user are there once; the nonce is found in the whole request."""
    target = Target("http://127.0.0.1:1/v1", "openai", "sk-1", {"x-team": "a", "User-Agent": "mine"})
    found = template(Asked("openai", "m"))
    request, before = target.request(found.body)
    head = request[:before].decode()
    assert head.startswith("POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:1\r\n") and head.endswith("\r\n\r\n")
    assert f"Content-Length: {len(found.body)}\r\n" in head and "Authorization: Bearer sk-1\r\n" in head
    assert head.count("User-Agent") == 1 and "User-Agent: mine\r\n" in head and "x-team: a\r\n" in head
    assert request[before + found.nonce_at :][:16] == NONCE.encode()


@pytest.mark.parametrize(
    ("body", "tells"),
    [
        (b'{"usage":{"a":1}}', True), (b'{"usage" :\n {}}', True), (b'{"usage":null}', False), (b"{}", False), (b'"usage"', False),
        (b'{"x":"usage","usage": null, "y": {"usage":{"b":2}}}', True), (b"", False), (b'{"usage":', False),
    ],
)
def test_usage_is_an_object(body: bytes, tells: bool) -> None:
    """Usage that is null, or only the word, is none."""
    assert tells_usage(body) is tells


def test_content_is_text_that_is_not_empty() -> None:
    """Roles, empty strings and null are no content; blanks in the JSON and CRLF between events change nothing."""
    stream = (
        b'data: {"delta":{"role":"assistant","content":""}}\n\ndata: {"delta":{"content":null}}\n\n'
        b'data: {"delta": {"content" : "a"}}\r\n\r\ndata: {"usage": {"x":1}}\n\ndata: [DONE]\n\ndata: half'
    )
    assert look_at_events(stream, OPENAI_STREAM) == (5, 1, True, True)
    anthropic = b"event: content_block_delta\ndata: {}\n\nevent: message_stop\ndata: {}\n\n"
    assert look_at_events(anthropic, ANTHROPIC_STREAM) == (2, 1, False, True)
