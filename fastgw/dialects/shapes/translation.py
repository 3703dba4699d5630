"""One exchange between two shapes: what a shape is on either side, and how a caller's and a provider's make one translation.

Pure: bytes in, bytes out, no I/O. A ShapeTranslation is made for each attempt, and has the face of `dialects.translate.Translation`.
"""

from collections.abc import Callable
from typing import Generic, NoReturn, TypeVar

import msgspec

from fastgw.dialects.canonical import Dialect, Failure, Usage
from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json, an_object
from fastgw.dialects.sse import framed
from fastgw.dialects.translate import Asked, NotOfDialect, problem_of, read_failure
from fastgw.errors import error

JSON = "application/json"
SSE = "text/event-stream"
decode = msgspec.json.decode
encode = msgspec.json.encode


def as_it_is(path: str) -> str:
    """A path that the request does not change."""
    return path


class Sent(msgspec.Struct, frozen=True):
    """What goes to the provider.

    accept   the field of that name
    path     makes of the way's template, query included, the one of this request; {model} may stay in it
    """

    body: bytes
    content_type: str = JSON
    accept: str = "*/*"
    path: Callable[[str], str] = as_it_is


class Found(msgspec.Struct, kw_only=True):
    """What every reply of a provider may say. model, id: "" and usage: None where it says nothing of them."""

    model: str = ""
    id: str = ""
    usage: Usage | None = None


class Withheld(Exception):
    """A reply of success has nothing in it, as the provider's policy does not allow it; the words are its reason."""


Wanted = TypeVar("Wanted")
Answer = TypeVar("Answer", bound=Found)


class Caller(msgspec.Struct, Generic[Wanted, Answer], frozen=True, kw_only=True):
    """A shape that callers speak.

    read          their body and its Content-Type; raises InvalidRequest
    write         the reply
    content_type  of the reply, once the provider's shape has fitted the request to what it can do
    dialect       whose errors these callers understand
    """

    read: Callable[[bytes, bytes], Wanted]
    write: Callable[[Answer, Wanted], bytes]
    dialect: Dialect
    content_type: Callable[[Wanted], str] = lambda wanted: JSON


class Provider(msgspec.Struct, Generic[Wanted, Answer], frozen=True, kw_only=True):
    """A shape that providers are asked in.

    write     what goes to them; what they have not is noted, or taken back in the request where the reply must know of it
    read      their reply and its Content-Type; raises ValueError where it is none of this shape
    dialect   whose errors these providers have
    """

    write: Callable[[Wanted, Notes, Asked], Sent]
    read: Callable[[bytes, str, Wanted], Answer]
    dialect: Dialect


class ShapeTranslation:
    """One attempt.

    body, request_content_type, accept   what goes to the provider
    content_type      of the reply to the caller; of an error it is JSON
    dropped           what of the request could not be carried over
    usage, failure    of the reply, once it was read
    """

    __slots__ = ("_answer", "_asker", "_path", "_source", "_target", "accept", "body", "content_type", "dropped", "failure",
                 "request_content_type", "usage")

    def __init__(
        self, sent: Sent, answer: Callable[[bytes, str], tuple[bytes, Usage | None]], *, content_type: str, dropped: list[str],
        asker: Dialect, source: Dialect, target: str,
    ) -> None:
        self._answer = answer
        self._asker = asker
        self._source = source
        self._target = target
        self._path = sent.path
        self.body = sent.body
        self.request_content_type = sent.content_type
        self.accept = sent.accept
        self.content_type = content_type
        self.dropped = dropped
        self.usage: Usage | None = None
        self.failure: Failure | None = None

    def __repr__(self) -> str:
        return f"<ShapeTranslation of {len(self.body)} bytes for {self.content_type}>"

    def path(self, template: str) -> str:
        """Where this request goes: the way's path, with what only the request knows (a voice, a query, batchEmbedContents) put in."""
        return self._path(template)

    def reply(self, body: bytes, content_type: str = "") -> bytes:
        """A whole reply of the provider, as the caller wants it.

        content_type   of the provider's reply, "" where it stated none
        raises         NotOfDialect; UpstreamStatus with 400, as OpenAI has it, where the provider withheld its answer
        """
        try:
            written, self.usage = self._answer(body, content_type)
        except Withheld as problem:
            self.failure = Failure(400, "content_policy", f"the provider withheld its answer: {problem}")
            raise problem_of(self.failure, self._target) from problem
        except (msgspec.DecodeError, ValueError, OverflowError, RecursionError) as problem:
            raise NotOfDialect(str(problem)) from problem
        return written

    def error(self, status: int, body: bytes, request_id: str, code: str = "") -> bytes:
        """An error of the provider, in the caller's dialect; `failure` then says what it was."""
        self.failure = read_failure(self._source, status, body, code)
        assert self._asker.write_failure is not None
        return encode(self._asker.write_failure(self.failure, request_id))

    def stream(self) -> NoReturn:
        """No provider is asked for a stream in these shapes; one that sends it nevertheless does not speak them. raises NotOfDialect"""
        raise NotOfDialect("a stream came, where a whole reply was asked for")


Opener = Callable[[bytes, bytes, Asked], ShapeTranslation]


def pair(caller: Caller[Wanted, Answer], provider: Provider[Wanted, Answer]) -> Opener:
    """How to open a translation between two shapes of a family."""

    def opened(body: bytes, content_type: bytes, asked: Asked) -> ShapeTranslation:
        wanted = caller.read(body, content_type)
        notes = Notes(asked.policy, asked.target)
        sent = provider.write(wanted, notes, asked)

        def answer(body: bytes, content_type: str) -> tuple[bytes, Usage | None]:
            found = provider.read(body, content_type, wanted)
            found.model = found.model or asked.model
            return caller.write(found, wanted), found.usage

        return ShapeTranslation(sent, answer, content_type=caller.content_type(wanted), dropped=notes.dropped, asker=caller.dialect,
                                source=provider.dialect, target=asked.target)

    return opened


def an_object_of(body: bytes) -> Json:
    """A caller's JSON body, which the request path has found to be an object. raises InvalidRequest"""
    return an_object(decode(body), "$")


def rest_of(body: Json, read: frozenset[str]) -> Json:
    """The members of a body beside those that were read; null is "not stated"."""
    return {name: value for name, value in body.items() if name not in read and value is not None}


def carry(rest: Json, written: Json, own: frozenset[str], notes: Notes) -> None:
    """Hand on what the shape of the provider knows by the caller's name, and by the policy `pass` all; the others are noted."""
    for name, value in rest.items():
        if name in own or notes.policy == "pass":
            written.setdefault(name, value)
        else:
            notes.drop(name)


def has_no(what: str, asked: Asked, param: str) -> NoReturn:
    """What cannot be left out without a wrong answer. raises UnsupportedParameter whatever the policy is"""
    raise error("UnsupportedParameter", f"{asked.target or 'the target'} cannot take {what}", param=param)


def events(*members: Json) -> bytes:
    """A whole answer as the events of a stream, each with its type, for a caller who asked for one."""
    return b"".join(framed(encode(one)) for one in members)
