"""The fixture `benchmark` under callgrind: each bench runs twice, and a mark stands before and after the second run.

A plugin of pytest that bench/instructions.py loads in place of pytest-benchmark; it writes the names of what ran to FASTGW_COUNTED.
"""
from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


class Stats:
    """A second for all, which nobody measured: the benches state what they found by it."""

    def __init__(self) -> None:
        self.median = 1.0
        self.stats = self

    def __repr__(self) -> str:
        return "<Stats of nothing>"


class Counter:
    """What stands in for pytest-benchmark's fixture."""

    def __init__(self, name: str, names: list[str]) -> None:
        self.name, self.names = name, names
        self.extra_info: dict[str, object] = {}
        self.stats = Stats()

    def __repr__(self) -> str:
        return f"<Counter of {self.name}>"

    def __call__(self, run: Callable[..., object], *args: object, **kwargs: object) -> object:
        return self.pedantic(run, args, kwargs)

    def pedantic(
        self, run: Callable[..., object], args: tuple[object, ...] = (), kwargs: dict[str, object] | None = None, *,
        setup: Callable[[], object] | None = None, **rounds: int,
    ) -> object:
        """Run once to warm up, then once between two marks."""
        for is_counted in (False, True):
            if setup is not None:
                setup()
            if is_counted:
                gc.collect()
                gc.disable()
                self.names.append(self.name)
                os.sched_get_priority_max(0)
            found = run(*args, **(kwargs or {}))
        os.sched_get_priority_max(0)
        gc.enable()
        return found


@pytest.fixture(scope="session")
def counted() -> Iterator[list[str]]:
    """The names of all that ran, in order."""
    names: list[str] = []
    yield names
    Path(os.environ["FASTGW_COUNTED"]).write_text(json.dumps(names))


@pytest.fixture
def benchmark(request: pytest.FixtureRequest, counted: list[str]) -> Counter:
    """Count instead of timing."""
    return Counter(f"{request.node.path.stem.removeprefix('bench_')}: {request.node.name}", counted)
