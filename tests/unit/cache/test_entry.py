"""Promises of entries: nothing is lost on the way to the store and back, and only whole, good answers go there."""

import base64
from typing import get_args

import msgspec
import pytest
from msgspec import structs

from fastgw.cache.entry import FINISHES, Entry, body_flaw, flaw, pack, unpack, write
from fastgw.dialects.assembly import Assembler, events_of
from fastgw.dialects.canonical import Choice, FinishReason, Media, Native, Refusal, Reply, Text, Thinking
from fastgw.dialects.framing import SPLITTERS
from fastgw.dialects.table import CALLERS, dialect_of
from tests.unit.cache.asking import NOW_MS, RICH, SAME, entry, read, reply


def test_entry_comes_back_as_it_was() -> None:
    """Every part, logprob, usage and what only one dialect knows survives; so does a plain body."""
    rich = structs.replace(entry(), reply=RICH, created_ms=NOW_MS, max_age_ms=5)
    assert unpack(pack(rich) or b"") == rich
    plain = Entry(operation="embeddings", body=b'{"data": []}')
    assert unpack(pack(plain) or b"") == plain


@pytest.mark.parametrize("packed", [b"", b"\xc1", b"\x80", b"junk" * 40, b"\x93\x01\x02\x03"])
def test_rubbish_is_no_entry(packed: bytes) -> None:
    """Bytes that are no entry are a miss, not a fault."""
    assert unpack(packed) is None


def test_every_cut_and_flip_of_an_entry_is_a_miss_or_an_entry() -> None:
    """A damaged entry never raises."""
    packed = pack(structs.replace(entry(), reply=RICH)) or b""
    for at in range(len(packed)):
        unpack(packed[:at])
        found = unpack(packed[:at] + bytes([packed[at] ^ 0xFF]) + packed[at + 1 :])
        assert found is None or isinstance(found, Entry)


def test_integer_that_msgpack_cannot_hold_is_not_kept() -> None:
    """What cannot be packed is said to be so."""
    assert pack(structs.replace(entry(), reply=Reply(extra={"x": 2**70}))) is None


# An entry as the first release packed it.
FIRST = (
    "iKlvcGVyYXRpb26kY2hhdKpjcmVhdGVkX21zzwAAAaMYXFAAqm1heF9hZ2VfbXMFq2ludGVncmF0aW9upG1haW6ocHJvdmlkZXKmb3BlbmFppW1vZGVsoW2tY29zdF9uYW"
    "5vX3VzZM0TiKVyZXBseYiiaWSicjGlbW9kZWyhbadjcmVhdGVkB6djaG9pY2VzkYWlcGFydHOViKR0eXBlqFRoaW5raW5npHRleHSiaG2pc2lnbmF0dXJlo3NpZ6hyZWRh"
    "Y3RlZKCiaWSkcnNfMallbmNyeXB0ZWShZadzdW1tYXJ5w6dkaWFsZWN0smFudGhyb3BpY19tZXNzYWdlc4akdHlwZaRUZXh0pHRleHSlSGVsbG+pY2l0YXRpb25zkKVjYW"
    "NoZcCpc2lnbmF0dXJlonMypm5hdGl2ZYOkdHlwZaZOYXRpdmWnZGlhbGVjdK9nZW1pbmlfZ2VuZXJhdGWldmFsdWWBoWEBiKR0eXBlqFRvb2xDYWxsomlkomMxpG5hbWWh"
    "Zqlhcmd1bWVudHOoeyJhIjogMX2mY3VzdG9twqlzaWduYXR1cmWiczOlY2FjaGXApm5hdGl2ZcDeABGkdHlwZaVNZWRpYaRraW5kpWltYWdlpGRhdGGkYUdrPaN1cmygp2"
    "ZpbGVfaWSgpHRleHSgqm1lZGlhX3R5cGWpaW1hZ2UvcG5npG5hbWWgp2NvbnRleHSgpmRldGFpbKCpY2l0YXRpb25zwqp0cmFuc2NyaXB0oKhhdWRpb19pZKCqZXhwaXJl"
    "c19hdAClY2FjaGXAqXNpZ25hdHVyZaCmbmF0aXZlwIOkdHlwZaZOYXRpdmWnZGlhbGVjdK9nZW1pbmlfZ2VuZXJhdGWldmFsdWWBrmV4ZWN1dGFibGVDb2RlgaRjb2RloT"
    "GmZmluaXNoqnRvb2xfY2FsbHOqcmF3X2ZpbmlzaKh0b29sX3VzZa1zdG9wX3NlcXVlbmNloKhsb2dwcm9ic5GEpXRva2VupUhlbGxvp2xvZ3Byb2LLv7mZmZmZmZqlYnl0"
    "ZXORSKN0b3CRhKV0b2tlbqJIaadsb2dwcm9iy8AAAAAAAAAApWJ5dGVzwKN0b3CQpXVzYWdliKxpbnB1dF90b2tlbnMDrW91dHB1dF90b2tlbnMEsWNhY2hlX3JlYWRfdG"
    "9rZW5zALJjYWNoZV93cml0ZV90b2tlbnMAtWNhY2hlX3dyaXRlXzFoX3Rva2VucwCwcmVhc29uaW5nX3Rva2VucwKyYXVkaW9faW5wdXRfdG9rZW5zALNhdWRpb19vdXRw"
    "dXRfdG9rZW5zAKxzZXJ2aWNlX3RpZXKnZGVmYXVsdLJzeXN0ZW1fZmluZ2VycHJpbnSiZnClZXh0cmGBoXiBoXmTActABAAAAAAAAMA="
)


def test_entries_of_the_first_release_are_read() -> None:
    """What Redis has kept is read by the next release; where this fails, FORMAT must be a greater one."""
    assert unpack(base64.b64decode(FIRST)) == structs.replace(entry(), reply=RICH, created_ms=NOW_MS, max_age_ms=5)


def test_age_and_freshness() -> None:
    """An entry is fresh until the lesser of two ages; a clock that runs behind makes it no younger than new."""
    one = structs.replace(entry(), created_ms=NOW_MS, max_age_ms=1_000)
    assert (one.age_ms(NOW_MS + 7), one.age_ms(NOW_MS - 7)) == (7, 0)
    assert one.is_fresh(NOW_MS + 999, 5_000) and not one.is_fresh(NOW_MS + 1_000, 5_000)
    assert one.is_fresh(NOW_MS + 99, 100) and not one.is_fresh(NOW_MS + 100, 100)


@pytest.mark.parametrize("finish", get_args(FinishReason))
def test_only_answers_that_ended_by_themselves_are_kept(finish: FinishReason) -> None:
    """stop, stop_sequence and tool_calls are kept; cut, filtered, refused, paused and broken answers are not."""
    found = flaw(Reply(choices=[Choice([Text("Hi")], finish)]))
    assert found == ("" if finish in ("stop", "stop_sequence", "tool_calls") else finish)
    assert (found == "") is (finish in FINISHES)


@pytest.mark.parametrize(
    ("choices", "found"),
    [
        ([], "no answer"),
        ([Choice([])], "no words"),
        ([Choice([Text("Hi")]), Choice([Text("H")], "length")], "length"),
        ([Choice([Text("Hi"), Refusal("no")])], "refusal"),
        ([Choice([Media("audio", data="aGk=", audio_id="audio_1", expires_at=9)])], "media that the provider keeps"),
        ([Choice([Media("document", file_id="file_1")])], "media that the provider keeps"),
        ([Choice([Media("image", data="aGk=")])], ""),
        ([Choice([Thinking("hm"), Native("gemini_generate", {})])], ""),
    ],
)  # fmt: skip
def test_flaws_are_named(choices: list[Choice], found: str) -> None:
    """What is no answer, is refused, or will be gone at the provider is not kept."""
    assert flaw(Reply(choices=choices)) == found


@pytest.mark.parametrize(
    ("body", "found"),
    [(b'{"data": []}', ""), (b'{"error": null}', ""), (b'{"error": {"code": 5}}', "error"), (b"[]", "no JSON object"),
     (b"", "no JSON object"), (b'{"a"', "no JSON object")],
)  # fmt: skip
def test_plain_bodies_must_be_whole_and_no_error(body: bytes, found: str) -> None:
    """A body is kept if it is a JSON object without an error."""
    assert body_flaw(body) == found


@pytest.mark.parametrize("dialect", sorted(CALLERS.values()))
def test_answer_is_written_whole_in_any_dialect(dialect: str) -> None:
    """A caller of each dialect gets the words and the usage as they were recorded."""
    request = read(dialect, SAME[dialect])
    written = msgspec.json.decode(write(entry("Dry, mostly."), dialect_of(dialect), request, events_of))
    again = dialect_of(dialect).read_reply(written)
    assert again.choices[0].parts == [Text("Dry, mostly.")] or again.choices[0].parts[0].text == "Dry, mostly."  # type: ignore[union-attr]
    assert again.usage is not None and (again.usage.input_tokens, again.usage.output_tokens) == (3, 4)


@pytest.mark.parametrize("dialect", sorted(CALLERS.values()))
def test_answer_is_played_as_a_stream_in_any_dialect(dialect: str) -> None:
    """A caller of each dialect who wants a stream gets one that its dialect reads as the same answer, ended as it should."""
    request = read(dialect, SAME[dialect], stream=True)
    request.include_usage = True
    stream = write(entry("Dry, mostly."), dialect_of(dialect), request, events_of)
    splitter, reader, assembler = SPLITTERS["sse"](), dialect_of(dialect).stream_reader(), Assembler()
    for name, payload in splitter.feed(stream) + splitter.finish():
        assembler.take(reader.read(name, payload))
    assembler.take(reader.finish())
    again = assembler.finish()
    assert assembler.failure is None and assembler.ended and flaw(again) == ""
    assert again.choices[0].parts[0].text == "Dry, mostly."  # type: ignore[union-attr]
    assert again.usage is not None and again.usage.output_tokens == 4


def test_writing_leaves_the_entry_as_it_is() -> None:
    """One entry serves many: writers do not change it."""
    one = structs.replace(entry(), reply=RICH)
    packed = pack(one)
    for dialect in CALLERS.values():
        for stream in (False, True):
            write(one, dialect_of(dialect), read(dialect, SAME[dialect], stream), events_of)
    assert pack(one) == packed
    assert reply() == reply()
