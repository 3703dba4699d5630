"""Promises of the load generator: it counts what happened, sends when it said, and believes no reply that it should not."""

import json
import re
import socket
import ssl
import threading
from collections.abc import Sequence

import pytest

from fastgw.bench.generator import Load
from fastgw.bench.reply import ANTHROPIC_STREAM, OPENAI_STREAM
from tests.fakes.upstream import (
    LAST_CHUNK,
    Script,
    Upstream,
    broken_chunk,
    bytes_reply,
    chunk,
    close,
    event,
    hang,
    head,
    json_reply,
    reset,
    send,
    sse_reply,
    trickle,
    wait_ms,
    wrong_length,
)
from tests.patience import PATIENCE_S

NONCE = b"0" * 16
BODY = b'{"model":"m","messages":[{"role":"user","content":"Request ' + NONCE + b'."}]}'
REPLY = {"choices": [{"message": {"content": "hi"}}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
OPENAI = [
    {"choices": [{"delta": {"role": "assistant", "content": ""}}], "usage": None},
    *({"choices": [{"delta": {"content": f" word{at}"}}], "usage": None} for at in range(5)),
    {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 5}},
    "[DONE]",
]
ANTHROPIC: list[object] = [
    event({"type": "message_start", "message": {"usage": {"input_tokens": 1}}}, "message_start"),
    *(event({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "a"}}, "content_block_delta") for _ in range(4)),
    event({"type": "message_stop"}, "message_stop"),
]


def request(body: bytes = BODY) -> bytes:
    return b"POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def load_of(upstream: Upstream, body: bytes = BODY, **more: object) -> Load:
    sent = request(body)
    return Load(("127.0.0.1", upstream.port), socket.AF_INET, sent, **more)  # type: ignore[arg-type]  # tests know them


def finish(load: Load, **run: float) -> Load:
    """Run to the end and let go of the connections."""
    load.start(**run)  # type: ignore[arg-type]  # likewise
    while load.advance(0.05):
        pass
    load.close()
    return load


@pytest.mark.parametrize("connections", [1, 7])
def test_every_request_is_counted_once(connections: int) -> None:
    """So many requests are sent, each gets its reply, and the server saw exactly as many, over as many connections."""
    with Upstream(json_reply(REPLY)) as upstream:
        load = finish(load_of(upstream, connections=connections), requests=200)
        assert (load.sent, load.replies, load.errors, load.unanswered, load.latencies.count) == (200, 200, 0, 0, 200)
        assert len(upstream.received) == 200 and len(upstream.connections) == connections
        assert {received.body for received in upstream.received} == {BODY}
        assert sum(second.replies for second in load.seconds) == 200
        assert load.body_bytes == 200 * len(json.dumps(REPLY))


def test_no_two_requests_are_alike_where_that_is_asked() -> None:
    """With a nonce every body differs in its 16 bytes and nowhere else, in bodies too that go out in pieces."""
    filler = b"x" * 3_000_000
    body = BODY.replace(b'"m"', b'"' + filler + b'"')
    at = len(request(body)) - len(body) + body.index(NONCE)
    with Upstream(json_reply(REPLY)) as upstream:
        load = finish(load_of(upstream, body, connections=4, nonce_at=at), requests=12)
        assert load.replies == 12
        bodies = [received.body for received in upstream.received]
    before, _, after = body.partition(NONCE)
    nonces = {one.removeprefix(before).removesuffix(after) for one in bodies}
    assert len(nonces) == 12 and all(re.fullmatch(b"[0-9a-f]{16}", nonce) for nonce in nonces)


GOOD = bytes_reply(b'{"usage": {"a": 1}}')
WELL_FRAMED = {
    "length": GOOD,
    "chunked": bytes_reply(b'{"usage":{"a":1}}', chunked=True),
    "byte by byte": [trickle(head(200, [("content-length", "17")]) + b'{"usage":{"a":1}}')],
    "chunked byte by byte": [
        trickle(head(200, [("transfer-encoding", "chunked")]) + chunk(b'{"usage":') + chunk(b'{"a":1}}') + LAST_CHUNK)
    ],
    "interim": [send(head(100) + head(103, [("link", "</a>")])), *GOOD],
    "until close": [send(head(200, [("connection", "close")]) + b'{"usage":{"a":1}}'), close()],
    "close after": [send(head(200, [("connection", "close"), ("content-length", "17")]) + b'{"usage":{"a":1}}'), close()],
}


@pytest.mark.parametrize("script", WELL_FRAMED.values(), ids=WELL_FRAMED.keys())
def test_every_framing_is_read(script: Script) -> None:
    """However a reply is framed and cut, it counts once; a connection that ends with it is opened again."""
    with Upstream(script) as upstream:
        load = finish(load_of(upstream, connections=2), requests=10)
        assert (load.replies, load.faults(), load.sent) == (10, {}, 10)


FAULTS: dict[str, tuple[Sequence[object], str]] = {
    "status": (json_reply({"error": "no"}, status=500), "status 500"),
    "no content": (bytes_reply(b"", status=204), "status 204"),
    "no usage": (json_reply({"usage": None}), "no usage"),
    "no HTTP": ([send(b"SSH-2.0-x\r\n\r\n")], "malformed head"),
    "closed": ([close()], "closed"),
    "reset": ([reset()], "closed"),
    "short": (wrong_length(), "closed"),
    "too long": ([send(head(200, [("content-length", "2")]) + b"{}more")], "malformed body"),
    "chunks": (broken_chunk(), "malformed body"),
    "silence": (hang(), "no reply in time"),
}


@pytest.mark.parametrize(("script", "name"), FAULTS.values(), ids=FAULTS.keys())
def test_every_fault_is_counted_by_name(script: Script, name: str) -> None:
    """What is not a whole, good reply is an error of its kind, has no latency, and is quoted once."""
    with Upstream(script) as upstream:
        load = finish(load_of(upstream, timeout_s=0.2 if name == "no reply in time" else 30.0), requests=3)
        assert load.faults() == {name: 3} and load.errors == 3
        assert load.replies == load.latencies.count == load.unanswered == 0
        assert load.first_fault or name in ("no reply in time", "malformed body", "status 204")


def test_a_run_of_nothing_but_errors_ends_early() -> None:
    """After most_errors the load stops, instead of making a million of them."""
    with Upstream(json_reply({}, status=429)) as upstream:
        load = finish(load_of(upstream, connections=4, most_errors=20), seconds=60)
        assert 20 <= load.errors <= 24 and load.wall_ns < 30e9


def test_a_server_that_is_not_there_is_an_error() -> None:
    """Where nobody listens, starting says so."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        load = Load(taken.getsockname(), socket.AF_INET, request())
        with pytest.raises(OSError, match="Connection refused"):
            load.start(requests=1)


def test_a_connection_closed_while_idle_is_no_error() -> None:
    """Between two runs the server may close what is idle: the next run opens it again and fails nothing."""
    with Upstream(json_reply(REPLY)) as upstream:
        load = load_of(upstream, connections=3)
        load.start(requests=6)
        while load.advance(0.05):
            pass
        for connection in upstream.connections:
            upstream._loop.call_soon_threadsafe(connection.close)
        # The next run must find the ends that wait in its sockets; they are there once the server's loop has turned.
        turned = threading.Event()
        upstream._loop.call_soon_threadsafe(lambda: upstream._loop.call_soon(turned.set))
        assert turned.wait(PATIENCE_S)
        finish(load, requests=6)
        assert (load.replies, load.faults()) == (6, {})


def test_bytes_are_compared() -> None:
    """A reply that differs from what is expected is counted as changed, and is no error."""
    body = b'{"usage":{"a":1}}'
    scripts = [bytes_reply(body), bytes_reply(body.replace(b":1", b": 1")), bytes_reply(body)]
    with Upstream(routes={"/v1/chat/completions": scripts}) as upstream:
        load = finish(load_of(upstream, expected=body), requests=10)
        assert (load.replies, load.compared, load.changed, load.errors) == (10, 10, 1, 0)


@pytest.mark.parametrize(
    ("events", "kind", "contents"), [(OPENAI, OPENAI_STREAM, 5), (ANTHROPIC, ANTHROPIC_STREAM, 4)], ids=["openai", "anthropic"]
)
def test_streams_are_timed_by_their_content(events: list[object], kind: int, contents: int) -> None:
    """The first event with content ends the time to first content, not the head and not a role; gaps are between such events."""
    with Upstream(sse_reply(events, gap_ms=12)) as upstream:
        load = finish(load_of(upstream, events=kind), requests=3)
    assert (load.replies, load.errors) == (3, 0)
    assert load.contents_seen == 3 * contents and load.firsts.count == 3
    assert load.events_seen == 3 * len(events)
    assert load.gaps.count + load.together == 3 * (contents - 1)
    # The event before the first content was sent 12 ms earlier, and the next one 12 ms later: timers do not fire early.
    assert load.firsts.least_ns >= 11_000_000
    assert load.gaps.most_ns >= 11_000_000


def test_a_stream_without_its_end_is_an_error() -> None:
    """A stream that was cut short but framed well is not taken for a whole one; nor is one that never tells its usage."""
    with Upstream(sse_reply(OPENAI[:-1])) as upstream:
        assert finish(load_of(upstream, events=OPENAI_STREAM), requests=2).faults() == {"a stream without its end": 2}
        upstream.play(sse_reply([*OPENAI[:-2], "[DONE]"]))
        assert finish(load_of(upstream, events=OPENAI_STREAM), requests=2).faults() == {"no usage": 2}


@pytest.mark.parametrize("poisson", [False, True])
def test_the_open_loop_sends_what_is_due(poisson: bool) -> None:
    """At a rate for a time, so many are due and all are sent; evenly, or as a Poisson process has it, the same with the same seed."""
    with Upstream(json_reply(REPLY)) as upstream:
        loads = [finish(load_of(upstream, connections=8), seconds=0.5, rate=400, poisson=poisson, seed=3) for _ in range(2)]
    assert loads[0].sent == loads[1].sent == loads[0].replies
    expected = range(199, 201) if not poisson else range(150, 250)
    assert loads[0].sent in expected
    assert 0.3e9 < loads[0].due_span_ns <= 0.5e9


def test_latency_counts_from_when_a_request_was_due() -> None:
    """One connection, replies after 40 ms, a request due every 10 ms: each waits for those before it, and its latency says so."""
    with Upstream([wait_ms(40), *json_reply(REPLY)]) as upstream:
        load = finish(load_of(upstream), seconds=0.2, rate=100)
    assert load.replies == load.sent == 19
    # The last one was due at 190 ms and could not be sent before 18 x 40 ms.
    assert load.latencies.most_ns >= (19 * 40 - 190 - 5) * 1_000_000
    assert load.lags.count <= 2


def test_what_is_never_sent_is_unanswered() -> None:
    """A server that takes far fewer than are due leaves them unanswered: they are counted, not forgotten."""
    with Upstream([wait_ms(300), *json_reply(REPLY)]) as upstream:
        load = finish(load_of(upstream), seconds=0.2, rate=1000)
    assert load.replies + load.unanswered == 199 and load.unanswered > 150


def test_tls_is_spoken() -> None:
    """Over TLS the counts are the same, for large requests and replies too."""
    big = {"text": "y" * 300_000, **REPLY}
    with Upstream(json_reply(big), tls=True) as upstream:
        context = ssl.create_default_context(cafile=str(upstream.ca_file))
        load = finish(load_of(upstream, BODY.replace(b'"m"', b'"' + b"x" * 400_000 + b'"'), connections=3, tls=context,
                              server_name="127.0.0.1"), requests=12)
        assert (load.replies, load.faults(), len(upstream.received)) == (12, {}, 12)
        stranger = load_of(upstream, tls=ssl.create_default_context(), server_name="127.0.0.1")
        with pytest.raises(OSError, match="CERTIFICATE"):
            stranger.start(requests=1)
