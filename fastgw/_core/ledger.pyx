"""Keep the accounts of a machine in a memory-mapped file, exactly, under any concurrency and after any crash.

Input      account indexes from define; wall-clock nanoseconds; nano-dollars and tokens from 0 to 2**53
Output     a reservation's slot, or why there is none
Ownership  the file holds accounts, reservations and the index of names; a process holds which of its slots are free
Limits     64 workers, 16,384 slots each, 16,777,216 accounts, chains of 16; one file layout, others are refused
Complexity for each account one or two lines of cache and one compare-and-swap for money and requests in flight,
           one more for each rate; nothing allocates, waits, or calls the system

It is longer than other kernels because what follows is one protocol, and only reads as one:

A reservation is a fixed script of numbered steps, and each step changes one pair of words (16 bytes) by one
compare-and-swap: a number, and a mark that says which slot did it and which step it was. The slot notes a step as its
`progress` after it; whoever overwrites a mark notes it first on behalf of its slot. So after a `kill -9` at any
instruction, whether a step was done can be told from the mark and `progress` together, and the script is finished by
whoever reclaims the slot, who may itself be killed and followed by another.

    reserve   steps  1 to 16    one an account: committed += amount, requests in flight += 1
    release   steps 17 to 32    one an account: committed -= amount, requests in flight -= 1
    charge    steps 17 to 48    two an account: committed += final - reserved, in flight -= 1; then spent += final

Each account takes the amount of its own unit. What was reserved is released or charged, never both, so these two may
share their numbers. Rates need none of that: an allowance lost in a crash grows back within a minute.

Accounts that join later have a slot of their own, and the first slot names it in one word, `late`. A late slot that is
named shares the fate of the slot that names it; one that is not is given back. So to move to other accounts is: reserve
theirs, change that word, release the others; and it is done or not done by that one store.
"""
import array
import fcntl
import os
import re
import threading
import time
from collections import namedtuple
from contextlib import contextmanager

from cpython cimport array
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset
from fastgw._core.digest cimport sha256

cdef extern from *:
    """
    #include <errno.h>
    #include <fcntl.h>
    #include <sys/mman.h>
    #include <unistd.h>
    /* 0, or why there is no room; a file system that cannot keep room is not asked to. */
    static inline int fastgw_keep_room(int file, int64_t at, int64_t bytes) {
    #ifdef __linux__
        if (fallocate(file, 0, at, bytes) && errno != EOPNOTSUPP && errno != ENOSYS) return errno;
    #endif
        return 0;
    }
    #ifndef MAP_NORESERVE
    #define MAP_NORESERVE 0
    #endif
    static inline int64_t fastgw_load(const int64_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
    static inline uint64_t fastgw_load_mark(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
    static inline int32_t fastgw_load_state(const int32_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
    static inline void fastgw_store(int64_t *p, int64_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
    static inline void fastgw_store_mark(uint64_t *p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
    static inline void fastgw_store_state(int32_t *p, int32_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
    static inline uint32_t fastgw_load_word(const uint32_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
    static inline void fastgw_store_word(uint32_t *p, uint32_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
    /* A store that no later load overtakes. */
    static inline void fastgw_put_word(uint32_t *p, uint32_t v) { __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST); }
    static inline int64_t fastgw_next(int64_t *p) { return __atomic_add_fetch(p, 1, __ATOMIC_SEQ_CST); }
    static inline void fastgw_add(int64_t *p, int64_t v) { __atomic_fetch_add(p, v, __ATOMIC_RELAXED); }
    static inline int fastgw_swap(int64_t *p, int64_t was, int64_t becomes) {
        return __atomic_compare_exchange_n(p, &was, becomes, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    }
    static inline int fastgw_swap_mark(uint64_t *p, uint64_t was, uint64_t becomes) {
        return __atomic_compare_exchange_n(p, &was, becomes, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    }
    static inline int fastgw_take_bit(uint64_t *p, uint64_t bit) {
        return (__atomic_fetch_and(p, ~bit, __ATOMIC_ACQ_REL) & bit) != 0;
    }
    static inline void fastgw_give_bit(uint64_t *p, uint64_t bit) { __atomic_fetch_or(p, bit, __ATOMIC_RELEASE); }
    #define fastgw_lowest_bit(word) __builtin_ctzll(word)

    /* Swap a 16-byte pair at once; p is aligned to 16. By hand, because GCC calls a library for it. */
    static inline int fastgw_swap_pair(void *p, uint64_t low, uint64_t high, uint64_t low_becomes,
                                       uint64_t high_becomes) {
    #if defined(__x86_64__)
        unsigned char done;
        __asm__ __volatile__("lock cmpxchg16b %1\\n\\tsete %0"
                             : "=q"(done), "+m"(*(unsigned __int128 *)p), "+a"(low), "+d"(high)
                             : "b"(low_becomes), "c"(high_becomes) : "memory", "cc");
        return done;
    #elif defined(__aarch64__)
        uint64_t found_low, found_high;
        uint32_t failed;
        do {
            __asm__ __volatile__("ldaxp %0, %1, [%2]" : "=&r"(found_low), "=&r"(found_high) : "r"(p) : "memory");
            if (found_low != low || found_high != high) {
                __asm__ __volatile__("clrex" ::: "memory");
                return 0;
            }
            __asm__ __volatile__("stlxp %w0, %2, %3, [%1]" : "=&r"(failed)
                                 : "r"(p), "r"(low_becomes), "r"(high_becomes) : "memory");
        } while (failed);
        return 1;
    #else
    #error "the ledger needs a 16-byte compare-and-swap: x86-64 or aarch64"
    #endif
    }

    /* What so many tokens take of the allowance, rounded up to a nanosecond, at most the whole of it. */
    static inline int64_t fastgw_tokens_ns(int64_t tokens, int64_t interval) {
        unsigned __int128 took = (((unsigned __int128)tokens * (uint64_t)interval) + 1048575) >> 20;
        return took > 60000000000u ? (int64_t)60000000000 : (int64_t)took;
    }
    """
    int fastgw_keep_room(int file, int64_t at, int64_t size) noexcept nogil
    int64_t fastgw_load(const int64_t* p) noexcept nogil
    uint64_t fastgw_load_mark(const uint64_t* p) noexcept nogil
    int32_t fastgw_load_state(const int32_t* p) noexcept nogil
    void fastgw_store(int64_t* p, int64_t v) noexcept nogil
    void fastgw_store_mark(uint64_t* p, uint64_t v) noexcept nogil
    void fastgw_store_state(int32_t* p, int32_t v) noexcept nogil
    uint32_t fastgw_load_word(const uint32_t* p) noexcept nogil
    void fastgw_store_word(uint32_t* p, uint32_t v) noexcept nogil
    void fastgw_put_word(uint32_t* p, uint32_t v) noexcept nogil
    int64_t fastgw_next(int64_t* p) noexcept nogil
    void fastgw_add(int64_t* p, int64_t v) noexcept nogil
    bint fastgw_swap(int64_t* p, int64_t was, int64_t becomes) noexcept nogil
    bint fastgw_swap_mark(uint64_t* p, uint64_t was, uint64_t becomes) noexcept nogil
    bint fastgw_take_bit(uint64_t* p, uint64_t bit) noexcept nogil
    void fastgw_give_bit(uint64_t* p, uint64_t bit) noexcept nogil
    int fastgw_lowest_bit(uint64_t word) noexcept nogil
    bint fastgw_swap_pair(void* p, uint64_t low, uint64_t high, uint64_t low_becomes,
                          uint64_t high_becomes) noexcept nogil
    int64_t fastgw_tokens_ns(int64_t tokens, int64_t interval) noexcept nogil
    void* mmap(void* at, size_t size, int protection, int flags, int file, long offset) noexcept nogil
    int munmap(void* at, size_t size) noexcept nogil
    void _exit(int status) noexcept nogil
    int PROT_READ, PROT_WRITE, MAP_SHARED, MAP_NORESERVE
    void* MAP_FAILED

cdef enum:
    LAYOUT = 2
    MAX_WORKERS = 64
    MAX_SLOTS = 16384                   # of one worker; a multiple of 64
    HEADER_BYTES = 4096
    MAX_IN_FLIGHT = (1 << 20) - 1
    TYPICAL_BOUND = 8                   # a request is bounded by at most so many times what it uses

    HEADER_MAGIC = 0                    # places in the header
    HEADER_LAYOUT = 1
    HEADER_ACCOUNT_BYTES = 2
    HEADER_SLOT_BYTES = 3
    HEADER_SLOTS = 4
    HEADER_CAPACITY = 5
    HEADER_COUNT = 6
    HEADER_TOUCHED = 8                  # for each worker: how many of its slots were ever claimed
    HEADER_NAMES_VERSION = 72           # of the index of names; odd while it is made anew
    HEADER_NAMES_SIZE = 73
    HEADER_SCAN = 80                    # how many scans for changes there were, and one; in a line of its own

    HAS_BUDGET = 1                      # flags of an account
    HAS_EXPIRY = 2
    HAS_REQUEST_RATE = 4
    HAS_TOKEN_RATE = 8
    HAS_PARALLEL = 16
    UNIT_SHIFT = 5                      # above them: its unit

    FREE = 0                            # states of a slot
    RESERVING = 1
    RESERVED = 2
    RELEASING = 3
    DISPATCHED = 4
    CHARGING = 5

    STEP_RESERVE = 1
    STEP_RELEASE = 17
    STEP_CHARGE = 17
    STEP_BITS = 6
    STEPS = (1 << STEP_BITS) - 1

    NO_LATE = -1
    IS_LATE = -2

    OWNER_AT = 24
    IN_FLIGHT_AT = 44

    KIND_TOTAL = 0
    KIND_CALENDAR = 1                   # days: 1 a day, 7 a week
    KIND_MONTH = 2                      # days: 28, the shortest, so that one comparison settles most calls
    KIND_PERIODS = 3                    # from the first use
    MAX_PERIOD_DAYS = 16383

    DEFINED_AT_ONCE = 4096              # accounts, under one lock

cdef array.array INDEXES = array.array("i")     # a pattern for those that are returned
cdef int64_t MAGIC = 0x31474C5747545346     # "FSTGWLG1"
cdef int64_t MAX_ACCOUNTS = 1 << 24
cdef int64_t SLOTS_BYTES = <int64_t>MAX_WORKERS * MAX_SLOTS * sizeof(Slot)
cdef int64_t NAMES_AT = HEADER_BYTES + SLOTS_BYTES
cdef int64_t CHANGES_AT = NAMES_AT + 2 * MAX_ACCOUNTS * sizeof(uint32_t)
cdef int64_t ACCOUNTS_AT = CHANGES_AT + MAX_ACCOUNTS * sizeof(uint32_t)
cdef int64_t MAP_BYTES = ACCOUNTS_AT + MAX_ACCOUNTS * sizeof(Account)
cdef int64_t MOST = 1LL << 53               # of nano-dollars and tokens in one request: 9 million dollars
cdef int64_t MOST_BUDGET = 1LL << 62
cdef int64_t DAY_MS = 86400000
cdef int64_t MINUTE_NS = 60000000000
cdef int64_t LATE_NS = 10000000000
cdef uint64_t SEQUENCE_MASK = (1 << 24) - 1         # epoch and step
cdef uint64_t MARK_MASK = (1ULL << 44) - 1          # slot, epoch and step
cdef int[12] MONTH_DAYS = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]

REASONS = ("admitted", "expired", "budget", "request_rate", "token_rate", "parallel", "full")
globals()["MAX_CHAIN"] = MAX_CHAIN
UNIT_NAMES = ("nano_usd", "tokens", "requests")
STATES = ("free", "reserving", "reserved", "releasing", "dispatched", "charging")

Denied = namedtuple("Denied", "reason account limit remaining retry_after_ns resets_at_ns unit")
Reclaimed = namedtuple("Reclaimed", "slot charged_nano_usd tokens tag started_ns was")
AccountView = namedtuple(
    "AccountView",
    "account unit window window_start_ns window_end_ns budget committed spent remaining is_exhausted in_flight "
    "max_parallel requests_per_minute requests_left tokens_per_minute tokens_left expires_ns mean_cost_nano_usd "
    "mean_output_tokens lifetime lifetime_tokens lifetime_requests refused",
)


class LayoutError(ValueError):
    """The file is no ledger of this version."""


# Windows. The start is in milliseconds; 0 means that the window has not begun.

cdef int64_t floor_of(int64_t number, int64_t step) noexcept nogil:
    cdef int64_t rest = number % step
    return number - (rest + step if rest < 0 else rest)


cdef int64_t year_day(int64_t year) noexcept nogil:
    """Days from 1970 to the first of January; 477 leap days came before 1970."""
    cdef int64_t past = year - 1
    return 365 * (year - 1970) + past // 4 - past // 100 + past // 400 - 477


cdef int64_t month_day(int64_t day, int months_later) noexcept nogil:
    """The first day of the month that holds `day`, or of the month after it; days count from 1970."""
    cdef int64_t year = 1970 + day * 400 // 146097
    cdef bint leap
    cdef int month = 11
    while year_day(year + 1) <= day:
        year += 1
    while year_day(year) > day:
        year -= 1
    leap = year_day(year + 1) - year_day(year) == 366
    while MONTH_DAYS[month] + (leap and month > 1) > day - year_day(year):
        month -= 1
    month += months_later
    if month == 12:
        return year_day(year + 1)
    return year_day(year) + MONTH_DAYS[month] + (leap and month > 1)


cdef inline int kind_of(int64_t window) noexcept nogil:
    return (window >> 14) & 3


cdef inline int64_t length_ms(int64_t window) noexcept nogil:
    return (window & 0x3fff) * DAY_MS


cdef int64_t start_of(int64_t window, int64_t now_ms, bint used) noexcept nogil:
    """Where the window that holds `now_ms` begins; the start in hand where that is not to change."""
    cdef int64_t start = window >> 16
    cdef int kind = kind_of(window)
    cdef int64_t begins
    if kind == KIND_MONTH:
        begins = month_day(floor_of(now_ms, DAY_MS) // DAY_MS, 0) * DAY_MS
    elif kind == KIND_PERIODS:
        if start == 0:
            return now_ms if used else 0
        begins = start + floor_of(now_ms - start, length_ms(window))
    elif (window & 0x3fff) == 7:
        begins = floor_of(now_ms + 3 * DAY_MS, 7 * DAY_MS) - 3 * DAY_MS      # 1970 began on a Thursday
    else:
        begins = floor_of(now_ms, DAY_MS)
    # A clock that steps back by less than a day must not renew the same window twice; one that was years ahead must not
    # leave the account in a window that never ends.
    if begins < start and now_ms >= start - DAY_MS:
        return start
    return begins


cdef int64_t end_ms(int64_t window) noexcept nogil:
    """Where the window ends; -1 never, or not begun."""
    cdef int64_t start = window >> 16
    if kind_of(window) == KIND_TOTAL or start == 0:
        return -1
    if kind_of(window) == KIND_MONTH:
        return month_day(start // DAY_MS, 1) * DAY_MS
    return start + length_ms(window)


cdef void renew(Account* account, int64_t now_ms, bint used) noexcept nogil:
    """Begin the window that holds `now_ms`; one of those who try at once succeeds."""
    cdef int64_t window, begins, fallen, floor
    while True:
        # The window before its floor: a start that is current has a floor that is.
        window = fastgw_load(&account.window)
        fallen = fastgw_load(&account.window_floor)
        begins = start_of(window, now_ms, used)
        if begins == window >> 16:
            return
        # What was spent is carried into a window that had not begun, and back with a clock that was wrong.
        floor = fastgw_load(&account.spent) if begins > window >> 16 and window >> 16 != 0 else fallen
        if fastgw_swap_pair(&account.window, window, fallen, begins << 16 | (window & 0xffff), floor):
            return


cdef inline void keep_window(Account* account, int64_t now_ms, bint used) noexcept nogil:
    cdef int64_t window = fastgw_load(&account.window)
    cdef int64_t into
    if window & 0xffff:
        into = now_ms - (window >> 16)
        if window >> 16 == 0 or into < -DAY_MS or into >= length_ms(window):
            renew(account, now_ms, used)


# Rates: GCRA. The arrival time is when the whole allowance is there again.

cdef inline bint take_rate(int64_t* arrival_ns, int64_t cost_ns, int64_t burst_ns, int64_t now_ns) noexcept nogil:
    cdef int64_t was, start
    while True:
        was = fastgw_load(arrival_ns)
        start = arrival_of(was, burst_ns, now_ns)
        if start + cost_ns > now_ns + burst_ns:
            # A clock that stepped back: the pull must stay, or time would never come to what was before.
            if start >= was or fastgw_swap(arrival_ns, was, start):
                return False
            continue
        if fastgw_swap(arrival_ns, was, start + cost_ns):
            return True


cdef inline int64_t arrival_of(int64_t arrival_ns, int64_t burst_ns, int64_t now_ns) noexcept nogil:
    """The arrival time as it counts now: not past (an idle account), nor far beyond a burst (a clock that stepped back)."""
    if arrival_ns < now_ns:
        return now_ns
    # Workers read the clock a moment before they get here: the one that is late must not pull back what others took.
    return arrival_ns if arrival_ns <= now_ns + burst_ns + LATE_NS else now_ns + burst_ns


cdef void correct_rate(int64_t* arrival_ns, int64_t more_ns, int64_t burst_ns, int64_t now_ns) noexcept nogil:
    """Take more of the allowance than was there, or give some back."""
    cdef int64_t was, becomes, start
    while True:
        was = fastgw_load(arrival_ns)
        becomes = was + more_ns
        if more_ns > 0:
            start = arrival_of(was, burst_ns, now_ns)
            # No debt beyond the whole burst.
            becomes = max(start, min(start + more_ns, now_ns + burst_ns))
        if fastgw_swap(arrival_ns, was, becomes):
            return


# Steps and marks.

cdef inline uint64_t mark_of(int owner, uint64_t progress) noexcept nogil:
    return <uint64_t>owner << OWNER_AT | (progress & SEQUENCE_MASK)


cdef inline uint64_t at_step(uint64_t progress, int step) noexcept nogil:
    return (progress & ~<uint64_t>STEPS) | <uint64_t>step


cdef inline void crash_point(Ledger ledger) noexcept nogil:
    if ledger.fuse:
        ledger.fuse -= 1
        if ledger.fuse == 0:
            _exit(9)


cdef inline void acknowledge(Ledger ledger, uint64_t mark) noexcept nogil:
    """Note a step for the slot that did it, before its mark is overwritten: it may have died before it could."""
    cdef Slot* slot = &ledger.slots[(mark & MARK_MASK) >> OWNER_AT]
    cdef uint64_t sequence = mark & SEQUENCE_MASK
    cdef uint64_t progress
    while True:
        progress = fastgw_load_mark(&slot.progress)
        if (progress ^ sequence) & SEQUENCE_MASK & ~<uint64_t>STEPS or (progress & STEPS) >= (sequence & STEPS):
            return
        if fastgw_swap_mark(&slot.progress, progress, at_step(progress, sequence & STEPS)):
            return


cdef inline void begin_epoch(Ledger ledger, Slot* slot, int owner) noexcept nogil:
    """Give the slot an epoch of which no account of its chain still has a mark (they come round after 262,144)."""
    cdef uint64_t progress = fastgw_load_mark(&slot.progress) & ~<uint64_t>STEPS
    cdef uint64_t low
    cdef Account* account
    cdef int i
    cdef bint taken = True
    while taken:
        taken = False
        progress += STEPS + 1
        low = mark_of(owner, progress) >> STEP_BITS
        for i in range(slot.depth):
            account = &ledger.rows[slot.chain[i]]
            if (fastgw_load_mark(&account.committed_mark) & MARK_MASK) >> STEP_BITS == low \
                    or fastgw_load_mark(&account.spent_mark) >> STEP_BITS == low:
                taken = True
    fastgw_store_mark(&slot.progress, progress)


cdef bint is_done(Slot* slot, int owner, int step, uint64_t* mark) noexcept nogil:
    """Whether a step of a slot whose worker is dead was done."""
    # The mark before the progress: who overwrites the mark has moved the progress first.
    cdef uint64_t found = fastgw_load_mark(mark) & MARK_MASK
    cdef uint64_t progress = fastgw_load_mark(&slot.progress)
    if (progress & STEPS) >= <uint64_t>step:
        return True
    if found != mark_of(owner, at_step(progress, step)):
        return False
    fastgw_store_mark(&slot.progress, at_step(progress, step))
    return True


cdef inline int unit_of(Account* account) noexcept nogil:
    return account.flags >> UNIT_SHIFT


cdef inline int reserve(Ledger ledger, Slot* slot, int owner, int place, Account* account, int flags) noexcept nogil:
    """Take the amount and a place among the requests in flight, or return why not."""
    cdef uint64_t progress = at_step(slot.progress, STEP_RESERVE + place)
    cdef int64_t amount = slot.reserved[flags >> UNIT_SHIFT]
    cdef int64_t committed, used
    cdef uint64_t mark, in_flight
    while True:
        committed = fastgw_load(&account.committed)
        mark = fastgw_load_mark(&account.committed_mark)
        in_flight = mark >> IN_FLIGHT_AT
        if flags & HAS_BUDGET:
            used = committed - fastgw_load(&account.window_floor)
            # Without an amount to add, a budget that is used up still refuses.
            if used >= account.limit or amount > account.limit - used:
                return REFUSED_BUDGET
        if flags & HAS_PARALLEL and in_flight >= <uint64_t>account.max_parallel:
            return REFUSED_PARALLEL
        acknowledge(ledger, mark)
        if fastgw_swap_pair(&account.committed, committed, mark, committed + amount,
                            (in_flight + 1) << IN_FLIGHT_AT | mark_of(owner, progress)):
            break
    crash_point(ledger)
    fastgw_store_mark(&slot.progress, progress)
    crash_point(ledger)
    return ADMITTED


cdef inline void leave_committed(Ledger ledger, Slot* slot, int owner, int step, Account* account,
                                 int64_t more) noexcept nogil:
    """Change what is committed and leave the requests in flight."""
    cdef uint64_t progress = at_step(slot.progress, step)
    cdef int64_t committed
    cdef uint64_t mark
    while True:
        committed = fastgw_load(&account.committed)
        mark = fastgw_load_mark(&account.committed_mark)
        acknowledge(ledger, mark)
        if fastgw_swap_pair(&account.committed, committed, mark, committed + more,
                            ((mark >> IN_FLIGHT_AT) - 1) << IN_FLIGHT_AT | mark_of(owner, progress)):
            break
    crash_point(ledger)
    fastgw_store_mark(&slot.progress, progress)
    crash_point(ledger)


cdef inline void add_spent(Ledger ledger, Slot* slot, int owner, int step, Account* account,
                           int64_t more) noexcept nogil:
    cdef uint64_t progress = at_step(slot.progress, step)
    cdef int64_t spent
    cdef uint64_t mark
    while True:
        spent = fastgw_load(&account.spent)
        mark = fastgw_load_mark(&account.spent_mark)
        acknowledge(ledger, mark)
        if fastgw_swap_pair(&account.spent, spent, mark, spent + more, mark_of(owner, progress)):
            break
    crash_point(ledger)
    fastgw_store_mark(&slot.progress, progress)
    crash_point(ledger)


cdef void release(Ledger ledger, Slot* slot, int owner, bint resumed) noexcept nogil:
    """Give back what the slot took; `resumed` where part of that may be done."""
    cdef Account* account
    cdef int i
    for i in range(slot.taken):
        account = &ledger.rows[slot.chain[i]]
        if not (resumed and is_done(slot, owner, STEP_RELEASE + i, &account.committed_mark)):
            leave_committed(ledger, slot, owner, STEP_RELEASE + i, account, -slot.reserved[unit_of(account)])


cdef void charge(Ledger ledger, Slot* slot, int owner, int64_t now_ns, bint resumed) noexcept nogil:
    """Put the final amounts in the place of the reserved ones; `resumed` where part of that may be done."""
    cdef int64_t now_ms = now_ns // 1000000
    cdef int64_t final
    cdef Account* account
    cdef int i, unit
    for i in range(slot.depth):
        account = &ledger.rows[slot.chain[i]]
        unit = unit_of(account)
        final = slot.final[unit]
        keep_window(account, now_ms, True)
        if not (resumed and is_done(slot, owner, STEP_CHARGE + 2 * i, &account.committed_mark)):
            leave_committed(ledger, slot, owner, STEP_CHARGE + 2 * i, account, final - slot.reserved[unit])
        if final != 0 and not (resumed and is_done(slot, owner, STEP_CHARGE + 2 * i + 1, &account.spent_mark)):
            add_spent(ledger, slot, owner, STEP_CHARGE + 2 * i + 1, account, final)
        note_change(ledger, slot.chain[i])


cdef inline void note_change(Ledger ledger, int64_t index) noexcept nogil:
    """Tell the next scan that the account was settled; after the settlement, so that the scan sees it."""
    cdef int64_t* scans = &ledger.header[HEADER_SCAN]
    cdef uint32_t scan = <uint32_t>fastgw_load(scans)
    while fastgw_load_word(&ledger.changes[index]) != scan:
        fastgw_put_word(&ledger.changes[index], scan)
        # A scan that began meanwhile may have passed by before the store.
        scan = <uint32_t>fastgw_load(scans)


cdef void count(Ledger ledger, Slot* slot, int64_t now_ns, int64_t output_tokens) noexcept nogil:
    """Note what is no money: how many there were and what they are like; and put right what rates were charged."""
    cdef Account* account
    cdef int i
    for i in range(slot.depth):
        account = &ledger.rows[slot.chain[i]]
        fastgw_add(&account.requests, 1)
        if slot.final[TOKENS]:
            fastgw_add(&account.tokens, slot.final[TOKENS])
        learn(&account.mean_cost, slot.final[NANO_USD])
        learn(&account.mean_output, output_tokens)
        if account.flags & HAS_TOKEN_RATE and slot.final[TOKENS] != slot.likely_tokens:
            correct_rate(&account.token_arrival_ns,
                         fastgw_tokens_ns(slot.final[TOKENS], account.token_interval)
                         - fastgw_tokens_ns(slot.likely_tokens, account.token_interval), MINUTE_NS, now_ns)


# Slots.

cdef inline void touch_slots(Ledger ledger, int64_t slots) noexcept nogil:
    """Note, before a slot is written, that so many may be alive: nobody reads the others, so they take no memory."""
    cdef int64_t* touched = &ledger.header[HEADER_TOUCHED + ledger.worker]
    cdef int64_t was = fastgw_load(touched)
    while was < slots and not fastgw_swap(touched, was, slots):
        was = fastgw_load(touched)


cdef int claim_slot(Ledger ledger) noexcept nogil:
    """Take a free slot of this worker, the lowest for the sake of the cache; -1 where there is none."""
    cdef int words = ledger.slot_count // 64
    cdef int word = ledger.first_word
    cdef int i, bit
    cdef uint64_t free_bits
    for i in range(words):
        while True:
            free_bits = fastgw_load_mark(&ledger.free_slots[word])
            if free_bits == 0:
                break
            bit = fastgw_lowest_bit(free_bits)
            if fastgw_take_bit(&ledger.free_slots[word], 1ULL << bit):
                ledger.first_word = word
                touch_slots(ledger, (word + 1) * 64)
                return ledger.first_slot + word * 64 + bit
        word = word + 1 if word + 1 < words else 0
    return -1


cdef inline void free_slot(Ledger ledger, int owner) noexcept nogil:
    cdef int place = owner - ledger.first_slot
    fastgw_store_state(&ledger.slots[owner].state, FREE)
    crash_point(ledger)
    if 0 <= place < ledger.slot_count:
        fastgw_give_bit(&ledger.free_slots[place // 64], 1ULL << (place % 64))
        if place // 64 < ledger.first_word:
            ledger.first_word = place // 64


cdef inline int64_t bounded(int64_t number) noexcept nogil:
    if number < 0:
        return 0
    return number if number < MOST else MOST


cdef inline uint64_t print_of(Account* account) noexcept nogil:
    """A number that is another one once anything is settled, the budget is changed or the window renews."""
    cdef uint64_t print = <uint64_t>fastgw_load(&account.committed)
    print = (print ^ <uint64_t>fastgw_load(&account.window)) * <uint64_t>0x9E3779B97F4A7C15
    print = (print ^ <uint64_t>fastgw_load(&account.window_floor)) * <uint64_t>0xC2B2AE3D27D4EB4F
    return (print ^ <uint64_t>account.limit) * <uint64_t>0x9E3779B97F4A7C15 | 1


cdef int deny(Account* account, int32_t index, int reason, int64_t now_ns, int64_t tokens,
              Denial* denial) noexcept nogil:
    """Say why, what is left, and when it would fit; return -1."""
    cdef int64_t arrival_ns, ends_ms, used
    denial.reason = reason
    denial.account = index
    denial.limit = 0
    denial.remaining = 0
    denial.retry_after_ns = -1
    denial.resets_at_ns = -1
    denial.unit = NANO_USD
    if account == NULL:
        denial.retry_after_ns = 0
        return -1
    fastgw_add(&account.refused, 1)
    denial.unit = unit_of(account)
    if reason == REFUSED_BUDGET:
        used = fastgw_load(&account.committed) - fastgw_load(&account.window_floor)
        if fastgw_load_mark(&account.committed_mark) >> IN_FLIGHT_AT == 0:
            fastgw_store_mark(&account.refusal_print, print_of(account))
        denial.limit = account.limit
        denial.remaining = account.limit - used if used < account.limit else 0
        ends_ms = end_ms(fastgw_load(&account.window))
        if ends_ms >= 0:
            denial.resets_at_ns = ends_ms * 1000000
            denial.retry_after_ns = denial.resets_at_ns - now_ns
    elif reason == REFUSED_PARALLEL:
        denial.limit = account.max_parallel
        denial.retry_after_ns = 0
    elif reason == REFUSED_REQUEST_RATE:
        arrival_ns = arrival_of(fastgw_load(&account.request_arrival_ns), account.request_burst_ns, now_ns)
        denial.limit = account.request_burst_ns // account.request_interval_ns
        denial.remaining = (now_ns + account.request_burst_ns - arrival_ns) // account.request_interval_ns
        denial.retry_after_ns = arrival_ns + account.request_interval_ns - now_ns - account.request_burst_ns
        denial.resets_at_ns = arrival_ns
    elif reason == REFUSED_TOKEN_RATE:
        arrival_ns = arrival_of(fastgw_load(&account.token_arrival_ns), MINUTE_NS, now_ns)
        denial.limit = account.tokens_per_minute
        denial.remaining = ((now_ns + MINUTE_NS - arrival_ns) << 20) // account.token_interval
        denial.retry_after_ns = arrival_ns + fastgw_tokens_ns(tokens, account.token_interval) - now_ns - MINUTE_NS
        denial.resets_at_ns = arrival_ns
    # It may have become free, or been taken by one with a later clock, between the refusal and this look.
    if reason != REFUSED_EXPIRED and reason != REFUSED_BUDGET and denial.retry_after_ns < 0:
        denial.retry_after_ns = 0
    if denial.remaining < 0:
        denial.remaining = 0
    return -1


cdef inline int take_rates(Account* account, int flags, int64_t now_ns, int64_t tokens) noexcept nogil:
    if flags & HAS_REQUEST_RATE:
        if not take_rate(&account.request_arrival_ns, account.request_interval_ns, account.request_burst_ns, now_ns):
            return REFUSED_REQUEST_RATE
    if flags & HAS_TOKEN_RATE:
        if not take_rate(&account.token_arrival_ns, fastgw_tokens_ns(tokens, account.token_interval), MINUTE_NS, now_ns):
            if flags & HAS_REQUEST_RATE:
                fastgw_add(&account.request_arrival_ns, -account.request_interval_ns)
            return REFUSED_TOKEN_RATE
    return ADMITTED


cdef void return_rates(Account* account, int64_t tokens) noexcept nogil:
    """Give back what a request took that another limit refused."""
    if account.flags & HAS_REQUEST_RATE:
        fastgw_add(&account.request_arrival_ns, -account.request_interval_ns)
    if account.flags & HAS_TOKEN_RATE:
        fastgw_add(&account.token_arrival_ns, -fastgw_tokens_ns(tokens, account.token_interval))


cdef int occupy(Ledger ledger, const int32_t* chain, int depth, int64_t now_ns, const Most* most, int32_t late,
                Denial* denial) noexcept nogil:
    """Take a slot and reserve in every account of the chain or in none; return the slot's owner, or -1 with *denial filled."""
    cdef int64_t now_ms = now_ns // 1000000
    cdef int owner, flags, reason, i
    cdef Slot* slot
    cdef Account* account = NULL
    for i in range(depth):
        if not 0 <= chain[i] < fastgw_load(&ledger.header[HEADER_COUNT]):
            return deny(NULL, chain[i], REFUSED_FULL, now_ns, 0, denial)
    owner = claim_slot(ledger) if 0 <= depth <= MAX_CHAIN else -1
    if owner < 0:
        return deny(NULL, -1, REFUSED_FULL, now_ns, 0, denial)
    slot = &ledger.slots[owner]
    slot.depth = depth
    slot.taken = 0
    slot.reserved[NANO_USD] = bounded(most.cost_nano_usd)
    slot.reserved[TOKENS] = bounded(most.tokens)
    slot.reserved[REQUESTS] = 1
    slot.likely_tokens = bounded(most.likely_tokens)
    slot.started_ns = now_ns
    slot.late = late
    memset(slot.tag, 0, sizeof(slot.tag))
    memcpy(slot.chain, chain, depth * sizeof(int32_t))
    begin_epoch(ledger, slot, owner)
    # Everything above must be in place before the slot counts as alive.
    fastgw_store_state(&slot.state, RESERVING)
    crash_point(ledger)
    for i in range(depth):
        account = &ledger.rows[chain[i]]
        flags = account.flags
        keep_window(account, now_ms, True)
        if flags & HAS_EXPIRY and now_ns >= account.expires_ns:
            reason = REFUSED_EXPIRED
        else:
            reason = reserve(ledger, slot, owner, i, account, flags)
        if reason == ADMITTED:
            slot.taken = i + 1
            reason = take_rates(account, flags, now_ns, slot.likely_tokens)
        if reason != ADMITTED:
            deny(account, chain[i], reason, now_ns, slot.likely_tokens, denial)
            for i in range(i):
                return_rates(&ledger.rows[chain[i]], slot.likely_tokens)
            give_back(ledger, owner)
            return -1
    fastgw_store_state(&slot.state, RESERVED)
    crash_point(ledger)
    return owner


cdef void give_back(Ledger ledger, int owner) noexcept nogil:
    """Release what a slot took, and free it."""
    cdef Slot* slot = &ledger.slots[owner]
    fastgw_store_state(&slot.state, RELEASING)
    crash_point(ledger)
    release(ledger, slot, owner, False)
    free_slot(ledger, owner)


cdef void follow(Ledger ledger, Slot* slot, int64_t now_ns) noexcept nogil:
    """Do to the late accounts of a slot what its own state says is to be done."""
    cdef int owner = slot.late
    cdef Slot* late = &ledger.slots[owner]
    cdef bint resumed = late.state != RESERVED
    if resumed:
        pass
    elif slot.state == DISPATCHED or slot.state == CHARGING:
        # What was sent and never settled is charged as reserved, by each slot for itself.
        memcpy(late.final, &slot.final[0] if slot.state == CHARGING else &late.reserved[0], sizeof(late.final))
        fastgw_store_state(&late.state, CHARGING)
    else:
        fastgw_store_state(&late.state, RELEASING)
    crash_point(ledger)
    if late.state == CHARGING:
        charge(ledger, late, owner, now_ns, resumed)
    else:
        release(ledger, late, owner, resumed)


cdef void leave(Ledger ledger, Slot* slot) noexcept nogil:
    """Free the late slot of a slot; first it is named no more, since another may claim it at once."""
    cdef int owner = slot.late
    fastgw_store_state(&slot.late, NO_LATE)
    crash_point(ledger)
    free_slot(ledger, owner)


cdef class Ledger:
    """The accounts of this machine, as one worker of it sees them."""

    def __cinit__(self, path, *, int workers=1, int worker=0, int64_t capacity=65536, int slots=4096):
        self.map = NULL
        self.file = -1
        if not 1 <= workers <= MAX_WORKERS:
            raise ValueError(f"expected workers from 1 to {MAX_WORKERS}, got {workers}")
        if not 0 <= worker < workers:
            raise ValueError(f"expected worker from 0 to {workers - 1}, got {worker}")
        if not 64 <= slots <= MAX_SLOTS or slots % 64:
            raise ValueError(f"expected slots from 64 to {MAX_SLOTS}, a multiple of 64, got {slots}")
        if not 1 <= capacity <= MAX_ACCOUNTS:
            raise ValueError(f"expected capacity from 1 to {MAX_ACCOUNTS}, got {capacity}")
        self.path = os.fspath(path)
        self.workers = workers
        self.worker = worker
        self.thread_lock = threading.RLock()
        self.first_slot = worker * MAX_SLOTS
        self.slot_count = slots
        self.file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.file_owner = os.getpid()
        with self.locked():
            map_file(self, capacity)
            keep_room(self, HEADER_BYTES + <int64_t>self.first_slot * <int64_t>sizeof(Slot), slots * <int64_t>sizeof(Slot))
        self.free_slots = <uint64_t*>calloc(slots // 64, sizeof(uint64_t))
        if self.free_slots == NULL:
            raise MemoryError("no memory for the free slots of a ledger")
        cdef int64_t touched = self.header[HEADER_TOUCHED + worker]
        cdef int i
        for i in range(slots):
            # What a dead worker left stays as it is until it is reclaimed.
            if i >= touched or self.slots[self.first_slot + i].state == FREE:
                self.free_slots[i // 64] |= 1ULL << (i % 64)

    def __dealloc__(self):
        if self.map != NULL:
            munmap(self.map, MAP_BYTES)
        if self.file >= 0:
            os.close(self.file)
        free(self.free_slots)

    cdef int admit(self, const int32_t* chain, int depth, int64_t now_ns, const Most* most, Denial* denial) noexcept nogil:
        cdef int owner = occupy(self, chain, depth, now_ns, most, NO_LATE, denial)
        return owner - self.first_slot if owner >= 0 else -1

    cdef int join(self, int slot, const int32_t* chain, int depth, int64_t now_ns, const Most* most, Denial* denial) noexcept nogil:
        cdef Slot* held = &self.slots[self.first_slot + slot]
        cdef int32_t was = held.late
        cdef int32_t becomes = NO_LATE
        if held.state != RESERVED and held.state != DISPATCHED:
            return 0
        if depth:
            becomes = occupy(self, chain, depth, now_ns, most, IS_LATE, denial)
            if becomes < 0:
                return -1
        fastgw_store_state(&held.late, becomes)
        crash_point(self)
        if was >= 0:
            give_back(self, was)
        return 0

    cdef void withdraw(self, int slot) noexcept nogil:
        cdef int owner = self.first_slot + slot
        cdef Slot* held = &self.slots[owner]
        cdef int i
        if held.state != RESERVED:
            return
        if held.late >= 0:
            self.join(slot, NULL, 0, 0, NULL, NULL)
        for i in range(held.depth):
            return_rates(&self.rows[held.chain[i]], held.likely_tokens)
        give_back(self, owner)

    cdef int64_t remaining(self, const int32_t* chain, int depth, int unit, int64_t now_ns) noexcept nogil:
        cdef int64_t least = INT64_MAX
        cdef int64_t left
        cdef Account* account
        cdef int i
        for i in range(depth):
            account = &self.rows[chain[i]]
            if account.flags & HAS_BUDGET and unit_of(account) == unit:
                keep_window(account, now_ns // 1000000, False)
                left = account.limit - (fastgw_load(&account.committed) - fastgw_load(&account.window_floor))
                if left < least:
                    least = left
        return least if least > 0 else 0

    cdef int64_t mean_cost(self, int32_t account) noexcept nogil:
        return fastgw_load(&self.rows[account].mean_cost) >> 4

    cdef int64_t mean_output(self, int32_t account) noexcept nogil:
        return fastgw_load(&self.rows[account].mean_output) >> 4

    cdef bint has_limits(self, int32_t account) noexcept nogil:
        return self.rows[account].flags & ((1 << UNIT_SHIFT) - 1) != 0

    cdef void dispatch(self, int slot) noexcept nogil:
        cdef Slot* held = &self.slots[self.first_slot + slot]
        if held.state == RESERVED:
            fastgw_store_state(&held.state, DISPATCHED)

    cdef void tag(self, int slot, const uint8_t* tag) noexcept nogil:
        memcpy(self.slots[self.first_slot + slot].tag, tag, 16)

    cdef void settle(self, int slot, int64_t now_ns, int64_t cost_nano_usd, int64_t tokens,
                     int64_t output_tokens) noexcept nogil:
        cdef int owner = self.first_slot + slot
        cdef Slot* held = &self.slots[owner]
        if held.state != RESERVED and held.state != DISPATCHED:
            return
        held.final[NANO_USD] = bounded(cost_nano_usd)
        held.final[TOKENS] = bounded(tokens)
        held.final[REQUESTS] = 1
        # The final amounts before the state: from here on whoever reclaims the slot charges those.
        fastgw_store_state(&held.state, CHARGING)
        crash_point(self)
        if held.late >= 0:
            follow(self, held, now_ns)
            count(self, &self.slots[held.late], now_ns, bounded(output_tokens))
            leave(self, held)
        charge(self, held, owner, now_ns, False)
        count(self, held, now_ns, bounded(output_tokens))
        free_slot(self, owner)

    @contextmanager
    def locked(self):
        """Hold the file against other processes, other ledgers and other threads that define or reclaim."""
        with self.thread_lock:
            if self.file_owner != os.getpid():
                # A lock belongs to what was opened, and a child shares that with its parent.
                os.close(self.file)
                self.file = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
                self.file_owner = os.getpid()
                self.locks = False
            if self.locks:
                yield                   # by this thread, further out
                return
            fcntl.flock(self.file, fcntl.LOCK_EX)
            self.locks = True
            try:
                yield
            finally:
                self.locks = False
                fcntl.flock(self.file, fcntl.LOCK_UN)

    def define(self, str name not None, **limits):
        """Find or make the account of that name and set its limits; return its index."""
        return self.define_many((name,), Limits(**limits))[0]

    def define_many(self, names, limits):
        """Find or make many accounts and set their limits: one for all, or one for each; return their indexes."""
        cdef list all_names = list(names)
        cdef list each = None if isinstance(limits, Limits) else list(limits)
        cdef Py_ssize_t total = len(all_names), first, last
        cdef array.array found = array.clone(INDEXES, total, False)
        if each is not None and len(each) != total:
            raise ValueError(f"expected {total} limits, one for each name, got {len(each)}")
        for first in range(0, total, DEFINED_AT_ONCE):
            # Others may define and reclaim in between.
            last = min(first + DEFINED_AT_ONCE, total)
            define_some(self, all_names, each, None if each is not None else limits, first, last, &found.data.as_ints[first])
        return found

    def find(self, str name not None):
        """Return the index of the account of that name, None where there is none."""
        cdef uint8_t[32] digest
        cdef int64_t index = -1, version, size
        digest_of(name, digest)
        version = fastgw_load(&self.header[HEADER_NAMES_VERSION])
        size = fastgw_load(&self.header[HEADER_NAMES_SIZE])
        if size:
            index = find_name(self, digest, size)
        # A name that is found is found; one that is not may be in a part that is being made anew.
        if index < 0 and (version & 1 or size <= len(self) or version != fastgw_load(&self.header[HEADER_NAMES_VERSION])):
            with self.locked():
                prepare_names(self, len(self))
                index = find_name(self, digest, self.header[HEADER_NAMES_SIZE])
        return None if index < 0 else index

    def __len__(self):
        return self.header[HEADER_COUNT]

    def accounts(self, int64_t first=0):
        """Yield (index, first half of the SHA-256 of the name) for every account, from an index on."""
        cdef int64_t index
        if first < 0:
            raise ValueError(f"expected an index from 0, got {first}")
        for index in range(first, self.header[HEADER_COUNT]):
            yield index, self.rows[index].name[:16]

    def read(self, index, *, now_ns=None):
        """Return every number of an account, as it stands at `now_ns`."""
        return view_of(account_at(self, index), index, time.time_ns() if now_ns is None else now_ns)

    def set_spent(self, index, spent, *, now_ns=None):
        """Say what was spent in the window in hand; what is reserved stays reserved."""
        cdef Account* account = account_at(self, index)
        cdef int64_t amount = amount_of("spent", spent)
        keep_window(account, (time.time_ns() if now_ns is None else now_ns) // 1000000, False)
        set_floor(account, amount, 0, False)
        note_change(self, index)

    def restore(self, index, view, *, now_ns=None):
        """Take over what a store knows of the account; of its numbers and ours the greater counts."""
        cdef Account* account = account_at(self, index)
        cdef int64_t spent = amount_of("spent", view.spent)
        cdef int64_t lifetime = amount_of("lifetime", view.lifetime)
        cdef int64_t start_ms = 0 if view.window_start_ns is None else view.window_start_ns // 1000000
        cdef int64_t now_ms = (time.time_ns() if now_ns is None else now_ns) // 1000000
        if view.unit != UNIT_NAMES[unit_of(account)]:
            raise ValueError(f"expected an account that counts {UNIT_NAMES[unit_of(account)]}, got {view.unit}")
        keep_window(account, now_ms, False)
        if window_code(view.window) == account.window & 0xffff:
            if account.window >> 16 == 0 and start_ms:
                # Of a period of days the store knows when it began.
                set_floor(account, spent, start_ms, True)
                keep_window(account, now_ms, False)
            elif account.window >> 16 == start_ms:
                set_floor(account, spent, 0, True)
        raise_to(&account.carried, lifetime - fastgw_load(&account.spent))
        raise_to(&account.tokens, amount_of("lifetime_tokens", view.lifetime_tokens))
        raise_to(&account.requests, amount_of("lifetime_requests", view.lifetime_requests))
        note_change(self, index)

    def changed(self, int64_t cursor=0):
        """Return the indexes of the accounts that were settled since the scan that gave the cursor, and the next cursor."""
        cdef int64_t total = fastgw_load(&self.header[HEADER_COUNT])
        # From here on what is settled belongs to the next scan.
        cdef int64_t following = fastgw_next(&self.header[HEADER_SCAN])
        cdef array.array found = array.clone(INDEXES, 0, False)
        cdef int64_t at = 0
        cdef int count
        cdef int32_t[4096] some
        if cursor < 0:
            raise ValueError(f"expected a cursor from an earlier scan, or 0, got {cursor}")
        while at < total:
            with nogil:
                count = collect_changes(self, &at, total, cursor, some, 4096)
            array.extend_buffer(found, <char*>some, count)
        return found, following

    def reset(self, index, *, now_ns=None):
        """Begin the account's budget and rates afresh; what is reserved stays reserved."""
        cdef Account* account = account_at(self, index)
        self.set_spent(index, 0, now_ns=now_ns)
        fastgw_store(&account.request_arrival_ns, 0)
        fastgw_store(&account.token_arrival_ns, 0)

    def reclaim(self, int worker, *, now_ns=None):
        """Finish what a dead worker left, before another takes its number; return what was found."""
        cdef int64_t at_ns = time.time_ns() if now_ns is None else now_ns
        if not 0 <= worker < MAX_WORKERS:
            raise ValueError(f"expected worker from 0 to {MAX_WORKERS - 1}, got {worker}")
        with self.locked():
            return reclaim_worker(self, worker, at_ns)

    def recover(self, *, now_ns=None):
        """Finish what every worker left and count afresh; only while no worker is alive."""
        cdef int64_t at_ns = time.time_ns() if now_ns is None else now_ns
        cdef list found = []
        cdef int64_t index
        cdef Account* account
        cdef int worker
        with self.locked():
            for worker in range(MAX_WORKERS):
                found += reclaim_worker(self, worker, at_ns)
            for index in range(self.header[HEADER_COUNT]):
                account = &self.rows[index]
                # What is right stays unwritten: a million accounts are 192 MB.
                if account.committed != account.spent or account.committed_mark:
                    account.committed = account.spent
                    account.committed_mark = 0
        return found

    def admit_chain(self, chain, int64_t now_ns, int64_t cost_nano_usd=0, int64_t tokens=0, most_tokens=None):
        """Charge every account of the chain or none; return the slot, or a Denied."""
        cdef int32_t[MAX_CHAIN] accounts
        cdef int depth = fill_chain(self, accounts, chain)
        cdef Most most = Most(cost_nano_usd, tokens if most_tokens is None else most_tokens, tokens)
        cdef Denial denial
        cdef int slot
        with nogil:
            slot = self.admit(accounts, depth, now_ns, &most, &denial)
        return slot if slot >= 0 else said(&denial)

    def join_chain(self, int slot, chain, int64_t now_ns, int64_t cost_nano_usd=0, int64_t tokens=0, most_tokens=None):
        """Charge these accounts too, in the place of those that joined before; return None, or a Denied and all is as it was."""
        cdef int32_t[MAX_CHAIN] accounts
        cdef int depth = fill_chain(self, accounts, chain)
        cdef Most most = Most(cost_nano_usd, tokens if most_tokens is None else most_tokens, tokens)
        cdef Denial denial
        cdef int refused
        check_slot(self, slot)
        with nogil:
            refused = self.join(slot, accounts, depth, now_ns, &most, &denial)
        return said(&denial) if refused else None

    def withdraw_slot(self, int slot):
        """Give all back, rates too: the request is refused after all."""
        self.withdraw(check_slot(self, slot))

    def dispatch_slot(self, int slot):
        """From here on a crash is charged, not released."""
        self.dispatch(check_slot(self, slot))

    def tag_slot(self, int slot, bytes tag not None):
        """Name the exchange that holds the slot, by 16 bytes."""
        if len(tag) != 16:
            raise ValueError(f"expected a tag of 16 bytes, got {len(tag)}")
        self.tag(check_slot(self, slot), <const uint8_t*><const char*>tag)

    def settle_slot(self, int slot, int64_t now_ns, int64_t cost_nano_usd=0, int64_t tokens=0, int64_t output_tokens=0):
        """Put the truth in the place of what was reserved, once, and free the slot."""
        check_slot(self, slot)
        with nogil:
            self.settle(slot, now_ns, cost_nano_usd, tokens, output_tokens)

    def remaining_of(self, chain, int64_t now_ns, str unit="nano_usd"):
        """Return what the tightest budget of that unit in the chain has left; None where no account has one."""
        cdef int32_t[MAX_CHAIN] accounts
        cdef int depth = fill_chain(self, accounts, chain)
        cdef int64_t left = self.remaining(accounts, depth, UNIT_NAMES.index(unit), now_ns)
        return None if left == INT64_MAX else left

    def _light_fuse(self, int points):
        """End this process without any clean-up at the so-many-th store from here: for the crash tests."""
        self.fuse = points

    def _bench(self, chain, int64_t now_ns, int64_t step_ns, int64_t cost_nano_usd, int64_t tokens, int64_t count):
        """Admit, dispatch and settle so many times, the clock moving on by `step_ns`; return how many were admitted."""
        cdef int32_t[MAX_CHAIN] accounts
        cdef int depth = fill_chain(self, accounts, chain)
        cdef Most most = Most(cost_nano_usd, tokens, tokens)
        cdef Denial denial
        cdef int64_t admitted = 0
        cdef int64_t i
        cdef int slot
        with nogil:
            for i in range(count):
                now_ns += step_ns
                slot = self.admit(accounts, depth, now_ns, &most, &denial)
                if slot >= 0:
                    admitted += 1
                    self.dispatch(slot)
                    self.settle(slot, now_ns, cost_nano_usd, tokens, tokens)
        return admitted

    def _bench_admit(self, chain, int64_t now_ns, int64_t cost_nano_usd, int64_t tokens, int count):
        """Admit so many requests and leave them; return how many were admitted."""
        cdef int32_t[MAX_CHAIN] accounts
        cdef int depth = fill_chain(self, accounts, chain)
        cdef Most most = Most(cost_nano_usd, tokens, tokens)
        cdef Denial denial
        cdef int admitted = 0
        cdef int i
        with nogil:
            for i in range(count):
                admitted += self.admit(accounts, depth, now_ns, &most, &denial) >= 0
        return admitted

    def __repr__(self):
        return f"<Ledger {self.path} worker {self.worker} of {self.workers}, {len(self)} accounts>"


cdef inline void learn(int64_t* mean, int64_t number) noexcept nogil:
    """Move a mean (kept sixteenfold) by a sixteenth; a reply that cost or said nothing teaches nothing."""
    cdef int64_t was = mean[0]
    if number > 0:
        mean[0] = number * 16 if was == 0 else was + number - (was >> 4)


cdef object said(const Denial* denial):
    return Denied(REASONS[denial.reason], denial.account, denial.limit, denial.remaining, denial.retry_after_ns,
                  denial.resets_at_ns, UNIT_NAMES[denial.unit])


cdef int reclaim_state(Ledger ledger, Slot* slot, int owner, int64_t now_ns) noexcept nogil:
    """Finish the script of a slot whose worker is dead; return the state it was left in."""
    cdef int was = slot.state
    cdef int i = 0
    # The late accounts first, while the slot's state still says what is to become of them.
    if slot.late >= 0:
        follow(ledger, slot, now_ns)
        if was == DISPATCHED:
            count(ledger, &ledger.slots[slot.late], now_ns, 0)
        leave(ledger, slot)
    if was == RESERVING or was == RESERVED:
        while i < slot.depth and is_done(slot, owner, STEP_RESERVE + i, &ledger.rows[slot.chain[i]].committed_mark):
            i += 1
        slot.taken = i
        fastgw_store_state(&slot.state, RELEASING)
    elif was == DISPATCHED:
        memcpy(slot.final, slot.reserved, sizeof(slot.final))
        fastgw_store_state(&slot.state, CHARGING)
    crash_point(ledger)
    if slot.state == RELEASING:
        release(ledger, slot, owner, True)
    else:
        charge(ledger, slot, owner, now_ns, True)
        if was == DISPATCHED:
            count(ledger, slot, now_ns, 0)
    return was


cdef object reclaim_slot(Ledger ledger, int owner, int64_t now_ns):
    cdef Slot* slot = &ledger.slots[owner]
    cdef int was = reclaim_state(ledger, slot, owner, now_ns)
    cdef bint charged = slot.state == CHARGING
    found = Reclaimed(owner % MAX_SLOTS, slot.final[NANO_USD] if charged else 0,
                      slot.final[TOKENS] if charged else 0, slot.tag[:16], slot.started_ns, STATES[was])
    free_slot(ledger, owner)
    return found


cdef list reclaim_worker(Ledger ledger, int worker, int64_t now_ns):
    cdef int first = worker * MAX_SLOTS
    cdef int end = first + <int>ledger.header[HEADER_TOUCHED + worker]
    cdef int owner
    cdef list found = []
    for owner in range(first, end):
        if ledger.slots[owner].state != FREE and ledger.slots[owner].late != IS_LATE:
            found.append(reclaim_slot(ledger, owner, now_ns))
    # Late slots that nothing names any more, or did not yet.
    for owner in range(first, end):
        if ledger.slots[owner].state != FREE:
            reclaim_slot(ledger, owner, now_ns)
    return found


cdef int map_file(Ledger ledger, int64_t capacity) except -1:
    """Map the file once for all it can grow to, and make it a ledger where it is empty."""
    cdef int64_t size = os.fstat(ledger.file).st_size
    cdef int64_t[7] wanted
    cdef bytes head = os.pread(ledger.file, HEADER_BYTES, 0)
    wanted[:] = [MAGIC, LAYOUT, sizeof(Account), sizeof(Slot), MAX_WORKERS * MAX_SLOTS, capacity, 0]
    # The magic is written last: a head of zeros is what a maker leaves who dies half-way.
    cdef bint is_fresh = size == 0 or (len(head) == HEADER_BYTES and not any(head[:8]))
    if is_fresh:
        # Pages that nobody is about to write take no room on the disk.
        os.ftruncate(ledger.file, ACCOUNTS_AT + capacity * <int64_t>sizeof(Account))
    elif size < HEADER_BYTES:
        raise LayoutError(f"expected a ledger, found a file of {size} bytes at {ledger.path}: {WHAT_TO_DO}")
    cdef void* at = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, ledger.file, 0)
    if at == MAP_FAILED:
        raise MemoryError(f"cannot map {MAP_BYTES} bytes of address space for {ledger.path}")
    ledger.map = <char*>at
    ledger.header = <int64_t*>at
    ledger.slots = <Slot*>(ledger.map + HEADER_BYTES)
    ledger.names = <uint32_t*>(ledger.map + NAMES_AT)
    ledger.changes = <uint32_t*>(ledger.map + CHANGES_AT)
    ledger.rows = <Account*>(ledger.map + ACCOUNTS_AT)
    if is_fresh:
        memcpy(&ledger.header[1], &wanted[1], sizeof(wanted) - sizeof(int64_t))
        ledger.header[HEADER_SCAN] = 1
        fastgw_store(&ledger.header[HEADER_MAGIC], MAGIC)
    elif ledger.header[HEADER_MAGIC] != MAGIC:
        raise LayoutError(f"expected a ledger, found something else at {ledger.path}: {WHAT_TO_DO}")
    elif memcmp(ledger.header, wanted, HEADER_CAPACITY * sizeof(int64_t)):
        raise LayoutError(f"expected a ledger of layout {LAYOUT}, found {ledger.header[HEADER_LAYOUT]} "
                          f"at {ledger.path}: {WHAT_TO_DO}, or run the version that wrote it")
    elif size < ACCOUNTS_AT + ledger.header[HEADER_CAPACITY] * <int64_t>sizeof(Account):
        raise LayoutError(f"expected a whole ledger, found one cut off at {size} bytes at {ledger.path}: "
                          f"{WHAT_TO_DO}")
    elif ledger.header[HEADER_CAPACITY] < capacity:
        grow(ledger, capacity)
    keep_room(ledger, 0, HEADER_BYTES)
    keep_block(ledger, ledger.header[HEADER_COUNT])
    return 0


cdef int keep_room(Ledger ledger, int64_t at, int64_t size) except -1:
    """Have the disk keep room for what will be written: a hole of a mapped file that is full ends whoever writes to it.

    raises  OSError where there is none
    """
    cdef int why = fastgw_keep_room(ledger.file, at, size)
    if why:
        raise OSError(why, os.strerror(why), ledger.path)
    return 0


cdef int keep_block(Ledger ledger, int64_t index) except -1:
    """Keep room for the block of accounts that one is in. raises OSError"""
    cdef int64_t first = index - index % DEFINED_AT_ONCE
    cdef int64_t count = min(ledger.header[HEADER_CAPACITY] - first, DEFINED_AT_ONCE)
    if count > 0:
        keep_room(ledger, ACCOUNTS_AT + first * <int64_t>sizeof(Account), count * <int64_t>sizeof(Account))
        keep_room(ledger, CHANGES_AT + first * <int64_t>sizeof(uint32_t), count * <int64_t>sizeof(uint32_t))
    return 0


cdef int keep_appended(Ledger ledger, int64_t count) except -1:
    """Keep room for so many accounts more, and for the index of names that they take; under the lock. raises OSError"""
    cdef int64_t first = ledger.header[HEADER_COUNT]
    cdef int64_t last = min(first + count, ledger.header[HEADER_CAPACITY]) - 1
    cdef int64_t size = 1024
    # whoever crossed into the first one's block has kept it
    if last >= first and (first % DEFINED_AT_ONCE == 0 or first // DEFINED_AT_ONCE != last // DEFINED_AT_ONCE):
        keep_block(ledger, first)
        keep_block(ledger, last)
    while size < (first + count) * 2:
        size *= 2
    if size > ledger.header[HEADER_NAMES_SIZE]:
        keep_room(ledger, NAMES_AT, size * <int64_t>sizeof(uint32_t))
    return 0


cdef str WHAT_TO_DO = "move the file away and start again (spend is then taken from the store)"


cdef int grow(Ledger ledger, int64_t capacity) except -1:
    """Make the file longer; every process sees it at once, since all have mapped beyond its end."""
    if capacity > MAX_ACCOUNTS:
        raise OverflowError(f"expected at most {MAX_ACCOUNTS} accounts in {ledger.path}")
    os.ftruncate(ledger.file, ACCOUNTS_AT + capacity * <int64_t>sizeof(Account))
    fastgw_store(&ledger.header[HEADER_CAPACITY], capacity)
    return 0


cdef int64_t find_name(Ledger ledger, const uint8_t* name, int64_t size) noexcept nogil:
    """The index of the account of that name, or -1."""
    cdef int64_t count = fastgw_load(&ledger.header[HEADER_COUNT])
    cdef uint64_t hash
    cdef int64_t tries, at
    cdef uint32_t entry
    memcpy(&hash, name, sizeof(hash))
    at = hash & <uint64_t>(size - 1)
    # Bounded, for those who look without the lock while it is being made anew.
    for tries in range(size):
        entry = fastgw_load_word(&ledger.names[at])
        if entry == 0:
            return -1
        if entry <= count and memcmp(ledger.rows[entry - 1].name, name, 16) == 0:
            return entry - 1
        at = (at + 1) & (size - 1)
    return -1


cdef void enter_name(Ledger ledger, const uint8_t* name, uint32_t entry) noexcept nogil:
    cdef int64_t size = ledger.header[HEADER_NAMES_SIZE]
    cdef uint64_t hash
    cdef int64_t at
    memcpy(&hash, name, sizeof(hash))
    at = hash & <uint64_t>(size - 1)
    while ledger.names[at]:
        at = (at + 1) & (size - 1)
    fastgw_store_word(&ledger.names[at], entry)


cdef void prepare_names(Ledger ledger, int64_t count) noexcept nogil:
    """Make the index of names anew where so many would fill more than half of it, or whoever made it did not finish; under the lock."""
    cdef int64_t* version = &ledger.header[HEADER_NAMES_VERSION]
    cdef int64_t size = 1024
    cdef int64_t i
    if not version[0] & 1 and count * 2 <= ledger.header[HEADER_NAMES_SIZE]:
        return
    while size < count * 2:
        size *= 2
    fastgw_store(version, version[0] | 1)
    fastgw_store(&ledger.header[HEADER_NAMES_SIZE], size)
    crash_point(ledger)
    memset(ledger.names, 0, size * sizeof(uint32_t))
    for i in range(ledger.header[HEADER_COUNT]):
        enter_name(ledger, ledger.rows[i].name, <uint32_t>(i + 1))
    crash_point(ledger)
    fastgw_store(version, version[0] + 1)


cdef int64_t append_account(Ledger ledger, const uint8_t* name, int unit) noexcept nogil:
    cdef int64_t index = ledger.header[HEADER_COUNT]
    memset(&ledger.rows[index], 0, sizeof(Account))
    memcpy(ledger.rows[index].name, name, 16)
    ledger.rows[index].flags = unit << UNIT_SHIFT
    # The count last: an account that its maker did not finish does not exist, and what names it counts for nothing.
    enter_name(ledger, name, <uint32_t>(index + 1))
    crash_point(ledger)
    fastgw_store(&ledger.header[HEADER_COUNT], index + 1)
    crash_point(ledger)
    return index


cdef int digest_of(str name, uint8_t* digest) except -1:
    cdef Py_ssize_t size
    cdef const char* text = PyUnicode_AsUTF8AndSize(name, &size)
    sha256(text, size, digest)
    return 0


cdef int define_some(Ledger ledger, list names, list each, Limits limits, Py_ssize_t first, Py_ssize_t last, int* found) except -1:
    """Define the accounts of a stretch of the names under one lock."""
    cdef uint8_t[DEFINED_AT_ONCE][32] digests
    cdef int64_t index
    cdef Py_ssize_t i
    for i in range(first, last):
        digest_of(names[i], digests[i - first])
    with ledger.locked():
        if len(ledger) + last - first > ledger.header[HEADER_CAPACITY]:
            make_room(ledger, names, digests, first, last)
        keep_appended(ledger, last - first)
        prepare_names(ledger, min(ledger.header[HEADER_COUNT] + <int64_t>(last - first), MAX_ACCOUNTS))
        for i in range(first, last):
            if each is not None:
                limits = <Limits?>each[i]
            index = find_name(ledger, digests[i - first], ledger.header[HEADER_NAMES_SIZE])
            if index < 0:
                index = append_account(ledger, digests[i - first], limits.unit)
            elif unit_of(&ledger.rows[index]) != limits.unit:
                raise ValueError(f"expected {UNIT_NAMES[unit_of(&ledger.rows[index])]}, which account {names[i]!r} was made to count, "
                                 f"got {UNIT_NAMES[limits.unit]}")
            set_limits(&ledger.rows[index], limits)
            found[i - first] = <int>index
    return 0


cdef int make_room(Ledger ledger, list names, uint8_t[32]* digests, Py_ssize_t first, Py_ssize_t last) except -1:
    """Grow by what is to be appended, if it is to be: most may exist."""
    cdef int64_t count = ledger.header[HEADER_COUNT]
    cdef int64_t wanted = count
    cdef Py_ssize_t i
    prepare_names(ledger, count)
    for i in range(first, last):
        wanted += find_name(ledger, digests[i - first], ledger.header[HEADER_NAMES_SIZE]) < 0
    if wanted > ledger.header[HEADER_CAPACITY]:
        grow(ledger, max(wanted, min(2 * ledger.header[HEADER_CAPACITY], MAX_ACCOUNTS)))
    return 0


cdef void set_limits(Account* account, Limits limits) noexcept:
    """Set an account's limits; what it has spent stays. What is as it was is not written: a million accounts are many pages."""
    cdef int flags = limits.unit << UNIT_SHIFT
    cdef int64_t window, fallen, interval
    put(&account.limit, limits.budget)
    put(&account.tokens_per_minute, limits.tokens)
    put(&account.expires_ns, limits.expires_ns)
    if account.max_parallel != <int32_t>limits.parallel:
        account.max_parallel = <int32_t>limits.parallel
    if limits.budget >= 0:
        flags |= HAS_BUDGET
    if limits.expires_ns >= 0:
        flags |= HAS_EXPIRY
    if limits.parallel >= 0:
        flags |= HAS_PARALLEL
    if limits.requests > 0:
        flags |= HAS_REQUEST_RATE
        interval = (MINUTE_NS + limits.requests - 1) // limits.requests
        put(&account.request_interval_ns, interval)
        # So that exactly that many fit at once, although the interval was rounded.
        put(&account.request_burst_ns, interval * limits.requests)
    if limits.tokens > 0:
        flags |= HAS_TOKEN_RATE
        put(&account.token_interval, (MINUTE_NS << 20) // limits.tokens)
    window = fastgw_load(&account.window)
    while window & 0xffff != limits.window:
        # Another window has not begun: what was spent is carried into it.
        fallen = fastgw_load(&account.window_floor)
        fastgw_swap_pair(&account.window, window, fallen, limits.window, fallen)
        window = fastgw_load(&account.window)
    # The flags after what they speak of.
    if account.flags != flags:
        fastgw_store_state(&account.flags, flags)


cdef inline void put(int64_t* place, int64_t number) noexcept nogil:
    if place[0] != number:
        fastgw_store(place, number)


cdef void set_floor(Account* account, int64_t spent, int64_t start_ms, bint at_least) noexcept nogil:
    """Move the floor of the window in hand so that so much is spent in it; start_ms: of a window that has not begun."""
    cdef int64_t window, fallen, floor
    while True:
        window = fastgw_load(&account.window)
        fallen = fastgw_load(&account.window_floor)
        floor = fastgw_load(&account.spent) - spent
        if at_least and floor > fallen:
            floor = fallen
        if fastgw_swap_pair(&account.window, window, fallen, start_ms << 16 | (window & 0xffff) if start_ms else window, floor):
            return


cdef void raise_to(int64_t* place, int64_t number) noexcept nogil:
    cdef int64_t was = fastgw_load(place)
    while was < number and not fastgw_swap(place, was, number):
        was = fastgw_load(place)


cdef int collect_changes(Ledger ledger, int64_t* at, int64_t total, int64_t cursor, int32_t* some, int room) noexcept nogil:
    """Go on from account *at until there is no more room; return how many were found."""
    cdef const uint32_t* changes = ledger.changes
    cdef uint32_t since = <uint32_t>max(cursor, 1)
    cdef int64_t i = at[0]
    cdef int count = 0
    while i < total and count < room:
        if changes[i] >= since:
            some[count] = <int32_t>i
            count += 1
        i += 1
    at[0] = i
    return count


cdef class Limits:
    """What an account is held to."""

    def __init__(self, *, str unit="nano_usd", budget=None, window="total", requests_per_minute=None, tokens_per_minute=None,
                 max_parallel=None, expires_ns=None):
        if unit not in UNIT_NAMES:
            raise ValueError(f"expected one of {', '.join(UNIT_NAMES)} as unit, got {unit!r}")
        self.unit = UNIT_NAMES.index(unit)
        self.window = window_code(window)
        self.budget = limit_of("budget", budget, 0, MOST_BUDGET)
        self.requests = limit_of("requests_per_minute", requests_per_minute, 1, MINUTE_NS)
        self.tokens = limit_of("tokens_per_minute", tokens_per_minute, 1, MINUTE_NS * 1000)
        self.parallel = limit_of("max_parallel", max_parallel, 1, MAX_IN_FLIGHT)
        self.expires_ns = limit_of("expires_ns", expires_ns, 0, INT64_MAX)

    def __repr__(self):
        budget = f"{self.budget} {UNIT_NAMES[self.unit]} in {window_name(self.window)}" if self.budget >= 0 else "no budget"
        return f"<Limits {budget}>"


cdef int64_t amount_of(str name, value) except -1:
    cdef int64_t amount = value
    if not 0 <= amount <= MOST_BUDGET:
        raise ValueError(f"expected {name} from 0 to {MOST_BUDGET}, got {value}")
    return amount


cdef int64_t limit_of(str name, value, int64_t least, int64_t most) except -2:
    if value is None:
        return -1
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"expected an integer as {name}, got {type(value).__name__}")
    if not least <= value <= most:
        raise ValueError(f"expected {name} from {least} to {most}, got {value}")
    return value


cdef int64_t window_code(window) except -1:
    """The kind (2 bits) and days (14 bits) of a window."""
    cdef dict fixed = {"total": KIND_TOTAL << 14, "day": KIND_CALENDAR << 14 | 1, "week": KIND_CALENDAR << 14 | 7,
                       "month": KIND_MONTH << 14 | 28}
    if window in fixed:
        return fixed[window]
    days = re.fullmatch(r"([1-9][0-9]{0,4})d", window) if isinstance(window, str) else None
    if days and int(days[1]) <= MAX_PERIOD_DAYS:
        return KIND_PERIODS << 14 | int(days[1])
    raise ValueError('expected "total", "day", "week", "month" or a number of days from "1d" '
                     f'to "{MAX_PERIOD_DAYS}d" as window, got {window!r}')


cdef str window_name(int64_t window):
    cdef int64_t days = window & 0x3fff
    return {KIND_TOTAL: "total", KIND_CALENDAR: "week" if days == 7 else "day", KIND_MONTH: "month"}.get(
        kind_of(window), f"{days}d")


cdef Account* account_at(Ledger ledger, index) except NULL:
    if not 0 <= index < len(ledger):
        raise IndexError(f"expected an account from 0 to {len(ledger) - 1}, got {index}")
    return &ledger.rows[<int64_t>index]


cdef int check_slot(Ledger ledger, int slot) except -1:
    if not 0 <= slot < ledger.slot_count:
        raise IndexError(f"expected a slot from 0 to {ledger.slot_count - 1}, got {slot}")
    return slot


cdef int fill_chain(Ledger ledger, int32_t* accounts, chain) except -1:
    cdef int depth = 0
    if len(chain) > MAX_CHAIN:
        raise ValueError(f"expected a chain of at most {MAX_CHAIN} accounts, got {len(chain)}")
    for index in chain:
        account_at(ledger, index)
        accounts[depth] = index
        depth += 1
    return depth


cdef object view_of(Account* account, index, int64_t now_ns):
    keep_window(account, now_ns // 1000000, False)
    cdef int64_t window = account.window
    cdef int flags = account.flags
    cdef int64_t ends_ms = end_ms(window)
    cdef int64_t used_ns
    requests_left = tokens_left = None
    if flags & HAS_REQUEST_RATE:
        used_ns = arrival_of(account.request_arrival_ns, account.request_burst_ns, now_ns) - now_ns
        requests_left = max(0, account.request_burst_ns - used_ns) // account.request_interval_ns
    if flags & HAS_TOKEN_RATE:
        used_ns = arrival_of(account.token_arrival_ns, MINUTE_NS, now_ns) - now_ns
        tokens_left = (max(0, MINUTE_NS - used_ns) << 20) // account.token_interval
    # Spent before committed, so that another's charge between the two never shows more spent than committed.
    cdef int64_t spent = fastgw_load(&account.spent)
    cdef int64_t committed = fastgw_load(&account.committed)
    cdef bint has_budget = flags & HAS_BUDGET
    return AccountView(
        account=index,
        unit=UNIT_NAMES[unit_of(account)],
        window=window_name(window),
        window_start_ns=(window >> 16) * 1000000 if window >> 16 else None,
        window_end_ns=ends_ms * 1000000 if ends_ms >= 0 else None,
        budget=account.limit if has_budget else None,
        committed=committed - account.window_floor,
        spent=spent - account.window_floor,
        remaining=max(0, account.limit - (committed - account.window_floor)) if has_budget else None,
        is_exhausted=has_budget and is_exhausted(account, spent - account.window_floor),
        in_flight=account.committed_mark >> IN_FLIGHT_AT,
        max_parallel=account.max_parallel if flags & HAS_PARALLEL else None,
        requests_per_minute=account.request_burst_ns // account.request_interval_ns if flags & HAS_REQUEST_RATE else None,
        requests_left=requests_left,
        tokens_per_minute=account.tokens_per_minute if flags & HAS_TOKEN_RATE else None,
        tokens_left=tokens_left,
        expires_ns=account.expires_ns if flags & HAS_EXPIRY else None,
        mean_cost_nano_usd=account.mean_cost >> 4,
        mean_output_tokens=account.mean_output >> 4,
        lifetime=spent + account.carried,
        lifetime_tokens=account.tokens,
        lifetime_requests=account.requests,
        refused=account.refused,
    )


cdef bint is_exhausted(Account* account, int64_t spent) noexcept nogil:
    """Whether the budget is spent, or has refused with nothing in flight, and nothing has changed since, and the rest pays for little."""
    cdef int64_t typical = 1
    if spent >= account.limit:
        return True
    if fastgw_load_mark(&account.refusal_print) != print_of(account):
        return False
    if unit_of(account) == NANO_USD:
        typical = account.mean_cost >> 4
    elif unit_of(account) == TOKENS:
        typical = account.tokens // account.requests if account.requests else 0
    # a request is refused for the most that it may cost, which its bytes bound: some times what it will
    return account.limit - spent < TYPICAL_BOUND * typical
