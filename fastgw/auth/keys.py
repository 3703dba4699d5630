"""Make virtual keys and the digests that are kept in their place."""

import re
import secrets
from hashlib import sha256

PREFIX = "fgw-"
SECRET_BYTES = 32
HASH = re.compile(r"sha256:([0-9a-fA-F]{64})")


def make_key() -> str:
    """Make a virtual key: "fgw-" and 43 URL-safe characters, 256 random bits."""
    return PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def digest_of(key: str) -> bytes:
    """The 32 bytes that a key is looked up by."""
    return sha256(key.encode()).digest()


def hash_of(key: str) -> str:
    """What a config may hold in a key's place: "sha256:" and 64 hexadecimal digits."""
    return f"sha256:{digest_of(key).hex()}"


def digest_in(hash_text: str) -> bytes | None:
    """The digest that "sha256:HEX" states; None where the text is not of that form."""
    match = HASH.fullmatch(hash_text)
    return bytes.fromhex(match[1]) if match else None
