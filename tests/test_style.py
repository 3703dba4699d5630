"""The habits that a machine can check: names, docstrings, sizes. An exception has its reason beside it."""
import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("fastgw", "tools", "tests", "bench")
MOST_FILE_LINES = 500
MOST_FUNCTION_LINES = 60
MOST_CYTHON_COLUMNS = 140  # a signature with its types, a member with its comment

BANNED = frozenset(
    "utils util helpers helper common misc base manager handler service processor data info new v2 experimental".split()
)

# Path, or path and function, to the reason why it may be longer.
LONGER: dict[str, str] = {
    "fastgw/control/store/migrations/versions/0001_make_the_tables.py:upgrade": "written by a tool, and never changed: the first schema",
}
# Name to the reason why it may be called so.
NAMED: dict[str, str] = {}


def files(*suffixes: str) -> list[Path]:
    found = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in suffixes)
    return sorted(path for path in found if "golden" not in path.parts and "node_modules" not in path.parts)


def label(path: Path) -> str:
    return str(path.relative_to(ROOT))


def words(name: str) -> set[str]:
    """Split snake_case and CamelCase: "KeyManager" has the words key and manager."""
    return set(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_"))


def definitions(text: str) -> Iterator[tuple[str, str]]:
    """Yield ("class" or "def", name) of what a Python or Cython file defines."""
    pattern = re.compile(r"^\s*(?:cdef\s+|cpdef\s+|async\s+)?(class|def)\s+(\w+)", re.M)
    yield from ((match[1], match[2]) for match in pattern.finditer(text))


def banned_in(kind: str, name: str) -> set[str]:
    """The banned words in a name: any word of a module or class, the whole name of a function."""
    return (words(name) if kind != "def" else {name if name.startswith("__") else name.strip("_")}) & BANNED


PARSED = [(path, path.read_text(encoding="utf-8")) for path in files(".py")]
CYTHON = [(path, path.read_text(encoding="utf-8")) for path in files(".pyx", ".pxd", ".pyi")]


def test_no_name_says_nothing() -> None:
    """No module, class or function is called by one of the words that fit everything."""
    found = [
        f"{label(path)}: {kind} {name}"
        for path, text in [*PARSED, *CYTHON]
        for kind, name in [("module", path.stem), *definitions(text)]
        if banned_in(kind, name) and name not in NAMED
    ]
    assert not found, "\n".join(found)


def test_every_module_opens_with_a_sentence() -> None:
    """Python and Cython modules begin with a docstring."""
    opening = re.compile(r"\A(?:#[^\n]*\n)*\s*[rR]?\"\"\"\S")
    empty_packages = {path for path, text in PARSED if path.name == "__init__.py" and not text.strip()}
    opened = {path for path, text in [*PARSED, *CYTHON] if opening.match(text)}
    missing = [label(path) for path, _ in [*PARSED, *CYTHON] if path not in opened | empty_packages]
    assert not missing, "\n".join(missing)


def test_files_and_functions_are_short() -> None:
    """A Python file has at most 500 lines and a function 60, but for those whose reason is written down."""
    long = []
    for path, text in PARSED:
        sizes = {label(path): (text.count("\n"), MOST_FILE_LINES)}
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                sizes[f"{label(path)}:{node.name}"] = (lines, MOST_FUNCTION_LINES)
        too_long = [(name, size) for name, (size, most) in sizes.items() if size > most]
        long += [f"{name}: {size} lines" for name, size in too_long if name not in LONGER]
    assert not long, "\n".join(long)


def test_cython_lines_fit() -> None:
    """Cython files keep to 140 columns; no linter looks at them."""
    wide = [
        f"{label(path)}:{number}"
        for path, text in CYTHON
        for number, line in enumerate(text.splitlines(), 1)
        if len(line) > MOST_CYTHON_COLUMNS
    ]
    assert not wide, "\n".join(wide)


def test_cython_has_no_textual_inclusion() -> None:
    """Kernels share code by cimport, not by include or DEF."""
    found = [label(path) for path, text in CYTHON if re.search(r"^\s*(?:include\s+['\"]|DEF\s+\w)", text, re.M)]
    assert not found, "\n".join(found)


def test_every_test_says_its_promise() -> None:
    """The first line of a test's docstring is the promise that it holds the code to."""
    silent = [
        f"{label(path)}:{node.name}"
        for path, text in PARSED
        if path.name.startswith("test_")
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert not silent, "\n".join(silent)


def test_exceptions_are_still_needed() -> None:
    """An exception whose file, function or name is gone goes too."""
    names = {path.stem for path, _ in [*PARSED, *CYTHON]}
    names |= {name for _, text in [*PARSED, *CYTHON] for _, name in definitions(text)}
    gone = [name for name in NAMED if name not in names]
    gone += [name for name in LONGER if not (ROOT / name.split(":")[0]).exists()]
    assert gone == []


@pytest.mark.parametrize(
    ("kind", "name", "is_banned"),
    [
        ("class", "KeyManager", True),
        ("class", "Database", False),
        ("module", "key_utils", True),
        ("module", "newest", False),
        ("def", "info", True),
        ("def", "_helper", True),
        ("def", "data_received", False),
    ],
)
def test_banned_words_are_whole_words(kind: str, name: str, is_banned: bool) -> None:
    """A word is banned, not the letters in another; a function is judged by its whole name."""
    assert bool(banned_in(kind, name)) is is_banned
