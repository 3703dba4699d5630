"""Connections to providers: HTTP/1.1 over plain TCP or TLS, kept alive, bounded, never resolving names on the way of a request.

A flow takes an idle leg (`take`) or asks for one (`want`) and is called back. A leg hands the reply's head and body to its flow as they
come and returns to the pool before the last piece is delivered, so that a pipelined next request finds it there.
Every way a leg can end is a LegFailure; whether another attempt follows is the flow's decision.
Limits: `limit` connections an origin and worker, heads of 64 KiB, a queue of WAITING_PER_CONNECTION times the limit.
"""
import asyncio
import logging
import socket as sockets
import ssl
from collections import deque

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint32_t
from libc.stdio cimport snprintf
from libc.string cimport memchr

from fastgw._core.aside import run_aside
from fastgw._core.buffer cimport append, release
from fastgw._core.clock cimport monotonic_ns
from fastgw._core.flow cimport (
    LEG_BAD_REPLY, LEG_BUSY, LEG_CONNECT, LEG_CONNECT_TIMEOUT, LEG_DNS, LEG_FIRST_BYTE_TIMEOUT, LEG_HEAD_TOO_LARGE, LEG_IDLE_TIMEOUT,
    LEG_PROXY, LEG_RESET, LEG_TLS, LEG_TOTAL_TIMEOUT, LEG_TRUNCATED, LEG_UPGRADE)
from fastgw._core.http1 cimport HEAD_TOO_LARGE, TOO_MANY_FIELDS, Head, dechunk, parse_response, start_chunked
from fastgw._core.poll cimport EPOLLIN, EPOLLOUT, EPOLLRDHUP, Pollable

cdef extern from "<sys/socket.h>" nogil:
    int getsockopt(int fd, int level, int name, void* value, unsigned int* size)
    int SOL_SOCKET, SO_ERROR

cdef enum State:
    CONNECTING
    TUNNEL                     # waiting for the forward proxy's answer to CONNECT
    SECURING                   # TLS handshake
    READY                      # idle, or just handed to a flow that has not sent yet
    SENT                       # waiting for the reply's head
    REPLYING                   # in its body
    CLOSED

cdef enum Framing:
    NO_BODY
    KNOWN_LENGTH
    CHUNKED
    UNTIL_CLOSE

cdef enum:
    HEAD_LIMIT_BYTES = 65536
    WAITING_PER_CONNECTION = 16

cdef int64_t MS = 1000000
cdef int64_t KEEP_IDLE_NS = 55000000000         # below the 60 s after which common load balancers close
cdef int64_t RESOLVE_AGAIN_NS = 30000000000

cdef const char* CHUNK_END = b"\r\n"
cdef const char* LAST_CHUNK_END = b"\r\n0\r\n\r\n"

log = logging.getLogger("fastgw.upstream")

cdef Head reply_head                            # of the reply being parsed; used by one call at a time


cdef class Origin:
    """The pool of connections to one scheme, host and port; times in milliseconds."""

    def __init__(self, Poller poller, str host, int port, *, context=None, unix_path=None, proxy=None, check=None, int limit=256,
                 long long connect_ms=5000, long long first_byte_ms=300000, long long idle_ms=120000, long long total_ms=1800000):
        self.poller = poller
        self.host = host
        self.port = port
        self.context = context
        self.unix_path = unix_path
        self.proxy = proxy
        self.check = check
        self.limit = limit
        self.connect_ns = connect_ms * MS
        self.first_byte_ns = first_byte_ms * MS
        self.idle_ns = idle_ms * MS
        self.total_ns = total_ms * MS
        self.idle = []
        self.opening = []
        self.waiting = deque()
        self.addresses = self._literal()

    def __repr__(self):
        return (f"<Origin {self.unix_path or f'{self.host}:{self.port}'} {len(self.idle)} idle, {self.busy_count} busy, "
                f"{len(self.waiting)} waiting>")

    @property
    def idle_count(self):
        return len(self.idle)

    @property
    def waiting_count(self):
        return len(self.waiting)

    def _literal(self):
        """The address itself where no name has to be resolved, else None."""
        if self.unix_path:
            return [(sockets.AF_UNIX, self.unix_path)]
        host = self.proxy[0] if self.proxy else self.host
        port = self.proxy[1] if self.proxy else self.port
        for family in (sockets.AF_INET, sockets.AF_INET6):
            try:
                sockets.inet_pton(family, host)
            except OSError:
                continue
            return [(family, (host, port))]
        return None

    def close(self):
        """Close what is idle now and what is busy when its reply is whole; whoever waits for a connection still gets one."""
        cdef Leg leg
        self.closed = True
        for leg in list(self.idle):
            leg.close_now(False)

    cdef Leg take(self):
        cdef Leg leg
        while self.idle:
            leg = <Leg>self.idle.pop()
            leg.is_idle = False
            self.busy_count += 1
            if leg.fd >= 0 and not leg.broken:
                leg.deadline_ns = 0
                return leg
            leg.close_now(False)
        return None

    cdef int want(self, Flow flow, int64_t connect_ns) except -1:
        cdef Leg oldest
        if self.open_count >= self.limit:
            if self.idle:
                # a retry does not take an idle leg, which may be as dead as the one before
                oldest = <Leg>self.idle[0]
                oldest.close_now(False)
            elif len(self.waiting) >= self.limit * WAITING_PER_CONNECTION:
                return flow.leg_failed(LEG_BUSY, False)
            else:
                self.waiting.append((flow, self.poller.now_ns + self.connect_ns))
                if self.timer is None:
                    self.timer = self.poller.loop.call_later(self.connect_ns / 1e9, self._expire_waiting)
                return 0
        return self.open_for(flow, connect_ns)

    cdef int open_for(self, Flow flow, int64_t connect_ns) except -1:
        """Begin a connection; the name, the tunnel and the handshake all count against connect_ms."""
        cdef Leg leg = Leg(self)
        self.open_count += 1
        self.busy_count += 1
        leg.flow = flow
        leg.connect_deadline_ns = self.poller.now_ns + (connect_ns if connect_ns else self.connect_ns)
        self.opening.append(leg)
        if self.addresses is None:
            self._resolve(leg)
            return 0
        if self.resolved_ns and self.poller.now_ns - self.resolved_ns > RESOLVE_AGAIN_NS:
            self._resolve(None)         # the old addresses serve until the answer is there
        leg.addresses = list(self.addresses)
        return leg.connect_next()

    cdef int forget(self, Flow flow) except -1:
        """The flow is gone: its place in the queue is given up; a connection on its way goes to who waits longest, or is given up."""
        cdef Leg leg
        for entry in self.waiting:
            if entry[0] is flow:
                self.waiting.remove(entry)
                return 0
        for leg in self.opening:
            if leg.flow is flow:
                if self.waiting:
                    leg.flow = <Flow>self.waiting.popleft()[0]
                    return 0
                return leg.cancel()
        return 0

    def _expire_waiting(self):
        cdef Flow flow
        self.timer = None
        self.poller.now_ns = monotonic_ns()
        while self.waiting and self.waiting[0][1] <= self.poller.now_ns + MS:
            flow = <Flow>self.waiting.popleft()[0]
            try:
                flow.leg_failed(LEG_BUSY, False)
            except Exception as error:  # the edge of an exchange
                self.contain(flow, error)
        if self.waiting and self.timer is None:
            wait_ns = max(self.waiting[0][1] - self.poller.now_ns, MS)
            self.timer = self.poller.loop.call_later(wait_ns / 1e9, self._expire_waiting)

    cdef int contain(self, Flow flow, object error) except -1:
        """A flow broke in a call of ours: it alone suffers, not the flow that the leg belongs to by now."""
        self.poller.faults += 1
        return flow.fault(error)

    def _resolve(self, Leg leg):
        """Look the name up in a thread; a leg that waits for it goes on when the answer is there."""
        if self.resolving is None:
            self.resolving = self.poller.loop.create_task(self._look_up())
        if leg is not None:
            self.poller.loop.create_task(self._connect_when_resolved(leg))

    async def _look_up(self):
        host = self.proxy[0] if self.proxy else self.host
        port = self.proxy[1] if self.proxy else self.port
        try:
            found = await asyncio.wait_for(
                run_aside(sockets.getaddrinfo, host, port, 0, sockets.SOCK_STREAM), self.connect_ns / 1e9)
            self.addresses = [(family, address) for family, _, _, _, address in found]
            self.resolved_ns = monotonic_ns()
        except Exception as error:      # the edge of a background task; UnicodeError where a name is none
            log.warning("cannot resolve %s: %s", host, str(error) or "timed out")
        finally:
            self.resolving = None

    async def _connect_when_resolved(self, Leg leg):
        cdef Flow flow
        if self.resolving is not None:
            await self.resolving
        if leg.state != CONNECTING:
            return
        self.poller.now_ns = monotonic_ns()
        try:
            if not self.addresses:
                leg.fail(LEG_DNS)
                return
            leg.addresses = list(self.addresses)
            leg.connect_next()
        except Exception as error:      # the edge of an exchange
            leg.fault(error)

    cdef int give_back(self, Leg leg) except -1:
        """A leg has done its work: the next in the queue has it at once."""
        cdef Flow flow
        leg.flow = None
        leg.state = READY
        if self.waiting:
            flow = <Flow>self.waiting.popleft()[0]
            leg.flow = flow
            try:
                return flow.leg_ready(leg)
            except Exception as error:  # the edge of another exchange than the one that gives back
                self.contain(flow, error)
                return leg.close_now(False)
        if self.closed:
            return leg.close_now(False)
        self.busy_count -= 1
        leg.deadline_ns = self.poller.now_ns + KEEP_IDLE_NS
        leg.is_idle = True
        self.idle.append(leg)
        return 0

    cdef int lost(self, Leg leg) except -1:
        """A connection has closed: there is room for another."""
        cdef Flow flow
        self.open_count -= 1
        if self.serving:
            return 0            # the loop further up goes on: as a recursion, a queue that fails at once would be as deep as it is long
        self.serving = True
        try:
            while self.waiting and self.open_count < self.limit:
                flow = <Flow>self.waiting.popleft()[0]
                try:
                    self.open_for(flow, 0)
                except Exception as error:  # as above
                    self.contain(flow, error)
        finally:
            self.serving = False
        return 0


cdef class Leg(Wire):
    """One connection to an origin, and at most one exchange on it."""

    def __init__(self, Origin origin):
        self.origin = origin
        self.poller = origin.poller
        self.state = CONNECTING

    def __dealloc__(self):
        release(&self.held)

    def __repr__(self):
        return f"<Leg to {self.origin.host}:{self.origin.port} state {self.state}, {self.served} served>"

    cdef int arm(self, int64_t timeout_ns) except -1:
        self.deadline_ns = self.poller.now_ns + timeout_ns
        if self.total_deadline_ns and self.deadline_ns > self.total_deadline_ns:
            self.deadline_ns = self.total_deadline_ns
        return 0

    # getting connected

    cdef int connect_next(self) except -1:
        """Try the next address; the error of the last one is the leg's."""
        cdef int fd, number
        cdef int64_t left_ns
        while self.addresses:
            family, address = self.addresses.pop(0)
            if self.origin.check is not None:
                try:
                    # on the very address: a name may be looked up to another one each time
                    self.origin.check(address[0], self.origin.host)
                except ValueError as problem:
                    log.warning("%s is not connected to: %s", self.origin.host, problem)
                    continue
            try:
                sock = sockets.socket(family, sockets.SOCK_STREAM)
                sock.setblocking(False)
                if family != sockets.AF_UNIX:
                    sock.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
                number = sock.connect_ex(address)
            except OSError:
                continue
            if number and number not in (115, 11):      # EINPROGRESS, EAGAIN (a full Unix socket queue)
                sock.close()
                continue
            fd = sock.detach()
            self.state = CONNECTING
            self.attach(self.origin.poller, fd, EPOLLOUT)
            self.reading = False
            # an address that does not answer leaves time for those after it
            left_ns = max(self.connect_deadline_ns - self.poller.now_ns, 1)
            self.deadline_ns = self.poller.now_ns + left_ns // (len(self.addresses) + 1)
            return 0
        return self.fail(LEG_CONNECT)

    cdef int ready(self, uint32_t events) except -1:
        cdef int error = 0
        cdef unsigned int size = sizeof(error)
        if self.state != CONNECTING:
            return Wire.ready(self, events)
        if getsockopt(self.fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 or error:
            Wire.close_now(self, False)
            return self.connect_next()
        self.reading = True
        self.deadline_ns = self.connect_deadline_ns
        self._set_interest()
        if self.origin.proxy is not None and self.origin.context is not None:
            self.state = TUNNEL
            authorization = self.origin.proxy[2]
            target = f"[{self.origin.host}]" if ":" in self.origin.host else self.origin.host
            request = f"CONNECT {target}:{self.origin.port} HTTP/1.1\r\nhost: {target}:{self.origin.port}\r\n".encode()
            if authorization:
                request += b"proxy-authorization: " + authorization + b"\r\n"
            request += b"\r\n"
            return self.write(PyBytes_AS_STRING(request), PyBytes_GET_SIZE(request))
        return self.established()

    cdef int established(self) except -1:
        """There is a TCP connection to the origin itself."""
        cdef Flow flow = self.flow
        if self.origin.context is not None and self.tls is None:
            self.state = SECURING
            return self.start_tls(self.origin.context, False, self.origin.host, self.origin.session)
        self.state = READY
        self.deadline_ns = 0
        self.origin.opening.remove(self)
        return flow.leg_ready(self)

    cdef int secured(self) except -1:
        return self.established()

    cdef int take_tunnel(self, char* p, Py_ssize_t n) except -1:
        cdef Py_ssize_t length
        append(&self.held, p, n)
        length = parse_response(self.held.start, self.held.size, &reply_head, HEAD_LIMIT_BYTES)
        if length == 0:
            return 0
        if length < 0 or reply_head.status // 100 != 2 or length != self.held.size:
            return self.fail(LEG_PROXY)
        self.held.size = 0
        return self.established()

    # sending

    cdef void limit(self, int64_t first_byte_ns, int64_t idle_ns, int64_t total_ns) noexcept:
        self.first_byte_ns = first_byte_ns if first_byte_ns else self.origin.first_byte_ns
        self.idle_ns = idle_ns if idle_ns else self.origin.idle_ns
        self.total_ns = total_ns if total_ns else self.origin.total_ns

    cdef int send(self, iovec* pieces, int count, bint for_head, bint whole, bint chunked) except -1:
        self.for_head = for_head
        self.uploaded = whole
        self.upload_chunked = chunked
        self.touched = False
        self.held.size = 0
        self.state = SENT
        self.total_deadline_ns = self.poller.now_ns + self.total_ns
        self.arm(self.first_byte_ns if whole else self.total_ns)
        return self.writev(pieces, count)

    cdef int send_piece(self, const char* p, Py_ssize_t n, bint last) except -1:
        cdef iovec pieces[3]
        cdef char size[24]
        if self.upload_chunked:
            if n:
                pieces[0].iov_base = size
                pieces[0].iov_len = snprintf(size, 24, b"%zx\r\n", n)
                pieces[1].iov_base = <void*>p
                pieces[1].iov_len = n
                pieces[2].iov_base = <void*>(LAST_CHUNK_END if last else CHUNK_END)
                pieces[2].iov_len = 7 if last else 2
                self.writev(pieces, 3)
            elif last:
                self.write(b"0\r\n\r\n", 5)
        elif n:
            self.write(p, n)
        if last:
            self.uploaded = True
            if self.state == SENT:
                self.arm(self.first_byte_ns)
        return 0

    cdef int drained(self) except -1:
        if self.flow is not None and not self.uploaded:
            self.flow.leg_drained()
        return 0

    cdef int pause(self) except -1:
        self.deadline_ns = self.total_deadline_ns
        return self.pause_reading()

    cdef int resume(self) except -1:
        if self.state == REPLYING:
            self.arm(self.idle_ns)
        return self.resume_reading()

    # the reply

    cdef int received(self, char* p, Py_ssize_t n) except -1:
        if self.state == REPLYING:
            return self.take_body(p, n)
        if self.state == SENT:
            return self.take_head(p, n)
        if self.state == TUNNEL:
            return self.take_tunnel(p, n)
        return self.close_now(False)        # nobody asked: a provider's 408 on an idle connection

    cdef int take_head(self, char* p, Py_ssize_t n) except -1:
        cdef Py_ssize_t length, used
        cdef Flow flow = self.flow
        cdef bint from_held = self.held.size > 0
        self.touched = True
        if from_held:
            append(&self.held, p, n)
            if memchr(p, 10, n) == NULL and self.held.size < HEAD_LIMIT_BYTES:
                return 0                # no line has ended: a trickled head costs no rescans
            p = self.held.start
            n = self.held.size
        while True:
            length = parse_response(p, n, &reply_head, HEAD_LIMIT_BYTES)
            if length == 0:
                if not from_held:
                    append(&self.held, p, n)
                else:
                    # p may have moved past interim heads
                    used = p - self.held.start
                    if used:
                        remains = p[:n]
                        self.held.size = 0
                        append(&self.held, PyBytes_AS_STRING(remains), n)
                return 0
            if length < 0:
                return self.fail(LEG_HEAD_TOO_LARGE if length == HEAD_TOO_LARGE or length == TOO_MANY_FIELDS else LEG_BAD_REPLY)
            if reply_head.status >= 200:
                break
            if reply_head.status == 101:
                return self.fail(LEG_UPGRADE)
            p += length             # 100 Continue, 103 Early Hints
            n -= length
            if n == 0:
                self.held.size = 0
                return 0
        self.keep_alive = reply_head.keep_alive
        if self.for_head or reply_head.status == 204 or reply_head.status == 304:
            self.framing = NO_BODY
        elif reply_head.chunked:
            self.framing = CHUNKED
            start_chunked(&self.chunks)
        elif reply_head.content_length >= 0:
            self.framing = KNOWN_LENGTH if reply_head.content_length else NO_BODY
            self.left = reply_head.content_length
        else:
            self.framing = UNTIL_CLOSE
            self.keep_alive = False
        self.state = REPLYING
        self.arm(self.idle_ns)
        flow.reply_head(p, &reply_head, n > length or self.framing == NO_BODY)
        if self.flow is not flow or self.state != REPLYING:
            return 0
        p += length
        n -= length
        if self.framing == NO_BODY:
            return self.deliver(NULL, 0, True, n == 0)
        if n:
            return self.take_body(p, n)
        return 0

    cdef int take_body(self, char* p, Py_ssize_t n) except -1:
        cdef Py_ssize_t size, used
        cdef bint last
        if self.framing == KNOWN_LENGTH:
            size = min(n, self.left)
            self.left -= size
            return self.deliver(p, size, self.left == 0, n == size)
        if self.framing == UNTIL_CLOSE:
            return self.deliver(p, n, False, True)
        size = dechunk(&self.chunks, p, n, &used)
        if size < 0:
            return self.fail(LEG_BAD_REPLY)
        return self.deliver(p, size, self.chunks.done, used == n)

    cdef int deliver(self, char* p, Py_ssize_t n, bint last, bint clean) except -1:
        """Hand on a piece; before the last one the leg is back in the pool, or closed where it cannot serve again."""
        cdef Flow flow = self.flow
        cdef Buffer held
        if not last:
            if self.reading:
                self.arm(self.idle_ns)
            return flow.reply_data(p, n, False)
        self.served += 1
        self.deadline_ns = self.total_deadline_ns = 0
        if self.tls is not None and not self.session_saved:
            self.session_saved = True
            self.origin.session = self.tls.session
        held = self.held                # p may point into it, and neither closing nor the leg's next flow may take it away
        self.held.start = NULL
        self.held.size = self.held.room = 0
        try:
            if self.keep_alive and clean and self.uploaded and not self.backlog_bytes and not self.broken:
                if not self.reading:
                    self.resume_reading()
                self.origin.give_back(self)
            else:
                self.flow = None
                self.close_now(False)
            flow.reply_data(p, n, True)
        except Exception as error:      # the edge of an exchange: the leg may be another's by now
            self.origin.contain(flow, error)
        finally:
            release(&held)
        return 0

    # ends

    cdef int cancel(self) except -1:
        """The flow has no more use for this leg."""
        self.flow = None
        return self.close_now(False)

    cdef bint is_whole(self, int error) except -1:
        """Whether a body that lasts until the connection ends has ended: with TLS only where the peer said so (RFC 9112, 9.8)."""
        if error != 0:
            return False
        if self.tls is None:
            return True
        try:
            return not self.tls.read(1)
        except ssl.SSLError:
            return False

    cdef int fail(self, int failure) except -1:
        cdef Flow flow = self.flow
        cdef bint untouched = failure == LEG_RESET and self.served > 0 and not self.touched
        self.flow = None
        self.close_now(False)
        if flow is not None:
            try:
                flow.leg_failed(failure, untouched)
            except Exception as error:  # the edge of an exchange; this leg has none any more
                self.origin.contain(flow, error)
        return 0

    cdef int ended(self, int error) except -1:
        if self.fd < 0:
            return 0
        if self.state == CONNECTING:
            Wire.close_now(self, False)
            return self.connect_next()
        if self.state == TUNNEL:
            return self.fail(LEG_PROXY)
        if self.state == SECURING:
            return self.fail(LEG_TLS)
        if self.state == SENT:
            return self.fail(LEG_RESET)
        if self.state == REPLYING:
            if self.framing == UNTIL_CLOSE and self.is_whole(error):
                return self.deliver(NULL, 0, True, False)
            return self.fail(LEG_TRUNCATED)
        return self.close_now(False) if self.flow is None else self.fail(LEG_RESET)

    cdef int expire(self) except -1:
        cdef bint total = self.total_deadline_ns != 0 and self.poller.now_ns >= self.total_deadline_ns
        if self.state == READY:
            return self.close_now(False)
        if self.state <= SECURING:
            if self.state == CONNECTING and self.addresses:
                Wire.close_now(self, False)
                return self.connect_next()
            return self.fail(LEG_CONNECT_TIMEOUT)
        if total:
            return self.fail(LEG_TOTAL_TIMEOUT)
        return self.fail(LEG_FIRST_BYTE_TIMEOUT if self.state == SENT else LEG_IDLE_TIMEOUT)

    cdef int close_now(self, bint reset) except -1:
        if self.state == CLOSED:
            return 0
        if self.state <= SECURING and self in self.origin.opening:
            self.origin.opening.remove(self)
        self.state = CLOSED
        Wire.close_now(self, reset)
        release(&self.held)
        if self.is_idle:
            self.is_idle = False
            self.origin.idle.remove(self)
        else:
            self.origin.busy_count -= 1
        return self.origin.lost(self)

    cdef int fault(self, object error) except -1:
        cdef Flow flow = self.flow
        self.flow = None
        self.close_now(True)
        if flow is not None:
            flow.fault(error)
        return 0
