"""The record of one exchange, and the memory-mapped ring that carries records from a worker to the drain."""
from libc.stdint cimport int16_t, int32_t, int64_t, uint16_t, uint32_t, uint64_t, uint8_t

cdef enum Outcome:
    SERVED = 0
    REFUSED = 1                # the gateway said no
    FAILED = 2                 # the provider or the way to it
    CANCELLED = 3              # the caller went away
    LOST = 4                   # the worker died with it in hand

cdef enum Flag:
    FLAG_STREAMED = 1
    FLAG_ESTIMATED = 2         # usage was not stated by the provider: counted from what was seen
    FLAG_CLAMPED = 4
    FLAG_PRICE_UNKNOWN = 8
    FLAG_RETRIED = 16          # sent again on a fresh connection after a reused one had died
    FLAG_TLS = 32
    FLAG_DETAIL_DROPPED = 64   # the detail was too large, or the ring had no room for it

cdef enum CacheUse:            # of responses, in the gateway
    CACHE_NONE = 0
    CACHE_HIT = 1
    CACHE_MISS = 2
    CACHE_REFRESH = 3          # the caller wanted a fresh one, which was kept
    CACHE_BYPASS = 4           # nothing was looked up and nothing kept

cdef enum:
    MOST_DETAIL_BYTES = 4096

cdef struct Record:
    uint8_t id[16]             # x-fastgw-request-id, UUIDv7
    uint8_t trace[16]          # W3C trace id; zero where none
    int64_t started_ns         # wall clock: first byte of the request
    int64_t read_ns            # these are nanoseconds after started_ns; -1 where that point was not reached: request whole
    int64_t admitted_ns
    int64_t sent_ns            # upstream request handed to the kernel
    int64_t first_byte_ns      # of the reply's head
    int64_t replied_ns         # upstream reply whole
    int64_t finished_ns        # last bytes about to be handed to the kernel for the caller
    int64_t gateway_ns         # the gateway's own share of finished_ns
    int64_t input_tokens
    int64_t output_tokens
    int64_t cache_read_tokens
    int64_t cache_write_tokens
    int64_t reasoning_tokens
    int64_t audio_tokens
    int64_t cost_nano_usd      # -1 unknown
    int64_t saved_nano_usd     # what the answer would have cost without the cache
    int64_t request_bytes      # body
    int64_t reply_bytes        # body, to the caller
    int32_t status             # to the caller; 0 where none was sent
    int32_t upstream_status    # 0 where none came
    int16_t outcome
    int16_t error              # index in the table of errors; 0 none
    uint16_t flags
    uint8_t attempts
    uint8_t retries            # of the attempts, how many asked the same target again
    uint8_t cache              # CacheUse
    uint8_t operation          # index in the table of operations
    uint16_t worker
    char key[48]               # names are UTF-8, cut at the end, zero-padded
    char workspace[32]
    char integration[32]
    char provider[24]
    char model[64]             # as the caller named it
    char upstream_model[64]
    char trace_id[40]          # what x-portkey-trace-id said, else empty
    char dialect[16]

cdef struct Pieces:            # what goes with a record; NULL is none
    const char* detail
    const char* request
    const char* reply
    Py_ssize_t detail_len
    Py_ssize_t request_len
    Py_ssize_t reply_len
    bint detail_dropped

cdef class RingWriter:
    """The producer's end; one a worker, one thread."""
    # Copy the record, its detail and two payloads; NULL is none. The detail is a JSON object of up to MOST_DETAIL_BYTES: what no
    # fixed struct can hold. A full ring drops the payloads first, then the detail, then the record, and counts each.
    # Return 2 whole, 1 with something left out, 0 dropped.
    cdef int push(self, const Record* record, const char* detail, Py_ssize_t detail_len, const char* request, Py_ssize_t request_len,
                  const char* reply, Py_ssize_t reply_len) noexcept nogil
    cdef bint put(self, const Record* record, const Pieces* pieces, uint64_t spare) noexcept nogil
    cdef int open_file(self, uint64_t capacity) except -1
    cdef int create(self, uint64_t capacity) except -1
    # A worker's gauges, beside the ring in the same file, for the drain to read.
    cdef int64_t* gauges       # GAUGES of them
    cdef char* map             # header page, then the ring; NULL once closed
    cdef char* ring
    cdef uint64_t capacity
    cdef uint64_t head         # the producer's own copy
    cdef uint64_t seen_tail    # last value read of the consumer's, so that its cache line is touched only when the ring looks full
    cdef int fd
    cdef readonly str path
    cdef readonly int worker
    cdef readonly str moved_aside   # where a file of another layout, or a damaged one, was moved to when this one was made

cdef enum Gauge:
    GAUGE_CONNECTIONS = 0      # callers' connections open
    GAUGE_IN_FLIGHT = 1        # exchanges
    GAUGE_UPSTREAM_IDLE = 2
    GAUGE_UPSTREAM_BUSY = 3
    GAUGE_REFUSED_CONNECTIONS = 4   # over the bound, total
    GAUGE_SNAPSHOT_VERSION = 5
    GAUGE_SNAPSHOT_REFUSED = 6      # configurations refused since start, total
    GAUGE_SNAPSHOT_FAULTY = 7       # 1 while the file on disk is refused
    GAUGE_PID = 8
    GAUGE_FAULTS = 9                # exceptions caught at the edge of an exchange, total
    GAUGE_PUBLISHED_NS = 10         # time of the published document that was last tried, of its file
    GAUGES = 16
