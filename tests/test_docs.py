"""What the pages say exists: links, make targets, commands, and examples that parse."""
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)\s#]+)(#[^)\s]*)?\)")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.M | re.S)
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, made as GitHub makes them."""
    headings = re.findall(r"^#+\s+(.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_there_are_pages() -> None:
    """The pages that every project has are there, so that the checks below check something."""
    assert {"README.md", "CHANGELOG.md", "CONTRIBUTING.md"} <= {page.name for page in PAGES}
    assert {"setup", "build", "serve", "test", "check", "bench", "soak", "clean"} <= TARGETS


def test_readme_leads_to_every_page() -> None:
    """README.md has a link to each page under docs/."""
    linked = {path for path, _ in LINK.findall((ROOT / "README.md").read_text(encoding="utf-8"))}
    assert linked >= {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")}


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    """Every link to a file of the project leads to one, and its anchor to a heading."""
    for path, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        target = (page.parent / path).resolve()
        assert target.exists(), f"{page.name}: {path}"
        if anchor and target.suffix == ".md":
            assert anchor[1:] in anchors(target), f"{page.name}: {path}{anchor}"


@every_page
def test_make_targets_exist(page: Path) -> None:
    """Every `make TARGET` that a page names is in the Makefile."""
    text = page.read_text(encoding="utf-8")
    code = re.findall(r"`([^`\n]+)`", text) + [body for _, body in FENCE.findall(text)]
    commands = [line for piece in code for line in re.findall(r"^\s*(?:\w+=\S+ )*make ([a-z ]+)", piece, re.M)]
    named = {word for command in commands for word in command.split()}
    assert named <= TARGETS, named - TARGETS


@every_page
def test_toml_examples_parse(page: Path) -> None:
    """Every TOML example is TOML."""
    for language, body in FENCE.findall(page.read_text(encoding="utf-8")):
        if language == "toml":
            tomllib.loads(body)
