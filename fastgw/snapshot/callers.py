"""Make callers of the entries that the control process issues; what the entry names must be there.

Raises KeyUnusable, which says what is missing: it is in the log and goes to the caller.
"""

from collections.abc import Callable
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple, TypeVar

import msgspec

from fastgw._core.digest import KeyTable
from fastgw._core.keyfile import KeyView
from fastgw._core.ledger import MAX_CHAIN, Ledger
from fastgw.errors import error
from fastgw.snapshot.accounts import Chain, define_chain, define_shares
from fastgw.snapshot.check import DEFAULT_WORKSPACE
from fastgw.snapshot.config import Config, Key, Workspace
from fastgw.snapshot.keyring import KeyEntry
from fastgw.snapshot.load import Document
from fastgw.snapshot.shares import Share
from fastgw.snapshot.types import Caller

ADMISSIONS: Final = MappingProxyType({"strict": 0, "clamp": 1, "estimate": 2})
MOST_LISTS: Final = 1024

_decode = msgspec.msgpack.Decoder(KeyEntry).decode
T = TypeVar("T")


class Bounds(NamedTuple):
    """What holds for every key of a workspace."""

    workspace: Workspace
    chain: Chain
    shares: dict[str, Share]


class CallerMaker:
    """Makes the callers of one snapshot; defines the accounts of its workspaces, so that later a caller needs none to be made."""

    def __init__(self, config: Config, ledger: Ledger) -> None:
        self.config = config
        self.ledger = ledger
        self._both = lru_cache(MOST_LISTS)(both)  # many keys have the same lists
        workspaces = {DEFAULT_WORKSPACE: Workspace(), **config.workspaces}
        self.bounds = {
            name: Bounds(row, define_chain(ledger, f"workspace:{name}", f"workspace {name!r}", row), define_shares(ledger, name, row))
            for name, row in workspaces.items()
        }

    def __repr__(self) -> str:
        return f"<CallerMaker over {len(self.bounds)} workspaces>"

    def stated(self, document: Document) -> tuple[KeyTable, list[Caller]]:
        """The callers of the keys that the configuration states, and where each of them is found."""
        table = KeyTable(len(document.config.keys))
        callers: list[Caller] = []
        for digest, key in zip(document.digests, document.config.keys, strict=True):
            table.add(digest, len(callers))
            callers.append(self.of_key(key))
        return table, callers

    def of_key(self, key: Key) -> Caller:
        expires_ns = None if key.expires_at is None else int(key.expires_at.timestamp() * 1_000_000) * 1000
        workspace, chain, shares = self.bounds.get(key.workspace) or self.bounds[DEFAULT_WORKSPACE]
        chain += define_chain(self.ledger, f"key:{key.name}", f"key {key.name!r}", key, expires_ns)
        return Caller(
            key.name, key.workspace, chain=chain.indexes, account_names=chain.names,
            enabled=key.enabled, admission=ADMISSIONS[key.admission or workspace.admission],
            has_budget=chain.has_budget, counts_tokens=chain.counts_tokens, shares=shares,
            refuse_unknown_price=workspace.unknown_price == "refuse", models=both(key.models, workspace.models or None, str.encode),
            integrations=both(key.integrations, workspace.integrations, str), passthrough=key.integration, metadata=key.metadata,
            config=key.config, allow_config_override=key.allow_config_override,
        )

    def __call__(self, view: KeyView) -> Caller:
        """The caller of an entry. raises KeyUnusable"""
        try:
            entry = _decode(view.entry)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            # of another release, or of no control process at all
            raise error("KeyUnusable", f"the key's entry cannot be read: {problem}") from None
        if entry.workspace not in self.bounds:
            raise unusable(entry, f"workspace {entry.workspace!r}, which is not known here")
        workspace, chain, shares = self.bounds[entry.workspace]
        if entry.config is not None and entry.config not in self.config.configs:
            raise unusable(entry, f"config {entry.config!r}, which is not known here")
        if len(entry.chain) + len(chain.indexes) > MAX_CHAIN:
            raise unusable(entry, f"{len(entry.chain)} accounts, of which there may be {MAX_CHAIN - len(chain.indexes)}")
        if not all(0 <= index < len(self.ledger) for index, _ in entry.chain):
            raise unusable(entry, "accounts that the ledger does not have")
        return Caller(
            entry.name, entry.workspace, id=entry.id, user=entry.user, organisation=entry.organisation, enabled=view.enabled,
            chain=[*chain.indexes, *(index for index, _ in entry.chain)], account_names=(*chain.names, *(name for _, name in entry.chain)),
            admission=ADMISSIONS[entry.admission or workspace.admission], has_budget=entry.has_budget or chain.has_budget,
            counts_tokens=entry.counts_tokens or chain.counts_tokens, shares=shares,
            refuse_unknown_price=workspace.unknown_price == "refuse", models=self._both(entry.models, workspace.models or None, str.encode),
            integrations=self._both(entry.integrations, workspace.integrations, str), passthrough=entry.integration,
            metadata=entry.metadata, config=entry.config, allow_config_override=entry.allow_config_override,
        )


def unusable(entry: KeyEntry, what: str) -> Exception:
    return error("KeyUnusable", f"key {entry.name!r} names {what}; ask whoever runs this gateway")


def both(own: tuple[str, ...], shared: tuple[str, ...] | None, convert: Callable[[str], T]) -> frozenset[T] | None:
    """What two allow lists have in common; one's own allows all where it is empty, a shared one where there is none."""
    if shared is not None:
        return frozenset(map(convert, set(own) & set(shared) if own else shared))
    return frozenset(map(convert, own)) if own else None
