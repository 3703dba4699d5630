"""Moderations: OpenAI's /v1/moderations of callers, and Mistral's, which has other categories and does not say `flagged`."""

from msgspec import Struct, json

from fastgw.dialects.notes import Notes
from fastgw.dialects.openai_chat import DIALECT
from fastgw.dialects.reading import Json, wrong
from fastgw.dialects.shapes.embedding import Input, read_input, usage_of
from fastgw.dialects.shapes.failure import PLAIN
from fastgw.dialects.shapes.translation import Caller, Found, Provider, Sent, an_object_of, carry, encode, has_no, rest_of
from fastgw.dialects.translate import Asked

READ = frozenset({"model", "input"})
# OpenAI's categories, and those of Mistral's that mean the same; () where it has none: then nothing is found of it.
CATEGORIES: dict[str, tuple[str, ...]] = {
    "harassment": (), "harassment/threatening": (), "hate": ("hate_and_discrimination",), "hate/threatening": (),
    "illicit": ("dangerous_and_criminal_content", "dangerous", "criminal"), "illicit/violent": (), "self-harm": ("selfharm",),
    "self-harm/intent": (), "self-harm/instructions": (), "sexual": ("sexual",), "sexual/minors": (),
    "violence": ("violence_and_threats",), "violence/graphic": (),
}
OWN = frozenset({"metadata"})


class ModerationRequest(Struct, kw_only=True):
    """What is to be judged. parts: the inputs are parts of one thing, for which there is one judgement."""

    inputs: list[Input]
    parts: bool = False
    rest: Json = {}


class Judgement(Struct):
    """What was found in one input, by the provider's categories."""

    categories: dict[str, bool]
    category_scores: dict[str, float] = {}


class Judgements(Found):
    """What was found in each input."""

    results: list[Judgement]


def read_request(body: bytes, content_type: bytes) -> ModerationRequest:
    """See Caller."""
    members = an_object_of(body)
    value = members.get("input")
    if isinstance(value, str):
        return ModerationRequest(inputs=[Input(value)], rest=rest_of(members, READ))
    if not isinstance(value, list) or not value:
        wrong("a string or an array with something in it", value, "$.input")
    inputs = [read_input(one, f"$.input[{at}]") for at, one in enumerate(value)]
    return ModerationRequest(inputs=inputs, parts=isinstance(value[0], dict), rest=rest_of(members, READ))


def write_reply(found: Judgements, request: ModerationRequest) -> bytes:
    """See Caller. The provider's own categories stand beside OpenAI's; flagged is what has any of them."""
    results: list[Json] = []
    for one in found.results:
        categories: dict[str, bool] = dict(one.categories)
        scores: dict[str, float] = dict(one.category_scores)
        for name, alike in CATEGORIES.items():
            categories[name] = any(one.categories.get(other, False) for other in alike)
            scores[name] = max((one.category_scores.get(other, 0.0) for other in alike), default=0.0)
        results.append({
            "flagged": any(one.categories.values()), "categories": categories, "category_scores": scores,
            "category_applied_input_types": {name: ["text"] if alike else [] for name, alike in CATEGORIES.items()},
        })
    return encode({"id": found.id, "model": found.model, "results": results})


def write_request(request: ModerationRequest, notes: Notes, asked: Asked) -> Sent:
    """See Provider. A picture is refused: what is not looked at must not pass for harmless."""
    for at, one in enumerate(request.inputs):
        if one.image:
            has_no("pictures", asked, f"input[{at}]")
    texts = [one.text for one in request.inputs]
    written: Json = {"model": asked.model, "input": ["\n".join(texts)] if request.parts else texts}
    carry(request.rest, written, OWN, notes)
    return Sent(encode(written))


class Moderated(Struct):
    """A reply."""

    results: list[Judgement]
    id: str = ""
    model: str = ""
    usage: object = None


_decoder = json.Decoder(Moderated)


def read_reply(body: bytes, content_type: str, request: ModerationRequest) -> Judgements:
    """See Provider."""
    reply = _decoder.decode(body)
    expected = 1 if request.parts else len(request.inputs)
    if len(reply.results) != expected:
        raise ValueError(f"expected {expected} judgements, got {len(reply.results)}")
    return Judgements(results=reply.results, id=reply.id, model=reply.model, usage=usage_of(reply.usage, "prompt_tokens", "total_tokens"))


CALLER = Caller(read=read_request, write=write_reply, dialect=DIALECT)
PROVIDER = Provider(write=write_request, read=read_reply, dialect=PLAIN)
