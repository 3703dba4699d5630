"""Imports point down: what each module of fastgw imports is compared with one table of layers."""
import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent

# From the top down; a module may import what stands in a row below its own. The longest name that fits it places it.
LAYERS = (
    ("__main__",),
    ("cli",),
    ("commands",),
    ("launch",),
    ("edge", "granian"),
    ("serve",),
    ("asgi",),
    ("bench", "control", "imports", "mock", "worker"),
    ("place",),
    ("pipeline", "surfaces", "mcp", "portkey"),
    ("snapshot", "snapshot.compile", "snapshot.watch", "cluster"),
    ("auth", "admit", "cache", "guard", "route", "dialects", "providers", "upstream", "meter", "record"),
    ("errors", "clock", "exchange", "snapshot.types", "snapshot.shares", "snapshot.config", "snapshot.routes", "snapshot.caching",
     "snapshot.section", "snapshot.secret", "snapshot.credentials", "dialects.canonical", "dialects.notes"),
    ("_core",),
)
# Rows whose members may import one another; in the others each keeps to itself and to what is below.
OPEN_ROWS = (
    ("pipeline", "surfaces", "mcp", "portkey"),
    ("snapshot", "snapshot.compile", "snapshot.watch", "cluster"),
    ("errors", "clock", "exchange", "snapshot.types", "snapshot.shares", "snapshot.config", "snapshot.routes", "snapshot.caching",
     "snapshot.section", "snapshot.secret", "snapshot.credentials", "dialects.canonical", "dialects.notes"),
)
CIMPORT = re.compile(
    r"^\s*(?:from\s+([\w.]+)\s+(?:cimport|import)\s+\(?([^#)\n]*)|(?:cimport|import)\s+([\w.]+))", re.M
)


class Import(NamedTuple):
    """One import of something of ours: by whom, of what, where."""

    importer: str
    imported: str
    place: str


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT / "fastgw").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def python_imports(path: Path, text: str) -> Iterator[tuple[str, int]]:
    """Yield the absolute dotted names that a Python file imports, with their lines; TYPE_CHECKING ones too."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import hides where it points"
            # What is taken out may be a module itself: `from fastgw.snapshot import types`.
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def cython_imports(text: str) -> Iterator[tuple[str, int]]:
    for match in CIMPORT.finditer(text):
        line = text.count("\n", 0, match.start(match.lastindex or 0)) + 1
        if match[3]:
            yield match[3], line
        else:
            names = [name.split(" as ")[0].strip() for name in match[2].split(",")]
            yield from ((f"{match[1]}.{name}" if name else match[1], line) for name in names)


def imports_of(path: Path) -> Iterator[Import]:
    text = path.read_text(encoding="utf-8")
    found = python_imports(path, text) if path.suffix == ".py" else cython_imports(text)
    for name, line in found:
        if name.startswith("fastgw."):
            yield Import(module_name(path), name.removeprefix("fastgw."), f"{path.relative_to(ROOT)}:{line}")


def place(module: str) -> tuple[int, str] | None:
    """Return (row, member of the row) of a module, by the longest member that it is or is in."""
    fits = [
        (row, member)
        for row, members in enumerate(LAYERS)
        for member in members
        if module == member or module.startswith(member + ".")
    ]
    return max(fits, key=lambda fit: len(fit[1]), default=None)


def objection(one: Import) -> str | None:
    """Say what is wrong with an import; None where it points down."""
    importer, imported = place(one.importer), place(one.imported)
    if importer is None or imported is None:
        unplaced = one.importer if importer is None else one.imported
        return f"{one.place}: fastgw.{unplaced} stands in no layer"
    if importer[1] == imported[1] or importer[0] < imported[0]:
        return None
    if importer[0] == imported[0] and LAYERS[importer[0]] in OPEN_ROWS:
        return None
    return f"{one.place}: fastgw.{one.importer} must not import fastgw.{one.imported}"


def source_files() -> list[Path]:
    return sorted(path for path in (ROOT / "fastgw").rglob("*") if path.suffix in (".py", ".pyx", ".pxd"))


def test_imports_point_down() -> None:
    """No module imports a module of its own row or above, except where the row is open."""
    # `from fastgw import x` by the version alone is no import of a module.
    found = [one for path in source_files() for one in imports_of(path)]
    found = [one for one in found if one.importer and one.imported != "__version__"]
    objections = [text for text in map(objection, found) if text]
    assert not objections, "\n".join(objections)


def test_every_module_stands_in_a_layer() -> None:
    """A module that the table does not place would be checked by nothing."""
    unplaced = {name for path in source_files() if (name := module_name(path)) and place(name) is None}
    assert unplaced == set()


@pytest.mark.parametrize(
    ("importer", "imported", "is_allowed"),
    [
        ("pipeline", "auth.keys", True),
        ("auth.keys", "pipeline", False),
        ("auth.keys", "meter.catalog", False),
        ("auth.keys", "auth.credential", True),
        ("auth.keys", "snapshot.types.Caller", True),
        ("auth.keys", "snapshot.compile", False),
        ("_core.lane", "errors", False),
        ("_core.lane", "_core.http1", True),
        ("worker", "control.store", False),
        ("exchange", "snapshot.types", True),
        ("pipeline", "nowhere", False),
    ],
)
def test_table_means_what_the_architecture_says(importer: str, imported: str, is_allowed: bool) -> None:
    """The comparison itself allows what points down and objects to the rest."""
    assert (objection(Import(importer, imported, "x:1")) is None) is is_allowed


def test_every_way_of_importing_is_seen() -> None:
    """Python and Cython imports of every form come out of the two readers."""
    python = "import fastgw.a.b\nfrom fastgw.c import d as e\ndef f():\n    from fastgw.g import h\n"
    assert {name for name, _ in python_imports(ROOT, python)} == {"fastgw.a.b", "fastgw.c.d", "fastgw.g.h"}
    cython = "cimport fastgw.a\nfrom fastgw.b cimport c, d as e\nfrom fastgw.f cimport (\n    g)\n"
    cython += "def f():\n    from fastgw.h import i\n"
    names = {name for name, _ in cython_imports(cython)}
    assert names == {"fastgw.a", "fastgw.b.c", "fastgw.b.d", "fastgw.f", "fastgw.h.i"}
