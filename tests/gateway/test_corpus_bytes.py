"""Every recorded exchange that a caller of the gateway can have: what was sent goes out, what was answered comes in, byte for byte."""
from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import cohere
import groq
import httpx
import pytest
from cohere.core.request_options import RequestOptions
from mistralai.client import Mistral

from fastgw.dialects.table import CALLERS
from fastgw.providers.table import PROVIDERS
from tests.fakes.upstream import Received
from tests.gateway.corpus_page import problems, unasked
from tests.gateway.equivalents import DIALECTS, model_of
from tests.gateway.recorded_views import Refused, Unreadable, is_whole, said_by_provider
from tests.gateway.replaying import Place, Replaying, fields_of, is_stream, place_of, providers, recorded, replaying
from tests.gateway.running import KEY
from tests.gateway.sdk_asking import Clients, status_of
from tests.gateway.sdk_views import Said
from tests.recordings import Recording, counted, is_counted, skip_without_corpus

# Whose official clients are asked; the others say where they go in ways of their own.
CLIENTS = frozenset(CALLERS.values())
Ask = Callable[[str, Recording, dict[str, str], httpx.Client], object]


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replaying]:
    with replaying(tmp_path_factory.mktemp("bytes")) as running:
        yield running


@pytest.fixture(scope="module")
def clients(replay: Replaying) -> Iterator[Clients]:
    made = Clients(replay.gateway.url)
    yield made
    made.close()


def asks_usage(recording: Recording) -> bool:
    """Whether the gateway adds stream_options to a request."""
    if recording.api not in ("chat.completions", "completions") or not recording.request.get("stream"):
        return False
    place = place_of(recording)
    assert place is not None
    options = recording.request.get("stream_options") or {}
    return PROVIDERS[place.provider].stream_options and not options.get("include_usage")


def without_usage(stream: bytes) -> bytes:
    """A stream without the event that has its usage and no choices: the gateway, which asked for that event, takes it out again."""
    ends = re.compile(rb"(?<=\n\n)|(?<=\r\n\r\n)")
    return b"".join(event for event in ends.split(stream) if not is_usage(event))


def is_usage(event: bytes) -> bool:
    """Whether the data of an event states a usage and has no choices."""
    data = b"".join(line[5:] for line in event.splitlines() if line.startswith(b"data:")).strip()
    chunk = json.loads(data) if data.startswith(b"{") else {}
    return bool(chunk.get("usage")) and chunk.get("choices") == []


def wrong_at_provider(recording: Recording, received: Received) -> str:
    """What the provider got otherwise than recorded, "" nothing."""
    url = urlsplit(recording.url)
    target = url.path + (f"?{url.query}" if url.query else "")
    if (received.method, received.target) != (recording.method, target):
        return f"expected {recording.method} {target}, got {received.method} {received.target}"
    if asks_usage(recording):
        expected = dict(recording.request)
        expected["stream_options"] = {**(expected.get("stream_options") or {}), "include_usage": True}
        return "" if json.loads(received.body) == expected else f"expected stream_options beside the rest, got {received.body!r:.300}"
    return "" if received.body == recording.body else f"expected the same body, got {received.body!r:.300}"


def brings_own(recording: Recording) -> bool:
    """Whether only a caller that names provider, host and key itself can have it: a refused key of its own, or Azure's deployment."""
    deployment = re.search(r"/deployments/([^/]+)/", recording.url)
    return recording.status == 401 or (deployment is not None and deployment[1] != recording.request["model"])


def wrong(replay: Replaying, recording: Recording) -> str:
    """What is otherwise than recorded, "" nothing."""
    place = place_of(recording)
    assert place is not None
    if recording.status == 401 and (told := wrongly_told(replay, recording, place)):
        return told
    reply, received = replay.ask(recording, place, replay.own_fields(recording, place) if brings_own(recording) else None)
    if reply.status != recording.status:
        return f"expected {recording.status}, got {reply.status}: {reply.body!r:.300}"
    if reply.body != recording.reply and not (asks_usage(recording) and reply.body == without_usage(recording.reply)):
        at = next((at for at, pair in enumerate(zip(reply.body, recording.reply, strict=False)) if pair[0] != pair[1]), len(reply.body))
        return f"expected {recording.reply[at:at + 100]!r}, got {reply.body[at:at + 100]!r} at byte {at} of the body"
    expected = dict(fields_of(recording)).get("content-type")
    if reply.field("content-type") != expected:
        return f"expected the type {expected}, got {reply.field('content-type')}"
    return "nothing was asked of the provider" if received is None else wrong_at_provider(recording, received)


def wrongly_told(replay: Replaying, recording: Recording, place: Place) -> str:
    """What a caller learns amiss where the refused credential is the operator's: that is none of its key's trouble; "" nothing."""
    reply, _ = replay.ask(recording, place)
    said = json.loads(reply.body)["error"]
    is_clear = (reply.status, said["code"]) == (502, "upstream_credential") and place.integration in said["message"]
    words = recording.json()["error"]["message"]
    return "" if is_clear and words not in said["message"] else f"with a stored credential: expected 502, got {reply.body!r:.300}"


def of_callers(provider: str) -> list[Recording]:
    """The recordings of a provider that a caller can have made."""
    return [one for one in recorded(provider) if place_of(one) is not None]


@pytest.mark.parametrize("provider", providers() or ["none"])
def test_recorded_exchanges_pass_byte_for_byte(replay: Replaying, provider: str) -> None:
    """The provider gets the recorded request at the recorded path, the caller the recorded reply, errors and streams too."""
    asked = {f"{provider}/{one.name}": one for one in of_callers(provider)}
    found = {name: wrong(replay, one) for name, one in asked.items()}
    told = problems("bytes", list(asked), {name: what for name, what in found.items() if what})
    assert not told, told


def own_client(clients: Clients, recording: Recording, fields: dict[str, str]) -> str:
    """Ask by the client of the recording's own dialect. Return what it reads otherwise than recorded, "" nothing."""
    dialect = DIALECTS[recording.api]
    streamed = not is_whole(recording) and not recording.reply.startswith(b"[")
    body = {"model": model_of(recording), **recording.request} if dialect == "gemini_generate" else recording.request
    try:
        got: Said | None = clients.ask(dialect, body, streamed, fields)
    except Exception as error:  # whatever a client raises is judged by its status
        got = None
        if recording.status != 200:
            return "" if status_of(error) in (recording.status, 502) else f"expected {recording.status}, got {error!r}"
        failed = error
    try:
        expected = said_by_provider(recording)
    except Refused as refused:
        return "" if got is None else f"expected {refused}, got {got}"
    except Unreadable:
        return ""
    if got is None:
        return repr(failed)
    return "" if got == expected else f"expected {expected!r:.400}, got {got!r:.400}"


@pytest.mark.parametrize("provider", providers() or ["none"])
def test_own_client_reads_what_was_recorded(replay: Replaying, clients: Clients, provider: str) -> None:
    """The official client of the recording's dialect, pointed at the gateway, makes of it what it makes of the recording."""
    asked = [one for one in of_callers(provider) if DIALECTS.get(one.api) in CLIENTS and is_plain(one)]
    found = {}
    for one in asked:
        place = place_of(one)
        assert place is not None
        what = own_client(clients, one, dict(replay.fields(one, place.integration)))
        if what:
            found[f"{provider}/{one.name}"] = what
    assert not found, "\n".join(f"{name}: {what}" for name, what in found.items())


def is_plain(recording: Recording) -> bool:
    """Whether the official client can read it: of /v1/responses itself, in words rather than numbers, and not at another maker's path."""
    url = urlsplit(recording.url)
    if recording.api == "responses" and not url.path.endswith("/responses"):
        return False
    return "enum-encoding" not in url.query and (recording.provider, recording.api) != ("gemini", "chat.completions")


def answering(recording: Recording) -> httpx.Client:
    """A client of the network that has the recording for every request."""
    return httpx.Client(transport=httpx.MockTransport(lambda asked: httpx.Response(
        recording.status, headers=dict(fields_of(recording)), content=recording.reply)))


def ask_groq(url: str, recording: Recording, fields: dict[str, str], network: httpx.Client) -> object:
    """Groq's client: a chat, whole or streamed."""
    with groq.Groq(api_key=KEY, base_url=url, max_retries=0, http_client=network, default_headers=fields) as client:
        reply: Any = client.chat.completions.create(**recording.request)
        return [chunk.model_dump() for chunk in reply] if not is_whole(recording) else reply.model_dump()


def ask_mistral(url: str, recording: Recording, fields: dict[str, str], network: httpx.Client) -> object:
    """Mistral's client: a chat, whole or streamed."""
    with Mistral(api_key=KEY, server_url=url, client=network) as client:  # type: ignore[arg-type]  # its protocol leaves httpx's default out
        asked = {name: value for name, value in recording.request.items() if name != "stream"}
        if not is_whole(recording):
            return [chunk.model_dump() for chunk in client.chat.stream(**asked, http_headers=fields)]
        return client.chat.complete(**asked, http_headers=fields).model_dump()


def ask_cohere(url: str, recording: Recording, fields: dict[str, str], network: httpx.Client) -> object:
    """Cohere's first client, whose chat is at /v1/chat."""
    options: RequestOptions = {"additional_headers": fields, "additional_body_parameters": recording.request}
    client = cohere.Client(KEY, base_url=url, httpx_client=network)
    return client.chat(message=recording.request["message"], request_options=options).model_dump()


@pytest.mark.parametrize(("provider", "api", "ask"), [
    ("groq", "chat.completions", ask_groq), ("mistral", "chat.completions", ask_mistral), ("cohere", "v1.chat", ask_cohere)])
def test_clients_of_other_makers_read_what_was_recorded(replay: Replaying, provider: str, api: str, ask: Ask) -> None:
    """Groq's, Mistral's and Cohere's own clients have through the gateway what they have of the recording itself."""
    asked = [one for one in of_callers(provider) if one.api == api and one.status == 200
             and (api == "chat.completions" or not is_stream(one))]
    counted(len(asked))
    for one in asked:
        place = place_of(one)
        assert place is not None
        fields = {name: value for name, value in replay.fields(one, place.integration) if name not in ("authorization", "user-agent")}
        fields["x-replay"] = replay.replay.agent(one)
        with answering(one) as network:
            try:
                expected = ask("http://provider.test", one, {}, network)
            except Exception as error:  # what the maker's client cannot read at all
                assert not is_counted() or "validation" in str(error).lower() or isinstance(error, TypeError | groq.APIError), one.name
                continue
        with httpx.Client(timeout=20) as network:
            assert ask(replay.gateway.url, one, fields, network) == expected, one.name


def test_every_recording_is_run_or_told() -> None:
    """A recording passes, is translated, or is of an API that the page says is not run, and why; in another folder the rest is named."""
    skip_without_corpus()
    left = unasked()
    missing = [f"{one.provider}/{one.name}: {one.api}" for provider in providers() for one in recorded(provider)
               if place_of(one) is None and one.api not in DIALECTS and one.api not in left.get(provider, [])]
    if missing and not is_counted():
        pytest.skip(f"left out, for nothing here knows where these go: {', '.join(missing)}")
    assert not missing, "\n".join(missing)
