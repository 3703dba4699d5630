"""What is wrong with a route that types cannot say: each mistake at its place, with what was expected."""
from typing import NamedTuple

import pytest

from fastgw.route.check import MEMBER_PATH, objections_to
from fastgw.snapshot.routes import Route, Target
from tests.unit.route.making import read

INTEGRATIONS = {"main": ("gpt-4.1", "o3"), "open": ()}
LEAF = '{ integration = "main", model = "gpt-4.1" }'
NAMED = '{ name = "x", integration = "main", model = "gpt-4.1" }'


class Case(NamedTuple):
    """A route, and the one thing that is said of it."""

    text: str
    place: str
    expected: str
    found: str
    known: str = ""


CASES = [
    Case("targets = []", "targets", "at least one target", "none"),
    Case(f'strategy = "single"\ntargets = [{LEAF}, {LEAF}]', "targets", "exactly one target for single", "2"),
    Case('strategy = "weighted"\ntargets = [{ integration = "open", model = "x", weight = 0 }]', "targets", "a weight above 0", "none"),
    Case('targets = [{ name = "x" }]', "targets.0", "integration and model, or targets", "neither"),
    Case('targets = [{ model = "x" }]', "targets.0", "integration and model, or targets", "model alone"),
    Case('targets = [{ integration = "main" }]', "targets.0.model", "1 to 128 visible", "nothing"),
    Case('targets = [{ integration = "mian", model = "x" }]', "targets.0.integration", "a known integration", '"mian"', "main"),
    Case('targets = [{ integration = "main", model = "o4" }]', "targets.0.model", "a model of the integration", '"o4"', "o3"),
    Case(f'targets = [{{ targets = [{LEAF}], model = "x" }}]', "targets.0.model", "nothing beside targets", "a string"),
    Case('targets = [{ targets = [{ targets = [{ name = "x" }] }] }]', "targets.0.targets.0.targets.0", "integration and model", "neither"),
    Case('targets = [{ integration = "open", model = "x", default = "y" }]', "targets.0.default", "nothing without targets", "something"),
    Case(f'default = "x"\ntargets = [{NAMED}]', "default", 'nothing, as the strategy is "fallback"', "something"),
    Case(f'strategy = "conditional"\ntargets = [{NAMED}]', "conditions", "at least one condition, or a default", "neither"),
    Case(f'strategy = "conditional"\ndefault = "z"\ntargets = [{NAMED}]', "default", "the name of one of the targets", '"z"', "x"),
    Case(f'strategy = "conditional"\ndefault = "x"\ntargets = [{NAMED}, {NAMED}]', "targets.1.name", "another name", '"x" twice'),
    Case(f'strategy = "conditional"\nconditions = [{{ query = {{ key = "a" }}, then = "y" }}]\ntargets = [{NAMED}]', "conditions.0.then",
         "the name of one", '"y"', "x"),
    Case(f'strategy = "conditional"\nconditions = [{{ query = {{ key = {{ "$gtt" = 1 }} }}, then = "x" }}]\ntargets = [{NAMED}]',
         "conditions.0.query.key.$gtt", "one of the operators", '"$gtt"', "$gt"),
    Case(f'strategy = "conditional"\nconditions = [{{ query = {{ tokens = 2026-01-01 }}, then = "x" }}]\ntargets = [{NAMED}]',
         "conditions.0.query.tokens", "a value that JSON has", "a date or time"),
    Case(f'sticky = {{ fields = ["key"] }}\ntargets = [{LEAF}]', "sticky", "a strategy that balances", "sticky"),
    Case(f'strategy = "cost"\nsticky = {{ fields = [] }}\ntargets = [{LEAF}]', "sticky.fields", "at least one field", "none"),
    Case(f'strategy = "cost"\nsticky = {{ fields = ["metdata.x"] }}\ntargets = [{LEAF}]', "sticky.fields.0", "one of the fields",
         '"metdata.x"', "metadata.x"),
    Case(f'drop_params = ["a..b"]\ntargets = [{LEAF}]', "drop_params.0", "a member such as", '"a..b"'),
    Case(f'override_params = {{ x = [2026-01-01] }}\ntargets = [{LEAF}]', "override_params.x", "a value that JSON has", "a date or time"),
    Case(f'default_params = {{ "" = 1 }}\ntargets = [{LEAF}]', "default_params", "names of members", "an empty one"),
    Case(f'retry = {{ base_ms = 500, max_ms = 400 }}\ntargets = [{LEAF}]', "retry.max_ms", "at least base_ms, 500", "400"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.text[:60])
def test_mistake_is_named(case: Case) -> None:
    """One row a mistake: its place, what was expected, what was found, and the nearest known name among the known ones."""
    objections = list(objections_to(read(case.text), ("models", "m"), INTEGRATIONS))
    assert len(objections) == 1
    one = objections[0]
    assert one.place[:2] == ("models", "m") and ".".join(map(str, one.place[2:])) == case.place
    assert one.expected.startswith(case.expected) and one.found == case.found
    assert not case.known or case.known in one.known


def test_right_routes_pass() -> None:
    """A route with something of everything is right, and so are those of files from before."""
    for text in (
        f"targets = [{LEAF}]",
        f'strategy = "weighted"\ntargets = [{LEAF}, {{ integration = "open", model = "anything", weight = 0 }}]',
        f'strategy = "conditional"\nconditions = [{{ query = {{ key = "a" }}, then = "main/o3" }}]\n'
        f'targets = [{NAMED}, {{ integration = "main", model = "o3" }}]',
        f'strategy = "latency"\nsticky = {{ fields = ["headers.x-session"] }}\ndrop_params = ["messages[*].name", "tools[0]"]\n'
        f"targets = [{LEAF}, {{ targets = [{LEAF}] }}]",
    ):
        assert list(objections_to(read(text), (), INTEGRATIONS)) == []


def test_trees_are_bounded() -> None:
    """Neither depth nor number of targets can exhaust anything."""
    leaf = Target(integration="open", model="x")
    deep = leaf
    for _ in range(10):
        deep = Target(targets=(deep,))
    assert [one.expected for one in objections_to(Route(targets=(deep,)), (), INTEGRATIONS)] == ["at most 8 levels of targets"]
    wide = Route(targets=(leaf,) * 1001)
    assert [(one.expected, one.found) for one in objections_to(wide, (), INTEGRATIONS)] == [("at most 1000 targets in all", "1001")]


@pytest.mark.parametrize(("path", "is_right"), [
    ("logprobs", True), ("messages[*].name", True), ("tools[0]", True), ("a.b.c", True), ("messages[*][0]", True),
    ("", False), ("a.", False), ("a[]", False), ("a[x]", False), ("[0]", False), ("a b", False),
])
def test_member_paths(path: str, is_right: bool) -> None:
    """A path is a member, then members, indexes or all of a list."""
    assert bool(MEMBER_PATH.match(path)) is is_right
