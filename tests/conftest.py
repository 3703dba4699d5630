"""What holds for every module of tests: it ends the processes that it started."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def children_of_the_run() -> set[int]:
    """Processes that outlive a module, since all modules share them; whoever starts one puts its number here."""
    return set()


@pytest.fixture(scope="module", autouse=True)
def no_child_is_left(children_of_the_run: set[int]) -> Iterator[None]:
    """A process left behind slows all tests after it, and is taken for their own by those that ask for any child."""
    before = children()
    yield
    left = {pid: command_of(pid) for pid in children() - before - children_of_the_run}
    assert not left, f"expected no process of this module to be left, found {left}"


def children() -> set[int]:
    """The children of this process, those that have ended and were not waited for included."""
    found: set[int] = set()
    for thread in Path("/proc/self/task").iterdir():
        try:
            found.update(map(int, (thread / "children").read_text().split()))
        except FileNotFoundError:       # a thread that ended meanwhile: its children are another's now
            continue
    return found


def command_of(pid: int) -> str:
    """What a process runs; the name alone of one that has ended and was not waited for."""
    told = Path(f"/proc/{pid}")
    return (told / "cmdline").read_text().replace("\0", " ").strip() or (told / "comm").read_text().strip()


def pytest_collection_finish() -> None:
    """What collecting has made stays to the end of the run: the collector of garbage need not look at it again and again."""
    gc.collect()
    gc.freeze()
