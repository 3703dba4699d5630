"""Keep up to 16 million keys in a memory-mapped file that one process changes while others read it.

Input      SHA-256 digests, never keys; an entry of at most 64 KiB for each, which is not looked into; wall-clock nanoseconds
Output     the slot of a digest, or -1; the entry at a slot, and a version that is another one after every change
Ownership  the file is shared by all who map it; a reader writes nothing and holds no lock, the writer holds PATH.lock
Limits     one writer; 16,777,216 keys; a file that is cut off under its readers ends them (SIGBUS): it is only ever replaced; on a file
           system that copies on write a full disk may end the writer
Memory     40 bytes a slot, 5 slots for 3 keys; 16 bytes and the entry a key, and half as much again of room on the disk (a hole
           until it is used); in memory once for all processes. 1,000,000 keys of 200 bytes: 67 MB and 216 MB
Complexity find: about two rows of 40 bytes, wherever they lie; put: one record and one store; a next generation copies what is
           alive, once for as many changes as make half of it

A key is one word away from its readers: a record (entry, end of its life, check sum) is written into fresh space of the heap and never
changed, and the slot's word, which holds its place and the flags, is stored last, with release. So there is nothing that a reader could
see half of, and nothing that a writer that is killed could leave locked; what it had not published is space lost until the next generation.
A digest, once it stands in a slot, stays; one that is removed has a flag, and may come back.

Where the heap or the table is full, or most of it is garbage, the writer makes the next generation aside, renames it into place and then
marks the old one as superseded. Readers go on with what they have mapped until they look: `is_current`.

After the death of the machine, unlike that of a process, pages of before and after the last `sync` may stand side by side. Check sums tell
damage from entries, but a revocation may be undone: whoever writes the file calls `sync` before it notes that the store is published, or
publishes all anew.
"""
import fcntl
import os
from collections import namedtuple

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

cdef extern from *:
    """
    #include <errno.h>
    #include <sys/mman.h>
    #include <unistd.h>
    #define fastgw_home(hash, rows) ((int64_t)(((unsigned __int128)(hash) * (uint64_t)(rows)) >> 64))
    static inline uint64_t fastgw_load(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
    static inline void fastgw_store(uint64_t *p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }

    /* Tells damage, not forgery: whoever can write the file needs no collision. */
    static inline uint32_t fastgw_check(const uint64_t *digest, int64_t until_ns, const char *p, uint32_t n) {
        uint64_t h = n, w;
        #define FASTGW_MIX(word) do { h = (h ^ (word)) * 0xff51afd7ed558ccdULL; h ^= h >> 32; } while (0)
        FASTGW_MIX(digest[0]); FASTGW_MIX(digest[1]); FASTGW_MIX(digest[2]); FASTGW_MIX(digest[3]);
        FASTGW_MIX((uint64_t)until_ns);
        for (; n >= 8; p += 8, n -= 8) { __builtin_memcpy(&w, p, 8); FASTGW_MIX(w); }
        w = 0; __builtin_memcpy(&w, p, n); FASTGW_MIX(w);
        return (uint32_t)h;
    }

    static int fastgw_write_all(int file, const char *p, size_t n, int64_t offset) {
        while (n) {
            ssize_t done = pwrite(file, p, n, offset);
            if (done < 0) {
                if (errno == EINTR) continue;
                return errno;
            }
            p += done; n -= done; offset += done;
        }
        return 0;
    }
    """
    int64_t fastgw_home(uint64_t hash, int64_t rows) noexcept nogil
    uint64_t fastgw_load(const uint64_t* p) noexcept nogil
    void fastgw_store(uint64_t* p, uint64_t v) noexcept nogil
    uint32_t fastgw_check(const uint64_t* digest, int64_t until_ns, const char* p, uint32_t n) noexcept nogil
    int fastgw_write_all(int file, const char* p, size_t n, int64_t offset) noexcept nogil
    void* mmap(void* at, size_t size, int protection, int flags, int file, long offset) noexcept nogil
    int munmap(void* at, size_t size) noexcept nogil
    void _exit(int status) noexcept nogil
    int PROT_READ, PROT_WRITE, MAP_SHARED
    void* MAP_FAILED

from fastgw._core.digest cimport sha256

cdef enum:
    LAYOUT = 1
    DIGEST_BYTES = 32
    HEADER_BYTES = 4096
    LEAST_SLOTS = 1024
    MOST_SLOTS = 28000000               # of 16,777,216 keys
    BUFFER_BYTES = 1 << 20              # of a file in the making
    STRIDE_BYTES = 1 << 20              # by which the heap takes room on the disk

    HEADER_MAGIC = 0                    # places in the header
    HEADER_LAYOUT = 1
    HEADER_SLOT_BYTES = 2
    HEADER_SLOTS = 3
    HEADER_HEAP_BYTES = 4
    HEADER_GENERATION = 5
    HEADER_HEAP_USED = 6                # published records lie below it
    HEADER_COUNT = 7                    # exact once the writer is done; a writer that opens the file counts itself
    HEADER_SUPERSEDED = 8
    HEADER_WORDS = 9

MOST_ENTRY_BYTES = 65536
cdef uint64_t MAGIC = 0x31464B5747545346    # "FSTGWKF1"
cdef int64_t MOST_HEAP_BYTES = 1LL << 42
cdef int64_t LEAST_GARBAGE_BYTES = 4 << 20

KeyView = namedtuple("KeyView", "entry version enabled until_ns")


class LayoutError(ValueError):
    """The file is damaged, or no key file of this version."""


cdef inline int64_t size_of(int64_t length) noexcept nogil:
    """What a record with an entry of that length takes of the heap."""
    return <int64_t>sizeof(KeyRecord) + ((length + 7) & ~7LL)


cdef inline bint is_same(const uint64_t* a, const uint64_t* b) noexcept nogil:
    # All four words are always read: time says nothing about where two digests differ.
    return ((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3])) == 0


cdef int64_t place_of(const KeySlot* rows, int64_t slots, const uint64_t* digest) noexcept nogil:
    """The slot of a digest, or the empty one where it would go; -1 where there is none of either."""
    cdef int64_t at = fastgw_home(digest[0], slots)
    cdef int64_t i
    for i in range(slots):
        if fastgw_load(&rows[at].word) == 0 or is_same(rows[at].digest, digest):
            return at
        at += 1
        if at == slots:
            at = 0
    return -1


cdef int take_digest(bytes digest, uint64_t* words) except -1:
    if len(digest) != DIGEST_BYTES:
        raise ValueError(f"expected a digest of {DIGEST_BYTES} bytes, got {len(digest)}")
    memcpy(words, <const char*>digest, DIGEST_BYTES)
    return 0


cdef tuple identity_of(status):
    return status.st_dev, status.st_ino


cdef void unmap(char* map, int64_t size) noexcept:
    """Let go of a map, without the interpreter's lock: a large one takes milliseconds."""
    if map != NULL:
        with nogil:
            munmap(map, size)


cdef class KeyFile:
    """The file as a reader has it mapped, one generation after another; maps change only under the interpreter's lock."""

    def __cinit__(self, path, bint maps=True):
        self.path = os.fspath(path)
        self.map = NULL

    def __init__(self, path, bint maps=True):
        if maps:
            self.attach(False)

    def __dealloc__(self):
        if self.map != NULL:
            munmap(self.map, self.map_bytes)

    cdef int attach(self, bint writes) except -1:
        """Map the file that is at the path now, and let go of the one before; a find sees the one or the other."""
        cdef int file = os.open(self.path, (os.O_RDWR if writes else os.O_RDONLY) | os.O_CLOEXEC)
        cdef void* at
        cdef int64_t size, slots, heap_bytes
        cdef uint64_t[HEADER_WORDS] head
        cdef char* before = self.map
        cdef int64_t before_bytes = self.map_bytes
        try:
            status = os.fstat(file)
            start = os.pread(file, sizeof(head), 0)
            size = status.st_size
            if len(start) < <Py_ssize_t>sizeof(head):
                raise LayoutError(f"expected a key file, found {size} bytes at {self.path}")
            memcpy(head, <const char*>start, sizeof(head))
            if head[HEADER_MAGIC] != MAGIC:
                raise LayoutError(f"expected a key file, found something else at {self.path}")
            if head[HEADER_LAYOUT] != LAYOUT or head[HEADER_SLOT_BYTES] != sizeof(KeySlot):
                raise LayoutError(f"expected a key file of layout {LAYOUT}, found {head[HEADER_LAYOUT]} at {self.path}")
            slots, heap_bytes = head[HEADER_SLOTS], head[HEADER_HEAP_BYTES]
            if not 0 < slots <= MOST_SLOTS or not 0 <= heap_bytes <= MOST_HEAP_BYTES or heap_bytes % 8 \
                    or size != HEADER_BYTES + heap_bytes + slots * <int64_t>sizeof(KeySlot):
                raise LayoutError(f"expected a whole key file, found one of {size} bytes, cut off or damaged, at {self.path}")
            at = mmap(NULL, size, PROT_READ | PROT_WRITE if writes else PROT_READ, MAP_SHARED, file, 0)
            if at == MAP_FAILED:
                raise MemoryError(f"cannot map {size} bytes of address space for {self.path}")
        finally:
            os.close(file)
        self.map = <char*>at
        self.map_bytes = size
        self.header = <uint64_t*>at
        self.generation = head[HEADER_GENERATION]
        self.heap = self.map + HEADER_BYTES
        self.heap_bytes = heap_bytes
        self.rows = <KeySlot*>(self.heap + heap_bytes)
        self.slots = slots
        self.identity = identity_of(status)
        self.turn += 1
        unmap(before, before_bytes)
        return 0

    def refresh(self):
        self.attach(False)

    def close(self):
        cdef char* before = self.map
        self.map = NULL
        self.slots = 0
        unmap(before, self.map_bytes)

    cdef int64_t find(self, const uint8_t* digest) noexcept nogil:
        cdef uint64_t words[4]
        cdef uint64_t word
        cdef int64_t at
        memcpy(words, digest, DIGEST_BYTES)
        at = place_of(self.rows, self.slots, words)
        if at < 0:
            return -1
        word = fastgw_load(&self.rows[at].word)
        # Between the two loads the slot may have been filled by another digest: then this one was not there.
        return at if word and not word & KEY_REMOVED and is_same(self.rows[at].digest, words) else -1

    cdef uint64_t version(self, int64_t slot) noexcept nogil:
        return fastgw_load(&self.rows[slot].word)

    cdef KeyRecord* record_of(self, uint64_t word) noexcept nogil:
        cdef uint64_t place = (word >> 8) * 8
        cdef KeyRecord* record
        if place + sizeof(KeyRecord) > <uint64_t>self.heap_bytes:
            return NULL
        record = <KeyRecord*>(self.heap + place)
        return record if place + size_of(record.length) <= <uint64_t>self.heap_bytes else NULL

    def find_digest(self, bytes digest not None):
        if len(digest) != DIGEST_BYTES:
            return -1
        return self.find(<const uint8_t*><const char*>digest)

    def view(self, int64_t slot):
        cdef uint64_t word
        cdef KeyRecord* record
        cdef bytes entry
        if not 0 <= slot < self.slots:
            raise IndexError(f"expected a slot from 0 to {self.slots - 1}, got {slot}")
        word = self.version(slot)
        record = self.record_of(word) if word else NULL
        if record == NULL:
            raise LayoutError(f"expected a key's record, found none at slot {slot} of {self.path}")
        entry = (<char*>&record[1])[:record.length]
        if fastgw_check(self.rows[slot].digest, record.until_ns, entry, len(entry)) != record.check:
            raise LayoutError(f"expected the record of its check sum, found a damaged one at slot {slot} of {self.path}")
        return KeyView(entry, word, not word & KEY_DISABLED, record.until_ns)

    def items(self):
        cdef int64_t turn = self.turn
        cdef int64_t i
        cdef uint64_t word
        for i in range(self.slots):
            if self.turn != turn or self.map == NULL:
                raise RuntimeError(f"{self.path} was replaced or closed while its keys were read")
            word = self.version(i)
            if word and not word & KEY_REMOVED:
                view = self.view(i)
                yield (<char*>self.rows[i].digest)[:DIGEST_BYTES], view.entry, view.enabled, view.until_ns

    def is_current(self):
        if self.map == NULL or fastgw_load(&self.header[HEADER_SUPERSEDED]):
            return False
        # A writer may have died between the renaming of the next generation and the mark in this one.
        try:
            status = os.stat(self.path)
        except OSError:
            return True
        return identity_of(status) == self.identity

    def __len__(self):
        return fastgw_load(&self.header[HEADER_COUNT]) if self.map != NULL else 0

    def __repr__(self):
        return f"<{type(self).__name__} {self.path} generation {self.generation}, {len(self)} keys of {self.slots} slots>"


cdef void write_record(KeyRecord* record, const uint64_t* digest, const char* entry, uint32_t length, int64_t until_ns) noexcept nogil:
    cdef char* start = <char*>&record[1]
    record.check = fastgw_check(digest, until_ns, entry, length)
    record.length = length
    record.until_ns = until_ns
    memcpy(start, entry, length)
    memset(start + length, 0, size_of(length) - sizeof(KeyRecord) - length)


cdef class Draft:
    """A generation in the making: its heap goes to a file as it comes, its table is kept until the end."""
    cdef int file
    cdef char* buffer
    cdef int64_t buffered
    cdef int64_t heap_used             # what is in the buffer included
    cdef int64_t count
    cdef KeySlot* rows
    cdef int64_t slots

    def __cinit__(self, int file, int64_t count):
        self.file = file
        self.buffer = <char*>malloc(BUFFER_BYTES)
        self.slots = max(<int64_t>LEAST_SLOTS, min(max(count, 0), <int64_t>MOST_SLOTS) * 5 // 3 + 1)
        self.rows = <KeySlot*>calloc(self.slots, sizeof(KeySlot))
        if self.buffer == NULL or self.rows == NULL:
            raise MemoryError(f"no memory for a table of {self.slots} keys")

    def __dealloc__(self):
        free(self.buffer)
        free(self.rows)

    cdef int grow(self) except -1:
        """Double the table."""
        cdef int64_t slots = min(self.slots * 2, <int64_t>MOST_SLOTS)
        cdef int64_t i
        cdef KeySlot* rows
        if slots == self.slots:
            raise OverflowError(f"expected at most {MOST_SLOTS * 3 // 5} keys")
        rows = <KeySlot*>calloc(slots, sizeof(KeySlot))
        if rows == NULL:
            raise MemoryError(f"no memory for a table of {slots} keys")
        for i in range(self.slots):
            if self.rows[i].word:
                rows[place_of(rows, slots, self.rows[i].digest)] = self.rows[i]
        free(self.rows)
        self.rows, self.slots = rows, slots
        return 0

    cdef int write(self, const void* start, int64_t size, int64_t offset) except -1:
        cdef int error
        with nogil:
            error = fastgw_write_all(self.file, <const char*>start, size, offset)
        if error:
            raise OSError(error, os.strerror(error))
        return 0

    cdef int flush(self) except -1:
        self.write(self.buffer, self.buffered, HEADER_BYTES + self.heap_used - self.buffered)
        self.buffered = 0
        return 0

    cdef int add(self, const uint64_t* digest, const char* entry, uint32_t length, uint64_t flags, int64_t until_ns) except -1:
        """Take a key in; the later of two of one digest counts."""
        cdef int64_t size = size_of(length)
        cdef KeySlot* row
        if self.buffered + size > BUFFER_BYTES:
            self.flush()
        if self.count * 5 > self.slots * 3:
            self.grow()
        row = &self.rows[place_of(self.rows, self.slots, digest)]
        if row.word == 0:
            memcpy(row.digest, digest, DIGEST_BYTES)
            self.count += 1
        write_record(<KeyRecord*>(self.buffer + self.buffered), digest, entry, length, until_ns)
        row.word = <uint64_t>(self.heap_used // 8) << 8 | KEY_USED | flags
        self.buffered += size
        self.heap_used += size
        return 0

    cdef int finish(self, int64_t generation) except -1:
        """Write what is left: the table behind the heap and its room, the head last."""
        cdef uint64_t[HEADER_WORDS] head
        cdef int64_t heap_bytes = (self.heap_used + self.heap_used // 2 + STRIDE_BYTES + HEADER_BYTES - 1) // HEADER_BYTES * HEADER_BYTES
        if heap_bytes > MOST_HEAP_BYTES:
            raise OverflowError(f"expected at most {MOST_HEAP_BYTES} bytes of entries")
        self.flush()
        self.write(self.rows, self.slots * sizeof(KeySlot), HEADER_BYTES + heap_bytes)
        head[:] = [MAGIC, LAYOUT, sizeof(KeySlot), self.slots, heap_bytes, generation, self.heap_used, self.count, 0]
        return self.write(head, sizeof(head), 0)


cdef class KeyFileWriter(KeyFile):
    """The one writer, which has the latest generation mapped."""
    cdef readonly str damage
    cdef int lock
    cdef int64_t filled                # slots that are not empty
    cdef int64_t count
    cdef int64_t live_bytes
    cdef int64_t reserved_bytes        # of the heap: room that the disk has promised
    cdef int fuse

    def __cinit__(self, path):
        self.lock = -1
        self.damage = ""

    def __init__(self, path):
        self.lock = os.open(self.path + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BlockingIOError(error.errno, "another process writes the keys", self.path) from None
        try:
            self.attach(True)
            self.recount()
        except FileNotFoundError:
            self.replace_all(())
        except LayoutError as error:
            KeyFile.close(self)
            self.damage = str(error)

    def __dealloc__(self):
        if self.lock >= 0:
            os.close(self.lock)

    def close(self):
        KeyFile.close(self)
        self.damage = "it is closed"
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1

    cdef inline void crash_point(self) noexcept nogil:
        if self.fuse:
            self.fuse -= 1
            if self.fuse == 0:
                _exit(9)

    cdef int recount(self) except -1:
        """Count what is there, since a writer that was killed had no time to; make sure that every word leads to a record."""
        cdef int64_t used = self.header[HEADER_HEAP_USED]
        cdef int64_t i
        cdef uint64_t word
        cdef KeyRecord* record
        self.filled = self.count = self.live_bytes = 0
        self.reserved_bytes = used
        if not 0 <= used <= self.heap_bytes or used % 8:
            raise LayoutError(f"expected a heap of at most {self.heap_bytes} bytes, found {used} in use in {self.path}")
        for i in range(self.slots):
            word = self.rows[i].word
            if word == 0:
                continue
            self.filled += 1
            if word & KEY_REMOVED:
                continue
            record = self.record_of(word)
            if record == NULL or <char*>record + size_of(record.length) > self.heap + used:
                raise LayoutError(f"expected a record below {used}, found none at slot {i} of {self.path}")
            self.count += 1
            self.live_bytes += size_of(record.length)
        fastgw_store(&self.header[HEADER_COUNT], self.count)
        fastgw_store(&self.header[HEADER_SUPERSEDED], 0)
        return 0

    cdef KeySlot* slot_of(self, bytes digest, uint64_t* words) except NULL:
        """The slot of a digest, or the empty one where it would go."""
        take_digest(digest, words)
        if self.damage:
            raise LayoutError(f"the keys cannot be changed until all are replaced: {self.damage}")
        return &self.rows[place_of(self.rows, self.slots, words)]

    cdef int reserve(self, int64_t end) except -1:
        """Make the disk promise room up to there: a hole that cannot be filled would end the process."""
        cdef int64_t ahead
        if end > self.reserved_bytes:
            ahead = min(self.heap_bytes, end + STRIDE_BYTES)
            file = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
            try:
                if identity_of(os.fstat(file)) != self.identity:
                    self.damage = f"another file was put in the place of {self.path}"
                    raise LayoutError(f"the keys cannot be changed until all are replaced: {self.damage}")
                os.posix_fallocate(file, HEADER_BYTES + self.reserved_bytes, ahead - self.reserved_bytes)
            finally:
                os.close(file)
            self.reserved_bytes = ahead
        return 0

    def put(self, bytes digest not None, bytes entry not None, bint enabled=True, int64_t until_ns=0):
        cdef uint64_t words[4]
        cdef uint64_t was
        cdef int64_t size = size_of(len(entry))
        cdef int64_t used
        cdef KeySlot* row = self.slot_of(digest, words)
        check_entry(entry, until_ns)
        used = self.header[HEADER_HEAP_USED]
        if used + size > self.heap_bytes or (row.word == 0 and (self.filled + 1) * 4 > self.slots * 3) \
                or used - self.live_bytes > LEAST_GARBAGE_BYTES + 2 * self.live_bytes:
            self.compact()
            row = self.slot_of(digest, words)
            used = self.header[HEADER_HEAP_USED]
        self.reserve(used + size)
        # The space is taken before it is written to: a writer that comes after a killed one must not use it again.
        fastgw_store(&self.header[HEADER_HEAP_USED], used + size)
        self.crash_point()
        write_record(<KeyRecord*>(self.heap + used), words, entry, <uint32_t>len(entry), until_ns)
        self.crash_point()
        was = row.word
        if was == 0:
            memcpy(row.digest, words, DIGEST_BYTES)
            self.filled += 1
            self.crash_point()
        # Must come last: from here on readers see it.
        fastgw_store(&row.word, <uint64_t>(used // 8) << 8 | KEY_USED | (0 if enabled else KEY_DISABLED))
        self.crash_point()
        self.recounted(was, size)

    cdef void recounted(self, uint64_t was, int64_t more_bytes) noexcept:
        """Count a slot whose word was another, and which has that much alive now; 0: nothing."""
        if was and not was & KEY_REMOVED:
            self.count -= 1
            self.live_bytes -= size_of(self.record_of(was).length)
        if more_bytes:
            self.count += 1
            self.live_bytes += more_bytes
        fastgw_store(&self.header[HEADER_COUNT], self.count)

    def set_enabled(self, bytes digest not None, bint enabled):
        cdef uint64_t words[4]
        cdef KeySlot* row = self.slot_of(digest, words)
        if row.word == 0 or row.word & KEY_REMOVED:
            return False
        fastgw_store(&row.word, row.word & ~<uint64_t>KEY_DISABLED | (0 if enabled else KEY_DISABLED))
        return True

    def remove(self, bytes digest not None):
        cdef uint64_t words[4]
        cdef KeySlot* row = self.slot_of(digest, words)
        cdef uint64_t was = row.word
        if was == 0 or was & KEY_REMOVED:
            return False
        fastgw_store(&row.word, was | KEY_REMOVED)
        self.crash_point()
        self.recounted(was, 0)
        return True

    def replace_all(self, keys, int64_t count=0):
        cdef uint64_t words[4]
        cdef bytes digest, entry
        cdef bint enabled
        cdef int64_t until_ns
        cdef str aside = self.path + ".next"
        cdef Draft draft
        if self.lock < 0:
            raise LayoutError(f"the keys cannot be changed: {self.damage}")
        # what a killed writer left of one is mapped by nobody
        file = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            draft = Draft(file, count)
            for digest, entry, enabled, until_ns in keys:
                take_digest(digest, words)
                check_entry(entry, until_ns)
                draft.add(words, entry, <uint32_t>len(entry), 0 if enabled else KEY_DISABLED, until_ns)
            draft.finish(self.generation + 1)
            # Must come before the renaming, or a machine that dies might come back with a name that leads to nothing.
            os.fsync(file)
            self.crash_point()
            os.rename(aside, self.path)
        except BaseException:
            os.unlink(aside)
            raise
        finally:
            os.close(file)
        self.crash_point()
        # Must come after the renaming: readers that see the mark look for what is there now.
        if self.map != NULL:
            fastgw_store(&self.header[HEADER_SUPERSEDED], 1)
        self.crash_point()
        self.attach(True)
        self.damage = ""
        self.recount()
        return self.count

    def sync(self):
        """Have the disk take what was changed: a machine that dies keeps it then, as a process that dies always does."""
        file = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.fsync(file)
        finally:
            os.close(file)

    def compact(self):
        """Write what is alive to a next generation."""
        if self.damage:
            raise LayoutError(f"the keys cannot be changed until all are replaced: {self.damage}")
        self.replace_all(self.items(), self.count)

    def _light_fuse(self, int points):
        self.fuse = points


cdef int check_entry(bytes entry, int64_t until_ns) except -1:
    if len(entry) > MOST_ENTRY_BYTES:
        raise ValueError(f"expected an entry of at most {MOST_ENTRY_BYTES} bytes, got {len(entry)}")
    if until_ns < 0:
        raise ValueError(f"expected until_ns of at least 0, got {until_ns}")
    return 0


def _bench_find(KeyFile file not None, bytes keys not None, Py_ssize_t key_bytes):
    """Look up every key of a block of equally long keys; return how many were found."""
    cdef uint8_t digest[DIGEST_BYTES]
    cdef const char* start = keys
    cdef Py_ssize_t count = len(keys) // key_bytes
    cdef Py_ssize_t found = 0
    cdef Py_ssize_t i
    with nogil:
        for i in range(count):
            sha256(start + i * key_bytes, key_bytes, digest)
            found += file.find(digest) >= 0
    return found
