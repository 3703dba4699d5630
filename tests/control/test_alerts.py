"""Alerts: found once, delivered in the form that each kind of channel takes, again and again where that fails, and nowhere inward."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Iterator
from email.message import Message
from hashlib import sha256
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import update

from fastgw._core.ledger import AccountView
from fastgw.control.alerts.deliver import LEASE_NS, PAUSES_SECONDS, Deliverer
from fastgw.control.alerts.find import AlertFinder
from fastgw.control.ids import account_digest
from fastgw.control.rotating import Rotator
from fastgw.control.store.tables import ALERTS, CHANNELS, DELIVERIES, KEYS
from fastgw.control.through import WriteThrough, is_near
from fastgw.snapshot.load import parse
from tests.control.callers import Row, rows_of
from tests.control.plane import Control, Json
from tests.fakes.upstream import Received, Script, Upstream, bytes_reply, hang, json_reply
from tests.patience import SLOW_DAY_S

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes or so").decode()
NOW = 1_700_000_000 * 10**9
LOCAL = '[gateway.inline_hosts]\nallow = ["127.0.0.0/8"]\n'


def local(control: Control, more: str = "") -> None:
    """Let channels lead to this machine, as an operator may."""
    control.plane.file = parse(LOCAL + more, {}).config


def channel(control: Control, kind: str = "webhook", **members: object) -> str:
    return str(control.ask("POST", "/channels", {"name": f"to-{kind}", "kind": kind, **members}, 201)["id"])


def key_with(control: Control, *alert_at: float, **members: object) -> str:
    """A key with a budget of 1,000 requests, and at which shares of it people are told."""
    body = {"name": "watched", "workspace": "default", "budgets": [{"requests": 1000, "window": "day", "alert_at": alert_at}], **members}
    return str(control.ask("POST", "/keys", body, 201)["id"])


def view(control: Control, key_id: str, spent: int, **members: object) -> tuple[str, AccountView]:
    """What a ledger says of the key's budget after so many requests."""
    name = f"key:{key_id}#day:requests"
    ledger = control.plane.ledger
    assert ledger is not None
    index = ledger.define(name, unit="requests", budget=1000, window="day")
    ledger.set_spent(index, spent)
    return account_digest(name), ledger.read(index)._replace(**members)  # type: ignore[arg-type]  # of its fields


def look(control: Control, *accounts: tuple[str, AccountView]) -> int:
    """How many alerts a machine that has just started makes of accounts."""
    made: list[int] = []

    async def run() -> None:
        made.append(await AlertFinder(control.plane.store).look(accounts))

    control.run(run)
    return made[0]


def deliver(control: Control) -> None:
    """One turn of delivering, with whatever is pending due at once."""

    async def run() -> None:
        async with control.plane.store.write() as transaction:
            await transaction.execute(update(DELIVERIES).values(due_ns=0))
        assert control.plane.file is not None
        await Deliverer(control.plane.store, control.plane.file, control.plane.sealer).deliver()

    control.run(run)


def alerts(control: Control) -> list[Json]:
    found: list[Json] = control.ask("GET", "/alerts")["data"]
    return found


def test_each_threshold_is_told_once_by_whichever_machine(control: Control) -> None:
    """A threshold and the end are found once in a window, also by a second machine and after a restart; a raised budget begins anew."""
    key_id = key_with(control, 0.5, 1.0)
    assert look(control, view(control, key_id, 499)) == 0
    assert look(control, view(control, key_id, 500)) == 1
    assert look(control, view(control, key_id, 501)) == 0, "the second machine finds it in the store"
    assert look(control, view(control, key_id, 1000)) == 1 and look(control, view(control, key_id, 1000)) == 0
    told = [(row["kind"], row["threshold"], row["spent"], row["limit"], row["unit"]) for row in alerts(control)]
    assert told == [("exhausted", 1.0, 1000, 1000, "requests"), ("threshold", 0.5, 500, 1000, "requests")]
    digest, raised = view(control, key_id, 1000)
    assert look(control, (digest, raised._replace(budget=1500, is_exhausted=False))) == 1, "a raised budget has thresholds of its own"
    assert look(control, (digest, raised._replace(window_start_ns=NOW))) == 2, "and so has the next window"


def test_refusal_that_settles_nothing_is_the_end_too(control: Control) -> None:
    """A budget that refused what it has no room for is told to be used up, though nothing was settled since."""
    key_id = key_with(control, 1.0)
    name = f"key:{key_id}#day:requests"
    found: list[str] = []

    async def tell(accounts: list[tuple[str, AccountView]]) -> None:
        found.extend(digest for digest, account in accounts if account.is_exhausted)

    async def run() -> None:
        ledger = control.plane.ledger
        assert ledger is not None
        index = ledger.define(name, unit="requests", budget=1000, window="day")
        dollars = ledger.define("key:dollars", budget=100)
        through = WriteThrough(control.plane.store, ledger, control.plane.state, tell)
        slot = ledger.admit_chain([index, dollars], time.time_ns(), cost_nano_usd=40)
        assert isinstance(slot, int)
        ledger.settle_slot(slot, time.time_ns(), cost_nano_usd=40)
        slot = ledger.admit_chain([index, dollars], time.time_ns(), cost_nano_usd=40)
        assert isinstance(slot, int)
        ledger.settle_slot(slot, time.time_ns(), cost_nano_usd=40)
        await through.write()
        assert not found and is_near(ledger.read(dollars)) and not is_near(ledger.read(index))
        assert not isinstance(ledger.admit_chain([index, dollars], time.time_ns(), cost_nano_usd=40), int)
        await through.write()
        assert found == [account_digest("key:dollars")]
        await through.write()
        assert found == [account_digest("key:dollars")], "and is not looked at any more"

    control.run(run)


@pytest.mark.parametrize("secret", [SECRET, "a plain text"])
def test_webhook_is_signed_as_the_specification_says(control: Control, secret: str) -> None:
    """id, time and body are signed with the secret, which may be base64 behind whsec_; the receiver's arithmetic agrees."""
    local(control)
    with Upstream(json_reply({})) as receiver:
        channel(control, url=f"{receiver.url}/hook?code=7", secret=secret)
        assert look(control, view(control, key_with(control, 0.5), 600)) == 1
        deliver(control)
        got = receiver.wait(1)[0]
        deliver(control)
        assert len(receiver.received) == 1, "what was taken is not sent again"
    key = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
    signed = f"{got.field('webhook-id')}.{got.field('webhook-timestamp')}.".encode() + got.body
    assert got.field("webhook-signature") == "v1," + base64.b64encode(hmac.new(key, signed, sha256).digest()).decode()
    assert abs(int(str(got.field("webhook-timestamp"))) - time.time()) < 60 and got.target == "/hook?code=7"
    told = json.loads(got.body)
    assert told["type"] == "budget.threshold" and told["data"]["subject"] == "key 'watched'" and told["data"]["spent"] == 600
    assert alerts(control)[0]["deliveries"] == [{"channel": "to-webhook", "state": "sent", "attempts": 1, "error": None}]


def test_slack_gets_its_json_and_no_mark_of_ours(control: Control) -> None:
    """A text and a block of markdown, in which what Slack gives a meaning to is written so that it has none."""
    local(control)
    with Upstream(bytes_reply(b"ok")) as receiver:
        channel(control, "slack", url=f"{receiver.url}/services/T0/B0/x")
        digest, account = view(control, key_with(control, 0.5), 600)

        async def rename() -> None:
            from fastgw.control.store.tables import ALERT_RULES

            async with control.plane.store.write() as transaction:
                await transaction.execute(update(ALERT_RULES).values(subject="key '<!channel> & co'"))

        control.run(rename)
        assert look(control, (digest, account)) == 1
        deliver(control)
        told = json.loads(receiver.wait(1)[0].body)
    assert told["text"] == "Key '&lt;!channel&gt; &amp; co' has used 50 % of its budget"
    assert told["blocks"][0]["text"]["type"] == "mrkdwn" and "600 requests of 1,000 requests" in told["blocks"][0]["text"]["text"]


class Mailbox:
    """An SMTP server's handler that keeps what it gets."""

    def __init__(self) -> None:
        self.got: list[Any] = []

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:  # the library's name
        self.got.append(envelope)
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=0)
    controller.port = free_port()
    controller.start()
    yield box, controller.port
    controller.stop()


def free_port() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_mail_goes_to_channels_and_to_the_addresses_of_a_key(control: Control, mailbox: tuple[Mailbox, int]) -> None:
    """A message each for the channel's addresses and for those of the key, with who, how much and what happens now."""
    box, port = mailbox
    local(control, f'[control.smtp]\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\nsender = "gateway@example.com"\n')
    channel(control, "email", to=["ops@example.com", "money@example.com"])
    assert look(control, view(control, key_with(control, 1.0, alert_emails=["owner@example.com"]), 1000)) == 1
    deliver(control)
    assert sorted(tuple(one.rcpt_tos) for one in box.got) == [("ops@example.com", "money@example.com"), ("owner@example.com",)]
    import email

    message: Message = email.message_from_bytes(box.got[0].content)
    assert message["Subject"] == "The budget of key 'watched' is used up" and message["From"] == "gateway@example.com"
    content = message.get_payload(decode=True)
    assert isinstance(content, bytes) and b"Requests are refused with 412 until" in content


@pytest.mark.parametrize(("script", "said"), [
    (bytes_reply(b"", 302), "expected a status of 2xx, found 302"),
    (bytes_reply(b"", 500), "expected a status of 2xx, found 500"),
    ([hang()], "no answer in time"),
])  # fmt: skip
def test_failing_channel_is_tried_again_and_given_up(
    control: Control, script: Script, said: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each failure is kept with the channel and tried again after a longer pause; after the last it has failed for good."""
    # short only where nothing answers: a busy machine is late with what does
    monkeypatch.setattr("fastgw.control.alerts.senders.SECONDS", 10.0 if "status" in said else 0.3)
    local(control)
    with Upstream(script) as receiver:
        channel_id = channel(control, url=f"{receiver.url}/hook")
        assert look(control, view(control, key_with(control, 0.5), 600)) == 1
        deliver(control)
        row = rows_of(control, DELIVERIES)[0]
        assert (row["state"], row["attempts"], row["error"]) == ("pending", 1, said)
        assert abs(row["due_ns"] - time.time_ns() - PAUSES_SECONDS[0] * 10**9) < SLOW_DAY_S * 10**9
        assert control.ask("GET", f"/channels/{channel_id}")["last_error"] == said
        for _ in PAUSES_SECONDS:
            deliver(control)
        row, sent = rows_of(control, DELIVERIES)[0], len(receiver.received)
        assert (row["state"], row["attempts"]) == ("failed", 1 + len(PAUSES_SECONDS)) and 0 < sent <= 1 + len(PAUSES_SECONDS)
        deliver(control)
        assert len(receiver.received) == sent


def test_two_machines_do_not_send_the_same(control: Control) -> None:
    """What one has taken to send, another leaves alone, unless that one dies and its lease runs out."""
    local(control)
    channel(control, url="http://127.0.0.1:9/hook")
    assert look(control, view(control, key_with(control, 0.5), 600)) == 1
    claimed: list[int] = []

    async def run() -> None:
        assert control.plane.file is not None
        one, other = (Deliverer(control.plane.store, control.plane.file, control.plane.sealer) for _ in range(2))
        claimed.extend([len(await one.claim()), len(await other.claim())])

    control.run(run)
    assert claimed == [1, 0] and rows_of(control, DELIVERIES)[0]["due_ns"] > time.time_ns() + LEASE_NS - 5 * 10**9


@pytest.mark.parametrize(("url", "said"), [
    ("http://169.254.169.254/latest/meta-data", "link-local (metadata)"),
    ("http://127.0.0.1:8787/x", "loopback"),
    ("http://10.1.2.3:8080/x", "private"),
    ("http://[::ffff:169.254.169.254]/x", "link-local (metadata)"),
    ("http://2130706433/x", "another spelling"),
])  # fmt: skip
def test_channel_leads_nowhere_inward(control: Control, url: str, said: str) -> None:
    """Addresses of the gateway's own network are not connected to, unless the operator's list has them."""
    control.plane.file = parse("", {}).config
    channel_id = channel(control, url=url)
    told = control.ask("POST", f"/channels/{channel_id}/test")
    assert told["ok"] is False and said in told["message"]


def test_name_is_connected_to_where_it_was_checked(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads inward is refused whatever else it leads to, and is not looked up a second time."""
    asked: list[object] = []

    async def getaddrinfo(*_: object, **__: object) -> list[Any]:
        asked.append(_)
        return [(2, 1, 6, "", ("93.184.216.34", 443)), (2, 1, 6, "", ("169.254.169.254", 443))]

    control.plane.file = parse("", {}).config
    channel_id = channel(control, url="https://hook.example/x")
    monkeypatch.setattr("asyncio.base_events.BaseEventLoop.getaddrinfo", getaddrinfo)
    assert "metadata" in control.ask("POST", f"/channels/{channel_id}/test")["message"] and len(asked) == 1


def test_channel_is_tried_out(control: Control) -> None:
    """A test says that it was taken, or why not, and its address is not shown but for the host."""
    local(control)
    with Upstream(json_reply({})) as receiver:
        channel_id = channel(control, url=f"{receiver.url}/hook/secret-part")
        assert control.ask("POST", f"/channels/{channel_id}/test") == {"ok": True, "message": "it was taken"}
        got: Received = receiver.wait(1)[0]
        assert "a test" in got.body.decode()
        shown = control.ask("GET", f"/channels/{channel_id}")
    assert shown["host"] == receiver.url.removeprefix("http://") and "secret-part" not in json.dumps(shown)
    assert control.ask("POST", f"/channels/{channel_id}/test")["ok"] is False


def test_key_that_is_due_to_be_rotated_is_told_of_once(control: Control) -> None:
    """When its days are over the channels hear of it, once; after it was rotated, again when it is due again."""
    local(control)
    key_id = key_with(control, 1.0, rotation={"every_days": 30}, alert_emails=["owner@example.com"])

    def turn(at_ns: int | None) -> list[Row]:
        async def run() -> None:
            async with control.plane.store.write() as transaction:
                if at_ns is not None:
                    await transaction.execute(update(KEYS).values(rotate_at_ns=at_ns))
            await Rotator(control.plane.store).turn()

        control.run(run)
        return rows_of(control, ALERTS)

    with Upstream(json_reply({})) as receiver:
        channel(control, url=f"{receiver.url}/hook")
        assert turn(None) == []
        assert [row["kind"] for row in turn(NOW - 1)] == ["rotation_due"] and len(turn(None)) == 1
        deliver(control)
        told = json.loads(receiver.wait(1)[0].body)
        assert told["type"] == "key.rotation_due" and told["data"]["subject"] == "key 'watched'" and told["data"]["due"]
    assert {row["channel_id"].partition(":")[0] for row in rows_of(control, DELIVERIES)} >= {"mailto"}
    assert alerts(control)[0]["kind"] == "rotation_due"
    control.ask("POST", f"/keys/{key_id}/rotate", {"overlap_hours": 1})
    assert len(turn(None)) == 1 and len(turn(NOW)) == 2


def test_key_before_a_rotation_goes_when_its_overlap_has_passed(control: Control) -> None:
    """Its digest is forgotten, and data planes hear of it."""
    key_id = key_with(control, 1.0)
    control.ask("POST", f"/keys/{key_id}/rotate", {"overlap_hours": 1})
    woken = rows_of(control, KEYS)[0]["revision"]

    async def run() -> None:
        await Rotator(control.plane.store).turn()
        async with control.plane.store.write() as transaction:
            await transaction.execute(update(KEYS).values(previous_until_ns=1))
        await Rotator(control.plane.store).turn()

    control.run(run)
    row = rows_of(control, KEYS)[0]
    assert row["previous_digest"] is None and row["revision"] > woken
    assert len(rows_of(control, CHANNELS)) == 0
