"""Hash short secrets with SHA-256 and find the index that belongs to a digest.

Input      a secret of any length; digests of 32 bytes; indexes from 0 to 2**31 - 1
Output     the digest; the index that was added with it, or -1
Ownership  a table owns its rows, one block of 40 bytes a row; it keeps nothing of its arguments
Limits     no reader may run while add or remove runs; a table is filled to three quarters at most
Complexity one block of SHA-256 for each 64 bytes, then about two rows of 40 bytes, wherever they lie
"""
from libc.stdint cimport int32_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

cdef extern from "sha256.h" nogil:
    ctypedef void (*fastgw_sha256_blocks)(unsigned int* state, const uint8_t* block, size_t count) noexcept nogil
    void fastgw_sha256_portable(unsigned int* state, const uint8_t* block, size_t count) noexcept nogil
    void fastgw_sha256_native(unsigned int* state, const uint8_t* block, size_t count) noexcept nogil
    int fastgw_sha256_has_native()
    void fastgw_sha256(fastgw_sha256_blocks blocks, const char* message, size_t count, uint8_t* out) noexcept nogil

cdef extern from *:
    """
    /* Spread a uniform 64-bit number over any number of rows without a division. */
    #define fastgw_home(hash, rows) ((Py_ssize_t)(((unsigned __int128)(hash) * (uint64_t)(rows)) >> 64))
    """
    Py_ssize_t fastgw_home(uint64_t hash, Py_ssize_t rows) noexcept nogil

cdef enum:
    DIGEST_BYTES = 32
    LEAST_ROWS = 16

# Chosen once, when the module is loaded: which processor this is does not change.
cdef fastgw_sha256_blocks BLOCKS = fastgw_sha256_native if fastgw_sha256_has_native() else fastgw_sha256_portable


cdef void sha256(const char* p, Py_ssize_t n, uint8_t* out) noexcept nogil:
    fastgw_sha256(BLOCKS, p, n, out)


cdef class KeyTable:
    """Map digests to indexes, by open addressing on their first eight bytes."""

    def __cinit__(self, Py_ssize_t capacity_hint=0):
        self.rows = NULL
        self.count = 0
        self.resize(max(LEAST_ROWS, capacity_hint + capacity_hint // 3 + 1))

    def __dealloc__(self):
        free(self.rows)

    cdef KeyRow* row_of(self, const uint64_t* digest) noexcept nogil:
        cdef Py_ssize_t at = fastgw_home(digest[0], self.capacity)
        cdef KeyRow* row
        while True:
            row = &self.rows[at]
            if row.index < 0:
                return row
            # All four words are always read: time says nothing about where two digests differ.
            if ((row.digest[0] ^ digest[0]) | (row.digest[1] ^ digest[1])
                    | (row.digest[2] ^ digest[2]) | (row.digest[3] ^ digest[3])) == 0:
                return row
            at += 1
            if at == self.capacity:
                at = 0

    cdef int32_t find(self, const uint8_t* digest) noexcept nogil:
        cdef uint64_t words[4]
        memcpy(words, digest, DIGEST_BYTES)
        return self.row_of(words).index

    cdef int resize(self, Py_ssize_t capacity) except -1:
        cdef KeyRow* old = self.rows
        cdef Py_ssize_t old_capacity = self.capacity if old != NULL else 0
        cdef Py_ssize_t at
        cdef KeyRow* rows = <KeyRow*>malloc(capacity * sizeof(KeyRow))
        if rows == NULL:
            raise MemoryError(f"no memory for a key table of {capacity} rows")
        for at in range(capacity):
            rows[at].index = -1
        self.rows = rows
        self.capacity = capacity
        for at in range(old_capacity):
            if old[at].index >= 0:
                self.row_of(old[at].digest)[0] = old[at]
        free(old)
        return 0

    def add(self, bytes digest not None, int32_t index):
        """Add a digest, or give it another index."""
        cdef uint64_t words[4]
        cdef KeyRow* row
        if len(digest) != DIGEST_BYTES:
            raise ValueError(f"expected a digest of {DIGEST_BYTES} bytes, got {len(digest)}")
        if index < 0:
            raise ValueError(f"expected an index of at least 0, got {index}")
        memcpy(words, <const char*>digest, DIGEST_BYTES)
        row = self.row_of(words)
        if row.index < 0:
            if (self.count + 1) * 4 > self.capacity * 3:
                self.resize(self.capacity * 2)
                row = self.row_of(words)
            memcpy(row.digest, words, DIGEST_BYTES)
            row.padding = 0
            self.count += 1
        row.index = index

    def remove(self, bytes digest not None):
        """Take a digest out; return whether it was there."""
        cdef uint64_t words[4]
        cdef KeyRow* row
        cdef Py_ssize_t hole, at, home
        if len(digest) != DIGEST_BYTES:
            return False
        memcpy(words, <const char*>digest, DIGEST_BYTES)
        row = self.row_of(words)
        if row.index < 0:
            return False
        # Move back every row behind the hole that the hole now stands before: no tombstones, so lookups stay short.
        hole = row - self.rows
        at = hole
        while True:
            at = at + 1 if at + 1 < self.capacity else 0
            if self.rows[at].index < 0:
                break
            home = fastgw_home(self.rows[at].digest[0], self.capacity)
            if (hole < at and hole < home <= at) or (hole > at and (home > hole or home <= at)):
                continue
            self.rows[hole] = self.rows[at]
            hole = at
        self.rows[hole].index = -1
        self.count -= 1
        return True

    def find_digest(self, bytes digest not None):
        """Return the index of a digest, or -1."""
        if len(digest) != DIGEST_BYTES:
            return -1
        return self.find(<const uint8_t*><const char*>digest)

    def find_key(self, bytes key not None):
        """Return the index of the digest of a key, or -1."""
        cdef uint8_t digest[DIGEST_BYTES]
        sha256(<const char*>key, len(key), digest)
        return self.find(digest)

    def __len__(self):
        return self.count

    def __repr__(self):
        return f"<KeyTable {self.count} of {self.capacity}>"


def sha256_digest(bytes message not None):
    """Return the SHA-256 of a message by the way this machine uses."""
    cdef uint8_t digest[DIGEST_BYTES]
    sha256(<const char*>message, len(message), digest)
    return digest[:DIGEST_BYTES]


def portable_digest(bytes message not None):
    """Return the SHA-256 of a message by the plain C way, whatever the processor can do."""
    cdef uint8_t digest[DIGEST_BYTES]
    fastgw_sha256(fastgw_sha256_portable, <const char*>message, len(message), digest)
    return digest[:DIGEST_BYTES]


def is_native():
    """Whether this processor's own SHA-256 instructions are used."""
    return bool(fastgw_sha256_has_native())


def _bench_sha256(bytes message not None, Py_ssize_t count):
    """Hash the message so many times; return the first byte of the last digest."""
    cdef uint8_t digest[DIGEST_BYTES]
    cdef const char* start = message
    cdef Py_ssize_t size = len(message)
    cdef Py_ssize_t i
    with nogil:
        for i in range(count):
            sha256(start, size, digest)
    return digest[0]


def _bench_find(KeyTable table not None, bytes keys not None, Py_ssize_t key_bytes):
    """Look up every key of a block of equally long keys; return how many were found."""
    cdef uint8_t digest[DIGEST_BYTES]
    cdef const char* start = keys
    cdef Py_ssize_t count = len(keys) // key_bytes
    cdef Py_ssize_t found = 0
    cdef Py_ssize_t i
    with nogil:
        for i in range(count):
            sha256(start + i * key_bytes, key_bytes, digest)
            found += table.find(digest) >= 0
    return found
