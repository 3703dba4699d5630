"""The HTTP/1.1 kernel agrees with a plain twin on everything, and with llhttp on everything that it accepts."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastgw._core.http1 import Dechunker, ParsedHead, parse_request_head, parse_response_head
from tests.fuzz.fuzz_http1 import Witness, check_body, check_request, check_response, facts_of
from tests.oracles import http1 as oracle

MANY = settings(max_examples=700, deadline=None, suppress_health_check=[HealthCheck.too_slow])

TARGETS = [
    b"/",
    b"/v1/chat/completions",
    b"/a?b=c&d",
    b"*",
    b"http://a/x",
    b"https://A:1/y?z",
    b"//x",
    b"/a#b",
    b"/\x7f",
    b"",
    b"a",
]
METHODS = [b"GET", b"POST", b"OPTIONS", b"HEAD", b"DELETE", b"PUT", b"PATCH", b"get", b"CONNECT", b"TRACE", b"M-SEARCH"]
VERSIONS = [b"HTTP/1.1"] * 6 + [b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"HTTP/1.1 ", b"http/1.1", b""]
STATUSES = [
    b"200 OK",
    b"200",
    b"204 ",
    b"304 Not Modified",
    b"100 Continue",
    b"101 S",
    b"404 \xe9",
    b"99",
    b"1000 x",
    b"200  a",
]
ENDS = [b"\r\n"] * 40 + [b"\n", b"\r", b"\r\r\n", b"\r\n ", b"\r\n\t", b"\n\r\n", b"\0"]
NAMES = [
    b"Content-Length",
    b"content-length",
    b"Transfer-Encoding",
    b"Connection",
    b"Host",
    b"Expect",
    b"Upgrade",
    b"TE",
    b"X-Other",
]
VALUES = [
    b"5",
    b"0",
    b"05",
    b"+5",
    b"5, 5",
    b"chunked",
    b"Chunked",
    b"chunked, identity",
    b"xchunked",
    b"identity",
    b"close",
    b"a",
    b"keep-alive",
    b"keep-alive, close",
    b"upgrade, x-other",
    b"100-continue",
    b"A:1",
    b"h2c",
    b"",
    b"\xff",
    b"a\x0bb",
    b"a\tb",
]
COLONS = [b": "] * 20 + [b":", b":\t ", b" :", b"", b":\x0b", b"\t: "]

field_lines = st.builds(
    lambda name, colon, value, blank, end: name + colon + value + blank + end,
    st.one_of(st.sampled_from(NAMES), st.binary(min_size=1, max_size=3)),
    st.sampled_from(COLONS),
    st.one_of(st.sampled_from(VALUES), st.binary(max_size=12)),
    st.sampled_from([b"", b" ", b"\t"]),
    st.sampled_from(ENDS),
)
plain_lines = st.sampled_from(
    [b"Host: a\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Accept: */*\r\n"]
)
all_fields = st.lists(st.one_of(plain_lines, plain_lines, field_lines), max_size=5).map(b"".join)
request_lines = st.one_of(
    st.sampled_from([b"GET / HTTP/1.1\r\n", b"POST /v1?x HTTP/1.1\r\nHost: a\r\n", b"POST http://a/ HTTP/1.0\r\n"]),
    st.tuples(*map(st.sampled_from, (METHODS, [b" "] * 20 + [b"  ", b"\t"], TARGETS, [b" "], VERSIONS, ENDS))).map(
        b"".join
    ),
)
status_lines = st.tuples(*map(st.sampled_from, (VERSIONS, [b" "], STATUSES, ENDS))).map(b"".join)


@st.composite
def spoiled(draw: st.DrawFn, texts: st.SearchStrategy[bytes]) -> bytes:
    """A text with none, one or a few of its bytes changed, put in or left out."""
    text = draw(texts)
    for _ in range(draw(st.sampled_from([0, 0, 1, 3]))):
        at = draw(st.integers(0, len(text)))
        piece = draw(
            st.one_of(st.sampled_from([b"\r", b"\n", b"\0", b" ", b":", b"\r\n", b","]), st.binary(max_size=2))
        )
        text = text[:at] + piece + text[at + draw(st.integers(0, 2)) :]
    return text


request_heads = spoiled(
    st.builds(
        lambda start, line, fields: start + line + fields + b"\r\n",
        st.sampled_from([b""] * 9 + [b"\r\n"]),
        request_lines,
        all_fields,
    )
)
response_heads = spoiled(st.builds(lambda line, fields: line + fields + b"\r\n", status_lines, all_fields))
chunks = st.sampled_from(
    [b"1\r\nx\r\n", b'3;e="f"\r\nabc\r\n', b"0a\r\n0123456789\r\n", b"1 \r\nx\r\n", b"1\nx\n", b"1;\n\r\nx\r\n"]
)
chunk_ends = st.sampled_from(
    [b"0\r\n\r\n", b"000;x\r\nT: u\r\n\r\n", b"0\r\n\n", b"0\r\nT : u\r\n\r\n", b"0\r\n", b"ffffffffffffffff\r\n"]
)
bodies = spoiled(st.builds(lambda parts, end: b"".join(parts) + end, st.lists(chunks, max_size=4), chunk_ends))


@MANY
@given(request_heads)
def test_request_is_read_as_its_twin_and_llhttp_read_it(text: bytes) -> None:
    """A request head is accepted exactly when the twin does, with the same facts, and then llhttp sees the same."""
    check_request(text)


@MANY
@given(response_heads)
def test_response_is_read_as_its_twin_and_llhttp_read_it(text: bytes) -> None:
    """A response head is accepted exactly when the twin does, with the same facts, and then llhttp sees the same."""
    check_response(text)


@MANY
@given(bodies, st.lists(st.integers(1, 9), max_size=6))
def test_chunked_body_is_read_as_its_twin_and_llhttp_read_it(text: bytes, cuts: list[int]) -> None:
    """A chunked body ends exactly where the twin says, with the same payload, in any pieces; llhttp sees the same."""
    check_body(text)
    whole, consumed_whole, done_whole = Dechunker().feed(text)
    dechunker, payload, at, done = Dechunker(), b"", 0, False
    for size in [*cuts, len(text)]:
        part, consumed, done = dechunker.feed(text[at : at + size])
        at += consumed
        if isinstance(part, int):
            assert (part, at) == (whole, consumed_whole)
            return
        payload += part
    assert (payload, at, done) == (whole, consumed_whole, done_whole)


@MANY
@given(request_heads)
def test_answer_on_a_prefix_never_changes(text: bytes) -> None:
    """Once a prefix of a request has an answer, every longer prefix has the same."""
    answers = [parse_request_head(text[:end]) for end in range(len(text) + 1)]
    first = next((at for at, answer in enumerate(answers) if answer != 0), len(answers) - 1)
    for answer in answers[first:]:
        if isinstance(answer, ParsedHead):
            assert facts_of(answer) == facts_of(answers[first])
        else:
            assert answer == answers[first]


@MANY
@given(response_heads)
def test_answer_on_a_prefix_of_a_response_never_changes(text: bytes) -> None:
    """Once a prefix of a response has an answer, every longer prefix has the same."""
    answers = [parse_response_head(text[:end]) for end in range(len(text) + 1)]
    first = next((at for at, answer in enumerate(answers) if answer != 0), len(answers) - 1)
    for answer in answers[first:]:
        if isinstance(answer, ParsedHead):
            assert facts_of(answer) == facts_of(answers[first])
        else:
            assert answer == answers[first]


def test_witness_and_twin_see_what_they_should() -> None:
    """The comparison is not empty: twin and llhttp both read a plain request, and the twin refuses a smuggled one."""
    text = b"POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"
    facts = oracle.parse_request(text)
    assert facts is not None and (facts.target, facts.content_length, facts.length) == (b"/a?b", 3, len(text))
    witness = Witness.of_request(text + b"abc")
    assert (witness.url, witness.body, witness.complete) == (b"/a?b", b"abc", True)
    assert oracle.parse_request(text[:-2] + b"Transfer-Encoding: chunked\r\n\r\n") is None
    assert oracle.dechunk(b"3\r\nabc\r\n0\r\n\r\nx") == (b"abc", 13)
