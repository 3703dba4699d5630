"""Promises of ways: a setting changes the path that it is for and no other, and the caller's own path stays where nothing does."""

import pytest

from fastgw.providers.address import upstream_of
from fastgw.providers.table import PROVIDERS
from fastgw.snapshot.types import Way
from fastgw.snapshot.ways import OPENAI, place, ways_of


def way(provider: str, operation: str, **settings: str) -> Way:
    row = PROVIDERS[provider]
    return ways_of(row, upstream_of(row), {**{name.rpartition(".")[2]: value for name, value in row.defaults.items()}, **settings})[
        place(operation, OPENAI)
    ]


@pytest.mark.parametrize(
    ("provider", "operation", "settings", "path", "prefix"),
    [
        ("mistral-ai", "chat", {}, None, None), ("mistral-ai", "chat", {"chat": "fim"}, b"/v1/fim/completions", None),
        ("mistral-ai", "embeddings", {"chat": "fim"}, None, None), ("fireworks-ai", "proxy", {}, None, None),
        ("fireworks-ai", "proxy", {"account_id": "acme"}, None, b"/v1/accounts/acme"),
        ("fireworks-ai", "chat", {"account_id": "acme"}, None, None),
    ],
)  # fmt: skip
def test_setting_changes_its_path_only(provider: str, operation: str, settings: dict[str, str], path: object, prefix: object) -> None:
    """Without it a caller's path is its own, whose rendered heads are kept."""
    found = way(provider, operation, **settings)
    assert (found.path, found.stream_path, found.prefix) == (path, path, prefix)
