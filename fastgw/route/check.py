"""Say what is wrong with a route that types cannot say: shapes of nodes, names that lead nowhere, queries, fields, paths."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from fastgw.route.conditions import compile_query
from fastgw.route.facts import Objection, Place, field_of, object_to_field
from fastgw.snapshot.routes import MOST_TARGETS, Branch, Retry, Route, Target, json_of

MOST_DEPTH: Final = 8
MOST_SHOWN: Final = 64
BALANCED: Final = ("weighted", "latency", "least_busy", "cost", "throughput")
# a member, then members, indexes or all of a list: logprobs, messages[*].name, tools[0]
MEMBER_PATH = re.compile(r"[^.\[\]\s]{1,64}(?:\[(?:\*|[0-9]{1,6})\]|\.[^.\[\]\s]{1,64}){0,16}\Z")


def objections_to(route: Route, place: Place, integrations: Mapping[str, tuple[str, ...]]) -> Iterator[Objection]:
    """All that is wrong with a route.

    integrations   every one there is, with the models that it states; () where it states none
    """
    checker = Checker(integrations)
    yield from checker.branch(route, place, 1)
    if checker.leaves > MOST_TARGETS:
        yield Objection((*place, "targets"), f"at most {MOST_TARGETS} targets in all", str(checker.leaves))


class Checker:
    """Walks one route and counts its leaves."""

    def __init__(self, integrations: Mapping[str, tuple[str, ...]]) -> None:
        self.integrations = integrations
        self.leaves = 0

    def __repr__(self) -> str:
        return f"<Checker, {self.leaves} leaves>"

    def branch(self, node: Branch, place: Place, depth: int) -> Iterator[Objection]:
        yield from params(node, place)
        if depth > MOST_DEPTH:
            yield Objection(place, f"at most {MOST_DEPTH} levels of targets", "more")
            return
        count = len(node.targets)
        if not count:
            yield Objection((*place, "targets"), "at least one target", "none")
        if node.strategy == "single" and count > 1:
            yield Objection((*place, "targets"), "exactly one target for single", str(count))
        if node.strategy == "weighted" and count and not any(target.weight for target in node.targets):
            yield Objection((*place, "targets"), "a weight above 0 for weighted", "none")
        yield from conditions(node, place)
        yield from sticky(node, place)
        for index, target in enumerate(node.targets):
            yield from self.node(target, (*place, "targets", index), depth + 1)

    def node(self, target: Target, place: Place, depth: int) -> Iterator[Objection]:
        if target.targets:
            for field in ("integration", "model"):
                if getattr(target, field) is not None:
                    yield Objection((*place, field), "nothing beside targets", "a string")
            yield from self.branch(target, place, depth)
            return
        self.leaves += 1
        yield from params(target, place)
        for field in ("conditions", "default", "sticky"):
            if getattr(target, field):
                yield Objection((*place, field), "nothing without targets", "something")
        if target.integration is None:
            yield Objection(place, "integration and model, or targets", "neither" if target.model is None else "model alone")
        elif target.integration not in self.integrations:
            yield unknown((*place, "integration"), "a known integration", target.integration, tuple(self.integrations))
        elif target.model is None:
            yield Objection((*place, "model"), "1 to 128 visible ASCII characters", "nothing")
        else:
            models = self.integrations[target.integration]
            if models and target.model not in models:
                yield unknown((*place, "model"), "a model of the integration", target.model, models)


def unknown(place: Place, expected: str, name: str, known: tuple[str, ...]) -> Objection:
    return Objection(place, expected, f'"{name[:MOST_SHOWN]}"', name, tuple(sorted(known)))


def conditions(node: Branch, place: Place) -> Iterator[Objection]:
    """That conditions stand where they are asked, hold together, and lead to targets of the node."""
    names = tuple(target.label for target in node.targets)
    if node.strategy != "conditional":
        for field in ("conditions", "default"):
            if getattr(node, field):
                yield Objection((*place, field), f'nothing, as the strategy is "{node.strategy}"', "something")
        return
    if not node.conditions and node.default is None:
        yield Objection((*place, "conditions"), "at least one condition, or a default", "neither")
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Objection((*place, "targets", index, "name"), "another name for each target", f'"{name[:MOST_SHOWN]}" twice')
    if node.default is not None and node.default not in names:
        yield unknown((*place, "default"), "the name of one of the targets", node.default, names)
    for index, condition in enumerate(node.conditions):
        here = (*place, "conditions", index)
        if condition.then not in names:
            yield unknown((*here, "then"), "the name of one of the targets", condition.then, names)
        yield from compile_query(json_of(condition.query), (*here, "query"))[1]


def sticky(node: Branch, place: Place) -> Iterator[Objection]:
    if node.sticky is None:
        return
    here = (*place, "sticky")
    if node.strategy not in BALANCED:
        yield Objection(here, f'a strategy that balances, not "{node.strategy}"', "sticky")
    if not node.sticky.fields:
        yield Objection((*here, "fields"), "at least one field", "none")
    for index, name in enumerate(node.sticky.fields):
        if field_of(name) is None:
            yield object_to_field(name, (*here, "fields", index))


def params(node: Branch, place: Place) -> Iterator[Objection]:
    """What every node may state: members of the body, and waits."""
    for field in ("default_params", "override_params"):
        for name, value in getattr(node, field).items():
            if not name:
                yield Objection((*place, field), "names of members", "an empty one")
            if not is_json(json_of(value)):
                yield Objection((*place, field, name), "a value that JSON has", "a date or time")
    for index, path in enumerate(node.drop_params):
        if not MEMBER_PATH.match(path):
            yield Objection((*place, "drop_params", index), 'a member such as "logprobs", "messages[*].name" or "tools[0]"',
                            f'"{path[:MOST_SHOWN]}"')
    retry: Retry | None = node.retry
    if retry is not None and retry.base_ms > retry.max_ms:
        yield Objection((*place, "retry", "max_ms"), f"at least base_ms, {retry.base_ms}", str(retry.max_ms))


def is_json(value: object) -> bool:
    if isinstance(value, dict):
        return all(map(is_json, value.values()))
    if isinstance(value, list):
        return all(map(is_json, value))
    return value is None or isinstance(value, bool | int | float | str)
