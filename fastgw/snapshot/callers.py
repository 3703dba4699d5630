"""Make callers of the entries that the control process issues; what the entry names must be there.

Raises KeyUnusable, which says what is missing: it is in the log and goes to the caller.
"""

from collections.abc import Callable
from functools import lru_cache
from types import MappingProxyType
from typing import Final, TypeVar

import msgspec

from fastgw._core.keyfile import KeyView
from fastgw._core.ledger import Ledger
from fastgw.errors import error
from fastgw.snapshot.check import DEFAULT_WORKSPACE
from fastgw.snapshot.config import Config, Workspace
from fastgw.snapshot.keyring import KeyEntry
from fastgw.snapshot.types import Caller

ADMISSIONS: Final = MappingProxyType({"strict": 0, "clamp": 1, "estimate": 2})
MOST_ACCOUNTS: Final = 8
MOST_LISTS: Final = 1024

_decode = msgspec.msgpack.Decoder(KeyEntry).decode
T = TypeVar("T")


class CallerMaker:
    """Makes the callers of one snapshot."""

    def __init__(self, config: Config, ledger: Ledger) -> None:
        self.config = config
        self.ledger = ledger
        self._both = lru_cache(MOST_LISTS)(both)  # many keys have the same lists

    def __repr__(self) -> str:
        return f"<CallerMaker over {len(self.config.workspaces)} workspaces>"

    def __call__(self, view: KeyView) -> Caller:
        """The caller of an entry. raises KeyUnusable"""
        try:
            entry = _decode(view.entry)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            # of another release, or of no control process at all
            raise error("KeyUnusable", f"the key's entry cannot be read: {problem}") from None
        workspace = self.config.workspaces.get(entry.workspace)
        if workspace is None:
            if entry.workspace != DEFAULT_WORKSPACE:
                raise unusable(entry, f"workspace {entry.workspace!r}, which is not known here")
            workspace = Workspace()
        if entry.config is not None and entry.config not in self.config.configs:
            raise unusable(entry, f"config {entry.config!r}, which is not known here")
        if len(entry.chain) > MOST_ACCOUNTS:
            raise unusable(entry, f"{len(entry.chain)} accounts, of which there may be {MOST_ACCOUNTS}")
        if not all(0 <= index < len(self.ledger) for index, _ in entry.chain):
            raise unusable(entry, "accounts that the ledger does not have")
        return Caller(
            entry.name, entry.workspace, id=entry.id, user=entry.user, organisation=entry.organisation, enabled=view.enabled,
            chain=[index for index, _ in entry.chain], account_names=tuple(name for _, name in entry.chain),
            admission=ADMISSIONS[entry.admission or workspace.admission], has_budget=entry.has_budget or workspace.budget is not None,
            refuse_unknown_price=workspace.unknown_price == "refuse", models=self._both(entry.models, workspace.models, str.encode),
            integrations=self._both(entry.integrations, workspace.integrations, str), passthrough=entry.integration,
            metadata=entry.metadata, config=entry.config, allow_config_override=entry.allow_config_override,
        )


def unusable(entry: KeyEntry, what: str) -> Exception:
    return error("KeyUnusable", f"key {entry.name!r} names {what}; ask whoever runs this gateway")


def both(own: tuple[str, ...], shared: tuple[str, ...], convert: Callable[[str], T]) -> frozenset[T] | None:
    """What two allow lists have in common; an empty list allows all."""
    if own and shared:
        return frozenset(convert(name) for name in set(own) & set(shared))
    return frozenset(map(convert, own or shared)) if own or shared else None
