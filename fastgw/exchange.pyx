"""One exchange: a small state machine between a caller's connection and a leg upstream.

    reading > admitted > (waiting) > connecting > sent > replying > done

It knows how bytes move and when; what is decided about them are the steps of the pipeline. Every end passes through `close`, which
records; so no way out can forget it. An object serves one exchange after another of one connection.
"""
import logging

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy, memmove, memset

from fastgw._core.buffer cimport append, release
from fastgw._core.clock cimport monotonic_ns
from fastgw._core.http1 cimport HEAD, PATCH, POST, PUT
from fastgw._core.flow cimport BODY_REFUSED, BODY_STREAM, BODY_WHOLE, LEG_TRUNCATED
from fastgw._core.ring cimport CANCELLED, FAILED, FLAG_RETRIED, REFUSED, SERVED
from fastgw._core.usage cimport FORM_JSON, FORM_SSE, USAGE_NONE, open_tap, read_usage
from fastgw.errors import INDEX, GatewayError, UpstreamError, error as make_error

log = logging.getLogger("fastgw.exchange")

cdef enum:
    KEPT_ROOM_BYTES = 16384    # a buffer that has grown beyond this is given back between two requests
    MOST_ERROR_BYTES = 1048576         # of an error's body that is looked at before it goes on
    MOST_TRANSLATED_BYTES = 134217728  # of a reply that is translated in one piece: some hold pictures


cdef class Steps:
    cdef int head(self, Exchange x, const char* base, Head* head) except -1:
        raise NotImplementedError

    cdef int begin(self, Exchange x) except -1:
        raise NotImplementedError

    cdef int send(self, Exchange x) except -1:
        raise NotImplementedError

    cdef int meter(self, Exchange x) except -1:
        raise NotImplementedError

    cdef int record(self, Exchange x) except -1:
        raise NotImplementedError

    cdef int refuse(self, Exchange x, object error) except -1:
        raise NotImplementedError

    cdef object leg_error(self, Exchange x, int failure):
        raise NotImplementedError

    cdef object request_error(self, int fault):
        raise NotImplementedError

    cdef int reply_fields(self, Exchange x, const char* base, Head* head) except -1:
        raise NotImplementedError

    cdef int cost_fields(self, Exchange x) except -1:
        raise NotImplementedError

    cdef bint try_next(self, Exchange x, const char* p, Py_ssize_t n) except -1:
        raise NotImplementedError

    cdef bytes translate_reply(self, Exchange x, const char* p, Py_ssize_t n):
        raise NotImplementedError

    cdef bytes translate_piece(self, Exchange x, const char* p, Py_ssize_t n, bint last):
        raise NotImplementedError

    cdef int keep_answer(self, Exchange x, const char* p, Py_ssize_t n) except -1:
        raise NotImplementedError

    cdef bint is_withheld(self, Exchange x, int status) except -1:
        raise NotImplementedError


cdef inline int empty(Buffer* buffer) except -1:
    buffer.size = 0
    if buffer.room > KEPT_ROOM_BYTES:
        release(buffer)
    return 0


cdef inline void keep_tail(char* tail, const char* p, Py_ssize_t n) noexcept nogil:
    if n >= 3:
        memcpy(tail, p + n - 3, 3)
        return
    memmove(tail, tail + n, 3 - n)
    memcpy(tail + 3 - n, p, n)


cdef inline bint ends_event(const char* p, Py_ssize_t n) noexcept nogil:
    """Whether a piece ends with the empty line after an event or a comment."""
    return n >= 2 and p[n - 1] == 10 and (p[n - 2] == 10 or (n >= 4 and p[n - 2] == 13 and p[n - 3] == 10))


cdef inline int count_wait(Exchange x) except -1:
    """What the exchange is waiting for is given up: the time was the caller's or the provider's, not the gateway's."""
    if x.state == X_READING and not x.streams_body:
        x.waited_ns = monotonic_ns() - x.started_at
    elif x.state == X_CONNECTING or x.state == X_WAITING:
        x.waited_ns += monotonic_ns() - x.wanted_at
    return 0


cdef class Exchange(Flow):

    def __cinit__(self):
        self.slot = -1

    def __dealloc__(self):
        release(&self.forward)
        release(&self.fields)
        release(&self.held)
        release(&self.payload)

    def __repr__(self):
        name = self.operation.name if self.operation is not None else "none"
        return f"<Exchange {name} state {self.state}, delivery {self.delivery}, attempt {self.attempt}>"

    cdef int reset(self) except -1:
        """Forget the exchange before."""
        empty(&self.forward)
        empty(&self.fields)
        empty(&self.held)
        empty(&self.payload)
        self.state = X_READING
        self.delivery = PENDING
        self.serial += 1
        self.operation = None
        self.caller = None
        self.query = self.wanted_integration = self.origin = self.content_type = self.trace_id = None
        self.has_default_fields = self.streams_body = self.body_chunked = self.body_ended = False
        self.body_length = self.body_bytes = 0
        self.body = self.model = self.sent_body = self.sent_head = None
        self.scanned.stream = self.scanned.include_usage = -1
        self.scanned.max_tokens = -1
        self.scanned.choices = 1
        self.scanned.media = 0
        self.scanned.model.end = 0
        self.slot = -1
        self.limit_set = self.limit_admitted = -1
        self.share = None
        self.walk = self.candidates = None
        self.target = None
        self.way = None
        self.translation = self.stream = None
        self.foreign_fields = self.sent_target = self.signed_fields = None
        self.broke = False
        self.attempt = self.retries = 0
        self.asked_body = self.metadata = self.detail = self.trouble = None
        self.portkey = self.route = self.inquiry = self.cache_request = self.capture = None
        self.all_fields = self.served = self.forwarded = None
        self.explains = self.is_reshaped = self.noted = False
        self.sort = self.max_price = None
        self.wishes_in_body = self.has_others = False
        self.retry_after_ns = -1
        self.deadline_ns = 0
        self.asked_usage = self.retried = self.dispatched = False
        self.failure = 0
        self.leg = None
        self.error_code = self.reply_type = None
        self.upstream_status = self.status = 0
        self.reply_length = -1
        self.started = self.is_sse = self.is_json = self.is_encoded = False
        memset(self.tail, 10, 3)
        self.tap = None
        memset(&self.usage, 0, sizeof(self.usage))
        self.usage_known = self.usage_estimated = self.metered = self.usage_final = False
        self.cost_nano_usd = 0
        self.waited_ns = self.wanted_at = 0
        self.keeps_payload = False
        self.outcome = SERVED
        self.error_index = 0
        memset(&self.entry, 0, sizeof(Record))
        self.entry.read_ns = self.entry.admitted_ns = self.entry.sent_ns = -1
        self.entry.first_byte_ns = self.entry.replied_ns = -1
        self.started_at = monotonic_ns()
        self.entry.started_ns = self.started_at + self.steps.poller.wall_ahead_ns
        return 0

    # from the client

    cdef int request_head(self, const char* base, Head* head) except -1:
        self.reset()
        self.method = head.method
        self.body_chunked = head.chunked
        self.body_length = head.content_length if head.content_length > 0 else 0
        try:
            self.steps.head(self, base, head)
            if self.state != X_READING:
                return BODY_REFUSED
            if not self.streams_body:
                return BODY_WHOLE
            self.steps.begin(self)
        except GatewayError as problem:
            self.steps.refuse(self, problem)
        return BODY_STREAM if self.state != X_DONE else BODY_REFUSED

    cdef int request_body(self, const char* p, Py_ssize_t n, bytes owned) except -1:
        if self.state != X_READING:
            return 0
        self.body = PyBytes_FromStringAndSize(p, n) if owned is None else owned
        self.body_bytes = n
        self.entry.read_ns = monotonic_ns() - self.started_at
        try:
            self.steps.begin(self)
        except GatewayError as problem:
            self.steps.refuse(self, problem)
        return 0

    cdef int request_piece(self, const char* p, Py_ssize_t n, bint last) except -1:
        self.body_bytes += n
        if last:
            self.entry.read_ns = monotonic_ns() - self.started_at
        if self.state == X_DONE:
            return 0
        if self.state == X_CONNECTING or self.state == X_WAITING:
            # the body waits in the kernel until there is a leg; what is here already is kept
            append(&self.held, p, n)
            self.body_ended = last
            if not last:
                self.client.pause()
            return 0
        if self.leg is None:
            return 0
        self.leg.send_piece(p, n, last)
        if self.leg is not None and self.leg.over_high_water and not last:
            self.client.pause()
        return 0

    cdef int request_fault(self, int fault) except -1:
        if self.state == X_IDLE or self.state == X_DONE:
            self.reset()
            self.steps.head(self, NULL, NULL)
        count_wait(self)
        self.drop_leg()
        return self.steps.refuse(self, self.steps.request_error(fault))

    cdef int gone(self) except -1:
        if self.state == X_IDLE or self.state == X_DONE:
            return 0
        count_wait(self)
        self.drop_leg()
        self.outcome = CANCELLED
        self.error_index = INDEX["client_gone"]
        return self.settle_and_close()

    cdef int client_drained(self) except -1:
        if self.leg is not None and self.state == X_REPLYING:
            self.leg.resume()
        return 0

    cdef int fault(self, object error) except -1:
        if self.state == X_IDLE or self.state == X_DONE:
            return self.client.abort()      # it was recorded already; what was raised afterwards has left the connection nowhere
        self.drop_leg()
        request = bytes(self.entry.id[:16]).hex()
        log.error("fault in exchange %s", request, exc_info=error)
        try:
            return self.steps.refuse(self, make_error("InternalFault", "a fault of the gateway; its log has the details"))
        except Exception as second:         # the edge of an exchange
            log.error("fault while answering exchange %s", request, exc_info=second)
            self.outcome = FAILED
            self.error_index = INDEX["internal"]
            self.client.abort()
            return self.close()

    cdef bint is_idle(self):
        return self.state == X_IDLE or self.state == X_DONE

    # from the leg

    cdef int leg_ready(self, object leg) except -1:
        if self.state != X_CONNECTING:
            (<Leg>leg).cancel()
            return 0
        self.leg = <Leg>leg
        self.waited_ns += monotonic_ns() - self.wanted_at
        self.state = X_SENT
        self.steps.send(self)
        return self.send_held()

    cdef int send_held(self) except -1:
        """Let a streamed body that has waited for its leg go on."""
        if self.streams_body and self.leg is not None:
            if self.held.size or self.body_ended:
                self.leg.send_piece(self.held.start, self.held.size, self.body_ended)
                self.held.size = 0
            self.client.resume()
        return 0

    cdef int leg_failed(self, int failure, bint untouched) except -1:
        self.leg = None
        if self.state == X_CONNECTING:
            self.waited_ns += monotonic_ns() - self.wanted_at
        elif self.state != X_SENT and self.state != X_REPLYING:
            return 0
        if self.state != X_REPLYING:
            if untouched and not self.retried and self.may_repeat():
                # the provider had closed a connection that looked alive, before it saw anything of this request
                self.retried = True
                self.entry.flags |= FLAG_RETRIED
                self.state = X_ADMITTED
                return self.steps.send(self)
        self.failure = failure
        # what broke before the caller had a byte of it is no concern of the caller's
        if not self.started and self.steps.try_next(self, NULL, 0):
            return 0
        self.outcome = FAILED
        problem = self.steps.leg_error(self, failure)
        if self.state == X_REPLYING and self.started:
            return self.cut_off(problem)
        return self.steps.refuse(self, problem)

    cdef int leg_drained(self) except -1:
        if self.streams_body and self.state != X_DONE:
            self.client.resume()
        return 0

    cdef int reply_head(self, const char* base, Head* head, bint more) except -1:
        cdef int64_t now = monotonic_ns()
        self.entry.first_byte_ns = now - self.started_at
        self.upstream_status = head.status
        self.state = X_REPLYING
        self.reply_length = -1 if head.chunked else head.content_length
        if self.steps.is_withheld(self, head.status):
            return self.give_up(make_error(
                "UpstreamCredential", f"integration {self.target.integration.name!r}: the provider answered {head.status}: its api_key "
                "is not accepted there; whoever runs this gateway has to correct it"))
        self.status = head.status
        try:
            self.steps.reply_fields(self, base, head)   # sets is_sse, and the tap or the stream where one is needed
        except GatewayError as problem:
            return self.give_up(problem)
        if head.status >= 400:
            self.outcome = FAILED
            self.error_index = INDEX["upstream_status"]
            if self.may_repeat() and self.method != HEAD:
                self.delivery = JUDGING         # what its body says may be another target's turn
                return 0
        if self.translation is not None:
            self.delivery = TRANSLATING
            return 0
        if self.asked_usage and self.is_sse:
            self.reply_length = -1          # less goes on than comes
        if self.operation.metered and self.is_json and not self.streams_array():
            if self.reply_length <= self.snapshot.buffer_reply_bytes:
                self.delivery = HOLDING
                return 0
        # where another target may take over, the head waits for how the stream begins
        if not more and not (self.has_others and self.is_watched()):
            self.start_flowing(NULL, 0, False)
        return 0

    cdef int reply_data(self, char* p, Py_ssize_t n, bint last) except -1:
        if last:
            self.leg = None
            self.entry.replied_ns = monotonic_ns() - self.started_at
        if self.state != X_REPLYING:
            return 0
        if self.delivery == TRANSLATING:
            return self.translated(p, n, last)
        if self.delivery == JUDGING:
            if last and self.held.size == 0:
                return self.judge(p, n)
            append(&self.held, p, n)
            if last:
                return self.judge(self.held.start, self.held.size)
            if self.held.size <= MOST_ERROR_BYTES:
                return 0
            if self.translation is not None:
                self.drop_leg()
                return self.judge(self.held.start, self.held.size)
            self.delivery = PENDING
            p = self.held.start
            n = self.held.size
        if self.delivery == HOLDING:
            if last and self.held.size == 0:
                return self.whole_reply(p, n)
            append(&self.held, p, n)
            if last:
                return self.whole_reply(self.held.start, self.held.size)
            if self.held.size <= self.snapshot.buffer_reply_bytes:
                return 0
            # longer than may be held: it flows, and its cost stands in the record only
            self.delivery = PENDING
            if self.tap is None and self.status < 400 and not self.is_encoded:
                self.tap = open_tap(self.way.usage, FORM_JSON, False)
            p = self.held.start
            n = self.held.size
        self.flow_on(p, n, last)
        return 0

    cdef int judge(self, const char* p, Py_ssize_t n) except -1:
        """A provider's error is whole: the next target takes over, or it goes to the caller, in the caller's dialect."""
        cdef bytes out
        if self.steps.try_next(self, p, n):
            return 0
        if self.translation is None:
            return self.whole_reply(p, n)
        out = self.steps.translate_reply(self, p, n)
        return self.whole_reply(PyBytes_AS_STRING(out), PyBytes_GET_SIZE(out))

    cdef int translated(self, char* p, Py_ssize_t n, bint last) except -1:
        """The next piece of a reply in another dialect than the caller's."""
        cdef bytes out
        try:
            if self.stream is None:
                if not last or self.held.size:
                    append(&self.held, p, n)
                    if self.held.size > MOST_TRANSLATED_BYTES:
                        raise make_error("UpstreamTranslation", f"integration {self.target.integration.name!r}: expected a reply of at "
                                         f"most {MOST_TRANSLATED_BYTES} bytes, got more")
                    if not last:
                        return 0
                    out = self.steps.translate_reply(self, self.held.start, self.held.size)
                else:
                    out = self.steps.translate_reply(self, p, n)
            else:
                if self.capture is not None:
                    self.capture.feed(PyBytes_FromStringAndSize(p, n))
                out = self.steps.translate_piece(self, p, n, last)
        except GatewayError as problem:
            return self.give_up(problem)
        if self.stream is None or not self.wants_stream():
            return self.whole_reply(PyBytes_AS_STRING(out), PyBytes_GET_SIZE(out)) if last else 0
        if self.broke:
            self.drop_leg()
            self.steps.meter(self)
            self.entry.reply_bytes += PyBytes_GET_SIZE(out)
            self.note()
            self.client.write(PyBytes_AS_STRING(out), PyBytes_GET_SIZE(out), False)
            self.client.abort()
            return self.close()
        if not last and PyBytes_GET_SIZE(out) == 0:
            return 0
        return self.pass_on(PyBytes_AS_STRING(out), PyBytes_GET_SIZE(out), last)

    cdef int give_up(self, object problem) except -1:
        """The reply turned out to be none, before the caller had a byte of it."""
        if not self.started and self.steps.try_next(self, NULL, 0):
            return 0
        self.outcome = FAILED
        self.drop_leg()
        return self.steps.refuse(self, problem)

    cdef int forget_reply(self) except -1:
        """Another attempt begins: nothing of the reply before it counts."""
        self.delivery = PENDING
        self.held.size = self.payload.size = 0
        self.tap = None
        self.stream = self.translation = self.capture = None
        self.retried = self.is_sse = self.is_json = self.is_encoded = False
        self.error_code = self.trouble = self.reply_type = None
        self.upstream_status = self.status = self.failure = 0
        self.retry_after_ns = -1
        self.reply_length = -1
        self.entry.replied_ns = -1
        self.outcome = SERVED
        self.error_index = 0
        memset(&self.usage, 0, sizeof(self.usage))
        self.usage_known = self.usage_final = False
        return 0

    cdef int whole_reply(self, const char* p, Py_ssize_t n) except -1:
        """Price a reply that is here from beginning to end, then send it in one write."""
        if self.translation is not None:
            pass                # its usage was read with it
        elif self.tap is not None:
            self.tap.feed(p, n)
            self.usage = self.tap.usage
            self.usage_known = self.usage.seen
        elif self.status < 400:
            self.usage_known = read_usage(self.way.usage, p, n, &self.usage)
        self.entry.reply_bytes = n
        self.steps.meter(self)
        self.steps.cost_fields(self)
        if self.keeps_payload:
            self.keep_payload(p, n)
        self.started = True
        self.note()
        self.client.reply(self.status, self.fields.start, self.fields.size, p, n)
        if self.inquiry is not None:
            self.steps.keep_answer(self, p, n)
        return self.close()

    cdef int start_flowing(self, const char* p, Py_ssize_t n, bint last) except -1:
        self.started = True
        if self.delivery != TRANSLATING:
            self.delivery = FLOWING
        return self.client.start(self.status, self.fields.start, self.fields.size, self.reply_length, p, n, last)

    cdef int flow_on(self, char* p, Py_ssize_t n, bint last) except -1:
        """Pass a piece on, after the tap has looked at it."""
        cdef const char* out = p
        cdef Py_ssize_t size = n
        cdef bytes rest = None
        if self.capture is not None:
            self.capture.feed(PyBytes_FromStringAndSize(p, n))
        if self.tap is not None:
            self.tap.feed(p, n)
            out = self.tap.out
            size = self.tap.out_len
            if last and self.asked_usage:
                rest = PyBytes_FromStringAndSize(out, size)
                self.tap.finish()
                rest += PyBytes_FromStringAndSize(self.tap.out, self.tap.out_len)
                out = PyBytes_AS_STRING(rest)
                size = PyBytes_GET_SIZE(rest)
            elif last:
                self.tap.finish()
        if self.is_watched():
            if not self.started:
                if self.is_kept(out, size, last):
                    return 0
                if self.held.size:
                    out = self.held.start
                    size = self.held.size
            # what was kept goes on now; with the last piece the next exchange may begin
            self.held.size = 0
            if last and self.is_cut_short():
                return self.end_short(out, size)
        return self.pass_on(out, size, last)

    cdef bint is_watched(self):
        return self.is_sse and self.tap is not None and self.operation.generates and self.status < 400

    cdef bint is_kept(self, const char* p, Py_ssize_t n, bint last) except -1:
        """Whether the beginning of a stream does not go on: its first event is not whole, or it is an error and another target serves."""
        if self.tap.saw_error:
            append(&self.held, p, n)
            return self.steps.try_next(self, self.held.start, self.held.size)
        if self.has_others and self.tap.events == 0 and not last and not ends_event(p, n) and self.held.size + n <= KEPT_ROOM_BYTES:
            append(&self.held, p, n)
            return True
        if self.held.size:
            append(&self.held, p, n)
        return False

    cdef bint is_cut_short(self):
        """Whether a stream that has ended says itself that it had more to say; one that broke in an error has said so."""
        if self.tap.saw_error:
            self.outcome = FAILED
            self.error_index = INDEX["upstream_status"]
            return False
        return self.tap.text_bytes and not self.tap.saw_done and not self.tap.saw_finish

    cdef int end_short(self, const char* p, Py_ssize_t n) except -1:
        """A stream ended in the middle: as if the connection had."""
        self.failure = LEG_TRUNCATED
        if not self.started and self.steps.try_next(self, NULL, 0):
            return 0
        self.pass_on(p, n, False)
        self.outcome = FAILED
        return self.cut_off(self.steps.leg_error(self, LEG_TRUNCATED))

    cdef int pass_on(self, const char* out, Py_ssize_t size, bint last) except -1:
        """A piece as the caller gets it."""
        self.entry.reply_bytes += size
        if self.keeps_payload:
            self.keep_payload(out, size)
        if self.is_sse and size:
            keep_tail(self.tail, out, size)
        if last:
            self.steps.meter(self)
            self.note()
        if not self.started:
            self.start_flowing(out, size, last)
        elif size or last:
            self.client.write(out, size, last)
        if last:
            if self.inquiry is not None:
                self.steps.keep_answer(self, NULL, 0)
            return self.close()
        if self.leg is not None and self.client.is_slow():
            self.leg.pause()
        return 0

    cdef bint streams_array(self):
        return self.operation.model_in_path and self.path.endswith(b":streamGenerateContent")

    cdef bint wants_stream(self):
        return self.scanned.stream == 1 or self.streams_array()

    cdef bint may_repeat(self):
        # a body that was passed on as it came is not there for a second time
        return not self.streams_body or (self.body_length == 0 and not self.body_chunked)

    cdef bint may_add_event(self):
        return self.is_sse and not self.is_encoded and self.reply_length < 0

    cdef bytes event_break(self):
        cdef char* t = self.tail
        if t[2] == 10 and (t[1] == 10 or (t[1] == 13 and t[0] == 10)):
            return b""
        return b"\n" if t[2] == 10 else b"\n\n"

    cdef int keep_payload(self, const char* p, Py_ssize_t n) except -1:
        cdef Py_ssize_t room = self.snapshot.max_payload_bytes - self.payload.size
        if room > 0:
            append(&self.payload, p, min(n, room))
        return 0

    # ends

    cdef int cut_off(self, object error) except -1:
        """The reply broke after its head had gone to the client: an error event where the stream has events, then the connection closes."""
        self.error_index = INDEX[error.code]
        self.steps.refuse(self, error)
        return 0

    cdef int drop_leg(self) except -1:
        cdef Leg leg = self.leg
        self.leg = None
        if leg is not None:
            leg.cancel()
        elif self.state == X_CONNECTING and self.target is not None:
            self.target.integration.origin.forget(self)
        return 0

    cdef int settle_and_close(self) except -1:
        """Bill what was used so far, and record."""
        self.steps.meter(self)
        return self.close()

    cdef int note(self) except -1:
        if not self.noted:
            self.noted = True
            self.steps.record(self)
        return 0

    cdef int close(self) except -1:
        """The one way out of every exchange: exactly one record."""
        if self.state == X_DONE or self.state == X_IDLE:
            return 0
        self.state = X_DONE
        self.note()
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.tap = None
        self.translation = self.stream = None
        self.body = self.asked_body = self.sent_body = self.sent_head = None
        if self.inquiry is not None:
            self.inquiry.close()        # whoever waits for its answer asks for it now
            self.inquiry = self.cache_request = self.capture = None
        self.walk = self.candidates = self.route = self.served = self.all_fields = None
        self.detail = None
        self.snapshot = None
        return self.client.done()

    cdef str entry_id(self):
        text = bytes(self.entry.id[:16]).hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    cdef bint costs_unseen(self):
        """Work that is begun now and done later, and what only passes: a batch, a path that the gateway does not know."""
        cdef str name = self.operation.name
        if self.operation.metered or self.method not in (POST, PUT, PATCH) or self.path.endswith(b"/cancel"):
            return False
        return name in ("proxy", "batches", "messages", "bedrock", "ollama")
