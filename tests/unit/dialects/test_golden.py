"""Every caller's dialect to every provider's: requests, replies, streams and errors are what was written down and reviewed."""

import json
import random

import pytest

from tests.feeding import byte_by_byte, split_at_random
from tests.unit.dialects.golden import (
    CLIENTS,
    FOLDER,
    PAIRS,
    UPSTREAMS,
    asking,
    assembled,
    dump,
    events_in,
    fixed,
    framed,
    load,
    render,
    scenarios,
    streamed,
)

NEEDED = {"text", "tools", "images", "thinking", "schema", "refusal"}


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_pair_is_as_it_was_reviewed(client: str, upstream: str) -> None:
    """What goes to the provider and what comes back is, member by member and event by event, in the file of the pair."""
    expected = load("pairs", f"{client}.{upstream}")
    found = render(client, upstream)
    for name, case in found.items():
        for part, value in case.items():
            assert json.dumps(value) == json.dumps(expected.get(name, {}).get(part)), (name, part)
    assert dump(found) == (FOLDER / "pairs" / f"{client}.{upstream}.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_stream_is_the_same_however_it_comes(client: str, upstream: str) -> None:
    """A provider's stream that comes byte by byte or split at random gives the caller the same bytes."""
    rng = random.Random(f"{client} {upstream}")
    answers = load("providers", upstream)
    with fixed():
        for name in [*scenarios(client, upstream), "error"]:
            stream = framed(upstream, answers[name]["stream"])
            whole = streamed(client, upstream, name, [stream])
            assert events_in(whole) == load("pairs", f"{client}.{upstream}")[name]["stream"]
            for pieces in (byte_by_byte(stream), split_at_random(stream, rng), split_at_random(stream, rng)):
                assert streamed(client, upstream, name, pieces) == whole, (name, [len(piece) for piece in pieces][:20])


def words_of(value: object) -> list[str]:
    """The strings of a reply that a reader would see, and the arguments of calls as they would be parsed."""
    if isinstance(value, dict):
        return [word for name, item in value.items() for word in (
            [json.dumps(json.loads(item))] if name == "arguments" else words_of(item) if name not in ("signature", "encrypted_content")
            else [])]
    if isinstance(value, list):
        return [word for item in value for word in words_of(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_stream_serves_who_wants_a_whole_reply_and_the_other_way_round(client: str, upstream: str) -> None:
    """A provider that streams unasked gives the same words as one that does not; one that will not stream gives a stream with them."""
    answers = load("providers", upstream)
    with fixed():
        for name in scenarios(client, upstream):
            pieces = byte_by_byte(framed(upstream, answers[name]["stream"]))
            whole = json.loads(asking(client, upstream, name, False).reply(json.dumps(answers[name]["reply"]).encode()))
            assert words_of(assembled(client, upstream, name, pieces)) == words_of(whole), name
            events = events_in(asking(client, upstream, name, True).reply(json.dumps(answers[name]["reply"]).encode()))
            assert [event[0] for event in events[-1:]] == [event[0] for event in load("pairs", f"{client}.{upstream}")[name]["stream"][-1:]]
        assert assembled(client, upstream, "error", [framed(upstream, answers["error"]["stream"])]) is None


def test_no_pair_and_no_case_is_missing() -> None:
    """There are files of all pairs and no others, and what the issue asks for in each of them."""
    assert {path.stem for path in (FOLDER / "pairs").iterdir()} == {f"{client}.{upstream}" for client, upstream in PAIRS}
    assert len(PAIRS) == 4 * 6 and len(CLIENTS) == 4 and len(UPSTREAMS) == 6
    for client, upstream in PAIRS:
        assert {*load("pairs", f"{client}.{upstream}")} >= {*NEEDED, "error"}
    for client in CLIENTS:
        assert {path.stem for path in (FOLDER / "callers").iterdir()} >= {client}
