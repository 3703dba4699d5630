"""What a recipe is: how a peer is installed, configured and started, and what it does and does not do in each lane."""
from __future__ import annotations

from collections.abc import Callable

import msgspec

from bench.peers.place import Place

LANES = ("bare", "governed")
MODEL = "gpt-4.1"


class Started(msgspec.Struct, frozen=True):
    """A peer that runs: whom to ask, how, and what it costs."""

    url: str
    pids: tuple[int, ...]
    key: str = "sk-upstream"
    fields: dict[str, str] = {}
    model: str = MODEL


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the comparison.

    source   where it comes from
    setup    how it is configured, and why so
    lanes    what it does in each lane that it has
    lacks    why it has not the others
    unequal  what the reader must know before comparing its figures
    prepare  installs it and returns its version; raises CannotRun
    start    starts it for a lane; raises CannotRun
    window_s the least window of load that has 1,000 replies of it
    """

    name: str
    source: str
    setup: str
    lanes: dict[str, str]
    lacks: dict[str, str] = {}
    unequal: str
    prepare: Callable[[Place], str]
    start: Callable[[Place, str], Started]
    window_s: float = 2.0
