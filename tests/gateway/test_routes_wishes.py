"""What a request may say of routing: an order, a highest price, a provider or an integration in the model's name; and who refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.script import json_reply
from tests.fakes.upstream import Upstream
from tests.gateway.limited import MESSAGES, QUESTION, code_of, key_lines, message_of, price
from tests.gateway.routed import (
    NEVER_OPEN,
    OK,
    ONCE,
    RoutedGateway,
    ask,
    asked_of,
    chosen,
    failing,
    inline,
    leaf,
    passed_over,
    place,
    route,
    targets_at,
    way,
)
from tests.gateway.running import KEY

KEYS = {name: f"fgw-wishes-{name}-{'0' * 24}" for name in ("budget", "listed", "narrow", "lenient")}
SPENT = "{ usd = 1000 }"
CONFIG = [
    route("all", leaf("a"), leaf("b"), leaf("c"), leaf("u")),
    route("one", leaf("a")),
    route("routers", leaf("a"), inline(name="router", integration="router", model="m-router"), strategy="fallback"),
    route("unpriced", leaf("u"), leaf("v")),
    route(
        "picky",
        leaf("a"),
        leaf("b"),
        strategy="conditional",
        lines=['conditions = [{ query = { "params.user" = "x" }, then = "a" }]', ONCE, NEVER_OPEN],
    ),
    route("counted", leaf("a"), leaf("claude")),
    route("costly", leaf("a"), leaf("u"), leaf("c"), strategy="cost"),
]
PRICES = (
    "[prices]\n"
    + "".join(
        f'"openai-compatible/m-{name}" = {price(*usd)}\n' for name, usd in {"a": ("9", "1"), "b": ("2", "2"), "c": ("1", "9")}.items()
    )
    + f'"openrouter/m-router" = {price("5", "5")}\n'
)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(json_reply(OK)) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RoutedGateway]:
    claude = targets_at(upstream.url, ["claude"], provider="anthropic")
    keys = "".join(
        (
            key_lines(),
            key_lines("budget", KEYS["budget"], budget=SPENT),
            key_lines("listed", KEYS["listed"], models='["m-a", "all"]'),
            key_lines("narrow", KEYS["narrow"], integrations='["b", "c"]'),
            key_lines("lenient", KEYS["lenient"], budget=SPENT, workspace='"lenient"'),
        )
    )
    config = "".join(
        [
            targets_at(upstream.url, ["a", "b", "c", "u", "v"]),
            claude,
            targets_at(upstream.url, ["router"], provider="openrouter"),
            *CONFIG,
            PRICES,
            '[workspaces.lenient]\nunknown_price = "allow"\n',
            keys,
        ]
    )
    with RoutedGateway(tmp_path_factory.mktemp("wishes"), config) as running:
        yield running
        running.check_records()


def last(upstream: Upstream) -> Any:
    return json.loads(upstream.received[-1].body)


@pytest.mark.parametrize(
    ("fields", "more", "target"),
    [
        ({"x-fastgw-sort": "price"}, {"max_tokens": 20}, "b"),
        ({"x-fastgw-sort": "price"}, {"max_tokens": 10_000}, "a"),
        ({"x-fastgw-max-price": "2.5"}, {}, "b"),
        ({"x-fastgw-max-price": "input=1, output=10"}, {}, "c"),
        ({"x-fastgw-max-price": "output=1.5"}, {}, "a"),
        ({"x-fastgw-max-price": "input=2", "x-fastgw-sort": "price"}, {"max_tokens": 20}, "b"),
        ({}, {"provider": {"sort": "price"}, "max_tokens": 20}, "b"),
        ({}, {"provider": {"max_price": {"prompt": 1, "completion": 9}}}, "c"),
        ({"x-fastgw-max-price": "2.5"}, {"provider": {"max_price": {"prompt": 1}}}, "b"),
    ],
)
def test_wish_takes_the_place_of_the_order(gateway: RoutedGateway, fields: dict[str, str], more: dict[str, Any], target: str) -> None:
    """A sort and a highest price say who is asked, in fields or as OpenRouter has it in the body; the fields come first."""
    assert chosen(ask(gateway, "all", list(fields.items()), **more)) == target


def test_dear_and_unpriced_targets_are_passed_over(gateway: RoutedGateway) -> None:
    """The reply says who was left out for its price, and who for having none."""
    reply = ask(gateway, "all", [("x-fastgw-max-price", "2.5")])
    assert passed_over(reply) == {"a": "price above max_price", "c": "price above max_price", "u": "price unknown"}


def test_cost_puts_an_unknown_price_last(gateway: RoutedGateway) -> None:
    """Where no budget applies, a target without a price is asked after all others."""
    assert {chosen(ask(gateway, "costly", max_tokens=20)) for _ in range(6)} == {"a", "c"} - {"a"}


@pytest.mark.parametrize(
    ("fields", "more", "place_named"),
    [
        ({"x-fastgw-sort": "cheapest"}, {}, "x-fastgw-sort"),
        ({"x-fastgw-max-price": "much"}, {}, "x-fastgw-max-price"),
        ({"x-fastgw-max-price": "-1"}, {}, "x-fastgw-max-price"),
        ({}, {"provider": {"sort": "cheapest"}}, "$.provider.sort"),
        ({}, {"provider": {"max_price": {"request": 1}}}, "$.provider.max_price"),
        ({"x-portkey-metadata": "[1]"}, {}, "x-portkey-metadata"),
    ],
)
def test_wish_that_is_not_understood_is_refused(
    gateway: RoutedGateway, upstream: Upstream, fields: dict[str, str], more: dict[str, Any], place_named: str
) -> None:
    """Rather than be passed over it is refused, with its place, and nobody is asked."""
    before = len(upstream.received)
    reply = ask(gateway, "all", list(fields.items()), **more)
    assert (reply.status, code_of(reply), len(upstream.received)) == (400, "invalid_request", before)
    assert place_named in message_of(reply)


@pytest.mark.parametrize(
    ("model", "fields", "said"),
    [
        ("all", {"x-fastgw-max-price": "0.5"}, "a: price above max_price"),
        ("one", {"x-fastgw-max-price": "0.5"}, "a: price above max_price"),
        ("unpriced", {"x-fastgw-max-price": "5"}, "u: price unknown"),
        ("picky", {}, "a: condition"),
    ],
)
def test_no_target_says_why(gateway: RoutedGateway, upstream: Upstream, model: str, fields: dict[str, str], said: str) -> None:
    """Where no condition holds or all are dearer the request is refused with the reason of each target, and leaves one record."""
    before = len(upstream.received)
    reply = ask(gateway, model, list(fields.items()))
    assert (reply.status, code_of(reply), len(upstream.received)) == (400, "no_target", before)
    assert said in message_of(reply)
    gateway.expect(reply, outcome="refused", error="no_target", attempts=0, cost_nano_usd=0)


def test_budget_wants_a_price(gateway: RoutedGateway, upstream: Upstream) -> None:
    """Under a budget a target without a price is passed over, and a route of such targets refused, unless the workspace allows it."""
    before = len(upstream.received)
    reply = ask(gateway, "unpriced", key=KEYS["budget"])
    assert (reply.status, code_of(reply), len(upstream.received)) == (412, "price_unknown", before)
    assert chosen(ask(gateway, "unpriced", key=KEYS["lenient"])) == "u"
    reply = ask(gateway, "costly", [("x-fastgw-sort", "latency")], key=KEYS["budget"])
    assert chosen(reply) in "ac" and passed_over(reply)["u"] == "price unknown"


def test_provider_member_reaches_only_openrouter(gateway: RoutedGateway, upstream: Upstream) -> None:
    """What a body wishes of routing goes on to OpenRouter, which heeds it too, and to nobody who would refuse it."""
    wish = {"sort": "price", "max_price": {"prompt": 100}}
    assert chosen(ask(gateway, "routers", provider=wish, max_tokens=10_000)) == "a" and "provider" not in last(upstream)
    assert last(upstream) == {"model": "m-a", "messages": QUESTION, "max_tokens": 10_000}
    wish = {"sort": "price", "max_price": {"prompt": 5}}
    assert chosen(ask(gateway, "routers", provider=wish)) == "router" and last(upstream)["provider"] == wish
    upstream.play(failing(503), place("a"))
    reply = ask(gateway, "routers", provider={"sort": "price"}, max_tokens=10_000)
    upstream.play(json_reply(OK), place("a"))
    assert [step.target for step in way(reply)] == ["a", "router"] and last(upstream)["provider"] == {"sort": "price"}


@pytest.mark.parametrize("provider", [{"order": ["x"]}, "acme", None, {"sort": None}])
def test_provider_member_that_wishes_nothing_is_left_alone(gateway: RoutedGateway, upstream: Upstream, provider: object) -> None:
    """A member of the same name that is no wish of ours passes as every unknown member does."""
    assert chosen(ask(gateway, "all", provider=provider)) == "a" and last(upstream)["provider"] == provider


@pytest.mark.parametrize(
    ("key", "model", "status", "code", "integration"),
    [
        ("", "@b/m-b", 200, "", "b"),
        ("", "b/m-b", 200, "", "b"),
        ("", "@b/other", 200, "", "b"),
        ("", "openrouter/m-router", 200, "", "router"),
        ("", "@nowhere/m-b", 404, "model_not_found", ""),
        ("", "m-b", 200, "", "b"),
        ("", "m-nowhere", 404, "model_not_found", ""),
        ("listed", "@a/m-a", 200, "", "a"),
        ("listed", "a/m-a", 200, "", "a"),
        ("listed", "@b/m-b", 403, "model_not_allowed", ""),
        ("listed", "@b/m-a", 200, "", "b"),
        ("listed", "m-b", 403, "model_not_allowed", ""),
        ("narrow", "@b/m-b", 200, "", "b"),
        ("narrow", "@a/m-a", 403, "integration_not_allowed", ""),
        ("narrow", "a/m-a", 403, "integration_not_allowed", ""),
        ("narrow", "all", 200, "", "b"),
        ("narrow", "one", 403, "integration_not_allowed", ""),
    ],
)
def test_model_may_name_where_it_is(
    gateway: RoutedGateway, upstream: Upstream, key: str, model: str, status: int, code: str, integration: str
) -> None:
    """provider/model and @integration/model lead there, within the allow lists of the key, and the provider gets the bare name."""
    before = len(upstream.received)
    reply = ask(gateway, model, key=KEYS.get(key, KEY))
    assert reply.status == status, reply
    if status != 200:
        assert code_of(reply) == code and len(upstream.received) == before
        return
    assert asked_of(upstream, before) == [integration]
    assert last(upstream)["model"] == (f"m-{integration}" if model in ("all", "one") else model.split("/")[-1])


def test_targets_a_key_may_not_use_are_passed_over(gateway: RoutedGateway) -> None:
    """Of a route, a key uses the targets at its own integrations; the others are told as not allowed."""
    reply = ask(gateway, "all", key=KEYS["narrow"])
    assert way(reply) == [("b", 200, "")] and passed_over(reply) == {"a": "not allowed", "u": "not allowed"}


def test_target_without_the_operation_is_passed_over(gateway: RoutedGateway, upstream: Upstream) -> None:
    """A target whose provider has nothing like what is asked makes way for one that has it."""
    before = len(upstream.received)
    reply = ask(gateway, "counted", path=f"{MESSAGES}/count_tokens")
    assert way(reply) == [("claude", 200, "")] and passed_over(reply) == {"a": "does not serve the operation"}
    assert asked_of(upstream, before) == ["claude"]
