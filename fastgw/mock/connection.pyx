"""Serve HTTP/1.1 to whoever benchmarks or tests a gateway: read requests, ask for a reply, send it at the time told.

Input: the bytes of one connection; heads and chunks are read by `_core.http1`. Output: one write for a reply that is ready, one
write an event for a paced stream. The reply itself is made by Python and kept: the same target and body get the same reply again.
Ownership: a connection owns its landing memory; a body of known length is filled in place in the bytes object that is handed on.
Limits: heads to 64 KiB, bodies to MOST_BODY_BYTES, KEPT_REPLIES kept replies to bodies of up to KEPT_BODY_BYTES.
Complexity: O(bytes); a delay is one timer of the loop and no task.
"""
from cpython.buffer cimport PyBUF_WRITE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.string cimport memcpy, memmove
from fastgw._core.http1 cimport (
    BAD_EXPECT, BAD_METHOD, BAD_VERSION, F_OTHER, HEAD_TOO_LARGE, MAX_FIELDS, NEED_MORE,
    Method, dechunk, parse_request, start_chunked,
)
from http import HTTPStatus

cdef enum:
    LANDING_BYTES = 65536
    KEPT_REPLIES = 4096
    KEPT_BODY_BYTES = 16384
    ONE_WRITE_BYTES = 262144   # a longer stream goes out in pieces, so that a slow reader holds it up
    BATCH_FRAMES = 64

cdef enum State:
    READING_HEAD = 0
    READING_LENGTH = 1
    READING_CHUNKS = 2
    REPLYING = 3
    CLOSING = 4

cdef enum:                     # places in the counters
    REQUESTS = 0
    STREAMS = 1
    ABORTED = 2
    BYTES_IN = 3
    IN_FLIGHT = 4
    ROWS = 5

FIRST_ROW_COUNTER = ROWS
MOST_BODY_BYTES = 1 << 30
cdef int64_t most_body_bytes = MOST_BODY_BYTES
cdef tuple METHODS = ("", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
cdef bytes LAST_CHUNK = b"0\r\n\r\n"
cdef dict REASONS = {int(status): status.phrase.encode() for status in HTTPStatus}


cdef class Reply:
    """What to send: `fields` are whole lines; a stream has `events` in the place of a `body`."""

    def __init__(self, int status, bytes fields, bytes body=None, tuple events=None, *, bint is_shared=False, int row=0):
        self.status = status
        self.fields = fields
        self.body = body
        self.events = events
        self.is_shared = is_shared
        self.row = row
        self.latency_s = self.ttft_s = self.gap_s = -1
        self.cut = -1
        self.hangs = False

    def __repr__(self):
        kind = f"{len(self.body)} bytes" if self.events is None else f"{len(self.events)} events"
        return f"<Reply {self.status} {kind}>"

    cdef bytes head(self, bint closes, bint is_framed):
        framing = b""
        if self.events is None:
            framing = b"content-length: %d\r\n" % len(self.body)
        elif is_framed:
            framing = b"transfer-encoding: chunked\r\n"
        return b"HTTP/1.1 %d %b\r\n%b%b%b\r\n" % (
            self.status, REASONS.get(self.status, b"Unnamed"), self.fields, framing, b"connection: close\r\n" if closes else b"")

    cdef bytes wire(self):
        if self._wire is None:
            if self.events is None:
                self._wire = self.head(False, True) + self.body
            else:
                self._wire = self.head(False, True) + b"".join([frame(event) for event in self.events]) + LAST_CHUNK
        return self._wire


cdef bytes frame(bytes event):
    return b"%x\r\n%b\r\n" % (len(event), event)


cdef class Desk:
    """What all connections of a worker share: where replies come from, the delays, the counters.

    answer    (method, target, fields, body) -> Reply
    fail      (target) -> Reply or None, for the requests that error_rate hits
    random    () -> float in [0, 1)
    counters  writable int64 memory: requests, streams, aborted, bytes_in, in_flight, then one for each row
    """

    def __init__(self, loop, answer, fail, random, counters, *, double latency_s, double ttft_s, double gap_s, double error_rate):
        self.loop = loop
        self.answer = answer
        self.fail = fail
        self.random = random
        self.counters = counters
        self.latency_s = latency_s
        self.ttft_s = ttft_s
        self.gap_s = gap_s
        self.error_rate = error_rate
        self.kept = {}
        self.connections = set()

    def close_all(self):
        """Break every open connection."""
        for connection in list(self.connections):
            (<Connection>connection).transport.abort()

    cdef Reply find(self, bytes target, bytes body, const char* base, Head* head):
        """Return the reply to a request: one kept from before, or one made now."""
        cdef dict by_body
        cdef Reply reply
        cdef int i
        cdef bint is_plain = PyBytes_GET_SIZE(body) <= KEPT_BODY_BYTES and head.method == Method.POST
        if self.error_rate > 0 and self.random() < self.error_rate:
            reply = self.fail(target)
            if reply is not None:
                return reply
        for i in range(head.count):
            # A field x-mock changes the reply, so such a request neither finds a kept one nor leaves one.
            if head.fields[i].id == F_OTHER and head.fields[i].name_len == 6 and (base[head.fields[i].line] | 32) == 120:
                is_plain = False
        if is_plain:
            by_body = self.kept.get(target)
            if by_body is not None:
                reply = by_body.get(body)
                if reply is not None:
                    return reply
        fields = [
            (base[head.fields[i].line:head.fields[i].line + head.fields[i].name_len].decode("latin-1").lower(),
             base[head.fields[i].value:head.fields[i].value + head.fields[i].value_len].decode("latin-1"))
            for i in range(head.count)
        ]
        reply = self.answer(METHODS[head.method], target.decode("latin-1"), fields, body)
        if is_plain and reply.is_shared:
            if self.kept_count >= KEPT_REPLIES:
                self.kept.clear()
                self.kept_count = 0
            self.kept.setdefault(target, {})[body] = reply
            self.kept_count += 1
        return reply


cdef class Connection:
    """One connection, as an asyncio buffered protocol."""

    def __cinit__(self, Desk desk):
        self.desk = desk
        self.landing = <char*>PyMem_Malloc(LANDING_BYTES)
        if self.landing == NULL:
            raise MemoryError
        self.view = PyMemoryView_FromMemory(self.landing, LANDING_BYTES, PyBUF_WRITE)
        self.state = READING_HEAD

    def __dealloc__(self):
        PyMem_Free(self.landing)

    # What the loop calls.

    def connection_made(self, transport):
        self.transport = transport
        self.write = transport.write
        self.desk.connections.add(self)

    def get_buffer(self, Py_ssize_t hint):
        if self.state == READING_LENGTH:
            return PyMemoryView_FromMemory(
                PyBytes_AS_STRING(self.body) + self.filled, PyBytes_GET_SIZE(self.body) - self.filled, PyBUF_WRITE)
        if self.start == self.end:
            self.start = self.end = 0
            return self.view
        if self.end == LANDING_BYTES:
            memmove(self.landing, self.landing + self.start, self.end - self.start)
            self.end -= self.start
            self.start = 0
        return self.view[self.end:]

    def buffer_updated(self, Py_ssize_t count):
        if self.state == READING_LENGTH:
            self.filled += count
            if self.filled == PyBytes_GET_SIZE(self.body):
                body, self.body = self.body, None
                copy, self.head_copy = self.head_copy, None
                self.dispatch(PyBytes_AS_STRING(<bytes>copy), <bytes>body)
            return
        if self.state == CLOSING:
            return
        self.end += count
        self.run()
        if self.end - self.start == LANDING_BYTES and not self.is_held:
            # The client pipelines more than fits while a reply is due: leave the rest to the kernel.
            self.is_held = True
            self.transport.pause_reading()

    def eof_received(self):
        return False

    def connection_lost(self, error):
        self.is_gone = True
        self.desk.connections.discard(self)
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if self.reply is not None:
            if self.reply.row >= 0:
                self.desk.counters[ABORTED] += 1
                self.desk.counters[IN_FLIGHT] -= 1
            self.reply = None
        self.transport = self.write = None

    def pause_writing(self):
        self.is_paused = True

    def resume_writing(self):
        self.is_paused = False
        if self.frames is not None and self.timer is None and not self.is_gone:
            self.pump()

    def on_head_due(self):
        self.timer = None
        self.send_head()

    def on_event_due(self):
        self.timer = None
        self.pump()

    # Reading.

    cdef int run(self) except -1:
        """Read as many requests as are there and have been answered."""
        if self.is_running:
            return 0
        self.is_running = True
        try:
            while self.start < self.end and not self.is_gone:
                if self.state == READING_HEAD:
                    if not self.read_head():
                        break
                elif self.state == READING_CHUNKS:
                    if not self.read_chunks():
                        break
                else:
                    break
        finally:
            self.is_running = False
        return 0

    cdef bint read_head(self) except -1:
        cdef char* base = self.landing + self.start
        cdef Py_ssize_t there = self.end - self.start, got, length
        cdef bytes body
        got = parse_request(base, there, &self.head, LANDING_BYTES - 1)
        if got == NEED_MORE:
            return False
        if got < 0:
            if got == HEAD_TOO_LARGE:
                self.refuse(431, b"the head is too large")
            elif got == BAD_METHOD:
                self.refuse(501, b"this method is not known")
            elif got == BAD_VERSION:
                self.refuse(505, b"expected HTTP/1.1")
            elif got == BAD_EXPECT:
                self.refuse(417, b"expected 100-continue")
            else:
                self.refuse(400, b"this is no HTTP/1.1 request")
            return False
        self.keeps_alive = self.head.keep_alive
        self.start += got
        there -= got
        if self.head.chunked:
            self.head_copy = PyBytes_FromStringAndSize(base, got)
            self.pieces = bytearray()
            start_chunked(&self.chunked)
            self.state = READING_CHUNKS
            if self.head.expect_continue and there == 0:
                self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return True
        length = max(self.head.content_length, 0)
        if length > most_body_bytes:
            self.refuse(413, b"the body is too large")
            return False
        if length <= there:
            body = PyBytes_FromStringAndSize(self.landing + self.start, length)
            self.start += length
            self.dispatch(base, body)
            return True
        self.head_copy = PyBytes_FromStringAndSize(base, got)
        self.body = PyBytes_FromStringAndSize(NULL, length)
        memcpy(PyBytes_AS_STRING(self.body), self.landing + self.start, there)
        self.filled = there
        self.start = self.end = 0
        self.state = READING_LENGTH
        if self.head.expect_continue and there == 0:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return False

    cdef bint read_chunks(self) except -1:
        cdef Py_ssize_t consumed = 0
        cdef Py_ssize_t got = dechunk(&self.chunked, self.landing + self.start, self.end - self.start, &consumed)
        if got < 0:
            self.refuse(400, b"the chunks are broken")
            return False
        if got:
            self.pieces += self.view[self.start:self.start + got]
        self.start += consumed
        if len(self.pieces) > most_body_bytes:
            self.refuse(413, b"the body is too large")
            return False
        if self.chunked.done:
            copy, self.head_copy = self.head_copy, None
            body, self.pieces = bytes(self.pieces), None
            self.dispatch(PyBytes_AS_STRING(<bytes>copy), body)
            return True
        return consumed > 0

    cdef int refuse(self, int status, bytes why) except -1:
        """Answer what cannot be read, and close."""
        cdef Reply reply = Reply(status, b"content-type: text/plain\r\n", why + b"\n")
        self.state = CLOSING
        self.write(reply.head(True, True) + reply.body)
        self.transport.close()
        return 0

    # Replying.

    cdef int dispatch(self, const char* base, bytes body) except -1:
        cdef Desk desk = self.desk
        cdef bytes target = base[self.head.target.start:self.head.target.end]
        cdef Reply reply
        cdef double latency_s
        self.state = REPLYING
        self.reply = reply = desk.find(target, body, base, &self.head)
        if reply.row >= 0:
            desk.counters[REQUESTS] += 1
            desk.counters[BYTES_IN] += self.head.length + PyBytes_GET_SIZE(body)
            desk.counters[IN_FLIGHT] += 1
            desk.counters[ROWS + reply.row] += 1
            if reply.events is not None:
                desk.counters[STREAMS] += 1
        if reply.hangs:
            return 0
        latency_s = reply.latency_s if reply.latency_s >= 0 else (desk.latency_s if reply.row >= 0 else 0)
        if latency_s > 0:
            self.timer = desk.loop.call_later(latency_s, self.on_head_due)
            return 0
        return self.send_head()

    cdef int send_head(self) except -1:
        cdef Reply reply = self.reply
        cdef Desk desk = self.desk
        cdef bint is_framed = self.head.minor == 1
        cdef double ttft_s, gap_s
        if self.head.method == Method.HEAD:
            self.write(reply.head(not self.keeps_alive, is_framed))
            return self.finish()
        if reply.events is None:
            if self.keeps_alive:
                self.write(reply.wire())
            else:
                self.write(reply.head(True, True) + reply.body)
            return self.finish()
        if not is_framed:
            self.keeps_alive = False
        ttft_s = reply.ttft_s if reply.ttft_s >= 0 else desk.ttft_s
        gap_s = reply.gap_s if reply.gap_s >= 0 else desk.gap_s
        if ttft_s <= 0 and gap_s <= 0 and reply.cut < 0 and self.keeps_alive and PyBytes_GET_SIZE(reply.wire()) <= ONE_WRITE_BYTES:
            self.write(reply.wire())
            return self.finish()
        events = reply.events if reply.cut < 0 else reply.events[:reply.cut]
        self.frames = tuple([frame(event) for event in events]) if is_framed else events
        self.next_frame = 0
        self.write(reply.head(not self.keeps_alive, is_framed))
        if ttft_s > 0:
            self.begun_s = desk.loop.time() + ttft_s
            self.timer = desk.loop.call_later(ttft_s, self.on_event_due)
            return 0
        self.begun_s = desk.loop.time()
        return self.pump()

    cdef int pump(self) except -1:
        """Send events until all are out, the next is not due, or the client does not read."""
        cdef Reply reply = self.reply
        cdef double gap_s = reply.gap_s if reply.gap_s >= 0 else self.desk.gap_s
        cdef Py_ssize_t count = len(self.frames)
        while self.next_frame < count:
            if self.is_paused:
                return 0
            if gap_s > 0:
                self.write(self.frames[self.next_frame])
                self.next_frame += 1
                if self.next_frame < count:
                    # Due times count from the first event, so that the timer's coarseness does not add up.
                    self.timer = self.desk.loop.call_at(self.begun_s + gap_s * self.next_frame, self.on_event_due)
                    return 0
            else:
                self.write(b"".join(self.frames[self.next_frame:self.next_frame + BATCH_FRAMES]))
                self.next_frame += BATCH_FRAMES
        self.frames = None
        if reply.cut >= 0:
            self.keeps_alive = False
        elif self.head.minor == 1:
            self.write(LAST_CHUNK)
        return self.finish()

    cdef int finish(self) except -1:
        if self.reply.row >= 0:
            self.desk.counters[IN_FLIGHT] -= 1
        self.reply = None
        if not self.keeps_alive:
            self.state = CLOSING
            self.transport.close()
            return 0
        self.state = READING_HEAD
        if not self.is_running:
            self.run()
        if self.is_held and self.end - self.start < LANDING_BYTES and not self.is_gone:
            self.is_held = False
            self.transport.resume_reading()
        return 0
