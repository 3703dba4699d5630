"""Promises of wishes and terms: a request may ask for less of the cache than the configuration allows, never for more."""

from typing import get_args

import pytest

from fastgw.cache.wish import (
    NO_WISH,
    PORTKEY_WORDS,
    STATUSES,
    Status,
    Terms,
    Wish,
    read_wish,
    reply_fields,
    space_of,
    terms_of,
)
from fastgw.portkey.reply import CacheStatus
from fastgw.snapshot.caching import CacheSettings, Caching

EXACT = Caching(mode="exact", max_age_s=600)
SETTINGS = CacheSettings()


@pytest.mark.parametrize(
    ("field", "wish"),
    [
        ("", NO_WISH),
        ("no-cache", Wish(refresh=True)),
        ("No-Cache , no-transform", Wish(refresh=True)),
        ("no-store", Wish(bypass=True)),
        ("max-age=60", Wish(max_age_s=60)),
        ("MAX-AGE = \"60\", must-understand", Wish(max_age_s=60)),
        ("max-age=0", Wish(refresh=True)),
        ("max-age=-1", NO_WISH),
        ("max-age=soon", NO_WISH),
        ("max-age=", NO_WISH),
        ("max-age=" + "9" * 5_000, Wish(max_age_s=9_999_999_999)),
        ("max-age=\u00b2", NO_WISH),
        ("only-if-cached", NO_WISH),
        (",,=,", NO_WISH),
    ],
)  # fmt: skip
def test_cache_control_is_read_as_rfc_9111_has_it(field: str, wish: Wish) -> None:
    """no-store leaves the cache alone, no-cache asks anew, max-age bounds what is taken; all else says nothing."""
    assert read_wish(field) == wish


def test_portkeys_fields_are_wishes() -> None:
    """Force-refresh refreshes, debug false leaves the cache alone, a ttl bounds what is kept, a namespace sets apart."""
    assert read_wish(refresh=True) == Wish(refresh=True)
    assert read_wish(keeps_bodies=False) == Wish(bypass=True)
    assert read_wish(keep_s=60, namespace="n") == Wish(keep_s=60, namespace="n")
    assert read_wish(keep_s=0) == NO_WISH


@pytest.mark.parametrize(
    ("wish", "terms"),
    [
        (NO_WISH, Terms("miss", 600_000, 600_000)),
        (Wish(max_age_s=60), Terms("miss", 60_000, 600_000)),
        (Wish(keep_s=60), Terms("miss", 600_000, 60_000)),
        (Wish(max_age_s=10**9, keep_s=10**9), Terms("miss", 600_000, 600_000)),
        (Wish(refresh=True), Terms("refresh", 600_000, 600_000)),
        (Wish(refresh=True, bypass=True), Terms("bypass")),
    ],
)
def test_wishes_only_narrow_what_is_configured(wish: Wish, terms: Terms) -> None:
    """Ages are at most what the configuration says."""
    assert terms_of(EXACT, "chat", wish, SETTINGS) == terms


def test_no_wish_makes_a_cache() -> None:
    """Without a cache table, with mode off, or for an operation that is not named, there are no terms."""
    assert terms_of(None, "chat", NO_WISH, SETTINGS) is None
    assert terms_of(Caching(), "chat", NO_WISH, SETTINGS) is None
    assert terms_of(Caching(mode="exact", operations=("chat",)), "messages", NO_WISH, SETTINGS) is None
    assert terms_of(EXACT, "images", NO_WISH, SETTINGS) is None


def test_age_is_the_gateways_where_a_table_states_none() -> None:
    """[gateway.cache].max_age_s is the default."""
    assert terms_of(Caching(mode="exact"), "chat", NO_WISH, CacheSettings(max_age_s=7)) == Terms("miss", 7_000, 7_000)


def test_scope_says_who_shares() -> None:
    """By workspace all its keys share; by key each has its own; namespaces of file and request are two."""
    shared = space_of(Caching(mode="exact", namespace="a"), Wish(namespace="b"), "team", "app-1", "fast", b"r")
    assert (shared.workspace, shared.key, shared.alias, shared.route, shared.namespaces) == ("team", "", "fast", b"r", ("a", "b"))
    assert space_of(Caching(mode="exact", scope="key"), NO_WISH, "team", "app-1", "fast", b"r").key == "app-1"


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        ("", b""),
        ("miss", b"x-fastgw-cache: miss\r\n"),
        ("refresh", b"x-fastgw-cache: refresh\r\n"),
        ("bypass", b"x-fastgw-cache: bypass\r\n"),
        ("hit", b"x-fastgw-cache: hit\r\nage: 61\r\n"),
    ],
)  # fmt: skip
def test_reply_says_what_the_cache_did(status: Status, fields: bytes) -> None:
    """A hit states its age in whole seconds."""
    assert reply_fields(status, 61_999) == fields


def test_every_status_has_a_place_in_records_and_a_word_of_portkeys() -> None:
    """The names are complete, and Portkey's are those that its replies may carry."""
    assert STATUSES == get_args(Status)
    assert tuple(PORTKEY_WORDS) == STATUSES
    assert set(PORTKEY_WORDS.values()) <= set(get_args(CacheStatus))
