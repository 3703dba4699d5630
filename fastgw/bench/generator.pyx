"""Send requests from many keep-alive connections on one core, and time what comes back.

Input      one request as bytes; when to send: as soon as a connection is free (closed loop), or when each is due (open loop).
Output     counts, histograms of nanoseconds, a row for each second.
Ownership  each connection has a buffer of its own, in which its reply is parsed and compared in place.
Limits     a reply of 64 MiB; as many connections as there are descriptors.
Complexity per request: one send, one recv or a few, a share of one epoll_wait, a head parsed, a comparison of the body.

An epoll set of its own and no event loop, so that what is measured is the server and not asyncio. In the open loop a request that finds
no free connection waits, and its latency counts from when it was due all the same: a server that stalls cannot hide what it kept from
being sent (coordinated omission). A timer descriptor wakes the loop, since epoll_wait knows only whole milliseconds.

This file is longer than most: it is one state machine, the life of a connection.
"""
import errno as numbers
import os
import socket
import ssl
from typing import NamedTuple

from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc, PyMem_Realloc
from libc.errno cimport EAGAIN, EINTR, errno
from libc.math cimport log
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memmove, memset

from fastgw._core.clock cimport monotonic_ns, timespec, wall_ns
from fastgw._core.http1 cimport NEED_MORE, Chunked, Head, dechunk, parse_response, start_chunked
from fastgw.bench.histogram cimport Histogram
from fastgw.bench.reply cimport event_end, has_content, has_usage, is_end

cdef extern from "<time.h>" nogil:
    int CLOCK_MONOTONIC, CLOCK_THREAD_CPUTIME_ID
    int clock_gettime(int clock, timespec* out)

cdef extern from "<sys/epoll.h>" nogil:
    union epoll_data_t:
        uint32_t u32
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_create1(int flags)
    int epoll_ctl(int epfd, int op, int fd, epoll_event* event)
    int epoll_wait(int epfd, epoll_event* events, int most, int timeout)
    enum: EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL, EPOLLIN, EPOLLOUT, EPOLLET

cdef extern from "<sys/timerfd.h>" nogil:
    struct itimerspec:
        timespec it_interval
        timespec it_value
    int timerfd_create(int clock, int flags)
    int timerfd_settime(int fd, int flags, const itimerspec* at, itimerspec* before)
    enum: TFD_NONBLOCK, TFD_CLOEXEC, TFD_TIMER_ABSTIME

cdef extern from "<sys/socket.h>" nogil:
    ssize_t recv(int fd, void* buffer, size_t size, int flags)
    ssize_t send "send"(int fd, const void* buffer, size_t size, int flags)
    int MSG_NOSIGNAL

cdef extern from "<unistd.h>" nogil:
    int close(int fd)

cdef enum:
    BATCH = 128
    TIMER = 0xffffffffu            # the timer's place among the connections
    NONCE_BYTES = 16
    HEAD_LIMIT = 65536
    FIRST_ROOM = 16384
    LEAST_ROOM = 4096
    MOST_ROOM = 64 << 20
    MOST_REFUSALS = 20             # connections in a row that could not be opened
    SAMPLE_BYTES = 400

cdef enum State:
    CLOSED
    CONNECTING
    SHAKING                        # TLS handshake
    FREE
    WAITING                        # for the reply, or still sending the request

cdef int64_t SECOND_NS = 1000000000
cdef int64_t TICK_NS = 100000000   # between two looks at deadlines
cdef int64_t OVERTIME_NS = 2 * SECOND_NS
cdef int64_t FOREVER = 0x7fffffffffffffff

WANT_READ, WANT_WRITE = ssl.SSLWantReadError, ssl.SSLWantWriteError

cdef struct Connection:
    int fd
    int state
    uint32_t interest
    char* buffer                   # head, payload, and what is not dechunked yet
    Py_ssize_t size
    Py_ssize_t room
    Py_ssize_t head_bytes          # 0 until the head is whole
    Py_ssize_t payload_end
    Py_ssize_t scanned             # events up to here are counted
    int64_t content_length
    Chunked chunks
    int status
    bint chunked
    bint keep_alive
    bint told_usage
    bint ended                     # the event that ends a stream came
    bint was_reopened              # in this run: what the caller waits for includes the new connection
    bint is_queued                 # it stands in the ring of free ones, whether or not it still is
    Py_ssize_t sent                # bytes of the request
    uint64_t nonce
    int64_t due_ns
    int64_t free_ns                # since when it is free
    int64_t content_ns             # when the last event with content came; 0: none yet
    int64_t deadline_ns


class Second(NamedTuple):
    at_s: float
    replies: int
    errors: int
    p50_ns: int
    p99_ns: int
    most_ns: int


cdef int64_t thread_cpu_ns() noexcept nogil:
    cdef timespec at
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at)
    return <int64_t>at.tv_sec * SECOND_NS + at.tv_nsec


cdef class Load:
    cdef Connection* connections
    cdef int count
    cdef list sockets
    cdef object address, tls, server_name
    cdef int family
    cdef int epoll_fd, timer_fd
    cdef char* request
    cdef Py_ssize_t request_bytes
    cdef Py_ssize_t nonce_at
    cdef uint64_t nonce
    cdef int kind
    cdef bytes expected
    cdef bint needs_usage
    cdef int64_t timeout_ns
    cdef Head head
    cdef int* free                 # a ring of connections, so that all of them take part
    cdef int free_first, free_count
    # of the run
    cdef int64_t begin_ns, end_ns, overtime_ns, give_up_ns, tick_ns, armed_ns
    cdef long long limit, most_errors
    cdef double interval_ns
    cdef bint poisson
    cdef uint64_t chance
    cdef double due                # of the next request, ns after begin_ns
    cdef int64_t due_ns            # the same as a time
    cdef int64_t first_due_ns, last_due_ns, first_reply_ns, last_reply_ns
    cdef bint running
    cdef int in_flight, refusals
    cdef dict fault_counts
    cdef Histogram second
    cdef int64_t second_ns, second_wall_ns
    cdef long long second_errors
    cdef readonly long long sent, replies, errors, unanswered, reopened, changed, compared
    cdef readonly long long body_bytes, events_seen, contents_seen, together, busy_ns
    cdef readonly bytes first_fault
    cdef readonly Histogram latencies, firsts, gaps, lags
    cdef readonly list seconds

    def __init__(
        self, address, int family, bytes request not None, *, int connections=1, Py_ssize_t nonce_at=-1, int events=0,
        bytes expected=None, bint needs_usage=True, double timeout_s=30.0, tls=None, server_name="", long long most_errors=100,
    ):
        cdef int at
        if connections < 1 or nonce_at >= 0 and nonce_at + NONCE_BYTES > len(request):
            raise ValueError("expected a connection at least, and the nonce inside the request")
        self.address, self.family, self.tls, self.server_name = address, family, tls, server_name
        self.count, self.nonce_at, self.kind, self.expected = connections, nonce_at, events, expected
        self.needs_usage, self.timeout_ns, self.most_errors = needs_usage, <int64_t>(timeout_s * 1e9), most_errors
        self.request_bytes = len(request)
        self.request = <char*>PyMem_Malloc(self.request_bytes)
        self.connections = <Connection*>PyMem_Calloc(connections, sizeof(Connection))
        self.free = <int*>PyMem_Calloc(connections, sizeof(int))
        if self.request == NULL or self.connections == NULL or self.free == NULL:
            raise MemoryError
        memcpy(self.request, <const char*>request, self.request_bytes)
        self.nonce = <uint64_t>wall_ns()
        for at in range(connections):
            self.connections[at].fd = -1
        self.sockets = [None] * connections
        self.latencies, self.firsts, self.gaps, self.lags, self.second = (Histogram() for _ in range(5))
        self.epoll_fd = epoll_create1(EPOLL_CLOEXEC)
        self.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)
        if self.epoll_fd < 0 or self.timer_fd < 0:
            raise OSError(errno, "epoll or timer")
        self._watch(self.timer_fd, TIMER, EPOLLIN | EPOLLET, EPOLL_CTL_ADD)
        self._clear()

    def __cinit__(self):
        self.epoll_fd = self.timer_fd = -1

    def __dealloc__(self):
        cdef int at
        if self.connections != NULL:
            for at in range(self.count):
                PyMem_Free(self.connections[at].buffer)
        PyMem_Free(self.connections)
        PyMem_Free(self.request)
        PyMem_Free(self.free)
        if self.timer_fd >= 0:
            close(self.timer_fd)
        if self.epoll_fd >= 0:
            close(self.epoll_fd)

    def __repr__(self):
        return f"<Load of {self.count} to {self.address}: {self.replies} replies, {self.errors} errors, {self.in_flight} in flight>"

    @property
    def wall_ns(self):
        return max(0, self.last_reply_ns - self.begin_ns)

    @property
    def due_span_ns(self):
        return self.last_due_ns - self.first_due_ns

    @property
    def reply_span_ns(self):
        return self.last_reply_ns - self.first_reply_ns

    def faults(self):
        return dict(self.fault_counts)

    def close(self):
        cdef int at
        for at in range(self.count):
            self._drop(at)

    # a run

    def start(self, *, double seconds=0.0, long long requests=0, double rate=0.0, bint poisson=False, uint64_t seed=1):
        if seconds <= 0 and requests <= 0:
            raise ValueError("expected an end: seconds or requests")
        self._clear()
        self._open_all()
        self.limit = requests if requests > 0 else FOREVER
        self.interval_ns = 1e9 / rate if rate > 0 else 0.0
        self.poisson = poisson
        self.chance = seed * <uint64_t>0x9E3779B97F4A7C15 + 1
        self.begin_ns = self.tick_ns = self.second_ns = monotonic_ns()
        self.second_wall_ns = wall_ns()
        self.end_ns = self.begin_ns + <int64_t>(seconds * 1e9) if seconds > 0 else FOREVER
        self.overtime_ns = self.end_ns + OVERTIME_NS if seconds > 0 else FOREVER
        self.give_up_ns = self.overtime_ns + self.timeout_ns if seconds > 0 else FOREVER
        self.due = 0.0
        self.due_ns = self.begin_ns
        if self.interval_ns > 0:
            self._next_due()
            self.first_due_ns = self.due_ns
        self.running = True

    def advance(self, double seconds):
        cdef int64_t now = monotonic_ns()
        cdef int64_t until = now + <int64_t>(seconds * 1e9)
        cdef int64_t cpu = thread_cpu_ns()
        cdef epoll_event events[BATCH]
        cdef int ready, at, timeout_ms
        while self.running and now < until:
            self._send_due(now)
            if self._is_over(now):
                self._conclude(now)
                break
            timeout_ms = self._sleep_ms(now, until)
            with nogil:
                ready = epoll_wait(self.epoll_fd, events, BATCH, timeout_ms)
            for at in range(ready):
                if events[at].data.u32 != TIMER:
                    self._ready(<int>events[at].data.u32)
            now = monotonic_ns()
            if now >= self.tick_ns:
                self._tick(now)
        self.busy_ns += thread_cpu_ns() - cpu
        return self.running

    cdef bint _may_send(self, int64_t now) noexcept:
        """Whether the run has requests left that are not sent."""
        if self.sent >= self.limit or self.errors >= self.most_errors or self.refusals >= MOST_REFUSALS:
            return False
        if self.interval_ns > 0:
            # What could not be sent in time is sent later; but a queue that only grows is not worked off for ever.
            return self.due_ns < self.end_ns and now < self.overtime_ns
        return now < self.end_ns

    cdef bint _is_over(self, int64_t now) noexcept:
        if now >= self.give_up_ns or self.errors >= self.most_errors or self.refusals >= MOST_REFUSALS:
            return True
        return self.in_flight == 0 and not self._may_send(now)

    cdef int _conclude(self, int64_t now) except -1:
        """End the run; what has no reply is unanswered, unless errors ended it, and its connection cannot be used again."""
        cdef int at
        cdef bint was_given_up = self.errors >= self.most_errors or self.refusals >= MOST_REFUSALS
        for at in range(self.count):
            if self.connections[at].state == WAITING:
                self.unanswered += not was_given_up
                self._drop(at)
        self.in_flight = 0
        if self.interval_ns > 0 and not was_given_up:
            while self.due_ns < min(self.end_ns, now) and self.sent + self.unanswered < self.limit:
                self.unanswered += 1
                self._next_due()
        self._end_second(now)
        self.running = False
        return 0

    cdef int _clear(self) except -1:
        for histogram in (self.latencies, self.firsts, self.gaps, self.lags, self.second):
            histogram.clear()
        self.sent = self.replies = self.errors = self.unanswered = self.reopened = self.changed = self.compared = 0
        self.body_bytes = self.events_seen = self.contents_seen = self.together = self.busy_ns = self.second_errors = 0
        self.first_due_ns = self.last_due_ns = self.first_reply_ns = self.last_reply_ns = self.armed_ns = 0
        self.refusals = 0
        self.fault_counts, self.seconds, self.first_fault = {}, [], b""
        return 0

    cdef int _next_due(self) except -1:
        cdef double step = self.interval_ns
        if self.poisson:
            # xorshift64*; the upper 53 bits as a number in (0, 1].
            self.chance ^= self.chance >> 12
            self.chance ^= self.chance << 25
            self.chance ^= self.chance >> 27
            step *= -log(<double>(((self.chance * <uint64_t>0x2545F4914F6CDD1D) >> 11) + 1) / 9007199254740992.0)
        self.due += step
        self.due_ns = self.begin_ns + <int64_t>self.due
        return 0

    cdef int _send_due(self, int64_t now) except -1:
        """Give free connections what is due: everything in the closed loop."""
        cdef Connection* connection
        cdef int at
        while self.free_count > 0 and self._may_send(now) and (self.interval_ns == 0 or self.due_ns <= now):
            at = self.free[self.free_first]
            self.free_first = (self.free_first + 1) % self.count
            self.free_count -= 1
            connection = &self.connections[at]
            connection.is_queued = False
            if connection.state != FREE:
                continue
            if self.interval_ns == 0:
                self._send(at, connection.free_ns if connection.was_reopened else now, now)
            else:
                if connection.free_ns <= self.due_ns:
                    self.lags.add(now - self.due_ns)
                self._send(at, self.due_ns, now)
        return 0

    cdef int _sleep_ms(self, int64_t now, int64_t until) noexcept:
        """Arm the timer for the next request that is due, and return how long epoll may wait besides."""
        cdef itimerspec at
        cdef int64_t wait_ns = min(until, self.tick_ns)
        if self.interval_ns == 0 and now < self.end_ns < wait_ns:
            wait_ns = self.end_ns
        if self.interval_ns > 0 and self.free_count > 0 and self.due_ns != self.armed_ns and self._may_send(now):
            memset(&at, 0, sizeof(at))
            at.it_value.tv_sec = self.due_ns // SECOND_NS
            at.it_value.tv_nsec = self.due_ns % SECOND_NS
            timerfd_settime(self.timer_fd, TFD_TIMER_ABSTIME, &at, NULL)
            self.armed_ns = self.due_ns
        return <int>max(0, (wait_ns - now + 999999) // 1000000)

    cdef int _tick(self, int64_t now) except -1:
        cdef int at
        self.tick_ns = now + TICK_NS
        for at in range(self.count):
            if self.connections[at].state == WAITING and self.connections[at].deadline_ns <= now:
                self._fail(at, "no reply in time", b"")
            elif self.connections[at].state == CLOSED:
                self._open(at)
        return 0

    cdef int _end_second(self, int64_t now) except -1:
        if self.second.count or self.second_errors:
            self.seconds.append(Second(
                self.second_wall_ns / 1e9, self.second.count, self.second_errors, self.second.percentile_ns(0.5),
                self.second.percentile_ns(0.99), self.second.most_ns))
        self.latencies.merge(self.second)
        self.second.clear()
        self.second_errors = 0
        self.second_wall_ns += now - self.second_ns
        self.second_ns = now
        return 0

    # connections

    cdef int _watch(self, int fd, uint32_t place, uint32_t events, int how) except -1:
        cdef epoll_event event
        event.events = events
        event.data.u32 = place
        if epoll_ctl(self.epoll_fd, how, fd, &event) < 0:
            raise OSError(errno, "epoll_ctl")
        return 0

    cdef int _set_interest(self, int at, uint32_t events) except -1:
        if self.connections[at].interest != events:
            self._watch(self.connections[at].fd, at, events, EPOLL_CTL_MOD)
            self.connections[at].interest = events
        return 0

    cdef int _open_all(self) except -1:
        """Open what is not open, and find out what the server closed meanwhile."""
        cdef epoll_event events[BATCH]
        cdef int64_t deadline = monotonic_ns() + self.timeout_ns
        cdef int at, ready, missing = 1
        ready = epoll_wait(self.epoll_fd, events, BATCH, 0)
        while ready > 0:
            for at in range(ready):
                if events[at].data.u32 != TIMER:
                    self._ready(<int>events[at].data.u32)
            ready = epoll_wait(self.epoll_fd, events, BATCH, 0)
        while missing:
            if self.refusals or monotonic_ns() > deadline:
                raise OSError(numbers.ETIMEDOUT if not self.refusals else 0, self.first_fault.decode() or "no connection in time")
            missing = 0
            for at in range(self.count):
                if self.connections[at].state == CLOSED:
                    self._open(at)
                missing += self.connections[at].state != FREE
            if missing:
                with nogil:
                    ready = epoll_wait(self.epoll_fd, events, BATCH, 10)
                for at in range(ready):
                    if events[at].data.u32 != TIMER:
                        self._ready(<int>events[at].data.u32)
        self._clear()
        self.free_first, self.free_count = 0, 0
        for at in range(self.count):
            self.connections[at].was_reopened = self.connections[at].is_queued = False
            self._release(at, 0)
        return 0

    cdef int _open(self, int at) except -1:
        cdef Connection* connection = &self.connections[at]
        sock = socket.socket(self.family, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sockets[at] = sock
        connection.fd = sock.fileno()
        connection.state = CONNECTING
        connection.interest = EPOLLOUT
        connection.free_ns = monotonic_ns()
        self._watch(connection.fd, at, EPOLLOUT, EPOLL_CTL_ADD)
        number = sock.connect_ex(self.address)
        if number not in (0, numbers.EINPROGRESS):
            self._refuse(at, OSError(number, os.strerror(number)))
        return 0

    cdef int _refuse(self, int at, object error) except -1:
        """A connection could not be opened."""
        self.refusals += 1
        self._count_fault("no connection", (error.strerror or str(error)).encode())
        self._drop(at)
        return 0

    cdef int _connected(self, int at) except -1:
        """Go on from CONNECTING or SHAKING."""
        cdef Connection* connection = &self.connections[at]
        try:
            if connection.state == CONNECTING:
                number = self.sockets[at].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if number:
                    raise OSError(number, os.strerror(number))
                if self.tls is not None:
                    # Wrapping duplicates nothing: the descriptor, and so its place in the epoll set, stays.
                    self.sockets[at] = self.tls.wrap_socket(
                        self.sockets[at], server_hostname=self.server_name, do_handshake_on_connect=False)
                    connection.state = SHAKING
            if connection.state == SHAKING:
                self.sockets[at].do_handshake()
        except WANT_READ:
            self._set_interest(at, EPOLLIN)
            return 0
        except WANT_WRITE:
            self._set_interest(at, EPOLLOUT)
            return 0
        except OSError as error:
            self._refuse(at, error)
            return 0
        self.refusals = 0
        self._set_interest(at, EPOLLIN)
        connection.state = FREE
        if self.running:
            self._push_free(at)
        return 0

    cdef int _push_free(self, int at) except -1:
        if self.connections[at].is_queued:
            return 0
        self.connections[at].is_queued = True
        self.free[(self.free_first + self.free_count) % self.count] = at
        self.free_count += 1
        return 0

    cdef int _release(self, int at, int64_t now) except -1:
        """The connection is free again: forget the last reply."""
        cdef Connection* connection = &self.connections[at]
        connection.state = FREE
        connection.free_ns = now
        connection.size = connection.head_bytes = 0
        self._push_free(at)
        return 0

    cdef int _drop(self, int at) except -1:
        cdef Connection* connection = &self.connections[at]
        if self.sockets[at] is not None:
            epoll_ctl(self.epoll_fd, EPOLL_CTL_DEL, connection.fd, NULL)
            self.sockets[at].close()
            self.sockets[at] = None
        connection.fd = -1
        connection.state = CLOSED
        connection.size = connection.head_bytes = 0
        return 0

    cdef int _reopen(self, int at) except -1:
        self._drop(at)
        if self.running and self.refusals < MOST_REFUSALS and self._may_send(monotonic_ns()):
            self._open(at)
            self.connections[at].was_reopened = True
        return 0

    cdef int _count_fault(self, str name, bytes sample) except -1:
        self.errors += 1
        self.second_errors += 1
        self.fault_counts[name] = self.fault_counts.get(name, 0) + 1
        if not self.first_fault:
            self.first_fault = sample[:SAMPLE_BYTES]
        return 0

    cdef int _fail(self, int at, str name, bytes sample) except -1:
        """The exchange in hand ends badly, and its connection with it."""
        self._count_fault(name, sample)
        self.in_flight -= 1
        self._reopen(at)
        return 0

    # one exchange

    cdef int _send(self, int at, int64_t due_ns, int64_t now) except -1:
        cdef Connection* connection = &self.connections[at]
        connection.state = WAITING
        connection.due_ns = due_ns
        connection.deadline_ns = now + self.timeout_ns
        connection.was_reopened = False
        connection.size = connection.head_bytes = connection.scanned = connection.sent = 0
        connection.told_usage = connection.ended = False
        connection.content_ns = 0
        self.nonce += 1
        connection.nonce = self.nonce
        self.sent += 1
        self.in_flight += 1
        if self.interval_ns > 0:
            self.last_due_ns = due_ns
            self._next_due()
        return self._go_on_sending(at)

    cdef int _go_on_sending(self, int at) except -1:
        cdef Connection* connection = &self.connections[at]
        cdef ssize_t done
        if self.nonce_at >= 0:
            self._write_nonce(connection.nonce)
        while connection.sent < self.request_bytes:
            if self.tls is not None:
                try:
                    done = self.sockets[at].send(self.request[connection.sent:self.request_bytes])
                except (WANT_READ, WANT_WRITE):
                    done = -1
                except OSError as error:
                    return self._fail(at, "closed", str(error).encode())
            else:
                done = send(connection.fd, self.request + connection.sent, self.request_bytes - connection.sent, MSG_NOSIGNAL)
                if done < 0 and errno == EINTR:
                    continue
                if done < 0 and errno != EAGAIN:
                    return self._fail(at, "closed", b"the server closed the connection")
            if done < 0:
                return self._set_interest(at, EPOLLIN | EPOLLOUT)
            connection.sent += done
        return self._set_interest(at, EPOLLIN)

    cdef void _write_nonce(self, uint64_t nonce) noexcept:
        cdef int digit
        for digit in range(NONCE_BYTES):
            self.request[self.nonce_at + NONCE_BYTES - 1 - digit] = b"0123456789abcdef"[nonce & 15]
            nonce >>= 4

    cdef int _ready(self, int at) except -1:
        cdef Connection* connection = &self.connections[at]
        if connection.state == CONNECTING or connection.state == SHAKING:
            return self._connected(at)
        if connection.state == CLOSED:
            return 0
        if connection.state == WAITING and connection.sent < self.request_bytes:
            self._go_on_sending(at)
            if connection.state != WAITING:
                return 0
        return self._read(at)

    cdef int _read(self, int at) except -1:
        cdef Connection* connection = &self.connections[at]
        cdef ssize_t got
        cdef Py_ssize_t asked
        while connection.state == WAITING or connection.state == FREE:
            if connection.room - connection.size < LEAST_ROOM:
                self._grow(connection)
            asked = connection.room - connection.size
            got = self._receive(at, connection.buffer + connection.size, asked)
            if got == -1:
                return 0
            if got == 0:
                return self._closed_by_server(at)
            if connection.state == FREE:
                self._count_fault("bytes without a request", b"")
                return self._reopen(at)
            connection.size += got
            self._take(at, monotonic_ns())
            if got < asked and self.tls is None:
                return 0               # the socket is empty; TLS may have more in its own buffer
        return 0

    cdef ssize_t _receive(self, int at, char* to, Py_ssize_t room) except -2:
        """Bytes that came, 0 at the end, -1 where there is nothing now."""
        cdef ssize_t got
        cdef bytes piece
        if self.tls is not None:
            try:
                piece = self.sockets[at].recv(room)
            except (WANT_READ, WANT_WRITE):
                return -1
            except OSError:            # a reset, or a TLS failure: closed either way
                return 0
            memcpy(to, <const char*>piece, len(piece))
            return len(piece)
        while True:
            got = recv(self.connections[at].fd, to, room, 0)
            if got >= 0:
                return got
            if errno != EINTR:
                return -1 if errno == EAGAIN else 0

    cdef int _grow(self, Connection* connection) except -1:
        cdef Py_ssize_t room = max(<Py_ssize_t>FIRST_ROOM, connection.room * 2)
        cdef char* buffer
        if room > MOST_ROOM:
            raise MemoryError("expected a reply of at most 64 MiB")
        buffer = <char*>PyMem_Realloc(connection.buffer, room)
        if buffer == NULL:
            raise MemoryError
        connection.buffer = buffer
        connection.room = room
        return 0

    cdef int _closed_by_server(self, int at) except -1:
        cdef Connection* connection = &self.connections[at]
        if connection.state == FREE:
            # It stays in the ring of free ones; whoever takes it out sees that it is not.
            self.reopened += 1
            return self._reopen(at)
        if connection.head_bytes and not connection.chunked and connection.content_length < 0:
            return self._finish(at, monotonic_ns())        # a body that ends with the connection
        return self._fail(at, "closed", b"the server closed the connection " + (b"in a reply" if connection.size else b"without a reply"))

    cdef int _take(self, int at, int64_t now) except -1:
        """Go as far as the bytes that are there allow."""
        cdef Connection* connection = &self.connections[at]
        cdef Py_ssize_t length, consumed, raw
        while connection.head_bytes == 0:
            length = parse_response(connection.buffer, connection.size, &self.head, HEAD_LIMIT)
            if length == NEED_MORE:
                return 0
            if length < 0:
                return self._fail(at, "malformed head", connection.buffer[:min(connection.size, SAMPLE_BYTES)])
            if self.head.status < 200:                     # an interim reply
                connection.size -= length
                memmove(connection.buffer, connection.buffer + length, connection.size)
                continue
            connection.head_bytes = connection.payload_end = connection.scanned = length
            connection.status = self.head.status
            connection.content_length = self.head.content_length
            connection.chunked = self.head.chunked
            connection.keep_alive = self.head.keep_alive
            start_chunked(&connection.chunks)
        if connection.chunked:
            raw = connection.size - connection.payload_end
            length = dechunk(&connection.chunks, connection.buffer + connection.payload_end, raw, &consumed)
            if length < 0 or consumed < raw:
                return self._fail(at, "malformed body", b"")
            connection.payload_end += length
            connection.size = connection.payload_end
        else:
            connection.payload_end = connection.size
            if 0 <= connection.content_length < connection.size - connection.head_bytes:
                return self._fail(at, "malformed body", b"")
        if self.kind and connection.status == 200:
            self._look_at_events(connection, now)
        if connection.chunks.done if connection.chunked else connection.size - connection.head_bytes == connection.content_length:
            return self._finish(at, now)
        return 0

    cdef void _look_at_events(self, Connection* connection, int64_t now) noexcept:
        cdef const char* p = connection.buffer
        cdef Py_ssize_t start, end
        while True:
            start = connection.scanned
            end = event_end(p, start, connection.payload_end)
            if end == 0:
                return
            connection.scanned = end
            self.events_seen += 1
            if not connection.told_usage:
                connection.told_usage = has_usage(p + start, end - start)
            if not connection.ended:
                connection.ended = is_end(p + start, end - start, self.kind)
            if has_content(p + start, end - start, self.kind):
                self.contents_seen += 1
                if connection.content_ns == 0:
                    self.firsts.add(now - connection.due_ns)
                elif connection.content_ns == now:
                    self.together += 1
                else:
                    self.gaps.add(now - connection.content_ns)
                connection.content_ns = now

    cdef int _finish(self, int at, int64_t now) except -1:
        cdef Connection* connection = &self.connections[at]
        cdef char* body = connection.buffer + connection.head_bytes
        cdef Py_ssize_t size = connection.payload_end - connection.head_bytes
        cdef str wrong = None
        cdef bint is_same = False
        self.in_flight -= 1
        self.body_bytes += size
        if self.first_reply_ns == 0:
            self.first_reply_ns = now
        self.last_reply_ns = now
        if connection.status != 200:
            wrong = f"status {connection.status}"
        elif self.expected is not None:
            self.compared += 1
            is_same = size == len(self.expected) and memcmp(body, <const char*>self.expected, size) == 0
            self.changed += not is_same
        if wrong is None and not is_same:                  # what is the same has what the first one had
            if self.needs_usage and not (connection.told_usage if self.kind else has_usage(body, size)):
                wrong = "no usage"
            elif self.kind and not connection.ended:
                wrong = "a stream without its end"
        if wrong is not None:
            self._count_fault(wrong, body[:min(size, SAMPLE_BYTES)])
        else:
            self.replies += 1
            self.second.add(now - connection.due_ns)
        if now - self.second_ns >= SECOND_NS:
            self._end_second(now)
        if not connection.keep_alive or not connection.chunked and connection.content_length < 0:
            self.reopened += 1
            return self._reopen(at)
        if self.interval_ns == 0 and self._may_send(now):
            return self._send(at, now, now)
        return self._release(at, now)
