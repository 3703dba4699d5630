"""What the parts of the control process share: the store, the ledger, the sealer, and whom a change is told to."""

from asyncio import Semaphore
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, field

from fastgw._core.ledger import Ledger
from fastgw.control.api.written import Document, Sealer
from fastgw.control.store.engine import Store, Transaction
from fastgw.meter.catalog import Catalog
from fastgw.snapshot.config import Config, ControlPlane, Gateway
from fastgw.snapshot.hosts import HostRules, read_rules

if TYPE_CHECKING:
    from fastgw.control.api.spending import Spend


class Publisher(Protocol):
    """Who brings changes of the store to the data plane.

    config_revision   of the store, that was published last; -1 before the first time
    published_ns      when that was
    error             why what came after is not published; empty where it is
    """

    @property
    def config_revision(self) -> int: ...

    @property
    def published_ns(self) -> int: ...

    @property
    def error(self) -> str: ...

    async def check(self, transaction: Transaction) -> None:
        """Hold the configuration that a transaction would leave to the rules of the data plane. raises ApiError"""

    async def reached(self, revision: int) -> bool:
        """Wait until all workers serve by what was committed up to this revision of the store, but not for long."""

    def wake(self) -> None:
        """Something was committed: publish it now rather than at the next look."""


class Accounts(Protocol):
    """Who knows what the ledger has of an account."""

    def spend(self, name: str, limits: Document) -> "Spend":
        """What was used of the limits that a document states."""

    def reset(self, name: str, limits: Document) -> None:
        """Begin its budgets afresh."""


class Traffic(Protocol):
    """Who sends requests through a demo."""

    def begin(self, requests: int) -> None:
        """raises  ApiError while the lot before is on its way"""


class Plane(Struct):
    """The control process, as an endpoint sees it.

    ledger     None where a command works on the store by itself
    traffic    of a demo, which sends some to itself
    file       the configuration file, where there is one beside the store
    questions  of the log, which take threads: so many at a time
    """

    store: Store
    state: Path
    ledger: Ledger | None
    sealer: Sealer
    publisher: Publisher
    accounts: Accounts
    settings: ControlPlane = ControlPlane()
    started_ns: int = 0
    traffic: Traffic | None = None
    file: Config | None = None
    questions: Semaphore = field(default_factory=partial(Semaphore, 3))
    _catalog: Catalog | None = None

    def catalog(self) -> Catalog:
        """The built-in table of models, with the prices of today."""
        if self._catalog is None:
            self._catalog = Catalog.load()
        elif self._catalog.today != str(datetime.now(UTC).date()):
            self._catalog = self._catalog.copy()
        return self._catalog

    @property
    def is_demo(self) -> bool:
        return self.traffic is not None

    def hosts(self) -> HostRules | None:
        """What hosts a workspace may name; None where it may name none at all."""
        inline = (self.file.gateway if self.file is not None else Gateway()).inline_hosts
        return read_rules(inline.allow, inline.public) if inline.enabled else None
