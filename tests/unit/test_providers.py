"""Promises of the provider table: the documentation shows it, and addresses resolve as it says."""

from pathlib import Path

import pytest

from fastgw.meter.catalog import Catalog
from fastgw.providers.table import OPERATIONS, PROVIDERS, ROWS, Provider, UsageDialect, upstream_of
from tools.compile_prices import compile_prices

PAGE = Path(__file__).parents[2] / "docs" / "providers.md"


def page_row(row: Provider) -> str:
    """The line of docs/providers.md that shows a provider."""
    limits = ", ".join(f"{operation}: `{'.'.join(path)}`" for operation, path in sorted(row.output_limit.items()))
    address = f"`{row.base_url}`" if row.base_url else "required"
    return (
        f"| `{row.name}` | {address} | {f'`{row.prefix}`' if row.prefix else ''} "
        f"| `{row.auth_field}: {row.auth_prefix}KEY` | {', '.join(sorted(row.operations))} | {limits} "
        f"| {', '.join(f'`{name}`' for name in row.catalog_ids)} |"
    )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_page_shows_each_provider_as_it_is(row: Provider) -> None:
    """The line of the documentation is what the table says."""
    assert page_row(row) in PAGE.read_text().splitlines()


def test_page_shows_each_operation_with_its_dialect() -> None:
    """Every operation stands in the documentation."""
    lines = PAGE.read_text().splitlines()
    for operation, dialect in OPERATIONS.items():
        assert f"| {operation} | `{dialect}` |" in lines


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row_is_consistent(row: Provider) -> None:
    """A row serves known operations, bounds only what it serves, and signs in lower case as fields are compared."""
    assert PROVIDERS[row.name] is row
    assert row.operations <= set(OPERATIONS)
    assert set(row.output_limit) <= row.operations
    assert row.auth_field == row.auth_field.lower()
    assert all(name == name.lower() for name, _ in row.extra_fields)
    assert not row.stream_options or row.usage is UsageDialect.OPENAI
    assert bool(row.versioned_prefix) == bool(row.version_query)


def test_every_name_in_the_price_table_exists(tmp_path: Path) -> None:
    """A provider is priced by tables that there are."""
    compile_prices(tmp_path / "prices.json")
    table = Catalog.load(tmp_path / "prices.json").table
    assert table.providers == {row.name: row.catalog_ids for row in ROWS}
    assert {name for names in table.providers.values() for name in names} <= set(table.rows)


@pytest.mark.parametrize(
    ("provider", "base_url", "api_version", "expected"),
    [
        ("openai", "", "", ("https", "api.openai.com", 443, "/v1", "")),
        ("openai", "http://127.0.0.1:9001", "", ("http", "127.0.0.1", 9001, "/v1", "")),
        ("openai", "http://127.0.0.1:9001/", "", ("http", "127.0.0.1", 9001, "/v1", "")),
        ("openai", "http://127.0.0.1:9001/v1/", "", ("http", "127.0.0.1", 9001, "/v1", "")),
        ("openai-compatible", "https://api.example/open/v2", "", ("https", "api.example", 443, "/open/v2", "")),
        ("anthropic", "", "", ("https", "api.anthropic.com", 443, "/v1", "")),
        ("gemini", "", "", ("https", "generativelanguage.googleapis.com", 443, "", "")),
        ("gemini", "http://[::1]:80", "", ("http", "::1", 80, "", "")),
        ("azure-openai", "https://x.openai.azure.com", "", ("https", "x.openai.azure.com", 443, "/openai/v1", "")),
        (
            "azure-openai", "https://x.openai.azure.com", "2024-10-21",
            ("https", "x.openai.azure.com", 443, "/openai/deployments/{model}", "api-version=2024-10-21"),
        ),
        ("openai", "", "2024-10-21", ("https", "api.openai.com", 443, "/v1", "")),
    ],
)  # fmt: skip
def test_address_without_a_path_gets_the_providers_prefix(
    provider: str, base_url: str, api_version: str, expected: tuple[str, str, int, str, str]
) -> None:
    """A path of the address is kept, and the provider's own is put where there is none."""
    found = upstream_of(PROVIDERS[provider], base_url, api_version)
    assert (found.scheme, found.host, found.port, found.prefix, found.query) == expected


@pytest.mark.parametrize(
    "base_url",
    [
        "127.0.0.1:9001", "ftp://host", "http://", "http:///v1", "http://host?x=1", "http://host#x", "http://host?",
        "http://user:password@host", "http://host:99999", "http://host:port", "http://ho st", "http://host/\r\nx: y",
        "http://[::1", "http://h\u00f6st", "http://host:0",
    ],
)  # fmt: skip
def test_address_of_another_form_is_refused(base_url: str) -> None:
    """What is not http(s)://host[:port][/path] is no address."""
    with pytest.raises(ValueError):
        upstream_of(PROVIDERS["openai"], base_url)


def test_address_must_be_known() -> None:
    """A provider without an address of its own needs one."""
    with pytest.raises(ValueError):
        upstream_of(PROVIDERS["azure-openai"])
