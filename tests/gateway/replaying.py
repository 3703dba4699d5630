"""Replay the corpus through a real gateway: a provider that answers with the recording that the user agent names, and an integration each.

A recording's request goes to the gateway at the path where a client of its dialect would send it; its integration has the base URL that the
recorded request went to, so that the path at the provider has to be the recorded one again.
"""
from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit
from zlib import crc32

from fastgw.providers.table import PROVIDERS
from tests.fakes.framing import Fields, values
from tests.fakes.raw_client import RawClient, Response
from tests.fakes.script import Script, bytes_reply, json_reply
from tests.fakes.upstream import Received, Upstream
from tests.gateway.limited import bearer, key_lines
from tests.gateway.running import KEY, RunningGateway
from tests.recordings import CORPUS, Recording, recordings, skip_without_corpus

# Folders of the corpus whose providers the table calls otherwise.
NAMES = {
    "azure": "azure-openai", "fireworks": "fireworks-ai", "mistral": "mistral-ai", "perplexity": "perplexity-ai",
    "together": "together-ai", "vertex": "vertex-ai", "xai": "x-ai", "zai": "z-ai",
}
# What was asked of a provider in a dialect that callers of the gateway do not speak.
OWN_DIALECTS = {"huggingface": ("models",), "vertex": ("predict",)}
# Recordings of the older path, at which the gateway speaks the shape that all rerankers have, and asks at the newer one.
OLDER_PATH = ("cohere", "/v1/rerank")
# Paths that a provider has beside what its prefix stands for, and that callers ask for as they are.
NATIVE = re.compile(r"/(v2|api|model|guardrail|agents)/")
# Who answers a chat where the recorded provider itself speaks the client's dialect: one that knows chats only.
CHATS_ONLY = "crusoe"
# Where a path of a client begins after what stands for a provider's prefix.
SURFACES = re.compile(
    r"/(chat/completions|completions|embeddings|responses|images|files|conversations|vector_stores|prompts|messages|complete|rerank"
    r"|generate|chat|models|audio|batches|moderations|uploads|containers|assistants|threads|fine_tuning|evals|videos|realtime)(/|$)")
GOOGLES = re.compile(r"/publishers/google(/models/[^/]+:\w+)$")
CALLERS_OWN = "sk-of-the-caller-0123456789"
# What the replay writes anew, and what would be the recorder's.
FRAMING = frozenset({"content-length", "transfer-encoding", "content-encoding", "connection", "keep-alive", "date", "set-cookie"})
CREDENTIALS = {
    "bedrock": 'aws = { region = "us-east-1", access_key_id = "AKIDEXAMPLE", secret_access_key = "wJalrXUtnFEMI/K7MDENG" }',
    "bedrock-mantle": 'aws = { region = "us-east-1", access_key_id = "AKIDEXAMPLE", secret_access_key = "wJalrXUtnFEMI/K7MDENG" }',
    "vertex-ai": 'google = { project = "p", region = "global" }\ntoken_url = "{url}/token"',
    "ollama": "",
}


class Place(NamedTuple):
    """Where a recorded request goes: an integration, by provider, the path of its base URL and its API version; and the caller's target."""

    provider: str
    prefix: str
    version: str
    target: str

    @property
    def integration(self) -> str:
        """The name of the integration."""
        where = self.prefix + self.version
        return f"{self.provider}/{crc32(where.encode()):08x}" if where else self.provider


def place_of(recording: Recording) -> Place | None:
    """Where a recording goes; None where no caller of the gateway asks for such a thing, or nobody knows where that is."""
    provider = NAMES.get(recording.provider, recording.provider)
    url = urlsplit(recording.url)
    if (provider, url.path) == OLDER_PATH:
        return None
    if provider == "bedrock-agent":
        provider = "bedrock"
    if provider not in PROVIDERS or recording.api in OWN_DIALECTS.get(recording.provider, ()):
        return None
    query = dict(parse_qsl(url.query))
    version = query.pop("api-version", "")
    if provider in ("cohere", "gemini") or PROVIDERS[provider].native and NATIVE.match(url.path):
        prefix, target = "", url.path
    elif found := GOOGLES.search(url.path):
        prefix, target = url.path[:found.start()], f"/v1beta{found[1]}"
    else:
        found = SURFACES.search(url.path)
        if found is None:
            return None
        prefix, target = url.path[:found.start()], f"/v1{url.path[found.start():]}"
    if version or prefix == PROVIDERS[provider].prefix:
        prefix = ""
    return Place(provider, prefix, version, target + (f"?{url.query}" if query else ""))


class Replay(Upstream):
    """Answers each request with the recording that `replay/PROVIDER/NAME` in its user agent names, and Google's token endpoint."""

    def __init__(self) -> None:
        super().__init__(json_reply({"error": "no recording is named"}, 500))
        self.known: dict[str, Recording] = {}

    def agent(self, recording: Recording) -> str:
        """The user agent that has this recording played."""
        name = f"{recording.provider}/{recording.name}"
        self.known[name] = recording
        return f"replay/{name}"

    def _take(self, received: Received) -> Script:
        script = super()._take(received)
        if received.target == "/token":
            return json_reply({"access_token": "ya29.replayed", "expires_in": 3600})
        # a client may send its own name beside the one that it is given, or instead
        named = " ".join(values(received.fields, "user-agent") + values(received.fields, "x-replay"))
        found = re.search(r"replay/(\S+)", named)
        return script if found is None else script_of(self.known[found[1]])


def script_of(recording: Recording) -> Script:
    """A recorded reply, as it came but for its framing."""
    return bytes_reply(recording.reply, recording.status, fields_of(recording), is_stream(recording))


def fields_of(recording: Recording) -> Fields:
    """The fields of a recorded reply; its type where it was not kept."""
    found = [(name, value) for name, value in recording.fields.items()
             if name not in FRAMING and re.fullmatch(r"[ -~]*", value) and re.fullmatch(r"[a-z0-9_-]+", name)]
    if "content-type" not in recording.fields:
        found.append(("content-type", kind_of(recording.reply)))
    return found


def kind_of(body: bytes) -> str:
    """The content type that a body without one has had."""
    if body.lstrip().startswith((b"{", b"[")):
        return "application/json"
    return "text/event-stream" if body.startswith((b"data:", b"event:", b":")) else "application/vnd.amazon.eventstream"


def is_stream(recording: Recording) -> bool:
    """Whether the reply was an event stream of any framing."""
    return "stream" in dict(fields_of(recording))["content-type"]


@cache
def recorded(provider: str, *apis: str) -> tuple[Recording, ...]:
    """The recordings of a provider, read once."""
    return tuple(recordings(provider, *apis))


def providers() -> list[str]:
    """The folders of the corpus."""
    return sorted(path.name for path in CORPUS.iterdir() if path.is_dir()) if CORPUS.is_dir() else []


class Replaying:
    """A gateway of one worker whose integrations all lead to a replay."""

    def __init__(self, gateway: RunningGateway, replay: Replay) -> None:
        self.gateway = gateway
        self.replay = replay
        self.lane = RawClient(gateway.url)
        self.traces = 0
        self._rows: dict[str, dict[str, Any]] = {}
        self._read = 0

    def __repr__(self) -> str:
        return f"<Replaying {len(self.replay.known)} recordings>"

    def fields(self, recording: Recording, integration: str) -> Fields:
        """What a request carries to be answered by a recording, at an integration, and to be told by its trace id."""
        self.traces += 1
        return [*bearer(), ("x-fastgw-integration", integration), ("user-agent", self.replay.agent(recording)),
                ("x-portkey-trace-id", f"replay-{self.traces}")]

    def rows(self, traces: set[str], timeout_s: float = 20.0) -> dict[str, dict[str, Any]]:
        """The records of these trace ids, once all of them are written."""
        self.gateway.wait_until(lambda: self._has(traces), f"{len(traces)} records", timeout_s)
        return {trace: self._rows[trace] for trace in traces}

    def _has(self, traces: set[str]) -> bool:
        with self.gateway.lines_path.open("rb") as lines:
            lines.seek(self._read)
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                row = json.loads(line)
                self._rows[row["trace_id"]] = row
                self._read += len(line)
        return traces <= self._rows.keys()

    def own_fields(self, recording: Recording, place: Place) -> Fields:
        """The same for a caller that asks the recorded provider with a credential of its own, as Portkey's client says it."""
        base = urlsplit(recording.url).path.removesuffix(place.target.removeprefix("/v1"))
        more = [("x-portkey-azure-api-version", place.version)] if place.version else []
        return [("x-portkey-api-key", KEY), ("x-portkey-provider", place.provider), ("authorization", f"Bearer {CALLERS_OWN}"),
                ("x-portkey-custom-host", f"{self.replay.url}{base}"), ("user-agent", self.replay.agent(recording)), *more]

    def ask(self, recording: Recording, place: Place, fields: Fields | None = None) -> tuple[Response, Received | None]:
        """Send a recorded request again; return the reply, and what the provider got. fields: instead of a key and an integration"""
        self.replay.received.clear()
        kind = [("content-type", recording.request_fields.get("content-type", "application/json"))] if recording.body else []
        if recording.provider == "anthropic":
            kind.append(("anthropic-version", "2023-06-01"))
        if self.lane.is_closed_by_peer:
            self.lane.close()
            self.lane = RawClient(self.gateway.url)
        said = fields or self.fields(recording, place.integration)
        reply = self.lane.ask(recording.method, place.target, recording.body, [*said, *kind])
        seen = [one for one in self.replay.received if one.target != "/token"]
        self.lane.is_closed_by_peer = self.lane.is_closed_by_peer or reply.field("connection") == "close"
        return reply, seen[0] if seen else None


def integration_lines(place: Place, url: str) -> str:
    """An integration of the configuration, with a credential that opens nothing."""
    credential = CREDENTIALS.get(place.provider, 'api_key = "sk-replayed-0123456789"').replace("{url}", url)
    version = f'api_version = "{place.version}"' if place.version else ""
    lines = [f'[integrations."{place.integration}"]', f'provider = "{place.provider}"', f'base_url = "{url}{place.prefix}"']
    lines += [credential, version]
    return "\n".join(lines) + "\n"


def places() -> dict[str, Place]:
    """All integrations that the recordings need, and one of each provider at its own prefix."""
    found = [place for provider in providers() for one in recorded(provider) if (place := place_of(one)) is not None]
    names = [NAMES.get(provider, provider) for provider in providers()]
    found += [Place(name, "", "", "") for name in [*names, CHATS_ONLY] if name in PROVIDERS]
    return {place.integration: place for place in found}


@contextmanager
def replaying(directory: Path, more: str = "") -> Iterator[Replaying]:
    """A running gateway before a replay of the whole corpus, `more` in its configuration; leaves the test out where there is none."""
    skip_without_corpus()
    account = directory / "google.json"
    account.write_text(json.dumps({"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}))
    replay = Replay()
    with replay:
        lines = '[gateway.inline_hosts]\nallow = ["127.0.0.0/8"]\n'
        lines += "".join(integration_lines(place, replay.url) for place in places().values())
        with RunningGateway(directory, lines + more + key_lines(), environ={"GOOGLE_APPLICATION_CREDENTIALS": str(account)}) as gateway:
            made = Replaying(gateway, replay)
            try:
                yield made
            finally:
                made.lane.close()
            assert "Traceback" not in gateway.log(), gateway.log()[-3000:]
