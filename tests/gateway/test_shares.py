"""Budgets of tokens and requests, several at once, and what a workspace may use of one integration."""
from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests.fakes.raw_client import Response
from tests.fakes.upstream import Gate, Upstream, json_reply, pause
from tests.gateway.limited import account, chat, code_of, key_lines, message_of
from tests.gateway.routed import OK, RoutedGateway, ask, asked_of, chosen, failing, leaf, passed_over, place, route, targets_at, way
from tests.gateway.running import KEY, RunningGateway
from tests.patience import PATIENCE_S

NAMES = ("a", "b", "c", "dear")
LIMITS = {
    "tokens": '{ tokens = 1000, window = "day" }',
    "requests": '{ requests = 3, window = "day" }',
    "several": '[{ requests = 100 }, { usd = 5, window = "day" }, { usd = 9, window = "month" }, { tokens = 100000 }]',
}
WORKSPACES = {
    "spends": '[workspaces.spends.limits.a]\nbudget = [{ requests = 2, window = "month" }, { tokens = 100000 }]\n',
    "rates": "[workspaces.rates.limits.a]\nrate = { requests_per_minute = 1 }\n[workspaces.rates.limits.b]\nmax_parallel = 1\n",
    "only": '[workspaces.only.limits.a]\nmodels = ["m-a"]\n[workspaces.only.limits.b]\nmodels = ["other"]\n',
    "paid": "[workspaces.paid.limits.a]\nbudget = { usd = 1 }\n[workspaces.paid.limits.dear]\nbudget = { usd = 0.00001 }\n",
    "clamps": "[workspaces.clamps.limits.dear]\nbudget = { usd = 0.001 }\n[workspaces.clamps.limits.a]\nbudget = { tokens = 500 }\n",
    "last": "[workspaces.last.limits.a]\nbudget = { requests = 100 }\n[workspaces.last.limits.b]\nbudget = { requests = 0 }\n",
    "moves": "[workspaces.moves.limits.a]\nbudget = { requests = 100 }\n[workspaces.moves.limits.b]\nbudget = { requests = 100 }\n",
}
KEYS = {name: f"fgw-shares-{name}-{'0' * 24}" for name in (*LIMITS, *WORKSPACES)}
PRICED = "price = { input = 1.0, output = 10.0 }"


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(json_reply(OK)) as running:
        yield running


@pytest.fixture(autouse=True)
def scripts(upstream: Upstream) -> Iterator[None]:
    yield
    for name in NAMES:
        upstream.play(json_reply(OK), place(name))


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RoutedGateway]:
    config = targets_at(upstream.url, NAMES).replace('models = ["m-b"]', 'models = ["m-b", "other"]')
    config += route("both", leaf("a"), leaf("b")) + route("one", leaf("a")) + route("priced", leaf("dear"), lines=(PRICED,))
    config += route("unpriced", leaf("a"), leaf("c"))
    config += "".join(WORKSPACES.values())
    config += "".join(key_lines(name, KEYS[name], budget=budget) for name, budget in LIMITS.items())
    config += "".join(key_lines(name, KEYS[name], workspace=f'"{name}"') for name in WORKSPACES)
    with RoutedGateway(tmp_path_factory.mktemp("shares"), config) as running:
        yield running
        running.check_records()


def test_token_budget_clamps_and_refuses_in_tokens(gateway: RoutedGateway, upstream: Upstream) -> None:
    """An open request gets the output that is left; a stated one beyond it gets 412 in words of tokens; the truth is counted."""
    reply = ask(gateway, "one", key=KEYS["tokens"])
    sent = json.loads(upstream.received[-1].body)
    limit = sent.pop("max_tokens")
    assert reply.field("x-fastgw-max-tokens") == str(limit) and limit == 1000 - len(json.dumps(sent))
    view = account(gateway.state, "key:tokens#day:tokens", 1)
    assert (view.unit, view.spent, view.in_flight) == ("tokens", 7, 0)
    assert account(gateway.state, "key:tokens", 1).lifetime_tokens == 7
    reply = ask(gateway, "one", key=KEYS["tokens"], max_tokens=2000)
    assert (reply.status, code_of(reply)) == (412, "budget_exhausted")
    assert "the budget of key 'tokens', 1000 tokens, has 993 tokens left, and this request may use up to" in message_of(reply)
    assert reply.field("x-fastgw-budget-remaining-tokens") == "993"


def test_request_budget_counts_every_request(gateway: RoutedGateway) -> None:
    """Three are served, whatever they cost and though no price is known; the fourth gets 412 in words of requests."""
    assert [ask(gateway, "one", key=KEYS["requests"]).status for _ in range(3)] == [200] * 3
    reply = ask(gateway, "one", key=KEYS["requests"])
    assert (reply.status, code_of(reply), reply.field("x-fastgw-budget-remaining-requests")) == (412, "budget_exhausted", "0")
    assert "the budget of key 'requests', 3 requests, is used up; it renews at " in message_of(reply)
    assert account(gateway.state, "key:requests#day:requests", 1).is_exhausted


def test_several_budgets_are_several_accounts(gateway: RoutedGateway) -> None:
    """The dollars of the longest window are the key's own account; each other budget has one that its name tells."""
    assert ask(gateway, "priced", key=KEYS["several"]).status == 200
    names = {"": "month", "#day:usd": "day", "#total:tokens": "total", "#total:requests": "total"}
    views = {name: account(gateway.state, f"key:several{name}", 1) for name in names}
    assert {name: view.window for name, view in views.items()} == names
    assert [view.spent for view in views.values()] == [43_000, 43_000, 7, 1]
    assert [view.budget for view in views.values()] == [9 * 10**9, 5 * 10**9, 100_000, 100]


def test_used_up_integration_is_passed_over(gateway: RoutedGateway, upstream: Upstream) -> None:
    """Its budget in the workspace serves twice, then the next target does, and the story says why; alone it is 412 with its name."""
    assert [chosen(ask(gateway, "both", key=KEYS["spends"])) for _ in range(4)] == ["a", "a", "b", "b"]
    reply = ask(gateway, "both", key=KEYS["spends"])
    assert passed_over(reply) == {"a": "over its budget"} and [step.target for step in way(reply)] == ["b"]
    gateway.expect(reply, status=200, integration="b", attempts=1)
    before, counted = len(upstream.received), account(gateway.state, "key:spends", 1)
    reply = ask(gateway, "one", key=KEYS["spends"])
    assert (reply.status, code_of(reply), asked_of(upstream, before)) == (412, "budget_exhausted", [])
    assert "the budget of integration 'a' in workspace 'spends', 2 requests, is used up" in message_of(reply)
    assert passed_over(reply) == {"a": "over its budget"}
    assert account(gateway.state, "key:spends", 1) == counted
    shared = account(gateway.state, "integration:a@spends#total:tokens", 1)
    assert (shared.spent, shared.lifetime_requests, shared.in_flight) == (14, 2, 0)


def test_integration_over_its_rate_is_passed_over(gateway: RoutedGateway, upstream: Upstream) -> None:
    """So is one with too many requests at once; where none is left the caller gets 429 and the time."""
    gate = Gate()
    assert chosen(ask(gateway, "both", key=KEYS["rates"])) == "a"
    upstream.play([pause(gate), *json_reply(OK)], place("b"))
    replies: list[Response] = []
    held = Thread(target=lambda: replies.append(ask(gateway, "both", key=KEYS["rates"])))
    held.start()
    gateway.wait_until(lambda: account(gateway.state, "integration:b@rates", 1).in_flight == 1, "the first at b")
    reply = ask(gateway, "both", key=KEYS["rates"])
    gate.release()
    held.join(PATIENCE_S)
    assert (reply.status, code_of(reply)) == (429, "rate_limited") and 1 <= int(reply.field("retry-after") or 0) <= 60
    assert passed_over(reply) == {"a": "over its rate", "b": "too many requests at once"}
    assert "integration 'a' in workspace 'rates' may make 1 requests a minute" in message_of(reply)
    assert chosen(replies[0]) == "b" and account(gateway.state, "integration:b@rates", 1).in_flight == 0


def test_reservation_moves_with_the_attempts(gateway: RoutedGateway, upstream: Upstream) -> None:
    """A request that a fails and b serves counts at b alone; one that both fail counts where the caller's reply came from."""
    upstream.play(failing(503), place("a"))
    assert [step.target for step in way(ask(gateway, "both", key=KEYS["moves"]))] == ["a", "b"]
    counts = {name: account(gateway.state, f"integration:{name}@moves#total:requests", 1) for name in "ab"}
    assert {name: (view.spent, view.committed) for name, view in counts.items()} == {"a": (0, 0), "b": (1, 1)}
    assert account(gateway.state, "key:moves", 1).lifetime_requests == 1
    upstream.play(failing(500), place("b"))
    assert ask(gateway, "both", key=KEYS["moves"]).status == 500
    assert account(gateway.state, "integration:b@moves#total:requests", 1).spent == 2
    assert account(gateway.state, "integration:a@moves", 1).in_flight == 0


def test_failure_that_nobody_takes_over_counts_where_it_came_from(gateway: RoutedGateway, upstream: Upstream) -> None:
    """Where the next integration is used up, the caller gets the first one's failure, and that one is charged."""
    upstream.play(failing(503), place("a"))
    reply = ask(gateway, "both", key=KEYS["last"])
    assert reply.status == 503 and [step.target for step in way(reply)] == ["a"]
    found = reply.field("x-fastgw-request-id")
    gateway.wait_until(lambda: any(row["id"] == found for row in gateway.records()), "the record")
    (detail,) = (row["detail"] for row in gateway.records() if row["id"] == found)
    assert detail["passed_over"] == '"b";why="over its budget"'
    views = [account(gateway.state, f"integration:{name}@last#total:requests", 1) for name in "ab"]
    assert [(view.spent, view.in_flight) for view in views] == [(1, 0), (0, 0)]


def test_models_of_an_integration_in_a_workspace(gateway: RoutedGateway) -> None:
    """Its list allows what the provider calls so; a target beyond it is passed over, and refused where it is the only one."""
    assert chosen(ask(gateway, "both", key=KEYS["only"])) == "a"
    reply = ask(gateway, "m-b", key=KEYS["only"])
    assert (reply.status, code_of(reply)) == (403, "integration_not_allowed")
    assert ask(gateway, "other", key=KEYS["only"]).status == 200


def test_dollar_budget_of_an_integration_wants_prices_there_alone(gateway: RoutedGateway) -> None:
    """A target whose cost cannot be counted is passed over; without another it is price_unknown; elsewhere no price is asked for."""
    reply = ask(gateway, "unpriced", key=KEYS["paid"])
    assert chosen(reply) == "c" and passed_over(reply) == {"a": "price unknown"}
    reply = ask(gateway, "one", key=KEYS["paid"])
    assert (reply.status, code_of(reply)) == (412, "price_unknown") and "integration 'a'" in message_of(reply)
    reply = ask(gateway, "priced", key=KEYS["paid"], max_tokens=100)
    assert (reply.status, code_of(reply)) == (412, "budget_exhausted")
    assert "the budget of integration 'dear' in workspace 'paid', $0.00001, has $0.00001 left" in message_of(reply)


def test_output_is_clamped_to_what_is_left_of_an_integration(gateway: RoutedGateway, upstream: Upstream) -> None:
    """By its dollars or its tokens in the workspace, though the key has no budget."""
    assert ask(gateway, "priced", key=KEYS["clamps"]).status == 200
    body = upstream.received[-1].body
    assert 80 <= json.loads(body)["max_tokens"] <= 100
    upstream.play(failing(503), place("a"))
    assert chosen(ask(gateway, "both", key=KEYS["clamps"])) == "b"
    first, second = (json.loads(received.body) for received in upstream.received[-2:])
    assert 300 <= first["max_tokens"] < 500 and "max_tokens" not in second


def test_longer_window_takes_the_principal_account_and_nothing_is_forgotten(upstream: Upstream, tmp_path: Path) -> None:
    """A daily budget that gets a monthly one beside it goes on counting from where it stood, and back again."""
    day, month = '{ usd = 1, window = "day" }', '{ usd = 2, window = "month" }'

    def config(budget: str) -> str:
        return targets_at(upstream.url, ("dear",)) + route("priced", leaf("dear"), lines=(PRICED,)) + key_lines(budget=budget)

    with RunningGateway(tmp_path, config(day)) as gateway:
        assert chat(gateway.url, model="priced").status == 200
        spends: list[tuple[int, int | None]] = [(43_000, None)]
        for version, budget in enumerate((f"[{month}, {day}]", f"[{day}, {month}]", day), 2):
            gateway.write_config(config(budget))
            gateway.wait_until(lambda told=f"in force as version {version}": told in gateway.log(), "the change")
            assert chat(gateway.url, KEY, model="priced").status == 200
            extra = account(gateway.state, "key:app#day:usd", 1)
            spends.append((account(gateway.state, "key:app", 1).spent, extra.spent if extra.budget is not None else None))
    assert spends == [(43_000, None), (86_000, 86_000), (129_000, 129_000), (172_000, None)]
