"""What leads on to another target: statuses, broken connections, timeouts, what the body of an error says, an error that opens a stream."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.raw_client import RawClient, Response, json_request
from tests.fakes.script import (
    LAST_CHUNK,
    Gate,
    Script,
    bytes_reply,
    chunk,
    close,
    event,
    hang,
    head,
    json_reply,
    pause,
    reset,
    send,
    sse_reply,
    wrong_length,
)
from tests.fakes.upstream import SSE_FIELDS, Upstream
from tests.gateway.limited import CHAT, GENERATE, MESSAGES, QUESTION, RESPONSES, bearer, code_of, key_lines, price
from tests.gateway.routed import (
    EXPLAIN,
    NEVER_OPEN,
    OK,
    ONCE,
    USAGE,
    RoutedGateway,
    ask,
    asked_of,
    failing,
    leaf,
    passed_over,
    place,
    route,
    targets_at,
    way,
)

VLLM = {
    "object": "error",
    "message": "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.",
    "type": "BadRequestError",
    "param": None,
    "code": 400,
}
CLAUDE_PLACE, GEMINI_PLACE = "/claude/messages", "/gemini/v1beta/models/m-gemini:generateContent"
STREAM_PLACES = {"claude": CLAUDE_PLACE, "gemini": GEMINI_PLACE.replace("generateContent", "streamGenerateContent")}
ANSWER = {"object": "response", "id": "r", "status": "completed", "output": [], "usage": {"input_tokens": 3, "output_tokens": 4}}


def bodies(dialect: str) -> dict[str, tuple[int, dict[str, Any]]]:
    """Errors as each maker words them."""
    said: dict[str, tuple[int, str, str]]
    if dialect == "a":
        said = {
            "context_window": (400, "context_length_exceeded", "Your input exceeds the context window of this model."),
            "content_policy": (400, "content_filter", "The response was filtered."),
            "invalid_request": (400, "unknown_parameter", "Unknown parameter: 'x'."),
            "billing": (429, "insufficient_quota", "You exceeded your current quota."),
        }
        found = {
            kind: (status, {"error": {"message": text, "type": "x", "param": None, "code": code}})
            for kind, (status, code, text) in said.items()
        }
        return {**found, "context_window of vLLM": (400, VLLM)}
    if dialect == "claude":
        said = {
            "context_window": (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
            "content_policy": (400, "invalid_request_error", "Output blocked by content filtering policy"),
            "invalid_request": (400, "invalid_request_error", "max_tokens: Field required"),
            "too_large": (413, "request_too_large", "Request exceeds the maximum size"),
            "overloaded": (529, "overloaded_error", "Overloaded"),
        }
        return {kind: (status, {"type": "error", "error": {"type": name, "message": text}}) for kind, (status, name, text) in said.items()}
    said = {
        "context_window": (
            400,
            "INVALID_ARGUMENT",
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        ),
        "invalid_request": (400, "INVALID_ARGUMENT", "Invalid JSON payload received."),
        "overloaded": (503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
    }
    return {kind: (status, {"error": {"code": status, "message": text, "status": name}}) for kind, (status, name, text) in said.items()}


ERRORS = [(name, kind, *told) for name in ("a", "claude", "gemini") for kind, told in bodies(name).items()]
FIRSTS = ("a", "claude", "gemini")
CONFIG = [
    *[route(f"{name}-usual", leaf(name), leaf("b")) for name in FIRSTS],
    *[
        route(
            f"{name}-policy",
            leaf(name),
            leaf("b"),
            lines=['on_errors = ["content_policy", "connection"]', "on_status = []", ONCE, NEVER_OPEN],
        )
        for name in FIRSTS
    ],
    route("listed", leaf("a"), leaf("b"), lines=["on_status = [418, 500]", "on_errors = []", ONCE, NEVER_OPEN]),
    route("down", leaf("down"), leaf("b")),
    route("same", leaf("claude"), leaf("other")),
    route("ab", leaf("a"), leaf("b")),
    route("a-hasty", leaf("a", timeouts="{ first_byte_ms = 150 }"), leaf("b")),
]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(json_reply(OK)) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RoutedGateway]:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        down = targets_at(f"http://127.0.0.1:{reserved.getsockname()[1]}", ["down"])
        prices = "[prices]\n" + "".join(
            f'"{maker}" = {price("1", "10")}\n'
            for maker in ("openai-compatible/m-a", "openai-compatible/m-b", "anthropic/m-claude", "anthropic/m-other", "gemini/m-gemini")
        )
        config = "".join(
            [
                targets_at(upstream.url, "ab"),
                targets_at(upstream.url, ["claude", "other"], provider="anthropic"),
                targets_at(upstream.url, ["gemini"], provider="gemini"),
                down,
                *CONFIG,
                prices,
                key_lines(),
            ]
        )
        with RoutedGateway(tmp_path_factory.mktemp("failures"), config) as running:
            yield running
            running.check_records()


@pytest.fixture(autouse=True)
def all_serve(upstream: Upstream) -> None:
    for name in "ab":
        upstream.play(json_reply(OK), place(name))


def told_place(name: str) -> str:
    return {"claude": CLAUDE_PLACE, "gemini": GEMINI_PLACE}.get(name, place(name))


@pytest.mark.parametrize(("name", "kind", "status", "body"), ERRORS, ids=[f"{name}-{kind}" for name, kind, _, _ in ERRORS])
def test_body_of_an_error_says_what_it_is(
    gateway: RoutedGateway, upstream: Upstream, name: str, kind: str, status: int, body: dict[str, Any]
) -> None:
    """A prompt too long and a provider's trouble lead on by default, what a policy forbids where on_errors has it, other errors never."""
    upstream.play(json_reply(body, status), told_place(name))
    kind = kind.partition(" ")[0]
    for model, leads in (
        (f"{name}-usual", kind in ("context_window", "overloaded", "billing")),
        (f"{name}-policy", kind == "content_policy"),
    ):
        reply = ask(gateway, model)
        if leads:
            assert way(reply) == [(name, status, kind), ("b", 200, "")]
            gateway.expect(reply, attempts=2, outcome="served", error="", integration="b", cost_nano_usd=43_000)
        else:
            assert (reply.status, way(reply)) == (status, [(name, status, "")])
            gateway.expect(reply, attempts=1, outcome="failed", error="upstream_status", cost_nano_usd=0)


@pytest.mark.parametrize(
    ("script", "trouble"),
    [
        ([reset()], "connection"),
        ([close()], "connection"),
        (hang(), "timeout"),
        (wrong_length(), "connection"),
        ([send(b"x\r\n\r\n")], "bad_reply"),
    ],
)
def test_broken_way_leads_on(gateway: RoutedGateway, upstream: Upstream, script: Script, trouble: str) -> None:
    """Whatever breaks before the caller has a byte is the next target's turn, and is told as what it was."""
    upstream.play(script, place("a"))
    reply = ask(gateway, "a-hasty" if trouble == "timeout" else "a-usual")
    assert way(reply) == [("a", 0, trouble), ("b", 200, "")]
    gateway.expect(reply, attempts=2, outcome="served", integration="b")


def test_target_that_is_down_leads_on(gateway: RoutedGateway) -> None:
    """A refused connection takes no time and no record of its own."""
    reply = ask(gateway, "down")
    assert way(reply) == [("down", 0, "connection"), ("b", 200, "")]


@pytest.mark.parametrize(("status", "leads"), [(418, True), (500, True), (503, False), (429, False)])
def test_written_lists_take_the_place_of_the_usual(gateway: RoutedGateway, upstream: Upstream, status: int, leads: bool) -> None:
    """With on_status and on_errors written, what they have leads on and nothing else."""
    upstream.play(failing(status), place("a"))
    assert [step.target for step in way(ask(gateway, "listed"))] == (["a", "b"] if leads else ["a"])
    upstream.play([reset()], place("a"))
    assert code_of(ask(gateway, "listed")) == "upstream_reset"


def ask_in(gateway: RoutedGateway, path: str, body: dict[str, object]) -> Response:
    with RawClient(gateway.url) as client:
        client.send(json_request(path, body, [*bearer(), EXPLAIN]))
        return client.read_response("POST")


@pytest.mark.parametrize(
    ("path", "body", "shape"),
    [
        (CHAT, {"messages": QUESTION}, lambda error: error["error"]["code"] == "context_length_exceeded"),
        (RESPONSES, {"input": "q"}, lambda error: error["error"]["code"] == "context_length_exceeded"),
        (MESSAGES, {"messages": QUESTION, "max_tokens": 5}, lambda error: error["type"] == "error"),
        (
            GENERATE.replace("gemini-2.5-flash", "gemini-policy"),
            {"contents": [{"parts": [{"text": "q"}]}]},
            lambda error: error["error"]["status"] == "INVALID_ARGUMENT",
        ),
    ],
)
def test_error_that_nobody_takes_up_is_in_the_caller_s_dialect(
    gateway: RoutedGateway, upstream: Upstream, path: str, body: dict[str, object], shape: Any
) -> None:
    """An error that leads nowhere goes to the caller as its clients expect it, whoever made it."""
    upstream.play(json_reply(bodies("gemini")["context_window"][1], 400), GEMINI_PLACE)
    reply = ask_in(gateway, path, body if path.startswith("/v1beta") else {"model": "gemini-policy", **body})
    assert reply.status == 400 and shape(reply.json()) and b"token count" in reply.body


OPENINGS = {
    "claude": [event({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "error")],
    "gemini": [event({"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}})],
}


@pytest.mark.parametrize("name", OPENINGS)
def test_error_that_opens_a_translated_stream_leads_on(gateway: RoutedGateway, upstream: Upstream, name: str) -> None:
    """An error as the first event counts as the reply's status would: the next target serves, and the caller sees one clean stream."""
    upstream.play(bytes_reply(b"".join(OPENINGS[name]), 200, SSE_FIELDS), STREAM_PLACES[name])
    chunks = [{"choices": [{"index": 0, "delta": {"content": "Paris"}, "finish_reason": None}]}, b"data: [DONE]\n\n"]
    upstream.play(sse_reply(chunks), place("b"))
    before = len(upstream.received)
    reply = ask(gateway, f"{name}-usual", stream=True)
    assert asked_of(upstream, before) == [name, "b"] and reply.status == 200
    assert b"Paris" in reply.body and b"verloaded" not in reply.body and reply.body.endswith(b"data: [DONE]\n\n")
    status = {"claude": 529, "gemini": 503}[name]
    assert way(reply) == [(name, status, "overloaded"), ("b", 200, "")] and passed_over(reply) == {}
    gateway.expect(reply, attempts=2, outcome="served", integration="b")


CHUNKS: list[Any] = [
    {"choices": [{"index": 0, "delta": {"content": "Paris"}, "finish_reason": None}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": USAGE},
]
LIMITED = event({"error": {"message": "slow down", "type": "rate_limit_error", "code": "rate_limit_exceeded"}})


@pytest.mark.parametrize("opening", [[LIMITED], [b": on\n\n" + LIMITED], [LIMITED[:9], LIMITED[9:]], [b"event: error\n", LIMITED]])
@pytest.mark.parametrize("asks_usage", [True, False])
@pytest.mark.parametrize("ends", [True, False])
def test_error_that_opens_a_passed_stream_leads_on(
    gateway: RoutedGateway, upstream: Upstream, opening: list[bytes], ends: bool, asks_usage: bool
) -> None:
    """In the caller's own dialect too, in one piece or several, whether the stream ends after it or stays open."""
    steps = sse_reply(opening, gap_ms=3)
    upstream.play(steps if ends else [*steps[:-1], *hang()], place("a"))
    upstream.play(sse_reply([*CHUNKS, b"data: [DONE]\n\n"]), place("b"))
    reply = ask(gateway, "a-usual", stream=True, stream_options={"include_usage": asks_usage})
    assert reply.body == b"".join([*map(event, CHUNKS), b"data: [DONE]\n\n"])
    assert way(reply) == [("a", 429, "rate_limit"), ("b", 200, "")]
    gateway.expect(reply, attempts=2, outcome="served", integration="b", cost_nano_usd=43_000)


def test_error_in_a_passed_stream_goes_to_the_caller(gateway: RoutedGateway, upstream: Upstream) -> None:
    """Where nobody takes over, or a part has gone to the caller, the stream passes as it came, and the record says that it failed."""
    for name in ("claude", "other"):
        upstream.play(bytes_reply(OPENINGS["claude"][0], 200, SSE_FIELDS), f"/{name}/messages")
    before = len(upstream.received)
    reply = ask(gateway, "same", path=MESSAGES, stream=True, max_tokens=5)
    assert (reply.status, reply.body, asked_of(upstream, before)) == (200, OPENINGS["claude"][0], ["claude", "other"])
    gateway.expect(reply, attempts=2, outcome="failed", error="upstream_status")
    got = streamed_after(gateway, upstream, "a-usual", CHAT, place("a"), event(CHUNKS[0]), LIMITED)
    assert got.endswith(chunk(LIMITED) + LAST_CHUNK)
    gateway.expect_trace("a-usual", attempts=1, outcome="failed", error="upstream_status", flags="streamed,estimated")


def streamed_after(gateway: RoutedGateway, upstream: Upstream, model: str, path: str, at: str, first: bytes, rest: bytes) -> bytes:
    """What comes of a stream after its first event is there; the request has the trace of the model's name."""
    gate = Gate()
    begin = send(head(200, [*SSE_FIELDS, ("transfer-encoding", "chunked")]) + chunk(first))
    upstream.play([begin, pause(gate), send((chunk(rest) if rest else b"") + LAST_CHUNK)], at)
    with RawClient(gateway.url) as client:
        body = {"model": model, "messages": QUESTION, "max_tokens": 9, "stream": True}
        client.send(json_request(path, body, [*bearer(), ("x-portkey-trace-id", model), ("connection", "close")]))
        client.read_until(first)
        gate.release()
        return client.read_until_close()


@pytest.mark.parametrize(
    ("name", "path", "at", "first"),
    [
        ("ab", CHAT, place("a"), event(CHUNKS[0])),
        (
            "same",
            MESSAGES,
            CLAUDE_PLACE,
            event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Par"}}),
        ),
    ],
)
def test_stream_that_ends_in_the_middle_is_no_answer(
    gateway: RoutedGateway, upstream: Upstream, name: str, path: str, at: str, first: bytes
) -> None:
    """A stream without a reason to finish or an end is as one whose connection broke: the caller is told."""
    got = streamed_after(gateway, upstream, name, path, at, first, b"")
    assert b"upstream_reset" in got and not got.endswith(LAST_CHUNK)
    gateway.expect_trace(name, attempts=1, outcome="failed", error="upstream_reset")


def test_stream_that_ends_before_the_caller_has_any_of_it_leads_on(gateway: RoutedGateway, upstream: Upstream) -> None:
    """Where the beginning and the early end come at once, another target can still serve."""
    upstream.play(bytes_reply(event(CHUNKS[0]), 200, SSE_FIELDS), place("a"))
    upstream.play(sse_reply([*CHUNKS, b"data: [DONE]\n\n"]), place("b"))
    reply = ask(gateway, "ab", stream=True)
    assert way(reply) == [("a", 0, "connection"), ("b", 200, "")] and reply.body.endswith(b"data: [DONE]\n\n")
    gateway.expect(reply, attempts=2, outcome="served", integration="b")


@pytest.mark.parametrize("end", [[b"data: [DONE]\n\n"], [{"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}]])
def test_stream_that_says_it_has_finished_is_whole(gateway: RoutedGateway, upstream: Upstream, end: list[Any]) -> None:
    """Some servers send [DONE] without a reason, some a reason without [DONE]: both are answers."""
    upstream.play(sse_reply([CHUNKS[0], *end]), place("a"))
    reply = ask(gateway, "a-usual", stream=True)
    assert reply.status == 200
    gateway.expect(reply, outcome="served", attempts=1)
