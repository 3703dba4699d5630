"""The order of the steps, on one page: it is the gateway's security policy. Steps do not know one another; this page alone calls them.

    head    dispatch > authenticate                          before a byte of the body is read
    begin   decode > plan > admit > splice > send            when the request is whole
    meter   usage > price > settle                           when the reply is, or when it breaks
    record  exactly one an exchange, whatever its end
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy, memset
from posix.uio cimport iovec

import json
import os
from urllib.parse import unquote_to_bytes

from fastgw._core.buffer cimport render_decimal
from fastgw._core.clock cimport monotonic_ns
from fastgw._core.flow cimport (
    FAULT_BODY_TIMEOUT, FAULT_BODY_TOO_LARGE, FAULT_HEAD_TIMEOUT, FAULT_PLAIN_HTTP, LEG_BAD_REPLY, LEG_BUSY, LEG_CONNECT,
    LEG_CONNECT_TIMEOUT, LEG_DNS, LEG_FIRST_BYTE_TIMEOUT, LEG_HEAD_TOO_LARGE, LEG_IDLE_TIMEOUT, LEG_PROXY, LEG_RESET, LEG_TLS,
    LEG_TOTAL_TIMEOUT, LEG_TRUNCATED, LEG_UPGRADE)
from fastgw._core.http1 cimport (
    BAD_EXPECT, BAD_METHOD, BAD_VERSION, F_ACCESS_CONTROL_HEADERS, F_ANTHROPIC_VERSION, F_CONTENT_TYPE, F_ORIGIN, F_X_GOOG_API_KEY,
    F_X_PORTKEY_TRACE_ID, GET, HEAD, HEAD_TOO_LARGE, OPTIONS, TOO_MANY_FIELDS, Field, Head)
from fastgw._core.ring cimport FAILED, FLAG_ESTIMATED, LOST, REFUSED, Record
from fastgw._core.scan cimport LIMIT_FIELDS, MAX_COUNT, SCAN_OK, scan_request
from fastgw._core.upstream cimport Leg
from fastgw.admit.admission cimport admit
from fastgw.auth.credential cimport authenticate, is_key
from fastgw.dialects.splice cimport splice
from fastgw.dialects.form import find_model
from fastgw.errors import INDEX, CallerError, error
from fastgw.exchange cimport (
    X_ADMITTED, X_CONNECTING, X_DONE, X_REPLYING, X_SENT, Exchange)
from fastgw.meter.bill cimport bill
from fastgw.record.entry cimport push_record
from fastgw.record.names import OPERATIONS as OPERATION_NAMES
from fastgw.route.choice cimport find_plan, next_target
from fastgw.route.choice import none_left
from fastgw.snapshot.types cimport (
    FORM_BODY, JSON_BODY, SPEAKS_ANTHROPIC, SPEAKS_GEMINI, SPEAKS_OPENAI, Caller, Operation, Plan, Snapshot, Target)
from fastgw.snapshot.cors import METHODS
from fastgw.surfaces import local
from fastgw.surfaces.dispatch cimport Asked, find_operation
from fastgw.surfaces.fields cimport add_cost, add_identity, has_word, read_reply_fields, read_request_fields, render_head, request_id
from fastgw.surfaces.fields import FIXED_PATHS
from fastgw.surfaces.respond import error_event, error_reply

cdef Operation UNKNOWN = Operation("unknown", OPERATION_NAMES.index("unknown"), speaks=SPEAKS_OPENAI, body=0)
cdef Operation PROBE = Operation("probe", -1, speaks=SPEAKS_OPENAI, body=0)
cdef frozenset PROBES = frozenset((b"/healthz", b"/readyz", b"/metrics"))
# statuses on which the next target of a plan is tried: the provider's trouble, not the request's
cdef frozenset NEXT_ON = frozenset((408, 429, 500, 502, 503, 504, 529))


cdef class Gateway(Application):
    """Opens an exchange for each connection."""

    def __init__(self, Pipeline pipeline):
        self.pipeline = pipeline

    cdef Flow open(self, Client client):
        cdef Exchange x = Exchange()
        x.steps = self.pipeline
        x.client = client
        return x


cdef class Pipeline(Steps):
    """The steps, and what they share: the snapshot, the ledger and the ring of one worker."""

    def __init__(self, Ledger ledger, RingWriter ring, health, unsigned int worker=0, Target metrics=None,
                 int64_t max_body_bytes=67108864):
        self.ledger = ledger
        self.ring = ring
        self.health = health
        self.worker = worker
        self.metrics = metrics
        self.max_body_bytes = max_body_bytes
        self.random_state = int.from_bytes(os.urandom(8), "little") | 1

    def __repr__(self):
        return f"<Pipeline of worker {self.worker}, {self.in_flight} in flight, {self.snapshot!r}>"

    def publish(self, Snapshot snapshot):
        """Serve by this snapshot from the next request on; what is in flight keeps the one it began with."""
        self.snapshot = snapshot

    def record_lost(self, list reclaimed):
        """Leave a record of each exchange that a dead worker had in hand."""
        cdef Record entry
        cdef bytes tag
        for left in reclaimed:
            tag = left.tag
            memset(&entry, 0, sizeof(Record))
            memcpy(entry.id, PyBytes_AS_STRING(tag), 16)
            entry.started_ns = left.started_ns
            entry.read_ns = entry.admitted_ns = entry.sent_ns = entry.first_byte_ns = entry.replied_ns = -1
            entry.cost_nano_usd = left.charged_nano_usd
            entry.outcome = LOST
            entry.error = INDEX["internal"]
            entry.flags = FLAG_ESTIMATED
            entry.operation = UNKNOWN.index
            entry.worker = self.worker
            self.ring.push(&entry, NULL, 0, NULL, 0)

    # the request

    cdef int head(self, Exchange x, const char* base, Head* head) except -1:
        cdef Asked asked
        cdef Field* field
        cdef int i
        cdef bint is_json = True, is_anthropic = False, is_google = False
        self.in_flight += 1
        x.snapshot = self.snapshot
        make_id(self, x)
        x.operation = UNKNOWN
        if head == NULL:
            return 0
        x.path = PyBytes_FromStringAndSize(base + head.path.start, head.path.end - head.path.start)
        if head.query.end:
            x.query = PyBytes_FromStringAndSize(base + head.query.start, head.query.end - head.query.start)
        if x.path in PROBES:
            return self.probe(x)
        if head.method == OPTIONS:
            return self.preflight(x, base, head)
        for i in range(head.count):
            field = &head.fields[i]
            if field.id == F_CONTENT_TYPE:
                is_json = has_word(base + field.value, field.value_len, b"json", 4)
            elif field.id == F_ANTHROPIC_VERSION:
                is_anthropic = True
            elif field.id == F_X_GOOG_API_KEY:
                is_google = True
            elif field.id == F_X_PORTKEY_TRACE_ID:
                x.trace_id = PyBytes_FromStringAndSize(base + field.value, field.value_len)     # told in refusals too
        speak_to_path(x, is_anthropic)
        if x.snapshot.cors is not None:
            x.origin = field_value(base, head, F_ORIGIN)        # before the first refusal, which a page must be able to read
        if head.upgrade and not offers_http2(base, head):
            raise error("UpgradeRefused", "expected a plain request, got one to switch protocols (WebSocket is not served yet)")
        # must come before the body is read: a stranger's 64 MiB are not worth the memory
        query_key = take_query_key(x)
        asked = find_operation(x.path, x.method, is_json, is_anthropic, is_google or query_key is not None)
        x.operation = asked.operation
        read_request_fields(x, base, head)
        x.caller = authenticate(x.snapshot, base, head, query_key)
        if head.content_length > self.max_body_bytes:
            raise self.request_error(FAULT_BODY_TOO_LARGE)      # before the head of a streamed one has gone to a provider
        if asked.model is not None:
            x.model = unquote_to_bytes(asked.model)
        if asked.operation.name == "models":
            return self.models(x)
        x.streams_body = asked.operation.body == 0
        x.keeps_payload = x.snapshot.payloads != 0
        return 0

    cdef int begin(self, Exchange x) except -1:
        if x.operation is PROBE:
            render_head(x)
            return self.send(x)
        decode(x)
        x.plan = find_plan(x)
        x.target = next_target(x, <unsigned int>self.draw())
        if x.target is None:
            raise none_left(x)
        admit(self.ledger, x)
        self.ledger.tag(x.slot, x.entry.id)
        x.state = X_ADMITTED
        x.entry.admitted_ns = monotonic_ns() - x.started_at
        splice(x)
        render_head(x)
        return self.send(x)

    cdef int send(self, Exchange x) except -1:
        cdef Leg leg = x.leg
        cdef iovec pieces[5]
        cdef char length[48]
        cdef Py_ssize_t at = 0
        cdef int count = 2
        if x.entry.sent_ns >= 0:
            # what an earlier attempt took was not the gateway's time
            x.waited_ns += monotonic_ns() - x.started_at - x.entry.sent_ns
            x.entry.sent_ns = x.entry.first_byte_ns = -1
        if leg is None:
            # where an idle connection turned out to be dead, the others may be as well
            leg = None if x.retried else x.target.integration.origin.take()
            if leg is None:
                x.state = X_CONNECTING
                x.wanted_at = monotonic_ns()
                x.target.integration.origin.want(x)
                return 0
            leg.flow = x
            x.leg = leg
        x.state = X_SENT
        pieces[0].iov_base = PyBytes_AS_STRING(x.sent_head)
        pieces[0].iov_len = PyBytes_GET_SIZE(x.sent_head)
        pieces[1].iov_base = x.forward.start
        pieces[1].iov_len = x.forward.size
        if not x.has_default_fields and x.target.integration.default_fields:
            pieces[count].iov_base = PyBytes_AS_STRING(x.target.integration.default_fields)
            pieces[count].iov_len = PyBytes_GET_SIZE(x.target.integration.default_fields)
            count += 1
        if x.body_chunked and x.streams_body:
            length[:30] = b"transfer-encoding: chunked\r\n\r\n"
            at = 30
        elif x.streams_body and x.body_length == 0 and x.method in (GET, HEAD, 6):
            length[:2] = b"\r\n"
            at = 2
        else:
            length[:16] = b"content-length: "
            at = 16 + render_decimal(length + 16, x.body_length if x.streams_body else PyBytes_GET_SIZE(x.sent_body))
            length[at:at + 4] = b"\r\n\r\n"
            at += 4
        pieces[count].iov_base = length
        pieces[count].iov_len = at
        count += 1
        if not x.streams_body:
            pieces[count].iov_base = PyBytes_AS_STRING(x.sent_body)
            pieces[count].iov_len = PyBytes_GET_SIZE(x.sent_body)
            count += 1
        x.dispatched = True
        if x.slot >= 0:
            self.ledger.dispatch(x.slot)
        leg.send(pieces, count, x.method == HEAD, not x.streams_body or (x.body_length == 0 and not x.body_chunked),
                 x.body_chunked and x.streams_body)
        x.entry.sent_ns = monotonic_ns() - x.started_at
        return 0

    cdef bint try_next(self, Exchange x) except -1:
        """Another target of the plan takes over what this one failed at, before anything went to the caller."""
        cdef Target target
        if x.plan is None or x.plan.strategy != "fallback" or x.streams_body:
            return False
        if x.upstream_status and x.upstream_status not in NEXT_ON:
            return False
        target = next_target(x, 0)
        if target is None:
            return False
        x.drop_leg()
        x.target = target
        x.attempt += 1
        x.retried = False
        x.upstream_status = 0
        x.state = X_ADMITTED
        splice(x)
        render_head(x)
        self.send(x)
        return True

    # the reply

    cdef int reply_fields(self, Exchange x, const char* base, Head* head) except -1:
        return read_reply_fields(x, base, head)

    cdef int cost_fields(self, Exchange x) except -1:
        return add_cost(x)

    cdef bint is_withheld(self, Exchange x, int status) except -1:
        # providers quote a part of the key they refuse, and the caller would take the error for its own key's
        return status == 401 and x.caller is not None

    cdef int meter(self, Exchange x) except -1:
        return bill(self.ledger, x)

    cdef int record(self, Exchange x) except -1:
        self.in_flight -= 1
        self.served += 1
        if x.operation is PROBE:
            return 0
        return push_record(self.ring, x, self.worker)

    # refusals: the only way an error becomes a reply

    cdef int refuse(self, Exchange x, object problem) except -1:
        cdef bytes fields, body
        cdef int speaks = x.operation.speaks
        x.error_index = INDEX[problem.code]
        if x.outcome == 0:
            x.outcome = REFUSED if isinstance(problem, CallerError) else FAILED
        x.drop_leg()
        bill(self.ledger, x)
        if x.started:
            if x.may_add_event():
                body = x.event_break() + error_event(problem, speaks, request_id(x).decode())
                x.client.write(body, len(body), False)
            x.client.abort()
            return x.close()
        status, fields, body = error_reply(problem, speaks, request_id(x).decode())
        x.status = status
        x.started = True
        x.fields.size = 0
        add_identity(x)
        fields += PyBytes_FromStringAndSize(x.fields.start, x.fields.size)
        x.entry.reply_bytes = len(body)
        if x.keeps_payload:
            x.keep_payload(body, len(body))
        x.client.reply(status, fields, len(fields), body, len(body))
        return x.close()

    cdef object request_error(self, int fault):
        if fault == BAD_METHOD:
            return error("MethodUnknown", "expected GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS")
        if fault == BAD_VERSION:
            return error("VersionUnknown", "expected HTTP/1.0 or HTTP/1.1")
        if fault == HEAD_TOO_LARGE or fault == TOO_MANY_FIELDS:
            return error("HeadTooLarge", "expected a head of at most 64 KiB and 200 fields")
        if fault == BAD_EXPECT:
            return error("ExpectationFailed", "expected no expectation but 100-continue")
        if fault == FAULT_BODY_TOO_LARGE:
            return error("BodyTooLarge", "the body is larger than max_body_bytes allows; send less, or raise it in [gateway]")
        if fault == FAULT_HEAD_TIMEOUT or fault == FAULT_BODY_TIMEOUT:
            what = "head" if fault == FAULT_HEAD_TIMEOUT else "body"
            return error("RequestTimeout", f"the {what} of the request did not arrive in time")
        return error("MalformedHttp", "expected a well-formed HTTP/1.1 request, got " + MALFORMED.get(fault, "something else"))

    cdef object leg_error(self, Exchange x, int failure):
        if x.operation is PROBE:
            return error("Unavailable", "metrics are served by the drain, which does not answer; it is started again when it has died")
        name, said = LEG_ERRORS[failure]
        return error(name, f"integration {x.target.integration.name!r}: {said}" if x.caller is not None else said)

    # what the gateway answers itself

    cdef int answer(self, Exchange x, int status, bytes fields, bytes body) except -1:
        x.status = status
        x.started = True
        x.fields.size = 0
        add_identity(x)
        fields += PyBytes_FromStringAndSize(x.fields.start, x.fields.size)
        x.entry.reply_bytes = len(body)
        x.client.reply(status, fields, len(fields), body, len(body))
        return x.close()

    cdef int probe(self, Exchange x) except -1:
        x.operation = PROBE
        if x.method != GET and x.method != HEAD:
            raise error("MethodNotAllowed", f"expected GET {x.path.decode()}", fields=(("allow", "GET, HEAD"),))
        if x.path == b"/healthz":
            return self.answer(x, 200, local.JSON, b'{"status":"ok"}')
        if x.path == b"/readyz":
            status, body = self.health.ready()
            return self.answer(x, status, local.JSON, body)
        if self.metrics is None:
            raise error("Unavailable", "metrics are served by the drain, which is not running")
        x.target = self.metrics
        x.streams_body = True
        return 0

    cdef int preflight(self, Exchange x, const char* base, Head* head) except -1:
        x.operation = PROBE
        fields = f"allow: {METHODS}\r\n".encode()
        origin = field_value(base, head, F_ORIGIN)
        if origin is not None and x.snapshot.cors is not None:
            asked = field_value(base, head, F_ACCESS_CONTROL_HEADERS) or b""
            fields += x.snapshot.cors.preflight_fields(origin.decode("latin-1"), asked.decode("latin-1"))
        return self.answer(x, 204, fields, b"")

    cdef int models(self, Exchange x) except -1:
        # free, but not for a key that has expired or is over its rate
        admit(self.ledger, x)
        bill(self.ledger, x)
        names = x.snapshot.names_for(x.caller)
        if x.model is None:
            body = local.list_models(names, x.operation.speaks)
        else:
            body = local.one_model(names, x.model.decode("utf-8", "replace"), x.operation.speaks)
        return self.answer(x, 200, local.JSON, body)

    cdef uint64_t draw(self):
        """A random number: xorshift64*; for balancing and ids, not for secrets."""
        cdef uint64_t s = self.random_state
        s ^= s >> 12
        s ^= s << 25
        s ^= s >> 27
        self.random_state = s
        return s * <uint64_t>2685821657736338717


cdef int make_id(Pipeline pipeline, Exchange x) except -1:
    """A UUIDv7 (RFC 9562, 5.7): 48 bits of milliseconds, the rest random."""
    cdef uint64_t milliseconds = x.entry.started_ns // 1000000
    cdef uint64_t a = pipeline.draw(), b = pipeline.draw()
    cdef int i
    for i in range(6):
        x.entry.id[i] = <uint8_t>(milliseconds >> (40 - 8 * i))
    for i in range(2):
        x.entry.id[6 + i] = <uint8_t>(a >> (8 * i))
    for i in range(8):
        x.entry.id[8 + i] = <uint8_t>(b >> (8 * i))
    x.entry.id[6] = 0x70 | (x.entry.id[6] & 0x0F)
    x.entry.id[8] = 0x80 | (x.entry.id[8] & 0x3F)
    return 0


cdef bytes field_value(const char* base, Head* head, int wanted):
    cdef int i
    for i in range(head.count):
        if head.fields[i].id == wanted:
            return PyBytes_FromStringAndSize(base + head.fields[i].value, head.fields[i].value_len)
    return None


cdef bint offers_http2(const char* base, Head* head):
    """Upgrade: h2c, which some clients offer with every request and which a server may pass over (RFC 9110, 7.8)."""
    cdef int i
    for i in range(head.count):
        if head.fields[i].name_len == 7 and PyBytes_FromStringAndSize(base + head.fields[i].line, 7).lower() == b"upgrade" \
                and PyBytes_FromStringAndSize(base + head.fields[i].value, head.fields[i].value_len).lower() != b"h2c":
            return False
    return True


cdef int speak_to_path(Exchange x, bint is_anthropic) except -1:
    """The dialect of errors that come before the operation is known."""
    if x.path.startswith(b"/v1beta/") or x.path.startswith(b"/upload/v1beta/"):
        x.operation = UNKNOWN_GEMINI
    elif is_anthropic or x.path.startswith(b"/v1/messages"):
        x.operation = UNKNOWN_ANTHROPIC
    return 0


cdef Operation UNKNOWN_ANTHROPIC = Operation("unknown", OPERATION_NAMES.index("unknown"), speaks=SPEAKS_ANTHROPIC, body=0)
cdef Operation UNKNOWN_GEMINI = Operation("unknown", OPERATION_NAMES.index("unknown"), speaks=SPEAKS_GEMINI, body=0)


cdef bytes take_query_key(Exchange x):
    """Gemini's ?key=, which counts on its paths; on any path, what is a key of ours never goes upstream."""
    cdef bytes key = None, value
    cdef bint counts
    if x.query is None or (b"=fgw-" not in x.query and b"key" not in x.query.lower() and b"%" not in x.query):
        return None
    counts = x.path.startswith(b"/v1beta/") or x.path.startswith(b"/v1/models") or x.path.startswith(b"/upload/v1beta/")
    kept = []
    for pair in x.query.split(b"&"):
        name, _, value = pair.partition(b"=")
        value = unquote_to_bytes(value.replace(b"+", b" ")) if b"%" in value or b"+" in value else value
        if counts and unquote_to_bytes(name) == b"key":
            key = value
        elif not is_key(x.snapshot, value):
            kept.append(pair)
    x.query = b"&".join(kept) or None
    return key


cdef int decode(Exchange x) except -1:
    """Read the few fields of the body that the gateway needs."""
    cdef Py_ssize_t start
    if x.operation.body == JSON_BODY:
        if scan_request(PyBytes_AS_STRING(x.body), PyBytes_GET_SIZE(x.body), &x.scanned) != SCAN_OK:
            raise body_error(x)
        if x.scanned.model.end and not x.operation.model_in_path:
            x.model = x.body[x.scanned.model.start:x.scanned.model.end]
            if x.scanned.model_escaped:
                x.model = json.loads(b'"' + x.model + b'"').encode("utf-8", "replace")
        if x.operation.generates:
            find_limit(x)
        if x.operation.model_in_path:
            x.scanned.model.end = 0        # what a body may say beside the path is the provider's to judge
    elif x.operation.body == FORM_BODY:
        find_form_model(x)
    if x.operation.wants_model and not x.model:
        raise error("InvalidRequest", "expected a string at $.model, got nothing: name the model", param="model")
    return 0


cdef int find_limit(Exchange x) except -1:
    """The most output that the body allows, by the operation's fields; the greatest of two, since servers differ in which counts."""
    cdef int i
    x.scanned.max_tokens = -1
    for i in range(LIMIT_FIELDS):
        if x.operation.limit_fields >> i & 1:
            x.scanned.max_tokens = max(x.scanned.max_tokens, x.scanned.limits[i])
    if x.operation.name == "completions":
        x.scanned.choices = min(x.scanned.choices * x.scanned.prompts, <int64_t>MAX_COUNT)
    return 0


cdef int find_form_model(Exchange x) except -1:
    """The model of a multipart form, as the field named "model" has it."""
    found = find_model(x.body, x.content_type or b"")
    if found is None:
        return 0
    x.scanned.model.start, x.scanned.model.end = found
    x.model = x.body[x.scanned.model.start:x.scanned.model.end]
    return 0


def body_error_text(int code, int at, field, expected, found):
    """What is wrong with a body, where, and what was expected."""
    if code == 1:
        return f"expected a JSON object, got something that is not JSON at byte {at}"
    if code == 2:
        return "expected a JSON object, got another JSON value"
    if code == 3:
        return f"expected at most 512 levels of nesting, got more at byte {at}"
    if code == 4:
        return f"expected UTF-8, got another byte at {at}"
    if code == 5:
        return f"expected {field} once, got it twice at byte {at}: parsers differ on which one counts"
    return f"expected {expected}, got {found} at {field}"


cdef body_error(Exchange x):
    field = x.scanned.field.decode() if x.scanned.field != NULL else None
    expected = x.scanned.expected.decode() if x.scanned.expected != NULL else "another value"
    found = x.scanned.found.decode() if x.scanned.found != NULL else "this one"
    return error("InvalidRequest", body_error_text(x.scanned.error, x.scanned.at, field, expected, found), param=field)


MALFORMED = {
    -1: "a broken request line", -4: "a target that is neither a path nor \"*\"", -5: "a broken header field",
    -8: "no Host field, more than one, or an invalid one", -9: "an invalid Content-Length",
    -10: "a Transfer-Encoding other than \"chunked\" alone", -11: "a broken chunk",
    FAULT_PLAIN_HTTP: "plain HTTP where TLS is spoken; use https://",
}
LEG_ERRORS = {
    LEG_DNS: ("UpstreamUnreachable", "the host name of its base_url cannot be resolved"),
    LEG_CONNECT: ("UpstreamUnreachable", "the connection was refused; is base_url right, and is the provider up?"),
    LEG_TLS: ("UpstreamTls", "the TLS handshake failed: the certificate is not trusted or the protocol broke; see ca_file"),
    LEG_CONNECT_TIMEOUT: ("UpstreamUnreachable", "no connection within connect_ms"),
    LEG_FIRST_BYTE_TIMEOUT: ("UpstreamTimeout", "no reply within first_byte_ms"),
    LEG_IDLE_TIMEOUT: ("UpstreamTimeout", "the reply stopped for longer than idle_ms"),
    LEG_TOTAL_TIMEOUT: ("UpstreamTimeout", "the reply took longer than total_ms"),
    LEG_RESET: ("UpstreamReset", "the provider closed the connection before it had replied"),
    LEG_TRUNCATED: ("UpstreamReset", "the provider closed the connection in the middle of its reply"),
    LEG_BAD_REPLY: ("UpstreamBadReply", "the reply is not well-formed HTTP/1.1"),
    LEG_HEAD_TOO_LARGE: ("UpstreamBadReply", "the head of the reply is larger than 64 KiB or has more than 200 fields"),
    LEG_BUSY: ("UpstreamBusy", "all max_connections are in use and none became free within connect_ms"),
    LEG_PROXY: ("UpstreamUnreachable", "the forward proxy did not open a tunnel"),
    LEG_UPGRADE: ("UpstreamBadReply", "the provider switched protocols without being asked"),
}
