"""Read the file that is imported: YAML with what it includes, or JSON."""

import json
from pathlib import Path
from typing import Final

from fastgw.imports.report import Unreadable
from fastgw.imports.values import texts

MOST_BYTES: Final = 16 * 2**20
MOST_INCLUDES: Final = 64


def content_of(path: Path) -> str:
    """The text of a file. raises Unreadable"""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise Unreadable(f"{path}: expected a file that can be read, found none: {error.strerror}") from None
    if len(content) > MOST_BYTES:
        raise Unreadable(f"{path}: expected at most {MOST_BYTES} bytes, found more")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise Unreadable(f"{path}:{line}: expected UTF-8, found other bytes") from None


def read_yaml(path: Path) -> dict[str, object]:
    """The mapping that a YAML file holds, with the files that its `include` names.

    raises  Unreadable
    """
    return with_includes(path, [])


def with_includes(path: Path, above: list[Path]) -> dict[str, object]:
    """Lists of included files are added at the end, other members only where there is none, as LiteLLM does."""
    if path.resolve() in above or len(above) > MOST_INCLUDES:
        raise Unreadable(f"{path}: expected files that do not include one another in a circle, found a circle")
    document = mapping_in(path)
    for name in texts(document.pop("include", [])):
        included = with_includes(path.parent / name, [*above, path.resolve()])
        for member, value in included.items():
            own = document.get(member)
            if isinstance(own, list) and isinstance(value, list):
                document[member] = own + value
            else:
                document.setdefault(member, value)
    return document


def mapping_in(path: Path) -> dict[str, object]:
    try:
        import yaml  # type: ignore[import-untyped]  # no stubs among the packages of the tests
    except ImportError:
        raise Unreadable('reading YAML takes the package PyYAML: pip install "fastgw[import]"') from None
    text = content_of(path)
    try:
        document = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise Unreadable(f"{path}{line}: expected YAML, found something else: {error.problem or 'it cannot be parsed'}") from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise Unreadable(f"{path}: expected YAML, found something else") from None
    if not isinstance(document, dict):
        raise Unreadable(f"{path}: expected a mapping with model_list and the like, found {type(document).__name__}")
    return {str(name): value for name, value in document.items()}


def read_json(path: Path) -> object:
    """The value that a JSON file holds. raises Unreadable"""
    try:
        value: object = json.loads(content_of(path))
    except json.JSONDecodeError as error:
        raise Unreadable(f"{path}:{error.lineno}: expected JSON, found something else: {error.msg.lower()}") from None
    except RecursionError:
        raise Unreadable(f"{path}: expected JSON, found values nested too deeply") from None
    return value
