"""Integrations and keys for the promises about signing."""

import asyncio
import json
import time
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from fastgw.providers.signer import Signer
from fastgw.providers.signing import signer_of
from fastgw.providers.table import PROVIDERS
from fastgw.snapshot.load import parse

HUSH = "hush-hush"  # no message, repr or log may hold it


def signer_for(text: str, environ: Mapping[str, str] | None = None) -> Signer | None:
    """The signer of an integration, written as in a file; environ: the variables of the place it runs at."""
    integration = parse(f"[integrations.main]\n{text}", {"HUSH": HUSH} | dict(environ or {})).config.integrations["main"]
    return signer_of(PROVIDERS[integration.provider], integration, environ or {})


def made(text: str, environ: Mapping[str, str] | None = None) -> Signer:
    """The same where there must be one."""
    signer = signer_for(text, environ)
    assert signer is not None
    return signer


def refreshed(signer: Signer) -> Signer:
    """Fetch what the signer needs."""
    asyncio.run(signer.refresh())
    return signer


def fields_of(signer: Signer, body: bytes = b"{}", target: bytes = b"/v1/chat?x=1", now_s: float | None = None) -> dict[str, str]:
    """The fields of one request to api.example."""
    assert signer.is_ready(time.time())
    lines = signer.fields(b"POST", target, b"api.example", body, time.time() if now_s is None else now_s)
    assert lines.endswith(b"\r\n")
    return dict(line.split(": ", 1) for line in lines.decode("latin-1").removesuffix("\r\n").split("\r\n"))


def pem_of(key: RSAPrivateKey, passphrase: str = "") -> str:
    encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()


def account_json(key: RSAPrivateKey, token_url: str) -> str:
    """The key of a service account, as Google's console gives it."""
    return json.dumps(
        {
            "type": "service_account", "project_id": "p", "private_key_id": "kid-1", "private_key": pem_of(key),
            "client_email": "gateway@p.iam.gserviceaccount.com", "client_id": "1", "token_uri": token_url,
        },
        indent=2,
    )  # fmt: skip
