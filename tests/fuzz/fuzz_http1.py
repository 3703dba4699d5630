"""Compare the HTTP/1.1 kernel with its twin and with llhttp; run this file to let atheris choose the bytes."""

import sys
from typing import Self

import httptools

from fastgw._core.http1 import Dechunker, ParsedHead, parse_request_head, parse_response_head
from tests.oracles import http1 as oracle

CHUNKED_BODY = b"3\r\nabc\r\n0\r\n\r\n"
LONGEST_BODY_BYTES = 4096

# A byte from 0x80 on stands for one of these, so that random bytes come to whole messages.
PIECES = [
    b"POST / HTTP/1.1\r\n",
    b"GET http://a/b?c HTTP/1.1\r\n",
    b"OPTIONS * HTTP/1.0\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.0 204\r\n",
    b"Host: a\r\n",
    b"Host: ",
    b"Content-Length: 5\r\n",
    b"Content-Length: ",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: ",
    b"Connection: ",
    b"Expect: 100-continue\r\n",
    b"Upgrade: ",
    b"TE: trailers\r\n",
    b"x-other: ",
    b"chunked",
    b"close",
    b"keep-alive",
    b"identity",
    b"upgrade",
    b"\r\n",
    b"\r\n\r\n",
    b"\r",
    b"\n",
    b"\0",
    b" ",
    b"\t",
    b": ",
    b" :",
    b",",
    b"5\r\nhello\r\n",
    b"0\r\n",
    b"0\r\n\r\n",
    b"0;a=b\r\n",
    b"ffffffffffffffff",
    b"9007199254740992",
    b"http://",
    b"#",
    b"[::1]",
]


class Witness:
    """What llhttp sees of one message."""

    def __init__(self) -> None:
        self.url = b""
        self.body = b""
        self.status = 0
        self.method = ""
        self.version = ""
        self.fields: list[tuple[bytes, bytes]] = []
        self.complete = False
        self.keep_alive = False
        self.parser: httptools.HttpRequestParser | httptools.HttpResponseParser

    def on_url(self, piece: bytes) -> None:
        self.url += piece

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value.strip(b" \t")))

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_message_complete(self) -> None:
        self.complete = True

    def on_headers_complete(self) -> None:
        self.keep_alive = self.parser.should_keep_alive()  # llhttp forgets it when the message is complete

    @classmethod
    def of_request(cls, text: bytes) -> Self:
        """Let llhttp read a request; HttpParserError where it refuses."""
        witness = cls()
        parser = witness.parser = httptools.HttpRequestParser(witness)
        witness.read(text)
        witness.method = parser.get_method().decode()
        return witness

    @classmethod
    def of_response(cls, text: bytes) -> Self:
        """Let llhttp read a response; HttpParserError where it refuses."""
        witness = cls()
        parser = witness.parser = httptools.HttpResponseParser(witness)
        witness.read(text)
        witness.status = parser.get_status_code()
        return witness

    def read(self, text: bytes) -> None:
        try:
            self.parser.feed_data(text)
        except httptools.HttpParserUpgrade:  # raised at the end of a message that asks for it
            pass
        self.version = self.parser.get_http_version()


def facts_of(head: ParsedHead | int) -> oracle.Facts | None:
    """The part of a head that the twin knows too."""
    if isinstance(head, int):
        return None
    fields = [(name, value) for name, value, _ in head.fields]
    return oracle.Facts(
        head.method,
        head.status,
        head.minor,
        head.target,
        fields,
        head.content_length,
        head.chunked,
        head.keep_alive,
        head.expect_continue,
        head.length,
    )


def says_both(facts: oracle.Facts) -> bool:
    """Connection says close and keep-alive: close wins here, llhttp lets keep-alive win in HTTP/1.0."""
    options = oracle.connection_options(facts.fields) or []
    return facts.minor == 0 and b"close" in options


def body_for(facts: oracle.Facts) -> bytes | None:
    """A body of the announced length; None where that would be long."""
    if facts.chunked:
        return CHUNKED_BODY
    return b"b" * max(facts.content_length, 0) if facts.content_length <= LONGEST_BODY_BYTES else None


def check_request(text: bytes) -> None:
    """Hold the kernel's reading of a request against the twin's, then against llhttp's."""
    facts = facts_of(parse_request_head(text))
    assert facts == oracle.parse_request(text), (facts, oracle.parse_request(text))
    body = body_for(facts) if facts else None
    if facts is None or body is None:
        return
    witness = Witness.of_request(text[: facts.length] + body)
    assert (witness.method, witness.version, witness.fields) == (facts.method, f"1.{facts.minor}", facts.fields)
    assert witness.url.endswith(facts.target)
    assert witness.body == (b"abc" if facts.chunked else body)
    assert witness.complete
    assert witness.keep_alive == facts.keep_alive or says_both(facts)
    if body:
        assert not Witness.of_request(text[: facts.length] + body[:-1]).complete


def check_response(text: bytes) -> None:
    """Hold the kernel's reading of a response against the twin's, then against llhttp's."""
    facts = facts_of(parse_response_head(text))
    assert facts == oracle.parse_response(text), (facts, oracle.parse_response(text))
    body = body_for(facts) if facts else None
    if facts is None or body is None:
        return
    if facts.content_length < 0 and not facts.chunked:
        body = b"until the end"
    # A repeated Content-Length is our tolerance; a 101 that names no protocol is paused by llhttp as an error.
    if len(oracle.values_of(facts.fields, b"content-length")) > 1 or facts.status == 101:
        return
    witness = Witness.of_response(text[: facts.length] + body)
    assert (witness.status, witness.version, witness.fields) == (facts.status, f"1.{facts.minor}", facts.fields)
    assert witness.body == (b"abc" if facts.chunked else body)
    # What says more than its status allows is not reused by us, whatever llhttp thinks.
    assert witness.keep_alive or not facts.keep_alive or says_both(facts)


def check_body(text: bytes) -> None:
    """Hold the kernel's reading of a chunked body against the twin's, then against llhttp's."""
    payload, consumed, done = Dechunker().feed(text)
    expected = oracle.dechunk(text)
    assert done == (expected is not None), (payload, consumed, expected)
    if not done:
        return
    assert (payload, consumed) == expected
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    try:
        witness = Witness.of_request(head + text[:consumed])
    except httptools.HttpParserError:
        # llhttp also parses what is dropped here unread: extensions, and framing fields among the trailers.
        assert any(
            mark in text.lower() for mark in (b";", b"transfer-encoding", b"content-length", b"connection", b"upgrade")
        )
        return
    assert witness.body == payload
    assert witness.complete


def fuzz_one(text: bytes) -> None:
    """Check one input, as it is and spelled out, in all three ways."""
    spelled = b"".join(PIECES[byte - 0x80] if 0x80 <= byte < 0x80 + len(PIECES) else bytes([byte]) for byte in text)
    for message in (text, spelled):
        check_request(message)
        check_response(message)
        check_body(message)


def main() -> None:
    """Fuzz until atheris stops: `python tests/fuzz/fuzz_http1.py -max_total_time=60`."""
    import atheris  # type: ignore[import-untyped]  # it ships no types

    atheris.instrument_all()  # the twin's branches are the coverage that the kernel does not show
    atheris.Setup(sys.argv, fuzz_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
