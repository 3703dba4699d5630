"""Promises of tokens: each cloud is asked as it documents, and a token serves until it is renewed."""

import base64
import json
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_curve_key
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from fastgw.providers import google
from fastgw.providers.signer import SigningError
from tests.unit.providers.endpoint import Answer, Endpoint, an_object
from tests.unit.providers.making import HUSH, account_json, fields_of, made, pem_of, refreshed, signer_for

TOKEN = an_object(access_token="token-1", expires_in=3600)
VERTEX = 'provider = "vertex-ai"\ngoogle = { project = "p", service_account = "env:ACCOUNT" }'
FOUNDRY = 'provider = "azure-ai"\n'


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_service_account_is_exchanged_for_a_token(endpoint: Endpoint, rsa_key: RSAPrivateKey) -> None:
    """Google gets a JWT that the account's public key verifies, and its token signs requests until shortly before its end."""
    endpoint.answers = [TOKEN]
    signer = made(VERTEX, {"ACCOUNT": account_json(rsa_key, f"{endpoint.url}/token")})
    assert not signer.is_ready(time.time())
    refreshed(signer)
    (heard,) = endpoint.heard
    assert heard.form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    header, claims, signature = heard.form["assertion"].split(".")
    rsa_key.public_key().verify(decoded(signature), f"{header}.{claims}".encode(), PKCS1v15(), SHA256())
    assert json.loads(decoded(header)) == {"alg": "RS256", "typ": "JWT", "kid": "kid-1"}
    found = json.loads(decoded(claims))
    assert found["iss"] == "gateway@p.iam.gserviceaccount.com" and found["aud"] == f"{endpoint.url}/token"
    assert found["exp"] - found["iat"] == 3600 and abs(found["iat"] - time.time()) < 60
    assert fields_of(signer) == {"authorization": "Bearer token-1"}
    assert signer.is_ready(signer.expires_s - 11) and not signer.is_ready(signer.expires_s - 9)


def test_token_url_takes_the_place_of_the_accounts(endpoint: Endpoint, rsa_key: RSAPrivateKey) -> None:
    """A private cloud's endpoint is asked instead; what the JWT is for stays the account's."""
    endpoint.answers = [TOKEN]
    environ = {"ACCOUNT": account_json(rsa_key, "https://oauth2.googleapis.com/token")}
    refreshed(made(f'{VERTEX}\ntoken_url = "{endpoint.url}/own"', environ))
    (heard,) = endpoint.heard
    assert heard.path == "/own"
    assert json.loads(decoded(heard.form["assertion"].split(".")[1]))["aud"] == "https://oauth2.googleapis.com/token"


def test_token_is_renewed_and_survives_a_failure(endpoint: Endpoint, rsa_key: RSAPrivateKey) -> None:
    """A second refresh brings the next token; one that fails leaves the last in use."""
    endpoint.answers = [TOKEN, Answer(b"", 503), an_object(access_token="token-2", expires_in=3600)]
    signer = refreshed(made(VERTEX, {"ACCOUNT": account_json(rsa_key, endpoint.url)}))
    with pytest.raises(SigningError, match="HTTP 503"):
        refreshed(signer)
    assert fields_of(signer) == {"authorization": "Bearer token-1"}
    assert fields_of(refreshed(signer)) == {"authorization": "Bearer token-2"}


def test_key_that_is_none_is_told(endpoint: Endpoint, rsa_key: RSAPrivateKey) -> None:
    """A private key that cannot be read, or is of another kind, is an error that does not show it."""
    good = account_json(rsa_key, endpoint.url)
    curve = generate_curve_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    for pem, said in ((HUSH, "private key in PEM"), (curve, "an RSA key")):
        account = json.dumps(json.loads(good) | {"private_key": pem})
        with pytest.raises(SigningError, match=said) as caught:
            refreshed(made(VERTEX, {"ACCOUNT": account}))
        assert HUSH not in str(caught.value) and "BEGIN" not in str(caught.value)
    assert not endpoint.heard


def test_missing_package_names_the_extra(rsa_key: RSAPrivateKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without cryptography, the message says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "cryptography.exceptions", None)
    with pytest.raises(SigningError, match=r'pip install "fastgw\[google\]"'):
        google.assertion(google.read_account(account_json(rsa_key, "https://x")), "https://x", 0)


def test_user_of_gcloud_is_refreshed(endpoint: Endpoint, tmp_path: Path) -> None:
    """Application default credentials of a developer, in the file that the environment names, are exchanged too."""
    endpoint.answers = [TOKEN]
    path = tmp_path / "adc.json"
    path.write_text(json.dumps({"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}))
    text = f'provider = "vertex-ai"\ngoogle = {{ project = "p" }}\ntoken_url = "{endpoint.url}"'
    signer = refreshed(made(text, {"GOOGLE_APPLICATION_CREDENTIALS": str(path)}))
    assert endpoint.heard[0].form == {"grant_type": "refresh_token", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
    assert fields_of(signer) == {"authorization": "Bearer token-1"}
    with pytest.raises(SigningError, match="No such file"):
        refreshed(made(text, {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "none")}))


def test_instance_of_google_is_asked(endpoint: Endpoint) -> None:
    """With no credentials stated, the metadata service gives the token of the instance's account."""
    endpoint.answers = [TOKEN]
    refreshed(made(f'provider = "vertex-ai"\ngoogle = {{ project = "p" }}\nmetadata_url = "{endpoint.url}"'))
    (heard,) = endpoint.heard
    assert heard.path == "/computeMetadata/v1/instance/service-accounts/default/token"
    assert heard.fields["metadata-flavor"] == "Google"


def test_application_of_entra_is_asked_for_by_its_secret(endpoint: Endpoint) -> None:
    """Entra gets the grant of client credentials at the tenant's endpoint."""
    endpoint.answers = [TOKEN]
    signer = made(
        f'{FOUNDRY}token_url = "{endpoint.url}"\n[integrations.main.azure]\nresource = "r"\nidentity = "client_secret"\n'
        'tenant_id = "tenant-1"\nclient_id = "client-1"\nclient_secret = "env:HUSH"'
    )
    assert fields_of(refreshed(signer)) == {"authorization": "Bearer token-1"}
    (heard,) = endpoint.heard
    assert (heard.method, heard.path) == ("POST", "/tenant-1/oauth2/v2.0/token")
    assert heard.form == {
        "grant_type": "client_credentials", "client_id": "client-1", "client_secret": HUSH,
        "scope": "https://cognitiveservices.azure.com/.default",
    }  # fmt: skip
    assert HUSH not in repr(signer)


def test_entra_says_its_code(endpoint: Endpoint) -> None:
    """Of a refusal, the code is told by which Microsoft documents it."""
    endpoint.answers = [Answer(b'{"error":"invalid_client","error_description":"AADSTS7000215: hush-hush"}', 401)]
    text = (
        f'{FOUNDRY}token_url = "{endpoint.url}"\nazure = {{ resource = "r", identity = "client_secret", tenant_id = "t", '
        'client_id = "c", client_secret = "env:HUSH" }'
    )
    with pytest.raises(SigningError, match=r"HTTP 401 \(invalid_client, AADSTS7000215\)") as caught:
        refreshed(made(text))
    assert HUSH not in str(caught.value)


def test_workload_shows_its_federated_token(endpoint: Endpoint, tmp_path: Path) -> None:
    """The token that Kubernetes renews in a file is read anew each time, and sent as an assertion."""
    endpoint.answers = [TOKEN]
    path = tmp_path / "token"
    path.write_text("federated-1\n")
    environ = {
        "AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_FEDERATED_TOKEN_FILE": str(path), "AZURE_AUTHORITY_HOST": f"{endpoint.url}/",
    }  # fmt: skip
    signer = refreshed(made(f'{FOUNDRY}azure = {{ resource = "r", identity = "workload" }}', environ))
    path.write_text("federated-2")
    refreshed(signer)
    assert [heard.form["client_assertion"] for heard in endpoint.heard] == ["federated-1", "federated-2"]
    assert endpoint.heard[0].path == "/t/oauth2/v2.0/token" and "client_secret" not in endpoint.heard[0].form
    with pytest.raises(SigningError, match="AZURE_TENANT_ID"):
        refreshed(made(f'{FOUNDRY}azure = {{ resource = "r", identity = "workload" }}'))


def test_managed_identity_is_asked_of_the_instance(endpoint: Endpoint) -> None:
    """The instance's metadata gives a token for the resource, which has no /.default there."""
    endpoint.answers = [an_object(access_token="token-1", expires_in="3600", expires_on=str(int(time.time()) + 3600))]
    text = f'{FOUNDRY}metadata_url = "{endpoint.url}"\nazure = {{ resource = "r", identity = "managed", client_id = "c" }}'
    assert fields_of(refreshed(made(text))) == {"authorization": "Bearer token-1"}
    (heard,) = endpoint.heard
    assert heard.path == "/metadata/identity/oauth2/token" and heard.fields["metadata"] == "true"
    assert heard.query == {"api-version": "2018-02-01", "resource": "https://cognitiveservices.azure.com", "client_id": "c"}


def test_managed_identity_is_asked_of_app_service(endpoint: Endpoint) -> None:
    """Where App Service's variables are set, its endpoint is asked instead."""
    endpoint.answers = [an_object(access_token="token-1", expires_on=str(int(time.time()) + 3600))]
    environ = {"IDENTITY_ENDPOINT": f"{endpoint.url}/msi/token", "IDENTITY_HEADER": "header-1"}
    refreshed(made(f'{FOUNDRY}azure = {{ resource = "r", identity = "managed" }}', environ))
    (heard,) = endpoint.heard
    assert heard.path == "/msi/token" and heard.fields["x-identity-header"] == "header-1"
    assert heard.query["api-version"] == "2019-08-01"


def test_key_of_ibm_is_exchanged(endpoint: Endpoint) -> None:
    """IBM's key never goes to the model gateway: the token does."""
    endpoint.answers = [an_object(access_token="token-1", expiration=int(time.time()) + 3600)]
    text = f'provider = "watsonx"\napi_key = "env:HUSH"\nsettings = {{ region = "us-south" }}\ntoken_url = "{endpoint.url}/identity/token"'
    signer = refreshed(made(text))
    assert endpoint.heard[0].form == {"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": HUSH}
    assert fields_of(signer) == {"authorization": "Bearer token-1"} and HUSH not in repr(signer)


@pytest.mark.parametrize(
    "text",
    [
        'provider = "openai"\napi_key = "k"', 'provider = "openai"', 'provider = "ollama"',
        'provider = "bedrock"\napi_key = "k"\naws = { region = "us-east-1" }',
        'provider = "vertex-ai"\napi_key = "k"\ngoogle = { project = "p" }',
        'provider = "azure-openai"\napi_key = "k"\nazure = { resource = "r" }', 'provider = "azure-openai"\nazure = { resource = "r" }',
        'provider = "oracle"\napi_key = "k"\noracle = { region = "us-chicago-1" }',
    ],
)  # fmt: skip
def test_key_in_a_field_needs_no_signer(text: str) -> None:
    """Where a key is stated, or nothing is, no signer stands between."""
    assert signer_for(text) is None


def test_pem_of_the_tests_is_one(rsa_key: RSAPrivateKey) -> None:
    """The keys that are made for these tests are as clouds give them."""
    assert pem_of(rsa_key).startswith("-----BEGIN PRIVATE KEY-----\n")
