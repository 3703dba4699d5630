"""What people write of an integration that signs otherwise than with a key: the sub-tables aws, google, azure and oracle."""

from typing import Annotated, Final, Literal

from msgspec import Meta

from fastgw.snapshot.secret import Secret, SecretText
from fastgw.snapshot.section import Section

LABEL_PATTERN: Final = r"\A[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z"
SEGMENT_PATTERN: Final = r"\A[A-Za-z0-9][A-Za-z0-9._:~-]{0,254}\Z"

# These go into hosts and paths: nothing that ends a label or a segment may stand in them.
Label = Annotated[str, Meta(pattern=LABEL_PATTERN, extra={"expected": "1 to 63 letters, digits and -"})]
Segment = Annotated[str, Meta(pattern=SEGMENT_PATTERN, extra={"expected": "1 to 255 letters, digits and . _ : ~ -"})]
Word = Annotated[str, Meta(pattern=r"\A[!-~]{1,2048}\Z", extra={"expected": "1 to 2048 visible ASCII characters"})]
File = Annotated[str, Meta(pattern=r"\A[^\x00]{1,4096}\Z", extra={"expected": "a path"})]


class Aws(Section, frozen=True):
    """AWS: keys, or what the environment, the container or the instance has; each may assume a role."""

    region: Annotated[Label | None, Meta(description="such as us-east-1")] = None
    access_key_id: Annotated[Secret | None, Meta(description="by default the credentials of the place it runs at")] = None
    secret_access_key: Annotated[Secret | None, Meta(description="goes with access_key_id")] = None
    session_token: Annotated[Secret | None, Meta(description="goes with temporary keys")] = None
    role_arn: Annotated[Word | None, Meta(description="role to assume with these credentials")] = None
    external_id: Annotated[Word | None, Meta(description="what the role's trust policy asks for")] = None
    role_session: Annotated[Segment, Meta(description="name that the role's use is logged under")] = "fastgw"


class Google(Section, frozen=True):
    """Google Cloud: a service account, or what the environment or the instance has."""

    project: Annotated[Segment | None, Meta(description="id of the project")] = None
    region: Annotated[Label | None, Meta(description='"global", a region such as europe-west4, "us" or "eu"')] = None
    service_account: Annotated[
        SecretText | None,
        Meta(description="JSON of a key; by default what GOOGLE_APPLICATION_CREDENTIALS names, else the instance's account"),
    ] = None


class Azure(Section, frozen=True):
    """Azure: a resource, and an identity of Entra where no key is used."""

    resource: Annotated[Label | None, Meta(description="name of the resource, the first label of its host")] = None
    identity: Annotated[
        Literal["client_secret", "managed", "workload"] | None, Meta(description="how to sign instead of by api_key")
    ] = None
    tenant_id: Annotated[Segment | None, Meta(description="tenant of the application")] = None
    client_id: Annotated[Segment | None, Meta(description="application, or user-assigned managed identity")] = None
    client_secret: Annotated[Secret | None, Meta(description="the application's secret")] = None
    token: Annotated[Secret | None, Meta(description="sent as `authorization: Bearer`: of Entra, and made elsewhere")] = None
    token_file: Annotated[File | None, Meta(description="federated token; by default AZURE_FEDERATED_TOKEN_FILE")] = None
    scope: Annotated[Word, Meta(description="what the token is for")] = "https://cognitiveservices.azure.com/.default"


class Oracle(Section, frozen=True):
    """Oracle Cloud: the API key of a user."""

    region: Annotated[Label | None, Meta(description="such as us-chicago-1")] = None
    tenancy: Annotated[Segment | None, Meta(description="OCID of the tenancy")] = None
    user: Annotated[Segment | None, Meta(description="OCID of the user")] = None
    fingerprint: Annotated[Segment | None, Meta(description="of the key")] = None
    private_key: Annotated[SecretText | None, Meta(description="RSA key in PEM")] = None
    passphrase: Annotated[Secret | None, Meta(description="of the private key")] = None
    compartment: Annotated[Segment | None, Meta(description="OCID that requests are counted to")] = None
