"""Many sockets behind one file descriptor of the event loop.

The worker's sockets are members of an epoll set of their own, and only that set is known to uvloop. A wake-up costs one Python call and
one epoll_wait for all sockets that are ready, and from there on everything is C calls on typed objects: no transport, no
memoryview and no method lookup for each read and write. Measured against uvloop's BufferedProtocol: see docs/performance.md.

Deadlines are coarse: each member has one, and a timer looks at all of them every TICK_SECONDS. Ten thousand members take
some 50 microseconds a tick; arming and disarming is a store.

Ownership: the poller holds a reference to each member until it is removed. Complexity: O(1) but for the tick, O(members).
"""
import logging

from cpython.buffer cimport PyBUF_WRITE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.errno cimport errno
from libc.stdint cimport uint64_t

from fastgw._core.clock cimport monotonic_ns, wall_ns

cdef extern from "<sys/epoll.h>" nogil:
    union epoll_data_t:
        uint64_t u64
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_create1(int flags)
    int epoll_ctl(int epfd, int op, int fd, epoll_event* event)
    int epoll_wait(int epfd, epoll_event* events, int most, int timeout)
    int EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL

cdef extern from "<unistd.h>" nogil:
    int close(int fd)

cdef enum:
    BATCH = 256

TICK_SECONDS = 0.05
log = logging.getLogger("fastgw.poll")


cdef class Pollable:
    def __cinit__(self):
        self.fd = -1
        self.slot = -1

    cdef int ready(self, uint32_t events) except -1:
        raise NotImplementedError

    cdef int expire(self) except -1:
        raise NotImplementedError

    cdef int fault(self, object error) except -1:
        raise NotImplementedError


cdef class Poller:
    """The sockets of one worker; made on the thread that runs `loop`."""

    def __init__(self, loop):
        self.loop = loop
        self.epoll_fd = epoll_create1(EPOLL_CLOEXEC)
        if self.epoll_fd < 0:
            raise OSError(errno, "epoll_create1")
        self.scratch = <char*>PyMem_Malloc(SCRATCH_BYTES)
        if self.scratch == NULL:
            raise MemoryError
        self.scratch_view = PyMemoryView_FromMemory(self.scratch, SCRATCH_BYTES, PyBUF_WRITE)
        self.members = []
        self.vacant = []
        self.generations = []
        self.read_clocks()
        loop.add_reader(self.epoll_fd, self._wake)
        self.timer = loop.call_later(TICK_SECONDS, self._tick)

    def __repr__(self):
        return f"<Poller {len(self.members) - len(self.vacant)} members, {self.faults} faults>"

    def close(self):
        """Leave the event loop; members must have been removed."""
        if self.epoll_fd >= 0:
            self.loop.remove_reader(self.epoll_fd)
            self.timer.cancel()
            close(self.epoll_fd)
            self.epoll_fd = -1

    def __dealloc__(self):
        if self.scratch != NULL:
            PyMem_Free(self.scratch)
        if self.epoll_fd >= 0:
            close(self.epoll_fd)

    cdef void read_clocks(self) noexcept:
        """Both: within a batch, what the wall clock says follows from the other."""
        self.now_ns = monotonic_ns()
        self.wall_ahead_ns = wall_ns() - self.now_ns

    cdef int add(self, Pollable member, uint32_t events) except -1:
        cdef epoll_event event
        cdef int slot
        if self.vacant:
            slot = self.vacant.pop()
            self.members[slot] = member
        else:
            slot = len(self.members)
            self.members.append(member)
            self.generations.append(0)
        member.slot = slot
        member.interest = events
        member.poller = self
        event.events = events
        event.data.u64 = (<uint64_t><unsigned int><int>self.generations[slot] << 32) | <unsigned int>slot
        if epoll_ctl(self.epoll_fd, EPOLL_CTL_ADD, member.fd, &event) < 0:
            number = errno
            self._vacate(slot)
            member.slot = -1
            raise OSError(number, "epoll_ctl")
        return 0

    cdef int change(self, Pollable member, uint32_t events) except -1:
        cdef epoll_event event
        if member.slot < 0 or member.interest == events:
            return 0
        member.interest = events
        event.events = events
        event.data.u64 = (<uint64_t><unsigned int><int>self.generations[member.slot] << 32) | <unsigned int>member.slot
        if epoll_ctl(self.epoll_fd, EPOLL_CTL_MOD, member.fd, &event) < 0:
            raise OSError(errno, "epoll_ctl")
        return 0

    cdef int remove(self, Pollable member) except -1:
        cdef epoll_event event
        if member.slot < 0:
            return 0
        epoll_ctl(self.epoll_fd, EPOLL_CTL_DEL, member.fd, &event)
        self._vacate(member.slot)
        member.slot = -1
        return 0

    def _vacate(self, int slot):
        self.members[slot] = None
        self.generations[slot] = (self.generations[slot] + 1) & 0x7fffffff
        self.vacant.append(slot)

    def _wake(self):
        cdef epoll_event events[BATCH]
        cdef int count, i, slot
        cdef Pollable member
        count = epoll_wait(self.epoll_fd, events, BATCH, 0)
        self.read_clocks()
        for i in range(count):
            slot = <int>(events[i].data.u64 & 0xffffffffu)
            member = <Pollable>self.members[slot]
            if member is None or <int>self.generations[slot] != <int>(events[i].data.u64 >> 32):
                continue
            try:
                member.ready(events[i].events)
            except Exception as error:      # the edge of an exchange: counted, logged, and only this member suffers
                self._contain(member, error)

    def _tick(self):
        cdef Pollable member
        cdef int64_t now
        cdef int slot
        self.read_clocks()
        now = self.now_ns
        self.timer = self.loop.call_later(TICK_SECONDS, self._tick)
        for slot in range(len(self.members)):
            member = <Pollable>self.members[slot]
            if member is not None and member.deadline_ns != 0 and member.deadline_ns <= now:
                member.deadline_ns = 0
                try:
                    member.expire()
                except Exception as error:  # as above
                    self._contain(member, error)

    def _contain(self, Pollable member, error):
        self.faults += 1
        log.error("fault in %r", member, exc_info=error)
        try:
            member.fault(error)
        except Exception as second:             # others are waiting for their turn
            log.error("fault while ending %r", member, exc_info=second)
