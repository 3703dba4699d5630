"""Accounts in a memory-mapped file, changed only by atomics: rates, budgets, requests in flight."""
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t

cdef enum:
    MAX_CHAIN = 16
    UNITS = 3

cdef enum:                     # units: what a budget counts
    NANO_USD = 0
    TOKENS = 1
    REQUESTS = 2

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
    int64_t limit              # of that account: what its budget counts, requests or tokens a minute, requests at once
    int64_t remaining
    int64_t retry_after_ns     # rates: when it would fit; budgets: when the window renews, -1 never
    int64_t resets_at_ns       # wall clock; -1 never
    int unit                   # of that account

# The most that one request can use, as far as it is known before it runs.
cdef struct Most:
    int64_t cost_nano_usd
    int64_t tokens             # for budgets: no less than it can use
    int64_t likely_tokens      # for rates: about what it will use

# One account: three cache lines, which are what admission needs always, for rates, and at settlement. Totals only grow;
# what was used in the window in hand is the total less window_floor. So a window renews by one compare-and-swap, and
# nothing is ever counted back to zero. Amounts are in the account's own unit, which never changes.
cdef struct Account:
    int64_t committed          # spent and reserved since the account was made
    uint64_t committed_mark    # requests in flight (20 bits), mark of the last step: slot (20), epoch (18), step (6)
    int64_t spent              # settled since the account was made
    uint64_t spent_mark        # the mark of the last step
    int64_t window             # start of the window in ms (48 bits; 0 not begun), kind (2), days (14)
    int64_t window_floor       # of spent, when the window began
    int64_t limit
    int32_t max_parallel
    int32_t flags              # which limits it has, and its unit
    int64_t request_arrival_ns # theoretical arrival time: when the allowance is whole again
    int64_t request_interval_ns
    int64_t request_burst_ns   # so many intervals as there are requests a minute
    int64_t token_arrival_ns
    int64_t token_interval     # 1/2**20 ns a token
    int64_t expires_ns
    int64_t refused
    int64_t carried            # settled before this file was made, as the store knew it
    uint8_t name[16]           # the first half of the SHA-256 of its name
    int64_t mean_cost          # 16 times the mean
    int64_t mean_output        # 16 times the mean
    int64_t requests           # settled, ever
    int64_t tokens             # settled, ever
    int64_t tokens_per_minute
    uint64_t refusal_print     # of the account as it was when its budget last refused with nothing in flight

# One reservation: written by its worker alone, except that whoever overwrites its mark in an account moves progress on.
cdef struct Slot:
    int32_t state
    int16_t depth
    int16_t taken              # accounts that were charged, once it is known
    uint64_t progress          # epoch of the slot, then (6 bits) the last step that is known to be done
    int64_t reserved[3]        # by unit
    int64_t final[3]
    int64_t likely_tokens      # taken from rates
    int64_t started_ns
    uint8_t tag[16]
    int32_t late               # the slot that holds accounts which joined later; NO_LATE, or IS_LATE: this is such a slot
    int32_t unused
    int32_t chain[16]
    int64_t padding[3]

# What an account is held to; -1 where it has no such limit.
cdef class Limits:
    cdef readonly int unit
    cdef int64_t window        # kind and days
    cdef int64_t budget
    cdef int64_t requests
    cdef int64_t tokens
    cdef int64_t parallel
    cdef int64_t expires_ns

cdef class Ledger:
    """The accounts of this machine. All times are wall-clock nanoseconds, so that they outlive a restart."""
    cdef char* map             # never moves: the file grows inside a mapping made large enough at first
    cdef Account* rows         # the accounts
    cdef Slot* slots           # of all workers
    cdef int64_t* header
    cdef uint32_t* names       # open addressing: one more than the index of an account, 0 empty
    cdef uint32_t* changes     # for each account: the scan in whose time it was last settled
    cdef uint64_t* free_slots  # of this worker, a bit each; in this process's memory
    cdef int first_slot        # of this worker
    cdef int slot_count
    cdef int first_word        # where to look for a free slot first: a hint
    cdef int fuse              # crash tests: end the process at so many points from here; 0 never
    cdef int file
    cdef int file_owner        # the process that opened it
    cdef object thread_lock
    cdef bint locks            # this process holds the file
    cdef readonly str path
    cdef readonly int worker
    cdef readonly int workers

    # Charge every account of the chain or none. Return the reservation's slot, or -1 with *denial filled.
    cdef int admit(self, const int32_t* chain, int depth, int64_t now_ns, const Most* most, Denial* denial) noexcept nogil
    # Charge these accounts too, in the place of those that joined before; all or none: return 0, or -1 with *denial filled.
    cdef int join(self, int slot, const int32_t* chain, int depth, int64_t now_ns, const Most* most, Denial* denial) noexcept nogil
    cdef void withdraw(self, int slot) noexcept nogil                    # give all back, rates too: it is refused after all
    # What the tightest budget of that unit in the chain has left; INT64_MAX where no account has one.
    cdef int64_t remaining(self, const int32_t* chain, int depth, int unit, int64_t now_ns) noexcept nogil
    cdef int64_t mean_cost(self, int32_t account) noexcept nogil         # running mean of settled costs, nano-dollars
    cdef int64_t mean_output(self, int32_t account) noexcept nogil       # running mean of settled output tokens
    cdef void dispatch(self, int slot) noexcept nogil                    # from here on a crash is charged, not released
    # Put the truth in the place of what was reserved, once; frees the slot.
    cdef void settle(self, int slot, int64_t now_ns, int64_t cost_nano_usd, int64_t tokens,
                     int64_t output_tokens) noexcept nogil
    cdef bint has_limits(self, int32_t account) noexcept nogil           # any at all
    # Name the exchange that holds the slot, by 16 bytes, for whoever reclaims it.
    cdef void tag(self, int slot, const uint8_t* tag) noexcept nogil
