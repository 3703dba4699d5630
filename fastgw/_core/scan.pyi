"""The Python face of the scan kernel; offsets are into the body, spans (start, end) or None where absent."""

from typing import NamedTuple, TypedDict

class ScanFailure(NamedTuple):
    """Why a body is not taken.

    reason   not_json, not_object, too_deep, not_utf8, duplicate or wrong_type
    at       offset of the byte, key or value that is wrong
    field    its JSON path, such as "$.max_tokens"; expected and found in words; None where it is not about a field
    """

    reason: str
    at: int
    field: str | None
    expected: str | None
    found: str | None

class RequestFields(TypedDict):
    """What scan.pxd says under the same names; None for -1 and for absent spans."""

    first: int
    empty: bool
    model: tuple[int, int] | None
    model_escaped: bool
    stream: bool | None
    stream_options: tuple[int, int] | None
    stream_options_empty: bool
    stream_options_null: tuple[int, int] | None
    include_usage: bool | None
    include_usage_value: tuple[int, int] | None
    max_tokens: int | None
    max_tokens_value: tuple[int, int] | None
    limits: list[int | None]
    limit_values: list[tuple[int, int] | None]
    prompts: int
    background: bool
    choices: int
    generation_config: tuple[int, int] | None
    generation_config_empty: bool
    generation_config_null: tuple[int, int] | None
    media: int

def scan(body: bytes) -> RequestFields | ScanFailure:
    """Read the fields of one JSON request, strictly."""

def _bench(body: bytes, rounds: int) -> int:
    """Scan `body` so many times; the sum of the error numbers."""
