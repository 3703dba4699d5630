"""Render the provider table: the tables of docs/providers.md, between two marks, and the console's list to choose from.

Run: python -m tools.render_providers
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from fastgw.providers.listing import credential_of, settings_text
from fastgw.providers.operations import LIMITS, OPERATIONS, PATHS
from fastgw.providers.row import Provider, apply_variant
from fastgw.providers.settings import SETTINGS
from fastgw.providers.table import KINDS, ROWS

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "providers.md"
CONSOLE = ROOT / "console" / "src" / "lib" / "providers.json"
BEGIN = "<!-- rendered from fastgw/providers by python -m tools.render_providers; do not edit -->"
END = "<!-- end of what is rendered -->"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """A table of Markdown, and an empty line."""
    names = list(head)
    yield f"| {' | '.join(names)} |"
    yield "|---" * len(names) + "|"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
    yield ""


def code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def provider_cells(row: Provider) -> Iterator[str]:
    """The line of a provider."""
    yield f"`{row.name}`" + (f" ({', '.join(row.aliases)})" if row.aliases else "")
    yield f"[{row.title}]({row.docs_url})" + (f": {row.note}" if row.note else "")
    yield f"`{row.base_url}`" if row.base_url else "`base_url` is required"
    yield f"`{row.prefix}`" if row.prefix else ""
    yield credential_of(row)
    yield ", ".join(sorted(row.operations)) or "passes only"
    yield settings_text(row)
    yield ", ".join(row.catalog_ids)


def quirk_cells(row: Provider, name: str) -> Iterator[str]:
    yield name
    yield "; ".join(f"{operation}: {', '.join(sorted(names))}" for operation, names in sorted(row.quirks.items()))
    yield ", ".join(sorted(row.unsupported))


def path_rows(row: Provider, name: str) -> Iterator[tuple[str, str, str]]:
    for operation, path in row.paths.items():
        stream = row.stream_paths.get(operation, path)
        yield name, operation, f"`{path}`" if stream == path else f"`{path}`, streams `{stream}`"


def rendered() -> Iterator[str]:
    """The lines between the marks."""
    for title, rows in KINDS:
        yield from (f"## {title}", "")
        head = ("provider (also)", "what it is", "address", "prefix", "credential", "operations", "settings", "prices of")
        yield from table(head, (provider_cells(row) for row in rows))
    variants = [(f"`{row.name}`: {one.name}", one.pattern, apply_variant(row, one)) for row in ROWS for one in row.variants]
    yield from ("## Models that are asked otherwise", "", "By the name of the model, whatever its case; the first that matches holds.", "")
    yield from table(
        ("provider", "models", "operations"),
        ((name, f"`{pattern}`", ", ".join(sorted(one.operations))) for name, pattern, one in variants),
    )
    every = [(f"`{row.name}`", row) for row in ROWS] + [(name, one) for name, _, one in variants]
    yield from ("## Quirks", "", "What the writer of a dialect does otherwise for a provider, and which members of a chat it refuses.", "")
    yield from table(
        ("provider", "quirks", "refuses"), (quirk_cells(row, name) for name, row in every if row.quirks or row.unsupported)
    )
    yield from ("## Paths", "", "Where they are not the usual ones. `^` stands in the place of the prefix.", "")
    yield from table(("provider", "operation", "path"), (cells for name, row in every for cells in path_rows(row, name)))
    yield from ("## Operations", "")
    yield from table(
        ("operation", "dialect of the body", "usual path", "usual output limit"),
        (
            (name, f"`{dialect}`", f"`{PATHS[name]}`" if name in PATHS else "", f"`{'.'.join(LIMITS[name])}`" if name in LIMITS else "")
            for name, dialect in OPERATIONS.items()
        ),
    )


def render(page: str) -> str:
    """The page with its tables rendered anew.

    raises  ValueError where the marks are not there
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"expected the marks {BEGIN!r} and {END!r}")
    return "\n".join([f"{before}{BEGIN}", "", *rendered()]) + f"{END}{after}"


def console_row(kind: str, row: Provider) -> dict[str, object]:
    """What the console needs of a provider to ask for its fields; what is empty is left out."""
    told = {
        "name": row.name, "title": row.title, "kind": kind, "auth": row.auth, "base_url": row.base_url, "note": row.note,
        "docs": row.docs_url, "requires": list(row.requires), "defaults": dict(row.defaults), "versioned": bool(row.version_query),
    }  # fmt: skip
    return {name: value for name, value in told.items() if value}


def console_list() -> str:
    """The providers and what their settings mean, as JSON with a line for each."""
    rows = ",\n".join(json.dumps(console_row(kind, row)) for kind, of_kind in KINDS for row in of_kind)
    settings = {place: {"meaning": one.meaning, "example": one.example} for place, one in SETTINGS.items()}
    return f'{{"settings": {json.dumps(settings)},\n"providers": [\n{rows}\n]}}\n'


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    CONSOLE.write_text(console_list(), encoding="utf-8")
