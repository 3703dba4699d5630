"""Errors in the shape of each dialect, as the official clients read them."""

from __future__ import annotations

import json

import anthropic
import httpx2 as httpx  # what the official clients are made with
import openai
import pytest

from fastgw.errors import TABLE, error
from fastgw.surfaces.respond import ANTHROPIC, GEMINI, OPENAI, error_event, error_reply

SHAPES = (OPENAI, ANTHROPIC, GEMINI)


def code_in(body: bytes, speaks: int) -> object:
    """The stable code, where docs/http.md says it is."""
    found = json.loads(body)["error"]
    return found["details"][0]["reason"] if speaks == GEMINI else found["code"]


def pairs(fields: bytes) -> list[tuple[str, str]]:
    """Field lines as names and values."""
    return [(name, value) for name, _, value in (line.partition(": ") for line in fields.decode().split("\r\n")[:-1])]


@pytest.mark.parametrize("speaks", SHAPES)
@pytest.mark.parametrize("name", TABLE)
def test_every_error_has_its_code_in_every_dialect(name: str, speaks: int) -> None:
    """The body is JSON with the stable code and the message; the head says the code too, and whether trying again
    is no use.
    """
    problem = error(name, "expected this, got that", fields=(("retry-after", "7"),))
    status, fields, body = error_reply(problem, speaks, "id-1")
    assert status == problem.status and code_in(body, speaks) == problem.code
    assert json.loads(body)["error"]["message"] == "expected this, got that"
    lines = fields.decode().split("\r\n")
    assert lines.pop() == "" and lines[0] == "content-type: application/json"
    assert f"x-fastgw-error: {problem.code}" in lines and "retry-after: 7" in lines
    assert ("x-should-retry: false" in lines) == (not problem.retryable)


def test_dialects_have_their_own_shape() -> None:
    """The members are those that each provider documents."""
    problem = error("InvalidRequest", "expected int", param="max_tokens")
    openai_body, anthropic_body, gemini_body = (
        json.loads(error_reply(problem, speaks, "id-1")[2]) for speaks in SHAPES
    )
    assert openai_body == {
        "error": {
            "message": "expected int",
            "type": "invalid_request_error",
            "param": "max_tokens",
            "code": "invalid_request",
        }
    }
    assert anthropic_body == {
        "type": "error",
        "request_id": "id-1",
        "error": {"type": "invalid_request_error", "message": "expected int", "code": "invalid_request"},
    }
    assert gemini_body["error"]["code"] == 400 and gemini_body["error"]["status"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize("message", ['a "quote"', "a line\r\nx-injected: yes", "ä € 😀", "\x00\x1f"])
def test_a_message_cannot_break_out(message: str) -> None:
    """Whatever a message quotes of the request, the head stays as it is and the body and the event stay one JSON
    value.
    """
    problem = error("ModelNotFound", message)
    for speaks in SHAPES:
        _, fields, body = error_reply(problem, speaks, "id-1")
        assert b"injected" not in fields and json.loads(body)["error"]["message"] == message
        event = error_event(problem, speaks, "id-1")
        assert event.endswith(b"\n\n") and event.count(b"\n\n") == 1 and b"\r" not in event
        assert json.loads(event[event.index(b"data: ") + 6 :])["error"]["message"] == message


def test_the_official_clients_raise_what_fits() -> None:
    """The OpenAI and Anthropic clients turn each status into the exception that their users catch, and read code
    and message.
    """
    expected: dict[str, tuple[type[Exception], type[Exception]]] = {
        "InvalidRequest": (openai.BadRequestError, anthropic.BadRequestError),
        "MissingKey": (openai.AuthenticationError, anthropic.AuthenticationError),
        "ModelNotAllowed": (openai.PermissionDeniedError, anthropic.PermissionDeniedError),
        "ModelNotFound": (openai.NotFoundError, anthropic.NotFoundError),
        "RateLimited": (openai.RateLimitError, anthropic.RateLimitError),
        "BudgetExhausted": (openai.APIStatusError, anthropic.APIStatusError),
        "UpstreamTimeout": (openai.InternalServerError, anthropic.InternalServerError),
    }
    for name, (for_openai, for_anthropic) in expected.items():
        tries = 0

        def reply(request: httpx.Request, name: str = name) -> httpx.Response:
            nonlocal tries
            tries += 1
            status, fields, body = error_reply(
                error(name, "said so"), ANTHROPIC if "messages" in request.url.path else OPENAI, "id-1"
            )
            return httpx.Response(status, headers=pairs(fields), content=body)

        with httpx.Client(transport=httpx.MockTransport(reply)) as transport:
            client = openai.OpenAI(base_url="http://gateway/v1", api_key="k", http_client=transport, max_retries=0)
            with pytest.raises(for_openai) as told:
                client.chat.completions.create(model="m", messages=[])
            assert isinstance(told.value, openai.APIStatusError) and told.value.code == TABLE[name].code
            claude = anthropic.Anthropic(base_url="http://gateway", api_key="k", http_client=transport, max_retries=0)
            with pytest.raises(for_anthropic, match="said so"):
                claude.messages.create(model="m", max_tokens=1, messages=[])
        assert tries == 2


def test_clients_do_not_try_again_what_cannot_help() -> None:
    """x-should-retry: false keeps the official clients from sending what will fail again."""
    for name, sent in (("UpstreamTls", 1), ("UpstreamCredential", 1), ("UpgradeRefused", 1), ("UpstreamReset", 2)):
        tries = 0

        def reply(request: httpx.Request, name: str = name) -> httpx.Response:
            nonlocal tries
            tries += 1
            status, fields, body = error_reply(error(name, "no"), OPENAI, "id-1")
            return httpx.Response(status, headers=[*pairs(fields), ("retry-after-ms", "1")], content=body)

        with httpx.Client(transport=httpx.MockTransport(reply)) as transport:
            client = openai.OpenAI(base_url="http://gateway/v1", api_key="k", http_client=transport, max_retries=1)
            with pytest.raises(openai.APIStatusError):
                client.chat.completions.create(model="m", messages=[])
        assert tries == sent, name
