"""Promises of the usage kernel: the counts that a provider states, however the reply is cut, and not a byte changed."""

import json
import random
from collections.abc import Iterable
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgw._core import usage
from tests.feeding import byte_by_byte, same_however_fed, split_at_random
from tests.oracles import usage as oracle

OPENAI, ANTHROPIC, GEMINI, COHERE = usage.OPENAI, usage.ANTHROPIC, usage.GEMINI, usage.COHERE


def watch(dialect: int, form: int, pieces: Iterable[bytes], strip: bool = False) -> oracle.Watched:
    """Everything that a tap tells of a reply."""
    tap = usage.Tap(dialect, form, strip)
    passed_on = b"".join([*map(tap.feed, pieces), tap.finish()])
    stated = tap.usage()
    counts = {name: count for name, count in stated.items() if isinstance(count, int) and name in oracle.NAMES}
    return oracle.Watched(
        counts, stated["seen"], stated["final"], tap.text_bytes, tap.events, tap.saw_done, tap.saw_error, passed_on
    )


class Case(NamedTuple):
    name: str
    dialect: int
    reply: str
    counts: dict[str, int]


WHOLE = [
    Case(
        "cohere",
        COHERE,
        '{"message":{"content":[{"type":"text","text":"hi"}]},"usage":{"billed_units":{"input_tokens":7,"output_tokens":88},'
        '"tokens":{"input_tokens":69,"output_tokens":89},"cached_tokens":5}}',
        {"input_tokens": 7, "output_tokens": 88},
    ),
    Case(
        "cohere's embeddings",
        COHERE,
        '{"embeddings":{"float":[[0.5]]},"meta":{"api_version":{"version":"2"},"billed_units":{"input_tokens":2,"image_tokens":3}}}',
        {"input_tokens": 5},
    ),
    Case(
        "chat",
        OPENAI,
        '{"choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,'
        '"prompt_tokens_details":{"cached_tokens":8,"audio_tokens":3},'
        '"completion_tokens_details":{"reasoning_tokens":4,"audio_tokens":2}}}',
        {
            "input_tokens": 19,
            "output_tokens": 10,
            "cache_read_tokens": 8,
            "reasoning_tokens": 4,
            "audio_input_tokens": 3,
            "audio_output_tokens": 2,
        },
    ),
    Case(
        "responses",
        OPENAI,
        '{"object":"response","error":null,"usage":{"input_tokens":36,"input_tokens_details":{"cached_tokens":5,'
        '"cache_write_tokens":7},"output_tokens":87,"output_tokens_details":{"reasoning_tokens":64},"total_tokens":123}}',
        {
            "input_tokens": 36,
            "output_tokens": 87,
            "cache_read_tokens": 5,
            "cache_write_tokens": 7,
            "reasoning_tokens": 64,
        },
    ),
    Case(
        "deepseek",
        OPENAI,
        '{"usage":{"prompt_tokens":16,"completion_tokens":3,"prompt_cache_hit_tokens":12,"prompt_cache_miss_tokens":4}}',
        {"input_tokens": 16, "output_tokens": 3, "cache_read_tokens": 12},
    ),
    Case(
        "mistral",
        OPENAI,
        '{"usage":{"num_cached_tokens":6,"prompt_tokens":16,"completion_tokens":3,"prompt_tokens_details":null}}',
        {"input_tokens": 16, "output_tokens": 3, "cache_read_tokens": 6},
    ),
    Case(
        "embeddings",
        OPENAI,
        '{"data":[{"embedding":[0.1,-2e-3,{"usage":7}]}],"usage":{"prompt_tokens":8,"total_tokens":8}}',
        {"input_tokens": 8},
    ),
    Case("only a total", OPENAI, '{"usage":{"total_tokens":11}}', {"input_tokens": 11}),
    Case(
        "reasoning only in the total",
        OPENAI,
        '{"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":40,'
        '"completion_tokens_details":{"reasoning_tokens":28}}}',
        {"input_tokens": 10, "output_tokens": 30, "reasoning_tokens": 28},
    ),
    Case(
        "parts over the whole",
        OPENAI,
        '{"usage":{"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":9}}}',
        {"input_tokens": 5, "output_tokens": 1, "cache_read_tokens": 5},
    ),
    Case(
        "rubbish beside counts",
        OPENAI,
        '{"usage":{"prompt_tokens":7,"completion_tokens":-3,"total_tokens":9007199254740993,'
        '"x":{"prompt_tokens":1},"y":[1,{"prompt_tokens":2}],"prompt_tokens_details":[1.5,"cached_tokens"],"output_tokens":2.5}}',
        {"input_tokens": 7},
    ),
    Case("largest count", OPENAI, '{"usage":{"prompt_tokens":9007199254740992}}', {"input_tokens": 2**53}),
    Case(
        "anthropic",
        ANTHROPIC,
        '{"type":"message","usage":{"input_tokens":10,"cache_creation_input_tokens":200,'
        '"cache_read_input_tokens":3000,"cache_creation":{"ephemeral_5m_input_tokens":150,"ephemeral_1h_input_tokens":50},'
        '"iterations":[{"input_tokens":999}],"output_tokens":20,"output_tokens_details":{"thinking_tokens":15}}}',
        {
            "input_tokens": 3210,
            "output_tokens": 20,
            "cache_read_tokens": 3000,
            "cache_write_tokens": 200,
            "cache_write_1h_tokens": 50,
            "reasoning_tokens": 15,
        },
    ),
    Case(
        "compactions",
        ANTHROPIC,
        '{"usage":{"iterations":[{"input_tokens":100,"output_tokens":131,"cache_read_input_tokens":7,"type":"compaction",'
        '"cache_creation_input_tokens":500,"cache_creation":{"ephemeral_1h_input_tokens":300}},'
        '{"type":"message","input_tokens":229,"output_tokens":5},{"type":"compaction","input_tokens":1,"x":[{"input_tokens":9}],'
        '"cache_creation":{"ephemeral_1h_input_tokens":3}}],"input_tokens":229,"output_tokens":5}}',
        {
            "input_tokens": 229 + 607 + 1,
            "output_tokens": 5 + 131,
            "cache_read_tokens": 7,
            "cache_write_tokens": 500,
            "cache_write_1h_tokens": 300,
        },
    ),
    Case(
        "no compactions",
        ANTHROPIC,
        '{"usage":{"input_tokens":2,"iterations":{"type":"compaction","input_tokens":5},"x":{"iterations":[{"type":"compaction",'
        '"input_tokens":5}]},"type":"compaction"},"iterations":[{"type":"compaction","input_tokens":5}]}',
        {"input_tokens": 2},
    ),
    Case(
        "gemini",
        GEMINI,
        '{"candidates":[],"usageMetadata":{"promptTokenCount":100,"toolUsePromptTokenCount":20,'
        '"cachedContentTokenCount":40,"candidatesTokenCount":7,"thoughtsTokenCount":13,"totalTokenCount":140,'
        '"promptTokensDetails":[{"tokenCount":60,"modality":"TEXT"},{"tokenCount":25,"modality":"AUDIO"},'
        '{"modality":"AUDIO","tokenCount":15}],"candidatesTokensDetails":[{"modality":"AUDIO","tokenCount":7}]}}',
        {
            "input_tokens": 120,
            "output_tokens": 20,
            "cache_read_tokens": 40,
            "reasoning_tokens": 13,
            "audio_input_tokens": 40,
            "audio_output_tokens": 7,
        },
    ),
    Case(
        "gemini total",
        GEMINI,
        '{"usageMetadata":{"promptTokenCount":15,"totalTokenCount":42,"thoughtsTokenCount":9}}',
        {"input_tokens": 15, "output_tokens": 27, "reasoning_tokens": 9},
    ),
    Case(
        "gemini array",
        GEMINI,
        '[{"usageMetadata":{"promptTokenCount":15,"candidatesTokenCount":1}},\n{"usageMetadata":'
        '{"promptTokenCount":15,"candidatesTokenCount":9}}]',
        {"input_tokens": 15, "output_tokens": 9},
    ),
]


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case.name)
def test_whole_reply_states_its_usage_however_it_is_cut(case: Case) -> None:
    """One-shot reader and tap read the expected counts, and a whole reply has the last word."""
    body = case.reply.encode()
    expected = dict.fromkeys(oracle.NAMES, 0) | case.counts
    found = usage.read_usage_of(case.dialect, body)
    assert found is not None
    assert found.items() >= expected.items()
    watched = same_however_fed(lambda pieces: watch(case.dialect, usage.JSON, pieces), body, splits=20)
    assert (watched.usage, watched.seen, watched.final, watched.saw_done) == (expected, True, True, True)
    assert watched == oracle.watch_json(case.dialect, body)
    after = watch(case.dialect, usage.JSON, [body, b'\n{"usage":{"prompt_tokens":1}}'])
    assert after.usage == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"usage":null}',
        b'{"usage":{}}',
        b'{"usage":[{"prompt_tokens":1}]}',
        b'{"usage":"prompt_tokens"}',
        b'{"usage":{"prompt_tokens":1}',
        b'{"choices":[{"usage":{"prompt_tokens":1}}]}',
        b'{"a":{"usage":{"prompt_tokens":1}}}',
        b'{"usage":{"prompt_tokens":"1"}}',
        b"\xff",
    ],
)
def test_reply_without_usage_states_none(body: bytes) -> None:
    """What is cut short, or has no counts where they belong, is no usage."""
    assert usage.read_usage_of(OPENAI, body) is None


def chunk(text: str, more: str = ',"usage":null') -> bytes:
    return b'data: {"id":"c","choices":[{"index":0,"delta":{"content":%b},"finish_reason":null}]%b}\n\n' % (
        json.dumps(text).encode(),
        more.encode(),
    )


USAGE_EVENT = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}\n\n'
CHAT = chunk("Hel") + chunk("lo é\n") + USAGE_EVENT + b"data: [DONE]\n\n"
MESSAGES = b"".join(
    b"event: %b\r\ndata: %b\r\n\r\n" % (json.loads(data)["type"].encode(), data)
    for data in [
        b'{"type":"message_start","message":{"content":[],"usage":{"input_tokens":5,"cache_read_input_tokens":70,'
        b'"cache_creation_input_tokens":25,"cache_creation":{"ephemeral_1h_input_tokens":20},"output_tokens":1}}}',
        b'{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}',
        b'{"type":"ping"}',
        b'{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"\\u00e9\\ud83d\\ude00\\n"}}',
        b'{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\\"a\\""}}',
        b'{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":33}}',
        b'{"type":"message_stop"}',
    ]
)
RESPONSES = b"".join(
    b"data: " + data + b"\n\n"
    for data in [
        b'{"type":"response.created","response":{"usage":null}}',
        b'{"type":"response.output_text.delta","delta":"four"}',
        b'{"type":"response.output_text.done","text":"four"}',
        b'{"type":"response.completed","response":{"output":[{"content":[{"text":"four"}]}],'
        b'"usage":{"input_tokens":3,"output_tokens":4}}}',
    ]
)
GEMINI_STREAM = (
    b'data: {"candidates":[{"content":{"parts":[{"text":"ab"}]}}],'
    b'"usageMetadata":{"promptTokenCount":4,"totalTokenCount":4}}\r\n\r\n'
    b'data: {"candidates":[{"content":{"parts":[{"text":"cd"}]},"finishReason":"STOP"}],'
    b'"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":6}}\r\n\r\n'
)
GROQ = chunk("ok", "") + (
    b'data: {"choices":[{"delta":{},"finish_reason":"stop"}],'
    b'"x_groq":{"usage":{"prompt_tokens":12,"completion_tokens":26}}}\n\n'
)
COHERE_STREAM = (
    b'event: message-start\ndata: {"type":"message-start","delta":{"message":{"role":"assistant"}}}\n\n'
    b'event: content-delta\ndata: {"type":"content-delta","delta":{"message":{"content":{"text":"ok"}}}}\n\n'
    b'event: message-end\ndata: {"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":'
    b'{"billed_units":{"input_tokens":3,"output_tokens":4},"tokens":{"input_tokens":500,"output_tokens":6}}}}\n\n'
)


@pytest.mark.parametrize(
    ("dialect", "body", "counts", "text_bytes", "events", "done"),
    [
        (OPENAI, CHAT, {"input_tokens": 9, "output_tokens": 2}, 9, 4, True),
        (
            ANTHROPIC,
            MESSAGES,
            {
                "input_tokens": 100,
                "output_tokens": 33,
                "cache_read_tokens": 70,
                "cache_write_tokens": 25,
                "cache_write_1h_tokens": 20,
            },
            13,
            7,
            True,
        ),
        (OPENAI, RESPONSES, {"input_tokens": 3, "output_tokens": 4}, 4, 4, True),
        (GEMINI, GEMINI_STREAM, {"input_tokens": 4, "output_tokens": 6}, 4, 2, True),
        (OPENAI, GROQ, {"input_tokens": 12, "output_tokens": 26}, 2, 2, False),
        (COHERE, COHERE_STREAM, {"input_tokens": 3, "output_tokens": 4}, 2, 3, True),
    ],
)
def test_stream_states_its_usage_however_it_is_cut(
    dialect: int, body: bytes, counts: dict[str, int], text_bytes: int, events: int, done: bool
) -> None:
    """Each dialect's stream gives its last word, its text and its end, with any line ends, and passes byte for byte."""
    expected = dict.fromkeys(oracle.NAMES, 0) | counts
    for ending in (b"\n", b"\r\n", b"\r"):
        for start in (b"", b"\xef\xbb\xbf", b": hello\n\n"):
            stream = start + body.replace(b"\r\n", b"\n").replace(b"\n", ending)
            watched = same_however_fed(lambda pieces: watch(dialect, usage.SSE, pieces), stream, splits=15)
            assert watched == oracle.Watched(expected, True, True, text_bytes, events, done, False, stream)


def test_usage_is_not_final_before_the_last_word() -> None:
    """Anthropic's message_start and Gemini's first chunks state a usage that is not the last."""
    for dialect, body in ((ANTHROPIC, MESSAGES), (GEMINI, GEMINI_STREAM)):
        first = body[: body.index(b"\r\n\r\n") + 4]
        watched = watch(dialect, usage.SSE, [first])
        assert (watched.seen, watched.final, watched.saw_done) == (True, False, False)


@pytest.mark.parametrize(
    ("dialect", "event", "form"),
    [
        (OPENAI, b'data: {"error":{"message":"overloaded"}}\n\n', usage.SSE),
        (OPENAI, b'data: {"type":"error","code":"x"}\n\n', usage.SSE),
        (OPENAI, b'data: {"type":"response.failed","response":{"error":{"code":"x"}}}\n\n', usage.SSE),
        (ANTHROPIC, b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n', usage.SSE),
        (GEMINI, b'data: {"error":{"code":503}}\n\n', usage.SSE),
        (GEMINI, b'[{"error":{"code":503}}]', usage.JSON),
        (OPENAI, b'{"error":{"code":"x"}}', usage.JSON),
    ],
)
def test_error_in_a_reply_is_seen(dialect: int, event: bytes, form: int) -> None:
    """An error inside a stream that began with 200 does not go unnoticed."""
    assert same_however_fed(lambda pieces: watch(dialect, form, pieces), event).saw_error
    assert not watch(dialect, form, [event.replace(b"error", b"other").replace(b"failed", b"queued")]).saw_error


def test_text_of_a_broken_stream_is_counted() -> None:
    """Where a stream breaks off in the middle of a string, what came of it counts; the usage does not."""
    whole = chunk("first") + chunk("second and more")
    cut = whole[: whole.index(b" and")]
    assert same_however_fed(lambda pieces: watch(OPENAI, usage.SSE, pieces), cut).text_bytes == len("first" + "second")
    reply = b'{"choices":[{"message":{"content":"half a sen'
    watched = same_however_fed(lambda pieces: watch(OPENAI, usage.JSON, pieces), reply)
    assert (watched.text_bytes, watched.seen, watched.saw_done) == (len("half a sen"), False, False)


def test_data_over_several_lines_is_one_event() -> None:
    """Data lines are joined, fields without a colon and unknown fields are passed by."""
    body = (
        b'id: 1\ndata\ndata:{"choices":[],\nretry: 5\ndata: "usage":{"prompt_tokens":3,\n'
        b'data:"completion_tokens":4}}\n\n'
    )
    watched = same_however_fed(lambda pieces: watch(OPENAI, usage.SSE, pieces), body)
    assert (watched.events, watched.usage["input_tokens"], watched.usage["output_tokens"]) == (1, 3, 4)


def test_stripping_takes_out_the_usage_event_and_nothing_else() -> None:
    """With strip the one event is gone, everything else is byte-identical, for any line ends and any cut."""
    azure = b'data: {"choices":[],"prompt_filter_results":[{}]}\n\n'
    kept = azure + b": ping\n\n" + chunk("a") + chunk("b", ',"usage":{"prompt_tokens":1}')
    for ending in (b"\n", b"\r\n", b"\r"):
        before, after = kept.replace(b"\n", ending), b"data: [DONE]\n\n".replace(b"\n", ending)
        body = before + USAGE_EVENT.replace(b"\n", ending) + after
        watched = same_however_fed(lambda pieces: watch(OPENAI, usage.SSE, pieces, strip=True), body, splits=60)
        assert (watched.passed_on, watched.seen, watched.final) == (before + after, True, True)
        unended = before + USAGE_EVENT.rstrip()
        watched = same_however_fed(lambda pieces: watch(OPENAI, usage.SSE, pieces, strip=True), unended, splits=60)
        assert (watched.passed_on, watched.seen) == (before, True)


def test_stripping_lets_complete_events_go_at_once() -> None:
    """No complete event waits; an incomplete one is held until it ends or the stream does."""
    tap = usage.Tap(OPENAI, usage.SSE, strip=True)
    assert tap.feed(chunk("a") + chunk("b")[:30]) == chunk("a")
    assert tap.feed(chunk("b")[30:40]) == b""
    assert tap.feed(chunk("b")[40:] + USAGE_EVENT + b"data: [DO") == chunk("b")
    assert tap.feed(b"NE]") == b""
    assert tap.finish() == b"data: [DONE]"
    assert tap.finish() == b""
    assert tap.saw_done


def test_stripping_never_holds_more_than_a_mebibyte() -> None:
    """An event that is too long to be held goes on as it comes, and the ones after it are stripped again."""
    long = chunk("x" * 3_000_000)
    tap = usage.Tap(OPENAI, usage.SSE, strip=True)
    fed = passed = 0
    for start in range(0, len(long), 100_000):
        fed += len(long[start : start + 100_000])
        passed += len(tap.feed(long[start : start + 100_000]))
        assert fed - passed <= 2**20
    assert passed == len(long)
    assert tap.feed(USAGE_EVENT + chunk("a")) == chunk("a")
    assert tap.text_bytes == 3_000_001


def test_other_dialects_are_never_stripped() -> None:
    """Only OpenAI's streams have an event that carries nothing but usage."""
    for dialect in (ANTHROPIC, GEMINI):
        assert watch(dialect, usage.SSE, byte_by_byte(CHAT), strip=True).passed_on == CHAT


PARTS = [
    chunk("a"),
    chunk("é", ""),
    USAGE_EVENT,
    b"data: [DONE]\n\n",
    b": c\n\n",
    b"event: x\ndata:{}\n\n",
    b"\n",
    b"\r",
    b"\r\n",
    b"data",
    b"data:",
    b"data: ",
    b"data\n",
    b"\xef\xbb\xbf",
    b'{"',
    b'"usage":{',
    b"}",
    b"]",
    b"[",
    b'"choices":[]',
    b"\\",
    b'"',
    b"\xff\x00",
]


@given(st.lists(st.sampled_from(PARTS), max_size=12), st.integers(0, 2**32))
@settings(max_examples=300, deadline=None)
def test_rubbish_is_passed_on_alike_however_it_is_cut(parts: list[bytes], seed: int) -> None:
    """Whatever comes: nothing is raised, every way to cut it is seen alike, and without strip not a byte is changed."""
    body = b"".join(parts)
    rng = random.Random(seed)
    for dialect in (OPENAI, ANTHROPIC, GEMINI, COHERE):
        for form in (usage.JSON, usage.SSE):
            for strip in (False, True):
                whole = watch(dialect, form, [body], strip)
                assert watch(dialect, form, split_at_random(body, rng), strip) == whole
                assert strip or whole.passed_on == body


@given(
    st.lists(st.sampled_from(PARTS[:6]), max_size=8), st.sampled_from([b"\n", b"\r\n", b"\r"]), st.integers(0, 2**32)
)
@settings(max_examples=200, deadline=None)
def test_any_order_of_events_is_seen_as_the_oracle_sees_it(parts: list[bytes], ending: bytes, seed: int) -> None:
    """Streams of good events in any order agree with the oracle, stripped or not."""
    body = b"".join(parts).replace(b"\n", ending)
    for strip in (False, True):
        pieces = split_at_random(body, random.Random(seed))
        assert watch(OPENAI, usage.SSE, pieces, strip) == oracle.watch_events(OPENAI, body, strip)
