"""Through the gateway to aimock, a mock of many providers that others wrote: every caller's dialect at each, with tools and errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.aimock import AIMock, why_absent
from tests.fakes.raw_client import RawClient
from tests.gateway.limited import bearer, key_lines
from tests.gateway.routed import EXPLAIN, NEVER_OPEN, ONCE, RoutedGateway, inline, way
from tests.gateway.speaking import SPEAKERS, TOOL, WEATHER, Answer, Speaker

pytestmark = pytest.mark.skipif(bool(why_absent()), reason=why_absent())

SAID = "The capital of France is Paris, which lies on the Seine; of Caf\u00e9s there are many: \u4e16\u754c."
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
ERRORS = {400: "invalid_request_error", 404: "not_found_error", 429: "rate_limit_error", 500: "api_error", 503: "overloaded_error"}
FIXTURES: list[dict[str, Any]] = [
    {"match": {"userMessage": "capital"}, "response": {"content": SAID, "usage": USAGE}},
    {"match": {"userMessage": "weather"}, "response": {"toolCalls": [{"name": TOOL, "arguments": {"city": "Paris", "days": [1, 2]}}]}},
    {"match": {"userMessage": "both"}, "response": {"content": "Let me see.", "toolCalls": [
        {"name": TOOL, "arguments": {"city": "Paris"}}, {"name": TOOL, "arguments": {"city": "Rome"}}]}},
    {"match": {"userMessage": "think"}, "response": {"content": "42", "reasoning": "What was the question?"}},
    *[{"match": {"userMessage": f"fail {status}"}, "response": {
        "error": {"message": f"as asked: {status}", "type": kind}, "status": status}} for status, kind in ERRORS.items()],
]  # fmt: skip
AWS = 'aws = { region = "us-east-1", access_key_id = "AKIDEXAMPLE000000000", secret_access_key = "secret0123456789" }\n'
# provider, path of its base_url at aimock, model
PROVIDERS = {
    "openai": ("/v1", "gpt-4o"),
    "anthropic": ("/v1", "claude-sonnet-4-5"),
    "gemini": ("", "gemini-2.5-flash"),
    "bedrock": ("", "anthropic.claude-3-5-sonnet-20241022-v2:0"),
    "cohere": ("", "command-r-plus"),
    "mistral": ("/v1", "mistral-large-latest"),
    "openrouter": ("/api/v1", "openai/gpt-4o"),
}
each_speaker = pytest.mark.parametrize("speaker", SPEAKERS, ids=lambda speaker: speaker.name)
# what the mock has not of OpenRouter, whose own these are
ABSENT = {("responses", "openrouter"), ("messages", "openrouter")}
each_place = pytest.mark.parametrize(
    ("speaker", "provider"),
    [pytest.param(one, name, id=f"{one.name}-{name}") for one in SPEAKERS for name in PROVIDERS if (one.name, name) not in ABSENT],
)
whole_and_stream = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@pytest.fixture(scope="module")
def aimock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AIMock]:
    with AIMock(tmp_path_factory.mktemp("aimock"), FIXTURES) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(aimock: AIMock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RoutedGateway]:
    parts = []
    for name, (path, model) in PROVIDERS.items():
        credential = AWS if name == "bedrock" else f'api_key = "sk-{name}-0123456789"\n'
        parts.append(f'[integrations.{name}]\nprovider = "{name}"\nbase_url = "{aimock.url}{path}"\n{credential}')
        target = inline(integration=name, model=model, name=name)
        parts.append(f"[models.to-{name}]\ntargets = [{target}]\n{ONCE}\n{NEVER_OPEN}\nprice = {{ input = 1, output = 1 }}\n")
    targets = ", ".join(inline(integration=name, model=model, name=name) for name, (_, model) in PROVIDERS.items())
    parts.append(f"[models.all]\ntargets = [{targets}]\n{ONCE}\n{NEVER_OPEN}\n")
    with RoutedGateway(tmp_path_factory.mktemp("gateway"), "".join(parts) + key_lines()) as running:
        yield running
        running.check_records()


@each_place
@whole_and_stream
def test_words_come_back_as_they_were_said(gateway: RoutedGateway, speaker: Speaker, provider: str, stream: bool) -> None:
    """Every letter of the answer, in every dialect from every provider, whole and in pieces; and one record of it."""
    reply = speaker.ask(gateway.url, f"to-{provider}", "capital", stream=stream)
    assert speaker.read(reply, stream=stream) == Answer(SAID)
    gateway.expect(reply, outcome="served", integration=provider, attempts=1, error="")


@each_place
@whole_and_stream
def test_calls_of_tools_come_back_with_their_arguments(gateway: RoutedGateway, speaker: Speaker, provider: str, stream: bool) -> None:
    """The name and the whole of the arguments, whichever way the two dialects cut and spell them."""
    reply = speaker.ask(gateway.url, f"to-{provider}", "weather", stream=stream, schema=WEATHER)
    assert speaker.read(reply, stream=stream) == Answer("", ((TOOL, {"city": "Paris", "days": [1, 2]}),))


@each_place
@whole_and_stream
def test_words_and_two_calls_come_back_together(gateway: RoutedGateway, speaker: Speaker, provider: str, stream: bool) -> None:
    """Words first, then two calls of the same tool, which stay two."""
    reply = speaker.ask(gateway.url, f"to-{provider}", "both", stream=stream, schema=WEATHER)
    assert speaker.read(reply, stream=stream) == Answer("Let me see.", ((TOOL, {"city": "Paris"}), (TOOL, {"city": "Rome"})))


@each_speaker
@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini", "mistral"])
@whole_and_stream
def test_thoughts_do_not_get_into_the_words(gateway: RoutedGateway, speaker: Speaker, provider: str, stream: bool) -> None:
    """What a model thought is not what it said."""
    reply = speaker.ask(gateway.url, f"to-{provider}", "think", stream=stream)
    assert speaker.read(reply, stream=stream) == Answer("42")


@each_place
@pytest.mark.parametrize("status", ERRORS)
def test_errors_are_told_in_the_caller_s_dialect(gateway: RoutedGateway, speaker: Speaker, provider: str, status: int) -> None:
    """The status and the words of a provider's error, in the shape that the caller's clients know; free, and in the record."""
    reply = speaker.ask(gateway.url, f"to-{provider}", f"fail {status}")
    body: Any = json.loads(reply.body)
    assert reply.status == status and body["error"]["message"] == f"as asked: {status}", reply.body
    # OpenRouter's own have a code alone, and bytes pass
    assert {"gemini": "status"}.get(speaker.name, "type") in body["error"] or (speaker.name, provider) == ("chat", "openrouter"), body
    if status == 429:
        assert reply.field("retry-after") == "1"
    gateway.expect(reply, outcome="failed", error="upstream_status", status=status, upstream_status=status, cost_nano_usd=0)


def test_whole_row_of_failing_providers_is_gone_through(gateway: RoutedGateway) -> None:
    """Each is asked once, in its own dialect, and the caller gets what the last one said."""
    with RawClient(gateway.url) as client:
        reply = client.ask_json(SPEAKERS[0].target("all"), SPEAKERS[0].body("all", "fail 503"), [*bearer(), EXPLAIN])
    assert [step.target for step in way(reply)] == list(PROVIDERS) and reply.status == 503
    gateway.expect(reply, attempts=len(PROVIDERS), outcome="failed")


def test_usage_is_the_provider_s(gateway: RoutedGateway) -> None:
    """The tokens that the provider states are those of the record and of the price, in streams too."""
    for speaker in SPEAKERS:
        for stream in (False, True):
            reply = speaker.ask(gateway.url, "to-openai", "capital", stream=stream)
            gateway.expect(reply, input_tokens=11, output_tokens=7, cost_nano_usd=18_000, flags="streamed" if stream else "")
