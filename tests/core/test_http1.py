"""The HTTP/1.1 kernel accepts the heads that RFC 9110 and 9112 allow, and nothing ambiguous."""
import pytest

from fastgw._core.http1 import CODES, FIELD_IDS, ParsedHead, parse_request_head, parse_response_head

NAME_OF_CODE = {number: name for name, number in CODES.items()}
HOST = b"Host: a\r\n"


def request(fields: bytes = b"", line: bytes = b"POST /v1/x HTTP/1.1", host: bytes = HOST) -> bytes:
    return line + b"\r\n" + host + fields + b"\r\n"


def response(fields: bytes = b"", line: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return line + b"\r\n" + fields + b"\r\n"


def accepted(head: ParsedHead | int) -> ParsedHead:
    assert isinstance(head, ParsedHead), NAME_OF_CODE[head]
    return head


def refusal(head: ParsedHead | int) -> str:
    assert isinstance(head, int), head
    return NAME_OF_CODE[head]


BAD_REQUESTS = [
    # start line
    ("BAD_START_LINE", b"\r\n\r\n" + request()),
    ("BAD_START_LINE", b"\n" + request()),
    ("BAD_START_LINE", b" " + request()),
    ("BAD_START_LINE", request(line=b"PO\0ST / HTTP/1.1")),
    ("BAD_START_LINE", request(line=b"POST\t/ HTTP/1.1")),
    ("BAD_START_LINE", request(line=b"POST / HTTP/1.1 ")),
    ("BAD_START_LINE", request(line=b"POST /  HTTP/1.1")),
    ("BAD_START_LINE", request(line=b"POST /a b HTTP/1.1")),
    ("BAD_START_LINE", request(line=b"POST / http/1.1")),
    ("BAD_START_LINE", request(line=b"POST / HTTP/1.10")),
    ("BAD_START_LINE", request(line=b"POST / HTTP/11")),
    ("BAD_START_LINE", request(line=b"POST / ICY/1.1")),
    ("BAD_START_LINE", b"POST / HTTP/1.1\nHost: a\r\n\r\n"),
    ("BAD_START_LINE", b"POST / HTTP/1.1\rHost: a\r\n\r\n"),
    ("BAD_START_LINE", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"),
    ("BAD_METHOD", request(line=b"post / HTTP/1.1")),
    ("BAD_METHOD", request(line=b"CONNECT a:443 HTTP/1.1")),
    ("BAD_METHOD", request(line=b"TRACE / HTTP/1.1")),
    ("BAD_METHOD", request(line=b"PRI * HTTP/2.0")),
    ("BAD_METHOD", request(line=b"POSTPOSTPOST / HTTP/1.1")),
    ("BAD_VERSION", request(line=b"POST / HTTP/2.0")),
    ("BAD_VERSION", request(line=b"POST / HTTP/1.2")),
    ("BAD_VERSION", request(line=b"POST / HTTP/0.9")),
    # target
    ("BAD_TARGET", request(line=b"POST  / HTTP/1.1")),
    ("BAD_TARGET", b"GET /\r\n"),
    ("BAD_TARGET", b"GET /\n"),
    ("BAD_TARGET", request(line=b"POST * HTTP/1.1")),
    ("BAD_TARGET", request(line=b"OPTIONS ** HTTP/1.1")),
    ("BAD_TARGET", request(line=b"POST x HTTP/1.1")),
    ("BAD_TARGET", request(line=b"POST /a\x7f HTTP/1.1")),
    ("BAD_TARGET", request(line=b"POST /a\0 HTTP/1.1")),
    ("BAD_TARGET", request(line=b"POST /a\x80 HTTP/1.1")),
    ("BAD_TARGET", request(line=b"POST /a?\xc3\xa9 HTTP/1.1")),
    ("BAD_TARGET", request(line=b"POST /a#b HTTP/1.1")),
    ("BAD_TARGET", request(line=b"POST http:/a/ HTTP/1.1")),
    ("BAD_TARGET", request(line=b"POST http:///x HTTP/1.1")),
    ("BAD_TARGET", request(line=b"POST http://a HTTP/1.1")),
    ("BAD_TARGET", request(line=b"POST http://a?x HTTP/1.1")),
    ("BAD_TARGET", request(line=b"POST http://a@b/ HTTP/1.1")),
    ("BAD_TARGET", request(line=b"POST ftp://a/ HTTP/1.1")),
    ("BAD_TARGET", request(line=b"POST httpss://a/ HTTP/1.1")),
    # fields
    ("BAD_FIELD", request(b" folded: x\r\n")),
    ("BAD_FIELD", request(b"x: a\r\n b\r\n")),
    ("BAD_FIELD", request(b"x: a\r\n\tb\r\n")),
    ("BAD_FIELD", request(b"x : a\r\n")),
    ("BAD_FIELD", request(b"x\t: a\r\n")),
    ("BAD_FIELD", request(b": a\r\n")),
    ("BAD_FIELD", request(b"x\r\n")),
    ("BAD_FIELD", request(b"x(: a\r\n")),
    ("BAD_FIELD", request(b"x\xe9: a\r\n")),
    ("BAD_FIELD", request(b"x\0: a\r\n")),
    ("BAD_FIELD", request(b"x: a\0b\r\n")),
    ("BAD_FIELD", request(b"x: 12345678\x0b12345678\r\n")),
    ("BAD_FIELD", request(b"x: a\x7fb\r\n")),
    ("BAD_FIELD", request(b"x: a\rb\r\n")),
    ("BAD_FIELD", request(b"x: a\r\r\n")),
    ("BAD_FIELD", request(b"x: a\ny: b\r\n")),
    ("BAD_FIELD", request(b"x: a\n")),
    ("BAD_FIELD", b"POST / HTTP/1.1\r\nHost: a\r\n\n"),
    ("BAD_FIELD", b"POST / HTTP/1.1\r\nHost: a\r\n\rx"),
    ("BAD_FIELD", request(b"Connection: a b\r\n")),
    ("BAD_FIELD", request(b"Connection: " + b"a," * 33 + b"\r\n")),
    ("TOO_MANY_FIELDS", request(b"x: a\r\n" * 200)),
    ("HEAD_TOO_LARGE", request(b"x: " + b"a" * 70000 + b"\r\n")),
    # host
    ("BAD_HOST", request(host=b"")),
    ("BAD_HOST", request(host=HOST + HOST)),
    ("BAD_HOST", request(host=HOST + HOST, line=b"POST / HTTP/1.0")),
    ("BAD_HOST", request(host=b"Host:\r\n")),
    ("BAD_HOST", request(host=b"Host: a b\r\n")),
    ("BAD_HOST", request(host=b"Host: a,b\r\n")),
    ("BAD_HOST", request(host=b"Host: a/b\r\n")),
    ("BAD_HOST", request(host=b"Host: u@a\r\n")),
    ("BAD_HOST", request(host=b"Host: a:\r\n")),
    ("BAD_HOST", request(host=b"Host: a:65536\r\n")),
    ("BAD_HOST", request(host=b"Host: a:080000\r\n")),
    ("BAD_HOST", request(host=b"Host: a:8x\r\n")),
    ("BAD_HOST", request(host=b"Host: [::1\r\n")),
    ("BAD_HOST", request(host=b"Host: []\r\n")),
    ("BAD_HOST", request(host=b"Host: [::1]x\r\n")),
    ("BAD_HOST", request(host=b"Host: ::1\r\n")),
    ("BAD_HOST", request(line=b"POST http://b/ HTTP/1.1")),
    ("BAD_HOST", request(line=b"POST http://a:80/ HTTP/1.1")),
    # length
    ("BAD_LENGTH", request(b"Content-Length:\r\n")),
    ("BAD_LENGTH", request(b"Content-Length: +5\r\n")),
    ("BAD_LENGTH", request(b"Content-Length: -5\r\n")),
    ("BAD_LENGTH", request(b"Content-Length: 5 5\r\n")),
    ("BAD_LENGTH", request(b"Content-Length: 5, 5\r\n")),
    ("BAD_LENGTH", request(b"Content-Length: 0x5\r\n")),
    ("BAD_LENGTH", request(b"Content-Length: 010\r\n")),
    ("BAD_LENGTH", request(b"Content-Length: 5_0\r\n")),
    ("BAD_LENGTH", request(b"Content-Length: 9007199254740993\r\n")),
    ("BAD_LENGTH", request(b"Content-Length: 18446744073709551621\r\n")),
    ("BAD_LENGTH", request(b"Content-Length: 5\r\nContent-Length: 5\r\n")),
    ("BAD_LENGTH", request(b"Content-Length: 5\r\ncontent-length: 6\r\n")),
    # coding
    ("BAD_CODING", request(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")),
    ("BAD_CODING", request(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")),
    ("BAD_CODING", request(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")),
    ("BAD_CODING", request(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n")),
    ("BAD_CODING", request(b"Transfer-Encoding: xchunked\r\n")),
    ("BAD_CODING", request(b"Transfer-Encoding: chunked, identity\r\n")),
    ("BAD_CODING", request(b"Transfer-Encoding: identity, chunked\r\n")),
    ("BAD_CODING", request(b"Transfer-Encoding: gzip, chunked\r\n")),
    ("BAD_CODING", request(b"Transfer-Encoding: identity\r\n")),
    ("BAD_CODING", request(b"Transfer-Encoding: chunked\t\r\n")),
    ("BAD_CODING", request(b"Transfer-Encoding: chunked \r\n")),
    ("BAD_CODING", request(b"Transfer-Encoding: chunked;q=1\r\n")),
    ("BAD_CODING", request(b"Transfer-Encoding: \"chunked\"\r\n")),
    ("BAD_CODING", request(b"Transfer-Encoding: chunked,\r\n")),
    ("BAD_CODING", request(b"Transfer-Encoding:\r\n")),
    ("BAD_CODING", request(b"Transfer-Encoding: chunked\r\n", line=b"POST / HTTP/1.0")),
    ("BAD_FIELD", request(b"Transfer-Encoding : chunked\r\n")),
    ("BAD_FIELD", request(b"Transfer-Encoding:\x0bchunked\r\n")),
    ("BAD_FIELD", request(b"Transfer-Encoding\r\n : chunked\r\n")),
    ("BAD_FIELD", request(b"Transfer-Encoding: chunked\nContent-Length: 5\r\n")),
    ("BAD_EXPECT", request(b"Expect: 200-ok\r\n")),
    ("BAD_EXPECT", request(b"Expect: 100-continue, x\r\n")),
]

BAD_RESPONSES = [
    ("BAD_START_LINE", b"\r\n" + response()),
    ("BAD_START_LINE", response(line=b"HTTP/1.1  200 OK")),
    ("BAD_START_LINE", response(line=b"HTTP/1.1 20 OK")),
    ("BAD_START_LINE", response(line=b"HTTP/1.1 2000 OK")),
    ("BAD_START_LINE", response(line=b"HTTP/1.1 099 OK")),
    ("BAD_START_LINE", response(line=b"HTTP/1.1 +20 OK")),
    ("BAD_START_LINE", response(line=b"HTTP/1.1\t200 OK")),
    ("BAD_START_LINE", response(line=b"HTTP/1.1 200 O\0K")),
    ("BAD_START_LINE", b"HTTP/1.1 200 OK\nx: a\r\n\r\n"),
    ("BAD_START_LINE", response(line=b"ICY 200 OK")),
    ("BAD_VERSION", response(line=b"HTTP/2.0 200 OK")),
    ("BAD_FIELD", response(b"x : a\r\n")),
    ("BAD_FIELD", response(b"x: a\r\n b\r\n")),
    ("BAD_FIELD", response(b"x: a\n")),
    ("BAD_LENGTH", response(b"Content-Length: 5\r\nContent-Length: 6\r\n")),
    ("BAD_LENGTH", response(b"Content-Length: 5, 5\r\n")),
    ("BAD_CODING", response(b"Transfer-Encoding: chunked\t\r\n")),
    ("BAD_CODING", response(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")),
    ("BAD_CODING", response(b"Transfer-Encoding: gzip\r\n")),
    ("BAD_CODING", response(b"Transfer-Encoding: chunked\r\n", line=b"HTTP/1.0 200 OK")),
    ("TOO_MANY_FIELDS", response(b"x: a\r\n" * 201)),
    ("HEAD_TOO_LARGE", response(b"x: " + b"a" * 70000)),
]


@pytest.mark.parametrize(("name", "head"), BAD_REQUESTS)
def test_bad_request_is_refused_by_its_reason(name: str, head: bytes) -> None:
    """A request that RFC 9110 or 9112 forbids, or that two servers could read differently, is refused with its code."""
    assert refusal(parse_request_head(head)) == name


@pytest.mark.parametrize(("name", "head"), BAD_RESPONSES)
def test_bad_response_is_refused_by_its_reason(name: str, head: bytes) -> None:
    """A response whose framing is broken or ambiguous is refused with its code."""
    assert refusal(parse_response_head(head)) == name


@pytest.mark.parametrize(("name", "head"), [row for row in BAD_REQUESTS if row[0] != "HEAD_TOO_LARGE"])
def test_refusal_comes_with_the_first_byte_that_makes_it_certain(name: str, head: bytes) -> None:
    """Byte by byte, every prefix needs more until one is refused, by the same code as the whole."""
    answers = [refusal(parse_request_head(head[:end])) for end in range(len(head) + 1)]
    first = answers.index(name)
    assert set(answers[:first]) == {"NEED_MORE"}
    assert set(answers[first:]) == {name}


def test_request_head_is_read_whole() -> None:
    """Every part of a plain request head is where the Head says."""
    lines = [
        b"host: api.example.com:443\r\n",
        b"X-Empty:\r\n",
        b"Accept: \t text/html ;\xfc q=1 \t\r\n",
        b"Content-Length: 12\r\n",
    ]
    text = b"POST /v1/models?limit=3&x=? HTTP/1.1\r\n" + b"".join(lines) + b"\r\n"
    head = accepted(parse_request_head(text + b"body of the message"))
    assert (head.method, head.minor, head.length) == ("POST", 1, len(text))
    assert (head.target, head.path, head.query) == (b"/v1/models?limit=3&x=?", b"/v1/models", b"limit=3&x=?")
    assert (head.content_length, head.chunked, head.keep_alive) == (12, False, True)
    assert head.lines == lines
    assert head.fields == [
        (b"host", b"api.example.com:443", FIELD_IDS["HOST"]),
        (b"X-Empty", b"", FIELD_IDS["OTHER"]),
        (b"Accept", b"text/html ;\xfc q=1", FIELD_IDS["OTHER"]),
        (b"Content-Length", b"12", FIELD_IDS["CONTENT_LENGTH"]),
    ]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_is_known(method: str) -> None:
    """The seven methods are recognised, and no proper prefix or lower-case twin of one is."""
    assert accepted(parse_request_head(request(line=method.encode() + b" / HTTP/1.1"))).method == method
    for wrong in (method[:-1], method + "X", method.lower()):
        assert refusal(parse_request_head(request(line=wrong.encode() + b" / HTTP/1.1"))) == "BAD_METHOD"


@pytest.mark.parametrize(
    ("line", "path", "query"),
    [
        (b"GET / HTTP/1.1", b"/", None),
        (b"GET /? HTTP/1.1", b"/", b""),
        (b"GET //a HTTP/1.1", b"//a", None),
        (b"GET /a?b?c HTTP/1.1", b"/a", b"b?c"),
        (b"GET http://a/x?y HTTP/1.1", b"/x", b"y"),
        (b"GET HTTPS://A/ HTTP/1.1", b"/", None),
        (b"OPTIONS * HTTP/1.1", b"*", None),
    ],
)
def test_target_is_split_at_its_first_question_mark(line: bytes, path: bytes, query: bytes | None) -> None:
    """Path and query come out of origin-form, absolute-form and "*"; the authority is not part of the target."""
    head = accepted(parse_request_head(request(line=line)))
    assert (head.path, head.query) == (path, query)
    assert head.target == path + (b"" if query is None else b"?" + query)


@pytest.mark.parametrize("host", [b"a", b"A-b_c.example.", b"127.0.0.1:0", b"[::1]", b"[2001:db8::1]:65535", b"x:1"])
def test_sane_hosts_are_accepted(host: bytes) -> None:
    """Names, IPv4 and bracketed IPv6 addresses, with and without a port, are hosts."""
    head = accepted(parse_request_head(request(host=b"Host: " + host + b"\r\n")))
    assert head.fields[0][1] == host


@pytest.mark.parametrize(
    ("line", "fields", "keep_alive"),
    [
        (b"GET / HTTP/1.1", b"", True),
        (b"GET / HTTP/1.1", b"Connection: close\r\n", False),
        (b"GET / HTTP/1.1", b"connection: x,, CLOSE ,y\r\n", False),
        (b"GET / HTTP/1.1", b"Connection: keep-alive\r\nConnection: close\r\n", False),
        (b"GET / HTTP/1.1", b"Connection: closed\r\n", True),
        (b"GET / HTTP/1.0", b"", False),
        (b"GET / HTTP/1.0", b"Connection: Keep-Alive\r\n", True),
        (b"GET / HTTP/1.0", b"Connection: keep-alive, close\r\n", False),
    ],
)
def test_version_and_connection_decide_keep_alive(line: bytes, fields: bytes, keep_alive: bool) -> None:
    """HTTP/1.1 stays unless it says close; HTTP/1.0 goes unless it says keep-alive; close always wins."""
    assert accepted(parse_request_head(request(fields, line=line))).keep_alive is keep_alive


def test_fields_that_connection_names_are_hop_by_hop() -> None:
    """A named field gets F_HOP wherever it stands, but framing and Host keep their meaning."""
    head = accepted(
        parse_request_head(
            request(
                b"X-Before: 1\r\nConnection: x-before, X-After, host, content-length\r\nX-AFTER: 2\r\nX-Other: 3\r\n"
                b"Content-Length: 4\r\nConnection: traceparent\r\nTraceparent: 5\r\n"
            )
        )
    )
    ids = {name: number for name, _, number in head.fields}
    hop = FIELD_IDS["HOP"]
    assert (ids[b"X-Before"], ids[b"X-AFTER"], ids[b"Traceparent"]) == (hop, hop, hop)
    assert (ids[b"Host"], ids[b"Content-Length"]) == (FIELD_IDS["HOST"], FIELD_IDS["CONTENT_LENGTH"])
    assert (ids[b"X-Other"], ids[b"Connection"]) == (FIELD_IDS["OTHER"], FIELD_IDS["CONNECTION"])
    assert head.content_length == 4


FIELDS = [
    ("CONTENT_TYPE", b"content-type"),
    ("CONTENT_ENCODING", b"content-encoding"),
    ("ACCEPT_ENCODING", b"accept-encoding"),
    ("HOP", b"keep-alive"),
    ("HOP", b"proxy-connection"),
    ("HOP", b"te"),
    ("HOP", b"trailer"),
    ("HOP", b"upgrade"),
    ("HOP", b"proxy-authorization"),
    ("AUTHORIZATION", b"authorization"),
    ("X_API_KEY", b"x-api-key"),
    ("API_KEY", b"api-key"),
    ("X_GOOG_API_KEY", b"x-goog-api-key"),
    ("X_PORTKEY_API_KEY", b"x-portkey-api-key"),
    ("X_PORTKEY", b"x-portkey-config"),
    ("X_PORTKEY_TRACE_ID", b"x-portkey-trace-id"),
    ("X_FASTGW", b"x-fastgw-anything"),
    ("X_FASTGW_INTEGRATION", b"x-fastgw-integration"),
    ("COOKIE", b"cookie"),
    ("SET_COOKIE", b"set-cookie"),
    ("ORIGIN", b"origin"),
    ("TRACEPARENT", b"traceparent"),
    ("ACCESS_CONTROL_METHOD", b"access-control-request-method"),
    ("ACCESS_CONTROL_HEADERS", b"access-control-request-headers"),
    ("ACCESS_CONTROL", b"access-control-allow-origin"),
    ("ANTHROPIC_VERSION", b"anthropic-version"),
    ("RETRY_AFTER", b"retry-after"),
    ("ALT_SVC", b"alt-svc"),
    ("STRICT_TRANSPORT", b"strict-transport-security"),
    ("X_FORWARDED", b"x-forwarded-for"),
    ("X_FORWARDED", b"forwarded"),
    ("X_FORWARDED", b"x-real-ip"),
    ("DATE", b"date"),
    ("SERVER", b"server"),
    ("OTHER", b"user-agent"),
    ("OTHER", b"x"),
    ("OTHER", b"x-"),
    ("OTHER", b"x-portkey"),
    ("OTHER", b"x-fastgw"),
    ("OTHER", b"content_length"),
    ("OTHER", b"a-name-of-more-than-thirty-two-bytes-in-all"),
]


@pytest.mark.parametrize(("identity", "name"), FIELDS)
def test_field_is_identified_by_its_name_in_any_case(identity: str, name: bytes) -> None:
    """A field's id follows from its name alone, whatever its case; a name longer by one byte at its end is another."""
    for spelling in (name, name.upper(), name.title()):
        assert accepted(parse_request_head(request(spelling + b": 1\r\n"))).fields[1][2] == FIELD_IDS[identity]
    if not identity.startswith(("HOP", "X_", "ACCESS")):
        assert accepted(parse_request_head(request(name + b"z: 1\r\n"))).fields[1][2] == FIELD_IDS["OTHER"]


def test_expectations_upgrades_and_trailers_are_noticed() -> None:
    """Expect, Upgrade with its Connection option, and TE: trailers each set their flag, and only then."""
    fields = b"Expect: 100-Continue\r\nConnection: Upgrade, te\r\nUpgrade: h2c\r\nTE: gzip, Trailers\r\n"
    head = accepted(parse_request_head(request(fields)))
    assert (head.expect_continue, head.upgrade, head.has_trailers_te) == (True, True, True)
    head = accepted(parse_request_head(request(b"Upgrade: h2c\r\nTE: trailersx\r\n")))
    assert (head.expect_continue, head.upgrade, head.has_trailers_te) == (False, False, False)
    head = accepted(parse_request_head(request(b"Expect: 100-continue\r\n", line=b"POST / HTTP/1.0")))
    assert head.expect_continue is False


def test_limits_are_exact() -> None:
    """A head of exactly the limit and of exactly 200 fields passes; a length of exactly 2**53 too."""
    head = request(b"x: a\r\n" * 199)
    assert len(accepted(parse_request_head(head)).fields) == 200
    assert accepted(parse_request_head(head, len(head))).length == len(head)
    assert refusal(parse_request_head(head, len(head) - 1)) == "HEAD_TOO_LARGE"
    assert refusal(parse_request_head(head[: len(head) - 1], len(head) - 1)) == "HEAD_TOO_LARGE"
    assert refusal(parse_request_head(head[: len(head) - 2], len(head) - 1)) == "NEED_MORE"
    assert accepted(parse_request_head(request(b"Content-Length: 9007199254740992\r\n"))).content_length == 2**53


def test_one_empty_line_before_a_request_is_skipped_and_counted() -> None:
    """RFC 9112 section 2.2: a CRLF left over from the message before does no harm."""
    head = accepted(parse_request_head(b"\r\n" + request()))
    assert (head.path, head.length) == (b"/v1/x", len(request()) + 2)


@pytest.mark.parametrize("head", [request(b"Content-Length: 3\r\nX: " + b"v" * 20 + b"\r\n"), b"\r\n" + request()])
def test_incomplete_request_needs_more_at_every_byte(head: bytes) -> None:
    """No proper prefix of a good head is refused or taken for the whole."""
    assert {parse_request_head(head[:end]) for end in range(len(head))} == {CODES["NEED_MORE"]}


@pytest.mark.parametrize(
    ("head", "status", "length", "chunked", "keep_alive"),
    [
        (response(b"Content-Length: 5\r\n"), 200, 5, False, True),
        (response(b"Content-Length: 5\r\nContent-Length: 005\r\n"), 200, 5, False, True),
        (response(b"Transfer-Encoding: Chunked\r\n"), 200, -1, True, True),
        (response(), 200, -1, False, False),
        (response(b"X: caf\xe9\r\n", line=b"HTTP/1.1 404 Pas trouv\xe9"), 404, -1, False, False),
        (response(b"Content-Length: 0\r\n", line=b"HTTP/1.1 500"), 500, 0, False, True),
        (response(b"Content-Length: 0\r\n", line=b"HTTP/1.1 999 "), 999, 0, False, True),
        (response(b"Content-Length: 5\r\n", line=b"HTTP/1.0 200 OK"), 200, 5, False, False),
        (response(b"Content-Length: 5\r\nConnection: keep-alive\r\n", line=b"HTTP/1.0 200 OK"), 200, 5, False, True),
        (response(line=b"HTTP/1.1 100 Continue"), 100, 0, False, True),
        (response(line=b"HTTP/1.1 204 No Content"), 204, 0, False, True),
        (response(b"Content-Length: 7\r\n", line=b"HTTP/1.1 304 Not Modified"), 304, 0, False, True),
        (response(b"Content-Length: 7\r\n", line=b"HTTP/1.1 204 No Content"), 204, 0, False, False),
        (response(b"Transfer-Encoding: chunked\r\n", line=b"HTTP/1.1 103 Early Hints"), 103, 0, False, False),
    ],
)
def test_response_framing_follows_rfc_9112(
    head: bytes, status: int, length: int, chunked: bool, keep_alive: bool
) -> None:
    """Status, length, coding and reuse of the connection come out as RFC 9112 section 6.3 orders them."""
    assert {parse_response_head(head[:end]) for end in range(len(head))} == {CODES["NEED_MORE"]}
    found = accepted(parse_response_head(head + b"HTTP/1.1 "))
    assert (found.status, found.content_length) == (status, length)
    assert (found.chunked, found.keep_alive) == (chunked, keep_alive)
    assert found.length == len(head)


def test_only_switching_protocols_is_an_upgrade() -> None:
    """A response that merely names protocols in Upgrade has switched nothing."""
    assert accepted(parse_response_head(response(line=b"HTTP/1.1 101 Switching Protocols"))).upgrade is True
    assert accepted(parse_response_head(response(b"Upgrade: h2c\r\nConnection: upgrade\r\n"))).upgrade is False
