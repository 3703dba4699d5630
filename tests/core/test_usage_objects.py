"""Promises of the usage kernel: any usage object is read by the rules, and costs what it costs where a reply is translated."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from fastgw._core import usage
from fastgw.dialects.anthropic_messages import DIALECT
from fastgw.dialects.canonical import Event, UsageStated
from tests.core.test_usage import ANTHROPIC, COHERE, GEMINI, OPENAI, watch
from tests.oracles import usage as oracle

counts = st.one_of(st.integers(-5, 300), st.sampled_from([2**53, 2**53 + 1, 2**80, 1.5, None, True, "7"]))
NAMES = {
    OPENAI: [
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "input_tokens",
        "output_tokens",
        "prompt_cache_hit_tokens",
    ],
    ANTHROPIC: ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"],
    GEMINI: [
        "promptTokenCount",
        "candidatesTokenCount",
        "totalTokenCount",
        "thoughtsTokenCount",
        "toolUsePromptTokenCount",
        "cachedContentTokenCount",
    ],
    COHERE: ["cached_tokens", "input_tokens"],
}
DETAILS = {
    OPENAI: ["prompt_tokens_details", "completion_tokens_details"],
    ANTHROPIC: ["cache_creation", "output_tokens_details"],
    GEMINI: ["x"],
    COHERE: ["billed_units", "tokens"],
}
INNER = [
    "cached_tokens",
    "audio_tokens",
    "reasoning_tokens",
    "cache_write_tokens",
    "ephemeral_1h_input_tokens",
    "thinking_tokens",
    "input_tokens",
    "output_tokens",
    "image_tokens",
]
def iterations(counts: st.SearchStrategy[object]) -> st.SearchStrategy[list[dict[str, object]]]:
    """Anthropic's, with the type before the counts, among them or after them."""
    inner = st.dictionaries(st.sampled_from(INNER), counts)
    special = {
        "type": st.sampled_from(["compaction", "message", None]),
        "cache_creation": st.one_of(st.none(), inner),
        "x": st.lists(inner, max_size=1),
    }
    return st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES[ANTHROPIC], counts) | special), max_size=4)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_usage_object_is_read_as_the_oracle_reads_it(draw: st.DataObject) -> None:
    """Missing, negative, huge, fractional and misplaced counts are read exactly as the rules say."""
    dialect = draw.draw(st.sampled_from([OPENAI, ANTHROPIC, GEMINI, COHERE]))
    stated: dict[str, object] = dict(draw.draw(st.dictionaries(st.sampled_from(NAMES[dialect]), counts)))
    for name in DETAILS[dialect]:
        stated[name] = draw.draw(
            st.one_of(st.none(), st.dictionaries(st.sampled_from(INNER), counts), st.lists(counts, max_size=2))
        )
    rows = st.fixed_dictionaries({}, optional={"modality": st.sampled_from(["AUDIO", "TEXT"]), "tokenCount": counts})
    if dialect == ANTHROPIC:
        stated["iterations"] = draw.draw(st.one_of(counts, iterations(counts)))
    if dialect == GEMINI:
        stated["promptTokensDetails"] = draw.draw(st.lists(rows, max_size=3))
    body = json.dumps(
        {"usageMetadata" if dialect == GEMINI else "usage": stated}, indent=draw.draw(st.sampled_from([None, 1]))
    ).encode()
    expected = oracle.watch_json(dialect, body)
    assert watch(dialect, usage.JSON, [body]) == expected
    found = usage.read_usage_of(dialect, body)
    assert (found is not None) == expected.seen
    assert found is None or found.items() >= expected.usage.items()


SANE = st.integers(0, 300)
STATED = st.fixed_dictionaries(
    {"output_tokens": SANE},
    optional={**dict.fromkeys(set(NAMES[ANTHROPIC]) - {"output_tokens"}, SANE), "iterations": iterations(SANE)},
)


@given(st.lists(STATED, min_size=1, max_size=3))
@settings(max_examples=300, deadline=None)
def test_anthropic_costs_the_same_spliced_and_translated(stated: list[dict[str, object]]) -> None:
    """Whatever the usages of a stream say, of compactions too, the tap of what passes and the reader of what is translated agree."""
    events: list[dict[str, object]] = [{"type": "message_start", "message": {"usage": stated[0]}}]
    events += [{"type": "message_delta", "delta": {}, "usage": one} for one in stated[1:]]
    reader, read = DIALECT.stream_reader(), list[Event]()
    for event in events:
        read += reader.read("", json.dumps(event).encode())
    translated = [event.usage for event in read if isinstance(event, UsageStated)][-1]
    counted = {name: getattr(translated, name) for name in oracle.NAMES}
    body = b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events)
    assert watch(ANTHROPIC, usage.SSE, [body]).usage == oracle.watch_events(ANTHROPIC, body).usage == counted
