"""What a store holds before anybody has written anything: an organisation, a workspace and an owner to sign in as."""

import asyncio
import secrets
import time
from typing import Final

from sqlalchemy import func, insert, select

from fastgw.control.access.passwords import hash_password
from fastgw.control.ids import make_id
from fastgw.control.store.engine import Store
from fastgw.control.store.tables import ORGANISATIONS, USERS, WORKSPACES

OWNER_EMAIL: Final = "owner@localhost"


async def bootstrap(store: Store) -> str:
    """Make what is missing; return the password of the first owner where it was made now, else "".

    The password is not kept: whoever starts the gateway prints it, once.
    """
    async with store.read() as connection:
        if (await connection.execute(select(func.count()).select_from(USERS))).scalar_one():
            return ""
    password = secrets.token_urlsafe(15)
    kept = await asyncio.to_thread(hash_password, password)
    async with store.write() as transaction:
        revision = await transaction.revision("config")  # from here on other machines wait
        if (await transaction.execute(select(func.count()).select_from(USERS))).scalar_one():
            return ""  # another machine was quicker
        now = time.time_ns()
        common = {"version": 1, "revision": revision, "created_ns": now, "updated_ns": now}
        organisation_id = make_id()
        await transaction.execute(insert(ORGANISATIONS).values(id=organisation_id, slug="default", spec='{"name":"Default"}', **common))
        await transaction.execute(
            insert(WORKSPACES).values(
                id=make_id(), organisation_id=organisation_id, slug="default", spec='{"slug":"default","name":"Default"}', **common
            )
        )
        await transaction.execute(
            insert(USERS).values(
                id=make_id(),
                organisation_id=organisation_id,
                email=OWNER_EMAIL,
                role="owner",
                password_hash=kept,
                spec=f'{{"email":"{OWNER_EMAIL}","name":"Owner","role":"owner"}}',
                **common,
            )
        )
    return password
