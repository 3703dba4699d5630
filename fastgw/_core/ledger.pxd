"""Accounts in a memory-mapped file, changed only by atomics: rates, budgets, requests in flight."""
from libc.stdint cimport int32_t, int64_t

cdef enum:
    MAX_CHAIN = 8

cdef enum Refusal:
    ADMITTED = 0
    REFUSED_EXPIRED = 1
    REFUSED_BUDGET = 2
    REFUSED_REQUEST_RATE = 3
    REFUSED_TOKEN_RATE = 4
    REFUSED_PARALLEL = 5
    REFUSED_FULL = 6           # no reservation slot left in this worker's part of the file

cdef struct Denial:
    int reason                 # Refusal
    int32_t account            # which one said no
    int64_t limit              # of that account: nano-dollars, requests or tokens a minute, requests at once
    int64_t remaining
    int64_t retry_after_ns     # rates: when it would fit; budgets: when the window renews, -1 never
    int64_t resets_at_ns       # wall clock; -1 never

cdef class Ledger:
    """The accounts of this machine. All times are wall-clock nanoseconds, so that they outlive a restart."""
    # Charge every account of the chain or none. Return the reservation's slot, or -1 with *denial filled.
    cdef int admit(self, const int32_t* chain, int depth, int64_t now_ns, int64_t cost_nano_usd, int64_t tokens,
                   Denial* denial) noexcept nogil
    # What the tightest budget of the chain has left; INT64_MAX where no account has one.
    cdef int64_t remaining(self, const int32_t* chain, int depth, int64_t now_ns) noexcept nogil
    cdef int64_t mean_cost(self, int32_t account) noexcept nogil         # running mean of settled costs, nano-dollars
    cdef int64_t mean_output(self, int32_t account) noexcept nogil       # running mean of settled output tokens
    cdef void dispatch(self, int slot) noexcept nogil                    # from here on a crash is charged, not released
    # Put the truth in the place of what was reserved, once; frees the slot.
    cdef void settle(self, int slot, int64_t now_ns, int64_t cost_nano_usd, int64_t tokens, int64_t output_tokens) noexcept nogil
    cdef bint has_limits(self, int32_t account) noexcept nogil           # any at all
