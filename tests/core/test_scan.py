"""Promises of the scan kernel: exactly the JSON that json.loads takes, and exactly the fields that stand in it."""

import json
import random
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fastgw._core.scan import ScanFailure, scan
from tests.oracles import scan as oracle

if TYPE_CHECKING:  # the kernel itself returns a plain dict
    from fastgw._core.scan import RequestFields

NAMES = [
    "model",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "n",
    "best_of",
    "candidate_count",
    "generationConfig",
    "generation_config",
    "include_usage",
    "maxOutputTokens",
    "candidateCount",
    "prompt",
    "background",
    "url",
    "image_url",
    "input_image",
    "file_id",
    "file_url",
    "fileUri",
    "file_uri",
    "cachedContent",
    "cached_content",
    "previous_response_id",
    "a",
    "é",
]
SYNTAX = {"not_json", "not_utf8", "too_deep"}

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10),
    st.sampled_from([2**31 - 1, 2**31, 2**53, 2**63, 2**64, 10**30, -(2**70)]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(["http://a/b", "HTTPS://c", "htt", "data:image/png;base64,AAAA", "gpt-4.1"]),
)
keys = st.one_of(st.sampled_from(NAMES), st.text(max_size=5))


class Spelled(NamedTuple):
    """An object as pairs, so that keys may stand twice."""

    pairs: list[tuple[str, object]]


def spelled_objects(values: st.SearchStrategy[object]) -> st.SearchStrategy[Spelled]:
    return st.builds(Spelled, st.lists(st.tuples(keys, values), max_size=5))


values: st.SearchStrategy[object] = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner, max_size=4), spelled_objects(inner)), max_leaves=12
)


def spell(value: object, rng: random.Random) -> str:
    """Write JSON with random spaces and random escapes."""
    space = rng.choice(["", "", "", " ", "\r\n\t"])
    if isinstance(value, Spelled):
        fields = (f"{space}{spell(key, rng)}{space}:{space}{spell(inner, rng)}" for key, inner in value.pairs)
        return "{" + f"{space},".join(fields) + space + "}"
    if isinstance(value, list):
        return "[" + f"{space},{space}".join(space + spell(inner, rng) for inner in value) + space + "]"
    if isinstance(value, str) and rng.random() < 0.3:
        return '"' + "".join(f"\\u{ord(c):04x}" if ord(c) < 0x10000 else json.dumps(c)[1:-1] for c in value) + '"'
    return json.dumps(value, ensure_ascii=rng.random() < 0.5)


def load(body: bytes, span: tuple[int, int] | None) -> object:
    return (
        None
        if span is None
        else json.loads(body[slice(*span)], object_pairs_hook=oracle.Pairs, parse_int=lambda digits: int(digits[:40]))
    )


def without_offsets(body: bytes, fields: "RequestFields") -> oracle.Found:
    """Turn the kernel's spans into the values that the oracle states."""
    model = fields["model"]
    options, generation = load(body, fields["stream_options"]), load(body, fields["generation_config"])
    assert fields["stream_options_empty"] == (options == [])
    assert fields["generation_config_empty"] == (generation == [])
    assert body[fields["first"] - 1 : fields["first"]] == b"{"
    for span in (fields["stream_options_null"], fields["generation_config_null"]):
        assert span is None or body[slice(*span)] == b"null"
    if fields["include_usage_value"] is not None:
        assert load(body, fields["include_usage_value"]) == fields["include_usage"]
    if fields["max_tokens_value"] is None:
        assert fields["max_tokens"] is None
    else:
        limit = load(body, fields["max_tokens_value"])
        assert fields["max_tokens"] == (min(limit, oracle.MAX_COUNT) if isinstance(limit, int) else limit)
    for count, place in zip(fields["limits"], fields["limit_values"], strict=True):
        limit = load(body, place)
        assert count == (min(limit, oracle.MAX_COUNT) if isinstance(limit, int) else None)
    return oracle.Found(
        None if model is None else json.loads(body[model[0] - 1 : model[1] + 1]),
        fields["stream"],
        options if isinstance(options, oracle.Pairs) else None,
        fields["include_usage"],
        fields["max_tokens"],
        fields["limits"],
        fields["prompts"],
        fields["background"],
        fields["choices"],
        generation if isinstance(generation, oracle.Pairs) else None,
        fields["media"],
    )


def check(body: bytes) -> None:
    """Assert that the kernel says of `body` what the oracle says."""
    expected, found = oracle.scan(body), scan(body)
    if isinstance(found, ScanFailure):
        assert isinstance(expected, oracle.Wrong), (body, expected, found)
        assert found.reason in (SYNTAX if expected.reason == "syntax" else {expected.reason}), (body, expected, found)
        assert 0 <= found.at <= len(body)
        if expected.reason != "syntax":
            assert found.field == expected.field
    else:
        assert without_offsets(body, found) == expected, body


@given(spelled_objects(values), st.integers(0, 2**32))
@settings(max_examples=400, deadline=None)
def test_fields_of_any_json_are_what_json_loads_finds(top: Spelled, seed: int) -> None:
    """Every field of every valid body is what json.loads finds there; wrong ones are refused alike."""
    check(spell(top, random.Random(seed)).encode("utf-8", "surrogatepass"))


@given(spelled_objects(values), st.integers(0, 2**32), st.integers(1, 3))
@settings(max_examples=400, deadline=None)
def test_damaged_json_is_refused_exactly_where_json_loads_refuses_it(top: Spelled, seed: int, wounds: int) -> None:
    """After bytes are flipped, put in, taken out or cut off, kernel and json.loads still agree."""
    rng = random.Random(seed)
    body = bytearray(spell(top, rng).encode("utf-8", "surrogatepass"))
    for _ in range(wounds):
        at = rng.randrange(len(body) + 1)
        kind = rng.randrange(4)
        if kind == 0:
            body.insert(at, rng.choice(b'{}[]",:\\0-+.eEtfnu \x00\x1f\x7f\x80\xc3\xed\xff'))
        elif kind == 1 and at < len(body):
            del body[at]
        elif kind == 2 and at < len(body):
            body[at] = rng.randrange(256)
        else:
            del body[at:]
    check(bytes(body))


@given(st.binary(max_size=40))
@example(b"\xef\xbb\xbf{}")
@settings(max_examples=200, deadline=None)
def test_arbitrary_bytes_agree_with_json_loads(body: bytes) -> None:
    """Whatever the bytes are, in a body or as the inside of a string, kernel and json.loads agree."""
    check(body)
    check(b'{"a":"' + body + b'"}')


NOT_JSON = [
    b"",
    b" ",
    b"{",
    b'{"a"',
    b'{"a":',
    b'{"a":1',
    b'{"a":1,',
    b'{"a":1,}',
    b"{,}",
    b"{}x",
    b"{}{}",
    b"{'a':1}",
    b"{a:1}",
    b'{"a":01}',
    b'{"a":+1}',
    b'{"a":.5}',
    b'{"a":1.}',
    b'{"a":-}',
    b'{"a":1e}',
    b'{"a":1e+}',
    b'{"a":NaN}',
    b'{"a":Infinity}',
    b'{"a":-Infinity}',
    b'{"a":0x1}',
    b'{"a":tru}',
    b'{"a":True}',
    b'{"a":nul',
    b'{"a":[1,]}',
    b'{"a":[,1]}',
    b'{"a":[1 2]}',
    b'{"a":"\n"}',
    b'{"a":"\x00"}',
    b'{"a":"\\x"}',
    b'{"a":"\\u12"}',
    b'{"a":"\\u12g4"}',
    b'{"a":"\\',
    b'{"a":"b}',
    b'{"a":1}//',
    b"{/**/}",
    b"{\x0b}",
    b'{"a":1]',
    b'{"a":[1}',
    b'{"a" 1}',
    b'{"a":1 "b":2}',
    b"\xef\xbb\xbf{}",
    b"\xc2\xa0{}",
    b'{"a":\xff}',
]


@pytest.mark.parametrize("body", NOT_JSON)
def test_what_is_not_rfc_8259_is_refused(body: bytes) -> None:
    """No leniency: comments, trailing commas, NaN, a byte order mark and the like are refused."""
    found = scan(body)
    assert isinstance(found, ScanFailure)
    assert found.reason == "not_json"
    check(body)


@pytest.mark.parametrize(
    "text",
    [
        b"\xc0\xaf",
        b"\xc1\xbf",
        b"\xe0\x80\x80",
        b"\xe0\x9f\xbf",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xf0\x80\x80\x80",
        b"\xf0\x8f\xbf\xbf",
        b"\xf4\x90\x80\x80",
        b"\xf5\x80\x80\x80",
        b"\x80",
        b"\xc3",
        b"\xe2\x82",
        b"\xf0\x9f\x98",
        b"\xff",
        b"\xfe",
        b"\xc3\x28",
    ],
)
def test_invalid_utf8_is_refused_wherever_it_stands(text: bytes) -> None:
    """Overlong forms, surrogates, stray and missing bytes are refused at any alignment, at the first wrong byte."""
    for pad in range(40):
        before = b'{"a":"' + b"x" * pad
        found = scan(before + text + b"y" * 20 + b'"}')
        assert isinstance(found, ScanFailure)
        assert (found.reason, found.at) == ("not_utf8", len(before))


@pytest.mark.parametrize("stop", [b'"', b"\\", b"\n", b"\x00", b"\x1f", b"\x80", b"\xff", b"\xc3\xa9", b"\x7f", b" !#"])
@pytest.mark.parametrize("text_bytes", [15, 16, 127, 128, 129, 200, 340])
def test_long_text_is_read_to_its_last_byte(text_bytes: int, stop: bytes) -> None:
    """Wherever it stands in text that is read in blocks, what ends or breaks a string is found at its byte; nothing else is."""
    for at in range(text_bytes):
        check(b'{"a":"' + b"~" * at + stop + b"x" * (text_bytes - at) + b'","model":"m"}')


def test_every_character_of_unicode_is_taken() -> None:
    """One string with every scalar value is accepted, a surrogate never."""
    characters = [chr(code) for code in range(0x20, 0x110000) if not 0xD800 <= code < 0xE000 and chr(code) not in '"\\']
    assert not isinstance(scan(('{"a":"' + "".join(characters) + '"}').encode()), ScanFailure)


def test_depth_ends_at_512() -> None:
    """512 levels are taken, 513 are refused, and a million do not exhaust the stack."""
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        inside = "1"
        assert not isinstance(scan(f'{{"a":{opening * 511}{inside}{closing * 511}}}'.encode()), ScanFailure)
        found = scan(f'{{"a":{opening * 512}{inside}{closing * 512}}}'.encode())
        assert isinstance(found, ScanFailure)
        assert found.reason == "too_deep"
        assert isinstance(scan(f'{{"a":{opening * 1_000_000}'.encode()), ScanFailure)
    nested = '{"generationConfig":{"a":' + "[" * 510 + "]" * 510 + "}}"
    assert not isinstance(scan(nested.encode()), ScanFailure)
    assert isinstance(scan(nested.replace("[]", "[[]]").encode()), ScanFailure)


def test_top_that_is_no_object_is_named_so() -> None:
    """Another JSON value at the top is refused as such, at its first byte."""
    for body in (b"[]", b'"a"', b" 1", b"-1", b"true", b"null"):
        found = scan(body)
        assert isinstance(found, ScanFailure)
        assert (found.reason, found.at) == ("not_object", len(body) - len(body.lstrip()))


COUNT = "an integer of at least 0, or null"
OPTION = "$.stream_options.include_usage"
WRONG = [
    (b'{"model":1}', "wrong_type", 9, "$.model", "a string", "a number"),
    (b'{"model":null}', "wrong_type", 9, "$.model", "a string", "null"),
    (b'{"stream":"yes"}', "wrong_type", 10, "$.stream", "a boolean or null", "a string"),
    (b'{"stream_options":[]}', "wrong_type", 18, "$.stream_options", "an object or null", "an array"),
    (b'{"stream_options":{"include_usage":1}}', "wrong_type", 35, OPTION, "a boolean or null", "a number"),
    (b'{"max_tokens":"5"}', "wrong_type", 14, "$.max_tokens", COUNT, "a string"),
    (b'{"max_tokens":-5}', "wrong_type", 14, "$.max_tokens", COUNT, "a negative integer"),
    (b'{"n":1.0}', "wrong_type", 5, "$.n", COUNT, "a number with a fraction or an exponent"),
    (b'{"n":1e3}', "wrong_type", 5, "$.n", COUNT, "a number with a fraction or an exponent"),
    (b'{"generationConfig":true}', "wrong_type", 20, "$.generationConfig", "an object or null", "a boolean"),
    (b'{"model":"a","mod\\u0065l":"b"}', "duplicate", 13, "$.model", None, None),
    (b'{"model":"a","model":1}', "duplicate", 13, "$.model", None, None),
    (b'{"generationConfig":{},"generation_config":{}}', "duplicate", 23, "$.generation_config", None, None),
    (b'{"n":"x","model":1}', "wrong_type", 5, "$.n", COUNT, "a string"),
    (b'{"n":"x"', "not_json", 8, None, None, None),
]


@pytest.mark.parametrize(("body", "reason", "at", "field", "expected", "found"), WRONG)
def test_wrong_field_is_named_with_its_place(
    body: bytes, reason: str, at: int, field: str | None, expected: str | None, found: str | None
) -> None:
    """A refusal says what was expected, what was found and where; what is not JSON comes before any field."""
    assert scan(body) == ScanFailure(reason, at, field, expected, found)


def test_escaped_keys_are_the_keys_they_spell() -> None:
    """A field cannot be hidden from the gateway behind escapes."""
    fields = scan(b'{"\\u006dodel":"gpt","max\\u005ftokens":7,"a":[{"im\\u0061ge_url":1,"url":"\\u0048ttp:"}]}')
    assert not isinstance(fields, ScanFailure)
    assert (fields["model"], fields["max_tokens"], fields["media"]) == ((15, 18), 7, 2)


def test_limits_can_be_put_in_or_replaced() -> None:
    """The least limit wins and its digits can be replaced; a null has a place; a body without fields says so."""
    body = b'{"max_tokens":null,"max_completion_tokens":90,"generationConfig":{"maxOutputTokens":80}}'
    fields = scan(body)
    assert not isinstance(fields, ScanFailure)
    assert fields["max_tokens_value"] is not None
    assert (fields["max_tokens"], body[slice(*fields["max_tokens_value"])]) == (80, b"80")
    empty = scan(b" { } ")
    assert not isinstance(empty, ScanFailure)
    assert (empty["empty"], empty["first"], empty["max_tokens_value"]) == (True, 2, None)


def test_huge_numbers_are_taken_and_bounded() -> None:
    """A limit of any size is an integer; it is reported as MAX_COUNT, whose square fits in 64 bits."""
    for digits in (b"2147483648", b"9" * 40, b"9" * 5000):
        fields = scan(b'{"max_tokens":%b,"n":%b}' % (digits, digits))
        assert not isinstance(fields, ScanFailure)
        assert (fields["max_tokens"], fields["choices"]) == (2147483647, 2147483647)
