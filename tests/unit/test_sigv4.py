"""Signatures for AWS are those that botocore makes, byte for byte, and nothing secret shows."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgw.providers.sigv4 import Signer, model_segment
from tests.botocore_oracle import signed

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
WORD = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=12)
SEGMENT = st.text(st.sampled_from("abZ09-._~%/"), max_size=20)
VALUE = st.text(st.characters(codec="ascii", min_codepoint=0x20), max_size=30)
FIELD = st.tuples(st.sampled_from(["Content-Type", "accept", "x-amz-meta", "X-Custom", "user-agent", "traceparent", "te"]), VALUE)
QUERY = st.lists(st.tuples(WORD, st.sampled_from(["", "=", "=1", "=%20", "=a=b"])), max_size=4)


def lines_of(rendered: bytes) -> dict[str, str]:
    assert rendered.endswith(b"\r\n")
    return dict(line.split(": ", 1) for line in rendered.decode().split("\r\n")[:-1])


@given(
    method=st.sampled_from(["GET", "POST", "PUT"]), path=SEGMENT, query=QUERY, fields=st.lists(FIELD, max_size=5),
    body=st.binary(max_size=200), token=st.sampled_from(["", "IQoJb3JpZ2luX2VjE/+=="]),
    service=st.sampled_from(["bedrock", "sagemaker", "s3"]), region=WORD,
    second=st.integers(0, 4_000_000_000),
)
def test_signatures_are_those_of_botocore(
    method: str, path: str, query: list[tuple[str, str]], fields: list[tuple[str, str]], body: bytes, token: str, service: str, region: str,
    second: int,
) -> None:
    """Any request, at any time, is signed as botocore signs it."""
    asked = "&".join(name + rest for name, rest in query)
    signer = Signer(region, service, "AKIDEXAMPLE", SECRET, token)
    found = lines_of(signer.sign(method, "bedrock-runtime.x.amazonaws.com", "/" + path, asked, fields, body, second * 10**9 + 7))
    expected = signed(method, "https://bedrock-runtime.x.amazonaws.com/" + path + ("?" + asked if asked else ""), fields, body,
                      ("AKIDEXAMPLE", SECRET, token), region, service, datetime.fromtimestamp(second, UTC))
    assert found == {name: expected[name] for name in expected if name in found}
    assert set(found) == {name for name in expected if name == "authorization" or name.startswith("x-amz-")} - {"x-amz-meta"}


def test_signing_key_follows_the_day() -> None:
    """One signer that goes on over midnight signs as a fresh one does."""
    lasting = Signer("us-east-1", "bedrock", "AKIDEXAMPLE", SECRET)
    for second in (0, 1, 86_399, 86_400, 86_399, 3_000_000_000):
        fresh = Signer("us-east-1", "bedrock", "AKIDEXAMPLE", SECRET)
        arguments = ("POST", "h", "/model/m/converse", "", [("content-type", "application/json")], b"{}", second * 10**9)
        assert lasting.sign(*arguments) == fresh.sign(*arguments)


@pytest.mark.parametrize(("model", "segment"), [
    ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "us.anthropic.claude-sonnet-4-5-20250929-v1%3A0"),
    ("arn:aws:bedrock:us-east-1:012345678901:inference-profile/us.amazon.nova-lite-v1:0",
     "arn%3Aaws%3Abedrock%3Aus-east-1%3A012345678901%3Ainference-profile%2Fus.amazon.nova-lite-v1%3A0"),
])
def test_model_is_one_segment_of_the_path(model: str, segment: str) -> None:
    """Names and ARNs are encoded as boto3 encodes them, so that the signature fits."""
    assert model_segment(model) == segment


def test_signer_shows_no_secret() -> None:
    """What a signer says of itself has neither the secret nor the token."""
    shown = repr(Signer("us-east-1", "bedrock", "AKIDEXAMPLE", SECRET, "TOKEN"))
    assert shown == "<Signer of bedrock in us-east-1 for AKIDEXAMPLE>"
