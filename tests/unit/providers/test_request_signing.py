"""Promises of signatures over whole requests: AWS and Oracle would accept them, with whatever credentials the place has."""

import base64
import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from fastgw.providers.signer import SigningError
from tests.botocore_oracle import signed
from tests.unit.providers.endpoint import Answer, Endpoint, Heard, an_object
from tests.unit.providers.making import HUSH, fields_of, made, pem_of, refreshed

NOW_S = 1_795_000_000.25
KEYS = 'access_key_id = "AKIDEXAMPLE"\nsecret_access_key = "env:HUSH"'
AWS = 'provider = "bedrock"\n{more}\n[integrations.main.aws]\nregion = "us-east-1"\n{aws}'
XML = """<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result><Credentials>
<AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>role-secret</SecretAccessKey><SessionToken>role-token==</SessionToken>
<Expiration>{expiration}</Expiration></Credentials></{action}Result></{action}Response>"""


def aws(keys: str = "", more: str = "") -> str:
    return AWS.format(more=more, aws=keys)


def in_an_hour() -> str:
    return datetime.fromtimestamp(time.time() + 3600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def roles(action: str) -> Answer:
    return Answer(XML.format(action=action, expiration=in_an_hour()).encode())


def as_botocore(fields: dict[str, str], service: str, url: str, body: bytes) -> str:
    """The authorization that botocore computes by the stated keys for the same request, time and content type."""
    now = datetime.strptime(fields["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    sent = [(name, value) for name, value in fields.items() if name == "content-type"]
    return signed("POST", url, sent, body, ("AKIDEXAMPLE", HUSH, ""), "us-east-1", service, now)["authorization"]


def test_stated_keys_sign_at_once() -> None:
    """Keys of the configuration need no fetching, and sign as botocore does."""
    signer = made(aws(KEYS))
    assert signer.expires_s == float("inf")
    found = fields_of(signer, b'{"a":1}', b"/model/x%3A0/converse", NOW_S)
    assert found["x-amz-date"] == "20261118T110640Z"
    expected = as_botocore(found, "bedrock", "https://api.example/model/x%3A0/converse", b'{"a":1}')
    assert found["authorization"] == expected
    assert HUSH not in repr(signer)


def test_role_is_assumed_with_the_stated_keys(endpoint: Endpoint) -> None:
    """STS gets a request that is signed by the keys, and the role's credentials sign from then on."""
    endpoint.answers = [roles("AssumeRole")]
    role = 'role_arn = "arn:aws:iam::1:role/r"\nexternal_id = "e-1"'
    signer = made(aws(f"{KEYS}\n{role}", f'token_url = "{endpoint.url}"'))
    assert not signer.is_ready(time.time())
    refreshed(signer)
    (heard,) = endpoint.heard
    assert heard.form == {
        "Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": "arn:aws:iam::1:role/r", "RoleSessionName": "fastgw",
        "ExternalId": "e-1",
    }  # fmt: skip
    expected = as_botocore(heard.fields, "sts", f"{endpoint.url}/", heard.body)
    assert heard.fields["authorization"] == expected
    found = fields_of(signer)
    assert found["x-amz-security-token"] == "role-token==" and "Credential=ASIAROLE/" in found["authorization"]
    assert 3500 < signer.expires_s - time.time() <= 3600


def test_refused_role_is_told(endpoint: Endpoint) -> None:
    """What STS says is told by its code."""
    endpoint.answers = [Answer(b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>hush-hush</Message></Error></ErrorResponse>", 403)]
    with pytest.raises(SigningError, match=r"HTTP 403 \(AccessDenied\)") as caught:
        refreshed(made(aws(f'{KEYS}\nrole_arn = "r"', f'token_url = "{endpoint.url}"')))
    assert HUSH not in str(caught.value)
    endpoint.answers = [Answer(b"<AssumeRoleResponse/>")]
    with pytest.raises(SigningError, match="AccessKeyId"):
        refreshed(made(aws(f'{KEYS}\nrole_arn = "r"', f'token_url = "{endpoint.url}"')))


def test_keys_of_the_environment_sign() -> None:
    """The variables of AWS's own clients are known."""
    environ = {"AWS_ACCESS_KEY_ID": "AKENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
    found = fields_of(refreshed(made(aws(), environ)))
    assert "Credential=AKENV/" in found["authorization"] and found["x-amz-security-token"] == "t"


def test_web_identity_takes_its_role(endpoint: Endpoint, tmp_path: Path) -> None:
    """A Kubernetes service account shows its token to STS, unsigned."""
    endpoint.answers = [roles("AssumeRoleWithWebIdentity")]
    path = tmp_path / "token"
    path.write_text("jwt-1\n")
    environ = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(path), "AWS_ROLE_ARN": "arn:r"}
    signer = refreshed(made(aws(more=f'token_url = "{endpoint.url}"'), environ))
    (heard,) = endpoint.heard
    assert heard.form["WebIdentityToken"] == "jwt-1" and heard.form["RoleArn"] == "arn:r"
    assert "authorization" not in heard.fields
    assert "Credential=ASIAROLE/" in fields_of(signer)["authorization"]


def container(heard: Heard) -> Answer:
    return an_object(AccessKeyId="AKC", SecretAccessKey="s", Token="t", Expiration=in_an_hour())


def test_container_is_asked(endpoint: Endpoint, tmp_path: Path) -> None:
    """ECS and the agent of EKS Pod Identity give credentials at the address of the environment, to whoever shows their token."""
    endpoint.answer = container
    path = tmp_path / "token"
    path.write_text("pod-token")
    environ = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{endpoint.url}/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(path)}
    signer = refreshed(made(aws(), environ))
    assert endpoint.heard[0].path == "/v1/credentials" and endpoint.heard[0].fields["authorization"] == "pod-token"
    assert "Credential=AKC/" in fields_of(signer)["authorization"]
    with pytest.raises(SigningError, match="local address"):
        refreshed(made(aws(), {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://elsewhere.example/"}))


def instance(expiration: str) -> Callable[[Heard], Answer]:
    """The metadata service of EC2, its second version."""

    def answer(heard: Heard) -> Answer:
        if heard.path == "/latest/api/token":
            assert heard.method == "PUT" and heard.fields["x-aws-ec2-metadata-token-ttl-seconds"] == "300"
            return Answer(b"metadata-token")
        assert heard.fields["x-aws-ec2-metadata-token"] == "metadata-token"
        if heard.path.endswith("/security-credentials/"):
            return Answer(b"my-role\n")
        assert heard.path.endswith("/security-credentials/my-role")
        return an_object(Code="Success", AccessKeyId="AKI", SecretAccessKey="s", Token="t", Expiration=expiration)

    return answer


def test_instance_is_asked(endpoint: Endpoint) -> None:
    """Where nothing else is there, the instance's role signs, and may take another."""
    endpoint.answer = instance(in_an_hour())
    signer = refreshed(made(aws(more=f'metadata_url = "{endpoint.url}"')))
    assert [heard.method for heard in endpoint.heard] == ["PUT", "GET", "GET"]
    assert "Credential=AKI/" in fields_of(signer)["authorization"]


@pytest.mark.parametrize(("expiration", "said"), [("2020-01-01T00:00:00Z", "have expired"), ("soon", "a time at Expiration")])
def test_credentials_that_end_are_not_used(expiration: str, said: str, endpoint: Endpoint) -> None:
    """Credentials with an end in the past, or none that can be read, are refused."""
    endpoint.answer = instance(expiration)
    with pytest.raises(SigningError, match=said):
        refreshed(made(aws(more=f'metadata_url = "{endpoint.url}"')))


def test_role_of_an_instance_has_a_plain_name(endpoint: Endpoint) -> None:
    """What is no name of a role does not get into a path."""
    endpoint.answers = [Answer(b"../../user-data?")]
    with pytest.raises(SigningError, match="the name of a role"):
        refreshed(made(aws(more=f'metadata_url = "{endpoint.url}"')))


ORACLE = """provider = "oracle"
[integrations.main.oracle]
region = "us-chicago-1"
tenancy = "ocid1.tenancy.oc1..t"
user = "ocid1.user.oc1..u"
fingerprint = "20:3b:97"
private_key = "env:PEM"
compartment = "ocid1.compartment.oc1..c"
"""


@pytest.mark.parametrize("passphrase", ["", HUSH])
def test_oracle_verifies_the_signature(passphrase: str, rsa_key: RSAPrivateKey) -> None:
    """The signature is over the fields that it names, in their order, and the user's public key verifies it."""
    text = ORACLE + ('passphrase = "env:HUSH"\n' if passphrase else "")
    signer = made(text, {"PEM": pem_of(rsa_key, passphrase), "HUSH": HUSH})
    assert signer.expires_s == float("inf") and HUSH not in repr(signer)
    body = b'{"model":"m"}'
    found = fields_of(refreshed(signer), body, b"/openai/v1/chat/completions", NOW_S)
    assert found["date"] == "Wed, 18 Nov 2026 11:06:40 GMT"
    assert found["opc-compartment-id"] == "ocid1.compartment.oc1..c"
    scheme, _, rest = found["authorization"].partition(" ")
    parts = dict(part.split("=", 1) for part in rest.split(","))
    assert scheme == "Signature" and parts["keyId"] == '"ocid1.tenancy.oc1..t/ocid1.user.oc1..u/20:3b:97"'
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert found["x-content-sha256"] == digest
    values = {
        "date": found["date"], "(request-target)": "post /openai/v1/chat/completions", "host": "api.example",
        "content-length": str(len(body)), "content-type": "application/json", "x-content-sha256": digest,
    }  # fmt: skip
    assert parts["headers"].strip('"').split() == list(values)
    text_signed = "\n".join(f"{name}: {value}" for name, value in values.items()).encode()
    signature = base64.b64decode(parts["signature"].strip('"'))
    rsa_key.public_key().verify(signature, text_signed, PKCS1v15(), SHA256())
    with pytest.raises(InvalidSignature):
        rsa_key.public_key().verify(signature, text_signed + b" ", PKCS1v15(), SHA256())


def test_request_without_a_body_is_signed_without_one(rsa_key: RSAPrivateKey) -> None:
    """A GET has no digest."""
    signer = made(ORACLE, {"PEM": pem_of(rsa_key)})
    lines = signer.fields(b"GET", b"/openai/v1/files", b"api.example", b"", NOW_S)
    assert b'headers="date (request-target) host"' in lines and b"x-content-sha256" not in lines


def test_key_of_oracle_that_is_none_is_told() -> None:
    """A key that cannot be read is told when the signer is made, and not shown."""
    with pytest.raises(SigningError, match="private key in PEM") as caught:
        made(ORACLE, {"PEM": HUSH})
    assert HUSH not in str(caught.value)
