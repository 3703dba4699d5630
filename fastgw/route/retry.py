"""What follows an attempt that failed: the same target again after a while, another target, or an end.

Nothing is sent a second time once a byte of a reply has gone to the caller, nor where that could do something twice.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple, get_args

from msgspec import Struct

from fastgw.snapshot.routes import Retry, Trouble

MS: Final = 1_000_000
SECOND: Final = 1_000_000_000
MOST_NS: Final = 1_000_000 * SECOND
UNKNOWN: Final = -1
TROUBLES: Final[tuple[Trouble, ...]] = get_args(Trouble)
# Only the body of a reply tells these from others of the same status.
IN_BODY: Final = frozenset(("context_window", "content_policy", "billing", "too_large"))
BODY_TELLS: Final = frozenset((400, 402, 403, 404, 413, 422, 429, 500))
# The provider says that it has not begun.
NOT_BEGUN: Final = frozenset((429, 503, 529))
SAFE_METHODS: Final = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE"))  # RFC 9110, 9.2.2: idempotent
# These make an answer and change nothing else; what else is POSTed (files, batches, unknown paths) may make something twice.
ANSWERS: Final = frozenset((
    "chat", "completions", "embeddings", "responses", "moderations", "images", "audio", "messages", "count_tokens", "generate", "embed",
    "rerank", "speech", "transcriptions", "translations", "cohere_chat", "cohere_embed", "cohere_rerank", "ollama",
))  # fmt: skip

BY_STATUS: Final[dict[int, Trouble]] = {
    401: "authentication", 402: "billing", 403: "permission", 404: "not_found", 408: "timeout", 413: "too_large", 429: "rate_limit",
    503: "overloaded", 504: "timeout", 529: "overloaded",
}  # fmt: skip


class Failure(Struct, frozen=True, kw_only=True):
    """How an attempt failed.

    status          of the reply; 0 where none came
    trouble         kind of failure: of the reply's body where a dialect has read it (canonical.Failure.kind), else by status or connection
    delivered       a byte of the request may have reached the target
    retry_after_ns  what the target asks for, from now; UNKNOWN where it says nothing
    """

    status: int = 0
    trouble: Trouble
    delivered: bool = True
    retry_after_ns: int = UNKNOWN


class Verdict(NamedTuple):
    """again: the same target, after a while; next: another one, where the route has one; stop: what there is goes to the caller."""

    kind: Literal["again", "next", "stop"]
    after_ns: int = 0


NEXT: Final = Verdict("next")
STOP: Final = Verdict("stop")


class RetryRule:
    """A Retry section, made ready to be asked."""

    __slots__ = ("attempts", "base_ns", "honours", "max_ns", "on_errors", "on_status")

    def __init__(self, section: Retry) -> None:
        self.attempts = section.attempts
        self.on_status = frozenset(section.on_status)
        self.on_errors = frozenset(section.on_errors)
        self.base_ns = section.base_ms * MS
        self.max_ns = section.max_ms * MS
        self.honours = section.honour_retry_after

    def __repr__(self) -> str:
        return f"<RetryRule {self.attempts} attempts>"

    def decide(self, failure: Failure, retries: int, *, repeatable: bool, left_ns: int, draw: int) -> Verdict:
        """What follows.

        retries     how often this target has been asked again already
        repeatable  as `is_repeatable` says of the request; False also where its body was passed on and is gone
        left_ns     to the deadline that all attempts share
        draw        64 random bits
        """
        if not may_follow(failure, repeatable) or left_ns <= 0:
            return STOP
        if retries >= self.attempts or not (failure.status in self.on_status or failure.trouble in self.on_errors):
            return NEXT
        # random, so that callers who failed together do not come back together; half of it at least, as no wait at all is no second chance
        half_ns = min(self.max_ns, self.base_ns << min(retries, 20)) >> 1
        wait_ns = half_ns + (half_ns * draw >> 64)
        if self.honours and failure.retry_after_ns > 0:
            if failure.retry_after_ns > self.max_ns:
                return NEXT
            wait_ns = failure.retry_after_ns + (self.base_ns * draw >> 64)
        return Verdict("again", wait_ns) if wait_ns < left_ns else NEXT


def may_follow(failure: Failure, repeatable: bool) -> bool:
    """Whether the request may be sent once more, to whomever: it does no harm twice, or has certainly not been begun."""
    return repeatable or not failure.delivered or failure.status in NOT_BEGUN


def is_repeatable(method: str, operation: str) -> bool:
    """Whether a request may be sent twice without doing something twice."""
    return method in SAFE_METHODS or operation in ANSWERS


def trouble_of_status(status: int) -> Trouble:
    """The kind of failure that a status alone says."""
    return BY_STATUS.get(status) or ("server" if status >= 500 else "invalid_request")


def trouble_of_kind(kind: str) -> Trouble:
    """The kind of failure that a dialect read in a body: the words are the same."""
    return kind if kind in TROUBLES else "server"


def retry_after(field: Callable[[str], str | None], now_s: float) -> int:
    """What a reply asks for in nanoseconds from now, from its most exact field; UNKNOWN where none is well-formed.

    field   the value of a reply's field by lower-case name, or None
    now_s   the wall clock, for a date
    """
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        wait_ns = number_ns(field(name), MS)
        if wait_ns != UNKNOWN:
            return wait_ns
    text = field("retry-after")
    wait_ns = number_ns(text, SECOND)
    return date_ns(text, now_s) if wait_ns == UNKNOWN and text else wait_ns


def number_ns(text: str | None, unit_ns: int) -> int:
    """A decimal number of units, as some providers write it also where RFC 9110 has whole seconds."""
    whole, dot, rest = (text or "").strip().partition(".")
    digits = whole + rest
    if not digits.isascii() or not digits.isdigit() or not whole or (dot and not rest) or len(digits) > 32:
        return UNKNOWN
    scale: int = 10 ** len(rest)
    return min(int(digits) * unit_ns // scale, MOST_NS)


def date_ns(text: str, now_s: float) -> int:
    """An HTTP date (RFC 9110, 5.6.7); one that has passed is now."""
    # takes as much memory as all of route/, and hardly any provider sends a date
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(text.strip())
    except (ValueError, OverflowError):
        return UNKNOWN
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    wait_s = (moment - datetime.fromtimestamp(now_s, UTC)).total_seconds()
    return min(max(int(wait_s * SECOND), 0), MOST_NS)
