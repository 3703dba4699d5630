"""Keep how each target fares in a table shared by the workers of a machine, and choose one of some targets.

Input      slots from hold; monotonic nanoseconds; weights, prices and random numbers of whoever chooses
Output     a place among the candidates; tickets of attempts
Ownership  the file holds all state; it is made anew when the gateway starts and outlives every worker
Limits     64 workers, 4,096 targets, 1,024 candidates a choice, windows of 60 s; more than 2**20 outcomes of a second count as that many
Complexity a choice reads one line of cache a candidate, and for requests in flight one word a candidate and worker; an attempt is two
           atomic additions and at most five compare-and-swaps, each alone on its word; nothing allocates, waits or calls the system

Every number is one word, changed by one atomic, so a process that dies at any instruction leaves nothing half done. What it had in flight
stands in a column of its own, which is set to zero when it is reclaimed. A probe that died with it is handed out again when its round
is over.

Breaker    closed > open (too many failures) > half open (the time is over: `probes` requests go through) > closed (all succeeded) or
           open (one failed). A round of probes has a number; a result of an earlier round changes nothing.
Means      move by the time since the last sample: a sixteenth for two in quick succession, half after 5 s. A mean that nobody renews
           halves every 262 s, so that a target which looked slow is tried again.
"""
import fcntl
import os
import threading
import time
from collections import namedtuple
from contextlib import contextmanager

from cython cimport internal
from libc.math cimport log
from libc.stdint cimport INT64_MAX, int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset
from fastgw._core.digest cimport sha256

cdef extern from *:
    """
    #include <sys/mman.h>
    #include <unistd.h>
    #define route_load(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
    #define route_store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
    #define route_add(p, v) __atomic_add_fetch((p), (v), __ATOMIC_ACQ_REL)
    static inline int route_swap(uint64_t *p, uint64_t was, uint64_t becomes) {
        return __atomic_compare_exchange_n(p, &was, becomes, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    }
    /* A number below `below`, as evenly as 64 random bits allow. */
    static inline uint64_t route_share(uint64_t draw, uint64_t below) {
        return (uint64_t)(((unsigned __int128)draw * below) >> 64);
    }
    """
    uint64_t load_word "route_load"(const uint64_t* p) noexcept nogil
    int64_t load_number "route_load"(const int64_t* p) noexcept nogil
    int32_t load_count "route_load"(const int32_t* p) noexcept nogil
    void store_word "route_store"(uint64_t* p, uint64_t v) noexcept nogil
    void store_number "route_store"(int64_t* p, int64_t v) noexcept nogil
    void store_count "route_store"(int32_t* p, int32_t v) noexcept nogil
    int64_t add_number "route_add"(int64_t* p, int64_t v) noexcept nogil
    int32_t add_count "route_add"(int32_t* p, int32_t v) noexcept nogil
    bint swap_word "route_swap"(uint64_t* p, uint64_t was, uint64_t becomes) noexcept nogil
    uint64_t share "route_share"(uint64_t draw, uint64_t below) noexcept nogil
    void* mmap(void* at, size_t size, int protection, int flags, int file, long offset) noexcept nogil
    int munmap(void* at, size_t size) noexcept nogil
    int madvise(void* at, size_t size, int advice) noexcept nogil
    int getpid() noexcept nogil
    int PROT_READ, PROT_WRITE, MAP_SHARED, MADV_DONTNEED
    void* MAP_FAILED

cdef enum:
    LAYOUT = 1
    MAX_WORKERS = 64
    MAX_TARGETS = 4096
    HEADER_BYTES = 4096

    HEADER_MAGIC = 0                    # places in the header
    HEADER_LAYOUT = 1
    HEADER_SLOT_BYTES = 2
    HEADER_CAPACITY = 3
    HEADER_WORKERS = 4                  # the most that any process was told of
    HEADER_FIXED = 4                    # places before this one never change

    CLOSED = 0
    OPEN = 1
    HALF_OPEN = 2

    WORST_ROW = 7                       # failures in a row that make a target look worse, at most

cdef int64_t MAGIC = 0x31545247575453F7
cdef int64_t MS = 1000000
cdef int64_t LONGEST_MS = 86400000              # of any cooldown: a time further off is of another boot
cdef uint64_t TIME_MASK = (1ULL << 38) - 1
cdef uint64_t MEAN_TIME_MASK = (1ULL << 36) - 1
cdef uint64_t MOST_MEAN = (1ULL << 28) - 1
cdef uint64_t ROUND_MASK = (1ULL << 12) - 1
cdef uint64_t COUNT_MASK = (1ULL << 20) - 1
cdef uint64_t SECOND_MASK = (1ULL << 24) - 1

STRATEGIES = ("first", "weighted", "latency", "least_busy", "cheapest", "throughput", "fastest", "sticky")
STATES = ("closed", "open", "half_open")

TargetView = namedtuple(
    "TargetView", "state open_until_ns in_flight first_byte_ns token_ns in_a_row recent_succeeded recent_failed succeeded failed opened")


class LayoutError(ValueError):
    """The file is no table of this version."""


cdef uint64_t mixed(uint64_t number) noexcept nogil:
    """SplitMix64's finaliser: every bit of the number changes half of the result's."""
    number = (number ^ (number >> 30)) * <uint64_t>0xbf58476d1ce4e5b9
    number = (number ^ (number >> 27)) * <uint64_t>0x94d049bb133111eb
    return number ^ (number >> 31)


# The breaker's word.

cdef inline uint64_t breaker_word(uint64_t state, uint64_t left, uint64_t needed, uint64_t turn, int64_t time_ms) noexcept nogil:
    return state | left << 2 | needed << 8 | (turn & ROUND_MASK) << 14 | (<uint64_t>time_ms & TIME_MASK) << 26


cdef inline uint64_t state_of(uint64_t word) noexcept nogil:
    return word & 3


cdef inline uint64_t left_of(uint64_t word) noexcept nogil:
    return word >> 2 & 63


cdef inline uint64_t needed_of(uint64_t word) noexcept nogil:
    return word >> 8 & 63


cdef inline uint64_t round_of(uint64_t word) noexcept nogil:
    return word >> 14 & ROUND_MASK


cdef inline int64_t time_of(uint64_t word) noexcept nogil:
    return <int64_t>(word >> 26)


cdef inline bint is_over(uint64_t word, int64_t now_ms) noexcept nogil:
    cdef int64_t rest_ms = time_of(word) - now_ms
    return rest_ms <= 0 or rest_ms > LONGEST_MS


cdef inline bint lets_none_in(uint64_t word, int64_t now_ms) noexcept nogil:
    """Whether the breaker is open, or half open with all its probes handed out."""
    if state_of(word) == CLOSED or is_over(word, now_ms):
        return False
    return state_of(word) == OPEN or left_of(word) == 0


# Means.

cdef inline int64_t mean_now(uint64_t word, int64_t now_ms) noexcept nogil:
    """The mean as it counts now, at least 1; 0 where nothing is known."""
    cdef uint64_t mean = word >> 36
    cdef uint64_t age = (<uint64_t>now_ms - word) & MEAN_TIME_MASK
    if mean == 0:
        return 0
    if age > MEAN_TIME_MASK >> 1:       # another's clock was read later
        age = 0
    if age >> 18 >= 28:
        return 1
    mean >>= age >> 18
    mean -= mean * (age & ((1 << 18) - 1)) >> 19
    return <int64_t>mean if mean else 1


cdef void learn(uint64_t* word, uint64_t sample, int64_t now_ms) noexcept nogil:
    """Move a mean towards a sample."""
    cdef uint64_t was, mean, age, weight
    cdef uint64_t at = <uint64_t>now_ms & MEAN_TIME_MASK
    sample = min(max(sample, <uint64_t>1), MOST_MEAN)
    while True:
        was = load_word(word)
        mean = sample
        if was:
            age = (at - was) & MEAN_TIME_MASK
            if age > MEAN_TIME_MASK >> 1:
                age = 0
                at = was & MEAN_TIME_MASK
            weight = min(max(age * 1024 // 10000, <uint64_t>64), <uint64_t>512)
            mean = ((was >> 36) * (1024 - weight) + sample * weight) >> 10
        if swap_word(word, was, max(mean, <uint64_t>1) << 36 | at):
            return


# The sliding window.

cdef void count_outcome(TargetSlot* slot, bint failed, int64_t now_ms) noexcept nogil:
    cdef int64_t second = now_ms // 1000
    cdef uint64_t* word = &slot.seconds[second & 63]
    cdef uint64_t stamp = (<uint64_t>second & SECOND_MASK) << 40
    cdef uint64_t was, becomes
    cdef int shift = 0 if failed else 20
    while True:
        was = load_word(word)
        becomes = was if was >> 40 << 40 == stamp else stamp
        if becomes >> shift & COUNT_MASK != COUNT_MASK:
            becomes += 1ULL << shift
        if swap_word(word, was, becomes):
            return


cdef void sum_window(TargetSlot* slot, int64_t from_second, int64_t to_second, uint64_t* succeeded, uint64_t* failed) noexcept nogil:
    """Outcomes of the seconds after the first one, up to the second."""
    cdef uint64_t word
    cdef int64_t second
    succeeded[0] = failed[0] = 0
    for second in range(max(from_second, to_second - 63, <int64_t>-1) + 1, to_second + 1):
        word = load_word(&slot.seconds[second & 63])
        if word >> 40 == <uint64_t>second & SECOND_MASK:
            succeeded[0] += word >> 20 & COUNT_MASK
            failed[0] += word & COUNT_MASK


cdef bint has_failed_enough(TargetSlot* slot, const BreakerPolicy* policy, uint64_t word, int64_t in_a_row,
                            int64_t now_ms) noexcept nogil:
    """Whether a closed breaker opens: by failures in a row, or by their share since it closed, within the window."""
    cdef uint64_t succeeded, failed
    cdef int64_t second = now_ms // 1000
    if policy.failures and in_a_row >= policy.failures:
        return True
    if policy.failure_percent == 0:
        return False
    # the second in which it closed has failures of before; 0: it never opened
    cdef int64_t closed = time_of(word) // 1000 if time_of(word) else -1
    sum_window(slot, max(second - policy.window_s, closed), second, &succeeded, &failed)
    return succeeded + failed >= <uint64_t>policy.minimum_requests and \
        failed * 100 >= (succeeded + failed) * <uint64_t>policy.failure_percent


cdef inline int64_t worsened(TargetSlot* slot, int64_t number) noexcept nogil:
    """A target that failed just now looks worse: one that fails fast must not look like the fastest or least busy."""
    return number * (1 + min(load_number(&slot.in_a_row), <int64_t>WORST_ROW))


cdef class BreakerRule:
    def __cinit__(self, *, int failures=5, int failure_percent=50, int minimum_requests=10, int window_s=30, int64_t cooldown_ms=30000,
                  int probes=1):
        if not 1 <= window_s <= 60 or not 1 <= probes <= 60 or not 1 <= cooldown_ms <= LONGEST_MS:
            raise ValueError("expected window_s and probes from 1 to 60, cooldown_ms from 1 to 86400000, "
                             f"got {window_s}, {probes}, {cooldown_ms}")
        if failures < 0 or not 0 <= failure_percent <= 100 or minimum_requests < 1:
            raise ValueError("expected failures from 0, failure_percent from 0 to 100, minimum_requests from 1, "
                             f"got {failures}, {failure_percent}, {minimum_requests}")
        self.policy.failures = failures
        self.policy.failure_percent = failure_percent
        self.policy.minimum_requests = minimum_requests
        self.policy.window_s = window_s
        self.policy.cooldown_ms = cooldown_ms
        self.policy.probes = probes

    def __repr__(self):
        return f"<BreakerRule {self.policy.failures} in a row or {self.policy.failure_percent}%>"


cdef class TargetTable:
    """The targets of this machine, as one worker sees them."""

    def __cinit__(self, path, *, int workers=1, int worker=0, int capacity=1024, bint fresh=False):
        self.file = -1
        if not 1 <= workers <= MAX_WORKERS or not -1 <= worker < workers:
            raise ValueError(f"expected workers from 1 to {MAX_WORKERS} and a worker of them, got {workers} and {worker}")
        if not 1 <= capacity <= MAX_TARGETS:
            raise ValueError(f"expected capacity from 1 to {MAX_TARGETS}, got {capacity}")
        self.path = os.fspath(path)
        self.worker = worker
        self.thread_lock = threading.RLock()
        if fresh:
            make_file(self.path, capacity)
        self.file = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        self.file_owner = os.getpid()
        with self.locked():
            map_file(self)
            self.header[HEADER_WORKERS] = max(self.header[HEADER_WORKERS], workers)
        if worker >= 0:
            self.reclaim(worker)

    def __dealloc__(self):
        if self.map != NULL:
            munmap(self.map, self.map_bytes)
        if self.file >= 0:
            os.close(self.file)

    def let_pages_go(self):
        """Take the pages out of this process's memory until they are touched; what is in them stays, as it is the file's."""
        madvise(self.map, self.map_bytes, MADV_DONTNEED)

    cdef int64_t busy(self, int slot) noexcept nogil:
        cdef int64_t total = 0
        cdef int worker
        for worker in range(<int>self.header[HEADER_WORKERS]):
            total += load_count(&self.in_flight[worker * self.capacity + slot])
        return total

    cdef bint is_open(self, int slot, int64_t now_ns) noexcept nogil:
        return lets_none_in(load_word(&self.slots[slot].breaker), now_ns // MS)

    cdef int choose(self, int strategy, const int32_t* slots, const int64_t* weights, const int64_t* numbers, uint8_t* marks, int count,
                    int max_ejected_percent, uint64_t draw, int64_t now_ns, bint* forced) noexcept nogil:
        cdef int16_t[MAX_CHOICES] fit
        cdef int64_t now_ms = now_ns // MS
        cdef int n = 0
        cdef int ejected = 0
        cdef int i, best
        cdef bint weighs = False
        count = min(count, MAX_CHOICES)
        forced[0] = False
        for i in range(count):
            if marks[i] & UNFIT:
                continue
            if lets_none_in(load_word(&self.slots[slots[i]].breaker), now_ms):
                marks[i] |= WAS_OPEN
                ejected += 1
                continue
            marks[i] &= UNFIT
            fit[n] = i
            n += 1
            weighs = weighs or weights[i] > 0
        if ejected and (n == 0 or ejected * 100 > count * max_ejected_percent):
            n = readmit(self, slots, weights, marks, count, max(1 if n == 0 else 0, ejected - count * max_ejected_percent // 100),
                        now_ms, fit, n, &weighs)
        if n == 0:
            return -1
        if strategy != FIRST and weighs:
            # weight 0 is for when no other can serve
            best = 0
            for i in range(n):
                if weights[fit[i]] > 0:
                    fit[best] = fit[i]
                    best += 1
            n = best
        best = fit[choose_fit(self, strategy, slots, weights, numbers, fit, n, draw, now_ms)] if n > 1 else fit[0]
        if marks[best] & WAS_OPEN:
            marks[best] &= UNFIT
            forced[0] = True
        return best

    cdef int begin(self, int slot, const BreakerPolicy* policy, bint forced, int64_t now_ns) noexcept nogil:
        cdef uint64_t* breaker = &self.slots[slot].breaker
        cdef int64_t now_ms = now_ns // MS
        cdef uint64_t was, becomes, turn
        while True:
            was = load_word(breaker)
            turn = round_of(was)
            if state_of(was) == CLOSED:
                becomes = was
            elif state_of(was) == HALF_OPEN and left_of(was) and not is_over(was, now_ms):
                becomes = was - (1 << 2)
            elif is_over(was, now_ms) or (forced and state_of(was) == OPEN):
                turn = (turn + 1) & ROUND_MASK
                becomes = breaker_word(HALF_OPEN, policy.probes - 1, policy.probes, turn, now_ms + policy.cooldown_ms)
            elif forced:
                becomes = was
            else:
                return -1
            if becomes == was or swap_word(breaker, was, becomes):
                add_count(&self.in_flight[self.worker * self.capacity + slot], 1)
                return 0 if becomes == was else <int>turn + 1

    cdef void end(self, int slot, int ticket, int health, const BreakerPolicy* policy, int64_t first_byte_ns, int64_t tokens,
                  int64_t duration_ns, int64_t now_ns) noexcept nogil:
        cdef TargetSlot* target = &self.slots[slot]
        cdef int64_t now_ms = now_ns // MS
        cdef int64_t in_a_row = 0
        add_count(&self.in_flight[self.worker * self.capacity + slot], -1)
        if first_byte_ns >= 0:
            learn(&target.first_byte, first_byte_ns // 10000, now_ms)
        if tokens > 0 and duration_ns > 0:
            learn(&target.token_time, duration_ns // tokens // 100, now_ms)
        if health != SAID_NOTHING:
            count_outcome(target, health == FAILED, now_ms)
        if health == SUCCEEDED:
            add_number(&target.succeeded, 1)
            if load_number(&target.in_a_row):
                store_number(&target.in_a_row, 0)
        elif health == FAILED:
            add_number(&target.failed, 1)
            in_a_row = add_number(&target.in_a_row, 1)
        if ticket > 0:
            conclude_probe(target, ticket - 1, health, policy, now_ms)
        elif health == FAILED:
            open_closed(target, policy, in_a_row, now_ms)

    @contextmanager
    def locked(self):
        """Hold the file against others that hold targets."""
        with self.thread_lock:
            if self.file_owner != os.getpid():
                # A lock belongs to what was opened, and a child shares that with its parent.
                os.close(self.file)
                self.file = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
                self.file_owner = os.getpid()
            fcntl.flock(self.file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self.file, fcntl.LOCK_UN)

    def hold(self, names):
        """Find or make the slot of each name; they are this worker's until the answer is let go."""
        cdef HeldTargets held = HeldTargets.__new__(HeldTargets)
        cdef list found = []
        if self.worker < 0:
            raise ValueError(f"expected a worker, got a table that only looks: {self.path}")
        held.table = self
        held.owner = getpid()
        held.slots = ()
        with self.locked():
            for name in names:
                found.append(hold_slot(self, name))
                # after each, so that what was taken is given back where the next one finds no room
                held.slots = tuple(found)
        return held

    def reclaim(self, int worker):
        """Forget what a dead worker had in flight and held, before another takes its number."""
        cdef int i
        if not 0 <= worker < MAX_WORKERS:
            raise ValueError(f"expected worker from 0 to {MAX_WORKERS - 1}, got {worker}")
        for i in range(self.capacity):
            store_count(&self.in_flight[worker * self.capacity + i], 0)
            store_count(&self.holds[worker * self.capacity + i], 0)

    def read(self, int slot, int64_t now_ns):
        """Return how a target fares."""
        cdef TargetSlot* target = &self.slots[check_slot(self, slot)]
        cdef uint64_t succeeded, failed
        cdef uint64_t word = load_word(&target.breaker)
        sum_window(target, now_ns // MS // 1000 - 60, now_ns // MS // 1000, &succeeded, &failed)
        return TargetView(
            state=STATES[state_of(word)], open_until_ns=None if state_of(word) == CLOSED else time_of(word) * MS,
            in_flight=self.busy(slot), first_byte_ns=mean_now(load_word(&target.first_byte), now_ns // MS) * 10000 or None,
            token_ns=mean_now(load_word(&target.token_time), now_ns // MS) * 100 or None, in_a_row=load_number(&target.in_a_row),
            recent_succeeded=succeeded, recent_failed=failed, succeeded=load_number(&target.succeeded),
            failed=load_number(&target.failed), opened=load_number(&target.opened))

    def choose_among(self, str strategy not None, slots, int64_t now_ns, *, weights=None, numbers=None, unfit=(), draw=0,
                     int max_ejected_percent=100):
        """Return (place, forced) of one of these slots, or None where all are unfit."""
        cdef Candidates candidates = Candidates(self, slots, weights, numbers, unfit)
        cdef bint forced = False
        cdef int place = self.choose(STRATEGIES.index(strategy), candidates.slots, candidates.weights, candidates.numbers,
                                     candidates.marks, candidates.count, max_ejected_percent, draw, now_ns, &forced)
        return None if place < 0 else (place, forced)

    def begin_at(self, int slot, BreakerRule rule not None, int64_t now_ns, *, bint forced=False):
        """Count an attempt in; return its ticket, or None where the breaker is open."""
        cdef int ticket
        if self.worker < 0:
            raise ValueError(f"expected a worker, got a table that only looks: {self.path}")
        check_slot(self, slot)
        with nogil:
            ticket = self.begin(slot, &rule.policy, forced, now_ns)
        return None if ticket < 0 else ticket

    def end_at(self, int slot, int ticket, int health, BreakerRule rule not None, int64_t now_ns, *, int64_t first_byte_ns=-1,
               int64_t tokens=0, int64_t duration_ns=0):
        """Count it out again, with what it says of the target."""
        check_slot(self, slot)
        with nogil:
            self.end(slot, ticket, health, &rule.policy, first_byte_ns, tokens, duration_ns, now_ns)

    def _bench_choose(self, str strategy not None, slots, int64_t now_ns, int count, *, weights=None, numbers=None):
        """Choose so many times with other draws; return how often each place was chosen."""
        cdef Candidates candidates = Candidates(self, slots, weights, numbers, ())
        cdef int number = STRATEGIES.index(strategy)
        cdef list chosen = [0] * candidates.count
        cdef int64_t[MAX_CHOICES] counts
        cdef bint forced = False
        cdef int place, i
        memset(counts, 0, sizeof(counts))
        with nogil:
            for i in range(count):
                place = self.choose(number, candidates.slots, candidates.weights, candidates.numbers, candidates.marks,
                                    candidates.count, 100, mixed(i + 1), now_ns, &forced)
                counts[place] += 1
        return [counts[i] for i in range(candidates.count)]

    def _bench_attempts(self, int slot, BreakerRule rule not None, int64_t now_ns, int64_t step_ns, int count, int fail_every=0):
        """Begin and end so many attempts one after the other; return how many were let in."""
        cdef int begun = 0
        cdef int i, ticket
        check_slot(self, slot)
        with nogil:
            for i in range(count):
                now_ns += step_ns
                ticket = self.begin(slot, &rule.policy, False, now_ns)
                if ticket >= 0:
                    begun += 1
                    self.end(slot, ticket, FAILED if fail_every and i % fail_every == 0 else SUCCEEDED, &rule.policy, 200000000, 100,
                             2000000000, now_ns)
        return begun

    def _bench_probes(self, int slot, BreakerRule rule not None, int64_t now_ns, int count):
        """Try to begin so many attempts and leave them; return how many were let in."""
        cdef int begun = 0
        cdef int i
        check_slot(self, slot)
        with nogil:
            for i in range(count):
                begun += self.begin(slot, &rule.policy, False, now_ns) >= 0
        return begun

    def __len__(self):
        """How many targets are known."""
        cdef int i
        return sum([self.slots[i].held_ns != 0 for i in range(self.capacity)])

    def __repr__(self):
        return f"<TargetTable {self.path} worker {self.worker}, {len(self)} of {self.capacity} targets>"


cdef class HeldTargets:
    def __dealloc__(self):
        # a fork has a copy of this, but what it stands for is the parent's
        if self.table is not None and self.owner == getpid():
            for slot in self.slots:
                add_count(&self.table.holds[self.table.worker * self.table.capacity + <int>slot], -1)

    def __repr__(self):
        return f"<HeldTargets {len(self.slots)}>"


@internal
cdef class Candidates:
    """The arguments of a choice, out of Python's lists."""
    cdef int count
    cdef int32_t[MAX_CHOICES] slots
    cdef int64_t[MAX_CHOICES] weights
    cdef int64_t[MAX_CHOICES] numbers
    cdef uint8_t[MAX_CHOICES] marks

    def __cinit__(self, TargetTable table, slots, weights, numbers, unfit):
        cdef int i
        self.count = len(slots)
        if self.count > MAX_CHOICES:
            raise ValueError(f"expected at most {MAX_CHOICES} candidates, got {self.count}")
        for i in range(self.count):
            self.slots[i] = check_slot(table, slots[i])
            self.weights[i] = 1 if weights is None else weights[i]
            self.numbers[i] = i if numbers is None else numbers[i]
            self.marks[i] = 0
        for place in unfit:
            self.marks[<int>place] = 1


cdef int readmit(TargetTable table, const int32_t* slots, const int64_t* weights, uint8_t* marks, int count, int wanted, int64_t now_ms,
                 int16_t* fit, int n, bint* weighs) noexcept nogil:
    """Let the least bad of those that are open serve nevertheless: those whose time is over soonest. Keep the order of `fit`."""
    cdef uint8_t[MAX_CHOICES] taken
    cdef int64_t soonest, rest_ms
    cdef int i, best
    memset(taken, 0, count)
    for i in range(n):
        taken[fit[i]] = 1
    while wanted > 0:
        wanted -= 1
        best = -1
        soonest = INT64_MAX
        for i in range(count):
            if taken[i] or not marks[i] & WAS_OPEN or marks[i] & UNFIT:
                continue
            rest_ms = time_of(load_word(&table.slots[slots[i]].breaker)) - now_ms
            if rest_ms < soonest:
                soonest = rest_ms
                best = i
        if best < 0:
            break
        taken[best] = 1
    n = 0
    weighs[0] = False
    for i in range(count):
        if taken[i]:
            fit[n] = i
            n += 1
            weighs[0] = weighs[0] or weights[i] > 0
    return n


cdef int choose_fit(TargetTable table, int strategy, const int32_t* slots, const int64_t* weights, const int64_t* numbers,
                    const int16_t* fit, int n, uint64_t draw, int64_t now_ms) noexcept nogil:
    """The place in `fit` of the one to take; there are at least two."""
    if strategy == WEIGHTED:
        return choose_weighted(weights, fit, n, draw)
    if strategy == LATENCY:
        return choose_of_two(table, slots, fit, n, draw, now_ms)
    if strategy == LEAST_BUSY:
        return choose_least_busy(table, slots, weights, fit, n, draw)
    if strategy == CHEAPEST:
        return choose_cheapest(numbers, fit, n, draw)
    if strategy == STICKY:
        return choose_rendezvous(weights, numbers, fit, n, draw)
    if strategy == THROUGHPUT or strategy == FASTEST:
        return choose_least_mean(table, strategy == FASTEST, slots, fit, n, draw, now_ms)
    return 0


cdef int choose_weighted(const int64_t* weights, const int16_t* fit, int n, uint64_t draw) noexcept nogil:
    cdef uint64_t total = 0
    cdef int i
    for i in range(n):
        total += <uint64_t>weights[fit[i]]
    cdef uint64_t rest = share(draw, total)
    for i in range(n):
        if rest < <uint64_t>weights[fit[i]]:
            return i
        rest -= <uint64_t>weights[fit[i]]
    return 0                            # all weigh nothing


cdef int choose_of_two(TargetTable table, const int32_t* slots, const int16_t* fit, int n, uint64_t draw, int64_t now_ms) noexcept nogil:
    """Power of two choices: as good as looking at all, and callers who look at the same moment do not all take the same one."""
    cdef int one = <int>((draw >> 32) * <uint64_t>n >> 32)
    cdef int other = <int>(<uint64_t><uint32_t>draw * <uint64_t>(n - 1) >> 32)
    if other >= one:
        other += 1
    cdef TargetSlot* first = &table.slots[slots[fit[one]]]
    cdef TargetSlot* second = &table.slots[slots[fit[other]]]
    cdef int64_t first_mean = mean_now(load_word(&first.first_byte), now_ms)
    cdef int64_t second_mean = mean_now(load_word(&second.first_byte), now_ms)
    # one that nothing is known of counts as fast as the other: it gets its share and no more until it has answered
    if first_mean == 0:
        first_mean = max(second_mean, <int64_t>1)
    if second_mean == 0:
        second_mean = first_mean
    first_mean = worsened(first, first_mean * (table.busy(slots[fit[one]]) + 1))
    second_mean = worsened(second, second_mean * (table.busy(slots[fit[other]]) + 1))
    return one if first_mean <= second_mean else other


cdef int least_of(const int64_t* scores, int n, uint64_t draw) noexcept nogil:
    """The place of the least score; equals share."""
    cdef int64_t least = scores[0]
    cdef int equals = 0
    cdef int i
    for i in range(n):
        if scores[i] < least:
            least = scores[i]
            equals = 0
        equals += scores[i] == least
    equals = <int>share(draw, equals)
    for i in range(n):
        if scores[i] == least:
            if equals == 0:
                return i
            equals -= 1
    return 0


cdef int choose_least_busy(TargetTable table, const int32_t* slots, const int64_t* weights, const int16_t* fit, int n,
                           uint64_t draw) noexcept nogil:
    cdef int64_t[MAX_CHOICES] scores
    cdef int i
    for i in range(n):
        scores[i] = (worsened(&table.slots[slots[fit[i]]], table.busy(slots[fit[i]]) + 1) << 20) // max(weights[fit[i]], <int64_t>1)
    return least_of(scores, n, draw)


cdef int choose_cheapest(const int64_t* prices, const int16_t* fit, int n, uint64_t draw) noexcept nogil:
    """An unknown price is dearer than every other."""
    cdef int64_t[MAX_CHOICES] scores
    cdef int i
    for i in range(n):
        scores[i] = prices[fit[i]] if prices[fit[i]] >= 0 else INT64_MAX
    return least_of(scores, n, draw)


cdef int choose_least_mean(TargetTable table, bint by_first_byte, const int32_t* slots, const int16_t* fit, int n, uint64_t draw,
                           int64_t now_ms) noexcept nogil:
    """One that nothing is known of counts as good as the best."""
    cdef int64_t[MAX_CHOICES] scores
    cdef int64_t known = INT64_MAX
    cdef int i
    cdef TargetSlot* slot
    for i in range(n):
        slot = &table.slots[slots[fit[i]]]
        scores[i] = mean_now(load_word(&slot.first_byte if by_first_byte else &slot.token_time), now_ms)
        if scores[i]:
            known = min(known, scores[i])
    if known == INT64_MAX:
        known = 1
    for i in range(n):
        scores[i] = worsened(&table.slots[slots[fit[i]]], scores[i] if scores[i] else known)
    return least_of(scores, n, draw)


cdef int choose_rendezvous(const int64_t* weights, const int64_t* identities, const int16_t* fit, int n, uint64_t who) noexcept nogil:
    """Weighted rendezvous: each candidate has a number for each caller, the greatest wins; losing one moves only its own callers."""
    cdef double most = -1.0
    cdef double score
    cdef int best = 0
    cdef int i
    for i in range(n):
        # 53 bits, and never 0 or 1
        score = ((mixed(who ^ mixed(<uint64_t>identities[fit[i]])) >> 11) + 0.5) * (1.0 / 9007199254740992.0)
        score = <double>max(weights[fit[i]], <int64_t>1) / -log(score)
        if score > most:
            most = score
            best = i
    return best


cdef void open_closed(TargetSlot* target, const BreakerPolicy* policy, int64_t in_a_row, int64_t now_ms) noexcept nogil:
    """Open a closed breaker where this failure was one too many."""
    cdef uint64_t was = load_word(&target.breaker)
    if state_of(was) == CLOSED and has_failed_enough(target, policy, was, in_a_row, now_ms) \
            and swap_word(&target.breaker, was, breaker_word(OPEN, 0, 0, round_of(was), now_ms + policy.cooldown_ms)):
        add_number(&target.opened, 1)


cdef void conclude_probe(TargetSlot* target, uint64_t turn, int health, const BreakerPolicy* policy, int64_t now_ms) noexcept nogil:
    """What a probe found: open again, one success fewer to wait for, or as if it had not been handed out."""
    cdef uint64_t was, becomes
    while True:
        was = load_word(&target.breaker)
        if state_of(was) != HALF_OPEN or round_of(was) != turn:
            return
        if health == SAID_NOTHING:
            becomes = was + (1 << 2)
        elif health == FAILED:
            becomes = breaker_word(OPEN, 0, 0, turn, now_ms + policy.cooldown_ms)
        elif needed_of(was) > 1:
            becomes = was - (1 << 8)
        else:
            store_number(&target.in_a_row, 0)
            becomes = breaker_word(CLOSED, 0, 0, turn, now_ms)
        if swap_word(&target.breaker, was, becomes):
            if health == FAILED:
                add_number(&target.opened, 1)
            return


cdef int hold_slot(TargetTable table, str name) except -1:
    """The slot of that name, else a free one, else the one that nobody has asked for the longest."""
    cdef uint8_t[32] digest
    cdef bytes encoded = name.encode()
    cdef int64_t oldest = INT64_MAX
    cdef int found = -1
    cdef int i
    sha256(<const char*>encoded, len(encoded), digest)
    for i in range(table.capacity):
        if table.slots[i].held_ns and memcmp(table.slots[i].name, digest, 16) == 0:
            found = i
            break
        if table.slots[i].held_ns < oldest and not is_held(table, i):
            found = i
            oldest = table.slots[i].held_ns
    if found < 0:
        raise OverflowError(f"expected at most {table.capacity} targets in {table.path}")
    if memcmp(table.slots[found].name, digest, 16):
        memset(&table.slots[found], 0, sizeof(TargetSlot))
        memcpy(table.slots[found].name, digest, 16)
    table.slots[found].held_ns = time.monotonic_ns()
    add_count(&table.holds[table.worker * table.capacity + found], 1)
    return found


cdef bint is_held(TargetTable table, int slot) noexcept nogil:
    """Whether a snapshot of any worker names it, or an attempt there is under way."""
    cdef int worker
    for worker in range(MAX_WORKERS):
        if load_count(&table.holds[worker * table.capacity + slot]) > 0:
            return True
    return table.busy(slot) > 0


cdef int check_slot(TargetTable table, slot) except -1:
    if not 0 <= slot < table.capacity:
        raise IndexError(f"expected a slot from 0 to {table.capacity - 1}, got {slot}")
    return slot


cdef int64_t bytes_of(int64_t capacity) noexcept nogil:
    return HEADER_BYTES + capacity * (<int64_t>sizeof(TargetSlot) + 2 * MAX_WORKERS * <int64_t>sizeof(int32_t))


cdef int make_file(str path, int64_t capacity) except -1:
    """Put an empty table in the place of whatever is there; nobody sees it half made."""
    cdef int64_t[5] wanted
    cdef str draft = f"{path}.{os.getpid()}"
    wanted[:] = [MAGIC, LAYOUT, sizeof(TargetSlot), capacity, 0]
    file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(file, bytes_of(capacity))
        os.pwrite(file, (<char*>wanted)[:sizeof(wanted)], 0)
    finally:
        os.close(file)
    os.replace(draft, path)
    return 0


cdef int map_file(TargetTable table) except -1:
    cdef bytes head = os.pread(table.file, HEADER_BYTES, 0)
    cdef int64_t[4] wanted
    cdef const int64_t* found
    if len(head) < HEADER_BYTES:
        raise LayoutError(f"expected a table of targets, found {len(head)} bytes at {table.path}: start the gateway again")
    found = <const int64_t*><const char*>head
    wanted[:] = [MAGIC, LAYOUT, sizeof(TargetSlot), found[HEADER_CAPACITY]]
    if memcmp(found, wanted, HEADER_FIXED * sizeof(int64_t)) or not 1 <= found[HEADER_CAPACITY] <= MAX_TARGETS \
            or os.fstat(table.file).st_size != bytes_of(found[HEADER_CAPACITY]):
        raise LayoutError(f"expected a table of targets of layout {LAYOUT}, found another at {table.path}: start the gateway again")
    table.capacity = <int>found[HEADER_CAPACITY]
    table.map_bytes = bytes_of(table.capacity)
    cdef void* at = mmap(NULL, table.map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, table.file, 0)
    if at == MAP_FAILED:
        raise MemoryError(f"cannot map {table.map_bytes} bytes for {table.path}")
    table.map = <char*>at
    table.header = <int64_t*>at
    table.slots = <TargetSlot*>(table.map + HEADER_BYTES)
    table.in_flight = <int32_t*>(table.map + HEADER_BYTES + table.capacity * <int64_t>sizeof(TargetSlot))
    table.holds = table.in_flight + MAX_WORKERS * table.capacity
    return 0
