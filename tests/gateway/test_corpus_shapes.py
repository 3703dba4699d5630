"""Every recorded embedding and rank, through a worker to the official clients of the other shapes: what was recorded, and billed for it."""
from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import cohere
import httpx
import openai
import pytest
from google import genai
from google.genai import types

from tests.gateway.limited import ask, bearer, price
from tests.gateway.replaying import NAMES, Replaying, place_of, recorded, replaying
from tests.gateway.running import KEY
from tests.gateway.sdk_asking import status_of
from tests.recordings import Recording, counted
from tests.unit.dialects.shapes.test_recorded_shapes import stated, unpacked

# What was asked of the providers, with the shape that it has there and how many of them are recorded.
EMBEDDINGS = [
    ("openai", "embeddings", "openai", 22), ("azure", "embeddings", "openai", 2), ("mistral", "embeddings", "openai", 2),
    ("gemini", "embedContent", "gemini", 18), ("vertex", "embedContent", "gemini", 1), ("vertex", "predict", "predict", 1),
    ("cohere", "embed", "cohere", 5), ("voyage", "embeddings", "voyage", 8), ("bedrock", "invoke", "bedrock", 13),
]
RANKS = [("cohere", 4), ("voyage", 2)]
NANO_USD_PER_TOKEN = 1_000_000
Fields = dict[str, str]


class Found(NamedTuple):
    """What a client reads: vectors or (index, score) pairs, and the tokens where its shape states them."""

    rows: list[Any]
    tokens: int | None = None


def model_of(recording: Recording) -> str:
    """The model as the provider has it, of the body or of the path."""
    named = recording.request.get("model") if isinstance(recording.request, dict) else None
    return str(named or unquote(urlsplit(recording.url).path.split("/model")[-1].lstrip("s/").partition("/")[0].partition(":predict")[0]
                                .partition(":embed")[0].partition(":batchEmbed")[0]))


def embedded(provider: str, api: str) -> list[Recording]:
    """The recorded embeddings: of what Bedrock is asked by invoke, those in the shapes of Titan and of Cohere."""
    found = recorded(provider, api)
    return [one for one in found if api != "invoke" or one.status == 200 and ("titan-embed" in one.url or "cohere.embed" in one.url)]


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replaying]:
    asked = [(provider, one) for provider, api, *_ in EMBEDDINGS for one in embedded(provider, api)]
    asked += [(provider, one) for provider, _ in RANKS for one in recorded(provider, "rerank")]
    names = sorted({f"{NAMES.get(provider, provider)}/{model_of(one)}" for provider, one in asked})
    # of one price that is easily multiplied
    prices = "[prices]\n" + "".join(f'"{name}" = {price("1000", "1000")}\n' for name in names)
    with replaying(tmp_path_factory.mktemp("shapes"), prices) as running:
        yield running


def ask_openai(url: str, model: str, texts: Sequence[str], fields: Fields) -> Found:
    with openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0) as client:
        reply = client.embeddings.create(model=model, input=list(texts), encoding_format="float", extra_headers=fields)
    return Found([row.embedding for row in reply.data], reply.usage.prompt_tokens)


def ask_gemini(url: str, model: str, texts: Sequence[str], fields: Fields) -> Found:
    with genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=url, headers=fields)) as client:
        asked: list[types.ContentUnion] = [*texts]
        reply = client.models.embed_content(model=model, contents=asked)
    return Found([row.values for row in reply.embeddings or []])


def ask_cohere(url: str, model: str, texts: Sequence[str], fields: Fields) -> Found:
    with httpx.Client() as network:
        reply = cohere.ClientV2(KEY, base_url=url, httpx_client=network).embed(
            model=model, texts=list(texts), input_type="search_document", embedding_types=["float"],
            request_options={"additional_headers": fields, "max_retries": 0})
    units = reply.meta.billed_units if reply.meta else None
    return Found(reply.embeddings.float_ or [], int(units.input_tokens) if units and units.input_tokens is not None else None)


CLIENTS: dict[str, Callable[[str, str, Sequence[str], Fields], Found]] = {
    "openai": ask_openai, "gemini": ask_gemini, "cohere": ask_cohere}


def tokens_of(recording: Recording) -> int | None:
    """What the recorded reply says it used, read without the shapes; None where it does not."""
    reply = recording.json()
    usage = reply.get("usage") or reply.get("usageMetadata") or (reply.get("meta") or {}).get("billed_units") or {}
    if "predictions" in reply:
        return sum(int(one["embeddings"]["statistics"]["token_count"]) for one in reply["predictions"])
    found = [usage.get(name) for name in ("prompt_tokens", "total_tokens", "promptTokenCount", "input_tokens")]
    found.append(reply.get("inputTextTokenCount"))
    return next((int(count) for count in found if count is not None), None)


def fields_for(replay: Replaying, recording: Recording) -> Fields:
    """Where the request goes and what answers it; clients send user agents of their own."""
    place = place_of(recording) if recording.provider != "bedrock" else None
    fields = dict(replay.fields(recording, place.integration if place else NAMES.get(recording.provider, recording.provider)))
    return {name: value for name, value in fields.items() if name != "authorization"} | {"x-replay": fields.pop("user-agent")}


def wrong_bill(row: dict[str, Any], tokens: int | None) -> str:
    """What is wrong in the record of a reply that stated so many tokens, "" nothing; what states none is estimated by its bytes."""
    used, cost = row["input_tokens"], row["cost_nano_usd"]
    if row["outcome"] != "served" or cost != used * NANO_USD_PER_TOKEN:
        return f"expected {used} tokens to be billed, got {row}"
    is_estimated = "estimated" in row["flags"]
    return "" if (used > 0 if tokens is None else used == tokens) and is_estimated == (tokens is None) else f"expected {tokens}, got {row}"


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(("provider", "api", "shape", "known"), EMBEDDINGS)
def test_recorded_vectors_reach_the_clients_of_other_shapes(
        replay: Replaying, provider: str, api: str, shape: str, known: int, client: str) -> None:
    """Each client reads the recorded vectors to the last digit, an error by its status; what the reply states is what is billed."""
    asked = embedded(provider, api)
    counted(len(asked), known)
    if client == shape:
        return          # its own client: those pass byte for byte, and have a test
    billed: dict[str, tuple[str, int | None]] = {}
    failed = {}
    for one in asked:
        fields = fields_for(replay, one)
        vectors = [unpacked(vector) for vector in stated(one)] if one.status == 200 else [[]]
        try:
            found = CLIENTS[client](replay.gateway.url, model_of(one), ["text"] * len(vectors), fields)
        except Exception as error:  # whatever a client raises is judged by its status
            expected = 502 if one.status == 401 else one.status
            if status_of(error) != expected:
                failed[one.name] = f"expected {expected}, got {error!r:.300}"
            continue
        tokens = tokens_of(one)
        if found.rows != vectors or found.tokens not in (None, tokens or 0):
            failed[one.name] = f"expected {vectors!r:.60} for {tokens} tokens, got {found!r:.100}"
        billed[fields["x-portkey-trace-id"]] = one.name, tokens
    rows = replay.rows(set(billed))
    failed |= {name: why for trace, (name, tokens) in billed.items() if (why := wrong_bill(rows[trace], tokens))}
    assert not failed, "\n".join(f"{name}: {why}" for name, why in failed.items())


def rank_plain(replay: Replaying, recording: Recording, fields: Fields) -> Found:
    """/v1/rerank as most have it."""
    asked = {name: recording.request[name] for name in ("model", "query", "documents")}
    asked["top_n"] = recording.request.get("top_n", recording.request.get("top_k"))
    reply = ask(replay.gateway.url, "/v1/rerank", asked, [*fields.items(), *bearer()])
    assert reply.status == 200, reply.body
    body: Any = reply.json()
    return Found([(row["index"], row["relevance_score"]) for row in body["results"]])


def rank_cohere(replay: Replaying, recording: Recording, fields: Fields) -> Found:
    """Cohere's client, at /v2/rerank."""
    asked = recording.request
    with httpx.Client() as network:
        reply = cohere.ClientV2(KEY, base_url=replay.gateway.url, httpx_client=network).rerank(
            model=asked["model"], query=asked["query"], documents=asked["documents"], top_n=asked.get("top_n", asked.get("top_k")),
            request_options={"additional_headers": fields, "max_retries": 0})
    return Found([(row.index, row.relevance_score) for row in reply.results])


@pytest.mark.parametrize("rank", [rank_plain, rank_cohere])
@pytest.mark.parametrize(("provider", "known"), RANKS)
def test_recorded_ranks_reach_their_callers(
        replay: Replaying, provider: str, known: int, rank: Callable[[Replaying, Recording, Fields], Found]) -> None:
    """Order and scores are the recorded ones, from /v1/rerank and to Cohere's client; the question arrives, and is billed."""
    asked = recorded(provider, "rerank")
    counted(len(asked), known)
    for one in asked:
        fields = fields_for(replay, one)
        found = rank(replay, one, fields)
        results = one.json().get("results") or one.json()["data"]
        assert found.rows == [(row["index"], row["relevance_score"]) for row in results], one.name
        sent: Any = json.loads(replay.replay.received[-1].body)
        assert (sent["query"], sent["documents"]) == (one.request["query"], one.request["documents"])
        trace = fields["x-portkey-trace-id"]
        assert not (why := wrong_bill(replay.rows({trace})[trace], tokens_of(one))), why
