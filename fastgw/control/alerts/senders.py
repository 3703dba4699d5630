"""How an alert gets out: a row for each kind of channel. Each raises what its way raises, with a text that may be shown."""

import asyncio
import base64
import binascii
import hmac
import json
import smtplib
import ssl
import time
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
from msgspec import Struct

from fastgw.control.alerts.words import Alert, event_of, subject_of, text_of
from fastgw.control.reach import address_of, trouble
from fastgw.snapshot.config import Smtp
from fastgw.snapshot.hosts import HostRefused, HostRules, check_url

SECONDS: Final = 10.0
PREFIXED: Final = "whsec_"              # begins a secret in base64, as the Standard Webhooks specification has it
SLACKS: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})     # what its texts give a meaning to


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
    content = json.dumps({"type": event_of(alert), "timestamp": alert.at, "data": alert.as_object()}).encode()
    fields = {"content-type": "application/json", "webhook-id": alert.id, "webhook-timestamp": str(int(time.time()))}
    if way.secret:
        fields["webhook-signature"] = signature(way.secret, fields["webhook-id"], fields["webhook-timestamp"], content)
    await post(way, content, fields)


def signature(secret: str, name: str, timestamp: str, content: bytes) -> str:
    """raises  DeliveryFailed for a secret that begins as one in base64 and is none"""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIXED), validate=True) if secret.startswith(PREFIXED) else secret.encode()
    except binascii.Error:
        raise DeliveryFailed(f"expected base64 behind {PREFIXED} in the channel's secret, found something else") from None
    digest = hmac.new(key, f"{name}.{timestamp}.".encode() + content, sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


async def send_slack(way: Way, alert: Alert) -> None:
    """What Slack's incoming webhooks take, and those who follow them (Mattermost, Discord's /slack, Teams' workflows)."""
    subject, text = subject_of(alert).translate(SLACKS), text_of(alert).translate(SLACKS)
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": f"*{subject}*\n{text}"}}]
    await post(way, json.dumps({"text": subject, "blocks": blocks}).encode(), {"content-type": "application/json"})


async def post(way: Way, content: bytes, fields: dict[str, str]) -> None:
    """raises  DeliveryFailed for anything but 2xx; redirects are not followed, since they lead where nobody has checked"""
    try:
        async with asyncio.timeout(SECONDS):
            status = await ask(way, content, fields)
    except HostRefused as error:
        raise DeliveryFailed(f"the address of the channel: {error}; [gateway.inline_hosts] may allow it") from None
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
        raise DeliveryFailed(trouble(error)) from error
    if not 200 <= status < 300:
        raise DeliveryFailed(f"expected a status of 2xx, found {status}")


async def ask(way: Way, content: bytes, fields: dict[str, str]) -> int:
    """The status that a host answers, which is connected to at an address that was checked; its body is not read.

    raises  HostRefused, httpx2.HTTPError, OSError, ValueError
    """
    parts = urlsplit(way.url)
    host = check_url(f"{parts.scheme}://{parts.netloc}", way.rules)
    address = await address_of(host.name, host.port, way.rules)
    url = httpx2.URL(way.url).copy_with(host=address)
    async with (
        httpx2.AsyncClient(timeout=SECONDS, follow_redirects=False, trust_env=False) as client,
        client.stream(
            "POST", url, content=content, headers={"host": parts.netloc, **fields}, extensions={"sni_hostname": host.name}
        ) as answer,
    ):
        return answer.status_code


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
