"""How an alert gets out: a row for each kind of channel. Each raises what its way raises, with a text that may be shown."""

import asyncio
import base64
import hmac
import json
import smtplib
import ssl
import time
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from hashlib import sha256
from typing import Any, Final

import httpx2
from msgspec import Struct

from fastgw.control.alerts.words import Alert, subject_of, text_of
from fastgw.snapshot.config import Smtp
from fastgw.snapshot.hosts import HostRules, check_host

SECONDS: Final = 10.0


class DeliveryFailed(Exception):
    """An alert did not get out; the message says why."""


class Way(Struct, frozen=True):
    """What sending takes beside the alert itself."""

    url: str = ""
    to: tuple[str, ...] = ()
    secret: str = ""
    smtp: Smtp | None = None
    rules: HostRules = HostRules()


async def send_webhook(way: Way, alert: Alert) -> None:
    """A JSON object, signed as the Standard Webhooks specification (2023) has it where there is a secret."""
    content = json.dumps({"type": f"budget.{alert.kind}", "timestamp": alert.at, "data": alert.as_object()}).encode()
    fields = {"content-type": "application/json", "webhook-id": alert.id, "webhook-timestamp": str(int(time.time()))}
    if way.secret:
        fields["webhook-signature"] = signature(way.secret, fields["webhook-id"], fields["webhook-timestamp"], content)
    await post(way, content, fields)


def signature(secret: str, name: str, timestamp: str, content: bytes) -> str:
    digest = hmac.new(secret.encode(), f"{name}.{timestamp}.".encode() + content, sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


async def send_slack(way: Way, alert: Alert) -> None:
    """What Slack's incoming webhooks take, and those who follow them (Mattermost, Discord's /slack, Teams' workflows)."""
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": f"*{subject_of(alert)}*\n{text_of(alert)}"}}]
    await post(way, json.dumps({"text": subject_of(alert), "blocks": blocks}).encode(), {"content-type": "application/json"})


async def post(way: Way, content: bytes, fields: dict[str, str]) -> None:
    """raises  DeliveryFailed for anything but 2xx; redirects are not followed, since they lead where nobody has checked"""
    await asyncio.to_thread(refuse_inward, way)
    try:
        async with httpx2.AsyncClient(timeout=SECONDS, follow_redirects=False, trust_env=False) as client:
            answer = await client.post(way.url, content=content, headers=fields)
    except httpx2.HTTPError as error:
        raise DeliveryFailed(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__) from error
    if not 200 <= answer.status_code < 300:
        raise DeliveryFailed(f"expected a status of 2xx, found {answer.status_code}")


def refuse_inward(way: Way) -> None:
    """raises  DeliveryFailed where the address leads to where the gateway's own network is, unless the operator allows it"""
    import socket
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(way.url)
        found = socket.getaddrinfo(parts.hostname, parts.port or parts.scheme, type=socket.SOCK_STREAM)
        check_host(way.url, way.rules, {str(row[4][0]) for row in found})
    except (OSError, ValueError) as error:
        raise DeliveryFailed(f"the address of the channel: {error}; [gateway.inline_hosts] may allow it") from None


async def send_email(way: Way, alert: Alert) -> None:
    """raises  DeliveryFailed"""
    smtp = way.smtp
    if smtp is None:
        raise DeliveryFailed("no [control.smtp] in the configuration file says how mail is sent")
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject_of(alert), smtp.sender, ", ".join(way.to)
    message["Message-ID"] = f"<{alert.id}@fastgw>"
    message.set_content(text_of(alert) + "\n")
    try:
        await asyncio.to_thread(submit, smtp, message)
    except (OSError, smtplib.SMTPException) as error:
        raise DeliveryFailed(f"{type(error).__name__}: {error}") from error


def submit(smtp: Smtp, message: EmailMessage) -> None:
    """Hand a message to the server. raises OSError, smtplib.SMTPException"""
    context = ssl.create_default_context()
    opening: Callable[..., smtplib.SMTP] = smtplib.SMTP_SSL if smtp.tls == "implicit" else smtplib.SMTP
    more: dict[str, Any] = {"context": context} if smtp.tls == "implicit" else {}
    with opening(smtp.host, smtp.port, timeout=SECONDS, **more) as server:
        if smtp.tls == "starttls":
            server.starttls(context=context)
        if smtp.username:
            server.login(smtp.username, smtp.password.reveal() if smtp.password else "")
        server.send_message(message)


SENDERS: Final[dict[str, Callable[[Way, Alert], Awaitable[None]]]] = {
    "webhook": send_webhook, "slack": send_slack, "email": send_email,
}
