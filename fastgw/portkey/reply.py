"""The fields that a reply to Portkey's clients carries beside the gateway's own."""

from typing import Literal

CacheStatus = Literal["HIT", "SEMANTIC HIT", "MISS", "SEMANTIC MISS", "REFRESH", "DISABLED", ""]


def reply_fields(path: str, provider: str, retries: int, cache: CacheStatus = "") -> bytes:
    """Lines for the head of a reply; x-portkey-trace-id is not among them, as every reply has it.

    path      of the leaf that answered, such as "config.targets[0]"
    retries   how often the target was asked again; -1 where that did not help
    cache     "" where no cache was asked for
    """
    lines = f"x-portkey-last-used-option-index: {path}\r\nx-portkey-provider: {provider}\r\nx-portkey-retry-attempt-count: {retries}\r\n"
    return (lines + (f"x-portkey-cache-status: {cache}\r\n" if cache else "")).encode("ascii")
