"""The listener of the data plane: HTTP/1.1 connections whose requests become flows.

Input: bytes from the wire. Output: calls of Flow, in the order of the requests: one exchange at a time a connection, what a client
pipelines behind it waits in `held`, bounded by HELD_BYTES, and behind that in the kernel. No request is begun while more than
HIGH_WATER_BYTES of earlier replies are unsent, so that a client that only sends costs no more than that.
A request with a known length is read straight into the bytes object that the exchange keeps; anything shorter than a read is parsed
where it landed. A client that closes its side is gone (as nginx has it): its exchange is told at once.
Longer than 400 lines: one state machine.
"""
import os
import socket as sockets
import ssl

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, ECONNABORTED, EINTR, errno
from libc.stdint cimport uint32_t
from libc.stdio cimport snprintf
from libc.string cimport memchr, memcpy
from posix.uio cimport iovec

from fastgw._core.buffer cimport append, drop_front, release, render_decimal
from fastgw._core.flow cimport (
    BODY_REFUSED, BODY_STREAM, BODY_WHOLE, FAULT_BODY_TIMEOUT, FAULT_BODY_TOO_LARGE, FAULT_HEAD_TIMEOUT, FAULT_PLAIN_HTTP)
from fastgw._core.http1 cimport HEAD, dechunk, parse_request, start_chunked
from fastgw._core.poll cimport EPOLLIN, EPOLLRDHUP

cdef extern from "<sys/socket.h>" nogil:
    int accept4(int fd, void* address, void* length, int flags)
    ssize_t send(int fd, const void* p, size_t n, int flags)
    ssize_t recv(int fd, void* p, size_t n, int flags)
    int shutdown(int fd, int how)
    int SOCK_NONBLOCK, SOCK_CLOEXEC, MSG_NOSIGNAL, MSG_DONTWAIT, MSG_PEEK, SHUT_WR

cdef extern from "<unistd.h>" nogil:
    int close(int fd)

cdef enum State:
    IDLE                       # between requests, or in the middle of a head (head_begun)
    BODY                       # filling `body`
    CHUNKS                     # filling `chunk_body`
    STREAM                     # passing on a body of known length
    STREAM_CHUNKS              # passing on a chunked body
    BUSY                       # the request is whole
    LINGER                     # replied; reading what the client still sends, so that it sees the reply and no reset

cdef enum:
    HEAD_LIMIT_BYTES = 65536
    HELD_BYTES = 131072
    ACCEPTS_PER_EVENT = 64

cdef int64_t LINGER_NS = 2000000000
cdef int64_t LINGER_STOPPING_NS = 250000000
cdef int64_t MS = 1000000

cdef const char* CHUNK_END = b"\r\n"
cdef const char* LAST_CHUNK_END = b"\r\n0\r\n\r\n"
cdef const char* NO_MORE_CHUNKS = b"0\r\n\r\n"
cdef const char* CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
cdef bytes REFUSED_BODY = (
    b'{"error":{"message":"this worker has as many connections as max_connections allows; try again",'
    b'"type":"server_error","param":null,"code":"too_many_connections"}}')
cdef bytes CONNECTION_REFUSED = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nx-fastgw-error: too_many_connections\r\n"
    b"connection: close\r\nretry-after: 1\r\ncontent-length: %d\r\n\r\n%b" % (len(REFUSED_BODY), REFUSED_BODY))


def _status_lines():
    from http import HTTPStatus
    phrases = {status.value: status.phrase for status in HTTPStatus}
    return [b"HTTP/1.1 %d %s\r\n" % (code, phrases.get(code, "").encode()) for code in range(1000)]


cdef list STATUS_LINES = _status_lines()
cdef object TLS_ERROR = ssl.SSLError


cdef class Lane:
    """One worker's listener and its connections; times in milliseconds, sizes in bytes."""

    def __init__(self, Poller poller, Application application, *, int max_connections=10000, long long max_body_bytes=67108864,
                 long long head_ms=10000, long long body_ms=30000, long long idle_ms=75000, long long write_ms=60000, tls=None):
        self.poller = poller
        self.application = application
        self.max_connections = max_connections
        self.max_body_bytes = max_body_bytes
        self.head_ns = head_ms * MS
        self.body_ns = body_ms * MS
        self.idle_ns = idle_ms * MS
        self.write_ns = write_ms * MS
        self.tls = tls
        self.connections = set()

    def __repr__(self):
        return f"<Lane {self.open_count} connections{', stopping' if self.stopping else ''}>"

    def listen(self, sock):
        """Accept from a bound and listening non-blocking socket, which the lane owns from here on."""
        cdef Listener listener = Listener(self, sock)
        self.listener = listener
        self.poller.add(listener, EPOLLIN)

    def stop(self):
        """Accept no more, close what is idle; what runs is finished, then its connection closes."""
        cdef Connection connection
        self.stopping = True
        if self.listener is not None:
            # what the kernel has accepted for this worker would be reset with the listener
            self.listener.ready(EPOLLIN)
            self.listener.close()
            self.listener = None
        for connection in list(self.connections):
            if connection.state == IDLE and not connection.backlog_bytes and not connection.has_begun():
                connection.leave(False)

    def abort(self):
        """Close every connection now; what runs is told that its client is gone."""
        cdef Connection connection
        for connection in list(self.connections):
            connection.ended(-1)
            connection.leave(True)


cdef class Listener(Pollable):

    def __init__(self, Lane lane, sock):
        self.lane = lane
        self.socket = sock
        self.fd = sock.fileno()

    def close(self):
        self.poller.remove(self)
        self.socket.close()
        self.fd = -1

    cdef int ready(self, uint32_t events) except -1:
        cdef int fd, turn
        cdef Connection connection
        cdef Lane lane = self.lane
        for turn in range(ACCEPTS_PER_EVENT):
            fd = accept4(self.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)
            if fd < 0:
                if errno == EINTR or errno == ECONNABORTED:
                    continue
                if errno == EAGAIN:
                    return 0
                # out of descriptors or memory: let the connections that exist go on, and look again soon
                self.poller.change(self, 0)
                self.deadline_ns = self.poller.now_ns + 100 * MS
                return 0
            if lane.open_count >= lane.max_connections:
                if lane.tls is None:
                    send(fd, PyBytes_AS_STRING(CONNECTION_REFUSED), PyBytes_GET_SIZE(CONNECTION_REFUSED), MSG_NOSIGNAL | MSG_DONTWAIT)
                    shutdown(fd, SHUT_WR)
                close(fd)
                lane.refused_count += 1
                continue
            connection = Connection(lane)
            connection.open(fd)
        return 0

    cdef int expire(self) except -1:
        return self.poller.change(self, EPOLLIN)

    cdef int fault(self, object error) except -1:
        return 0


cdef class Connection(Wire):
    """One client's connection."""

    def __init__(self, Lane lane):
        self.lane = lane
        self.client = LaneClient()
        self.client.connection = self
        self.flow = lane.application.open(self.client)

    def __dealloc__(self):
        release(&self.held)
        release(&self.chunk_body)

    def __repr__(self):
        return f"<Connection state {self.state}, {self.held.size} bytes held, {self.backlog_bytes} unsent>"

    def open(self, int fd):
        self.state = IDLE
        self.attach(self.lane.poller, fd, EPOLLIN | EPOLLRDHUP)
        self.deadline_ns = self.poller.now_ns + self.lane.head_ns
        self.lane.connections.add(self)
        self.lane.open_count += 1
        if self.lane.tls is not None:
            self.start_tls(self.lane.tls, True, None, None)

    # input

    cdef char* landing(self, Py_ssize_t* room) except NULL:
        if self.state == BODY:
            room[0] = PyBytes_GET_SIZE(self.body) - self.filled
            return PyBytes_AS_STRING(self.body) + self.filled
        return Wire.landing(self, room)

    cdef int _read_tls(self, Py_ssize_t n) except -1:
        cdef char first
        if self.state == LINGER:
            return 0            # sealed, and of no interest any more
        if not self.greeted:
            self.greeted = True
            first = self.poller.scratch[0]
            if c'A' <= first <= c'Z':       # a TLS record begins with 22
                self.tls = None
                return self.refuse_unread(FAULT_PLAIN_HTTP)
        return Wire._read_tls(self, n)

    def tls_error(self):
        """What breaks while the end is only awaited is no news."""
        if self.state != LINGER:
            Wire.tls_error(self)

    cdef int received(self, char* p, Py_ssize_t n) except -1:
        cdef Py_ssize_t took
        if self.state == LINGER:
            return 0
        if self.state == BUSY or self.body_paused or self.is_clogged():
            append(&self.held, p, n)
            if self.held.size > HELD_BYTES:
                self.eof_is_news = True
                self.pause_reading()
            return 0
        if self.held.size:
            append(&self.held, p, n)
            if self.state == IDLE and self.head_begun and memchr(p, 10, n) == NULL and self.held.size < HEAD_LIMIT_BYTES:
                return 0        # no line has ended: nothing to learn, and a trickled head costs no rescans
            return self.go_on()
        took = self.process(p, n)
        if took < n and self.fd >= 0 and self.state != LINGER:
            append(&self.held, p + took, n - took)
        return 0

    cdef bint is_clogged(self) noexcept:
        """Between two requests, with too much of the replies unsent to begin another."""
        return self.state == IDLE and self.over_high_water

    cdef int go_on(self) except -1:
        """Take up what waits in `held`, then the reading."""
        cdef Py_ssize_t took
        if self.processing:
            return 0            # whoever called process does this
        if self.held.size:
            took = self.process(self.held.start, self.held.size)
            # an end on the way has let go of all that was held
            if self.held.size:
                drop_front(&self.held, min(took, self.held.size))
        if not self.reading and not self.body_paused and self.held.size <= HELD_BYTES and self.fd >= 0:
            self.eof_is_news = False
            self.resume_reading()
        return 0

    cdef Py_ssize_t process(self, char* p, Py_ssize_t n) except -1:
        """Understand as much of p as can be; return how much that was."""
        cdef Py_ssize_t at = 0, took
        self.processing = True
        try:
            while at < n and self.fd >= 0:
                if self.state == IDLE:
                    if self.over_high_water:
                        break
                    took = self.take_head(p + at, n - at)
                elif self.state == BUSY or self.body_paused:
                    break
                elif self.state == LINGER:
                    at = n
                    break
                else:
                    took = self.take_body(p + at, n - at)
                if took == 0:
                    break
                at += took
        except BaseException:
            self.keep_alive = False     # how far it came is not known: nothing more of this connection may be understood
            raise
        finally:
            self.processing = False
        return at

    cdef Py_ssize_t take_head(self, char* p, Py_ssize_t n) except -1:
        cdef Head* head = &self.lane.head
        cdef Py_ssize_t length = parse_request(p, n, head, HEAD_LIMIT_BYTES)
        cdef int64_t size
        cdef bint chunked, expects
        if length == 0:
            if not self.head_begun:
                self.head_begun = True
                self.deadline_ns = self.poller.now_ns + self.lane.head_ns
            return 0
        if length < 0:
            self.refuse_unread(<int>length)
            return n
        self.disarm()
        self.head_begun = self.body_paused = False
        self.reply_begun = self.reply_done = self.request_done = False
        self.keep_alive = head.keep_alive and not self.lane.stopping
        self.is_head = head.method == HEAD
        self.minor = head.minor
        self.body_missing = head.chunked or head.content_length > n - length
        self.state = BUSY
        # `head` is the lane's: by the time the flow returns, another connection's request may stand there
        size = head.content_length
        chunked = head.chunked
        expects = head.expect_continue
        return length + self.begin_body(p, n, length, self.flow.request_head(p, head), size, chunked, expects)

    cdef Py_ssize_t begin_body(self, char* p, Py_ssize_t n, Py_ssize_t length, int mode, int64_t size, bint chunked,
                               bint expects) except -1:
        """Go from the head to the body; return how much of the body was taken at once."""
        if self.fd < 0 or self.state == LINGER:
            return n - length
        if size <= 0 and not chunked:
            self.request_done = True
            self.state = BUSY
            if mode == BODY_WHOLE:
                self.flow.request_body(NULL, 0, b"")
            elif mode == BODY_STREAM:
                self.flow.request_piece(NULL, 0, True)
            elif self.reply_done:
                self.finish()
            return 0
        if mode == BODY_REFUSED:
            # a body that came along is skipped; for one that did not, the connection is given up
            self.state = BUSY
            if not chunked and size <= n - length:
                self.request_done = True
                if self.reply_done:
                    self.finish()
                return size
            self.keep_alive = False
            if self.reply_done:
                self.finish()
            return n - length
        if size > self.lane.max_body_bytes:
            self.state = BUSY
            self.refuse(FAULT_BODY_TOO_LARGE)
            return n - length
        if mode == BODY_WHOLE and not chunked and size <= n - length:
            self.request_done = True
            self.state = BUSY
            self.flow.request_body(p + length, size, None)
            return size
        if expects and n == length:
            self.write(CONTINUE, 25)
        self.deadline_ns = self.poller.now_ns + self.lane.body_ns
        if chunked:
            start_chunked(&self.chunks)
            self.left = 0
            self.state = CHUNKS if mode == BODY_WHOLE else STREAM_CHUNKS
        elif mode == BODY_WHOLE:
            self.body = PyBytes_FromStringAndSize(NULL, size)
            self.filled = 0
            self.state = BODY
        else:
            self.left = size
            self.state = STREAM
        return 0

    cdef Py_ssize_t take_body(self, char* p, Py_ssize_t n) except -1:
        cdef Py_ssize_t size, took = 0
        cdef bytes body
        self.deadline_ns = self.poller.now_ns + self.lane.body_ns
        if self.state == BODY:
            took = min(n, PyBytes_GET_SIZE(self.body) - self.filled)
            if p != PyBytes_AS_STRING(self.body) + self.filled:
                memcpy(PyBytes_AS_STRING(self.body) + self.filled, p, took)
            self.filled += took
            if self.filled == PyBytes_GET_SIZE(self.body):
                body = self.body
                self.body = None
                self.request_whole()
                self.flow.request_body(PyBytes_AS_STRING(body), PyBytes_GET_SIZE(body), body)
            return took
        if self.state == STREAM:
            took = min(n, self.left)
            self.left -= took
            if self.left == 0:
                self.request_whole()
            self.flow.request_piece(p, took, self.left == 0)
            return took
        size = dechunk(&self.chunks, p, n, &took)
        if size < 0:
            self.refuse(<int>size)
            return n
        self.left += size
        if self.left > self.lane.max_body_bytes:
            self.refuse(FAULT_BODY_TOO_LARGE)
            return n
        if self.state == CHUNKS:
            append(&self.chunk_body, p, size)
            if self.chunks.done:
                self.request_whole()
                body = PyBytes_FromStringAndSize(self.chunk_body.start, self.chunk_body.size)
                release(&self.chunk_body)
                self.flow.request_body(PyBytes_AS_STRING(body), PyBytes_GET_SIZE(body), body)
        else:
            if self.chunks.done:
                self.request_whole()
            if size or self.chunks.done:
                self.flow.request_piece(p, size, self.chunks.done)
        return took

    cdef int request_whole(self) except -1:
        self.request_done = True
        self.disarm()
        if not self.reply_done:
            self.state = BUSY
        return 0

    cdef int refuse_unread(self, int fault) except -1:
        """There is no head that could be read."""
        self.head_begun = self.body_paused = False
        self.reply_begun = self.reply_done = False
        self.is_head = False
        self.minor = 1
        return self.refuse(fault)

    cdef int refuse(self, int fault) except -1:
        """The request cannot be read any further: the flow replies, and the connection ends."""
        self.keep_alive = False
        self.request_done = False
        self.disarm()
        self.state = BUSY
        release(&self.chunk_body)
        self.body = None
        self.flow.request_fault(fault)
        return 0

    # the end of an exchange, and of the connection

    cdef int finish(self) except -1:
        """The reply is whole: go on to the next request, or close."""
        if self.fd < 0 or self.state == LINGER:
            return 0
        if not self.request_done and self.state == BUSY and self.keep_alive:
            return 0            # begin_body has yet to say whether the body came along
        if not self.request_done or not self.keep_alive or self.lane.stopping:
            return self.linger()
        self.state = IDLE
        self.body_paused = False
        if not self.backlog_bytes:
            self.deadline_ns = self.poller.now_ns + self.lane.idle_ns
        return self.go_on()

    cdef int linger(self) except -1:
        """Close, but read on for a while: a reset by what the client still sends could overtake the reply."""
        self.state = LINGER
        self.keep_alive = self.body_paused = self.eof_is_news = False
        self.held.size = 0
        self.resume_reading()
        if self.backlog_bytes:
            return self.watch_backlog()
        return self.say_goodbye()

    cdef int say_goodbye(self) except -1:
        """All is sent: end our side."""
        if self.tls is not None and not self.lingering and not self.is_cut:
            try:
                self.tls.unwrap()
            except TLS_ERROR:
                pass            # it wants to read the peer's answer, or there never was a handshake
            self.lingering = True
            self._pump_tls()
            if self.backlog_bytes:
                return self.watch_backlog()
        self.lingering = True
        shutdown(self.fd, SHUT_WR)
        self.deadline_ns = self.poller.now_ns + (LINGER_STOPPING_NS if self.lane.stopping else LINGER_NS)
        return 0

    cdef int flushed(self) except -1:
        if self.state == LINGER:
            return self.say_goodbye()
        if self.state == BUSY or self.body_paused:
            self.deadline_ns = 0
        elif self.state != IDLE:
            self.deadline_ns = self.poller.now_ns + self.lane.body_ns
        elif self.head_begun:
            self.deadline_ns = self.poller.now_ns + self.lane.head_ns
        elif self.lane.stopping:
            return self.linger()
        else:
            self.deadline_ns = self.poller.now_ns + self.lane.idle_ns
        return 0

    cdef bint has_begun(self) noexcept:
        """Some of a next request is here or in the kernel."""
        cdef char first
        return self.head_begun or self.held.size > 0 or recv(self.fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) > 0

    cdef int close_now(self, bint reset) except -1:
        if self.fd >= 0:
            self.lane.connections.discard(self)
            self.lane.open_count -= 1
            release(&self.held)
            release(&self.chunk_body)
            # connection, client and flow point at one another: part them, but not under the feet of who is calling
            self.lane.poller.loop.call_soon(self._part)
        return Wire.close_now(self, reset)

    def _part(self):
        self.client = None
        self.flow = None

    cdef int leave(self, bint reset) except -1:
        """Close, and let go of what points back here."""
        self.close_now(reset)
        return 0

    cdef int ended(self, int error) except -1:
        cdef int state = self.state
        if self.fd < 0:
            return 0
        if state == LINGER and error == 0 and self.backlog_bytes:
            # the last of the reply is on its way to a client that sends no more
            self.closing = True
            self.reading = self.eof_is_news = False
            return self._set_interest()
        # what the peer does not take is not left to the kernel to offer for minutes
        self.close_now(error == -1 and self.backlog_bytes > 0)
        if state != IDLE and state != LINGER and not self.reply_done:
            self.flow.gone()
        return 0

    cdef int expire(self) except -1:
        if self.fd < 0:
            return 0
        if self.backlog_bytes:
            if self.backlog_bytes != self.last_backlog:
                self.watch_backlog()
                return 0
            return self.ended(-1)
        if self.state == IDLE:
            if self.head_begun:
                return self.refuse_unread(FAULT_HEAD_TIMEOUT)
            return self.leave(False)
        if self.state == LINGER:
            return self.leave(True)
        if self.state != BUSY:
            return self.refuse(FAULT_BODY_TIMEOUT)
        return 0

    cdef int watch_backlog(self) except -1:
        """Arm the write timeout: it runs while nothing of the backlog is taken."""
        self.last_backlog = self.backlog_bytes
        self.deadline_ns = self.poller.now_ns + self.lane.write_ns
        return 0

    cdef int disarm(self) except -1:
        """Wait for nothing but the client's taking what is unsent."""
        if not self.backlog_bytes:
            self.deadline_ns = 0
        elif self.deadline_ns == 0:
            self.watch_backlog()
        return 0

    cdef int drained(self) except -1:
        if self.state == IDLE:
            return self.go_on()
        if self.state != LINGER:
            return self.flow.client_drained()
        return 0

    cdef int fault(self, object error) except -1:
        """An exception got this far: the flow answers if it still can, the connection goes."""
        if self.fd < 0:
            return 0
        self.keep_alive = False
        try:
            self.flow.fault(error)
        finally:
            if self.state != LINGER:
                self.leave(True)
        return 0


cdef class LaneClient(Client):
    """The Client of a Connection: puts the framing around what the exchange says."""

    cdef int reply(self, int status, const char* fields, Py_ssize_t fields_len, const char* body, Py_ssize_t n) except -1:
        return self.start(status, fields, fields_len, n, body, n, True)

    cdef int start(self, int status, const char* fields, Py_ssize_t fields_len, int64_t length,
                   const char* p, Py_ssize_t n, bint last) except -1:
        cdef Connection connection = self.connection
        cdef iovec pieces[6]
        cdef char framing[160]
        cdef char size[24]
        cdef int count = 3
        cdef Py_ssize_t at = 0
        cdef bint bodiless = status == 204 or status == 304 or status < 200
        cdef bytes line = <bytes>STATUS_LINES[status]
        if connection.reply_begun or connection.fd < 0:
            return 0
        connection.reply_begun = True
        connection.reply_chunked = connection.reply_until_close = False
        if not connection.request_done and (connection.state != BUSY or connection.body_missing):
            connection.keep_alive = False      # the rest of the request would be taken for the next one
        if bodiless:
            at = 0
        elif length >= 0:
            memcpy(framing, b"content-length: ", 16)
            at = 16 + render_decimal(framing + 16, length)
            memcpy(framing + at, b"\r\n", 2)
            at += 2
        elif connection.minor >= 1:
            memcpy(framing, b"transfer-encoding: chunked\r\n", 28)
            at = 28
            connection.reply_chunked = True
        else:
            connection.keep_alive = False      # HTTP/1.0: the end of the connection is the end of the body
            connection.reply_until_close = True
        if not connection.keep_alive or connection.lane.stopping:
            connection.keep_alive = False
            memcpy(framing + at, b"connection: close\r\n", 19)
            at += 19
        elif connection.minor == 0:
            memcpy(framing + at, b"connection: keep-alive\r\n", 24)
            at += 24
        memcpy(framing + at, b"\r\n", 2)
        at += 2
        pieces[0].iov_base = PyBytes_AS_STRING(line)
        pieces[0].iov_len = PyBytes_GET_SIZE(line)
        pieces[1].iov_base = <void*>fields
        pieces[1].iov_len = fields_len
        pieces[2].iov_base = framing
        pieces[2].iov_len = at
        if n and not bodiless and not connection.is_head:
            if connection.reply_chunked:
                pieces[3].iov_base = size
                pieces[3].iov_len = snprintf(size, 24, b"%zx\r\n", n)
                pieces[4].iov_base = <void*>p
                pieces[4].iov_len = n
                pieces[5].iov_base = <void*>(LAST_CHUNK_END if last else CHUNK_END)
                pieces[5].iov_len = 7 if last else 2
                count = 6
            else:
                pieces[3].iov_base = <void*>p
                pieces[3].iov_len = n
                count = 4
        elif last and connection.reply_chunked and not connection.is_head:
            pieces[3].iov_base = <void*>NO_MORE_CHUNKS
            pieces[3].iov_len = 5
            count = 4
        connection.writev(pieces, count)
        return self.after_write(last)

    cdef int write(self, const char* p, Py_ssize_t n, bint last) except -1:
        cdef Connection connection = self.connection
        cdef iovec pieces[3]
        cdef char size[24]
        if connection.fd < 0 or connection.reply_done:
            return 0
        if connection.is_head:
            n = 0
        elif not connection.reply_chunked:
            if n:
                connection.write(p, n)
        elif n:
            pieces[0].iov_base = size
            pieces[0].iov_len = snprintf(size, 24, b"%zx\r\n", n)
            pieces[1].iov_base = <void*>p
            pieces[1].iov_len = n
            pieces[2].iov_base = <void*>(LAST_CHUNK_END if last else CHUNK_END)
            pieces[2].iov_len = 7 if last else 2
            connection.writev(pieces, 3)
        elif last:
            connection.write(b"0\r\n\r\n", 5)
        return self.after_write(last)

    cdef int after_write(self, bint last) except -1:
        cdef Connection connection = self.connection
        if connection.backlog_bytes and connection.deadline_ns == 0:
            connection.watch_backlog()
        if last:
            connection.reply_done = True
        return 0

    cdef int done(self) except -1:
        if self.connection.reply_done:
            return self.connection.finish()
        return 0

    cdef int abort(self) except -1:
        cdef Connection connection = self.connection
        connection.reply_done = True
        if connection.fd < 0:
            return 0
        if connection.reply_until_close:
            return connection.leave(True)       # an orderly end would say that this was all
        # the end of the connection with the chunked coding unfinished, or the length unmet, says that the reply is not whole
        connection.is_cut = True
        return connection.linger()

    cdef int pause(self) except -1:
        self.connection.body_paused = True
        self.connection.disarm()
        self.connection.eof_is_news = True
        return self.connection.pause_reading()

    cdef int resume(self) except -1:
        cdef Connection connection = self.connection
        if not connection.body_paused or connection.fd < 0:
            return 0
        connection.body_paused = False
        if connection.state != BUSY and not connection.backlog_bytes:
            connection.deadline_ns = connection.poller.now_ns + connection.lane.body_ns
        if connection.processing:
            connection.eof_is_news = False
            return connection.resume_reading()
        return connection.go_on()

    cdef bint is_slow(self):
        return self.connection.over_high_water

    cdef bint is_open(self):
        return self.connection.fd >= 0

    cdef tuple origin(self):
        cdef Connection connection = self.connection
        try:
            with sockets.socket(fileno=os.dup(connection.fd)) as peer:
                return str(peer.getpeername()[0]), connection.lane.tls is not None
        except OSError:
            return "", connection.lane.tls is not None      # it went away


def listening_socket(str host, int port, *, int backlog=1024):
    """Bind a non-blocking TCP socket with SO_REUSEPORT, so that each worker has its own."""
    family = sockets.AF_INET6 if ":" in host else sockets.AF_INET
    sock = sockets.socket(family, sockets.SOCK_STREAM)
    try:
        sock.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
        sock.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEPORT, 1)
        sock.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
        sock.bind((host, port))
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock
