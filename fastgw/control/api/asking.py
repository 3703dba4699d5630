"""Try an integration out: ask its provider for the list of models, or else a model for one token, and say what came of it.

Redirects are not followed, replies are read up to a bound, and no part of a credential is told again.
"""

import asyncio
import os
import time
from typing import Annotated, Final

import httpx2
import msgspec
from msgspec import Meta, Struct

from fastgw.control.api.problem import invalid
from fastgw.control.reach import address_of, trouble
from fastgw.dialects.canonical import Message, Request, Text
from fastgw.dialects.notes import Notes
from fastgw.dialects.table import GENERATIONS, dialect_of
from fastgw.dialects.translate import read_failure
from fastgw.providers.address import Upstream, fill_model, path_of
from fastgw.providers.row import Provider, quirks_of, row_for
from fastgw.providers.settings import settings_of, upstream_for
from fastgw.providers.signing import SigningError, signer_of
from fastgw.providers.table import PROVIDERS
from fastgw.snapshot.certificates import client_context
from fastgw.snapshot.config import Integration
from fastgw.snapshot.connections import host_field, proxy_url, secrets_of
from fastgw.snapshot.hosts import HostRefused, HostRules
from fastgw.snapshot.section import Section, UpstreamModel

TIMEOUT_S: Final = 10.0
MOST_BYTES: Final = 1 << 20
MOST_SHOWN: Final = 300
GEMINI_MODELS: Final = "/v1beta/models"


class Trial(Section, frozen=True):
    """What an integration is to be asked."""

    model: Annotated[UpstreamModel | None, Meta(description="a model to ask for one token, instead of the list of models")] = None


class Tried(Struct, frozen=True):
    """What came of it. status: the provider's, None where it did not answer"""

    ok: bool
    status: int | None
    latency_ms: float
    message: str


class Question(Struct, frozen=True):
    """One request to a provider. dialect: what a refusal is written in"""

    method: str
    target: str
    body: bytes
    dialect: str


async def try_out(made: Integration, model: str | None, hosts: HostRules | None) -> Tried:
    """Ask a provider something that costs nothing, or next to nothing.

    hosts   what each address that is connected to is held to; None where an operator named the host
    raises  ApiError where a model has to be named
    """
    provider = PROVIDERS[made.provider]
    upstream = upstream_for(provider, made)
    question = question_of(provider, made, upstream, model)
    started = time.perf_counter()
    status = None
    try:
        async with asyncio.timeout(TIMEOUT_S):
            status, content = await send(provider, made, upstream, question, hosts)
        message = said(question, status, content, made)
    except TimeoutError:
        message = f"no answer within {TIMEOUT_S:.0f} s"
    except (SigningError, HostRefused) as error:
        message = str(error)
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
        message = trouble(error)
    latency_ms = round((time.perf_counter() - started) * 1000, 1)
    return Tried(status is not None and 200 <= status < 300, status, latency_ms, message)


def question_of(provider: Provider, made: Integration, upstream: Upstream, model: str | None) -> Question:
    """The list of models where the provider has one and no model is named, else one token of a model. raises ApiError"""
    if model is None and "models" in provider.operations and "{" not in upstream.prefix:
        path = provider.paths.get("models", "/models" if provider.cut else GEMINI_MODELS)
        dialect_name = GENERATIONS[provider.generation[0]] if provider.generation else "openai_chat"
        return Question("GET", upstream.prefix + path + (f"?{upstream.query}" if upstream.query else ""), b"", dialect_name)
    model = model or next(iter(made.models), None)
    if model is None:
        raise invalid("$.model", f"a model to ask for, as {provider.name} lists none", "nothing")
    row = row_for(provider, model)
    if not row.generation:
        raise invalid("$.model", f"nothing, as {provider.name} serves no conversations that could be tried", "a model")
    generation = row.generation[0]
    dialect = dialect_of(GENERATIONS[generation])
    request = Request(dialect=dialect.name, model=model, messages=[Message("user", [Text("Hi")])], max_tokens=1)
    body = dialect.write_request(request, Notes("drop", made.provider, str), quirks_of(row, generation))
    path = path_of(row, upstream, generation, False, settings_of(provider, made))
    return Question("POST", fill_model(path, model), msgspec.json.encode(body), dialect.name)


async def send(provider: Provider, made: Integration, upstream: Upstream, question: Question, hosts: HostRules | None) -> tuple[int, bytes]:
    """Send one request as the provider's row says, and return status and body."""
    host = host_field(upstream)
    fields = {"host": host, "accept-encoding": "identity"} | ({"content-type": "application/json"} if question.body else {})
    fields |= {name: value for name, value in provider.extra_fields}
    signer = await asyncio.to_thread(signer_of, provider, made)
    if signer is not None:
        now = time.time()
        if not signer.is_ready(now):
            await signer.refresh()
        written = signer.fields(question.method.encode(), question.target.encode(), host.encode(), question.body, now).decode("latin-1")
        fields |= dict(line.split(": ", 1) for line in written.split("\r\n") if line)
    elif made.api_key is not None and provider.auth != "none":
        fields[provider.auth_field] = provider.auth_prefix + made.api_key.reveal()
    fields |= {name.lower(): value.reveal() for name, value in made.headers.items()}
    proxy = proxy_url(upstream.scheme, f"{upstream.host}:{upstream.port}", made, os.environ) if hosts is None else None
    name = upstream.host if hosts is None else await address_of(upstream.host, upstream.port, hosts)
    origin = f"{upstream.scheme}://{f'[{name}]' if ':' in name else name}:{upstream.port}"
    async with httpx2.AsyncClient(
        verify=client_context(made.ca_file), proxy=proxy, trust_env=False, follow_redirects=False, timeout=TIMEOUT_S
    ) as client:
        request = client.build_request(
            question.method, origin + question.target, headers=fields, content=question.body, extensions={"sni_hostname": upstream.host}
        )
        reply = await client.send(request, stream=True)
        content = bytearray()
        try:
            async for piece in reply.aiter_raw():
                content += piece
                if len(content) > MOST_BYTES:
                    break
        finally:
            await reply.aclose()
        return reply.status_code, bytes(content)


def said(question: Question, status: int, content: bytes, made: Integration) -> str:
    """What a reply means to whoever tries it out."""
    if status == 401:
        # providers quote a part of the key that they refuse
        return "the provider refuses the credential"
    if not 200 <= status < 300:
        message = read_failure(dialect_of(question.dialect), status, content[:MOST_BYTES]).message
        return without(message, made)[:MOST_SHOWN] or f"the provider answers {status}"
    if question.method == "POST":
        return "the model answers"
    count = listed(content)
    return "the provider answers" if count is None else f"the provider lists {count} models"


def without(text: str, made: Integration) -> str:
    """A text without the credentials of an integration."""
    for secret in secrets_of(made):
        text = text.replace(secret.decode("latin-1"), "...")
    return text


def listed(content: bytes) -> int | None:
    """How many models a list of them has; None where it is none that is known."""
    try:
        decoded = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    rows = next((decoded.get(name) for name in ("data", "models") if name in decoded), None) if isinstance(decoded, dict) else decoded
    return len(rows) if isinstance(rows, list) else None
