"""Sign by an RSA key, with the package cryptography, which only Google and Oracle need."""

from collections.abc import Callable

from fastgw.providers.signer import SigningError


def rsa_signer(pem: str, passphrase: str | None = None, *, extra: str) -> Callable[[bytes], bytes]:
    """The function that signs bytes in RSASSA-PKCS1-v1_5 with SHA-256; extra: of the package, for whoever lacks cryptography.

    raises  SigningError where the key is none, or nothing is there to sign with
    """
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise SigningError(f'expected the package cryptography, got none: pip install "fastgw[{extra}]"') from None
    try:
        key = load_pem_private_key(pem.encode(), passphrase.encode() if passphrase else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise SigningError("expected a private key in PEM, and its passphrase where it has one, got something else") from None
    if not isinstance(key, RSAPrivateKey):
        raise SigningError("expected an RSA key, got another kind")
    return lambda text: key.sign(text, PKCS1v15(), SHA256())
