"""Sign for AWS: credentials that are stated or that the place has, a role to assume with them, and the signature of each request.

Source: AWS SDKs and tools reference, "Standardized credential providers"; STS API reference; EC2 user guide, "Retrieve instance metadata"
"""

import re
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from msgspec import Struct

from fastgw.providers import sigv4
from fastgw.providers.entra import read_token_file
from fastgw.providers.fetch import Ways, ask, ask_json, is_token_url, place_of, text_at
from fastgw.providers.signer import MARGIN_S, SigningError, in_thread
from fastgw.snapshot.credentials import Aws

METADATA_URL: Final = "http://169.254.169.254"
CONTAINER_URL: Final = "http://169.254.170.2"
METADATA_PATH: Final = "/latest/meta-data/iam/security-credentials/"
# EKS and ECS serve credentials at these beside loopback; the variable that names an address may name no other without TLS.
CONTAINER_HOSTS: Final = frozenset({"169.254.170.2", "169.254.170.23", "fd00:ec2::23"})
STS_VERSION: Final = "2011-06-15"
FOREVER: Final = float("inf")


class Keys(Struct, frozen=True):
    """One set of credentials and its end in Unix seconds."""

    access_key_id: str
    secret_access_key: str
    session_token: str = ""
    expires_s: float = FOREVER

    def __repr__(self) -> str:
        return f"Keys({self.access_key_id})"


class AwsSigner:
    """Signs requests for one service in one region."""

    signs_body = True
    writes = frozenset((b"x-amz-date", b"x-amz-security-token", b"x-amz-content-sha256"))

    def __init__(
        self,
        aws: Aws,
        *,
        region: str,
        service: str,
        token_url: str | None = None,
        metadata_url: str | None = None,
        environ: Mapping[str, str] | None = None,
        ways: Ways | None = None,
    ) -> None:
        self._aws = aws
        self._region = region
        self._service = service
        self._sts_url = token_url or f"https://sts.{region}.amazonaws.com"
        self._metadata_url = metadata_url or METADATA_URL
        self._environ = environ or {}
        self._ways = ways
        self._signer: sigv4.Signer | None = None
        self._expires_s = 0.0
        stated = stated_keys(aws)
        if stated is not None and aws.role_arn is None:
            self._use(stated)

    def __repr__(self) -> str:
        return f"<AwsSigner of {self._service} in {self._region}, {'ready' if self._signer else 'without credentials'}>"

    @property
    def expires_s(self) -> float:
        return self._expires_s

    def is_ready(self, now_s: float) -> bool:
        return self._signer is not None and now_s + MARGIN_S < self._expires_s

    def fields(self, method: bytes, target: bytes, host: bytes, body: bytes, now_s: float) -> bytes:
        assert self._signer is not None  # is_ready() was asked before
        path, _, query = target.decode("ascii").partition("?")
        # Host and what the signer adds are signed, and nothing that the caller's client may word in its own way.
        return self._signer.sign(method.decode("ascii"), host.decode("ascii"), path, query, (), body, int(now_s * 1e9))

    async def refresh(self) -> None:
        self._use(await in_thread("AWS", self._fetch))

    def _use(self, keys: Keys) -> None:
        self._signer = sigv4.Signer(self._region, self._service, keys.access_key_id, keys.secret_access_key, keys.session_token)
        self._expires_s = keys.expires_s

    def _fetch(self) -> Keys:
        keys = stated_keys(self._aws) or found_keys(self._environ, self._sts_url, self._metadata_url, self._ways)
        if keys.expires_s <= time.time() + MARGIN_S:
            raise SigningError("expected credentials of AWS, got some that have expired; is this machine's clock right?")
        return keys if self._aws.role_arn is None else assume_role(self._aws, keys, self._region, self._sts_url, self._ways)


def stated_keys(aws: Aws) -> Keys | None:
    """The keys of the configuration."""
    if aws.access_key_id is None or aws.secret_access_key is None:
        return None
    token = aws.session_token.reveal() if aws.session_token is not None else ""
    return Keys(aws.access_key_id.reveal(), aws.secret_access_key.reveal(), token)


def found_keys(environ: Mapping[str, str], sts_url: str, metadata_url: str, ways: Ways | None) -> Keys:
    """The credentials of the place, in the order of AWS's own clients. raises SigningError"""
    if environ.get("AWS_ACCESS_KEY_ID") and environ.get("AWS_SECRET_ACCESS_KEY"):
        return Keys(environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"], environ.get("AWS_SESSION_TOKEN", ""))
    if environ.get("AWS_WEB_IDENTITY_TOKEN_FILE") and environ.get("AWS_ROLE_ARN"):
        return web_identity(environ, sts_url, ways)
    if environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") or environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        return container_keys(environ)
    return instance_keys(metadata_url)


def container_keys(environ: Mapping[str, str]) -> Keys:
    """What ECS, or the agent of EKS Pod Identity, gives a container. raises SigningError"""
    relative = environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    url = f"{CONTAINER_URL}{relative}" if relative else environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    if not is_token_url(url) and urlsplit(url).hostname not in CONTAINER_HOSTS:
        raise SigningError("expected https:// or a local address in AWS_CONTAINER_CREDENTIALS_FULL_URI, got another")
    token = environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
    if path := environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
        token = read_token_file(path)
    return keys_in(ask_json(url, fields={"authorization": token} if token else {}, is_metadata=True), url)


def instance_keys(metadata_url: str) -> Keys:
    """What the metadata service of EC2 gives, by its second version (IMDSv2). raises SigningError"""
    ttl = {"x-aws-ec2-metadata-token-ttl-seconds": "300"}
    token = ask(f"{metadata_url}/latest/api/token", method="PUT", body=b"", fields=ttl, is_metadata=True)
    fields = {"x-aws-ec2-metadata-token": token.decode("ascii", "replace").strip()}
    role = ask(f"{metadata_url}{METADATA_PATH}", fields=fields, is_metadata=True).decode("ascii", "replace").strip()
    if not re.fullmatch(r"[A-Za-z0-9+=,.@_-]{1,128}", role):
        raise SigningError(f"expected the name of a role from {place_of(metadata_url)}, got something else")
    url = f"{metadata_url}{METADATA_PATH}{quote(role)}"
    return keys_in(ask_json(url, fields=fields, is_metadata=True), url)


def keys_in(found: Mapping[str, object], url: str) -> Keys:
    """The keys of a container's or an instance's reply. raises SigningError"""
    names = ("AccessKeyId", "SecretAccessKey", "Token", "Expiration")
    access, secret, token, expiration = (text_at(found, name, url) for name in names)
    return Keys(access, secret, token, time_of(expiration, url))


def assume_role(aws: Aws, keys: Keys, region: str, sts_url: str, ways: Ways | None) -> Keys:
    """Take a role, by a request to STS that is signed itself. raises SigningError"""
    form = {
        "Action": "AssumeRole", "Version": STS_VERSION, "RoleArn": aws.role_arn or "", "RoleSessionName": aws.role_session,
    }  # fmt: skip
    if aws.external_id is not None:
        form["ExternalId"] = aws.external_id
    body = urlencode(form).encode("ascii")
    parts = urlsplit(sts_url)
    content_type = ("content-type", "application/x-www-form-urlencoded")
    signer = sigv4.Signer(region, "sts", keys.access_key_id, keys.secret_access_key, keys.session_token)
    lines = signer.sign("POST", parts.netloc, parts.path or "/", "", [content_type], body, time.time_ns()).decode("latin-1")
    signed = dict(line.split(": ", 1) for line in lines.splitlines())
    url = sts_url if parts.path else f"{sts_url}/"
    return sts_keys(ask(url, method="POST", body=body, fields={content_type[0]: content_type[1], **signed}, ways=ways), sts_url)


def web_identity(environ: Mapping[str, str], sts_url: str, ways: Ways | None) -> Keys:
    """Take the role of a Kubernetes service account (IRSA), by its token. raises SigningError"""
    form = {
        "Action": "AssumeRoleWithWebIdentity", "Version": STS_VERSION, "RoleArn": environ["AWS_ROLE_ARN"],
        "RoleSessionName": environ.get("AWS_ROLE_SESSION_NAME", "fastgw"),
        "WebIdentityToken": read_token_file(environ["AWS_WEB_IDENTITY_TOKEN_FILE"]),
    }  # fmt: skip
    return sts_keys(ask(sts_url, form=form, ways=ways), sts_url)


def sts_keys(content: bytes, url: str) -> Keys:
    """The keys in a reply of STS, which is XML. raises SigningError"""
    text = content.decode("utf-8", "replace")
    found: list[str] = []
    for name in ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"):
        match = re.search(rf"<{name}>\s*([^<\s]+)\s*</{name}>", text)
        if match is None:
            raise SigningError(f"expected {name} from {place_of(url)}, got none")
        found.append(match[1])
    access, secret, token, expiration = found
    return Keys(access, secret, token, time_of(expiration, url))


def time_of(text: str, url: str) -> float:
    """A time such as 2026-11-27T10:00:00Z, in Unix seconds. raises SigningError"""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise SigningError(f"expected a time at Expiration from {place_of(url)}, got something else") from None
