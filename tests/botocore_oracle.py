"""What botocore makes of the bytes that Bedrock sends, and what it thinks of those that it is sent: the oracle for what speaks to AWS."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from unittest.mock import patch

from botocore.auth import S3SigV4Auth, SigV4Auth  # type: ignore[import-untyped]  # botocore has no types
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]  # botocore has no types
from botocore.credentials import Credentials  # type: ignore[import-untyped]  # botocore has no types
from botocore.eventstream import EventStream, EventStreamBuffer  # type: ignore[import-untyped]  # botocore has no types
from botocore.loaders import Loader  # type: ignore[import-untyped]  # botocore has no types
from botocore.model import OperationModel, ServiceModel  # type: ignore[import-untyped]  # botocore has no types
from botocore.parsers import RestJSONParser  # type: ignore[import-untyped]  # botocore has no types
from botocore.validate import ParamValidator  # type: ignore[import-untyped]  # botocore has no types


class Bedrock:
    """The operations of Bedrock's run time, by their model; loading it takes a moment, so a test module makes one."""

    def __init__(self) -> None:
        self._model = ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2"))

    def __repr__(self) -> str:
        return "<Bedrock by botocore>"

    def reply(self, body: bytes) -> dict[str, Any]:
        """A reply of Converse, as boto3 returns it."""
        response = {"headers": {}, "body": body, "status_code": 200}
        found: dict[str, Any] = RestJSONParser().parse(response, self._operation("Converse").output_shape)
        return found

    def stream(self, body: bytes) -> list[dict[str, Any]]:
        """The events of a stream of ConverseStream, as boto3 yields them."""
        shape = self._operation("ConverseStream").output_shape.members["stream"]
        return list(EventStream(Pieces(body), shape, RestJSONParser()._event_stream_parser, "ConverseStream"))

    def problems(self, request: Mapping[str, object]) -> str:
        """What boto3 would say against the parameters of a call of Converse, "" nothing."""
        report = ParamValidator().validate(request, self._operation("Converse").input_shape)
        return str(report.generate_report())

    def _operation(self, name: str) -> OperationModel:
        return self._model.operation_model(name)


class Pieces:
    """A body that is streamed in one piece."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> list[bytes]:
        return [self._body]


def messages_of(body: bytes) -> list[tuple[str, bytes]]:
    """The messages of an event stream."""
    buffer = EventStreamBuffer()
    buffer.add_data(body)
    return [(one.headers[":event-type"], one.payload) for one in buffer]


def signed(
    method: str, url: str, fields: list[tuple[str, str]], body: bytes, keys: tuple[str, str, str], region: str, service: str, now: datetime
) -> dict[str, str]:
    """The fields of a request once botocore has signed it, names in lower case."""
    request = AWSRequest(method, url, data=body)
    for name, value in fields:
        request.headers.add_header(name, value)
    credentials = Credentials(keys[0], keys[1], keys[2] or None)
    with patch("botocore.auth.get_current_datetime", lambda: now):
        (S3SigV4Auth if service == "s3" else SigV4Auth)(credentials, service, region).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}
