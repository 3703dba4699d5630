"""What became of a request on its way through a route, for its record and, on request, for a field of the response."""

from collections.abc import Iterable
from typing import Final, NamedTuple

# By plan.Why; the first stands for a leaf that was fit but whose breaker was open.
REASONS: Final = (
    "open", "tried", "does not serve the operation", "not allowed", "price above max_price", "price unknown", "condition",
    "the failure does not lead there", "over its budget", "over its rate", "too many requests at once",
)  # fmt: skip
MOST_BYTES: Final = 1536


class Attempt(NamedTuple):
    """One attempt that has ended.

    leaf            its index in the route
    status          of the reply; 0 where none came
    trouble         kind of failure; "" where it served, or its error went to the caller as it came
    begun_ns, ended_ns   monotonic
    """

    leaf: int
    status: int
    trouble: str
    begun_ns: int
    ended_ns: int


def quoted(text: str) -> str:
    """A string of RFC 9651 (structured fields), 3.3.3; what it cannot hold becomes a question mark."""
    visible = "".join(character if " " <= character <= "~" else "?" for character in text)
    return '"' + visible.replace("\\", "\\\\").replace('"', '\\"') + '"'


def attempts_field(labels: list[str], attempts: Iterable[Attempt]) -> str:
    """The attempts in their order as a list of RFC 9651, such as `"main/gpt-4.1";status=429;trouble="rate_limit";ms=312`."""
    return joined(
        quoted(labels[attempt.leaf])
        + (f";status={attempt.status}" if attempt.status else "")
        + (f";trouble={quoted(attempt.trouble)}" if attempt.trouble else "")
        + f";ms={(attempt.ended_ns - attempt.begun_ns) // 1_000_000}"
        for attempt in attempts
    )


def passed_over_field(passed_over: Iterable[tuple[str, str]]) -> str:
    """Who was passed over and why as a list of RFC 9651, such as `"backup/gpt-4.1";why="open"`."""
    return joined(f"{quoted(label)};why={quoted(why)}" for label, why in passed_over)


def joined(members: Iterable[str]) -> str:
    """A list of members, cut between two of them where it becomes too long for a field."""
    text = ""
    for member in members:
        if len(text) + len(member) + 2 > MOST_BYTES:
            break
        text += (", " if text else "") + member
    return text
