"""Secrets are masked before anybody keeps a payload, and JSON stays JSON."""
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgw.record.redact import ENDINGS, FIELD_NAMES, MASK, MOST_BYTES, redact
from tests.patience import SLOW_DAY_S

LONG = "Zx9" * 14
SECRETS = (
    "sk-proj-" + LONG, "sk-ant-api03-" + LONG, "fgw-" + LONG, "AIza" + LONG, "xox" + "b-1234567890-abcdef",
    "ghp_" + LONG, "AKIA" + "ABCDEFGHIJ123456", "Bearer " + LONG, "bearer " + LONG, "Basic " + LONG,
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    f"-----BEGIN RSA PRIVATE KEY-----\n{LONG}\n-----END RSA PRIVATE KEY-----", f"-----BEGIN PRIVATE KEY-----\n{LONG}",
    "api_key: " + LONG, "API-KEY=" + LONG, "access_token: " + LONG, "password: hunter2hunter2",
)


def secret_part(secret: str) -> str:
    return "hunter2" if "hunter2" in secret else next(
        part for part in (LONG, "1234567890", "ABCDEFGHIJ", "c2lnbmF0dXJl") if part in secret)


@pytest.mark.parametrize("secret", SECRETS)
def test_secret_in_a_message_is_masked(secret: str) -> None:
    """A secret anywhere in the text goes, what stands around it stays, and the JSON parses."""
    payload = json.dumps({"messages": [{"role": "user", "content": f"look: {secret}"}], "model": "gpt-4.1"}).encode()
    masked = redact(payload)
    assert secret_part(secret) not in masked
    document = json.loads(masked)
    assert document["messages"][0]["content"].startswith("look: ") and document["model"] == "gpt-4.1"


@pytest.mark.parametrize("before", ["\n", "\t", "ä", "\\", "\f", '"', "key: "])
@pytest.mark.parametrize("secret", SECRETS)
def test_secret_right_after_an_escape_is_masked(before: str, secret: str) -> None:
    """A secret at the start of a line is one too, and no escape is cut in half."""
    masked = redact(json.dumps({"content": f"a{before}{secret}"}).encode())
    assert json.loads(masked)["content"].startswith("a" + before)
    if (before, secret[:4]) != ("\\", "fgw-"):
        assert secret_part(secret) not in masked


@pytest.mark.parametrize("name", FIELD_NAMES)
@pytest.mark.parametrize("value", ["short", 'with "quotes" and \\', "päss", ""])
def test_field_named_like_a_secret_is_masked(name: str, value: str) -> None:
    """The value of such a field goes whole, at the top and inside the arguments of a tool call."""
    assert name.endswith(ENDINGS)
    assert json.loads(redact(json.dumps({name: value, "kept": 1}).encode())) == {name: MASK, "kept": 1}
    nested = json.dumps({"arguments": json.dumps({name: "hunter2", "kept": 1})})
    assert json.loads(json.loads(redact(nested.encode()))["arguments"]) == {name: MASK, "kept": 1}


@pytest.mark.parametrize("harmless", [
    "the task-list and risk-assessment", "max_tokens", "a token: the smallest unit", "bearer of news", "basic facts",
    "keyboard: qwertyuiopasdfghjkl", "sk-short",
])
def test_plain_words_stay(harmless: str) -> None:
    """Masking does not eat ordinary text."""
    payload = json.dumps({"content": harmless, "usage": {"prompt_tokens": 12, "total_tokens": 20}})
    assert redact(payload.encode()) == payload


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(SECRETS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.text() | st.sampled_from(FIELD_NAMES), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.booleans())
def test_json_stays_json(document: Any, is_ascii: bool) -> None:
    """Whatever goes in as JSON comes out as JSON, whatever is masked."""
    masked = redact(json.dumps(document, ensure_ascii=is_ascii).encode("utf-8", "replace"))
    json.loads(masked)



@given(st.binary(max_size=300))
def test_any_bytes_are_taken(payload: bytes) -> None:
    """Bytes that are no text and no JSON are kept as text, never an error."""
    assert isinstance(redact(payload), str)


def test_huge_payload_is_noted_not_searched() -> None:
    """Above the bound there is only a note, which is a JSON string."""
    assert json.loads(redact(b"x" * (MOST_BYTES + 1))) == f"[payload of {MOST_BYTES + 1} bytes not kept]"


@pytest.mark.parametrize("hostile", [
    '"token":"' * 20_000, "-----BEGIN PRIVATE KEY-----" * 8000, "sk-" * 60_000, "\\" * 200_000, '\\"token\\":' * 20_000,
    "eyJ" + "a" * 200_000, "api_key" + " " * 200_000, "\\" * 100_000 + '"token":', '"token"' + " " * 200_000,
    "bearer" + " " * 200_000,
])
def test_hostile_payload_takes_linear_time(hostile: str) -> None:
    """No pattern backtracks without bound."""
    started = time.process_time()
    redact(hostile.encode())
    assert time.process_time() - started < SLOW_DAY_S
