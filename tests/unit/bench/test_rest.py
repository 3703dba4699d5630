"""What a gateway spends at rest: waited for after its start, and no figure where it is most of what was measured."""
from types import SimpleNamespace
from typing import cast

import pytest

from fastgw.bench import tree
from fastgw.bench.closed import Spent, too_little
from fastgw.bench.generator import Load
from fastgw.bench.tree import ProcessTree, settle

LOAD = cast(Load, SimpleNamespace(replies=5000))


def test_cost_is_void_where_rest_is_much_of_it() -> None:
    """A gateway that was still starting when its rest was read would look cheap: its cost is not printed."""
    assert too_little(LOAD, Spent(1.0, 0.2, None)) == []
    (reason,) = too_little(LOAD, Spent(1.0, 0.47, None))
    assert "at rest it spent 47%" in reason


def test_settling_takes_as_many_quiet_looks_as_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """One quiet look between two busy ones is not rest."""
    monkeypatch.setattr(tree, "LOOK_S", 0.001)
    readings = iter([0.0, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0])
    spending = cast(ProcessTree, SimpleNamespace(cpu_s=lambda: next(readings)))
    settle(spending, 0.0, looks=3)
    assert not list(readings)
