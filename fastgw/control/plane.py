"""What the parts of the control process share: the store, the ledger, the sealer, and whom a change is told to."""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from fastgw._core.ledger import Ledger
from fastgw.control.api.written import Document, Sealer
from fastgw.control.store.engine import Store, Transaction
from fastgw.snapshot.config import ControlPlane

if TYPE_CHECKING:
    from fastgw.control.api.spending import Spend


class Publisher(Protocol):
    """Who brings changes of the store to the data plane."""

    async def check(self, transaction: Transaction) -> None:
        """Hold the configuration that a transaction would leave to the rules of the data plane. raises ApiError"""

    def wake(self) -> None:
        """Something was committed: publish it now rather than at the next look."""


class Accounts(Protocol):
    """Who knows what the ledger has of an account."""

    def spend(self, name: str, limits: Document) -> "Spend":
        """What was used of the limits that a document states."""

    def reset(self, name: str, limits: Document) -> None:
        """Begin its budgets afresh."""


class Plane(Struct):
    """The control process, as an endpoint sees it."""

    store: Store
    state: Path
    ledger: Ledger
    sealer: Sealer
    publisher: Publisher
    accounts: Accounts
    settings: ControlPlane = ControlPlane()
    started_ns: int = 0
    is_demo: bool = False
