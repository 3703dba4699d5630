"""Sign for Oracle Cloud: HTTP signatures in RSA-SHA256 by a user's API key.

Source: docs.oracle.com/iaas/Content/API/Concepts/signingrequests.htm; draft-cavage-http-signatures-08
"""

import base64
from hashlib import sha256
from typing import Final

from fastgw.clock import http_date
from fastgw.providers.rsa import rsa_signer
from fastgw.snapshot.credentials import Oracle

BODY_METHODS: Final = frozenset({b"POST", b"PUT", b"PATCH"})
BODY_NAMES: Final = ("content-length", "content-type", "x-content-sha256")


class OciSigner:
    """Signs each request by itself; there is nothing to fetch."""

    expires_s: Final = float("inf")
    signs_body = True
    writes = frozenset((b"date", b"x-content-sha256"))

    def __init__(self, oracle: Oracle) -> None:
        assert oracle.private_key is not None  # the configuration was checked
        passphrase = oracle.passphrase.reveal() if oracle.passphrase is not None else None
        self._sign = rsa_signer(oracle.private_key.reveal(), passphrase, extra="oracle")
        self._key_id = f"{oracle.tenancy}/{oracle.user}/{oracle.fingerprint}"
        compartment = oracle.compartment
        self._extra = f"opc-compartment-id: {compartment}\r\n" if compartment is not None else ""

    def __repr__(self) -> str:
        return f"<OciSigner of {self._key_id.split('/')[1]}>"

    def is_ready(self, now_s: float) -> bool:
        return True

    async def refresh(self) -> None:
        """There is nothing to fetch."""

    def fields(self, method: bytes, target: bytes, host: bytes, body: bytes, now_s: float) -> bytes:
        date = http_date(now_s)
        values = [("date", date), ("(request-target)", f"{method.decode().lower()} {target.decode()}"), ("host", host.decode())]
        digest = ""
        if method in BODY_METHODS:
            digest = base64.b64encode(sha256(body).digest()).decode()
            values += zip(BODY_NAMES, (str(len(body)), "application/json", digest), strict=True)
        text = "\n".join(f"{name}: {value}" for name, value in values)
        signature = base64.b64encode(self._sign(text.encode())).decode()
        names = " ".join(name for name, _ in values)
        added = f"x-content-sha256: {digest}\r\n" if digest else ""
        return (
            f'authorization: Signature version="1",keyId="{self._key_id}",algorithm="rsa-sha256",headers="{names}",'
            f'signature="{signature}"\r\ndate: {date}\r\n{added}{self._extra}'
        ).encode("latin-1")
