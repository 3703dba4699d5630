"""Errors of any provider are understood, and errors for callers are OpenAI's."""

import openai
import pytest

from fastgw.dialects.canonical import Failure
from fastgw.dialects.openai_chat.failure import CODES, STATUSES, read_failure, write_failure
from tests.recordings import counted
from tests.unit.dialects.openai_chat.recorded import chats


def test_recorded_errors_are_understood() -> None:
    """Each recorded error keeps its message, code and param and is of the kind that its status says."""
    count = 0
    for chat in chats():
        body = chat.decoded()
        if chat.status < 400:
            continue
        failure = read_failure(chat.status, body)
        usual = STATUSES.get(chat.status, "server" if chat.status >= 500 else "invalid_request")
        assert failure.kind == usual or failure.kind == CODES.get(failure.code), chat.name
        count += 1
        stated = body.get("error") if isinstance(body, dict) else None
        if isinstance(stated, dict):
            assert failure.message.startswith(stated["message"]), chat.name
            if stated.get("code") not in (None, chat.status):
                assert failure.code == str(stated["code"]), chat.name
            assert failure.param == (stated.get("param") or ""), chat.name
    counted(count, 11)


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (
            429,
            {"error": {"message": "a", "type": "insufficient_quota", "code": "insufficient_quota"}},
            Failure(429, "billing", "a", "insufficient_quota"),
        ),
        (
            400,
            {"error": {"message": "a", "code": "context_length_exceeded", "param": "messages"}},
            Failure(400, "context_window", "a", "context_length_exceeded", "messages"),
        ),
        (
            400,
            {"error": {"message": "a", "code": "content_filter", "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
            Failure(400, "content_policy", "a", "content_filter"),
        ),
        (
            429,
            {"error": {"message": "Provider returned error", "code": 429, "metadata": {"raw": "slow down"}}},
            Failure(429, "rate_limit", "Provider returned error: slow down"),
        ),
        (400, [{"error": {"code": 400, "message": "a", "status": "INVALID_ARGUMENT"}}], Failure(400, "invalid_request", "a")),
        (
            422,
            {"object": "error", "message": {"detail": [{"loc": ["body", "n"], "msg": "too many"}]}, "type": "invalid_request_error"},
            Failure(422, "invalid_request", "too many at body.n"),
        ),
        (422, {"detail": [{"loc": ["body", "n"], "msg": "too many"}]}, Failure(422, "invalid_request", "too many at body.n")),
        (401, {"detail": "who?"}, Failure(401, "authentication", "who?")),
        (503, {"error": "loading", "estimated_time": 20}, Failure(503, "overloaded", "loading")),
        (402, {"message": "pay", "type": "payment", "code": "1113"}, Failure(402, "billing", "pay", "1113")),
        (502, "<html>", Failure(502, "server", "<html>")),
        (500, None, Failure(500, "server", "the provider answered with status 500")),
        (529, {}, Failure(529, "overloaded", "the provider answered with status 529")),
        (418, {"error": {"message": 7, "code": 1234}}, Failure(418, "invalid_request", "the provider answered with status 418", "1234")),
    ],
)
def test_errors_of_any_make_are_understood(status: int, body: object, failure: Failure) -> None:
    """Objects in many shapes, arrays, text and nothing at all become a kind, a message and a code."""
    assert read_failure(status, body) == failure


@pytest.mark.parametrize(
    ("failure", "stated"),
    [
        (Failure(429, "rate_limit", "a", "tokens"), {"message": "a", "type": "rate_limit_error", "param": None, "code": "tokens"}),
        (
            Failure(400, "context_window", "a", "3051"),
            {"message": "a", "type": "invalid_request_error", "param": None, "code": "context_length_exceeded"},
        ),
        (Failure(529, "overloaded", "a"), {"message": "a", "type": "server_error", "param": None, "code": None}),
        (Failure(400, "invalid_request", "a", "", "n"), {"message": "a", "type": "invalid_request_error", "param": "n", "code": None}),
    ],
)
def test_errors_are_written_as_openais(failure: Failure, stated: dict[str, object]) -> None:
    """The message as it is, the type and code by which OpenAI's clients tell errors apart; the official client reads them."""
    body = write_failure(failure, "req_1")
    assert body == {"error": stated}
    raised = openai.APIError("x", None, body=body["error"])  # type: ignore[arg-type]  # no request here
    assert (raised.code, raised.param, raised.type) == (stated["code"], stated["param"], stated["type"])
