"""Queries: what each operator means, that truth has no exceptions, and what is said of a wrong one."""
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgw.route.conditions import OPERATORS, compile_query
from fastgw.route.facts import Facts
from fastgw.snapshot.names import nearest as nearest_of
from tests.oracles.conditions import holds

BODY = {
    "model": "gpt-4.1", "temperature": 0.5, "n": 1, "user": None, "stream": True, "stop": ["a", "b"],
    "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": [{"type": "text", "text": "Paris?"}]}],
    "metadata": {"tier": "gold"},
}
FACTS = Facts(
    body=msgspec.json.encode(BODY), model="gpt-4.1", key="app-1", workspace="team", pathname="/v1/chat/completions", tokens=1200,
    stream=True, metadata={"user_id": "u1", "team.name": "core", "deep": {"er": [1, 2]}}, headers={"x-region": "eu", "content-type": "a/b"},
)


def evaluate(query: object, facts: Facts = FACTS) -> bool:
    """Whether a query that is right holds."""
    predicate, objections = compile_query(query)
    assert objections == []
    return predicate(facts)


CASES: list[tuple[dict[str, Any], bool]] = [
    ({"model": "gpt-4.1"}, True),
    ({"params.model": {"$regex": r"^gpt-4(\.1)?$"}}, True),
    ({"params.temperature": {"$gt": 0.2, "$lt": 0.6}}, True),
    ({"params.temperature": {"$gt": 0.2, "$lt": 0.4}}, False),
    # sibling operators of $regex count, and so do siblings of $or and $and
    ({"params.model": {"$regex": "^gpt", "$ne": "gpt-4.1"}}, False),
    ({"$or": [{"key": "app-1"}], "workspace": "another"}, False),
    ({"$and": [{"key": "app-1"}], "workspace": "team"}, True),
    # any depth, indexes from either end, both spellings
    ({"params.metadata.tier": "gold"}, True),
    ({"params.messages.0.role": "system"}, True),
    ({"params.messages[-1].content[0].text": {"$regex": "Paris"}}, True),
    ({"params.messages.2.role": {"$exists": False}}, True),
    ({"metadata.team.name": "core"}, True),
    ({"metadata.deep.er.1": 2}, True),
    ({"headers.X-Region": {"$in": ["eu", "us"]}}, True),
    ({"url.pathname": {"$regex": "^/v1/chat"}}, True),
    ({"tokens": {"$lte": 1199}}, False),
    ({"key": {"$eq": "app-1"}}, True),
    ({"tokens": {"$gte": 1000}, "stream": True}, True),
    # unlike types are not equal and stand in no order
    ({"params.n": True}, False),
    ({"params.n": 1.0}, True),
    ({"params.n": "1"}, False),
    ({"params.n": {"$lt": "2"}}, False),
    ({"params.stream": {"$gte": 0}}, False),
    ({"params.stop": ["a", "b"]}, True),
    ({"params.stop": {"$in": [["a", "b"], 3]}}, True),
    ({"params.stop": {"$in": ["a"]}}, False),
    ({"params.metadata": {"tier": "gold"}}, True),
    # absent is equal to nothing, not even to null
    ({"params.user": None}, True),
    ({"params.seed": None}, False),
    ({"params.seed": {"$ne": 1}}, True),
    ({"params.seed": {"$nin": [1, None]}}, True),
    ({"params.seed": {"$gt": 0}}, False),
    ({"params.seed": {"$not": {"$gt": 0}}}, True),
    ({"params.seed": {"$exists": False}}, True),
    ({"params.user": {"$exists": True}}, True),
    ({"$not": {"key": "app-1", "workspace": "another"}}, True),
    ({"params.n": {"$or": [{"$gt": 5}, {"$lt": 2, "$ne": 0}]}}, True),
    ({"params.n": {"$and": [{"$gt": 0}, {"$not": {"$in": [1]}}]}}, False),
]


@pytest.mark.parametrize(("query", "expected"), CASES, ids=lambda case: str(case)[:60])
def test_query_means_what_the_page_says(query: dict[str, Any], expected: bool) -> None:
    """One row an operator and an edge of it; negated it is the opposite."""
    assert evaluate(query) is expected
    assert evaluate({"$not": query}) is not expected


def test_body_that_is_no_json_has_no_params() -> None:
    """A form, or rubbish, is as a body without members; nothing is raised."""
    for body in (b"", b"--form", b"[1]", b"\xff", b"[" * 100_000):
        assert evaluate({"params.model": {"$exists": False}}, Facts(body=body))


def test_absent_names_are_absent() -> None:
    """A request without a model, a key or a workspace has none, rather than an empty one."""
    assert evaluate({"$not": {"model": ""}, "key": {"$exists": False}, "workspace": {"$exists": False}}, Facts())


WRONG: list[tuple[object, tuple[str | int, ...], str, str, str]] = [
    ([], (), "a table of fields", "a list", ""),
    ({}, (), "a table of fields", "an empty table", ""),
    ({"parms.model": "x"}, ("parms.model",), "one of the fields", '"parms.model"', "params.model"),
    ({"modl": "x"}, ("modl",), "one of the fields", '"modl"', "model"),
    ({"params..x": 1}, ("params..x",), "1 to 32 names after params.", '"params..x"', ""),
    ({"params.n": {"$gtt": 1}}, ("params.n", "$gtt"), "one of the operators", '"$gtt"', "$gt"),
    ({"$nor": [{"key": "a"}]}, ("$nor",), "a field, $and", '"$nor"', "$or"),
    ({"$and": []}, ("$and",), "a list of at least one", "an empty list", ""),
    ({"$or": [{"key": "a"}, 5]}, ("$or", 1), "a table", "a number", ""),
    ({"params.n": {"$in": 5}}, ("params.n", "$in"), "a list", "a number", ""),
    ({"params.n": {"$gt": None}}, ("params.n", "$gt"), "a number or a string", "null", ""),
    ({"params.n": {"$gt": True}}, ("params.n", "$gt"), "a number or a string", "true", ""),
    ({"params.n": {"$exists": 1}}, ("params.n", "$exists"), "true or false", "a number", ""),
    ({"params.n": {"$regex": 1}}, ("params.n", "$regex"), "a regular expression", "a number", ""),
    ({"params.n": {"$regex": "("}}, ("params.n", "$regex"), "a regular expression as Python", "another", ""),
    ({"params.n": {"$regex": "(a+)+$"}}, ("params.n", "$regex"), "a regular expression without repeats", "another", ""),
    ({"params.n": {"$not": 5}}, ("params.n", "$not"), "a table of operators", "a number", ""),
    ({"params.n": {"$gt": 1, "plain": 1}}, ("params.n", "plain"), "one of the operators", '"plain"', ""),
]


@pytest.mark.parametrize(("query", "place", "expected", "found", "nearest"), WRONG, ids=lambda value: str(value)[:40])
def test_wrong_query_is_explained(query: object, place: tuple[str | int, ...], expected: str, found: str, nearest: str) -> None:
    """Each mistake has its place, what was expected and found, and the nearest known word."""
    _, objections = compile_query(query, ("models", "m"))
    assert len(objections) == 1
    one = objections[0]
    assert one.place == ("models", "m", *place)
    assert one.expected.startswith(expected) and one.found == found
    assert (nearest_of(one.name, one.known) if one.name else "") == nearest


def test_all_mistakes_are_found_at_once() -> None:
    """One run shows every mistake of a query."""
    _, objections = compile_query({"$or": [{"a": 1}, {"params.x": {"$y": 1, "$in": 2}}], "b": 1})
    assert [one.place for one in objections] == [("$or", 0, "a"), ("$or", 1, "params.x", "$y"), ("$or", 1, "params.x", "$in"), ("b",)]


def test_queries_are_bounded() -> None:
    """Neither depth nor size of a query can exhaust anything."""
    deep: dict[str, object] = {"key": "a"}
    for _ in range(100):
        deep = {"$not": deep}
    assert [one.expected for one in compile_query(deep)[1]] == ["at most 32 levels"]
    wide = {"$or": [{"key": "a"}] * 2000}
    assert [one.expected for one in compile_query(wide)[1]] == ["at most 1000 members of a query"]


# Random queries over random facts, against an evaluator of its own.

scalars = st.one_of(st.none(), st.booleans(), st.integers(-2, 3), st.sampled_from([0.5, 1.0, -2.0]), st.sampled_from(["", "a", "b", "1"]))
values = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("ab0"), inner, max_size=2)), max_leaves=5)
paths = st.builds(lambda steps: ".".join(["params", *steps]), st.lists(st.sampled_from(["a", "b", "0", "1", "-1"]), min_size=1, max_size=3))
tests = st.recursive(
    st.one_of(
        st.dictionaries(st.sampled_from(["$eq", "$ne"]), values, min_size=1, max_size=2),
        st.dictionaries(st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), scalars.filter(
            lambda value: isinstance(value, str | int | float) and not isinstance(value, bool)), min_size=1, max_size=2),
        st.dictionaries(st.sampled_from(["$in", "$nin"]), st.lists(values, max_size=3), min_size=1, max_size=2),
        st.dictionaries(st.just("$regex"), st.sampled_from(["^a", "b|1", "", "^$"]), min_size=1),
        st.dictionaries(st.just("$exists"), st.booleans(), min_size=1),
    ),
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from(["$and", "$or"]), st.lists(inner, min_size=1, max_size=2), min_size=1, max_size=2),
        st.dictionaries(st.just("$not"), inner, min_size=1)),
    max_leaves=4)
literals = values.filter(lambda value: not (isinstance(value, dict) and any(name.startswith("$") for name in value)))
queries = st.recursive(
    st.dictionaries(paths, st.one_of(tests, literals), min_size=1, max_size=3),
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from(["$and", "$or"]), st.lists(inner, min_size=1, max_size=3), min_size=1, max_size=2),
        st.dictionaries(st.just("$not"), inner, min_size=1)),
    max_leaves=5)
bodies = st.dictionaries(st.sampled_from("ab"), values, max_size=2)


@settings(max_examples=500, deadline=None)
@given(queries, bodies)
def test_random_queries_are_evaluated_alike(query: dict[str, Any], body: dict[str, Any]) -> None:
    """The compiled predicate says what a plain evaluator says."""
    facts = Facts(body=msgspec.json.encode(body))
    assert evaluate(query, facts) is holds(query, {"params": body})


@settings(max_examples=300, deadline=None)
@given(st.lists(queries, min_size=1, max_size=3), bodies)
def test_de_morgan_holds(parts: list[dict[str, Any]], body: dict[str, Any]) -> None:
    """The opposite of all is one of the opposites, and the other way round; twice the opposite is the thing itself."""
    facts = Facts(body=msgspec.json.encode(body))
    opposites = [{"$not": part} for part in parts]
    assert evaluate({"$not": {"$and": parts}}, facts) is evaluate({"$or": opposites}, facts)
    assert evaluate({"$not": {"$or": parts}}, facts) is evaluate({"$and": opposites}, facts)
    assert evaluate({"$not": {"$not": parts[0]}}, facts) is evaluate(parts[0], facts)


@settings(max_examples=300, deadline=None)
@given(paths, values, st.lists(values, max_size=3), bodies)
def test_negative_operators_are_opposites(path: str, value: object, several: list[object], body: dict[str, Any]) -> None:
    """$ne is the opposite of $eq and $nin of $in, whatever the field holds, absent or not."""
    facts = Facts(body=msgspec.json.encode(body))
    for positive, negative, operand in (("$eq", "$ne", value), ("$in", "$nin", several)):
        assert evaluate({path: {positive: operand}}, facts) is not evaluate({path: {negative: operand}}, facts)
        assert evaluate({path: {"$not": {positive: operand}}}, facts) is evaluate({path: {negative: operand}}, facts)


def test_every_operator_is_tested() -> None:
    """The table above has each operator at least once."""
    assert all(f"'{operator}'" in str(CASES) for operator in OPERATORS)
