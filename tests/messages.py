"""Write messages of an AWS event stream, whole or broken, for tests and fakes."""

import json
from collections.abc import Mapping
from struct import pack
from zlib import crc32


def message(headers: bytes, payload: bytes) -> bytes:
    """One message with both of its sums."""
    prelude = pack(">II", 16 + len(headers) + len(payload), len(headers))
    body = prelude + pack(">I", crc32(prelude)) + headers + payload
    return body + pack(">I", crc32(body))


def text_header(name: str, value: str) -> bytes:
    """One header of type 7."""
    return bytes([len(name)]) + name.encode() + b"\x07" + pack(">H", len(value.encode())) + value.encode()


def event(name: str, value: Mapping[str, object]) -> bytes:
    """An event as Bedrock sends it."""
    headers = text_header(":event-type", name) + text_header(":content-type", "application/json") + text_header(":message-type", "event")
    return message(headers, json.dumps(value).encode())


def exception(name: str, value: Mapping[str, object]) -> bytes:
    """An exception in mid-stream."""
    headers = text_header(":exception-type", name) + text_header(":content-type", "application/json")
    return message(headers + text_header(":message-type", "exception"), json.dumps(value).encode())
