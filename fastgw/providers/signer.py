"""What signs requests, what can go wrong with it, and the one of them that carries a token until it expires."""

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from msgspec import Struct

from fastgw._core.aside import run_aside

# A token is not used in the last seconds of its life: the request must arrive before its end, by the provider's clock.
MARGIN_S: Final = 10.0
MOST_REFRESH_S: Final = 30.0
T = TypeVar("T")


class SigningError(Exception):
    """A credential could not be had; the message says from where and why, and holds no secret."""


class Signer(Protocol):
    """Writes the fields that sign one request; what it needs for that is fetched ahead of time.

    `refresh` is not to run twice at once; before `expires_s` it is to run again, well ahead. signs_body: what is sent must be known whole.
    writes: the names of its fields beside authorization, in lower case, which a caller's own must not stand beside.
    """

    signs_body: bool
    writes: frozenset[bytes]

    @property
    def expires_s(self) -> float:
        """When what it has ends, in Unix seconds: 0 before there is anything, infinity where it lasts."""

    def is_ready(self, now_s: float) -> bool:
        """Whether `fields` may be called."""

    def fields(self, method: bytes, target: bytes, host: bytes, body: bytes, now_s: float) -> bytes:
        """Field lines for one request, each with its CRLF. target: path and query as they will be sent; host: the field Host.

        Of what the request has beside these, only `content-type: application/json` may be signed.
        """

    async def refresh(self) -> None:
        """Fetch what is needed. raises SigningError; what it had before stays in use then"""


class Token(Struct, frozen=True):
    """A bearer token and its end in Unix seconds."""

    value: str
    expires_s: float

    def __repr__(self) -> str:
        return f"Token(until {self.expires_s:.0f})"


class TokenSigner:
    """Signs by a bearer token that a function fetches, in a thread; label: whose, for messages and the repr."""

    signs_body = False
    writes: frozenset[bytes] = frozenset()

    def __init__(self, label: str, fetch: Callable[[], Token], extra: bytes = b"") -> None:
        self._label = label
        self._fetch = fetch
        self._extra = extra
        self._line = b""
        self._expires_s = 0.0

    def __repr__(self) -> str:
        return f"<TokenSigner of {self._label}, {'without a token' if not self._line else f'until {self._expires_s:.0f}'}>"

    @property
    def expires_s(self) -> float:
        return self._expires_s

    def is_ready(self, now_s: float) -> bool:
        return now_s + MARGIN_S < self._expires_s

    def fields(self, method: bytes, target: bytes, host: bytes, body: bytes, now_s: float) -> bytes:
        return self._line

    async def refresh(self) -> None:
        token = await in_thread(self._label, self._fetch)
        if not token.value or not all("!" <= character <= "~" for character in token.value):
            raise SigningError(f"expected a token of {self._label}, got none or one of other characters")
        if token.expires_s <= time.time() + MARGIN_S:
            raise SigningError(f"expected a token of {self._label}, got one that has expired; is this machine's clock right?")
        self._line = f"authorization: Bearer {token.value}\r\n".encode("ascii") + self._extra
        self._expires_s = token.expires_s


async def in_thread(label: str, fetch: Callable[[], T]) -> T:
    """Run what waits for the network beside the loop, for a bounded time.

    raises  SigningError
    """
    try:
        async with asyncio.timeout(MOST_REFRESH_S):
            return await run_aside(fetch)
    except TimeoutError:
        raise SigningError(f"expected credentials of {label} within {MOST_REFRESH_S:.0f} s, got none") from None
