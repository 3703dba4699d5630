"""The demo's content: what stands in its store when it starts, and traffic that is sent when it is asked for."""

import asyncio
import json
import logging
import random
from collections.abc import Iterator
from typing import Final

import httpx2
from sqlalchemy import select

from fastgw.auth.keys import digest_of
from fastgw.control.api.problem import ApiError
from fastgw.control.api.written import Document
from fastgw.control.demo import Demo
from fastgw.control.operate import Operator
from fastgw.control.plane import Plane
from fastgw.control.store.tables import INTEGRATIONS, KEYS, MODELS, ORGANISATIONS

# slug: provider, and the path of its API at the mock
MOCKS: Final = {"mock-openai": ("openai", "/v1"), "mock-anthropic": ("anthropic", "/v1"), "mock-gemini": ("gemini", "")}
HERE: Final = "http://127.0.0.1:"  # begins the addresses that are the demo's own to change
NAME: Final = "demo"
KEY: Final[Document] = {
    "name": NAME, "workspace": "default", "integration": "mock-openai", "budgets": [{"usd": 100, "window": "total"}],
    "rate": {"requests_per_minute": 60_000, "tokens_per_minute": 100_000_000},
}  # fmt: skip
MODEL: Final[Document] = {"name": NAME, "targets": [{"integration": "mock-openai", "model": "gpt-4.1"}]}
AT_ONCE: Final = 4
READY_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 0.5
WORDS: Final = ("Say hello", "Translate this into French", "Summarise the report", "Write a test for this", "Why is the sky blue?")
USERS: Final = ("ada", "grace", "alan", "edsger")
FEATURES: Final = ("chat", "search", "support")
# Of each a share of the traffic: the last has no such model, and the one before it asks for nothing.
MODELS_ASKED: Final = {"gpt-4.1": 8, "gpt-4o-mini": 8, "demo": 4, "claude-sonnet-4-6": 5, "gemini-2.5-flash": 5, "": 2, "no-such-model": 2}

log = logging.getLogger("fastgw.control")


async def prepare(plane: Plane, demo: Demo) -> None:
    """Make what the demo lacks, and lead its integrations to where the mock is this time."""
    async with plane.store.read() as connection:
        organisation_id = (await connection.execute(select(ORGANISATIONS.c.id).order_by(ORGANISATIONS.c.created_ns))).scalars().first()
        made = {row.slug: json.loads(row.spec) for row in await connection.execute(select(INTEGRATIONS.c.slug, INTEGRATIONS.c.spec))}
        has_model = (await connection.execute(select(MODELS.c.id).where(MODELS.c.name == NAME))).first() is not None
        key = (await connection.execute(select(KEYS.c.digest).where(KEYS.c.name == NAME, KEYS.c.removed.is_(False)))).first()
    assert organisation_id is not None  # of a store that was begun
    operator = Operator(plane, organisation_id, NAME)
    for slug, (provider, path) in MOCKS.items():
        address: Document = {"base_url": f"http://{demo.mock}{path}", "api_key": "mock"}
        if slug not in made:
            await operator.ask("POST", "/integrations", {"slug": slug, "provider": provider, "share_with": "all", **address})
        elif made[slug].get("base_url") != address["base_url"] and str(made[slug].get("base_url")).startswith(HERE):
            await operator.ask("PATCH", f"/integrations/{slug}", address)
    if not has_model:
        await operator.ask("POST", "/models", MODEL)
    if key is None:
        await operator.ask("POST", "/keys", KEY, given_key=demo.key)
    elif key.digest != digest_of(demo.key):
        await operator.ask("POST", f"/keys/{NAME}/rotate", {"overlap_hours": 0}, given_key=demo.key)


class Traffic:
    """Sends requests through the gateway's own listener, one lot at a time."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self.key = key
        self.task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Traffic to {self.url}>"

    def begin(self, requests: int) -> None:
        """raises  ApiError while the lot before is on its way"""
        if self.task is not None and not self.task.done():
            raise ApiError("in_use", "the traffic that was asked for before is still on its way")
        self.task = asyncio.get_running_loop().create_task(self.send(requests))

    def client(self) -> httpx2.AsyncClient:
        # it is this gateway's own address
        return httpx2.AsyncClient(base_url=self.url, verify=False, trust_env=False, headers={"authorization": f"Bearer {self.key}"})

    async def send(self, requests: int) -> None:
        turns = asyncio.Semaphore(AT_ONCE)
        async with self.client() as client:

            async def one(body: Document, metadata: dict[str, str]) -> None:
                async with turns:
                    try:
                        await client.post("/v1/chat/completions", json=body, headers={"x-portkey-metadata": json.dumps(metadata)})
                    except httpx2.HTTPError as error:
                        log.warning("a request of the demo's traffic got no reply: %s", error)

            await asyncio.gather(*(one(body, metadata) for body, metadata in varied(requests)))

    async def ready(self) -> None:
        """Wait until the gateway serves by what was published; a few seconds, and then no longer."""
        async with self.client() as client:
            for _ in range(int(READY_SECONDS / LOOK_SECONDS)):
                # first, as each look leaves a record
                await asyncio.sleep(LOOK_SECONDS)
                try:
                    answer = await client.get("/v1/models")
                    if answer.status_code == 200 and answer.json()["data"]:
                        return
                except httpx2.HTTPError:
                    continue  # it is not yet up
        log.warning("the demo's key is not served yet")


def varied(requests: int) -> Iterator[tuple[Document, dict[str, str]]]:
    """Requests as people send them, of every model, user and feature, some of them wrong."""
    draw = random.Random()
    for _ in range(requests):
        model = draw.choices(list(MODELS_ASKED), list(MODELS_ASKED.values()))[0]
        messages = [{"role": "user", "content": " ".join(draw.choices(WORDS, k=draw.randint(1, 20)))}]
        body: Document = {"model": model or "gpt-4.1", "messages": messages if model else "none", "max_tokens": draw.randint(20, 400)}
        if draw.random() < 0.3:
            body["stream"] = True
        yield body, {"_user": draw.choice(USERS), "feature": draw.choice(FEATURES)}
