"""A log-linear histogram of durations in nanoseconds, exact to three significant digits.

Input      durations; negative ones count as 0.
Output     percentiles by nearest rank (rounded up: the 99th of 100 samples is the 99th, not the greatest), counts in a range.
Ownership  135 KiB a histogram, freed with it.
Limits     values to 2**42 ns; 2**32 samples in one bucket.
Complexity recording is O(1); all else is linear in the buckets between the least and the greatest sample.

A value below 2,048 ns has a bucket of its own; above, each power of two is cut into 1,024, so that a bucket's greatest value, which
stands for it, is less than 0.1 % above the sample. Tested against a plain twin that keeps every sample.
"""
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.math cimport ceil
from libc.string cimport memset

cdef extern from *:
    int leading_zeros "__builtin_clzll"(unsigned long long value) noexcept nogil


cdef int bucket_of(int64_t value_ns) noexcept nogil:
    cdef int shift
    if value_ns < 2 * HALF:
        return <int>value_ns if value_ns > 0 else 0
    if value_ns >= (<int64_t>1 << MOST_BITS):
        return BUCKETS - 1
    shift = 63 - leading_zeros(<unsigned long long>value_ns) - HALF_BITS
    return shift * HALF + <int>(value_ns >> shift)


cdef int64_t top_of(int bucket) noexcept nogil:
    cdef int shift
    if bucket < 2 * HALF:
        return bucket
    shift = bucket // HALF - 1
    return ((<int64_t>(bucket - shift * HALF) + 1) << shift) - 1


cdef class Histogram:
    def __cinit__(self):
        self.counts = <uint32_t*>PyMem_Calloc(BUCKETS, sizeof(uint32_t))
        if self.counts == NULL:
            raise MemoryError
        self.lowest = BUCKETS
        self.highest = -1

    def __dealloc__(self):
        PyMem_Free(self.counts)

    def __repr__(self):
        return f"<Histogram of {self.count}, p50 {self.percentile_ns(0.5)} ns, p99 {self.percentile_ns(0.99)} ns>"

    cdef void add(self, int64_t value_ns) noexcept nogil:
        cdef int bucket
        if value_ns < 0:
            value_ns = 0
        bucket = bucket_of(value_ns)
        self.counts[bucket] += 1
        if bucket < self.lowest:
            self.lowest = bucket
        if bucket > self.highest:
            self.highest = bucket
        if self.count == 0 or value_ns < self.least_ns:
            self.least_ns = value_ns
        if value_ns > self.most_ns:
            self.most_ns = value_ns
        self.count += 1
        self.sum_ns += value_ns

    def record(self, int64_t value_ns):
        self.add(value_ns)

    def merge(self, Histogram other not None):
        cdef int bucket
        if other.count == 0:
            return
        for bucket in range(other.lowest, other.highest + 1):
            self.counts[bucket] += other.counts[bucket]
        self.lowest = min(self.lowest, other.lowest)
        self.highest = max(self.highest, other.highest)
        self.least_ns = min(self.least_ns, other.least_ns) if self.count else other.least_ns
        self.most_ns = max(self.most_ns, other.most_ns)
        self.count += other.count
        self.sum_ns += other.sum_ns

    def clear(self):
        if self.highest >= 0:
            memset(self.counts + self.lowest, 0, (self.highest - self.lowest + 1) * sizeof(uint32_t))
        self.lowest = BUCKETS
        self.highest = -1
        self.count = self.least_ns = self.most_ns = 0
        self.sum_ns = 0

    def mean_ns(self):
        return self.sum_ns / self.count if self.count else 0.0

    def percentile_ns(self, double share):
        # A share such as 0.07 of 100 is 7.000000000000001 in floating point, and must not become the eighth.
        cdef long long rank = <long long>ceil(share * self.count - 1e-9 * self.count)
        cdef long long seen = 0
        cdef int bucket
        if self.count == 0:
            return 0
        if rank < 1:
            rank = 1
        for bucket in range(self.lowest, self.highest + 1):
            seen += self.counts[bucket]
            if seen >= rank:
                return min(top_of(bucket), self.most_ns)
        return self.most_ns

    def between(self, int64_t low_ns, int64_t high_ns):
        cdef long long total = 0
        cdef int bucket
        for bucket in range(max(self.lowest, bucket_of(low_ns)), min(self.highest, bucket_of(high_ns)) + 1):
            total += self.counts[bucket]
        return total

    def buckets(self):
        return [(top_of(bucket), self.counts[bucket]) for bucket in range(self.lowest, self.highest + 1) if self.counts[bucket]]
