"""Passwords of people: argon2id, with the parameters that OWASP names as the least (19 MiB, two passes)."""

import os
from typing import Final

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

LEAST_CHARACTERS: Final = 12
MOST_CHARACTERS: Final = 256
# Of no password: checked where there is no such user, so that both answers take the same time.
NOBODY: Final = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


def hash_password(password: str) -> str:
    """The text to keep in a password's place; takes some 30 ms of CPU, so call it in a thread."""
    kdf = Argon2id(salt=os.urandom(16), length=32, iterations=2, lanes=1, memory_cost=19 * 1024)
    return kdf.derive_phc_encoded(password.encode())


def is_password(password: str, kept: str | None) -> bool:
    """Whether a password is the one whose hash was kept; takes as long where none was."""
    try:
        Argon2id.verify_phc_encoded(password.encode(), kept or NOBODY)
    except InvalidKey:
        return False
    return kept is not None
