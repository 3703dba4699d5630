"""Show the provider table: as lines for people, as objects for programs, and in the words that the documentation uses."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct, structs

from fastgw.providers.row import Provider, quirks_of
from fastgw.providers.settings import SETTINGS
from fastgw.providers.table import ROWS

SIGNS: Final = MappingProxyType(
    {
        "aws": "AWS Signature Version 4 (keys, role, or the place's own)",
        "google": "Google Cloud (service account, or the place's own)",
        "entra": "Entra (a token, client secret, managed or workload identity)",
        "oci": "OCI signature (API key of a user)",
        "ibm": "IBM Cloud (api_key is exchanged)",
        "none": "nothing",
    }
)
LIST_HEAD: Final = ("NAME", "TITLE", "SIGNS BY", "ADDRESS", "OPERATIONS")


def credential_of(row: Provider) -> str:
    """How a request is signed for, in words: by a key in a field, and what else there is."""
    field = f"{row.auth_field}: {row.auth_prefix}KEY"
    if row.auth in ("bearer", "field"):
        return field
    return SIGNS[row.auth] if row.auth == "ibm" else f"{SIGNS[row.auth]}, or {field}"


def settings_text(row: Provider) -> str:
    """The settings that the address needs, with what holds where none is stated."""
    defaults = (f' ("{row.defaults[place]}")' if place in row.defaults else "" for place in row.requires)
    return ", ".join(f"{place}{default}" for place, default in zip(row.requires, defaults, strict=True))


def as_object(row: Provider) -> dict[str, object]:
    """A row as JSON has it; what is empty is left out."""
    found = {name: plain(value) for name, value in structs.asdict(row).items()}
    found["quirks"] = {name: sorted(quirks_of(row, name)) for name in sorted(row.operations) if quirks_of(row, name)}
    return {name: value for name, value in found.items() if value not in ("", [], {}, False, None)}


def plain(value: object) -> object:
    """A value of a row in types that JSON has, sets in order."""
    if isinstance(value, Struct):
        return {name: shown for name, one in structs.asdict(value).items() if (shown := plain(one)) not in (None, [], {})}
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    return value


def list_lines(rows: tuple[Provider, ...] = ROWS) -> Iterator[str]:
    """One line a provider, in columns."""
    table = [LIST_HEAD]
    for row in rows:
        operations = " ".join(sorted(row.operations)) or "(passes only)"
        table.append((row.name, row.title, row.auth, row.base_url or "(base_url)", operations))
    widths = [max(len(line[column]) for line in table) for column in range(len(LIST_HEAD) - 1)]
    for line in table:
        yield "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]])


def row_lines(row: Provider) -> Iterator[str]:
    """Everything about one provider."""
    yield f"{row.name}: {row.title}"
    if row.note:
        yield f"  {row.note}"
    facts = {
        "documentation": row.docs_url,
        "also called": ", ".join(row.aliases),
        "address": ", ".join([row.base_url or "base_url must state it", *(f"{url} ({name})" for name, url in row.regional.items())]),
        "prefix": row.prefix,
        "signs by": credential_of(row),
        "adds": ", ".join(f"{name}: {value}" for name, value in row.extra_fields),
        "needs": "; ".join(f'{place}, such as "{SETTINGS[place].example}"' for place in row.requires),
        "operations": ", ".join(sorted(row.operations)) or "none: requests under /v1/ pass as they come",
        "translates to": ", then ".join(row.generation),
        "paths": ", ".join(f"{name}: {path}" for name, path in row.paths.items()),
        "streams": ", ".join(f"{name}: {path}" for name, path in row.stream_paths.items()),
        "quirks": "; ".join(f"{name}: {', '.join(sorted(names))}" for name, names in row.quirks.items()),
        "refuses": ", ".join(sorted(row.unsupported)),
        "prices of": ", ".join(row.catalog_ids),
    }
    yield from (f"  {name:<14}{text}" for name, text in facts.items() if text)
    for one in row.variants:
        operations = f": {', '.join(sorted(one.operations))}" if one.operations else ""
        yield f"  {'models':<14}{one.pattern} ({one.name}){operations}"
