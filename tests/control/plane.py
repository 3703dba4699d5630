"""A control plane without a data plane: a real store, called as a client calls it."""

import base64
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from httpx2 import Response
from sqlalchemy import insert
from starlette.applications import Starlette
from starlette.testclient import TestClient

from fastgw._core.ledger import Ledger
from fastgw.control.access.passwords import hash_password
from fastgw.control.api.spending import Spend
from fastgw.control.api.written import Document
from fastgw.control.app import make_app
from fastgw.control.bootstrap import OWNER_EMAIL, bootstrap
from fastgw.control.ids import make_id
from fastgw.control.plane import Plane
from fastgw.control.store.engine import Transaction, open_store
from fastgw.control.store.tables import ORGANISATIONS, USERS
from fastgw.snapshot.config import ControlPlane

Json = dict[str, Any]
PASSWORD = "correct horse battery"


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
        self.config_revision, self.published_ns, self.error = 7, 1_700_000_000 * 10**9, ""
        self.spends: dict[str, Spend] = {}
        self.resets: list[str] = []

    async def check(self, transaction: Transaction) -> None:
        assert "config" in transaction.touched

    async def reached(self, revision: int) -> bool:
        return revision > 0

    def wake(self) -> None:
        self.woken += 1

    def spend(self, name: str, limits: Document) -> Spend:
        return self.spends.get(name, Spend(0.0, 0, 0, []))

    def reset(self, name: str, limits: Document) -> None:
        self.resets.append(name)


class Caller:
    """Somebody who calls the admin API, with the fields that say who."""

    def __init__(self, client: TestClient, fields: Mapping[str, str]) -> None:
        self.client = client
        self.fields = dict(fields)

    def ask(self, method: str, path: str, json: object = None, status: int = 200, **fields: str) -> Any:
        """Send a request, hold the status, and return the body."""
        answer = self.send(method, path, json, **fields)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def send(self, method: str, path: str, json: object = None, **fields: str) -> Response:
        headers = self.fields | {name.replace("_", "-"): value for name, value in fields.items()}
        return self.client.request(method, f"/api/v1{path}", json=json, headers=headers)


class Control(Caller):
    """A running control plane and the owner's hands on it."""

    def __init__(self, client: TestClient, plane: Plane, data: FakeWorkers, password: str) -> None:
        super().__init__(client, {})
        self.plane = plane
        self.data = data
        self.password = password

    def __repr__(self) -> str:
        return f"<Control of {self.plane.store!r}>"

    def login(self, email: str = OWNER_EMAIL, password: str | None = None) -> Json:
        signed_in, answer = self.sign_in(email, password or self.password)
        self.fields = signed_in.fields
        return answer

    def sign_in(self, email: str, password: str) -> tuple[Caller, Json]:
        answer = self.client.post("/api/v1/login", json={"email": email, "password": password})
        assert answer.status_code == 200, answer.text
        cookie, body = answer.headers["set-cookie"].partition(";")[0], answer.json()
        self.client.cookies.clear()
        return Caller(self.client, {"cookie": cookie, "x-csrf-token": body["csrf"]}), body

    def person(self, email: str, role: str = "member", **roles: str) -> Caller:
        """A user of the organisation, with roles in workspaces, who has signed in."""
        user = self.ask("POST", "/users", {"email": email, "role": role, "password": PASSWORD}, 201)
        for workspace, its_role in roles.items():
            self.ask("POST", f"/workspaces/{workspace.replace('_', '-')}/members", {"user_id": user["id"], "role": its_role}, 201)
        return self.sign_in(email, PASSWORD)[0]

    def script(self, *scopes: str, workspace: str | None = None) -> Caller:
        """Whoever has a token with these scopes."""
        body = {"name": "script", "scopes": scopes, **({"workspace": workspace} if workspace else {})}
        return Caller(self.client, {"authorization": f"Bearer {self.ask('POST', '/tokens', body, 201)['token']}"})

    def outsider(self, email: str = "owner@other.example") -> Caller:
        """The owner of another organisation."""

        async def found() -> None:
            async with self.plane.store.write() as transaction:
                common = {"version": 1, "revision": await transaction.revision(), "created_ns": 0, "updated_ns": 0}
                organisation_id = make_id()
                await transaction.execute(insert(ORGANISATIONS).values(id=organisation_id, slug="other", spec='{"name":"Other"}', **common))
                spec = f'{{"email":"{email}","role":"owner"}}'
                kept = hash_password(PASSWORD)
                await transaction.execute(
                    insert(USERS).values(id=make_id(), organisation_id=organisation_id, email=email, role="owner", password_hash=kept,
                                         spec=spec, **common)
                )  # fmt: skip

        self.run(found)
        return self.sign_in(email, PASSWORD)[0]

    def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do something inside the control plane's event loop."""
        assert self.client.portal is not None
        self.client.portal.call(work)


@contextmanager
def running(url: str, state: Path, settings: ControlPlane = ControlPlane()) -> Iterator[Control]:  # noqa: B008  # it is frozen
    """A control plane over an empty store, with its owner signed in."""
    data = FakeWorkers()
    state.mkdir(exist_ok=True)
    made: list[tuple[Plane, str]] = []

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        plane.store = await open_store(url, state)
        made.append((plane, await bootstrap(plane.store)))
        yield
        await plane.store.close()

    plane = Plane(store=None, state=state, ledger=Ledger(state / "ledger"), sealer=FakeSealer(), publisher=data,  # type: ignore[arg-type]  # opened by the lifespan
                  accounts=data, settings=settings, started_ns=time.time_ns())
    with TestClient(make_app(plane, lifespan), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        control = Control(client, plane, data, made[0][1])
        control.login()
        yield control
