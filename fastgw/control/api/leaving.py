"""What becomes of the keys of a person who leaves: they stop, stay to be looked at, and whoever sent the person away is told which."""

from msgspec import Struct
from sqlalchemy import ColumnElement, select, update

from fastgw.control.api.call import Call
from fastgw.control.api.written import Document, decode, encode
from fastgw.control.store.tables import KEYS, WORKSPACES


class DisabledKey(Struct):
    """A key that was switched off."""

    id: str
    name: str
    workspace: str


class Left(Struct):
    """What went with a person."""

    disabled_keys: list[DisabledKey]


async def disable_keys(call: Call, *whose: ColumnElement[bool], is_gone: bool = False) -> Document:
    """Switch off the keys of a person; of one who is gone they become nobody's, or they would be deleted with the row of the person."""
    found = await call.writing.execute(
        select(KEYS, WORKSPACES.c.slug.label("workspace_slug"))
        .join(WORKSPACES, WORKSPACES.c.id == KEYS.c.workspace_id)
        .where(*whose)
        .order_by(KEYS.c.id)
    )
    disabled = []
    for row in found.all():
        before = decode(row.spec.encode())
        assert isinstance(before, dict)  # as it was written
        was_on = not row.removed and before.get("enabled") is not False
        if not was_on and not is_gone:
            continue
        after = {**before, "enabled": False}
        if is_gone:
            after.pop("user", None)
        values: dict[str, object] = {"user_id": None} if is_gone else {}
        revision = await call.writing.revision("keys")
        await call.writing.execute(
            update(KEYS)
            .where(KEYS.c.id == row.id)
            .values(spec=encode(after).decode(), version=row.version + 1, revision=revision, updated_ns=call.now_ns, **values)
        )
        if was_on:
            disabled.append(DisabledKey(row.id, row.name, row.workspace_slug))
            await call.audit("keys.update", "keys", row.id, row.name, {"enabled": [True, False]}, row.workspace_id)
    return {"disabled_keys": disabled}
