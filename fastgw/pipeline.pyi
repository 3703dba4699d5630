"""The order of the steps, on one page: the Python face that the worker uses."""
import asyncio

from fastgw._core.flow import Application
from fastgw._core.ledger import Ledger, Reclaimed
from fastgw._core.poll import Poller
from fastgw._core.ring import RingWriter
from fastgw.cache.inquiry import ResponseCache
from fastgw.providers.signer import Signer
from fastgw.snapshot.caching import CacheSettings
from fastgw.snapshot.health import Health
from fastgw.snapshot.types import Snapshot, Target

class Pipeline:
    """The steps, and what they share: the snapshot, the ledger and the ring of one worker."""

    poller: Poller
    snapshot: Snapshot
    ledger: Ledger
    ring: RingWriter
    worker: int
    health: Health
    metrics: Target | None
    control: Target | None
    max_body_bytes: int
    in_flight: int
    served: int
    def __init__(
        self, poller: Poller, ledger: Ledger, ring: RingWriter, health: Health, worker: int = 0, metrics: Target | None = None,
        max_body_bytes: int = ...,
        control: Target | None = None,
    ) -> None: ...
    def use_cache(self, cache: ResponseCache, settings: CacheSettings) -> None:
        """Look for answers here before a provider is asked, where the route of a request says so."""

    def renew(self, signer: Signer) -> asyncio.Task[None]:
        """The task that fetches a token: the one that runs, or a new one."""

    def publish(self, snapshot: Snapshot) -> None:
        """Serve by this snapshot from the next request on; what is in flight keeps the one it began with."""

    def record_lost(self, reclaimed: list[Reclaimed]) -> None:
        """Leave a record of each exchange that a dead worker had in hand."""

class ShareGate:
    """Lets an attempt begin where its integration's accounts in the caller's workspace admit it."""

    def __init__(self, ledger: Ledger, exchange: object) -> None: ...

class Gateway(Application):
    """Opens an exchange for each connection."""

    pipeline: Pipeline
    def __init__(self, pipeline: Pipeline) -> None: ...
