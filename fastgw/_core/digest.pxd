"""SHA-256 of short secrets and a table from digest to index."""
from libc.stdint cimport int32_t, uint8_t

cdef void sha256(const char* p, Py_ssize_t n, uint8_t* out) noexcept nogil

cdef class KeyTable:
    """Open addressing over 32-byte digests; the comparison takes the same time wherever two digests differ."""
    cdef int32_t find(self, const uint8_t* digest) noexcept nogil    # the index, or -1
