"""Carry a ledger of layout 1 over into a file of layout 2: every account by its digest, and what a death left in hand."""
import os
import struct
from pathlib import Path
from typing import BinaryIO, Final

from fastgw._core.ledger import Ledger

MAGIC: Final = 0x31474C5747545346
HEADER: Final = struct.Struct("<72q")
COUNT, TOUCHED, WORKERS, SLOTS = 6, 8, 64, 16_384
# state, depth, taken, progress; cost, tokens, final cost, final tokens; start, tag; chain
OLD_SLOT: Final = struct.Struct("<ihhQ4qq16s8i24x")
# state, depth, taken, progress; reserved and final by unit; likely tokens; start, tag; late, unused; chain
SLOT: Final = struct.Struct("<ihhQ3q3qqq16sii8i56x")
ROW_BYTES: Final = 192
OLD_ROWS_AT: Final = 4096 + WORKERS * SLOTS * OLD_SLOT.size
NAMES_AT: Final = 4096 + WORKERS * SLOTS * SLOT.size
ROWS_AT: Final = NAMES_AT + 3 * 4 * 2**24
# What was requests a minute, which two other numbers say, counts tokens now. The rest of an account stands where it stood.
TOKENS_AT: Final = 168
AT_ONCE: Final = 4096
NO_LATE: Final = -1


def upgrade(path: Path) -> bool:
    """Replace a ledger of layout 1 by one of layout 2, at once; True where there was one. Only while no worker is alive.

    Reservations are carried over as they are: whoever recovers the new file charges what had been sent.
    """
    try:
        old = path.open("rb")
    except FileNotFoundError:
        return False
    with old:
        head = old.read(HEADER.size)
        if len(head) < HEADER.size or HEADER.unpack(head)[:4] != (MAGIC, 1, ROW_BYTES, OLD_SLOT.size):
            return False
        words = HEADER.unpack(head)
        draft = path.with_name(f"{path.name}.draft")
        draft.unlink(missing_ok=True)
        Ledger(draft, capacity=max(words[COUNT], 65_536))
        with draft.open("r+b") as file:
            copy_slots(old, file, words[TOUCHED:])
            copy_rows(old, file, words[COUNT])
            file.seek(8 * COUNT)
            file.write(head[8 * COUNT :])
            file.flush()
            os.fsync(file.fileno())
    draft.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return True


def copy_slots(old: BinaryIO, file: BinaryIO, touched: tuple[int, ...]) -> None:
    """What dead workers had in hand; the numbers of the steps of a settlement are the same in both layouts."""
    for worker, slots in enumerate(touched):
        for slot in range(worker * SLOTS, worker * SLOTS + slots):
            old.seek(4096 + slot * OLD_SLOT.size)
            state, depth, taken, progress, cost, tokens, final, final_tokens, start, tag, *chain = OLD_SLOT.unpack(
                old.read(OLD_SLOT.size))
            if state:
                file.seek(4096 + slot * SLOT.size)
                file.write(SLOT.pack(
                    state, depth, taken, progress, cost, tokens, 1, final, final_tokens, 1, tokens, start, tag, NO_LATE, 0, *chain))


def copy_rows(old: BinaryIO, file: BinaryIO, count: int) -> None:
    """The accounts in their order; their names are digests, of which the new file makes an index when it is first asked."""
    old.seek(OLD_ROWS_AT)
    file.seek(ROWS_AT)
    for first in range(0, count, AT_ONCE):
        rows = bytearray(old.read(min(AT_ONCE, count - first) * ROW_BYTES))
        for at in range(TOKENS_AT, len(rows), ROW_BYTES):
            rows[at : at + 8] = bytes(8)
        file.write(rows)
