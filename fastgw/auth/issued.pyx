"""Callers of keys that the control process has issued: made when they are first used, and kept.

A key costs nothing until it is used. What is made of it holds as long as its slot's version does, so that a change counts from the next
request on, and as long as the snapshot. A key that cannot be used is kept as well, so that its reason is logged once. Memory: MOST_MADE
callers of about 1.3 KB; those that were not used while half as many others came are made again.
"""
import logging

from libc.stdint cimport int64_t, uint64_t

from fastgw._core.clock cimport wall_ns
from fastgw._core.keyfile cimport KeyFile
from fastgw._core.keyfile import LayoutError
from fastgw.errors import GatewayError, error

cdef enum:
    MOST_MADE = 65536

log = logging.getLogger("fastgw.keys")


cdef class Made:
    """What was made of a version of a slot: a caller, or why there is none."""
    cdef int64_t turn
    cdef uint64_t version
    cdef int64_t until_ns
    cdef Caller caller
    cdef str refusal


cdef Caller find_issued(Snapshot snapshot, const uint8_t* digest):
    cdef KeyFile file = snapshot.issued
    cdef int64_t turn, slot
    cdef Made made
    if file is None:
        return None
    turn = file.turn
    slot = file.find(digest)
    if slot < 0:
        return None
    made = <Made>snapshot.made.get(slot)
    if made is None or not holds(made, file, slot):
        made = make(snapshot, slot)
        if file.turn != turn:
            # another file was mapped meanwhile, whose slots are of other keys
            return find_issued(snapshot, digest)
    if made.caller is None:
        raise error("KeyUnusable", made.refusal)
    if made.until_ns and wall_ns() >= made.until_ns:
        raise error("KeyExpired", f"key {made.caller.name!r} has expired in this form: it was replaced by another, which is to be used now")
    return made.caller


cdef inline bint holds(Made made, KeyFile file, int64_t slot) noexcept:
    return made.version == file.version(slot) and made.turn == file.turn


cdef Made make(Snapshot snapshot, int64_t slot):
    """Take what was made of the slot before, where it still holds, or make it; keep it with what is in use."""
    cdef KeyFile file = snapshot.issued
    cdef Made made = <Made>snapshot.made_before.get(slot)
    if made is None or not holds(made, file, slot):
        made = Made()
        made.turn, made.version = file.turn, file.version(slot)
        try:
            view = file.view(slot)
            made.version = view.version
            made.until_ns = view.until_ns
            made.caller = <Caller?>snapshot.maker(view)
        except (GatewayError, LayoutError, IndexError) as problem:
            made.refusal = problem.message if isinstance(problem, GatewayError) else "the key's entry is damaged"
            log.error("a key cannot be used: %s", problem)
    if len(snapshot.made) >= MOST_MADE // 2 and slot not in snapshot.made:
        snapshot.made_before = snapshot.made
        snapshot.made = {}
    snapshot.made[slot] = made
    return made
