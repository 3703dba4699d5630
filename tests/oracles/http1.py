"""Read whole HTTP/1.1 messages with regular expressions: the slow, plain twin of fastgw._core.http1."""
import re
from typing import NamedTuple

MOST = 2**53
TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
VALUE = rb"[\t\x20-\x7e\x80-\xff]*"
HOST = rb"(?:\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z._~-]{1,255})(?::(\d{1,5}))?"
FIELD = re.compile(rb"(%s):[ \t]*(%s)" % (TOKEN, VALUE))
REQUEST_LINE = re.compile(
    rb"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) "
    rb"(?:[Hh][Tt][Tt][Pp][Ss]?://([^/?#\s]+)(?=/))?(/[!-~]*|\*) HTTP/1\.([01])"
)
STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9]\d\d)(?: %s)?" % VALUE)
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})(;[\t\x20-\x7e\x80-\xff]{0,255})?\r\n")
TRAILERS = re.compile(rb"((?:%s:%s\r\n)*\r\n)" % (TOKEN, VALUE))


class Facts(NamedTuple):
    """What is worth comparing of a head; `fields` are (name, value)."""

    method: str
    status: int
    minor: int
    target: bytes
    fields: list[tuple[bytes, bytes]]
    content_length: int
    chunked: bool
    keep_alive: bool
    expect_continue: bool
    length: int


def has_host(value: bytes) -> bool:
    match = re.fullmatch(HOST, value)
    return match is not None and int(match[1] or 0) <= 65535


def read_fields(lines: list[bytes]) -> list[tuple[bytes, bytes]] | None:
    matches = [FIELD.fullmatch(line) for line in lines]
    if len(lines) > 200 or None in matches:
        return None
    return [(match[1], match[2].strip(b" \t")) for match in matches if match]


def values_of(fields: list[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    return [value for key, value in fields if key.lower() == name]


def connection_options(fields: list[tuple[bytes, bytes]]) -> list[bytes] | None:
    options = [part.strip(b" \t").lower() for value in values_of(fields, b"connection") for part in value.split(b",")]
    options = [option for option in options if option]
    if any(re.fullmatch(TOKEN, option) is None for option in options):
        return None
    return options if len([option for option in options if option not in (b"close", b"keep-alive")]) <= 32 else None


def read_framing(
    fields: list[tuple[bytes, bytes]], minor: int, length: bytes, may_repeat: bool
) -> tuple[int, bool] | None:
    """Return (content length or -1, chunked); `length` is the pattern of one Content-Length."""
    lengths, codings = values_of(fields, b"content-length"), values_of(fields, b"transfer-encoding")
    if any(re.fullmatch(length, value) is None or int(value) > MOST for value in lengths):
        return None
    if len({int(value) for value in lengths}) > 1 or (len(lengths) > 1 and not may_repeat):
        return None
    if codings and (minor == 0 or lengths or [value.lower() for value in codings] != [b"chunked"]):
        return None
    return int(lengths[0]) if lengths else -1, bool(codings)


def split_head(text: bytes) -> tuple[bytes, list[bytes], int] | None:
    """Return (start line, field lines, length) of the head at the front of the text."""
    end = text.find(b"\r\n\r\n")
    if end < 0:
        return None
    start, *lines = text[:end].split(b"\r\n")
    return start, lines, end + 4


def parse_request(text: bytes) -> Facts | None:
    """Return what stands in the complete request head at the front, or None where the kernel must not accept it."""
    skipped = 2 if text.startswith(b"\r\n") else 0
    head = split_head(text[skipped:])
    if head is None:
        return None
    line, fields, options = REQUEST_LINE.fullmatch(head[0]), read_fields(head[1]), None
    if line is None or fields is None or b"#" in line[3] or (line[3] == b"*" and line[1] != b"OPTIONS"):
        return None
    minor, hosts, expected = int(line[4]), values_of(fields, b"host"), values_of(fields, b"expect")
    framing = read_framing(fields, minor, rb"0|[1-9]\d{0,15}", may_repeat=False)
    options = connection_options(fields)
    if framing is None or options is None or any(value.lower() != b"100-continue" for value in expected):
        return None
    if len(hosts) > 1 or len(hosts) < minor or not all(map(has_host, hosts)):
        return None
    if line[2] is not None and (not has_host(line[2]) or (hosts and hosts[0].lower() != line[2].lower())):
        return None
    keep_alive = b"close" not in options and (minor == 1 or b"keep-alive" in options)
    continues = bool(expected) and minor == 1
    return Facts(line[1].decode(), 0, minor, line[3], fields, *framing, keep_alive, continues, head[2] + skipped)


def parse_response(text: bytes) -> Facts | None:
    """Return what stands in the complete response head at the front, or None where the kernel must not accept it."""
    head = split_head(text)
    if head is None:
        return None
    line, fields = STATUS_LINE.fullmatch(head[0]), read_fields(head[1])
    if line is None or fields is None:
        return None
    minor, status = int(line[1]), int(line[2])
    framing, options = read_framing(fields, minor, rb"\d{1,16}", may_repeat=True), connection_options(fields)
    if framing is None or options is None:
        return None
    keep_alive = b"close" not in options and (minor == 1 or b"keep-alive" in options)
    length, chunked = framing
    if status < 200 or status in (204, 304):
        keep_alive = keep_alive and (status == 304 or (length <= 0 and not chunked))
        length, chunked = 0, False
    elif length < 0 and not chunked:
        keep_alive = False
    return Facts("", status, minor, b"", fields, length, chunked, keep_alive, False, head[2])


def dechunk(text: bytes) -> tuple[bytes, int] | None:
    """Return (payload, length) of the complete chunked body at the front, or None where there is none."""
    payload, at = b"", 0
    while True:
        size = CHUNK_SIZE.match(text, at)
        if size is None or int(size[1], 16) > MOST:
            return None
        at = size.end()
        length = int(size[1], 16)
        if length == 0:
            trailers = TRAILERS.match(text, at)
            return (payload, trailers.end()) if trailers and len(trailers[1]) <= 16384 else None
        payload += text[at : at + length]
        at += length
        if text[at : at + 2] != b"\r\n":
            return None
        at += 2
