"""A memory-mapped file of keys: digests to entries, one writer, any number of readers."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cdef enum KeyFlag:
    KEY_USED = 1
    KEY_DISABLED = 2
    KEY_REMOVED = 4

cdef struct KeySlot:
    uint64_t digest[4]         # never changed once `word` is not 0
    uint64_t word              # KeyFlags in the low 8 bits, above them the record's place in the heap, in units of 8 bytes; 0: empty

cdef struct KeyRecord:
    uint32_t check             # of digest, until_ns and entry
    uint32_t length            # of the entry, which follows
    int64_t until_ns           # from then on the digest is refused; 0: never


cdef class KeyFile:
    """The file as a reader has it mapped, one generation after another."""
    cdef readonly str path
    cdef readonly int64_t generation
    cdef readonly int64_t turn         # how often a file was mapped: slots and versions belong to one turn
    cdef char* map             # NULL where nothing is mapped
    cdef int64_t map_bytes
    cdef uint64_t* header
    cdef char* heap
    cdef int64_t heap_bytes
    cdef KeySlot* rows
    cdef int64_t slots
    cdef object identity       # (device, inode)

    cdef int64_t find(self, const uint8_t* digest) noexcept nogil     # its slot, or -1
    cdef uint64_t version(self, int64_t slot) noexcept nogil          # another number after each change, within a generation
    cdef int attach(self, bint writes) except -1
    cdef KeyRecord* record_of(self, uint64_t word) noexcept nogil     # NULL where the file is damaged
