"""What admission reserves, and what it puts into a body so that the budget pays for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.upstream import Upstream, json_reply
from tests.gateway.limited import (
    CHAT,
    GENERATE,
    MESSAGES,
    QUESTION,
    RESPONSES,
    account,
    ask,
    bearer,
    chat,
    code_of,
    integrations,
    key_lines,
    message_of,
    price,
)
from tests.gateway.running import RunningGateway

USAGE = {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}
REPLIES = {
    CHAT: {"object": "chat.completion", "choices": [], "usage": USAGE},
    "/v1/completions": {"choices": [], "usage": USAGE},
    "/v1/images/generations": {"data": [], "usage": {"input_tokens": 4, "output_tokens": 2, "total_tokens": 6}},
    RESPONSES: {"status": "completed", "usage": {"input_tokens": 4, "output_tokens": 2, "total_tokens": 6}},
    MESSAGES: {"type": "message", "usage": {"input_tokens": 4, "output_tokens": 2}},
    GENERATE: {"candidates": [], "usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 2, "totalTokenCount": 6}},
}
LATER = (
    ("/v1/batches", "openai"),
    ("/v1/fine_tuning/jobs", "openai"),
    ("/v1/messages/batches", "anthropic"),
    ("/v1beta/cachedContents", "gemini"),
)
BUDGET_NANO = 1_000_000  # pays for 100 output tokens at $10 a million
NAMES = ("clamp", "strict", "estimate", "unknown", "allowed", "rich", "fallback", "tiny", "images")
KEYS = {name: f"fgw-admission-{name}-{'0' * 24}" for name in NAMES}
MODELS = ("openai/gpt-4.1", "anthropic/claude-sonnet-4-6", "gemini/gemini-2.5-flash", "openai/gpt-image-1")
CONFIG = (
    "[prices]\n"
    + "".join(f'"{name}" = {price("0.0")}\n' for name in MODELS)
    + f'"openai-compatible/cheap" = {price("0.0", "1.0")}\n'
    + """
[integrations.compatible]
provider = "openai-compatible"
base_url = "{url}/v1"
[models.local]
targets = [{ integration = "compatible", model = "local" }]
price = { input = 0, output = 10 }
[models.nameless]
targets = [{ integration = "compatible", model = "nameless" }]
[models.dearer-second]
targets = [{ integration = "compatible", model = "cheap" }, { integration = "openai", model = "gpt-4.1" }]
[models.unpriced-second]
targets = [{ integration = "openai", model = "gpt-4.1" }, { integration = "compatible", model = "nameless" }]
retry = { attempts = 0 }
[workspaces.open]
unknown_price = "allow"
"""
)


def keys() -> str:
    small = "{ usd = 0.001 }"
    return "".join(
        (
            key_lines("clamp", KEYS["clamp"], budget=small),
            key_lines("strict", KEYS["strict"], budget=small, admission='"strict"'),
            key_lines("estimate", KEYS["estimate"], budget=small, admission='"estimate"'),
            key_lines("unknown", KEYS["unknown"], budget=small),
            key_lines("allowed", KEYS["allowed"], budget=small, workspace='"open"'),
            key_lines("rich", KEYS["rich"], budget="{ usd = 1000 }"),
            key_lines("fallback", KEYS["fallback"], budget=small),
            key_lines("tiny", KEYS["tiny"], budget="{ usd = 0.000009 }"),
            key_lines("images", KEYS["images"], budget="{ usd = 0.1 }"),
        )
    )


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    replies = {**REPLIES, **{path: {"object": "accepted"} for path, _ in LATER}}
    with Upstream(routes={path: json_reply(reply) for path, reply in replies.items()}) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    config = CONFIG.replace("{url}", upstream.url) + integrations(upstream.url) + keys()
    with RunningGateway(tmp_path_factory.mktemp("admission"), config) as running:
        yield running


def sent(upstream: Upstream) -> dict[str, Any]:
    """The body that went to the provider last."""
    body: dict[str, Any] = json.loads(upstream.received[-1].body)
    return body


def left_tokens(gateway: RunningGateway) -> int:
    """What the clamped key can still pay for."""
    return (BUDGET_NANO - account(gateway.state, "key:clamp", 1).spent) // 10_000


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        (CHAT, {"model": "gpt-4.1", "messages": QUESTION}, ("max_completion_tokens",)),
        (CHAT, {"model": "local", "messages": QUESTION}, ("max_tokens",)),
        ("/v1/completions", {"model": "gpt-4.1", "prompt": "Paris"}, ("max_tokens",)),
        (RESPONSES, {"model": "gpt-4.1", "input": "Paris"}, ("max_output_tokens",)),
        (MESSAGES, {"model": "claude-sonnet-4-6", "messages": QUESTION}, ("max_tokens",)),
        (GENERATE, {"contents": []}, ("generationConfig", "maxOutputTokens")),
        (GENERATE, {"contents": [], "generationConfig": {"temperature": 1}}, ("generationConfig", "maxOutputTokens")),
        (GENERATE, {"contents": [], "generationConfig": {}}, ("generationConfig", "maxOutputTokens")),
        (GENERATE, {"contents": [], "generation_config": {"temperature": 1}}, ("generation_config", "maxOutputTokens")),
        (CHAT, {"model": "gpt-4.1", "max_completion_tokens": None, "messages": QUESTION}, ("max_completion_tokens",)),
        (CHAT, {"model": "gpt-4.1", "max_tokens": None, "messages": QUESTION}, ("max_completion_tokens",)),
        (MESSAGES, {"model": "claude-sonnet-4-6", "max_tokens": None, "messages": QUESTION}, ("max_tokens",)),
        (CHAT, {"model": "gpt-4.1", "max_output_tokens": 1, "messages": QUESTION}, ("max_completion_tokens",)),
    ],
)
def test_clamp_puts_what_the_budget_pays_for_where_the_provider_reads_it(
    gateway: RunningGateway, upstream: Upstream, path: str, body: dict[str, Any], place: tuple[str, ...]
) -> None:
    """A request without a limit of its dialect gets one in its provider's field, told in x-fastgw-max-tokens; the rest stays as it was."""
    expected = left_tokens(gateway)
    reply = ask(gateway.url, path, body, bearer(KEYS["clamp"]))
    assert reply.status == 200, reply.body
    assert reply.field("x-fastgw-max-tokens") == str(expected)
    found = sent(upstream)
    holder = found if len(place) == 1 else found[place[0]]
    assert holder[place[-1]] == expected
    assert upstream.received[-1].body.count(b'"' + place[-1].encode() + b'"') == 1
    if body.get(place[0]) is None or not holder.keys() - {place[-1]}:
        found.pop(place[0])
    else:
        holder.pop(place[-1])
    assert {name: value for name, value in body.items() if name in found} == found


def test_limit_is_for_each_of_several_choices(gateway: RunningGateway, upstream: Upstream) -> None:
    """With n = 4 each choice gets a quarter of what the budget pays for."""
    expected = left_tokens(gateway) // 4
    assert chat(gateway.url, KEYS["clamp"], n=4).field("x-fastgw-max-tokens") == str(expected)
    assert sent(upstream)["max_completion_tokens"] == expected


def test_request_within_the_budget_is_not_touched(gateway: RunningGateway, upstream: Upstream) -> None:
    """Where the budget pays for the model's own limit, and where a limit is stated, the body goes on as it came."""
    body = b'{ "messages" :[],"unknown":{"a":[1e5, -0.0]}, "model":"gpt-4.1" }'
    from tests.fakes.raw_client import RawClient

    with RawClient(gateway.url) as client:
        reply = client.ask("POST", CHAT, body, [("content-type", "application/json"), *bearer(KEYS["rich"])])
    assert reply.status == 200 and reply.field("x-fastgw-max-tokens") is None
    assert upstream.received[-1].body == body
    assert chat(gateway.url, KEYS["clamp"], max_tokens=1).field("x-fastgw-max-tokens") is None
    assert sent(upstream)["max_tokens"] == 1


@pytest.mark.parametrize(
    "body",
    [
        {"model": "gpt-4.1", "messages": QUESTION},
        {"model": "gpt-4.1", "messages": QUESTION, "max_tokens": 101},
        {"model": "gpt-4.1", "messages": QUESTION, "max_tokens": 26, "n": 4},
        {"model": "gpt-4.1", "messages": QUESTION, "max_tokens": 1, "max_completion_tokens": 101},
        {"model": "gpt-4.1", "messages": QUESTION, "max_output_tokens": 1},
        {"model": "gpt-4.1", "messages": QUESTION, "generationConfig": {"maxOutputTokens": 1}},
        {"model": "gpt-4.1", "messages": QUESTION, "max_tokens": 0},
    ],
)
def test_strict_refuses_what_may_cost_more_than_is_left(gateway: RunningGateway, upstream: Upstream, body: dict[str, Any]) -> None:
    """A request whose most exceeds the budget is refused by strict, whichever field hides it; nothing goes upstream, nothing is charged."""
    before = len(upstream.received)
    reply = ask(gateway.url, CHAT, body, bearer(KEYS["strict"]))
    assert (reply.status, code_of(reply)) == (412, "budget_exhausted")
    assert "$0.001 left" in message_of(reply) and "max_tokens" in message_of(reply)
    assert reply.field("x-fastgw-budget-remaining-usd") == "0.001"
    assert len(upstream.received) == before
    assert account(gateway.state, "key:strict", 1).committed == 0


def test_each_prompt_of_a_completion_counts(gateway: RunningGateway) -> None:
    """Ten prompts in one completion may put out ten times the limit, so that is what is reserved."""
    body = {"model": "gpt-4.1", "prompt": ["a"] * 11, "max_tokens": 10}
    reply = ask(gateway.url, "/v1/completions", body, bearer(KEYS["strict"]))
    assert (reply.status, code_of(reply)) == (412, "budget_exhausted")


def test_pictures_are_reserved_at_their_best_quality(gateway: RunningGateway) -> None:
    """A picture's output, which no field bounds, is reserved before it is made."""
    body = {"model": "gpt-image-1", "prompt": "a dot"}
    assert ask(gateway.url, "/v1/images/generations", body, bearer(KEYS["images"])).status == 200
    reply = ask(gateway.url, "/v1/images/generations", {**body, "n": 2}, bearer(KEYS["images"]))
    assert (reply.status, code_of(reply)) == (412, "budget_exhausted")


def test_estimate_reserves_the_mean_and_charges_the_truth(gateway: RunningGateway) -> None:
    """estimate lets a request through whose most exceeds the budget, settles the true cost, and refuses once the budget is used up."""
    served = 0
    while (reply := chat(gateway.url, KEYS["estimate"], max_tokens=100_000)).status == 200:
        served += 1
        assert account(gateway.state, "key:estimate", 1).spent == served * 20_000
    assert code_of(reply) == "budget_exhausted" and served == BUDGET_NANO // 20_000


def test_unknown_price_is_refused_or_allowed_as_the_workspace_says(gateway: RunningGateway) -> None:
    """A model without a price is refused where a budget applies, unless the workspace allows it; then its record says so."""
    refused = chat(gateway.url, KEYS["unknown"], model="nameless", max_tokens=1)
    assert (refused.status, code_of(refused)) == (412, "price_unknown") and "[prices]" in message_of(refused)
    allowed = chat(gateway.url, KEYS["allowed"], model="nameless", max_tokens=1)
    assert allowed.status == 200 and allowed.field("x-fastgw-cost-usd") is None
    gateway.wait_until(lambda: any(row["key"] == "allowed" for row in gateway.records()), "the record")
    row = next(row for row in gateway.records() if row["key"] == "allowed")
    assert (row["cost_nano_usd"], row["flags"]) == (-1, "price_unknown")


def test_response_in_the_background_is_refused_where_a_budget_applies(gateway: RunningGateway) -> None:
    """A background response states its usage to nobody, so it counts as unpriced."""
    body = {"model": "gpt-4.1", "input": "hi", "max_output_tokens": 1, "background": True}
    reply = ask(gateway.url, RESPONSES, body, bearer(KEYS["unknown"]))
    assert (reply.status, code_of(reply)) == (412, "price_unknown") and "background" in message_of(reply)
    assert ask(gateway.url, RESPONSES, {**body, "background": False}, bearer(KEYS["unknown"])).status == 200


@pytest.mark.parametrize(("path", "integration"), LATER)
def test_cost_that_no_reply_states_is_refused_or_recorded_as_unknown(gateway: RunningGateway, path: str, integration: str) -> None:
    """Work done later and paths that only pass are refused where a budget applies; where allowed their cost is unknown, never zero."""
    headers = [("x-fastgw-integration", integration)]
    refused = ask(gateway.url, path, {}, bearer(KEYS["unknown"]) + headers)
    assert (refused.status, code_of(refused)) == (412, "price_unknown") and "unknown_price" in message_of(refused)
    before = len(gateway.records())
    allowed = ask(gateway.url, path, {}, bearer(KEYS["allowed"]) + headers)
    assert allowed.status == 200
    row = gateway.records(before + 1)[-1]
    assert (row["key"], row["cost_nano_usd"], row["flags"]) == ("allowed", -1, "price_unknown")


def test_budget_too_small_for_any_output_refuses(gateway: RunningGateway) -> None:
    """Where not one token of output is paid for, clamp refuses."""
    reply = chat(gateway.url, KEYS["tiny"])
    assert (reply.status, code_of(reply)) == (412, "budget_exhausted")


def test_dearer_target_of_a_fallback_is_what_is_reserved(gateway: RunningGateway, upstream: Upstream) -> None:
    """The dearest target that a request may fall back to is reserved, and it never falls back to one without a price."""
    refused = chat(gateway.url, KEYS["fallback"], model="dearer-second", max_tokens=101)
    assert code_of(refused) == "budget_exhausted"
    assert chat(gateway.url, KEYS["fallback"], model="dearer-second", max_tokens=90).status == 200
    before = len(upstream.received)
    upstream.play(json_reply({"error": {}}, 503), CHAT)
    try:
        reply = chat(gateway.url, KEYS["fallback"], model="unpriced-second", max_tokens=1)
        allowed = chat(gateway.url, KEYS["allowed"], model="unpriced-second", max_tokens=1)
    finally:
        upstream.play(json_reply(REPLIES[CHAT]), CHAT)
    assert (reply.status, reply.field("x-fastgw-attempts")) == (503, "1")
    assert (allowed.status, allowed.field("x-fastgw-attempts")) == (503, "2")
    assert len(upstream.received) == before + 3
