"""The document that the control process publishes beside the configuration file, and what the two are together.

It has the shape of the file in JSON, without [gateway] and keys, and is replaced as a whole. What the file states is managed by the file: a
name that is in both is the file's. Secrets in it are sealed, or stand as they are; it may lead neither to variables nor to files, since who
may write to the store may not read everything that the gateway can.
"""

import json
import os
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from fastgw.snapshot.names import Place
from fastgw.snapshot.problem import ConfigError, Problem, Problems

PUBLISHED: Final = "published.json"
SECTIONS: Final = ("integrations", "models", "prices", "workspaces", "configs")
REFERENCES: Final = ("env:", "file:")

Tables = dict[str, dict[str, object]]

_decode = msgspec.json.Decoder(dict[str, object], float_hook=Decimal).decode


class Published(Struct, frozen=True):
    """What a published document states: its sections, and where it was read."""

    path: str
    tables: Tables


class Merged(Struct, frozen=True):
    """What file and published document state together.

    raw       sections as the file would have them
    own       (section, name) of what the published document alone states; shadowed: "section.name" of what is in both
    """

    raw: dict[str, object]
    own: frozenset[Place] = frozenset()
    shadowed: tuple[str, ...] = ()
    path: str = ""


def published_path(state: Path) -> Path:
    """Where the document is in a state directory."""
    return state / PUBLISHED


def publish(state: Path, tables: Mapping[str, object]) -> None:
    """Put a document in the place of the one before, at once and for good. raises OSError

    tables   the sections, of what JSON can say; amounts as Decimal, which loses nothing
    """
    import tempfile  # here: a worker only reads

    with tempfile.NamedTemporaryFile(dir=state, prefix=f"{PUBLISHED}.", delete=False) as draft:  # mode 0600
        try:
            draft.write(msgspec.json.Encoder(decimal_format="number").encode(tables))
            draft.flush()
            os.fsync(draft.fileno())
            os.rename(draft.name, published_path(state))
        except BaseException:
            os.unlink(draft.name)
            raise


def read_published(state: Path) -> Published | None:
    """The document in a state directory; None where there is none. raises ConfigError"""
    path = published_path(state)
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise refused(path, "", "a file that can be read", f"{error.strerror}") from None
    try:
        raw = _decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError):
        raise refused(path, "", "one JSON object", "something else") from None
    tables: Tables = {}
    for section, table in raw.items():
        if section not in SECTIONS:
            raise refused(path, section, f"one of {', '.join(SECTIONS)}", "another section")
        if not isinstance(table, dict):
            raise refused(path, section, "an object", "something else")
        tables[section] = table
    return Published(str(path), tables)


def refused(path: Path, place: str, expected: str, found: str) -> ConfigError:
    return ConfigError([Problem(place, expected, found, path=str(path))])


def merge(raw: dict[str, object], published: Published | None) -> Merged:
    """Both together; a section that is wrong in the file stays as the file has it."""
    if published is None:
        return Merged(raw)
    merged = dict(raw)
    own: set[Place] = set()
    shadowed: list[str] = []
    filed = raw.get("integrations", {})
    for section, table in published.tables.items():
        stated = raw.get(section, {})
        if section == "workspaces" and isinstance(filed, dict):
            # what the file has is for all workspaces, unless the file itself says for which
            table = {name: with_filed(row, filed) for name, row in table.items()}
        if isinstance(stated, dict):
            merged[section] = {**table, **stated}
            own.update((section, name) for name in table.keys() - stated.keys())
            shadowed += sorted(f"{section}.{name}" for name in table.keys() & stated.keys())
    return Merged(merged, frozenset(own), tuple(shadowed), published.path)


def with_filed(workspace: object, filed: Mapping[str, object]) -> object:
    """A published workspace with the integrations of the file beside those that are shared with it."""
    if not isinstance(workspace, dict) or not isinstance(workspace.get("integrations"), list):
        return workspace
    return {**workspace, "integrations": [*workspace["integrations"], *(name for name in filed if name not in workspace["integrations"])]}


def check_configs(merged: Merged, problems: Problems) -> None:
    """Saved configs, whose secrets are resolved when they are used, lead nowhere either."""
    configs = merged.raw.get("configs")
    for section, name in merged.own:
        if section == "configs" and isinstance(configs, dict) and any(one.startswith(REFERENCES) for one in texts_in(configs[name])):
            problems.add((section, name), "no references to variables or files", "one")


def texts_in(value: object) -> Iterator[str]:
    """Every text in a value of JSON, also in a text that is JSON itself."""
    if isinstance(value, dict):
        for member in value.values():
            yield from texts_in(member)
    elif isinstance(value, list):
        for item in value:
            yield from texts_in(item)
    elif isinstance(value, str):
        yield value
        if value.lstrip().startswith(("{", "[")):
            try:
                yield from texts_in(json.loads(value))
            except (ValueError, RecursionError):
                return      # no JSON: whoever reads it as such refuses it
