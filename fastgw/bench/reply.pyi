"""The Python face of what is looked for in replies, for the first probe and the tests."""

OPENAI_STREAM: int
ANTHROPIC_STREAM: int

def tells_usage(body: bytes) -> bool:
    """Whether a JSON body or event says what was used: an object called usage, not null."""

def look_at_events(body: bytes, kind: int) -> tuple[int, int, bool, bool]:
    """(events, those with content, whether usage is told, whether the last event that must come came) of a stream."""
