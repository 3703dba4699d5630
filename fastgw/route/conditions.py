"""Compile a query to a predicate over the facts of a request; docs/routing.md defines what each operator means.

    query    = { member, ... }                   all of them hold
    member   = "$and" | "$or": [query, ...]  |  "$not": query  |  FIELD: literal  |  FIELD: { operator: operand, ... }
    operator = $eq $ne $gt $gte $lt $lte $in $nin $regex $exists, and over the same field $and $or [operators, ...], $not operators

Truth is two-valued and has no exceptions: $not is exactly the opposite of what it negates, $ne of $eq, $nin of $in. Values of unlike types
are not equal and stand in no order, so every comparison of them is false; an absent field is equal to nothing.
"""

from collections.abc import Callable, Mapping
from typing import Final

from fastgw.route.facts import ABSENT, Facts, Field, Objection, Place, field_of, object_to_field
from fastgw.route.pattern import TooCostly, compile_pattern

Predicate = Callable[[Facts], bool]
Test = Callable[[object], bool]

MOST_DEPTH: Final = 32
MOST_MEMBERS: Final = 1000
JOINTS: Final = ("$and", "$or", "$not")


def compile_query(query: object, place: Place = ()) -> tuple[Predicate, list[Objection]]:
    """The predicate of a query, and all that is wrong with it; where anything is, the predicate is of no use."""
    compiler = Compiler()
    predicate = compiler.query(query, place, 0)
    return predicate, compiler.objections


def same(value: object, literal: object) -> bool:
    """Equality as JSON has it: 1 and 1.0 are one number, true is none; arrays and objects by their members."""
    if isinstance(value, bool) or isinstance(literal, bool):
        return value is literal
    if isinstance(value, list) and isinstance(literal, list):
        return len(value) == len(literal) and all(map(same, value, literal))
    if isinstance(value, Mapping) and isinstance(literal, Mapping):
        return value.keys() == literal.keys() and all(same(value[name], literal[name]) for name in value)
    return value == literal


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def comparison(operand: object, compare: Callable[[object, object], bool]) -> Test:
    """Numbers with numbers, strings with strings; all else is false."""
    if isinstance(operand, str):
        return lambda value: isinstance(value, str) and compare(value, operand)
    return lambda value: is_number(value) and compare(value, operand)


def equality(operand: object) -> Test:
    if isinstance(operand, str):
        return lambda value: value == operand
    return lambda value: same(value, operand)


def membership(operands: list[object]) -> Test:
    if all(isinstance(operand, str) for operand in operands):
        words = frozenset(operands)
        return lambda value: isinstance(value, str) and value in words
    return lambda value: any(same(value, operand) for operand in operands)


def negation(test: Test) -> Test:
    return lambda value: not test(value)


def all_of(tests: list[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    return lambda value: all(test(value) for test in tests)


def any_of(tests: list[Test]) -> Test:
    return lambda value: any(test(value) for test in tests)


def on_field(field: Field, test: Test) -> Predicate:
    return lambda facts: test(field(facts))


def every(predicates: list[Predicate]) -> Predicate:
    if len(predicates) == 1:
        return predicates[0]
    return lambda facts: all(predicate(facts) for predicate in predicates)


def some(predicates: list[Predicate]) -> Predicate:
    return lambda facts: any(predicate(facts) for predicate in predicates)


def opposite(predicate: Predicate) -> Predicate:
    return lambda facts: not predicate(facts)


ORDERS: Final[dict[str, Callable[[object, object], bool]]] = {
    "$gt": lambda value, operand: value > operand,  # type: ignore[operator]  # both are numbers or both are strings
    "$gte": lambda value, operand: value >= operand,  # type: ignore[operator]  # the same
    "$lt": lambda value, operand: value < operand,  # type: ignore[operator]  # the same
    "$lte": lambda value, operand: value <= operand,  # type: ignore[operator]  # the same
}
OPERATORS: Final = ("$eq", "$ne", *ORDERS, "$in", "$nin", "$regex", "$exists", *JOINTS)


def nothing(value: object) -> bool:
    """In the place of what could not be compiled."""
    return False


class Compiler:
    """Compiles one query and collects what is wrong with it."""

    def __init__(self) -> None:
        self.objections: list[Objection] = []
        self.members = 0

    def __repr__(self) -> str:
        return f"<Compiler, {len(self.objections)} objections>"

    def refuse(self, place: Place, expected: str, found: object, name: str = "", known: tuple[str, ...] = ()) -> None:
        self.objections.append(Objection(place, expected, found if isinstance(found, str) else kind_of(found), name, known))

    def fits(self, place: Place, depth: int) -> bool:
        """Whether one more member may be read; says so once where it may not."""
        self.members += 1
        if depth > MOST_DEPTH:
            self.refuse(place, f"at most {MOST_DEPTH} levels", "more")
        elif self.members == MOST_MEMBERS + 1:
            self.refuse(place, f"at most {MOST_MEMBERS} members of a query", "more")
        return depth <= MOST_DEPTH and self.members <= MOST_MEMBERS

    def query(self, query: object, place: Place, depth: int) -> Predicate:
        if not isinstance(query, Mapping) or not query:
            self.refuse(place, "a table of fields and operators", "an empty table" if query == {} else query)
            return nothing
        return every([self.member(str(name), item, (*place, str(name)), depth) for name, item in query.items()])

    def member(self, name: str, item: object, place: Place, depth: int) -> Predicate:
        if not self.fits(place, depth):
            return nothing
        if name == "$not":
            return opposite(self.query(item, place, depth + 1))
        if name in JOINTS:
            parts = [self.query(part, (*place, index), depth + 1) for index, part in enumerate(self.parts(item, place))]
            return every(parts) if name == "$and" and parts else some(parts)
        if name.startswith("$"):
            self.refuse(place, "a field, $and, $or or $not", f'"{name[:64]}"', name, JOINTS)
            return nothing
        field = field_of(name)
        if field is None:
            self.objections.append(object_to_field(name, place))
            return nothing
        return on_field(field, self.test(item, place, depth))

    def parts(self, item: object, place: Place) -> list[object]:
        if isinstance(item, list) and item:
            return item
        self.refuse(place, "a list of at least one", "an empty list" if item == [] else item)
        return []

    def test(self, item: object, place: Place, depth: int) -> Test:
        """What a field's value must pass: operators, or a literal that it must equal."""
        if isinstance(item, Mapping) and any(str(name).startswith("$") for name in item):
            return self.operators(item, place, depth + 1)
        return self.equality(item, place)

    def equality(self, literal: object, place: Place) -> Test:
        if literal is not None and not isinstance(literal, bool | int | float | str | list | Mapping):
            self.refuse(place, "a value that JSON has", "a date or time")
        return equality(literal)

    def operators(self, item: object, place: Place, depth: int) -> Test:
        if not isinstance(item, Mapping) or not item:
            self.refuse(place, "a table of operators", "an empty table" if item == {} else item)
            return nothing
        return all_of([self.operator(str(name), operand, (*place, str(name)), depth) for name, operand in item.items()])

    def operator(self, name: str, operand: object, place: Place, depth: int) -> Test:
        if not self.fits(place, depth):
            return nothing
        if name in ("$eq", "$ne"):
            test = self.equality(operand, place)
            return test if name == "$eq" else negation(test)
        if name in ORDERS:
            if not isinstance(operand, str) and not is_number(operand):
                self.refuse(place, "a number or a string", operand)
            return comparison(operand, ORDERS[name])
        if name in ("$in", "$nin"):
            if not isinstance(operand, list):
                self.refuse(place, "a list", operand)
                return nothing
            return membership(operand) if name == "$in" else negation(membership(operand))
        if name == "$exists":
            if not isinstance(operand, bool):
                self.refuse(place, "true or false", operand)
            return lambda value: (value is not ABSENT) is operand
        if name == "$regex":
            return self.regex(operand, place)
        if name == "$not":
            return negation(self.operators(operand, place, depth + 1))
        if name in JOINTS:
            tests = [self.operators(part, (*place, index), depth + 1) for index, part in enumerate(self.parts(operand, place))]
            return all_of(tests) if name == "$and" and tests else any_of(tests)
        self.refuse(place, f"one of the operators {', '.join(OPERATORS)}", f'"{name[:64]}"', name, OPERATORS)
        return nothing

    def regex(self, operand: object, place: Place) -> Test:
        if not isinstance(operand, str):
            self.refuse(place, "a regular expression as a string", operand)
            return nothing
        try:
            is_found = compile_pattern(operand)
        except TooCostly as error:
            self.refuse(place, str(error), "another")
            return nothing
        return lambda value: isinstance(value, str) and is_found(value)


def kind_of(value: object) -> str:
    """Name the kind of a value; the value itself may be private."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    for kind, name in ((int | float, "a number"), (str, "a string"), (list, "a list"), (Mapping, "a table")):
        if isinstance(value, kind):
            return name
    return "something else"
