"""What the command line does to the store: the admin API's own operations, with the gateway running or stopped.

A gateway that runs hears of a change within a second, as its control process follows the store's revisions.
"""

import asyncio
import getpass
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import httpx2
from sqlalchemy import select

from fastgw.control.api.problem import ApiError
from fastgw.control.api.spending import Spend
from fastgw.control.api.written import Document
from fastgw.control.operate import Operator
from fastgw.control.options import ControlOptions
from fastgw.control.plane import Plane
from fastgw.control.publish import Checker
from fastgw.control.store.engine import StoreUnavailable, open_store
from fastgw.control.store.tables import ORGANISATIONS
from fastgw.snapshot.load import ConfigError, explain, parse
from fastgw.snapshot.opening import open_first
from fastgw.snapshot.seal import KEY_FILE, SealError, open_vault

SOCKET: Final = "control.sock"
STORE_FILE: Final = "store.db"
USUAL_FILE: Final = Path("fastgw.toml")
USUAL_STATE: Final = Path(".fastgw")


class CommandRefused(Exception):
    """What was asked for cannot be done; the message says why."""


class NoAccounts:
    """What was spent is told by the gateway, whose ledger this is not."""

    def spend(self, name: str, limits: Document) -> Spend:
        return Spend(0.0, 0, 0, [])

    def reset(self, name: str, limits: Document) -> None:
        raise CommandRefused("budgets begin afresh by the admin API of the running gateway")


def find_store(config: Path | None, state: Path | None) -> ControlOptions | None:
    """What a gateway of this file and state directory would open; None where there is no store yet. raises CommandRefused"""
    if config is None and state is None and USUAL_FILE.exists():
        config = USUAL_FILE
    try:
        if config is not None:
            document, vault = open_first(config, os.environ, state)
        else:
            document, vault = parse(f"[gateway]\nstate = {str(state or USUAL_STATE)!r}\n", os.environ), None
        place = state or Path(document.config.gateway.state)
        if not document.config.control.store_url and not (place / STORE_FILE).exists():
            return None
        vault = vault or open_vault(f"file:{place / KEY_FILE}", place, os.environ)
    except ConfigError as error:
        raise CommandRefused(explain(error.problems)) from error
    except SealError as error:
        raise CommandRefused(f"cannot use the key that secrets are sealed with: {error}") from error
    assert vault is not None  # a file was named
    return ControlOptions(document, place, vault, (), "", os.getpid())


def administer(
    options: ControlOptions | None, method: str, path: str, body: Document | None = None, query: Mapping[str, str] | None = None
) -> Document:
    """Carry out one request of the admin API, as whoever owns the machine. raises CommandRefused"""
    if options is None:
        raise CommandRefused("there is no store yet: start the gateway once (fastgw serve), or name its directory with --state")
    try:
        return asyncio.run(carried_out(options, method, path, body, query or {}))
    except ApiError as error:
        lines = [f"{fault.path}: expected {fault.expected}, found {fault.found}" for fault in error.faults]
        raise CommandRefused("\n".join(lines) or error.message) from error
    except (StoreUnavailable, OSError) as error:
        raise CommandRefused(str(error)) from error


async def carried_out(options: ControlOptions, method: str, path: str, body: Document | None, query: Mapping[str, str]) -> Document:
    store = await open_store(options.document.config.control.store_url, options.state)
    try:
        async with store.read() as connection:
            organisation = (await connection.execute(select(ORGANISATIONS.c.id).order_by(ORGANISATIONS.c.created_ns))).scalars().first()
        if organisation is None:
            raise CommandRefused("the store is empty: start the gateway once (fastgw serve)")
        plane = Plane(
            store=store, state=options.state, ledger=None, sealer=options.vault, publisher=Checker(options),
            accounts=NoAccounts(), file=options.document.config,
        )  # fmt: skip
        return await Operator(plane, organisation, f"command:{user_name()}").ask(method, path, body, query)
    finally:
        await store.close()


def user_name() -> str:
    """Who runs the command, for the audit."""
    with suppress(OSError, KeyError):
        return getpass.getuser()
    return str(os.getuid())


def send_traffic(options: ControlOptions | None, requests: int) -> None:
    """Have a demo that runs send traffic through itself. raises CommandRefused"""
    until = datetime.now(UTC) + timedelta(minutes=1)
    body: Document = {"name": "fastgw demo traffic", "scopes": ["workspaces.update"], "expires_at": until.isoformat()}
    token = administer(options, "POST", "/tokens", body)
    assert options is not None  # or it would have been refused
    transport = httpx2.HTTPTransport(uds=str(options.state / SOCKET))
    try:
        with httpx2.Client(transport=transport, headers={"authorization": f"Bearer {token['token']}"}) as client:
            answer = client.post("http://control/api/v1/demo/traffic", json={"requests": requests})
        if answer.status_code != 202:
            raise CommandRefused(str(answer.json()["error"]["message"]))
    except httpx2.HTTPError as error:
        raise CommandRefused(f"no gateway runs in {options.state}: start one with fastgw serve --demo") from error
    finally:
        administer(options, "DELETE", f"/tokens/{token['id']}")
