"""Promises of the cache as a whole: what the pipeline asks of it, with time and Redis under the test's control."""

from collections.abc import Callable

import pytest
from msgspec import structs

from fastgw.cache.entry import Entry, pack
from fastgw.cache.inquiry import Inquiry, ResponseCache
from fastgw.cache.remote import Circuit, RemoteStore
from fastgw.cache.wish import Terms
from fastgw.dialects.canonical import Choice, Reply, Text
from fastgw.snapshot.caching import CacheSettings
from tests.unit.cache.asking import NOW_MS, TERMS, entry
from tests.unit.cache.clockwork import Clockwork

KEY = b"k" * 32


class Nowhere:
    """A client that is never called."""

    async def getrange(self, key: str, start: int, end: int) -> bytes:
        raise NotImplementedError

    async def set(self, name: str, value: bytes, *, px: int) -> object:
        raise NotImplementedError

    async def aclose(self) -> None:
        raise NotImplementedError


class ScriptedStore(RemoteStore):
    """A remote store whose answers the test gives: `asked` holds what waits for one, `kept` what was put."""

    def __init__(self, settings: CacheSettings, clock: Callable[[], int]) -> None:
        super().__init__(Nowhere(), settings, Circuit(1, clock))
        self.asked: list[tuple[bytes, Callable[[bytes | None], None]]] = []
        self.kept: list[tuple[bytes, bytes, int]] = []

    def fetch(self, key: bytes, then: Callable[[bytes | None], None]) -> None:
        self.asked.append((key, then))

    def put(self, key: bytes, value: bytes, max_age_ms: int) -> None:
        self.kept.append((key, value, max_age_ms))


class World:
    """A cache, its loop, and the inquiries that were called back."""

    def __init__(self, settings: CacheSettings | None = None, has_remote: bool = False) -> None:
        settings = settings or CacheSettings()
        self.loop = Clockwork()
        self.called: list[Inquiry] = []
        self.remote = ScriptedStore(settings, lambda: 0) if has_remote else None
        self.cache = ResponseCache(settings, self.now_ms, self.loop.call_soon, self.loop.call_later, self.remote)

    def now_ms(self) -> int:
        return NOW_MS + int(self.loop.now_s * 1000)

    def ask(self, terms: Terms = TERMS, key: bytes | None = KEY) -> Inquiry:
        return self.cache.ask(key, terms, self.called.append)


@pytest.fixture
def world() -> World:
    return World()


def test_second_request_is_answered_from_the_first(world: World) -> None:
    """A miss is kept once its answer is whole; the same question is then a hit, with its age and what it saved."""
    first = world.ask()
    assert (first.status, first.entry, first.is_waiting, first.may_keep) == ("miss", None, False, True)
    first.keep(entry())
    world.loop.pass_s(12.5)
    second = world.ask()
    assert (second.status, second.is_waiting, second.age_ms, second.saved_nano_usd) == ("hit", False, 12_500, 5_000)
    assert second.entry == entry(created_ms=NOW_MS, max_age_ms=60_000)
    tally = world.cache.tally
    assert (tally.misses, tally.kept, tally.hits, tally.saved_nano_usd, tally.waited) == (1, 1, 1, 5_000, 0)


def test_answer_is_gone_when_its_time_is_over(world: World) -> None:
    """After max_age the provider is asked again."""
    world.ask().keep(entry())
    world.loop.pass_s(59.999)
    assert world.ask().status == "hit"
    world.loop.pass_s(0.001)
    assert world.ask().status == "miss"


def test_asker_may_want_it_younger(world: World) -> None:
    """What is too old for one is a hit for another, and the younger answer takes its place."""
    world.ask().keep(entry("old"))
    world.loop.pass_s(30)
    picky = world.ask(Terms("miss", 10_000, 60_000))
    assert picky.status == "miss"
    assert world.ask().status == "hit"
    picky.keep(entry("new"))
    found = world.ask(Terms("miss", 10_000, 60_000)).entry
    assert found is not None and found.reply == entry("new").reply


def test_refresh_asks_and_keeps(world: World) -> None:
    """A refresh does not look, does not wait, and puts its answer in the place of the old one."""
    world.ask().keep(entry("old"))
    refresh = world.ask(Terms("refresh", 60_000, 60_000))
    assert (refresh.status, refresh.entry, refresh.is_waiting) == ("refresh", None, False)
    refresh.keep(entry("new"))
    found = world.ask().entry
    assert found is not None and found.reply == entry("new").reply
    assert world.cache.tally.refreshes == 1


@pytest.mark.parametrize(("terms", "key"), [(Terms("bypass"), KEY), (TERMS, None)])
def test_bypass_leaves_all_alone(world: World, terms: Terms, key: bytes | None) -> None:
    """Whoever wants no cache, or has no key, is neither answered from it nor kept, and nobody waits for it."""
    world.ask().keep(entry())
    one = world.ask(terms, key)
    assert (one.status, one.entry, one.may_keep) == ("bypass", None, False)
    one.keep(entry("other"))
    one.close()
    assert (world.cache.tally.bypasses, world.cache.tally.kept, len(world.cache.flights)) == (1, 1, 0)


def test_same_question_at_the_same_time_is_asked_once(world: World) -> None:
    """Those who ask while it is being answered wait, and are all hits of that one answer."""
    leader = world.ask()
    others = [world.ask() for _ in range(3)]
    assert all(other.is_waiting for other in others)
    leader.keep(entry())
    assert world.called == []
    world.loop.run()
    assert world.called == others
    assert [(other.status, other.is_waiting, other.age_ms) for other in others] == [("hit", False, 0)] * 3
    assert (world.cache.tally.waited, world.cache.tally.hits) == (3, 3)


@pytest.mark.parametrize(
    "spoilt",
    [
        structs.replace(entry(), reply=Reply(choices=[Choice([Text("H")], "length")])),
        structs.replace(entry(), reply=None, body=b'{"error": {}}'),
        entry(max_age_ms=0),
        entry("x" * 2_000_000),
    ],
    ids=["cut", "error", "target keeps nothing", "too large"],
)
def test_answer_that_is_not_kept_makes_another_one_ask(world: World, spoilt: Entry) -> None:
    """A flawed or too large answer is for its own caller only: the next in line asks."""
    leader, heir, other = world.ask(), world.ask(), world.ask()
    leader.keep(spoilt)
    world.loop.run()
    assert world.called == [heir] and (heir.status, heir.entry, heir.is_waiting) == ("miss", None, False)
    heir.keep(entry())
    world.loop.run()
    assert world.called == [heir, other] and other.status == "hit"
    assert world.cache.tally.flawed + world.cache.tally.too_large == 1


def test_leader_whose_caller_goes_away_hands_over(world: World) -> None:
    """Closing is enough, and closing again does nothing."""
    leader, heir = world.ask(), world.ask()
    leader.close()
    leader.close()
    leader.keep(entry())
    world.loop.run()
    assert world.called == [heir] and heir.status == "miss"
    assert world.cache.tally.kept == 0, "what was closed keeps nothing"


def test_one_who_goes_away_while_waiting_is_not_called(world: World) -> None:
    """A closed inquiry is never called back."""
    leader, gone = world.ask(), world.ask()
    gone.close()
    leader.keep(entry())
    world.loop.pass_s(100)
    assert world.called == []


def test_waiting_has_an_end(world: World) -> None:
    """After wait_ms a request asks for itself, beside the one that takes so long; the first answer serves all others."""
    slow, hasty = world.ask(), world.ask()
    world.loop.pass_s(29)
    late = world.ask()
    world.loop.pass_s(1)
    assert world.called == [hasty] and (hasty.status, hasty.is_waiting) == ("miss", False)
    hasty.keep(entry("sooner"))
    world.loop.run()
    assert world.called == [hasty, late] and late.status == "hit"
    slow.keep(entry("later"))
    found = world.ask().entry
    assert found is not None and found.reply == entry("later").reply


def test_own_deadline_ends_the_wait_sooner(world: World) -> None:
    """A request waits no longer than its own deadline leaves it."""
    world.ask()
    hurried = world.cache.ask(KEY, TERMS, world.called.append, most_wait_s=2.0)
    world.loop.pass_s(2)
    assert world.called == [hurried] and hurried.status == "miss"
    assert not world.cache.ask(KEY, TERMS, world.called.append, most_wait_s=0.0).is_waiting


def test_waiting_can_be_turned_off() -> None:
    """With wait_ms = 0 each asks for itself."""
    world = World(CacheSettings(wait_ms=0))
    first, second = world.ask(), world.ask()
    assert not second.is_waiting and len(world.cache.flights) == 0
    second.keep(entry())
    first.keep(entry())
    assert world.ask().status == "hit"


def test_memory_of_nothing_still_shares_what_is_in_the_air() -> None:
    """With max_bytes = 0 nothing is kept, but who waits gets the answer."""
    world = World(CacheSettings(max_bytes=0))
    leader, other = world.ask(), world.ask()
    leader.keep(entry())
    world.loop.run()
    assert other.status == "hit" and world.ask().status == "miss"


def test_target_may_shorten_how_long_an_answer_is_kept(world: World) -> None:
    """The lesser of the request's and the target's time counts."""
    world.ask().keep(entry(max_age_ms=1_000))
    world.loop.pass_s(1)
    assert world.ask().status == "miss"


def test_redis_is_asked_by_the_leader_only() -> None:
    """What memory does not have is fetched once; all who wait get it, and memory has it from then on."""
    world = World(has_remote=True)
    assert world.remote is not None
    leader, other = world.ask(), world.ask()
    assert leader.is_waiting and other.is_waiting and len(world.remote.asked) == 1
    key, then = world.remote.asked[0]
    then(pack(entry(created_ms=NOW_MS - 7_000, max_age_ms=60_000)))
    assert key == KEY and world.called == [leader] and (leader.status, leader.age_ms) == ("hit", 7_000)
    world.loop.run()
    assert world.called == [leader, other] and other.status == "hit"
    assert (world.ask().status, len(world.remote.asked), world.cache.tally.remote) == ("hit", 1, 1)


@pytest.mark.parametrize(
    "answer",
    [None, b"junk", pack(entry(created_ms=NOW_MS - 60_000, max_age_ms=60_000)), pack(entry(created_ms=NOW_MS - 61_000, max_age_ms=90_000))],
    ids=["nothing", "junk", "too old", "too old for this one"],
)
def test_what_redis_does_not_have_is_asked_for_and_put_there(answer: bytes | None) -> None:
    """A miss in Redis is a miss; the answer goes to both stores."""
    world = World(has_remote=True)
    assert world.remote is not None
    leader, other = world.ask(), world.ask()
    world.remote.asked[0][1](answer)
    assert world.called == [leader] and (leader.status, leader.is_waiting) == ("miss", False)
    leader.keep(entry())
    world.loop.run()
    assert other.status == "hit"
    assert world.remote.kept == [(KEY, pack(entry(created_ms=NOW_MS, max_age_ms=60_000)), 60_000)]


def test_caller_that_leaves_while_redis_is_asked_hands_over() -> None:
    """The heir asks the provider at once; what Redis says later is kept, and nobody is called for it."""
    world = World(has_remote=True)
    assert world.remote is not None
    leader, heir = world.ask(), world.ask()
    leader.close()
    world.loop.run()
    assert world.called == [heir] and heir.status == "miss"
    world.remote.asked[0][1](pack(entry(created_ms=NOW_MS, max_age_ms=60_000)))
    assert world.called == [heir]
    assert world.ask().status == "hit"


def test_redis_that_must_not_be_asked_is_not_waited_for() -> None:
    """With an open circuit the provider is asked at once."""
    world = World(has_remote=True)
    assert world.remote is not None
    for _ in range(3):
        world.remote.circuit.end(has_failed=True)
    assert not world.ask().is_waiting
    assert (world.remote.asked, world.remote.skipped) == ([], 1)


def test_plain_bodies_are_kept_as_they_are(world: World) -> None:
    """An answer that no dialect writes comes back byte for byte."""
    body = b'{"data": [{"embedding": [0.1]}]}'
    world.ask().keep(Entry(operation="embeddings", body=body))
    found = world.ask().entry
    assert found is not None and (found.body, found.reply, found.operation) == (body, None, "embeddings")
    assert world.ask().saved_nano_usd == 0, "an unknown cost saves nothing that is known"
