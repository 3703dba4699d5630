"""The chunked decoder gives one payload for pieces of any size and refuses what RFC 9112 section 7.1 forbids."""
import random

import pytest

from fastgw._core.http1 import CODES, Dechunker

NAME_OF_CODE = {number: name for name, number in CODES.items()}


def dechunk_in_pieces(pieces: list[bytes]) -> tuple[bytes | str, bytes, bool]:
    """Feed the pieces; return the payload or the refusal, what was left over, and whether the body ended."""
    dechunker, payload, rest, done = Dechunker(), b"", b"", False
    for piece in pieces:
        part, consumed, done = dechunker.feed(piece)
        if isinstance(part, int):
            return NAME_OF_CODE[part], b"", done
        payload += part
        rest += piece[consumed:]
        assert done or consumed == len(piece)
    return payload, rest, done


def cut(body: bytes, seed: int) -> list[bytes]:
    """Cut a body at random places; an even seed cuts it into single bytes."""
    random_source = random.Random(seed)
    places = sorted(random_source.sample(range(len(body) + 1), min(len(body), 5))) if seed % 2 else range(1, len(body))
    return [body[start:end] for start, end in zip([0, *places], [*places, len(body)], strict=True)]


GOOD_BODIES = [
    (b"0\r\n\r\n", b""),
    (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
    (b"00000000000000aA\r\n" + b"x" * 170 + b"\r\n000\r\n\r\n", b"x" * 170),
    (b"1;a=b\r\nx\r\n2;\"q;\"\r\nyz\r\n0;last\r\n\r\n", b"xyz"),
    (b"1;" + b"e" * 255 + b"\r\nx\r\n1;" + b"e" * 255 + b"\r\ny\r\n0\r\n\r\n", b"xy"),
    (b"3\r\n\r\n0\r\n0\r\nDigest: abc\r\nEmpty:\r\nX:\tcaf\xe9 \r\n\r\n", b"\r\n0"),
    (b"0\r\nt: " + b"v" * (16384 - 7) + b"\r\n\r\n", b""),
]

BAD_BODIES = [
    b"\r\n",
    b"x\r\n",
    b" 5\r\n",
    b"5 \r\n",
    b"+5\r\n",
    b"-5\r\n",
    b"0x5\r\n",
    b"5\n",
    b"5\r\r",
    b"5\rh",
    b";a\r\n",
    b"00000000000000005\r\n",
    b"20000000000001\r\n",
    b"ffffffffffffffff\r\n",
    b"1;\n",
    b"1;a\0",
    b"1;" + b"e" * 256 + b"\r\n",
    b"1\r\nxy",
    b"1\r\nx\n",
    b"1\r\nx\r\r",
    b"1\r\nx0\r\n",
    b"0\r\n\n",
    b"0\r\n\rx",
    b"0\r\n: x\r\n",
    b"0\r\nx : y\r\n",
    b"0\r\nx\r\n",
    b"0\r\nx: y\r\n z\r\n",
    b"0\r\nx: y\n",
    b"0\r\nx: \0",
    b"0\r\nx: " + b"v" * 16384 + b"\r\n\r\n",
]


@pytest.mark.parametrize(("body", "payload"), GOOD_BODIES)
@pytest.mark.parametrize("seed", range(8))
def test_chunked_body_is_the_same_in_any_pieces(body: bytes, payload: bytes, seed: int) -> None:
    """The payload does not depend on how the body was cut, and what follows the message is left alone."""
    assert dechunk_in_pieces([body + b"GET / "]) == (payload, b"GET / ", True)
    assert dechunk_in_pieces(cut(body, seed)) == (payload, b"", True)
    assert dechunk_in_pieces([body[:-1]])[2] is False


@pytest.mark.parametrize("body", BAD_BODIES)
@pytest.mark.parametrize("seed", range(4))
def test_broken_chunked_body_is_refused_in_any_pieces(body: bytes, seed: int) -> None:
    """A broken size, extension, line end or trailer is refused however it was cut."""
    assert dechunk_in_pieces([body])[0] == "BAD_CHUNK"
    assert dechunk_in_pieces(cut(body, seed))[0] == "BAD_CHUNK"


def test_broken_body_stays_broken() -> None:
    """After a refusal nothing more is read, whatever comes; the largest size that is allowed is no refusal."""
    dechunker = Dechunker()
    assert dechunker.feed(b"zz") == (CODES["BAD_CHUNK"], 1, False)
    assert dechunker.feed(b"0\r\n\r\n") == (CODES["BAD_CHUNK"], 0, False)
    largest = Dechunker()
    assert largest.feed(b"20000000000000\r\nx") == (b"x", 17, False)
    assert repr(largest) == f"<Dechunker state=3 left={2**53 - 1} done=False>"
