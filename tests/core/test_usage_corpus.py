"""The usage kernel finds in recorded traffic of real providers what its oracle finds, whole and split at random."""

import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pytest

from fastgw._core import usage
from tests.feeding import ways_to_feed
from tests.oracles import usage as oracle
from tests.recordings import CORPUS, counted, skip_without_corpus

DIALECTS = {
    "openai": usage.OPENAI,
    "azure": usage.OPENAI,
    "groq": usage.OPENAI,
    "mistral": usage.OPENAI,
    "deepseek": usage.OPENAI,
    "openrouter": usage.OPENAI,
    "anthropic": usage.ANTHROPIC,
    "gemini": usage.GEMINI,
    "vertex": usage.GEMINI,
    "cohere": usage.COHERE,
}


class Recording(NamedTuple):
    name: str
    dialect: int
    form: int
    body: bytes


def recordings(provider: str) -> Iterator[Recording]:
    """Every recorded response whose body is JSON or an event stream."""
    for path in sorted((CORPUS / provider).glob("*.json")):
        exchange = json.loads(path.read_bytes())
        if exchange["api"] == "v1.chat":
            continue  # Cohere's first, whose streams are lines of JSON: nothing reads usage there
        response = exchange["response"]
        dialect = usage.OPENAI if exchange["api"] == "chat.completions" else DIALECTS[provider]
        if "body" in response:
            yield Recording(path.name, dialect, usage.JSON, json.dumps(response["body"]).encode())
        elif "body_text" in response:
            text = response["body_text"].encode()
            yield Recording(path.name, dialect, usage.JSON if text[:1] in (b"{", b"[") else usage.SSE, text)


def watch(recording: Recording, pieces: Iterable[bytes], strip: bool) -> oracle.Watched:
    tap = usage.Tap(recording.dialect, recording.form, strip)
    passed_on = b"".join([*map(tap.feed, pieces), tap.finish()])
    stated = tap.usage()
    counts = {name: count for name, count in stated.items() if isinstance(count, int) and name in oracle.NAMES}
    return oracle.Watched(
        counts, stated["seen"], stated["final"], tap.text_bytes, tap.events, tap.saw_done, tap.saw_error, passed_on
    )


@pytest.mark.parametrize("provider", DIALECTS)
def test_recorded_replies_state_what_the_oracle_reads(provider: str) -> None:
    """Usage, text, end and error of every recording are the oracle's, with and without stripping, however split."""
    skip_without_corpus()
    seen = 0
    for number, recording in enumerate(recordings(provider)):
        for strip in (False, True) if recording.form == usage.SSE else (False,):
            if recording.form == usage.SSE:
                expected = oracle.watch_events(recording.dialect, recording.body, strip)
            else:
                expected = oracle.watch_json(recording.dialect, recording.body)
            for way, pieces in enumerate(ways_to_feed(recording.body, seed=number, splits=3)):
                if way == 1 and len(recording.body) > 20_000:
                    continue  # byte by byte is for the smaller ones
                assert watch(recording, pieces, strip) == expected, (
                    recording.name,
                    [len(piece) for piece in pieces][:40],
                )
        if recording.form == usage.JSON:
            whole = usage.read_usage_of(recording.dialect, recording.body)
            assert (whole is not None) == expected.seen, recording.name
            assert whole is None or whole.items() >= expected.usage.items(), recording.name
        seen += expected.seen
    counted(seen, 6)
