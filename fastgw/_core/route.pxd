"""How the targets of a machine fare, in a memory-mapped table, and the choice among some of them."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

cdef enum:
    MAX_CHOICES = 1024         # candidates of one choice
    UNFIT = 0x7f               # these bits of a mark: it must not be chosen
    WAS_OPEN = 0x80            # this bit of a mark is put out: its breaker was open when the choice was made

cdef enum ChoiceStrategy:
    FIRST = 0                  # in the order they stand in
    WEIGHTED = 1               # at random, by weight
    LATENCY = 2                # of two at random: the one with less time to first byte, times requests in flight
    LEAST_BUSY = 3             # fewest requests in flight for its weight
    CHEAPEST = 4               # least price
    THROUGHPUT = 5             # least time for an output token
    FASTEST = 6                # least time to first byte
    STICKY = 7                 # rendezvous: `draw` is the hash of who asks

cdef enum Health:              # what an attempt says of its target
    SUCCEEDED = 0
    FAILED = 1
    SAID_NOTHING = 2           # the caller went away, or the request was never sent

cdef struct BreakerPolicy:
    int64_t cooldown_ms
    int32_t failures           # in a row; 0: not by this
    int32_t failure_percent    # of the window; 0: not by this
    int32_t minimum_requests
    int32_t window_s           # 1 to 60
    int32_t probes             # 1 to 60

# One target: what a choice reads is in the first line of cache.
cdef struct TargetSlot:
    uint64_t breaker           # state (2 bits), probes left (6), successes needed (6), round (12), time in ms (38)
    uint64_t first_byte        # mean in 10 us (28 bits), when it was learnt in ms (36); 0 nothing known
    uint64_t token_time        # mean of an output token in 100 ns, likewise
    int64_t in_a_row           # failures since the last success
    int64_t succeeded          # ever
    int64_t failed             # ever
    int64_t opened             # ever
    int64_t padding
    uint64_t seconds[64]       # by second: which one (24 bits), successes (20), failures (20)
    uint8_t name[16]           # digest; zero where the slot was never used
    int64_t held_ns            # when it was last asked for
    int64_t unused[5]

cdef class BreakerRule:
    """When a target is left alone."""
    cdef BreakerPolicy policy

cdef class TargetTable:
    """The targets of this machine. Times are monotonic nanoseconds of this boot."""
    cdef char* map
    cdef int64_t* header
    cdef TargetSlot* slots
    cdef int32_t* in_flight    # [worker][slot]
    cdef int32_t* holds        # [worker][slot]: how many snapshots of the worker name it
    cdef int64_t map_bytes
    cdef int file
    cdef int file_owner
    cdef object thread_lock
    cdef readonly str path
    cdef readonly int worker   # -1: only looks
    cdef readonly int capacity

    # Return the place of one of the candidates, or -1 where all marks are UNFIT. `numbers`: prices for CHEAPEST (-1 unknown), lasting
    # identities for STICKY, else NULL. `forced`: its breaker is open, and it serves because too few others do.
    cdef int choose(self, int strategy, const int32_t* slots, const int64_t* weights, const int64_t* numbers, uint8_t* marks, int count,
                    int max_ejected_percent, uint64_t draw, int64_t now_ns, bint* forced) noexcept nogil
    # Count an attempt in; return its ticket (greater than 0: a probe), or -1 where the breaker is open and this is not forced.
    cdef int begin(self, int slot, const BreakerPolicy* policy, bint forced, int64_t now_ns) noexcept nogil
    # Count it out. first_byte_ns -1: no byte came; tokens 0: not known.
    cdef void end(self, int slot, int ticket, int health, const BreakerPolicy* policy, int64_t first_byte_ns, int64_t tokens,
                  int64_t duration_ns, int64_t now_ns) noexcept nogil
    cdef int64_t busy(self, int slot) noexcept nogil
    cdef bint is_open(self, int slot, int64_t now_ns) noexcept nogil

cdef class HeldTargets:
    """Slots that one snapshot names; they are given back when this is no longer referred to."""
    cdef TargetTable table
    cdef int owner             # the process
    cdef readonly tuple slots

cdef uint64_t mixed(uint64_t number) noexcept nogil
