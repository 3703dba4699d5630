"""One TCP connection, plain or TLS, read into shared memory and written without copying where the kernel takes all.

Input: bytes of the peer land in the poller's scratch memory (or where `landing` says) and are given to `received` before the next
read. Output: `writev` hands the pieces to the kernel at once and copies only what it does not take. A write that fails is not
reported there, because its caller is in the middle of something: the poller tells of it as `ended`.
Limits: the backlog is bounded by whoever feeds the wire, by HIGH_WATER_BYTES and `drained`.
"""
import ssl

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EINTR, errno
from libc.string cimport memcpy

from fastgw._core.poll cimport EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP, SCRATCH_BYTES

cdef extern from "<sys/socket.h>" nogil:
    struct msghdr:
        void* msg_name
        unsigned int msg_namelen
        iovec* msg_iov
        size_t msg_iovlen
        void* msg_control
        size_t msg_controllen
        int msg_flags
    struct linger:
        int l_onoff
        int l_linger
    int setsockopt(int fd, int level, int name, const void* value, unsigned int size)
    int SOL_SOCKET, SO_LINGER

cdef extern from *:
    """
    #include <sys/socket.h>
    #include <sys/syscall.h>
    #include <unistd.h>

    /* In the C library each is a place where a thread may be cancelled, which takes two locked instructions a call as soon as there
       is a second thread: more than all the rest of it. */
    static inline ssize_t plain_recv(int fd, void *buffer, size_t size) {
        return syscall(SYS_recvfrom, fd, buffer, size, 0, NULL, NULL);
    }
    static inline ssize_t plain_sendmsg(int fd, const struct msghdr *message) {
        return syscall(SYS_sendmsg, fd, message, MSG_NOSIGNAL);
    }
    """
    ssize_t plain_recv(int fd, void* buffer, size_t size) nogil
    ssize_t plain_sendmsg(int fd, const msghdr* message) nogil

cdef extern from "<unistd.h>" nogil:
    int close(int fd)

cdef enum:
    READS_PER_EVENT = 4        # then others have their turn
    TLS_RECORD_BYTES = 16384

cdef object WANT_READ = ssl.SSLWantReadError
cdef object ZERO_RETURN = ssl.SSLZeroReturnError
cdef object TLS_ERROR = ssl.SSLError
cdef object MemoryBIO = ssl.MemoryBIO


cdef class Wire(Pollable):

    cdef int attach(self, Poller poller, int fd, uint32_t events) except -1:
        self.fd = fd
        self.reading = True
        poller.add(self, events)
        return 0

    cdef int _set_interest(self) except -1:
        cdef uint32_t events = 0
        if self.slot < 0:
            return 0
        if self.reading:
            events = EPOLLIN | EPOLLRDHUP
        elif self.eof_is_news:
            events = EPOLLRDHUP
        if self.backlog_bytes:
            events |= EPOLLOUT
        return self.poller.change(self, events)

    cdef int pause_reading(self) except -1:
        if self.reading:
            self.reading = False
            self._set_interest()
        return 0

    cdef int resume_reading(self) except -1:
        if not self.reading:
            self.reading = True
            self._set_interest()
        return 0

    # reading

    cdef int ready(self, uint32_t events) except -1:
        if events & EPOLLOUT:
            self._flush()
            if self.fd < 0:
                return 0
        if events & EPOLLIN and self.reading:
            return self._read()
        if events & (EPOLLERR | EPOLLHUP):
            self.broken = True
            self.ended(-1)
        elif events & EPOLLRDHUP and (self.reading or self.eof_is_news):
            self.ended(0)
        return 0

    cdef int _read(self) except -1:
        cdef Py_ssize_t n, room
        cdef char* into
        cdef int turn
        for turn in range(READS_PER_EVENT):
            if self.tls is not None:
                into = self.poller.scratch
                room = SCRATCH_BYTES
            else:
                into = self.landing(&room)
            n = plain_recv(self.fd, into, room)
            if n > 0:
                if self.tls is not None:
                    self._read_tls(n)
                else:
                    self.received(into, n)
                # a landing has room for the rest of one body: after it, to ask again would mostly be in vain
                if n < room or into != self.poller.scratch or self.fd < 0 or not self.reading:
                    return 0
            elif n == 0:
                return self.ended(0)
            elif errno == EINTR:
                continue
            elif errno == EAGAIN:
                return 0
            else:
                self.broken = True
                return self.ended(errno)
        return 0

    cdef int _read_tls(self, Py_ssize_t n) except -1:
        cdef Py_ssize_t got, room
        cdef char* into
        self.tls_in.write(self.poller.scratch_view[:n])
        try:
            if not self.tls_ready:
                self.tls.do_handshake()
                self._pump_tls()
                self.tls_ready = True
                self.secured()
            while self.fd >= 0:
                got = self.tls.read(SCRATCH_BYTES, self.poller.scratch_view)
                if got == 0:
                    return self.ended(0)
                self.received(self.poller.scratch, got)
        except WANT_READ:
            if self.fd >= 0:
                self._pump_tls()
        except ZERO_RETURN:
            return self.ended(0)
        except TLS_ERROR:
            # the alert, if OpenSSL made one, is still to be sent
            self._pump_tls()
            self.tls_error()
        return 0

    def tls_error(self):
        """The peer broke the TLS protocol, or its certificate is not to be trusted."""
        self.broken = True
        self.ended(-2)

    cdef char* landing(self, Py_ssize_t* room) except NULL:
        room[0] = SCRATCH_BYTES
        return self.poller.scratch

    cdef int received(self, char* p, Py_ssize_t n) except -1:
        raise NotImplementedError

    cdef int ended(self, int error) except -1:
        raise NotImplementedError

    cdef int drained(self) except -1:
        return 0

    cdef int flushed(self) except -1:
        return 0

    cdef int secured(self) except -1:
        return 0

    # TLS

    cdef int start_tls(self, object context, bint server_side, object server_hostname, object session) except -1:
        self.tls_in = MemoryBIO()
        self.tls_out = MemoryBIO()
        self.tls = context.wrap_bio(self.tls_in, self.tls_out, server_side=server_side,
                                    server_hostname=server_hostname, session=session)
        self.tls_ready = False
        if not server_side:
            try:
                self.tls.do_handshake()
            except WANT_READ:
                self._pump_tls()
        return 0

    cdef int _pump_tls(self) except -1:
        cdef bytes sealed
        while self.tls_out.pending:
            sealed = self.tls_out.read()
            self._send_raw(sealed)
        return 0

    # writing

    cdef int write(self, const char* p, Py_ssize_t n) except -1:
        cdef iovec piece
        piece.iov_base = <void*>p
        piece.iov_len = n
        return self.writev(&piece, 1)

    cdef int writev(self, iovec* pieces, int count) except -1:
        cdef msghdr message
        cdef Py_ssize_t sent, total = 0
        cdef int i
        cdef bytes plain
        cdef char* at
        if self.broken or self.fd < 0:
            return 0
        for i in range(count):
            total += pieces[i].iov_len
        if total == 0:
            return 0
        if self.tls is not None:
            plain = PyBytes_FromStringAndSize(NULL, total)
            at = PyBytes_AS_STRING(plain)
            for i in range(count):
                memcpy(at, pieces[i].iov_base, pieces[i].iov_len)
                at += pieces[i].iov_len
            try:
                self.tls.write(plain)
            except TLS_ERROR:
                self.broken = True
                return 0
            return self._pump_tls()
        if self.backlog_bytes:
            return self._keep(pieces, count, 0)
        message.msg_name = NULL
        message.msg_namelen = 0
        message.msg_iov = pieces
        message.msg_iovlen = count
        message.msg_control = NULL
        message.msg_controllen = 0
        message.msg_flags = 0
        while True:
            sent = plain_sendmsg(self.fd, &message)
            if sent >= 0:
                break
            if errno == EINTR:
                continue
            if errno == EAGAIN:
                sent = 0
                break
            self.broken = True      # EPIPE, ECONNRESET: epoll tells of it in the next batch
            return 0
        if sent < total:
            return self._keep(pieces, count, sent)
        return 0

    cdef int _send_raw(self, bytes sealed) except -1:
        cdef iovec piece
        cdef object held = self.tls
        # below the TLS layer now: the pieces are records already
        self.tls = None
        try:
            piece.iov_base = PyBytes_AS_STRING(sealed)
            piece.iov_len = PyBytes_GET_SIZE(sealed)
            self.writev(&piece, 1)
        finally:
            self.tls = held
        return 0

    cdef int _keep(self, iovec* pieces, int count, Py_ssize_t sent) except -1:
        cdef Py_ssize_t size
        cdef int i
        if self.backlog is None:
            self.backlog = []
        for i in range(count):
            size = pieces[i].iov_len
            if sent >= size:
                sent -= size
                continue
            self.backlog.append(PyBytes_FromStringAndSize(<char*>pieces[i].iov_base + sent, size - sent))
            self.backlog_bytes += size - sent
            sent = 0
        if self.backlog_bytes > HIGH_WATER_BYTES:
            self.over_high_water = True
        return self._set_interest()

    cdef int _flush(self) except -1:
        cdef bytes first
        cdef Py_ssize_t left, sent, done = 0
        cdef int many = 0, error
        cdef msghdr message
        cdef iovec pieces[16]
        if not self.backlog_bytes:
            return self._set_interest()
        for first in self.backlog:
            if many == 16:
                break
            left = self.backlog_at if many == 0 else 0
            pieces[many].iov_base = PyBytes_AS_STRING(first) + left
            pieces[many].iov_len = PyBytes_GET_SIZE(first) - left
            many += 1
        message.msg_name = NULL
        message.msg_namelen = 0
        message.msg_iov = pieces
        message.msg_iovlen = many
        message.msg_control = NULL
        message.msg_controllen = 0
        message.msg_flags = 0
        sent = plain_sendmsg(self.fd, &message)
        if sent < 0:
            if errno == EAGAIN or errno == EINTR:
                return 0
            self.broken = True
            error = errno
            self.backlog.clear()
            self.backlog_bytes = self.backlog_at = 0
            if self.reading and not self.closing:
                return self._set_interest()     # what the peer said before it hung up is read first; epoll tells of the end
            return self.ended(error)
        self.backlog_bytes -= sent
        sent += self.backlog_at
        while done < len(self.backlog) and sent >= PyBytes_GET_SIZE(<bytes>self.backlog[done]):
            sent -= PyBytes_GET_SIZE(<bytes>self.backlog[done])
            done += 1
        del self.backlog[:done]
        self.backlog_at = sent
        if self.over_high_water and self.backlog_bytes <= LOW_WATER_BYTES:
            self.over_high_water = False
            self.drained()
        if self.fd >= 0 and not self.backlog_bytes:
            if self.closing:
                return self.close_now(False)
            self._set_interest()
            self.flushed()
        return 0

    cdef int close_after_writing(self) except -1:
        if self.backlog_bytes and not self.broken:
            self.closing = True
            return 0
        return self.close_now(False)

    cdef int close_now(self, bint reset) except -1:
        cdef linger now
        if self.fd < 0:
            return 0
        self.poller.remove(self)
        if reset:
            now.l_onoff = 1
            now.l_linger = 0
            setsockopt(self.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now))
        close(self.fd)
        self.fd = -1
        self.deadline_ns = 0
        self.backlog = None
        self.backlog_bytes = 0
        self.backlog_at = 0
        self.tls = None
        return 0
