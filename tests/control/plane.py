"""A control plane without a data plane: a real store, called as a client calls it."""

import base64
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.testclient import TestClient

from fastgw._core.ledger import Ledger
from fastgw.control.api.spending import Spend
from fastgw.control.api.written import Document
from fastgw.control.app import make_app
from fastgw.control.bootstrap import OWNER_EMAIL, bootstrap
from fastgw.control.plane import Plane
from fastgw.control.store.engine import Transaction, open_store

Json = dict[str, Any]


class FakeSealer:
    """Seals by turning a text around: enough to see that it was sealed, and for where."""

    def seal(self, text: str, label: str) -> str:
        return "sealed:" + base64.urlsafe_b64encode(f"{label}\n{text[::-1]}".encode()).decode()

    def open(self, sealed: str, label: str) -> str:
        place, _, text = base64.urlsafe_b64decode(sealed.removeprefix("sealed:")).decode().partition("\n")
        assert place == label, f"sealed for {place}, opened at {label}"
        return text[::-1]


class FakeWorkers:
    """In the place of the data plane: remembers what it was told, and knows of what spend a test says."""

    def __init__(self) -> None:
        self.woken = 0
        self.spends: dict[str, Spend] = {}
        self.resets: list[str] = []

    async def check(self, transaction: Transaction) -> None:
        assert "config" in transaction.touched

    def wake(self) -> None:
        self.woken += 1

    def spend(self, name: str, limits: Document) -> Spend:
        return self.spends.get(name, Spend(0.0, 0, 0, []))

    def reset(self, name: str, limits: Document) -> None:
        self.resets.append(name)


class Control:
    """A running control plane and the owner's hands on it."""

    def __init__(self, client: TestClient, plane: Plane, data: FakeWorkers, password: str) -> None:
        self.client = client
        self.plane = plane
        self.data = data
        self.password = password
        self.csrf = ""
        self.cookie = ""

    def __repr__(self) -> str:
        return f"<Control of {self.plane.store!r}>"

    def login(self, email: str = OWNER_EMAIL, password: str | None = None) -> Json:
        answer = self.client.post("/api/v1/login", json={"email": email, "password": password or self.password})
        assert answer.status_code == 200, answer.text
        self.cookie = answer.headers["set-cookie"].partition(";")[0]
        self.csrf = answer.json()["csrf"]
        return answer.json()  # type: ignore[no-any-return]  # of JSON

    @property
    def fields(self) -> dict[str, str]:
        """What a browser sends of who has signed in."""
        return {"cookie": self.cookie, "x-csrf-token": self.csrf}

    def ask(self, method: str, path: str, json: object = None, status: int = 200, **fields: str) -> Any:
        """Send a request as who has signed in, hold the status, and return the body."""
        headers = self.fields | {name.replace("_", "-"): value for name, value in fields.items()}
        answer = self.client.request(method, f"/api/v1{path}", json=json, headers=headers)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


@contextmanager
def running(url: str, state: Path) -> Iterator[Control]:
    """A control plane over an empty store, with its owner signed in."""
    data = FakeWorkers()
    made: list[tuple[Plane, str]] = []

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        plane.store = await open_store(url, state)
        made.append((plane, await bootstrap(plane.store)))
        yield
        await plane.store.close()

    plane = Plane(store=None, state=state, ledger=Ledger(state / "ledger"), sealer=FakeSealer(), publisher=data,  # type: ignore[arg-type]  # opened by the lifespan
                  accounts=data, started_ns=time.time_ns())
    with TestClient(make_app(plane, lifespan), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        control = Control(client, plane, data, made[0][1])
        control.login()
        client.cookies.clear()
        yield control
