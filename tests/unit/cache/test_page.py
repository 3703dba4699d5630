"""What docs/cache.md says is what the code does: settings, names in lists, finishes, statuses, fields."""

import re
import tomllib
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from fastgw.cache.entry import FINISHES
from fastgw.cache.key import GARNISH, OUTSIDE
from fastgw.cache.wish import PORTKEY_WORDS, STATUSES, Wish, read_wish
from fastgw.snapshot.caching import MOST_AGE_S, OPERATIONS, CacheSettings, CacheTimeouts, Caching
from fastgw.snapshot.problem import Problems
from fastgw.snapshot.read import Reader

PAGE = (Path(__file__).parents[3] / "docs" / "cache.md").read_text(encoding="utf-8")
ROWS = [tuple(re.split(r"\s*\|\s*", line.strip("| "))) for line in PAGE.splitlines() if line.startswith("| `")]


def stated(kind: type[msgspec.Struct], prefix: str = "") -> dict[str, str]:
    """The fields of a section with their defaults, as the page shows them."""
    found: dict[str, str] = {}
    for row in structs.fields(kind):
        if row.name == "timeouts":
            found |= stated(CacheTimeouts, "timeouts.")
        else:
            found[f"`{prefix}{row.name}`"] = "" if row.default is None else msgspec.json.encode(row.default).decode()
    return found


def test_settings_and_their_defaults_are_those_of_the_sections() -> None:
    """Both tables have every field and its default."""
    shown = {cells[0]: cells[1] for cells in ROWS if len(cells) == 3}
    expected = stated(CacheSettings) | stated(Caching)
    expected |= {"`max_age_s`": "as `[gateway.cache]`", "`operations`": "all"}
    assert {name: shown.get(name) for name in expected} == expected
    assert f"at most {MOST_AGE_S}" in PAGE
    assert all(f"`{name}`" in PAGE for name in OPERATIONS)
    assert "| `max_age_s` | 3600 |" in PAGE


def test_example_is_read() -> None:
    """The example's tables are settings of a cache and of two models, and a secret comes from the environment."""
    example = re.search(r"```toml\n(.*?)```", PAGE, re.S)
    assert example is not None
    written = tomllib.loads(example[1])
    problems = Problems()
    reader = Reader({"CACHE_URL": "redis://:secret@cache:6379/0"}, problems)
    settings = reader.read(CacheSettings, written["gateway"]["cache"], ("gateway", "cache"))
    fast, search = (reader.read(Caching, written["models"][name]["cache"], ("models", name, "cache")) for name in ("fast", "search"))
    assert problems.found == []
    assert isinstance(settings, CacheSettings) and settings.redis is not None and "secret" not in repr(settings)
    assert fast == Caching(mode="exact", max_age_s=600, scope="key", namespace="june")
    assert search == Caching(mode="exact", operations=("embeddings",))


@pytest.mark.parametrize(
    "table",
    [{"mode": "semantic"}, {"max_age_s": 0}, {"max_age_s": MOST_AGE_S + 1}, {"scope": "all"}, {"namespace": "a b"}, {"operations": ["x"]},
     {"ttl": 5}],
)  # fmt: skip
def test_wrong_tables_are_refused(table: dict[str, object]) -> None:
    """Unknown names and values out of range are problems of the file."""
    problems = Problems()
    Reader({}, problems).read(Caching, table, ("cache",))
    assert len(problems.found) == 1


def test_names_in_lists_are_those_of_the_code() -> None:
    """What is left out of the key, and what is never cached, is listed by name."""
    left_out = PAGE.split("Not in it:")[1].split("The order of members")[0]
    assert {f"`{name}`" for name in GARNISH} <= set(re.findall(r"`[^`]+`", left_out)) | {"`cache_control`"}
    never = PAGE.split("## What is never cached")[1].split("And of answers")[0]
    assert {f"`{name}`" for name in OUTSIDE} <= set(re.findall(r"`[^`]+`", never))


def test_finishes_that_are_kept_stand_in_one_row() -> None:
    """The row that says yes has exactly the finishes that are kept."""
    kept = next(cells[0] for cells in ROWS if cells[-1] == "yes")
    assert set(re.findall(r"`(\w+)`", kept)) == FINISHES


def test_statuses_are_those_of_the_code() -> None:
    """Each status stands with Portkey's word for it."""
    shown = {cells[0].strip("`"): cells[1].strip("`") for cells in ROWS if len(cells) == 3 and cells[0].strip("`") in STATUSES}
    assert shown == {status: word for status, word in PORTKEY_WORDS.items() if status}


@pytest.mark.parametrize(
    ("shown", "wish"),
    [("`cache-control: no-store`", Wish(bypass=True)), ("`cache-control: no-cache` or `max-age=0`", Wish(refresh=True)),
     ("`cache-control: max-age=60`", Wish(max_age_s=60))],
)  # fmt: skip
def test_fields_of_requests_do_what_the_page_says(shown: str, wish: Wish) -> None:
    """Each row of cache-control is read to the wish that it describes."""
    assert any(cells[0] == shown for cells in ROWS)
    for field in re.findall(r"(?:cache-control: )?([\w=-]+)`", shown):
        assert read_wish(field) == wish
