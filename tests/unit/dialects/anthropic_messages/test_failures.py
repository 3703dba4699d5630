"""Errors of Anthropic and its platforms are understood, and errors of others are told as its clients know them."""

from typing import Any

import anthropic
import msgspec
import pytest

from fastgw.dialects.anthropic_messages import DIALECT
from fastgw.dialects.canonical import Broke, Failure, FailureKind, Request
from fastgw.dialects.sse import EventSplitter
from fastgw.dialects.translate import problem_of
from tests.recordings import counted
from tests.unit.dialects.anthropic_messages.official import client_of, messages_recorded


def failed(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


@pytest.mark.parametrize(("status", "body", "kind", "code", "param"), [
    (400, failed("invalid_request_error", "max_tokens: Field required"), "invalid_request", "invalid_request_error", "max_tokens"),
    (400, failed("invalid_request_error", "messages.0.content: wrong"), "invalid_request", "invalid_request_error", "messages.0.content"),
    (400, failed("invalid_request_error", "prompt is too long: 210000 tokens"), "context_window", "invalid_request_error", ""),
    (400, failed("invalid_request_error", "Your credit balance is too low to access"), "billing", "invalid_request_error", ""),
    (400, failed("invalid_request_error", "Output blocked by content filtering policy"), "content_policy", "invalid_request_error", ""),
    (401, failed("authentication_error", "invalid x-api-key"), "authentication", "authentication_error", ""),
    (402, failed("billing_error", "no money"), "billing", "billing_error", ""),
    (403, failed("permission_error", "no"), "permission", "permission_error", ""),
    (404, failed("not_found_error", "model: x"), "not_found", "not_found_error", "model"),
    (413, failed("request_too_large", "too large"), "too_large", "request_too_large", ""),
    (429, failed("rate_limit_error", "slow"), "rate_limit", "rate_limit_error", ""),
    (500, failed("api_error", "oops"), "server", "api_error", ""),
    (504, failed("timeout_error", "late"), "timeout", "timeout_error", ""),
    (529, failed("overloaded_error", "Overloaded"), "overloaded", "overloaded_error", ""),
    (418, failed("novel_error", "new"), "invalid_request", "novel_error", ""),
    (403, {"message": "You don't have access"}, "permission", "", ""),
    (400, {"message": "Input is too long for requested model."}, "context_window", "", ""),
    (429, {"error": {"code": 429, "message": "Quota", "status": "RESOURCE_EXHAUSTED"}}, "rate_limit", "RESOURCE_EXHAUSTED", ""),
    (429, [{"error": {"code": 429, "message": "Quota", "status": "RESOURCE_EXHAUSTED"}}], "rate_limit", "RESOURCE_EXHAUSTED", ""),
    (502, "<html>Bad gateway</html>", "server", "", ""),
    (503, None, "overloaded", "", ""),
    (400, {"error": "plain"}, "invalid_request", "", ""),
])
def test_errors_are_understood(status: int, body: object, kind: str, code: str, param: str) -> None:
    """An error body says what kind of failure it is, in whose words, and of which member."""
    failure = DIALECT.read_failure(status, body)
    assert (failure.status, failure.kind, failure.code, failure.param) == (status, kind, code, param)
    assert failure.message


@pytest.mark.parametrize(("kind", "word", "status", "raised"), [
    ("invalid_request", "invalid_request_error", 400, anthropic.BadRequestError),
    ("authentication", "authentication_error", 401, anthropic.AuthenticationError),
    ("permission", "permission_error", 403, anthropic.PermissionDeniedError),
    ("not_found", "not_found_error", 404, anthropic.NotFoundError),
    ("rate_limit", "rate_limit_error", 429, anthropic.RateLimitError),
    ("billing", "billing_error", 402, anthropic.APIStatusError),
    ("too_large", "request_too_large", 413, anthropic.APIStatusError),
    ("timeout", "timeout_error", 504, anthropic.APIStatusError),
    ("context_window", "invalid_request_error", 400, anthropic.BadRequestError),
    ("content_policy", "invalid_request_error", 400, anthropic.BadRequestError),
    ("overloaded", "overloaded_error", 529, anthropic.APIStatusError),
    ("server", "api_error", 500, anthropic.InternalServerError),
])
def test_errors_are_told(kind: FailureKind, word: str, status: int, raised: type[Exception]) -> None:
    """The client raises the class of the error, with the provider's message and code."""
    assert DIALECT.write_failure is not None
    body = DIALECT.write_failure(Failure(status, kind, "said", "own_code"), "req_9")
    said = "prompt is too long: said" if kind == "context_window" else "said"
    assert body == {"type": "error", "error": {"type": word, "message": said, "code": "own_code"}, "request_id": "req_9"}
    with pytest.raises(raised, match="said"):
        client_of(msgspec.json.encode(body), status=status).messages.create(model="claude-opus-5", max_tokens=1, messages=[])


def test_recorded_errors_are_understood() -> None:
    """The errors that were recorded keep their words, and are of the kind that their status says."""
    kinds = {400: "invalid_request", 401: "authentication", 403: "permission", 404: "not_found", 429: "rate_limit", 529: "overloaded"}
    failed = [exchange for exchange in messages_recorded() if exchange.status in kinds]
    counted(len(failed), 4)
    for exchange in failed:
        failure = DIALECT.read_failure(exchange.status, exchange.decoded())
        assert failure.message and failure.message in exchange.reply.decode(), exchange.name
        assert failure.kind in (kinds[exchange.status], "context_window", "billing", "content_policy"), exchange.name


@pytest.mark.parametrize(("said", "told"), [
    ("This model's maximum context length is 128000 tokens.", "prompt is too long: This model's maximum context length is 128000 tokens."),
    ("Input is too long for requested model.", "prompt is too long: Input is too long for requested model."),
    ("prompt is too long: 210000 tokens > 200000 maximum", "prompt is too long: 210000 tokens > 200000 maximum"),
    ("input length and `max_tokens` exceed context limit: 9 + 8 > 10", "input length and `max_tokens` exceed context limit: 9 + 8 > 10"),
])
def test_a_context_that_is_too_long_is_told_as_clients_know_it(said: str, told: str) -> None:
    """Clients shorten a conversation on a message that begins so: other providers' words go after it, Anthropic's own stay."""
    assert DIALECT.write_failure is not None and DIALECT.stream_writer is not None
    failure = Failure(400, "context_window", said)
    body: Any = DIALECT.write_failure(failure, "req")
    assert (body["error"]["type"], body["error"]["message"]) == ("invalid_request_error", told)
    [(_, payload)] = EventSplitter().feed(DIALECT.stream_writer(Request("anthropic_messages", "m", [])).write([Broke(failure)]))
    assert msgspec.json.decode(payload)["error"]["message"] == told


def test_a_context_that_is_too_long_is_known_at_the_beginning_of_a_stream() -> None:
    """An error that a provider puts in the place of a stream, which the gateway tells as its own, begins so too."""
    assert problem_of(Failure(400, "context_window", "said"), "i").message == "prompt is too long: integration 'i': said"
    assert problem_of(Failure(400, "invalid_request", "said"), "i").message == "integration 'i': said"
