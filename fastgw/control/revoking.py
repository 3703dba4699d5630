"""Have data planes forget keys: what a key was found by is kept apart, with the revision at which it ceased to hold."""

from collections.abc import Iterable

from sqlalchemy import delete, insert, select, update

from fastgw.control.store.engine import Transaction
from fastgw.control.store.tables import KEYS, REVOCATIONS


async def revoke(transaction: Transaction, digests: Iterable[bytes | None], now_ns: int) -> None:
    """Let digests hold no longer; the rows of their keys are the caller's to change."""
    revision = await transaction.revision("keys")
    for digest in digests:
        if digest is not None:
            # of a key that its caller had chosen, and chose again after it was revoked
            await transaction.execute(delete(REVOCATIONS).where(REVOCATIONS.c.digest == digest))
            await transaction.execute(insert(REVOCATIONS).values(digest=digest, revision=revision, at_ns=now_ns))


async def retire_previous(transaction: Transaction, now_ns: int) -> int:
    """Let the keys before a rotation hold no longer whose overlap has passed; returns how many there were."""
    passed = KEYS.c.previous_until_ns <= now_ns
    found = (await transaction.execute(select(KEYS.c.id, KEYS.c.previous_digest).where(passed))).all()
    if found:
        await revoke(transaction, [row.previous_digest for row in found], now_ns)
        changed = update(KEYS).where(KEYS.c.id.in_([row.id for row in found]))
        revision = await transaction.revision("keys")
        await transaction.execute(changed.values(previous_digest=None, previous_until_ns=None, revision=revision))
    return len(found)
