"""Promises of virtual keys: enough randomness, a form that any client can send, a digest that leads nowhere else."""

import re
from hashlib import sha256

import pytest

from fastgw.auth.keys import digest_in, digest_of, hash_of, make_key


def test_key_has_256_random_bits_in_a_form_that_fits_a_header() -> None:
    """A key is "fgw-" and 43 URL-safe characters, and no two are the same."""
    keys = {make_key() for _ in range(1000)}
    assert len(keys) == 1000
    assert all(re.fullmatch(r"fgw-[A-Za-z0-9_-]{43}", key) for key in keys)


def test_hash_is_what_the_config_may_hold() -> None:
    """The hash of a key is its SHA-256, and gives back the digest that the key is looked up by."""
    key = make_key()
    assert hash_of(key) == "sha256:" + sha256(key.encode()).hexdigest()
    assert digest_in(hash_of(key)) == digest_of(key) == sha256(key.encode()).digest()
    assert digest_in(hash_of(key).upper().replace("SHA", "sha")) == digest_of(key)


@pytest.mark.parametrize("text", ["", "sha256:", "sha256:" + "0" * 63, "sha1:" + "0" * 64, "sha256:" + "g" * 64])
def test_text_of_another_form_is_no_hash(text: str) -> None:
    """What is not a hash has no digest."""
    assert digest_in(text) is None
