"""What the parts of the control process share: the store, the ledger, the sealer, and whom a change is told to."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from fastgw._core.ledger import Ledger
from fastgw.control.api.written import Document, Sealer
from fastgw.control.store.engine import Store, Transaction
from fastgw.meter.catalog import Catalog
from fastgw.snapshot.config import Config, ControlPlane, Gateway
from fastgw.snapshot.hosts import HostRules, read_rules

if TYPE_CHECKING:
    from fastgw.control.api.spending import Spend


class Publisher(Protocol):
    """Who brings changes of the store to the data plane."""

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


class Plane(Struct):
    """The control process, as an endpoint sees it.

    file   the configuration file, where there is one beside the store
    """

    store: Store
    state: Path
    ledger: Ledger
    sealer: Sealer
    publisher: Publisher
    accounts: Accounts
    settings: ControlPlane = ControlPlane()
    started_ns: int = 0
    is_demo: bool = False
    file: Config | None = None
    _catalog: Catalog | None = None

    def catalog(self) -> Catalog:
        """The built-in table of models, with the prices of today."""
        if self._catalog is None:
            self._catalog = Catalog.load()
        elif self._catalog.today != str(datetime.now(UTC).date()):
            self._catalog = self._catalog.copy()
        return self._catalog

    def hosts(self) -> HostRules | None:
        """What hosts a workspace may name; None where it may name none at all."""
        inline = (self.file.gateway if self.file is not None else Gateway()).inline_hosts
        return read_rules(inline.allow, inline.public) if inline.enabled else None
