"""Accounts in a memory-mapped file, changed only by atomics: rates, budgets, requests in flight."""
from array import array
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from os import PathLike
from typing import Any, NamedTuple, Self

from typing_extensions import disjoint_base

REASONS: tuple[str, ...]
UNIT_NAMES: tuple[str, ...]
MAX_CHAIN: int
STATES: tuple[str, ...]

class LayoutError(ValueError):
    """The file is no ledger of this version."""

class Denied(NamedTuple):
    """Why a request was not admitted, and by which account."""

    reason: str  # expired, budget, request_rate, token_rate, parallel, full
    account: int  # -1 where the worker has no slot left
    limit: int  # what the budget counts, requests or tokens a minute, requests at once
    remaining: int
    retry_after_ns: int  # rates: when it would fit; budgets: when the window renews; 0 not known; -1 never
    resets_at_ns: int  # wall clock: when the allowance or the budget is whole again; -1 never
    unit: str  # of the account

class Reclaimed(NamedTuple):
    """One reservation that a dead worker left."""

    slot: int
    charged_nano_usd: int
    tokens: int
    tag: bytes
    started_ns: int
    # reserving, reserved, releasing: given back; dispatched: charged as reserved; charging: charged what it had cost
    was: str

class AccountView(NamedTuple):
    """Every number of an account at one moment, amounts in its own unit; None where it has no such limit."""

    account: int
    unit: str  # one of UNIT_NAMES
    window: str
    window_start_ns: int | None
    window_end_ns: int | None
    budget: int | None
    committed: int  # in this window: spent, and what is reserved
    spent: int  # settled in this window
    remaining: int | None  # of the budget, beside what is committed
    # The budget is spent; or it has
    # refused with nothing in flight and stands as it did, and what is left pays for less than eight mean requests.
    is_exhausted: bool
    in_flight: int
    max_parallel: int | None
    requests_per_minute: int | None
    requests_left: int | None
    tokens_per_minute: int | None
    tokens_left: int | None
    expires_ns: int | None
    mean_cost_nano_usd: int  # of requests that cost anything; each moves it by a sixteenth
    mean_output_tokens: int  # of requests that put out anything; each moves it by a sixteenth
    lifetime: int  # settled, ever; no window takes it back
    lifetime_tokens: int  # settled, ever
    lifetime_requests: int  # settled, ever
    refused: int

@disjoint_base
class Limits:
    """What an account is held to; None where it has no such limit. budget: in the unit's whole numbers.

    raises  ValueError for a number, a window or a unit out of range
    """

    @property
    def unit(self) -> int: ...
    def __init__(
        self,
        *,
        unit: str = "nano_usd",
        budget: int | None = None,
        window: str = "total",
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        max_parallel: int | None = None,
        expires_ns: int | None = None,
    ) -> None: ...

@disjoint_base
class Ledger:
    """The accounts of this machine, as one worker of it sees them.

    Times are wall-clock nanoseconds. Kernels call admit, dispatch, tag, settle and remaining; the methods
    that are named after those are their Python face.

    raises  LayoutError for a file that is no ledger of this version; ValueError for a number out of range
    """

    @property
    def path(self) -> str: ...
    @property
    def worker(self) -> int: ...
    @property
    def workers(self) -> int: ...
    def __new__(
        cls,
        path: str | PathLike[str],
        *,
        workers: int = 1,
        worker: int = 0,
        capacity: int = 65536,
        slots: int = 4096,
    ) -> Self: ...
    def define(self, name: str, **limits: Any) -> int:
        """Find or make the account of that name and set its limits, which are those of Limits; return its index.

        What it has spent stays, also where the window becomes another. No limit is no limit, whatever there was before.
        raises  ValueError for what Limits refuses and for another unit than the account was made with, OverflowError
                for more than 16,777,216 accounts
        """

    def define_many(self, names: Sequence[str], limits: Limits | Sequence[Limits]) -> array[int]:
        """Find or make many accounts and set their limits: one for all, or one for each; return their indexes.

        Others may define, and die, in between: a stretch of 4,096 is under one lock.
        raises  as define does
        """

    def find(self, name: str) -> int | None:
        """Return the index of the account of that name, None where there is none."""

    def __len__(self) -> int: ...
    def accounts(self, first: int = 0) -> Iterator[tuple[int, bytes]]:
        """Yield (index, first half of the SHA-256 of the name) for every account, from an index on."""

    def read(self, index: int, *, now_ns: int | None = None) -> AccountView:
        """Return every number of an account, as it stands at `now_ns`."""

    def set_spent(self, index: int, spent: int, *, now_ns: int | None = None) -> None:
        """Say what was spent in the window in hand; what is reserved stays reserved."""

    def restore(self, index: int, view: AccountView, *, now_ns: int | None = None) -> None:
        """Take over what a store knows of the account; of its numbers and ours the greater counts.

        Spend counts where the window is the same one, lifetimes always. Limits are not taken over.
        raises  ValueError for a view of another unit
        """

    def changed(self, cursor: int = 0) -> tuple[array[int], int]:
        """Return the indexes of the accounts that were settled since the scan that gave the cursor, and the next cursor.

        0: since the file was made. An account that is settled while a scan runs is in this one or in the next, or in both.
        Also what set_spent, restore and reset change. Any number of readers may scan, each with a cursor of its own.
        """

    def reset(self, index: int, *, now_ns: int | None = None) -> None:
        """Begin the account's budget and rates afresh; what is reserved stays reserved."""

    def reclaim(self, worker: int, *, now_ns: int | None = None) -> list[Reclaimed]:
        """Finish what a dead worker left, before another takes its number; return what was found."""

    def recover(self, *, now_ns: int | None = None) -> list[Reclaimed]:
        """Finish what every worker left and count afresh; only while no worker is alive."""

    def admit_chain(
        self, chain: Sequence[int], now_ns: int, cost_nano_usd: int = 0, tokens: int = 0, most_tokens: int | None = None
    ) -> int | Denied:
        """Charge every account of the chain or none; return the slot, or a Denied.

        tokens       what it is likely to use, for rates
        most_tokens  for budgets, no less than it can use; by default the same
        """

    def join_chain(
        self,
        slot: int,
        chain: Sequence[int],
        now_ns: int,
        cost_nano_usd: int = 0,
        tokens: int = 0,
        most_tokens: int | None = None,
    ) -> Denied | None:
        """Charge these accounts too, in the place of those that joined before; return None, or a Denied and all is as it was.

        They are settled with the slot. An empty chain only gives back what had joined.
        """

    def withdraw_slot(self, slot: int) -> None:
        """Give all back, rates too: the request is refused after all."""

    def dispatch_slot(self, slot: int) -> None:
        """From here on a crash is charged, not released."""

    def tag_slot(self, slot: int, tag: bytes) -> None:
        """Name the exchange that holds the slot, by 16 bytes."""

    def settle_slot(
        self, slot: int, now_ns: int, cost_nano_usd: int = 0, tokens: int = 0, output_tokens: int = 0
    ) -> None:
        """Put the truth in the place of what was reserved, once, and free the slot."""

    def remaining_of(self, chain: Sequence[int], now_ns: int, unit: str = "nano_usd") -> int | None:
        """Return what the tightest budget of that unit in the chain has left; None where no account has one."""

    def locked(self) -> AbstractContextManager[None]:
        """Hold the file against other processes, other ledgers and other threads that define or reclaim."""

    def _light_fuse(self, points: int) -> None: ...
    def _bench(
        self, chain: Sequence[int], now_ns: int, step_ns: int, cost_nano_usd: int, tokens: int, count: int
    ) -> int: ...
    def _bench_admit(
        self, chain: Sequence[int], now_ns: int, cost_nano_usd: int, tokens: int, count: int
    ) -> int: ...
