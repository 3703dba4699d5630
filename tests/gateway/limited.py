"""A configuration with the three dialects at one provider, and the requests that tests of limits and identity make."""
from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from fastgw._core.ledger import AccountView, Ledger
from fastgw.auth.keys import hash_of
from tests.fakes.framing import Fields
from tests.fakes.raw_client import RawClient, Response
from tests.gateway.running import KEY

PROVIDER_KEY = "sk-provider-5b1f0c2d9e8a7766"
QUESTION = [{"role": "user", "content": "Which city is the capital of France?"}]
CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
GENERATE = "/v1beta/models/gemini-2.5-flash:generateContent"


def bearer(key: str = KEY) -> Fields:
    """The field that most clients put a key into."""
    return [("authorization", f"Bearer {key}")]


def integrations(url: str, **more: str) -> str:
    """One integration a dialect, all at one address; `more` are lines for each."""
    lines = []
    for provider, path in (("openai", "/v1"), ("anthropic", "/v1"), ("gemini", "")):
        lines += [f"[integrations.{provider}]", f'provider = "{provider}"', f'base_url = "{url}{path}"', f'api_key = "{PROVIDER_KEY}"']
        lines += [f"{name} = {value}" for name, value in more.items()]
    return "\n".join(lines) + "\n"


def key_lines(name: str = "app", key: str = KEY, **fields: str) -> str:
    """A key of the configuration, by its hash; `fields` are TOML values."""
    rest = "".join(f"{field} = {value}\n" for field, value in fields.items())
    return f'[[keys]]\nname = "{name}"\nhash = "{hash_of(key)}"\n{rest}'


def price(input_usd: str = "1.0", output_usd: str = "10.0", **more: str) -> str:
    """An inline table of a price in dollars per million tokens."""
    return "{ " + ", ".join([f"input = {input_usd}", f"output = {output_usd}", *(f"{k} = {v}" for k, v in more.items())]) + " }"


def ask(url: str, target: str, body: object, fields: Fields | None = None, method: str = "POST") -> Response:
    """One request with a JSON body on a connection of its own."""
    with RawClient(url) as client:
        return client.ask_json(target, body, bearer() if fields is None else fields, method)


def chat(url: str, key: str = KEY, *, model: str = "gpt-4.1", **more: object) -> Response:
    """One chat."""
    return ask(url, CHAT, {"model": model, "messages": QUESTION, **more}, bearer(key))


def code_of(response: Response) -> str:
    """Our stable code in an error of any dialect."""
    body: Any = json.loads(response.body)
    error = body["error"]
    if "details" in error:
        return str(error["details"][0]["reason"])
    return str(error["code"])


def message_of(response: Response) -> str:
    """What an error of any dialect says."""
    body: Any = json.loads(response.body)
    return str(body["error"]["message"])


def account(state: Path, name: str, workers: int = 2) -> AccountView:
    """What the ledger of a gateway says of "key:NAME" or "workspace:NAME"."""
    ledger = Ledger(state / "ledger", workers=workers)
    digest = sha256(name.encode()).digest()[:16]
    return ledger.read(next(index for index, half in ledger.accounts() if half == digest))
