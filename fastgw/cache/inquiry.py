"""The cache of one worker, and one request's dealings with it: look, wait for another's answer, ask Redis, keep.

Who asks is called back only where it was told to wait; everything else is decided at once.
"""

from collections.abc import Callable
from math import inf

from msgspec import Struct, structs

from fastgw.cache.entry import Entry, body_flaw, flaw, pack, unpack
from fastgw.cache.flights import Flights, Later, Seat, Soon
from fastgw.cache.memory import MemoryStore
from fastgw.cache.remote import RemoteStore
from fastgw.cache.wish import Status, Terms
from fastgw.snapshot.caching import CacheSettings

Called = Callable[["Inquiry"], None]


class Tally(Struct):
    """What happened since the worker began.

    hits      answered without the provider; of these `waited` got the answer of another who had asked before, `remote` one from Redis
    kept      answers put in; flawed: those that were not whole or no answer; too_large: longer than an entry may be
    """

    hits: int = 0
    waited: int = 0
    remote: int = 0
    misses: int = 0
    refreshes: int = 0
    bypasses: int = 0
    kept: int = 0
    flawed: int = 0
    too_large: int = 0
    saved_nano_usd: int = 0


class ResponseCache:
    """What a worker has kept, and what it is about to.

    now_ms        wall clock in Unix milliseconds
    soon, later   call_soon and call_later of the event loop
    remote        None: what is kept stays in this worker
    """

    def __init__(
        self, settings: CacheSettings, now_ms: Callable[[], int], soon: Soon, later: Later, remote: RemoteStore | None = None
    ) -> None:
        self.now_ms = now_ms
        self.wait_s = settings.wait_ms / 1e3
        self.max_entry_bytes = settings.max_entry_bytes
        self.memory = MemoryStore(settings.max_bytes)
        self.flights = Flights(soon, later)
        self.remote = remote
        self.tally = Tally()

    def __repr__(self) -> str:
        return f"<ResponseCache {self.memory!r}, {self.flights!r}>"

    def ask(self, key: bytes | None, terms: Terms, called: Called, most_wait_s: float = inf) -> "Inquiry":
        """Begin. Then the answer is in `entry`, or `is_waiting` and `called` comes once, or the provider has to be asked.

        key           None: of a request whose answer is not kept
        most_wait_s   what the request's own deadline leaves, for waiting for another's answer
        """
        inquiry = Inquiry(self, b"" if key is None else key, terms, called)
        if key is None:
            inquiry.status = "bypass"
        inquiry.begin(min(self.wait_s, most_wait_s))
        return inquiry

    def put(self, key: bytes, entry: Entry) -> bool:
        """Keep an entry, here and in Redis, and give it to those who wait for it; False where it is too large."""
        packed = pack(entry)
        if packed is None or len(packed) > self.max_entry_bytes:
            self.tally.too_large += 1
            return False
        self.tally.kept += 1
        self.memory.put(key, packed, entry.created_ms + entry.max_age_ms)
        if self.remote is not None:
            self.remote.put(key, packed, entry.max_age_ms)
        self.flights.answer(key, packed)
        return True


class Inquiry:
    """One request's dealings with the cache. `close` is called at its end, whatever that is.

    entry        the answer, once there is one
    is_waiting   `called` will come, with `entry` set or not; not after `close`
    status       for the caller and the record
    """

    __slots__ = ("_cache", "_called", "_is_closed", "_key", "_seat", "_terms", "entry", "is_waiting", "status")

    def __init__(self, cache: ResponseCache, key: bytes, terms: Terms, called: Called) -> None:
        self._cache = cache
        self._key = key
        self._terms = terms
        self._called = called
        self._seat: Seat | None = None
        self._is_closed = False
        self.entry: Entry | None = None
        self.is_waiting = False
        self.status: Status = terms.status

    def __repr__(self) -> str:
        return f"<Inquiry: {self.status}{', waiting' if self.is_waiting else ''}>"

    @property
    def may_keep(self) -> bool:
        """Whether the provider's answer is worth a look: `keep` will take it if it has no flaw."""
        return self.status in ("miss", "refresh") and not self._is_closed

    @property
    def age_ms(self) -> int:
        """Of a hit."""
        return 0 if self.entry is None else self.entry.age_ms(self._cache.now_ms())

    @property
    def saved_nano_usd(self) -> int:
        """What a hit does not cost again: what the answer cost when it was made, 0 where that is not known."""
        return 0 if self.entry is None else max(self.entry.cost_nano_usd, 0)

    def begin(self, wait_s: float) -> None:
        """Look in memory, then among those who are asking, then in Redis."""
        cache = self._cache
        if self.status == "bypass":
            cache.tally.bypasses += 1
            return
        if self.status == "refresh":
            cache.tally.refreshes += 1
            return
        if self._find():
            return
        if wait_s > 0:
            self._seat = cache.flights.board(self._key, self._resume, wait_s)
            if self._seat.waits:
                self.is_waiting = True
                return
        if cache.remote is not None and cache.remote.may_ask():
            self.is_waiting = True
            cache.remote.fetch(self._key, self._fetched)
            return
        cache.tally.misses += 1

    def keep(self, entry: Entry) -> None:
        """The provider's answer is whole: keep it if it has no flaw, and give it to those who wait.

        created_ms is set here; max_age_ms is what the target that answered allows, 0 for not at all
        """
        if not self.may_keep:
            return
        max_age_ms = min(entry.max_age_ms, self._terms.keep_ms)
        if (body_flaw(entry.body) if entry.reply is None else flaw(entry.reply)) or max_age_ms <= 0:
            self._cache.tally.flawed += 1
        else:
            self._cache.put(self._key, structs.replace(entry, created_ms=self._cache.now_ms(), max_age_ms=max_age_ms))
        self.close()

    def close(self) -> None:
        """The request is over, or its answer will not be kept: another one of those who wait asks. Harmless when called again."""
        self._is_closed = True
        self.is_waiting = False
        if self._seat is not None:
            self._cache.flights.leave(self._seat)

    def _find(self) -> bool:
        """Look in memory."""
        packed = self._cache.memory.get(self._key, self._cache.now_ms())
        return packed is not None and self._take(packed)

    def _take(self, packed: bytes) -> bool:
        """Answer by this, if it is an entry and young enough."""
        entry = unpack(packed)
        if entry is None or not entry.is_fresh(self._cache.now_ms(), self._terms.max_age_ms):
            return False
        self.entry = entry
        self.status = "hit"
        self._cache.tally.hits += 1
        self._cache.tally.saved_nano_usd += self.saved_nano_usd
        return True

    def _resume(self, packed: bytes | None) -> None:
        """The wait for another's answer is over."""
        if packed is not None and self._take(packed):
            self._cache.tally.waited += 1
        else:
            self._cache.tally.misses += 1
        self._go_on()

    def _fetched(self, packed: bytes | None) -> None:
        """Redis has answered, or failed to."""
        cache = self._cache
        entry = None if packed is None else unpack(packed)
        if packed is None or entry is None or not entry.is_fresh(cache.now_ms(), entry.max_age_ms):
            packed = None
        else:
            cache.memory.put(self._key, packed, entry.created_ms + entry.max_age_ms)
        if self._is_closed:
            return
        if packed is not None and self._take(packed):
            cache.tally.remote += 1
            cache.flights.answer(self._key, packed)
        else:
            cache.tally.misses += 1
        self._go_on()

    def _go_on(self) -> None:
        self.is_waiting = False
        self._called(self)
