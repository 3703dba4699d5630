"""SHA-256 of short secrets and a table from digest to index."""
from libc.stdint cimport int32_t, uint8_t, uint64_t

cdef void sha256(const char* p, Py_ssize_t n, uint8_t* out) noexcept nogil

cdef struct KeyRow:
    uint64_t digest[4]         # the 32 bytes as they are
    int32_t index              # -1 where the row is empty
    int32_t padding

cdef class KeyTable:
    """Open addressing over 32-byte digests; the comparison takes the same time wherever two digests differ."""
    cdef KeyRow* rows
    cdef readonly Py_ssize_t capacity
    cdef Py_ssize_t count
    cdef int32_t find(self, const uint8_t* digest) noexcept nogil    # the index, or -1
    cdef KeyRow* row_of(self, const uint64_t* digest) noexcept nogil  # its row, or the empty row where it would go
    cdef int resize(self, Py_ssize_t capacity) except -1
