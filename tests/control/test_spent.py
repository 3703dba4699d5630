"""Spend by the admin API: by account and by day, of what the caller may see."""

import time
from typing import Any

import pytest

from fastgw.control.ids import account_digest
from fastgw.control.store.tables import ACCOUNT_DAYS, ORGANISATIONS
from tests.control.callers import put, rows_of
from tests.control.plane import Control

TODAY = time.time_ns() // (86_400 * 10**9)


@pytest.fixture
def spent(control: Control) -> dict[str, Any]:
    """Two workspaces with a key each, which two machines have spent by on two days."""
    ids: dict[str, Any] = {}
    for slug in ("team-a", "team-b"):
        ids[slug] = control.ask("POST", "/workspaces", {"slug": slug}, 201)["id"]
        ids[f"key-{slug}"] = control.ask("POST", "/keys", {"name": "app", "workspace": slug}, 201)["id"]
    organisation = rows_of(control, ORGANISATIONS)[0]["slug"]
    for machine in ("one", "two"):
        for day in (TODAY, TODAY - 1, TODAY - 40):
            for account, usd in (("workspace:team-a", 1), (f"key:{ids['key-team-a']}", 1), ("workspace:team-b", 2),
                                 (f"organisation:{organisation}", 3), ("workspace:gone", 9)):  # fmt: skip
                put(control, ACCOUNT_DAYS, machine=machine, account=account_digest(account), day=day, amount=usd * 10**9, tokens=10,
                    requests=1)
    return ids


def test_spend_by_account_names_them(control: Control, spent: dict[str, Any]) -> None:
    """The dearest first, of all machines, over the days that are asked for."""
    found = control.ask("GET", "/spend")
    lines = [(line["account"]["type"], line["account"]["name"], line["usd"], line["requests"]) for line in found["data"]]
    assert lines[:2] == [("organisation", "default", 12, 4), ("workspace", "team-b", 8, 4)] and found["total"] == 4
    assert sorted(lines[2:]) == [("key", "app", 4, 4), ("workspace", "team-a", 4, 4)]
    today = time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(TODAY * 86_400))
    assert control.ask("GET", f"/spend?since={today}&limit=1")["data"][0]["usd"] == 6
    one = control.ask("GET", "/spend?workspace=team-a")["data"]
    assert {(line["account"]["type"], line["account"]["workspace"], line["usd"]) for line in one} == {
        ("workspace", "team-a", 4), ("key", "team-a", 4)}  # fmt: skip


def test_spend_by_day_counts_once(control: Control, spent: dict[str, Any]) -> None:
    """Of accounts that hold one another only the outermost; days without spend are there."""
    days = control.ask("GET", "/spend?by=day")["data"]
    assert len(days) == 30 and [line["usd"] for line in days[-3:]] == [0, 6, 6]
    assert days[-1]["day"] == time.strftime("%Y-%m-%d", time.gmtime(TODAY * 86_400))
    assert [line["usd"] for line in control.ask("GET", f"/spend?by=day&workspace={spent['team-b']}")["data"][-2:]] == [4, 4]


def test_spend_of_other_workspaces_is_not_seen(control: Control, spent: dict[str, Any]) -> None:
    """Neither by account nor by day; nor does another organisation see any."""
    member = control.person("member@example.com", team_a="member")
    assert {line["account"]["workspace"] for line in member.ask("GET", "/spend")["data"]} == {"team-a"}
    assert member.ask("GET", "/spend?workspace=team-b")["data"] == []
    assert sum(line["usd"] for line in member.ask("GET", "/spend?by=day")["data"]) == 4
    assert sum(line["usd"] for line in member.ask("GET", "/spend?by=day&workspace=team-b")["data"]) == 0
    outsider = control.outsider()
    assert outsider.ask("GET", "/spend")["data"] == [] and sum(line["usd"] for line in outsider.ask("GET", "/spend?by=day")["data"]) == 0
    control.script("logs.list").ask("GET", "/spend", status=403)


@pytest.mark.parametrize(
    ("query", "path"), [("by=week", "?by"), ("since=x", "?since"), ("since=2001-01-01T00:00:00Z", "?since"), ("limit=0", "?limit")])
def test_wrong_questions_of_spend_are_named(control: Control, query: str, path: str) -> None:
    """With their place."""
    assert control.ask("GET", f"/spend?{query}", status=422)["error"]["path"] == path


def test_an_account_s_spend_says_what_of_it_is_of_today(control: Control, spent: dict[str, Any]) -> None:
    """On all machines."""
    assert control.ask("GET", "/workspaces/team-b")["spend"]["today_usd"] == 4
    assert control.ask("GET", f"/keys/{spent['key-team-a']}")["spend"]["today_usd"] == 2
    assert control.ask("GET", "/workspaces/default")["spend"]["today_usd"] == 0
