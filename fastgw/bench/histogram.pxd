"""A log-linear histogram of durations in nanoseconds, exact to three significant digits."""
from libc.stdint cimport int64_t, uint32_t

cdef enum:
    HALF_BITS = 10                     # 1,024 buckets for each power of two: at most 1/1,024 beside the true value
    HALF = 1 << HALF_BITS
    MOST_BITS = 42                     # 73 minutes; what is longer counts as that
    BUCKETS = (MOST_BITS - HALF_BITS + 1) * HALF

cdef int bucket_of(int64_t value_ns) noexcept nogil
cdef int64_t top_of(int bucket) noexcept nogil     # the greatest value that falls into it


cdef class Histogram:
    cdef uint32_t* counts
    cdef int lowest                    # the buckets in use, for clearing and walking
    cdef int highest
    cdef readonly long long count
    cdef readonly long long least_ns
    cdef readonly long long most_ns
    cdef double sum_ns
    cdef void add(self, int64_t value_ns) noexcept nogil
