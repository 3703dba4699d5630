"""Split an event stream into its events and frame events as one, as the HTML standard's section on server-sent events has it."""

MOST_EVENT_BYTES = 33_554_432  # a picture in base64 is one event


class EventTooLarge(ValueError):
    """One event is longer than MOST_EVENT_BYTES."""


class EventSplitter:
    """Feed it the bytes of a stream in pieces of any size; it returns (event name, data) pairs as they become whole.

    Line ends may be LF, CRLF or CR; comments, ids and retry times are passed over; data lines are joined by LF. An event without data is
    none. Memory: one event. raises EventTooLarge
    """

    __slots__ = ("_half", "_held")

    def __init__(self) -> None:
        self._held = bytearray()  # grows in place: what is fed is copied once more, however long the event becomes
        self._half = False

    def __repr__(self) -> str:
        return f"<EventSplitter holding {len(self._held)} bytes>"

    def feed(self, piece: bytes) -> list[tuple[str, bytes]]:
        if self._half:
            piece = b"\r" + piece
        if b"\r" in piece:
            # a CR at the end may be half of a CRLF: it waits
            self._half = piece.endswith(b"\r")
            piece = piece[: len(piece) - self._half].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        held = self._held
        seen = len(held)
        if seen:
            held += piece
        end = held.find(b"\n\n", seen - 1) if seen else piece.find(b"\n\n")
        if end < 0:
            if not seen:
                held += piece
            if len(held) > MOST_EVENT_BYTES:
                raise EventTooLarge(f"expected events of at most {MOST_EVENT_BYTES} bytes")
            return []
        if seen:
            piece = bytes(held)
            held.clear()
        events = []
        start = 0
        while end >= 0:
            event = parse(piece[start:end])
            if event is not None:
                events.append(event)
            start = end + 2
            end = piece.find(b"\n\n", start)
        held += piece[start:]
        return events

    def finish(self) -> list[tuple[str, bytes]]:
        """The event that was not ended: some providers leave the last blank line out."""
        rest = bytes(self._held) + b"\n" * self._half
        self._held.clear()
        self._half = False
        event = parse(rest)
        return [] if event is None else [event]


def parse(block: bytes) -> tuple[str, bytes] | None:
    """The event of a block of lines that end in LF; None where it has no data."""
    if block.startswith(b"data: ") and b"\n" not in block:
        return "", block[6:]
    name = ""
    lines = []
    for line in block.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            lines.append(value)
        elif field == b"event":
            name = value.decode("utf-8", "replace")
    return (name, b"\n".join(lines)) if lines else None


def framed(data: bytes, event: str = "") -> bytes:
    """One event; the data must be one line, as JSON is."""
    if event:
        return b"event: " + event.encode() + b"\ndata: " + data + b"\n\n"
    return b"data: " + data + b"\n\n"


class LineSplitter:
    """The same for lines of JSON (application/x-ndjson): each line is an event without a name. raises EventTooLarge"""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = bytearray()

    def __repr__(self) -> str:
        return f"<LineSplitter holding {len(self._held)} bytes>"

    def feed(self, piece: bytes) -> list[tuple[str, bytes]]:
        self._held += piece
        if b"\n" not in piece:
            if len(self._held) > MOST_EVENT_BYTES:
                raise EventTooLarge(f"expected lines of at most {MOST_EVENT_BYTES} bytes")
            return []
        *lines, rest = bytes(self._held).split(b"\n")
        self._held[:] = rest
        return [("", line.strip()) for line in lines if line.strip()]

    def finish(self) -> list[tuple[str, bytes]]:
        rest = bytes(self._held).strip()
        self._held.clear()
        return [("", rest)] if rest else []
