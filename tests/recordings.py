"""Recorded traffic of real providers, read where it lies: ../shared/corpus, or the folder that FASTGW_CORPUS names. None of it is kept."""

import base64
import hashlib
import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

CORPUS = Path(os.environ.get("FASTGW_CORPUS", Path(__file__).parents[2] / "shared" / "corpus"))
# Of the names of the recordings that the counts in the tests were taken from; another folder is held to no counts.
COUNTED = "b8d7817791de6cf8"


class Recording(NamedTuple):
    """One exchange. request: the decoded JSON body, None where it was none; form: one of text; reply: the bytes of the body, as sent."""

    name: str
    provider: str
    api: str
    method: str
    url: str
    request_fields: dict[str, str]
    request: Any
    status: int
    fields: dict[str, str]
    reply: bytes
    model: str
    form: str = ""

    def __hash__(self) -> int:
        return hash((self.provider, self.name))

    @property
    def body(self) -> bytes:
        """The request's body, b"" where it had none."""
        return self.form.encode() if self.request is None else json.dumps(self.request).encode()

    @property
    def is_sse(self) -> bool:
        """Whether the reply is an event stream."""
        return "event-stream" in self.fields.get("content-type", "") and "amazon" not in self.fields.get("content-type", "")

    def json(self) -> Any:
        """The reply, decoded."""
        return json.loads(self.reply)

    def decoded(self) -> Any:
        """The reply, decoded where it is JSON; else as text, and None where there is none: what an error may be."""
        try:
            return json.loads(self.reply)
        except ValueError:
            return self.reply.decode("utf-8", "replace") or None


def skip_without_corpus() -> None:
    """Say plainly that the recordings were left out where there are none."""
    if not CORPUS.is_dir():
        pytest.skip(f"the corpus of recorded traffic was left out: no folder {CORPUS}")
    if not names():
        pytest.skip(f"the corpus of recorded traffic was left out: no recordings in {CORPUS}")


@cache
def names() -> tuple[str, ...]:
    """All recordings as provider/file, in order."""
    return tuple(sorted(f"{path.parent.name}/{path.name}" for path in CORPUS.glob("*/*.json")))


@cache
def is_counted() -> bool:
    """Whether these are the recordings that the counts in the tests were taken from."""
    return hashlib.sha256("\n".join(names()).encode()).hexdigest().startswith(COUNTED)


def counted(count: int, known: int = 1) -> None:
    """Hold a test to what it ran: left out where none is of its kind; of the folder that was counted it must run all `known`."""
    if is_counted():
        assert count >= known, f"expected {known} recordings of this kind, ran {count}"
    elif not count:
        pytest.skip(f"left out: no recordings of this kind in {CORPUS}")


def recordings(provider: str, *apis: str) -> Iterator[Recording]:
    """The recordings of a provider, of certain APIs or of all, in the order of their names."""
    for path in sorted((CORPUS / provider).glob("*.json")):
        exchange = json.loads(path.read_bytes())
        if not apis or exchange["api"] in apis:
            yield read(path.stem, exchange)


def read(name: str, exchange: dict[str, Any]) -> Recording:
    """A recording as the corpus writes it."""
    request, response = exchange["request"], exchange["response"]
    fields = {field.lower(): str(value) for field, value in (response.get("headers") or {}).items()}
    sent = {field.lower(): str(value) for field, value in (request.get("headers") or {}).items()}
    form = str(request.get("body_text") or "")
    return Recording(
        name, exchange["provider"], exchange["api"], request["method"], request["url"], sent, request.get("body"), response["status"],
        fields, bytes_of(response), exchange.get("model") or "", form,
    )


def bytes_of(response: dict[str, Any]) -> bytes:
    """The body of a recorded response as bytes, whichever way it is kept."""
    if "body_b64" in response:
        return base64.b64decode(response["body_b64"])
    if "body_text" in response:
        return str(response["body_text"]).encode()
    return json.dumps(response.get("body")).encode()
