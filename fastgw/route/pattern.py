"""Regular expressions whose time is bounded: what could take long is refused when the configuration is read.

Python's matcher tries one way after the other. How many ways there are is bounded here from the pattern alone: a repeat without a bound
can end at each character of the subject, one with a bound at as many places as it has counts, an alternative is as many ways as it has
branches; and the search begins at each character. The longest subject is what keeps the product within MOST_STEPS.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

# The parser of `re` has no public name, and whether type checkers know its private one depends on what else they look at.
kinds: Any = vars(re)["_constants"]
parser: Any = vars(re)["_parser"]

MOST_PATTERN_CHARACTERS: Final = 512
MOST_STEPS: Final = 16_000_000
LONGEST_SUBJECT: Final = 65_536
SHORTEST_LIMIT: Final = 48
FEW: Final = 16  # a repeat that may come more often counts as one without a bound
REPEATS: Final = (kinds.MAX_REPEAT, kinds.MIN_REPEAT, kinds.POSSESSIVE_REPEAT)

Item = tuple[object, object]


class TooCostly(ValueError):
    """The pattern could take too long, or is none; the message says what is expected instead."""


def compile_pattern(text: str) -> Callable[[str], bool]:
    """A predicate: whether the pattern is found anywhere in a text.

    Of a text longer than the pattern allows only the beginning is looked at; where the pattern is tied to the end, it is not found.
    raises  TooCostly
    """
    if len(text) > MOST_PATTERN_CHARACTERS:
        raise TooCostly(f"a regular expression of at most {MOST_PATTERN_CHARACTERS} characters")
    try:
        compiled = re.compile(text)
        items = list(parser.parse(text))
    except (re.error, RecursionError, OverflowError):
        raise TooCostly("a regular expression as Python's re has them") from None
    survey = Survey()
    survey.look(items, repeated=False)
    limit = survey.limit()
    if limit < SHORTEST_LIMIT:
        raise TooCostly("a regular expression with fewer repeats and alternatives")
    search, tied = compiled.search, survey.tied_to_end

    def is_found(subject: str) -> bool:
        if len(subject) > limit:
            if tied:
                return False
            subject = subject[:limit]
        return search(subject) is not None

    return is_found


class Survey:
    """What a pattern is made of: how many ways there are to match it."""

    def __init__(self) -> None:
        self.unbounded = 0
        self.ways = 1
        self.tied_to_end = False

    def __repr__(self) -> str:
        return f"<Survey {self.unbounded} unbounded, {self.ways} ways>"

    def limit(self) -> int:
        """The longest subject that is looked at."""
        if self.ways > MOST_STEPS:
            return 0
        return min(LONGEST_SUBJECT, int((MOST_STEPS / self.ways) ** (1 / (self.unbounded + 1))))

    def look(self, items: Iterable[Item], repeated: bool) -> None:
        """Count what stands in a sequence; `repeated`: it is inside of a repeat."""
        for kind, content in items:
            if kind in REPEATS:
                self.repeat(content, repeated)
            elif kind is kinds.BRANCH:
                if repeated:
                    raise TooCostly("a regular expression that repeats no alternatives")
                _, branches = cast(tuple[object, list[Iterable[Item]]], content)
                self.ways *= len(branches)
                for branch in branches:
                    self.look(branch, repeated)
            elif kind is kinds.SUBPATTERN:
                self.look(cast(tuple[object, object, object, Iterable[Item]], content)[3], repeated)
            elif kind is kinds.ATOMIC_GROUP:
                self.look(cast(Iterable[Item], content), repeated)
            elif kind in (kinds.ASSERT, kinds.ASSERT_NOT):
                self.tied_to_end = True
                self.look(cast(tuple[object, Iterable[Item]], content)[1], repeated)
            elif kind in (kinds.GROUPREF, kinds.GROUPREF_EXISTS):
                raise TooCostly("a regular expression that refers to none of its groups")
            elif kind is kinds.AT:
                self.tied_to_end |= content not in (kinds.AT_BEGINNING, kinds.AT_BEGINNING_STRING, kinds.AT_BOUNDARY, kinds.AT_NON_BOUNDARY)

    def repeat(self, content: object, repeated: bool) -> None:
        least, most, inner = cast(tuple[int, int, Iterable[Item]], content)
        if repeated:
            raise TooCostly("a regular expression without repeats inside of repeats")
        if most > FEW:
            self.unbounded += 1
        else:
            self.ways *= most - least + 1
        # what is there once or not at all is not repeated
        self.look(inner, most > 1)
