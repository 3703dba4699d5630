"""What a target makes of a body: defaults, overrides, members left out, limits that admission has reserved for, and unsupported ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.script import json_reply
from tests.fakes.upstream import Upstream
from tests.gateway.limited import QUESTION, account, code_of, key_lines, message_of, price
from tests.gateway.routed import OK, RoutedGateway, ask, chosen, failing, leaf, place, route, targets_at, way

CLAUDE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "stop_reason": "end_turn", "stop_sequence": None,
    "content": [{"type": "text", "text": "Paris"}], "usage": {"input_tokens": 10, "output_tokens": 5},
}  # fmt: skip
KEYS = {name: f"fgw-params-{name}-{'0' * 24}" for name in ("exact", "tight", "clamped")}
SHAPED = {
    "default_params": '{ temperature = 0.5, seed = 7, "user" = "nobody" }',
    "override_params": '{ top_p = 1, metadata = { team = "t" }, stop = ["a"] }',
    "drop_params": '["logprobs", "messages[*].name", "tools[0]", "stream_options.x"]',
}
CONFIG = [
    route("shaped", leaf("a", **SHAPED), leaf("b")),
    route("raised", leaf("a", override_params="{ max_tokens = 400 }"), leaf("b")),
    route("defaulted", leaf("a", default_params="{ max_tokens = 50 }")),
    route("unlimited", leaf("a", drop_params='["max_tokens"]'), leaf("b")),
    route(
        "inner",
        leaf("a", override_params="{ x = { inner = 2 }, stream = true }", drop_params='["y"]'),
        lines=["override_params = { x = { outer = 1, inner = 1 }, z = 1 }", 'drop_params = ["w"]', "retry = { attempts = 0 }"],
    ),
    route("broken", leaf("a", override_params='{ max_tokens = "many" }'), leaf("b")),
    *[route(f"claude-{policy}", leaf("claude", unsupported=policy), leaf("b")) for policy in ("drop", "pass", "error")],
    route("strict", leaf("claude", unsupported="error")),
    route("deep", leaf("claude", override_params="{ logit_bias = { 1 = 1 } }", unsupported="error"), leaf("b")),
]
PRICES = f"""[prices]
"openai-compatible/m-a" = {price("1", "10")}
"openai-compatible/m-b" = {price("1", "10")}
"anthropic/m-claude" = {price("1", "10")}
"""


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(json_reply(OK)) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RoutedGateway]:
    keys = (
        key_lines()
        + key_lines("exact", KEYS["exact"], budget="{ usd = 1 }")
        + key_lines("clamped", KEYS["clamped"], budget="{ usd = 0.05 }")
    )
    # pays for 100 tokens of output and a little input, not for 400
    keys += key_lines("tight", KEYS["tight"], budget="{ usd = 0.0013 }", admission='"strict"')
    config = "".join([targets_at(upstream.url, "ab"), targets_at(upstream.url, ["claude"], provider="anthropic"), *CONFIG, PRICES, keys])
    with RoutedGateway(tmp_path_factory.mktemp("params"), config) as running:
        yield running
        running.check_records()


@pytest.fixture(autouse=True)
def all_serve(upstream: Upstream) -> None:
    for name in "ab":
        upstream.play(json_reply(OK), place(name))
    upstream.play(json_reply(CLAUDE), "/claude/messages")


def last(upstream: Upstream) -> Any:
    return json.loads(upstream.received[-1].body)


def test_defaults_overrides_and_drops_make_the_body(gateway: RoutedGateway, upstream: Upstream) -> None:
    """Defaults where the caller states none or null, overrides whatever it states, then the paths to drop; the rest as it came."""
    messages = [{"role": "user", "content": "hi", "name": "me"}]
    more: dict[str, Any] = {
        "seed": 8,
        "user": None,
        "top_p": 0.5,
        "metadata": {"of": "mine"},
        "logprobs": True,
        "tools": [{"n": 1}, {"n": 2}],
        "odd": {"x": [1]},
    }
    assert chosen(ask(gateway, "shaped", **{**more, "messages": messages})) == "a"
    assert last(upstream) == {
        "model": "m-a", "messages": [{"role": "user", "content": "hi"}], "temperature": 0.5, "seed": 8, "user": "nobody", "top_p": 1,
        "metadata": {"of": "mine", "team": "t"}, "stop": ["a"], "tools": [{"n": 2}], "odd": {"x": [1]},
    }  # fmt: skip


def test_next_target_gets_what_the_caller_sent(gateway: RoutedGateway, upstream: Upstream) -> None:
    """What one target puts in is not the next one's."""
    upstream.play(failing(500), place("a"))
    reply = ask(gateway, "shaped", logprobs=True)
    assert [step.target for step in way(reply)] == ["a", "b"]
    assert last(upstream) == {"model": "m-b", "messages": QUESTION, "logprobs": True}


def test_inner_members_win_and_drops_add_up(gateway: RoutedGateway, upstream: Upstream) -> None:
    """Overrides merge down the tree, and whether the reply is a stream stays the caller's to say."""
    ask(gateway, "inner", w=1, y=1, v=1)
    assert last(upstream) == {"model": "m-a", "messages": QUESTION, "v": 1, "x": {"inner": 2}, "z": 1}


def test_target_that_spoils_the_body_makes_way(gateway: RoutedGateway, upstream: Upstream) -> None:
    """A body that a target's own words make invalid is nothing to send: the next one is asked."""
    before = len(upstream.received)
    reply = ask(gateway, "broken", max_tokens=5)
    assert (reply.status, len(upstream.received)) == (200, before + 1) and last(upstream)["max_tokens"] == 5


def test_raised_limit_is_what_is_reserved(gateway: RoutedGateway, upstream: Upstream) -> None:
    """A budget that pays for what the caller asks but not for what the target makes of it refuses the request; nobody is asked."""
    before = len(upstream.received)
    reply = ask(gateway, "raised", key=KEYS["tight"], max_tokens=100)
    assert (reply.status, code_of(reply), len(upstream.received)) == (412, "budget_exhausted", before)
    reply = ask(gateway, "@a/m-a", key=KEYS["tight"], max_tokens=100)
    assert reply.status == 200, reply
    assert ask(gateway, "raised", key=KEYS["exact"], max_tokens=100).status == 200 and last(upstream)["max_tokens"] == 400


def test_worst_case_of_a_raised_limit_is_paid_for(gateway: RoutedGateway, upstream: Upstream) -> None:
    """Where every reply uses all of the raised limit, the budget is spent to the end and not beyond it."""
    full = {**OK, "usage": {"prompt_tokens": 3, "completion_tokens": 400, "total_tokens": 403}}
    upstream.play(json_reply(full), place("a"))
    statuses = [ask(gateway, "raised", key=KEYS["exact"], max_tokens=1).status for _ in range(300)]
    served = statuses.count(200)
    assert 0 < served < 300 and statuses[served:] == [412] * (300 - served)
    view = account(gateway.state, "key:exact", workers=1)
    assert view.committed == view.spent <= 1_000_000_000 and view.in_flight == 0


def test_default_limit_holds_where_admission_would_allow_more(gateway: RoutedGateway, upstream: Upstream) -> None:
    """A limit that the target puts in is not raised to what the budget would pay for."""
    reply = ask(gateway, "defaulted", key=KEYS["clamped"])
    assert reply.status == 200 and last(upstream)["max_tokens"] == 50


def test_dropped_limit_is_clamped_to_what_the_budget_pays_for(gateway: RoutedGateway, upstream: Upstream) -> None:
    """A target that takes the limit away gets the one that is paid for, and the next target still gets the caller's own."""
    upstream.play(failing(500), place("a"))
    before = len(upstream.received)
    reply = ask(gateway, "unlimited", key=KEYS["clamped"], max_tokens=20)
    assert reply.status == 200
    first, second = (json.loads(received.body) for received in upstream.received[before:])
    assert 20 < first["max_tokens"] <= 5000 and second["max_tokens"] == 20


@pytest.mark.parametrize(("model", "sent_bias", "dropped"), [("claude-drop", None, "logit_bias"), ("claude-pass", {"1": 1}, None)])
def test_unsupported_member_is_dropped_or_passed(
    gateway: RoutedGateway, upstream: Upstream, model: str, sent_bias: object, dropped: str | None
) -> None:
    """What a dialect does not have is left out and named, or passed as it is, as the target says."""
    reply = ask(gateway, model, logit_bias={"1": 1})
    assert chosen(reply) == "claude" and last(upstream).get("logit_bias") == sent_bias and reply.field("x-fastgw-dropped") == dropped


def test_strict_target_makes_way_for_one_that_can(gateway: RoutedGateway, upstream: Upstream) -> None:
    """A target that refuses a member is not asked where the next one takes it."""
    before = len(upstream.received)
    reply = ask(gateway, "claude-error", logit_bias={"1": 1})
    assert chosen(reply) == "b" and len(upstream.received) == before + 1 and last(upstream)["logit_bias"] == {"1": 1}


def test_strict_target_refuses_what_it_cannot_carry(gateway: RoutedGateway, upstream: Upstream) -> None:
    """unsupported = "error" refuses the request and names the field; the provider is not asked, and there is one record."""
    before = len(upstream.received)
    reply = ask(gateway, "strict", logit_bias={"1": 1})
    assert (reply.status, code_of(reply), len(upstream.received)) == (400, "unsupported_parameter", before)
    assert reply.json()["error"]["param"] == "logit_bias" and "logit_bias" in message_of(reply)  # type: ignore[index]
    gateway.expect(reply, outcome="refused", attempts=0, cost_nano_usd=0)
    assert chosen(ask(gateway, "strict")) == "claude"


def test_strict_target_s_own_override_is_refused_there(gateway: RoutedGateway, upstream: Upstream) -> None:
    """What the target itself puts in counts as well: it makes way for the next one."""
    assert chosen(ask(gateway, "deep")) == "b" and last(upstream) == {"model": "m-b", "messages": QUESTION}
