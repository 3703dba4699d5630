"""What a route puts into a body or takes out of it: defaults, then overrides, then what is dropped."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec

STEP = re.compile(r"([^.\[\]]+)|\[(\*|[0-9]+)\]")
# whether a reply is a stream is the caller's to say: it would not understand the other
CALLERS_OWN = frozenset(("stream",))


def apply_params(body: bytes, defaults: Mapping[str, object], overrides: Mapping[str, object], drops: Sequence[str]) -> bytes:
    """The body of one JSON object with members put in and taken out; a member of null counts as stated by nobody.

    Overrides that are objects are merged into objects, member by member; everything else replaces what is there.
    """
    decoded = msgspec.json.decode(body)
    assert isinstance(decoded, dict)  # the scanner has checked it
    for name, value in defaults.items():
        if name not in CALLERS_OWN and decoded.get(name) is None:
            decoded[name] = value
    for name, value in overrides.items():
        if name not in CALLERS_OWN:
            decoded[name] = merged(decoded.get(name), value)
    for path in drops:
        drop(decoded, steps_of(path))
    return msgspec.json.encode(decoded)


def merged(old: object, new: object) -> object:
    """The new value; objects are merged."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    return {**old, **{name: merged(old.get(name), value) for name, value in new.items()}}


@lru_cache(1024)
def steps_of(path: str) -> tuple[str | int | None, ...]:
    """The steps of messages[*].name: members by name, elements by number, None for all of them."""
    return tuple(name or (None if index == "*" else int(index)) for name, index in STEP.findall(path))


def drop(value: object, steps: Sequence[str | int | None]) -> None:
    """Take out what the steps lead to, where there is such a thing."""
    step, *rest = steps
    if isinstance(value, list) and step is None:
        if rest:
            for element in value:
                drop(element, rest)
        else:
            value.clear()
    elif isinstance(value, list) and isinstance(step, int) and step < len(value):
        if rest:
            drop(value[step], rest)
        else:
            del value[step]
    elif isinstance(value, dict) and isinstance(step, str) and step in value and step not in CALLERS_OWN:
        if rest:
            drop(value[step], rest)
        else:
            del value[step]
