"""Answers in Redis or Valkey, shared by all workers and machines: asked for a bounded time, and whatever goes wrong is a miss.

A value is its key and the entry: what a connection that lost count, or anything else, delivers for another key is not taken. The names hold
the format of entries, so that releases with different ones pass each other by.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Final, Protocol, cast

from fastgw.cache.entry import FORMAT
from fastgw.cache.key import KEY_BYTES
from fastgw.errors import error
from fastgw.snapshot.caching import CacheSettings

MOST_AT_ONCE: Final = 64  # commands on their way; what comes on top is a miss
FAILURES: Final = 3  # in a row before it is left alone
SCHEMES: Final = {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss"}

log = logging.getLogger("fastgw.cache")

Then = Callable[[bytes | None], None]


class Client(Protocol):
    """What is used of redis.asyncio.Redis."""

    async def getrange(self, key: str, start: int, end: int) -> bytes: ...

    async def set(self, name: str, value: bytes, *, px: int) -> object: ...

    async def aclose(self) -> None: ...


def open_client(url: str, settings: CacheSettings) -> Client:
    """A client that tries once. raises Unavailable where the URL is none or the package is not there"""
    scheme, colon, rest = url.partition("://")
    if scheme not in SCHEMES or not rest:
        raise error("Unavailable", f"expected a URL such as redis://HOST:6379/0 or valkey://HOST:6379/0 at gateway.cache.redis, got one "
                    f"with scheme {scheme[:16]!r}" if colon else "expected a URL at gateway.cache.redis, got something else")
    try:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ImportError as problem:
        raise error("Unavailable", "gateway.cache.redis needs the package redis: pip install 'fastgw[redis]'") from problem
    times = settings.timeouts
    try:
        client = Redis.from_url(
            f"{SCHEMES[scheme]}://{rest}", socket_connect_timeout=times.connect_ms / 1e3, socket_timeout=times.operation_ms / 1e3,
            retry=Retry(NoBackoff(), 0), max_connections=MOST_AT_ONCE,
        )
    except ValueError as problem:
        raise error("Unavailable", "expected a URL such as redis://HOST:6379/0 at gateway.cache.redis, got one that is not") from problem
    # its methods are declared to return an awaitable or a value, for the client that blocks
    return cast(Client, client)


class Circuit:
    """Whether to ask at all: not for `rest_ns` after FAILURES in a row; then one may try, and its success lets all ask again."""

    __slots__ = ("clock", "failures", "opened_ns", "rest_ns", "trying")

    def __init__(self, rest_ns: int, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self.rest_ns = rest_ns
        self.clock = clock
        self.failures = 0
        self.opened_ns = 0
        self.trying = False

    def __repr__(self) -> str:
        return f"<Circuit {'closed' if self.failures < FAILURES else 'open'} after {self.failures} failures>"

    def is_open(self) -> bool:
        """Whether it would be in vain to ask now."""
        return self.failures >= FAILURES and (self.trying or self.clock() - self.opened_ns < self.rest_ns)

    def begin(self) -> None:
        """Somebody asks."""
        self.trying = self.failures >= FAILURES

    def end(self, has_failed: bool) -> bool:
        """That somebody knows more now; True where it opens."""
        was_open = self.failures >= FAILURES and not self.trying
        self.trying = False
        self.failures = min(self.failures + 1, FAILURES) if has_failed else 0
        if was_open or self.failures < FAILURES:
            return False
        self.opened_ns = self.clock()
        return True


class RemoteStore:
    """Values by key in a server. Counts: failures, and what was skipped since too much was on its way or the circuit was open."""

    __slots__ = ("_client", "_get_s", "_limit", "_prefix", "_tasks", "circuit", "failures", "skipped")

    def __init__(self, client: Client, settings: CacheSettings, circuit: Circuit | None = None) -> None:
        times = settings.timeouts
        self._client = client
        self._get_s = (times.connect_ms + times.operation_ms) / 1e3
        self._limit = KEY_BYTES + settings.max_entry_bytes
        self._prefix = f"{settings.prefix}:{FORMAT}:"
        self._tasks: set[asyncio.Task[None]] = set()
        self.circuit = circuit or Circuit(times.rest_ms * 1_000_000)
        self.failures = self.skipped = 0

    def __repr__(self) -> str:
        return f"<RemoteStore at {self._prefix} {len(self._tasks)} on their way, {self.failures} failures, {self.circuit!r}>"

    def may_ask(self) -> bool:
        """Whether to ask now; where not, that is counted."""
        if len(self._tasks) < MOST_AT_ONCE and not self.circuit.is_open():
            return True
        self.skipped += 1
        return False

    def fetch(self, key: bytes, then: Then) -> None:
        """Ask for a value; `then` gets it, or None, from the event loop and within the limits of time."""
        self._start(self._get(key, then))

    def put(self, key: bytes, value: bytes, max_age_ms: int) -> None:
        """Keep a value, if that is possible; nobody waits for it."""
        if len(value) <= self._limit - KEY_BYTES and self.may_ask():
            self._start(self._set(key, value, max_age_ms))

    async def close(self) -> None:
        """Give up what is on its way, and the connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    async def _get(self, key: bytes, then: Then) -> None:
        value: bytes | None = None
        try:
            async with asyncio.timeout(self._get_s):
                # a range, so that whatever stands there is read up to the limit only
                found = await self._client.getrange(self._name(key), 0, self._limit)
            self.circuit.end(has_failed=False)
            if found[:KEY_BYTES] == key and len(found) <= self._limit:
                value = found[KEY_BYTES:]
        except Exception as problem:  # the edge of a background task
            self._fail(problem)
        then(value)

    async def _set(self, key: bytes, value: bytes, max_age_ms: int) -> None:
        try:
            async with asyncio.timeout(self._get_s):
                await self._client.set(self._name(key), key + value, px=max_age_ms)
            self.circuit.end(has_failed=False)
        except Exception as problem:  # the edge of a background task
            self._fail(problem)

    def _start(self, command: Coroutine[object, object, None]) -> None:
        self.circuit.begin()
        task = asyncio.get_running_loop().create_task(command)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _fail(self, problem: Exception) -> None:
        self.failures += 1
        if self.circuit.end(has_failed=True):
            log.warning("the cache in Redis is left alone for %.1f s: %s: %s", self.circuit.rest_ns / 1e9, type(problem).__name__, problem)

    def _name(self, key: bytes) -> str:
        return self._prefix + key.hex()
