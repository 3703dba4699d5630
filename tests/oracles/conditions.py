"""What a query means, evaluated anew for each request by one plain function, written from docs/routing.md."""
import re
from typing import Any

NONE = object()


def find(facts: dict[str, Any], path: str) -> Any:
    """The value at a path, or NONE; `facts` is one nested object."""
    value: Any = facts
    for step in path.split("."):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and re.fullmatch(r"-?\d+", step) and -len(value) <= int(step) < len(value):
            value = value[int(step)]
        else:
            return NONE
    return value


def kind(value: Any) -> str:
    """The JSON type of a value."""
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null" if value is None else "none")


def equal(one: Any, other: Any) -> bool:
    """Equality of two JSON values."""
    if kind(one) != kind(other) or one is NONE:
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(equal(*pair) for pair in zip(one, other, strict=True))
    if isinstance(one, dict):
        return set(one) == set(other) and all(equal(one[name], other[name]) for name in one)
    return bool(one == other)


def passes(value: Any, operator: str, operand: Any) -> bool:
    """Whether one operator holds of a value."""
    if operator == "$not":
        return not all(passes(value, *item) for item in operand.items())
    if operator in ("$and", "$or"):
        joint = all if operator == "$and" else any
        return joint([all(passes(value, *item) for item in part.items()) for part in operand])
    if operator == "$exists":
        return (value is not NONE) is bool(operand)
    if operator in ("$ne", "$nin"):
        return not passes(value, "$eq" if operator == "$ne" else "$in", operand)
    if operator == "$eq":
        return equal(value, operand)
    if operator == "$in":
        return any(equal(value, one) for one in operand)
    if operator == "$regex":
        return kind(value) == "string" and re.search(operand, value) is not None
    if kind(value) != kind(operand):
        return False
    return bool({"$gt": value > operand, "$gte": value >= operand, "$lt": value < operand, "$lte": value <= operand}[operator])


def holds(query: dict[str, Any], facts: dict[str, Any]) -> bool:
    """Whether a query holds."""
    answers = []
    for name, item in query.items():
        if name == "$not":
            answers.append(not holds(item, facts))
        elif name == "$and":
            answers.append(all(holds(part, facts) for part in item))
        elif name == "$or":
            answers.append(any(holds(part, facts) for part in item))
        elif isinstance(item, dict) and any(key.startswith("$") for key in item):
            answers.append(all(passes(find(facts, name), *one) for one in item.items()))
        else:
            answers.append(equal(find(facts, name), item))
    return all(answers)
