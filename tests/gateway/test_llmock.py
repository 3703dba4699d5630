"""Through the gateway to LLMock, which others wrote to break clients: its verdict on retries, fallbacks and the ends of streams."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.llmock import LLMock
from tests.gateway.limited import key_lines
from tests.gateway.routed import NEVER_OPEN, RoutedGateway, Step, inline, way
from tests.gateway.speaking import SPEAKERS, TOOL, WEATHER, Answer, NotWhole, Speaker

SAID = "The capital of France is Paris."
# provider of the integration, its place at LLMock, and LLMock's name of it
PLACES = {
    "openai": ("/v1", "openai"),
    "anthropic": ("/anthropic/v1", "anthropic"),
    "gemini": ("/gemini", "gemini"),
    "cohere": ("/cohere", "cohere"),
    "mistral": ("/mistral/v1", "mistral"),
}
MODELS = {
    "openai": "gpt-4o",
    "anthropic": "claude-sonnet-4-5",
    "gemini": "gemini-2.5-flash",
    "cohere": "command-r",
    "mistral": "mistral-small",
}
RETRY = "retry = { attempts = 1, base_ms = 100, max_ms = 1500 }"
EXPLAIN = [("x-fastgw-explain", "1")]
PATHS = ("openai", "anthropic", "gemini")
SPOKEN = {"openai": "chat", "anthropic": "messages", "gemini": "gemini"}


@pytest.fixture(scope="module")
def llmock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LLMock]:
    with LLMock(tmp_path_factory.mktemp("llmock") / "log") as running:
        yield running


@pytest.fixture(scope="module")
def gateway(llmock: LLMock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RoutedGateway]:
    parts = []
    for name, (path, _) in PLACES.items():
        parts.append(
            f'[integrations.{name}]\nprovider = "{name}"\nbase_url = "{llmock.url}{path}"\napi_key = "sk-{name}-0123456789"\n'
            "timeouts = { connect_ms = 5000, first_byte_ms = 5000, idle_ms = 600 }\n"
        )
        others = [other for other in ("openai", "anthropic") if other != name][:1]
        targets = ", ".join(inline(integration=one, model=MODELS[one], name=one) for one in (name, *others))
        patient = ", ".join(inline(integration=one, model=MODELS[one], name=one, timeouts="{ first_byte_ms = 5000 }") for one in others)
        first = inline(integration=name, model=MODELS[name], name=name)
        routes = {"to": f"targets = [{targets}]", "hasty": f"targets = [{first}, {patient}]\ntimeouts = {{ first_byte_ms = 300 }}"}
        routes["only"] = f"targets = [{inline(integration=name, model=MODELS[name], name=name)}]"
        parts += [f"[models.{kind}-{name}]\n{lines}\n{RETRY}\n{NEVER_OPEN}\n" for kind, lines in routes.items()]
    with RoutedGateway(tmp_path_factory.mktemp("gateway"), "".join(parts) + key_lines()) as running:
        yield running
        running.check_records()


@pytest.fixture(autouse=True)
def reset(llmock: LLMock) -> None:
    llmock.script()


def said(**match: object) -> dict[str, object]:
    """A reply of one sentence, until it is forgotten."""
    return {"type": "reply", "text": SAID, "times": None, "match": match}


def fail(status: int, **more: object) -> dict[str, object]:
    # LLMock's own would be a second for 429, 503 and 529
    return {"type": "fail", "status": status, **({"retry_after": 0.05} if status in (429, 503, 529) else {}), **more}


def clean(llmock: LLMock, *, calls: int, attempts: int) -> dict[str, object]:
    """Whatever was broken, the verdict finds nothing to say."""
    verdict = llmock.verdict()
    assert verdict["findings"] == [] and verdict["passed"] is True, verdict
    assert (verdict["calls"], verdict["attempts"]) == (calls, attempts), verdict
    return verdict


def persistent(speaker: Speaker, gateway: RoutedGateway, llmock: LLMock, model: str) -> tuple[Answer, int]:
    """The answer that a careful application gets, which asks once more where a stream is no whole answer; and how often it asked."""
    for tries in (1, 2, 3):
        try:
            return speaker.follow(gateway.url, model, "q"), tries
        except NotWhole:
            llmock.requests()  # waits until the one before has seen that nobody reads any more
    raise AssertionError("no whole answer")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("provider", PLACES)
@pytest.mark.parametrize("speaker", SPEAKERS, ids=lambda speaker: speaker.name)
def test_every_dialect_reaches_every_provider(
    gateway: RoutedGateway, llmock: LLMock, speaker: Speaker, provider: str, stream: bool
) -> None:
    """Text and a tool's call come back as they were said, whole and streamed."""
    llmock.script(
        {"type": "reply", "text": SAID, "match": {"tools": False}},
        {"type": "reply", "tool_calls": [{"name": TOOL, "arguments": {"city": "Paris"}}], "match": {"tools": True}},
    )
    reply = speaker.ask(gateway.url, f"only-{provider}", "Which city?", stream=stream)
    assert speaker.read(reply, stream=stream) == Answer(SAID)
    reply = speaker.ask(gateway.url, f"only-{provider}", "Weather?", stream=stream, schema=WEATHER)
    assert speaker.read(reply, stream=stream) == Answer("", ((TOOL, {"city": "Paris"}),))
    gateway.expect(reply, outcome="served", integration=provider, attempts=1)
    clean(llmock, calls=2, attempts=2)


@pytest.mark.parametrize("provider", PATHS)
@pytest.mark.parametrize("status", [429, 500, 503, 529])
def test_passing_trouble_is_tried_again_once(gateway: RoutedGateway, llmock: LLMock, provider: str, status: int) -> None:
    """One failure, and the same target serves the second time, with a wait between; no verdict."""
    llmock.script(fail(status), said())
    speaker = SPEAKERS[0]
    reply = speaker.ask(gateway.url, f"to-{provider}", "q", EXPLAIN)
    assert speaker.read(reply).text == SAID
    assert [step.target for step in way(reply)] == [provider, provider]
    clean(llmock, calls=1, attempts=2)


@pytest.mark.parametrize("provider", PATHS)
@pytest.mark.parametrize("wait_s", [0.25, 1])
def test_retry_after_is_kept(gateway: RoutedGateway, llmock: LLMock, provider: str, wait_s: float) -> None:
    """A rate limit that names a time within max_ms is waited for, and the same target serves then."""
    llmock.script(fail(429, retry_after=wait_s), said())
    speaker = SPEAKERS[0]
    reply = speaker.ask(gateway.url, f"to-{provider}", "q", EXPLAIN)
    assert speaker.read(reply).text == SAID
    assert [step.target for step in way(reply)] == [provider, provider]
    clean(llmock, calls=1, attempts=2)


@pytest.mark.parametrize("provider", PATHS)
def test_trouble_that_stays_leads_to_another_target(gateway: RoutedGateway, llmock: LLMock, provider: str) -> None:
    """What fails twice is left for another provider, in another dialect where need be; no storm, and the caller sees no error."""
    llmock.script(fail(503, times=None, match={"provider": PLACES[provider][1]}), said())
    for speaker in SPEAKERS:
        reply = speaker.ask(gateway.url, f"to-{provider}", f"q of {speaker.name}", EXPLAIN)
        assert speaker.read(reply).text == SAID and len(way(reply)) == 3 and way(reply)[0] == Step(provider, 503, "overloaded")
        gateway.expect(reply, outcome="served", attempts=3, retries=1)
    clean(llmock, calls=8, attempts=12)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
@pytest.mark.parametrize("provider", PATHS)
def test_what_no_retry_can_mend_is_asked_once(gateway: RoutedGateway, llmock: LLMock, provider: str, status: int) -> None:
    """A request that is wrong, or a credential that is, goes to nobody else and not once more; the caller is told in its dialect."""
    llmock.script(fail(status), said())
    for speaker in (
        SPEAKERS[:1] if SPOKEN[provider] == "chat" else SPEAKERS[:1] + tuple(one for one in SPEAKERS if one.name == SPOKEN[provider])
    ):
        llmock.script(fail(status), said())
        reply = speaker.ask(gateway.url, f"to-{provider}", "q")
        assert reply.status == (502 if status == 401 else status) and b"error" in reply.body
        clean(llmock, calls=1, attempts=1)


@pytest.mark.parametrize("provider", PATHS)
def test_reply_that_does_not_come_is_given_up(gateway: RoutedGateway, llmock: LLMock, provider: str) -> None:
    """A target that thinks for too long is another's turn."""
    llmock.script({"type": "delay", "seconds": 0.7, "match": {"provider": PLACES[provider][1]}}, said())
    reply = SPEAKERS[0].ask(gateway.url, f"hasty-{provider}", "q", EXPLAIN)
    assert SPEAKERS[0].read(reply).text == SAID
    assert way(reply)[0] == Step(provider, 0, "timeout") and len(way(reply)) == 2
    clean(llmock, calls=2, attempts=2)


@pytest.mark.parametrize("kind", ["disconnect", "truncate", "stall", "malformed"])
@pytest.mark.parametrize("after", [1, 4])
@pytest.mark.parametrize(
    ("speaker", "provider"),
    [(speaker, provider) for speaker in SPEAKERS for provider in PATHS if speaker.name in (SPOKEN[provider], "chat", "gemini")],
    ids=lambda one: getattr(one, "name", one),
)
def test_stream_that_breaks_is_never_taken_for_an_answer(
    gateway: RoutedGateway, llmock: LLMock, speaker: Speaker, provider: str, kind: str, after: int
) -> None:
    """Cut, ended early, stalled or spoilt, early or late: the gateway asks again or tells the caller, who then gets the whole answer."""
    # so long, where it goes on after what is wrong, that it is not over before anybody can stop reading
    text = SAID * 5 if kind == "malformed" else SAID
    llmock.script(
        {"type": "stream_fault", "kind": kind, "after_chunks": after, "stall_seconds": 1}, {"type": "reply", "text": text, "times": None}
    )
    answer, tries = persistent(speaker, gateway, llmock, f"only-{provider}")
    assert answer.text == text and tries <= 3
    assert clean(llmock, calls=1, attempts=2)["faults_injected"] == 1


def test_storm_of_failures_stays_bounded(gateway: RoutedGateway, llmock: LLMock) -> None:
    """Ten callers of a provider that is down ask it twice each, and no more."""
    llmock.script(fail(503, times=None, match={"provider": "openai"}), said())
    for number in range(10):
        reply = SPEAKERS[0].ask(gateway.url, "only-openai", f"question {number}")
        assert reply.status == 503
    clean(llmock, calls=10, attempts=20)
