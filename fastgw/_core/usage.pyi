"""The Python face of the usage kernel; counts are tokens, dialects and forms the constants below."""

from typing import TypedDict

OPENAI: int
ANTHROPIC: int
GEMINI: int
COHERE: int
JSON: int
SSE: int

class Usage(TypedDict):
    """What usage.pxd says under the same names."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cache_write_1h_tokens: int
    reasoning_tokens: int
    audio_input_tokens: int
    audio_output_tokens: int
    seen: bool
    final: bool

def read_usage_of(dialect: int, body: bytes) -> Usage | None:
    """Return the usage that one whole JSON reply states; None where it states none, or is cut short."""

class Tap:
    """Watch one reply in pieces; see the kernel's head for the rules.

    strip    take the event out that only carries usage (OPENAI and SSE; elsewhere nothing is taken out)
    raises   ValueError where dialect or form is none of the constants
    """

    def __init__(self, dialect: int, form: int, strip: bool = False) -> None: ...
    def feed(self, piece: bytes) -> bytes:
        """Take the next piece; return what goes on to the client."""
    def finish(self) -> bytes:
        """Say that the reply has ended; return what was held back."""
    def usage(self) -> Usage: ...
    @property
    def text_bytes(self) -> int: ...
    @property
    def events(self) -> int: ...
    @property
    def saw_done(self) -> bool: ...
    @property
    def saw_error(self) -> bool: ...

def _bench_feed(dialect: int, form: int, strip: bool, piece: bytes, rounds: int) -> int:
    """Feed `piece` so many times to one tap; how many events it saw."""

def _bench_read(dialect: int, body: bytes, rounds: int) -> int:
    """Read the usage of `body` so many times; how often one was seen."""
