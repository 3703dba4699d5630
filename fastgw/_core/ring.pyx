"""Carry records from one worker to the drain through a memory-mapped ring that outlives either process.

Input:      a Record with its detail and up to two payloads, copied by push (RingWriter, one thread).
Output:     tuples in the order of the Record's fields, then detail and payloads as bytes or None (RingReader, one thread).
Ownership:  the file owns everything; nothing handed to push is kept, nothing returned by read points into the file.
Limits:     capacity is a power of two from 8 KiB to 1 GiB; payloads take at most 1/8 of it a push and never its last 1/8,
            which is kept for records and their details. A detail has at most 4 KiB; none is ever cut. A killed process loses
            nothing that was pushed; a machine that loses power may.
Complexity: push and read are a copy each, O(bytes), without locks or system calls.

File: a header page, then `capacity` bytes of entries. An entry is (length, kind, lengths of detail, request and reply), the
Record, these three, padded to 8 bytes; where one would cross the end of the ring, a padding entry fills the rest. Head and tail
count bytes for ever. The head moves last, with release order, so a half-written entry is never seen.
"""
import os
from time import time_ns

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeASCII, PyUnicode_DecodeUTF8
from libc.errno cimport errno
from libc.string cimport memcmp, memcpy, memset
from posix.mman cimport MADV_DONTNEED, MAP_FAILED, MAP_SHARED, PROT_READ, PROT_WRITE, madvise, mmap, munmap

cdef extern from *:
    """
    #define fastgw_ring_load(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
    #define fastgw_ring_store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
    #define fastgw_ring_peek(p) __atomic_load_n((p), __ATOMIC_RELAXED)
    #define fastgw_ring_poke(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
    """
    uint64_t load_acquire "fastgw_ring_load"(uint64_t* p) noexcept nogil
    void store_release "fastgw_ring_store"(uint64_t* p, uint64_t v) noexcept nogil
    uint64_t load_relaxed "fastgw_ring_peek"(uint64_t* p) noexcept nogil
    void store_relaxed "fastgw_ring_poke"(uint64_t* p, uint64_t v) noexcept nogil

cdef extern from "<string.h>" nogil:
    size_t strnlen(const char* p, size_t most)

cdef extern from "<fcntl.h>" nogil:
    struct flock:
        short l_type
        short l_whence
        long l_start
        long l_len
        int l_pid
    int F_OFD_SETLK, F_OFD_GETLK, F_WRLCK, F_UNLCK
    int fcntl(int fd, int command, flock* lock)

cdef enum:
    LAYOUT = 2
    PAGE = 4096
    AT_HEAD = 64               # each end writes only to cache lines of its own
    AT_TAIL = 128
    AT_PUSHED = 192            # this and the next three are written by the producer
    AT_DROPPED_PAYLOADS = 200
    AT_DROPPED_DETAILS = 208
    AT_DROPPED_RECORDS = 216
    AT_GAUGES = 256
    KIND_RECORD = 1
    KIND_PADDING = 2
    ABSENT = 0xFFFFFFFF        # payload length where there is none
    NAMES = 8                  # the Record's character fields
    CACHED = 64                # names remembered for each of them

cdef struct Title:             # the head of the file; the magic is written last
    char magic[8]
    uint32_t layout
    uint32_t record_bytes
    uint64_t capacity
    int64_t created_ns
    uint32_t worker

cdef struct Entry:
    uint32_t length
    uint16_t kind
    uint16_t detail_len        # 0 where there is none
    uint32_t request_len       # ABSENT where there is none
    uint32_t reply_len

cdef struct Name:
    char text[64]

MAGIC = b"FGWRING\n"
LEAST_BYTES = 8192
MOST_BYTES = 1 << 30


class RingError(OSError):
    """A ring file that is not one, not ready yet, in use by another process, or of another layout."""


# -- opening ---------------------------------------------------------------------------------------------------------

cdef int lock_end(int fd, long at) except -1:
    """Take one end of the ring for this open file; the kernel lets go of it when the process dies."""
    cdef flock want
    memset(&want, 0, sizeof(want))
    want.l_type = <short>F_WRLCK
    want.l_start = at
    want.l_len = 1
    if fcntl(fd, F_OFD_SETLK, &want) != 0:
        raise RingError(errno, "another process holds this end of the ring")
    return 0


cdef char* map_file(int fd, uint64_t capacity) except NULL:
    cdef void* at = mmap(NULL, PAGE + capacity, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
    if at == MAP_FAILED:
        raise RingError(errno, "cannot map the ring")
    return <char*>at


cdef uint64_t read_title(int fd, Title* title) except? 0:
    """Read and check the head of the file; return its capacity, or 0 where the file has not been written yet."""
    head = os.pread(fd, sizeof(Title), 0)
    if len(head) < <Py_ssize_t>sizeof(Title) or head[:8] == bytes(8):
        return 0
    memcpy(title, PyBytes_AS_STRING(head), sizeof(Title))
    if head[:8] != MAGIC:
        raise RingError("not a ring file: expected magic %r, found %r" % (MAGIC, head[:8]))
    if title.layout != LAYOUT or title.record_bytes != sizeof(Record):
        raise RingError("expected a ring of layout %d with records of %d bytes, found layout %d with %d" % (
            LAYOUT, sizeof(Record), title.layout, title.record_bytes))
    if not is_capacity(title.capacity) or os.fstat(fd).st_size != <int64_t>(PAGE + title.capacity):
        raise RingError("damaged ring: capacity %d in a file of %d bytes" % (title.capacity, os.fstat(fd).st_size))
    return title.capacity


cdef bint is_capacity(uint64_t n) noexcept:
    return 8192 <= n <= (1 << 30) and n & (n - 1) == 0


cdef bint is_sound(const char* map, uint64_t capacity) noexcept:
    cdef uint64_t head = load_acquire(<uint64_t*>(map + AT_HEAD))
    cdef uint64_t tail = load_acquire(<uint64_t*>(map + AT_TAIL))
    return head - tail <= capacity and head & 7 == 0 and tail & 7 == 0


cdef inline void count(char* map, int at) noexcept nogil:
    cdef uint64_t* counter = <uint64_t*>(map + at)
    store_relaxed(counter, counter[0] + 1)                   # one writer: no read-modify-write needed


cdef inline void drop_detail(char* map, Pieces* pieces) noexcept nogil:
    count(map, AT_DROPPED_DETAILS)
    pieces.detail = NULL
    pieces.detail_len = 0
    pieces.detail_dropped = True


# -- the producer ----------------------------------------------------------------------------------------------------

cdef class RingWriter:
    """The producer's end; one a worker, one thread. Open it after forking.

    An existing file is taken over with what is unread in it. Another capacity is adopted once the file is read out; until
    then the old one stays. A file of another layout or a damaged one is moved aside, see `moved_aside`.
    """

    def __cinit__(self):
        self.fd = -1

    def __init__(self, path, capacity_bytes=4 * 1024 * 1024, worker=0):
        if not LEAST_BYTES <= capacity_bytes <= MOST_BYTES or capacity_bytes & (capacity_bytes - 1):
            raise ValueError("expected capacity_bytes to be a power of two from 8192 to 2**30, got %d" % capacity_bytes)
        self.path = os.fspath(path)
        self.worker = worker
        while self.map == NULL:
            self.open_file(capacity_bytes)
        self.head = load_acquire(<uint64_t*>(self.map + AT_HEAD))
        self.seen_tail = load_acquire(<uint64_t*>(self.map + AT_TAIL))
        self.ring = self.map + PAGE
        self.gauges = <int64_t*>(self.map + AT_GAUGES)
        memset(self.gauges, 0, GAUGES * sizeof(int64_t))     # those of a worker that died
        self.gauges[<int>GAUGE_PID] = os.getpid()

    cdef int open_file(self, uint64_t capacity) except -1:
        """Open, take and map the file; leave `map` NULL where a fresh file has to be made first."""
        cdef Title title
        cdef uint64_t found
        self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            lock_end(self.fd, AT_HEAD)
            try:
                found = read_title(self.fd, &title)
                if found:
                    self.map = map_file(self.fd, found)
                    self.capacity = found
                    if not is_sound(self.map, found):
                        raise RingError("damaged ring: head and tail do not fit its capacity")
            except RingError:
                self.moved_aside = "%s.aside-%d" % (self.path, time_ns())
                os.rename(self.path, self.moved_aside)
                self.close()
                return 0
            if not found:
                self.create(capacity)
            elif found != capacity and (load_acquire(<uint64_t*>(self.map + AT_HEAD))
                                        == load_acquire(<uint64_t*>(self.map + AT_TAIL))):
                os.unlink(self.path)       # all of it was read; a reader that has it mapped sees the replacement
                self.close()
                return 0
        except BaseException:
            self.close()
            raise
        return 0

    cdef int create(self, uint64_t capacity) except -1:
        cdef Title title
        os.ftruncate(self.fd, 0)
        # Real blocks, not holes: a disk that fills up must be an error here, not a SIGBUS in a push.
        os.posix_fallocate(self.fd, 0, PAGE + capacity)
        memset(&title, 0, sizeof(title))
        title.layout = LAYOUT
        title.record_bytes = sizeof(Record)
        title.capacity = capacity
        title.created_ns = time_ns()
        title.worker = self.worker
        self.map = map_file(self.fd, capacity)
        memcpy(self.map, &title, sizeof(title))
        store_release(<uint64_t*>self.map, (<uint64_t*>PyBytes_AS_STRING(MAGIC))[0])
        self.capacity = capacity
        return 0

    cdef int push(self, const Record* record, const char* detail, Py_ssize_t detail_len, const char* request, Py_ssize_t request_len,
                  const char* reply, Py_ssize_t reply_len) noexcept nogil:
        cdef bint has_payload = request != NULL or reply != NULL
        cdef Pieces pieces
        if self.map == NULL:
            return 0
        pieces.detail, pieces.detail_len = detail, detail_len if detail != NULL else 0
        pieces.request, pieces.request_len = request, request_len if request != NULL else 0
        pieces.reply, pieces.reply_len = reply, reply_len if reply != NULL else 0
        pieces.detail_dropped = False
        if pieces.detail_len > MOST_DETAIL_BYTES:
            drop_detail(self.map, &pieces)
        if has_payload:
            if (<uint64_t>(pieces.request_len + pieces.reply_len) <= self.capacity >> 3
                    and self.put(record, &pieces, self.capacity >> 3)):
                return 1 if pieces.detail_dropped else 2
            count(self.map, AT_DROPPED_PAYLOADS)
            pieces.request = pieces.reply = NULL
            pieces.request_len = pieces.reply_len = 0
        if self.put(record, &pieces, 0):
            return 1 if has_payload or pieces.detail_dropped else 2
        if pieces.detail_len:
            drop_detail(self.map, &pieces)
            if self.put(record, &pieces, 0):
                return 1
        count(self.map, AT_DROPPED_RECORDS)
        return 0

    cdef bint put(self, const Record* record, const Pieces* pieces, uint64_t spare) noexcept nogil:
        """Write one entry where it fits and leaves `spare` bytes."""
        cdef uint64_t size = sizeof(Entry) + sizeof(Record) + pieces.detail_len + pieces.request_len + pieces.reply_len
        cdef uint64_t need = (size + 7) & ~<uint64_t>7
        cdef uint64_t offset = self.head & (self.capacity - 1)
        cdef uint64_t padding = self.capacity - offset if need > self.capacity - offset else 0
        cdef Entry* entry
        cdef char* at
        if self.capacity - (self.head - self.seen_tail) < need + padding + spare:
            self.seen_tail = load_acquire(<uint64_t*>(self.map + AT_TAIL))
            if self.capacity - (self.head - self.seen_tail) < need + padding + spare:
                return False
        if padding:
            entry = <Entry*>(self.ring + offset)
            entry.length = <uint32_t>padding       # only these: the rest of the ring may be 8 bytes
            entry.kind = KIND_PADDING
            offset = 0
        at = self.ring + offset
        entry = <Entry*>at
        entry.length = <uint32_t>need
        entry.kind = KIND_RECORD
        entry.detail_len = <uint16_t>pieces.detail_len
        entry.request_len = ABSENT if pieces.request == NULL else <uint32_t>pieces.request_len
        entry.reply_len = ABSENT if pieces.reply == NULL else <uint32_t>pieces.reply_len
        at += sizeof(Entry)
        memcpy(at, record, sizeof(Record))
        if pieces.detail_dropped:
            (<Record*>at).flags |= FLAG_DETAIL_DROPPED
        at += sizeof(Record)
        if pieces.detail_len:
            memcpy(at, pieces.detail, pieces.detail_len)
            at += pieces.detail_len
        if pieces.request != NULL:
            memcpy(at, pieces.request, pieces.request_len)
            at += pieces.request_len
        if pieces.reply != NULL:
            memcpy(at, pieces.reply, pieces.reply_len)
        self.head += padding + need
        count(self.map, AT_PUSHED)
        # Must come last: what is below the head is whole, whenever this process dies.
        store_release(<uint64_t*>(self.map + AT_HEAD), self.head)
        return True

    def let_pages_go(self):
        """Take the pages out of this process's memory until they are touched; what is in them stays, as it is the file's."""
        if self.map != NULL:
            madvise(self.map, PAGE + self.capacity, MADV_DONTNEED)

    def close(self):
        """Unmap and let go of the file; it stays, with what is unread. A push after this is dropped."""
        if self.map != NULL:
            munmap(self.map, PAGE + self.capacity)
            self.map = NULL
            self.gauges = NULL
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __dealloc__(self):
        if self.map != NULL:
            munmap(self.map, PAGE + self.capacity)
        if self.fd >= 0:
            os.close(self.fd)

    def __repr__(self):
        return "RingWriter(worker=%d, capacity_bytes=%d%s)" % (
            self.worker, self.capacity, "" if self.map != NULL else ", closed")

    @property
    def capacity_bytes(self):
        return self.capacity

    def push_packed(self, bytes record, bytes request=None, bytes reply=None, *, bytes detail=None):
        """Push what pack_record made; return 2 whole, 1 with something left out, 0 dropped."""
        if len(record) != sizeof(Record):
            raise ValueError("expected a record of %d bytes, got %d" % (sizeof(Record), len(record)))
        return self.push(<const Record*>PyBytes_AS_STRING(record), start_of(detail), size_of(detail), start_of(request),
                         size_of(request), start_of(reply), size_of(reply))

    def set_gauge(self, int gauge, int64_t value):
        if not 0 <= gauge < GAUGES:
            raise IndexError("expected a gauge below %d, got %d" % (GAUGES, gauge))
        if self.map != NULL:
            self.gauges[gauge] = value

    def _bench(self, Py_ssize_t times, bytes record, bytes request=None, bytes detail=None):
        """Push `times` records, the reader being always at once done with them."""
        cdef Py_ssize_t i, request_len = size_of(request), detail_len = size_of(detail)
        cdef const char* request_at = start_of(request)
        cdef const char* detail_at = start_of(detail)
        cdef const Record* one = <const Record*>PyBytes_AS_STRING(record)
        with nogil:
            for i in range(times):
                self.push(one, detail_at, detail_len, request_at, request_len, NULL, 0)
                store_release(<uint64_t*>(self.map + AT_TAIL), self.head)


cdef inline const char* start_of(bytes piece) noexcept:
    return NULL if piece is None else PyBytes_AS_STRING(piece)


cdef inline Py_ssize_t size_of(bytes piece) noexcept:
    return 0 if piece is None else PyBytes_GET_SIZE(piece)


# -- the consumer ----------------------------------------------------------------------------------------------------

cdef class RingReader:
    """The consumer's end. It reads ahead of the tail; release() gives the space back.

    The tables turn indexes into names: `outcomes`, `operations`, `errors`, `caches` and `flags` (by the whole bit set); an
    index past the end of its table becomes its number as text.
    """
    cdef char* map
    cdef char* ring
    cdef int fd
    cdef uint64_t capacity
    cdef uint64_t cursor
    cdef Title title
    cdef tuple outcomes, operations, errors, caches, flag_sets
    cdef Name[NAMES * CACHED] names
    cdef list decoded
    cdef readonly str path
    cdef readonly Py_ssize_t damaged     # times that the ring's content made no sense and was skipped

    def __cinit__(self):
        self.fd = -1

    def __init__(self, path, *, outcomes=(), operations=(), errors=(), caches=(), flags=()):
        self.path = os.fspath(path)
        self.outcomes, self.operations, self.errors, self.caches, self.flag_sets = outcomes, operations, errors, caches, flags
        self.decoded = [""] * (NAMES * CACHED)
        self.fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        try:
            lock_end(self.fd, AT_TAIL)
            self.capacity = read_title(self.fd, &self.title)
            if not self.capacity:
                raise RingError("the ring is not ready yet")
            self.map = map_file(self.fd, self.capacity)
        except BaseException:
            self.close()
            raise
        self.ring = self.map + PAGE
        self.cursor = load_acquire(<uint64_t*>(self.map + AT_TAIL))
        if not is_sound(self.map, self.capacity):
            self.skip_all()

    def read(self, Py_ssize_t most=1000, bint release=True):
        """Return up to `most` records, oldest first; with release=False their space stays taken until release()."""
        if self.map == NULL:
            raise ValueError("the ring is closed")
        cdef uint64_t head = load_acquire(<uint64_t*>(self.map + AT_HEAD))
        cdef Entry* entry
        cdef list rows = []
        while self.cursor != head and len(rows) < most:
            entry = <Entry*>(self.ring + (self.cursor & (self.capacity - 1)))
            if not self.is_whole(entry, head):
                self.skip_all()
                break
            if entry.kind == KIND_RECORD:
                rows.append(self.row(entry))
            self.cursor += entry.length
        if release:
            store_release(<uint64_t*>(self.map + AT_TAIL), self.cursor)
        return rows

    def release(self, position=None):
        """Give back the space of everything up to `position` (by default all that was read)."""
        cdef uint64_t wanted = self.cursor if position is None else position
        if self.map == NULL:
            raise ValueError("the ring is closed")
        if wanted > self.cursor:
            raise ValueError("expected a position up to %d, got %d" % (self.cursor, wanted))
        if wanted > load_relaxed(<uint64_t*>(self.map + AT_TAIL)):
            store_release(<uint64_t*>(self.map + AT_TAIL), wanted)

    def seek(self, uint64_t position):
        """Skip to a position that an earlier reader of this very file had reached; False where it is not in the ring."""
        cdef uint64_t head = load_acquire(<uint64_t*>(self.map + AT_HEAD))
        if position & 7 or position < self.cursor or position > head:
            return False
        self.cursor = position
        return True

    cdef bint is_whole(self, const Entry* entry, uint64_t head) noexcept nogil:
        cdef uint64_t length = entry.length
        cdef uint64_t pieces
        if length < 8 or length & 7 or length > head - self.cursor:
            return False
        if (self.cursor & (self.capacity - 1)) + length > self.capacity:
            return False
        if entry.kind == KIND_PADDING:
            return True
        if entry.kind != KIND_RECORD or length < sizeof(Entry) + sizeof(Record):
            return False
        pieces = (entry.detail_len + (0 if entry.request_len == ABSENT else <uint64_t>entry.request_len)
                  + (0 if entry.reply_len == ABSENT else <uint64_t>entry.reply_len))
        return sizeof(Entry) + sizeof(Record) + pieces <= length

    cdef int skip_all(self) except -1:
        """Give up on what the ring holds: only a machine that lost power leaves such a ring behind."""
        self.damaged += 1
        self.cursor = load_acquire(<uint64_t*>(self.map + AT_HEAD))
        store_release(<uint64_t*>(self.map + AT_TAIL), self.cursor)
        return 0

    cdef tuple row(self, const Entry* entry):
        cdef const Record* r = <const Record*>(<const char*>entry + sizeof(Entry))
        cdef const char* piece = <const char*>r + sizeof(Record)
        detail = request = reply = None
        if entry.detail_len:
            detail = PyBytes_FromStringAndSize(piece, entry.detail_len)
            piece += entry.detail_len
        if entry.request_len != ABSENT:
            request = PyBytes_FromStringAndSize(piece, entry.request_len)
            piece += entry.request_len
        if entry.reply_len != ABSENT:
            reply = PyBytes_FromStringAndSize(piece, entry.reply_len)
        return (
            hex_of(r.id, True), hex_of(r.trace, False), r.started_ns, r.read_ns, r.admitted_ns, r.sent_ns,
            r.first_byte_ns, r.replied_ns, r.finished_ns, r.gateway_ns, r.input_tokens, r.output_tokens,
            r.cache_read_tokens, r.cache_write_tokens, r.reasoning_tokens, r.audio_tokens, r.cost_nano_usd,
            r.saved_nano_usd, r.request_bytes, r.reply_bytes, r.status, r.upstream_status, name_at(self.outcomes, r.outcome),
            name_at(self.errors, r.error), name_at(self.flag_sets, r.flags), r.attempts, r.retries,
            name_at(self.caches, r.cache), name_at(self.operations, r.operation), r.worker,
            self.decode(0, r.key, sizeof(r.key)), self.decode(1, r.workspace, sizeof(r.workspace)),
            self.decode(2, r.integration, sizeof(r.integration)), self.decode(3, r.provider, sizeof(r.provider)),
            self.decode(4, r.model, sizeof(r.model)), self.decode(5, r.upstream_model, sizeof(r.upstream_model)),
            self.decode(6, r.trace_id, sizeof(r.trace_id)), self.decode(7, r.dialect, sizeof(r.dialect)),
            detail, request, reply,
        )

    cdef str decode(self, int field, const char* p, Py_ssize_t size):
        """Decode a zero-padded name, or return the text made for the same bytes before."""
        cdef uint64_t mix = 0
        cdef Py_ssize_t i, slot
        if p[0] == 0:
            return ""
        for i in range(size >> 3):
            mix = (mix ^ load_word(p + 8 * i)) * <uint64_t>0x9E3779B97F4A7C15
            mix ^= mix >> 29
        slot = field * CACHED + <Py_ssize_t>(mix % CACHED)
        if memcmp(self.names[slot].text, p, size) != 0:
            self.decoded[slot] = PyUnicode_DecodeUTF8(p, strnlen(p, size), "ignore")   # may be cut inside a character
            memcpy(self.names[slot].text, p, size)
        return <str>self.decoded[slot]

    def gauges(self):
        """The worker's gauges, by the indexes of GAUGES."""
        cdef int i
        return [(<int64_t*>(self.map + AT_GAUGES))[i] for i in range(<int>GAUGES)]

    def pushed(self):
        """Records pushed since the file was made."""
        return load_relaxed(<uint64_t*>(self.map + AT_PUSHED))

    def dropped(self):
        """(payloads, details, records) dropped since the file was made; a piece dropped with its record counts in both."""
        return (load_relaxed(<uint64_t*>(self.map + AT_DROPPED_PAYLOADS)),
                load_relaxed(<uint64_t*>(self.map + AT_DROPPED_DETAILS)),
                load_relaxed(<uint64_t*>(self.map + AT_DROPPED_RECORDS)))

    def writer_alive(self):
        """True while some process holds the producer's end."""
        cdef flock probe
        memset(&probe, 0, sizeof(probe))
        probe.l_type = <short>F_WRLCK
        probe.l_start = AT_HEAD
        probe.l_len = 1
        return fcntl(self.fd, F_OFD_GETLK, &probe) == 0 and probe.l_type != F_UNLCK

    def is_replaced(self):
        """True once the path leads to another file than the one that is mapped, or to none."""
        try:
            there, here = os.stat(self.path), os.fstat(self.fd)
        except FileNotFoundError:
            return True
        return (there.st_ino, there.st_dev) != (here.st_ino, here.st_dev)

    @property
    def position(self):
        """How far this reader has come, in bytes since the file was made."""
        return self.cursor

    @property
    def unread_bytes(self):
        return load_acquire(<uint64_t*>(self.map + AT_HEAD)) - self.cursor

    @property
    def used_bytes(self):
        """Bytes that the producer cannot use yet: unread, or read and not released."""
        return load_acquire(<uint64_t*>(self.map + AT_HEAD)) - load_relaxed(<uint64_t*>(self.map + AT_TAIL))

    @property
    def capacity_bytes(self):
        return self.capacity

    @property
    def created_ns(self):
        return self.title.created_ns

    @property
    def worker(self):
        return self.title.worker

    def let_pages_go(self):
        """Take the pages out of this process's memory until they are touched; what is in them stays, as it is the file's."""
        if self.map != NULL:
            madvise(self.map, PAGE + self.capacity, MADV_DONTNEED)

    def close(self):
        """Unmap and let go of the file; what was not released will be read again by the next reader."""
        if self.map != NULL:
            munmap(self.map, PAGE + self.capacity)
            self.map = NULL
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __dealloc__(self):
        self.close()

    def __repr__(self):
        return "RingReader(worker=%d, position=%d%s)" % (
            self.title.worker, self.cursor, "" if self.map != NULL else ", closed")


cdef inline uint64_t load_word(const char* p) noexcept nogil:
    cdef uint64_t word
    memcpy(&word, p, 8)
    return word


cdef inline object name_at(tuple table, Py_ssize_t index):
    return table[index] if 0 <= index < len(table) else str(index)


cdef str hex_of(const uint8_t* p, bint dashes):
    """Sixteen bytes as a UUID, or as 32 digits which are empty where all are zero."""
    cdef char text[36]
    cdef int i, at = 0
    cdef const char* digits = b"0123456789abcdef"
    if not dashes and load_word(<const char*>p) == 0 and load_word(<const char*>p + 8) == 0:
        return ""
    for i in range(16):
        if dashes and (i == 4 or i == 6 or i == 8 or i == 10):
            text[at] = 45
            at += 1
        text[at] = digits[p[i] >> 4]
        text[at + 1] = digits[p[i] & 15]
        at += 2
    return PyUnicode_DecodeASCII(text, at, NULL)


def filling(path):
    """How full a ring is, 0 to 1, and how many ringfuls have ever been pushed, as anybody may see it.

    What was read but is not given back yet counts as used.
    """
    cdef Title title
    cdef uint64_t capacity, head, tail
    fd = os.open(path, os.O_RDONLY)
    try:
        capacity = read_title(fd, &title)
        page = os.pread(fd, AT_TAIL + 8, 0)
    finally:
        os.close(fd)
    if capacity == 0:
        return 0.0, 0.0
    head = int.from_bytes(page[AT_HEAD:AT_HEAD + 8], "little")
    tail = int.from_bytes(page[AT_TAIL:AT_TAIL + 8], "little")
    return min((head - tail) / <double>capacity, 1.0), head / <double>capacity


def gauges_of(path):
    """The gauges of the worker that has a ring open, by index, as anybody may see them; None where none has."""
    cdef Title title
    cdef flock probe
    fd = os.open(path, os.O_RDONLY)
    try:
        memset(&probe, 0, sizeof(probe))
        probe.l_type = <short>F_WRLCK
        probe.l_start = AT_HEAD
        probe.l_len = 1
        if read_title(fd, &title) == 0 or fcntl(fd, F_OFD_GETLK, &probe) != 0 or probe.l_type == F_UNLCK:
            return None
        page = os.pread(fd, GAUGES * 8, AT_GAUGES)
    finally:
        os.close(fd)
    return [int.from_bytes(page[at:at + 8], "little", signed=True) for at in range(0, len(page), 8)]


# -- the layout, for tests and for callers in Python -----------------------------------------------------------------

# A function, since a tuple written out where it stands is ten times the code.
cdef tuple field(str name, str kind, Py_ssize_t size, Py_ssize_t offset):
    return (name, kind, size, offset)


def record_layout():
    """Return (name, kind, size in bytes, offset) of each field of the Record; kind is int, uint, bytes or text."""
    cdef Record r
    cdef char* at = <char*>&r
    memset(&r, 0, sizeof(r))
    return (
        field("id", "bytes", sizeof(r.id), <char*>&r.id - at),
        field("trace", "bytes", sizeof(r.trace), <char*>&r.trace - at),
        field("started_ns", "int", sizeof(r.started_ns), <char*>&r.started_ns - at),
        field("read_ns", "int", sizeof(r.read_ns), <char*>&r.read_ns - at),
        field("admitted_ns", "int", sizeof(r.admitted_ns), <char*>&r.admitted_ns - at),
        field("sent_ns", "int", sizeof(r.sent_ns), <char*>&r.sent_ns - at),
        field("first_byte_ns", "int", sizeof(r.first_byte_ns), <char*>&r.first_byte_ns - at),
        field("replied_ns", "int", sizeof(r.replied_ns), <char*>&r.replied_ns - at),
        field("finished_ns", "int", sizeof(r.finished_ns), <char*>&r.finished_ns - at),
        field("gateway_ns", "int", sizeof(r.gateway_ns), <char*>&r.gateway_ns - at),
        field("input_tokens", "int", sizeof(r.input_tokens), <char*>&r.input_tokens - at),
        field("output_tokens", "int", sizeof(r.output_tokens), <char*>&r.output_tokens - at),
        field("cache_read_tokens", "int", sizeof(r.cache_read_tokens), <char*>&r.cache_read_tokens - at),
        field("cache_write_tokens", "int", sizeof(r.cache_write_tokens), <char*>&r.cache_write_tokens - at),
        field("reasoning_tokens", "int", sizeof(r.reasoning_tokens), <char*>&r.reasoning_tokens - at),
        field("audio_tokens", "int", sizeof(r.audio_tokens), <char*>&r.audio_tokens - at),
        field("cost_nano_usd", "int", sizeof(r.cost_nano_usd), <char*>&r.cost_nano_usd - at),
        field("saved_nano_usd", "int", sizeof(r.saved_nano_usd), <char*>&r.saved_nano_usd - at),
        field("request_bytes", "int", sizeof(r.request_bytes), <char*>&r.request_bytes - at),
        field("reply_bytes", "int", sizeof(r.reply_bytes), <char*>&r.reply_bytes - at),
        field("status", "int", sizeof(r.status), <char*>&r.status - at),
        field("upstream_status", "int", sizeof(r.upstream_status), <char*>&r.upstream_status - at),
        field("outcome", "int", sizeof(r.outcome), <char*>&r.outcome - at),
        field("error", "int", sizeof(r.error), <char*>&r.error - at),
        field("flags", "uint", sizeof(r.flags), <char*>&r.flags - at),
        field("attempts", "uint", sizeof(r.attempts), <char*>&r.attempts - at),
        field("retries", "uint", sizeof(r.retries), <char*>&r.retries - at),
        field("cache", "uint", sizeof(r.cache), <char*>&r.cache - at),
        field("operation", "uint", sizeof(r.operation), <char*>&r.operation - at),
        field("worker", "uint", sizeof(r.worker), <char*>&r.worker - at),
        field("key", "text", sizeof(r.key), <char*>&r.key - at),
        field("workspace", "text", sizeof(r.workspace), <char*>&r.workspace - at),
        field("integration", "text", sizeof(r.integration), <char*>&r.integration - at),
        field("provider", "text", sizeof(r.provider), <char*>&r.provider - at),
        field("model", "text", sizeof(r.model), <char*>&r.model - at),
        field("upstream_model", "text", sizeof(r.upstream_model), <char*>&r.upstream_model - at),
        field("trace_id", "text", sizeof(r.trace_id), <char*>&r.trace_id - at),
        field("dialect", "text", sizeof(r.dialect), <char*>&r.dialect - at),
    )


RECORD_BYTES = sizeof(Record)
ENTRY_BYTES = sizeof(Entry)
_LAYOUT = {name: (kind, size, offset) for name, kind, size, offset in record_layout()}


def pack_record(**values):
    """Lay out a Record from named values: integers, 16 bytes for id and trace, text for names (cut to fit)."""
    packed = bytearray(sizeof(Record))
    for name, value in values.items():
        if name not in _LAYOUT:
            raise TypeError("a record has no field %r" % name)
        kind, size, offset = _LAYOUT[name]
        if kind == "text":
            packed[offset:offset + size] = value.encode()[:size].ljust(size, b"\0")
        elif kind == "bytes":
            if len(value) != size:
                raise ValueError("expected %d bytes for %s, got %d" % (size, name, len(value)))
            packed[offset:offset + size] = value
        else:
            packed[offset:offset + size] = int(value).to_bytes(size, "little", signed=kind == "int")
    return bytes(packed)
