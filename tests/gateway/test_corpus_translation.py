"""Every recorded answer, translated: the official client of another dialect reads in it what the provider's own client reads.

A client asks the recorded question in its own words, whole and streamed; the replay answers with the recording, whichever of the two it is.
"""
from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from fastgw.dialects.canonical import Text
from fastgw.providers.row import row_for
from fastgw.providers.table import PROVIDERS
from tests.gateway.corpus_page import end_of, problems
from tests.gateway.equivalents import DIALECTS, asked_in, canonical, model_of
from tests.gateway.loop import Loop
from tests.gateway.recorded_views import Refused, Unreadable, said_by_provider
from tests.gateway.replaying import CHATS_ONLY, NAMES, Replaying, providers, recorded, replaying
from tests.gateway.sdk_asking import Clients, status_of
from tests.gateway.sdk_views import Said
from tests.recordings import Recording, skip_without_corpus

CLIENTS = {"openai_chat": "chat", "anthropic_messages": "messages", "gemini_generate": "generate", "openai_responses": "responses"}
GENERATING = {
    "anthropic_messages": ("messages",), "gemini_generate": ("generateContent", "streamGenerateContent"), "cohere_chat": ("v2.chat",),
    "bedrock_converse": ("converse", "converse-stream"), "openai_chat": ("chat.completions",), "openai_responses": ("responses",),
}
PAIRS = [(client, upstream) for client in CLIENTS for upstream in GENERATING if client != upstream]


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replaying]:
    with replaying(tmp_path_factory.mktemp("translation")) as running:
        yield running


@pytest.fixture(scope="module")
def clients(replay: Replaying) -> Iterator[Clients]:
    made = Clients(replay.gateway.url)
    yield made
    made.close()


def generating(upstream: str) -> list[Recording]:
    """The recordings of an upstream dialect."""
    found = [one for provider in providers() for one in recorded(provider, *GENERATING[upstream])]
    return [one for one in found if (one.url.partition("?")[0].endswith("/responses") or one.api != "responses") and not is_of_openai(one)]


def is_of_openai(recording: Recording) -> bool:
    """Whether Converse answered for a model `openai....`: the gateway asks these at Bedrock's OpenAI-compatible endpoint."""
    return recording.api in GENERATING["bedrock_converse"] and model_of(recording).rpartition("openai.")[1] != ""


def integration_of(client: str, recording: Recording) -> str:
    """Where the client's question has to be translated to the recorded dialect."""
    name = NAMES.get(recording.provider, recording.provider)
    if DIALECTS[recording.api] != "openai_chat":
        return name
    if name not in PROVIDERS:
        return CHATS_ONLY
    row = row_for(PROVIDERS[name], model_of(recording))
    return name if CLIENTS[client] not in row.operations and row.generation[:1] == ("chat",) else CHATS_ONLY


def difference(client: str, recording: Recording, got: Said) -> str:
    """In what the client's view is not the provider's, "" nothing."""
    want = said_by_provider(recording)
    if want.usage is None and client == "anthropic_messages":
        want = want._replace(usage=(0, 0, 0, 0))    # its replies must state one
    end = end_of(DIALECTS[recording.api], want.finish, bool(want.calls), client, want.refused)
    wrong = [f"{name}: expected {getattr(want, name)!r:.300}, got {getattr(got, name)!r:.300}"
             for name in ("text", "thoughts", "calls", "usage") if getattr(want, name) != getattr(got, name)]
    return "; ".join(wrong) or ("" if got.finish == end else f"finish: expected {end!r}, got {got.finish!r}")


def failure(client: str, recording: Recording, clients: Clients, stream: bool, fields: dict[str, str]) -> tuple[str, Said | None]:
    """Ask once. Return what is wrong with the answer, "" nothing, and the answer."""
    body = asked_in(client, recording)
    try:
        got = clients.ask(client, body, stream, fields)
    except Exception as error:  # whatever a client raises is judged by its status
        if recording.status != 200:
            expected = 502 if recording.status == 401 else recording.status  # that is about the integration's credential
            return ("" if status_of(error) == expected else f"expected status {expected}, got {error}"), None
        try:
            said_by_provider(recording)
        except (Refused, Unreadable):
            return "", None
        return f"{type(error).__name__}: {error}", None
    if recording.status != 200:
        return f"expected status {recording.status}, got {got}", None
    try:
        return difference(client, recording, got), got
    except Unreadable:
        return "", None


def unsent(recording: Recording, body: bytes) -> str:
    """A text of the recorded question that the provider did not get, "" none."""
    words = "\n".join(strings(json.loads(body)))
    for message in canonical(recording).messages:
        for part in message.parts:
            if isinstance(part, Text) and part.text.strip() not in words:
                return part.text
    return ""


def strings(value: object) -> Iterator[str]:
    """All strings in a decoded JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings(item)


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_recorded_answers_are_the_same_in_another_dialect(
        client: str, upstream: str, request: pytest.FixtureRequest) -> None:
    """Texts, thoughts, calls, end, usage and errors are the provider's, to the client and in the records, whole and streamed."""
    skip_without_corpus()
    if upstream == "openai_responses":
        return through_the_loop(client)
    replay: Replaying = request.getfixturevalue("replay")
    clients: Clients = request.getfixturevalue("clients")
    failed: dict[str, str] = {}
    billed: dict[str, tuple[str, Said]] = {}
    for recording in generating(upstream):
        name = f"{recording.provider}/{recording.name}"
        for stream in (False, True):
            replay.replay.received.clear()
            fields = dict(replay.fields(recording, integration_of(client, recording)))
            wrong, got = failure(client, recording, clients, stream, fields)
            if not wrong and (lost := unsent(recording, replay.replay.received[-1].body)):
                wrong = f"the provider did not get {lost!r:.200}"
            if wrong:
                failed[name] = f"{'streamed' if stream else 'whole'}: {wrong}"
            elif got is not None:
                billed[fields["x-portkey-trace-id"]] = name, got
    records = replay.rows(set(billed))
    for trace, (name, got) in billed.items():
        row = records[trace]
        counted = row["input_tokens"], row["output_tokens"], row["cache_read_tokens"], row["reasoning_tokens"]
        if got.usage not in (None, (0, 0, 0, 0)) and counted != got.usage or row["outcome"] != "served":
            failed[name] = f"record: expected {got.usage}, got {counted}, {row['outcome']} {row['error']}"
    wrong = problems("translation", [f"{one.provider}/{one.name}" for one in generating(upstream)], failed)
    assert not wrong, wrong


def through_the_loop(client: str) -> None:
    """No provider of the table has responses and nothing else, so the recorded ones are translated without a network."""
    loop = Loop("openai_responses")
    failed = {}
    for recording in generating("openai_responses"):
        loop.recording = recording
        for stream in (False, True):
            wrong, _ = failure(client, recording, loop.clients, stream, {})
            if wrong:
                failed[f"{recording.provider}/{recording.name}"] = f"{'streamed' if stream else 'whole'}: {wrong}"
    wrong = problems("translation", [f"{one.provider}/{one.name}" for one in generating("openai_responses")], failed)
    assert not wrong, wrong
