"""What the sections of a configuration have in common: their base, and the kinds of value that several of them take."""

from typing import Annotated

from msgspec import Meta, Struct

UpstreamModel = Annotated[
    str, Meta(pattern=r"\A[!-~]{1,128}\Z", extra={"expected": "1 to 128 visible ASCII characters"})
]
Milliseconds = Annotated[int, Meta(ge=1, le=86_400_000)]


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file."""
