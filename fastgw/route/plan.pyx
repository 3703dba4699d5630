"""Walk through a route: the first target for a request, and what follows each attempt that failed.

A branch chooses among its children, each of which stands for the leaf that it would lead to. When a leaf has failed, its own branch is
asked first whether the failure leads on to another of its leaves; if not, or if none is left, the branch above is. What lies below a branch
that was left is not tried again.

Leaves are numbered in the order in which they are written, so those below a branch stand together. The way of a request is one mark for
each leaf and the leaf it is at. Limits: 1,024 leaves a route.
"""
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.string cimport memset

from fastgw._core.flow cimport (
    LEG_BAD_REPLY, LEG_BUSY, LEG_CONNECT, LEG_CONNECT_TIMEOUT, LEG_DNS, LEG_FIRST_BYTE_TIMEOUT, LEG_HEAD_TOO_LARGE, LEG_IDLE_TIMEOUT,
    LEG_PROXY, LEG_RESET, LEG_TLS, LEG_TOTAL_TIMEOUT, LEG_TRUNCATED, LEG_UPGRADE)
from fastgw._core.route cimport (
    CHEAPEST, FAILED, FASTEST, FIRST, LATENCY, LEAST_BUSY, SAID_NOTHING, STICKY, SUCCEEDED, THROUGHPUT, UNFIT, WAS_OPEN, WEIGHTED, mixed)
from fastgw.route.trail import REASONS, Attempt

cdef dict STRATEGIES = {
    "single": FIRST, "fallback": FIRST, "conditional": FIRST, "weighted": WEIGHTED, "latency": LATENCY, "least_busy": LEAST_BUSY,
    "cost": CHEAPEST, "throughput": THROUGHPUT,
}
cdef dict SORTS = {"price": CHEAPEST, "latency": FASTEST, "throughput": THROUGHPUT}
cdef dict LEG_TROUBLES = {
    LEG_DNS: "connection", LEG_CONNECT: "connection", LEG_TLS: "connection", LEG_CONNECT_TIMEOUT: "connection", LEG_PROXY: "connection",
    LEG_RESET: "connection", LEG_TRUNCATED: "connection", LEG_FIRST_BYTE_TIMEOUT: "timeout", LEG_IDLE_TIMEOUT: "timeout",
    LEG_TOTAL_TIMEOUT: "timeout", LEG_BUSY: "busy", LEG_BAD_REPLY: "bad_reply", LEG_HEAD_TOO_LARGE: "bad_reply", LEG_UPGRADE: "bad_reply",
}


cdef double MOST_COST = 9e18


cdef str trouble_of_leg(int failure):
    """The kind of failure that a leg's end is."""
    return LEG_TROUBLES[failure]


cdef bint is_delivered(int failure, bint was_sent):
    """Whether a byte of the request may have reached the provider."""
    return was_sent and failure not in (LEG_DNS, LEG_CONNECT, LEG_TLS, LEG_CONNECT_TIMEOUT, LEG_BUSY, LEG_PROXY)


cdef class Leaf:
    def __init__(self, str label, str path, target, *, int slot, BreakerRule breaker, frozenset failing_status, frozenset failing_errors,
                 retry, timeouts, str unsupported="drop", dict default_params=None, dict override_params=None, tuple drop_params=(),
                 int64_t input_price=-1, int64_t output_price=-1, bint reads_errors=False, frozenset led_by=frozenset()):
        self.label = label
        self.path = path
        self.target = target
        self.slot = slot
        self.breaker = breaker
        self.failing_status = failing_status
        self.failing_errors = failing_errors
        self.retry = retry
        self.timeouts = timeouts
        self.unsupported = unsupported
        self.default_params = default_params or {}
        self.override_params = override_params or {}
        self.drop_params = drop_params
        self.input_price = input_price
        self.output_price = output_price
        self.reads_errors = reads_errors
        self.led_by = led_by

    def __repr__(self):
        return f"<Leaf {self.index} {self.label}>"

    cdef int health(self, int status, str trouble) except -1:
        if status in self.failing_status or (trouble is not None and trouble in self.failing_errors):
            return FAILED
        # without a reply it shows nothing, with one it is alive, whatever it says
        return SUCCEEDED if status else SAID_NOTHING


cdef class Branch:
    def __cinit__(self, str label, str strategy, tuple children, tuple weights, tuple identities, **_):
        cdef int i
        self.label = label
        self.name = strategy
        self.children = children
        self.count = len(children)
        if not 1 <= self.count <= MAX_CHOICES:
            raise ValueError(f"expected 1 to {MAX_CHOICES} children, got {self.count} at {label}")
        self.strategy = STRATEGIES[strategy]
        self.is_conditional = strategy == "conditional"
        self.is_fixed = self.is_conditional or strategy == "single"
        self.slots = <int32_t*>PyMem_Calloc(self.count, sizeof(int32_t))
        self.weights = <int64_t*>PyMem_Calloc(self.count, sizeof(int64_t))
        self.identities = <int64_t*>PyMem_Calloc(self.count, sizeof(int64_t))
        if self.slots == NULL or self.weights == NULL or self.identities == NULL:
            raise MemoryError(f"no memory for the children of {label}")
        self.is_flat = True
        for i in range(self.count):
            self.weights[i] = weights[i]
            self.identities[i] = <int64_t><uint64_t>identities[i]
            if isinstance(children[i], Leaf):
                self.slots[i] = (<Leaf>children[i]).slot
            else:
                self.is_flat = False

    def __init__(self, str label, str strategy, tuple children, tuple weights, tuple identities, *, frozenset on_status,
                 frozenset on_errors, tuple conditions=(), int default=-1, sticky=None, int max_ejected_percent=100):
        self.on_status = on_status
        self.on_errors = on_errors
        self.conditions = conditions
        self.default = default
        self.sticky = sticky
        self.max_ejected_percent = max_ejected_percent

    def __dealloc__(self):
        PyMem_Free(self.slots)
        PyMem_Free(self.weights)
        PyMem_Free(self.identities)

    def __repr__(self):
        return f"<Branch {self.label}: {self.name} of {self.count}>"

    cdef int decide(self, object facts) except -2:
        """The place of the child that the conditions name; -1 where none does."""
        for predicate, place in self.conditions:
            if predicate(facts):
                return place
        return self.default

    cdef bint leads_on(self, int status, str trouble):
        """Whether such a failure of one child leads on to another."""
        return not self.is_fixed and (status in self.on_status or (trouble is not None and trouble in self.on_errors))


cdef class Gate:
    cdef int judge(self, Leaf leaf) except -1:
        raise NotImplementedError


cdef class Route:
    def __init__(self, str name, Branch root, TargetTable table, HeldTargets held, *, int64_t deadline_ns, bint needs_facts):
        cdef list leaves = []
        number(root, leaves)
        if len(leaves) > MAX_LEAVES:
            raise ValueError(f"expected at most {MAX_LEAVES} targets, got {len(leaves)} in {name}")
        self.name = name
        self.root = root
        self.leaves = tuple(leaves)
        self.table = table
        self.held = held
        self.deadline_ns = deadline_ns
        self.needs_facts = needs_facts

    def __repr__(self):
        return f"<Route {self.name}: {self.root.name} of {len(self.leaves)} targets>"

    cdef Walk begin(self, object facts, object wishes, int64_t input_tokens, int64_t output_tokens, int64_t now_ns):
        cdef Walk walk = Walk.__new__(Walk)
        walk.route = self
        walk.facts = facts
        walk.wished = -1
        walk.ticket = -1
        walk.input_tokens = input_tokens
        walk.output_tokens = output_tokens
        walk.deadline_ns = now_ns + self.deadline_ns
        memset(walk.marks, 0, len(self.leaves))
        if wishes is not None:
            heed(walk, wishes)
        return walk

    def walk(self, int64_t now_ns, facts=None, wishes=None, *, int64_t input_tokens=0, int64_t output_tokens=0):
        """Begin the way of one request."""
        return self.begin(facts, wishes, input_tokens, output_tokens, now_ns)


cdef int number(Branch branch, list leaves) except -1:
    """Number the leaves below a branch in their order, and tell everyone below whom it belongs to."""
    branch.first = <int>len(leaves)
    for child in branch.children:
        if isinstance(child, Leaf):
            (<Leaf>child).index = <int>len(leaves)
            (<Leaf>child).parent = branch
            leaves.append(child)
        else:
            (<Branch>child).parent = branch
            number(<Branch>child, leaves)
    branch.last = <int>len(leaves)
    return 0


cdef int heed(Walk walk, object wishes) except -1:
    """Take what the caller wishes: another order, and no target dearer than it says."""
    cdef Leaf leaf
    cdef int64_t most_input = wishes.max_input_price
    cdef int64_t most_output = wishes.max_output_price
    if wishes.sort is not None:
        walk.wished = SORTS[wishes.sort]
    if most_input < 0 and most_output < 0:
        return 0
    for leaf in walk.route.leaves:
        if (most_input >= 0 and leaf.input_price < 0) or (most_output >= 0 and leaf.output_price < 0):
            walk.bar(leaf.index, PRICE_UNKNOWN)
        elif 0 <= most_input < leaf.input_price or 0 <= most_output < leaf.output_price:
            walk.bar(leaf.index, TOO_DEAR)
    return 0


cdef class Walk:
    def __repr__(self):
        at = "not begun" if self.leaf is None else f"at {self.leaf.label}"
        return f"<Walk through {self.route.name}, {at}, {len(self.attempts)} attempts over>"

    @property
    def attempts(self):
        """Those that have ended, in their order."""
        if self.leaf is None or self.ticket >= 0:
            return self.over or []
        return [*(self.over or ()), Attempt(self.leaf.index, self.status, self.trouble or "", self.begun_ns, self.ended_ns)]

    cdef void bar(self, int leaf, int why) noexcept:
        if self.marks[leaf] & UNFIT == FIT:
            self.marks[leaf] |= why

    cdef Leaf start(self, uint64_t draw, int64_t now_ns):
        return self.leaf if self.enter(self.route.root, draw, now_ns) else None

    cdef Leaf guard(self, Gate gate, uint64_t draw, int64_t now_ns):
        cdef Leaf leaf = self.leaf
        cdef int why = gate.judge(leaf)
        self.gate = gate
        if why == FIT:
            return leaf
        # nothing was asked of it: no attempt
        self.route.table.end(leaf.slot, self.ticket, SAID_NOTHING, &leaf.breaker.policy, -1, 0, 0, now_ns)
        self.ticket = -1
        self.leaf = None
        self.bar(leaf.index, why)
        return self.start(draw, now_ns)

    cdef int end(self, int status, str trouble, bint says_nothing, int64_t first_byte_ns, int64_t tokens, int64_t now_ns) except -1:
        cdef int health = SAID_NOTHING
        if self.ticket < 0:
            return 0                    # it was ended before
        if not says_nothing:
            health = self.leaf.health(status, trouble)
        if status == 0 or status >= 400:
            # how fast it refuses says nothing of how fast it serves
            first_byte_ns = -1
            tokens = 0
        self.route.table.end(self.leaf.slot, self.ticket, health, &self.leaf.breaker.policy, first_byte_ns, tokens,
                             now_ns - self.begun_ns, now_ns)
        self.ticket = -1
        self.status = status
        self.trouble = trouble
        self.ended_ns = now_ns
        return 0

    cdef int64_t follow(self, object failure, bint repeatable, uint64_t draw, int64_t now_ns) except -3:
        cdef int64_t left_ns = self.deadline_ns - now_ns
        verdict = self.leaf.retry.decide(failure, self.retries, repeatable=repeatable, left_ns=left_ns, draw=draw)
        if verdict.kind == "stop":
            return STOP
        # an open breaker is no place to wait for while another target serves
        if verdict.kind == "again" and not self.route.table.is_open(self.leaf.slot, now_ns + <int64_t>verdict.after_ns):
            return verdict.after_ns
        if self.move_on(draw, now_ns):
            return MOVED
        return verdict.after_ns if verdict.kind == "again" else STOP

    cdef int again(self, uint64_t draw, int64_t now_ns) except -1:
        cdef Leaf leaf = self.leaf
        self.ticket = self.route.table.begin(leaf.slot, &leaf.breaker.policy, False, now_ns)
        if self.ticket < 0:
            if self.move_on(draw, now_ns):
                return 0
            self.ticket = self.route.table.begin(leaf.slot, &leaf.breaker.policy, True, now_ns)
        self.keep(now_ns)
        self.retries += 1
        return 0

    cdef bint move_on(self, uint64_t draw, int64_t now_ns) except -1:
        """Another leaf that the last failure leads to: of the nearest branch that has one."""
        cdef Branch branch = self.leaf.parent
        cdef Branch below
        cdef int i
        self.marks[self.leaf.index] = TRIED
        while branch is not None:
            if branch.leads_on(self.status, self.trouble) and self.enter(branch, draw, now_ns):
                return True
            below = branch
            branch = branch.parent
            for i in range(below.first, below.last):
                self.bar(i, NOT_LED_TO)
        return False

    cdef bint enter(self, Branch branch, uint64_t draw, int64_t now_ns) except -1:
        """Choose a leaf below a branch and begin an attempt there."""
        cdef bint forced = False
        cdef int tries = 0
        cdef int index, why
        cdef Leaf leaf
        while True:
            index = self.pick(branch, draw, now_ns, &forced)
            if index < 0:
                return False
            leaf = <Leaf>self.route.leaves[index]
            if self.gate is not None:
                why = self.gate.judge(leaf)
                if why != FIT:
                    self.bar(index, why)
                    continue
            # between the choice and the entrance another worker may have taken the last probe
            tries += 1
            self.ticket = self.route.table.begin(leaf.slot, &leaf.breaker.policy, forced or tries > 3, now_ns)
            if self.ticket >= 0:
                break
        self.keep(now_ns)
        self.leaf = leaf
        self.retries = 0
        return True

    cdef int keep(self, int64_t now_ns) except -1:
        """Note the attempt that has ended, as another begins now."""
        if self.leaf is not None:
            if self.over is None:
                self.over = []
            self.over.append(Attempt(self.leaf.index, self.status, self.trouble or "", self.begun_ns, self.ended_ns))
        self.begun_ns = now_ns
        return 0

    cdef int pick(self, Branch branch, uint64_t draw, int64_t now_ns, bint* forced) except -2:
        """The leaf that a branch leads to now; -1 where none below it is fit. Nothing is begun."""
        cdef int strategy = branch.strategy
        cdef int64_t* numbers = branch.identities
        cdef int64_t[MAX_CHOICES] costs
        cdef int64_t* prices = costs
        cdef int32_t[MAX_CHOICES] slots
        cdef int32_t[MAX_CHOICES] places
        cdef uint8_t[MAX_CHOICES] marks
        cdef int i, place
        if branch.is_conditional:
            return self.pick_only(branch, branch.decide(self.facts), draw, now_ns, forced)
        if not branch.is_fixed and self.wished >= 0:
            strategy = self.wished
        elif branch.sticky is not None and self.facts is not None:
            who = branch.sticky.draw(self.facts)
            if who is not None:
                strategy = STICKY
                draw = who
        if branch.is_flat:
            if strategy == CHEAPEST:
                numbers = prices
                for i in range(branch.count):
                    prices[i] = self.cost_at(<Leaf>branch.children[i])
            place = self.route.table.choose(strategy, branch.slots, branch.weights, numbers, &self.marks[branch.first], branch.count,
                                            branch.max_ejected_percent, draw, now_ns, forced)
            return -1 if place < 0 else branch.first + place
        for i in range(branch.count):
            child = branch.children[i]
            places[i] = (<Leaf>child).index if isinstance(child, Leaf) else self.pick(<Branch>child, mixed(draw + i + 1), now_ns, forced)
            marks[i] = UNFIT if places[i] < 0 else self.marks[places[i]] & UNFIT
            slots[i] = 0 if places[i] < 0 else (<Leaf>self.route.leaves[places[i]]).slot
            prices[i] = -1 if places[i] < 0 else self.cost_at(<Leaf>self.route.leaves[places[i]])
        if strategy == CHEAPEST:
            numbers = prices
        place = self.route.table.choose(strategy, slots, branch.weights, numbers, marks, branch.count, branch.max_ejected_percent, draw,
                                        now_ns, forced)
        for i in range(branch.count):
            if places[i] >= 0 and marks[i] & WAS_OPEN:
                self.marks[places[i]] |= WAS_OPEN
        return -1 if place < 0 else places[place]

    cdef int pick_only(self, Branch branch, int place, uint64_t draw, int64_t now_ns, bint* forced) except -2:
        """The leaf below the one child that a condition named; the others are out."""
        cdef int i
        cdef int index = -1
        for i in range(branch.count):
            child = branch.children[i]
            if i == place:
                if not isinstance(child, Leaf):
                    index = self.pick(<Branch>child, mixed(draw + 1), now_ns, forced)
                elif self.marks[(<Leaf>child).index] & UNFIT == FIT:
                    index = (<Leaf>child).index
                    forced[0] = self.route.table.is_open((<Leaf>child).slot, now_ns)
            elif isinstance(child, Leaf):
                self.bar((<Leaf>child).index, CONDITION)
            else:
                bar_all(self, <Branch>child)
        return index

    cdef int64_t cost_at(self, Leaf leaf):
        """A number in proportion to what the request would cost there; -1 unknown. Unstated output is a third of the input."""
        cdef double input_tokens = max(self.input_tokens, <int64_t>1)
        cdef double output_tokens = self.output_tokens if self.output_tokens > 0 else input_tokens / 3
        if leaf.input_price < 0 or leaf.output_price < 0:
            return -1
        return <int64_t>min(leaf.input_price * input_tokens + leaf.output_price * output_tokens, MOST_COST)

    # for Python

    def bar_leaf(self, int leaf, int why):
        """Say that a leaf cannot serve this request: a place in trail.REASONS."""
        if not 0 <= leaf < len(self.route.leaves) or not FIT < why < len(REASONS):
            raise IndexError(f"expected a leaf and a reason, got {leaf} and {why}")
        self.bar(leaf, why)

    def start_at(self, uint64_t draw, int64_t now_ns):
        """Choose the first leaf and begin its attempt; None where none can serve."""
        return self.start(draw, now_ns)

    def end_attempt(self, int64_t now_ns, *, int status=0, str trouble=None, bint says_nothing=False, int64_t first_byte_ns=-1,
                    int64_t tokens=0):
        """The attempt is over."""
        self.end(status, trouble, says_nothing, first_byte_ns, tokens, now_ns)

    def follow_up(self, failure, uint64_t draw, int64_t now_ns, *, bint repeatable=True):
        """What follows: ("again", wait in ns), ("moved", 0) or ("stop", 0)."""
        cdef int64_t wait_ns = self.follow(failure, repeatable, draw, now_ns)
        return ("stop", 0) if wait_ns == STOP else ("moved", 0) if wait_ns == MOVED else ("again", wait_ns)

    def again_at(self, uint64_t draw, int64_t now_ns):
        """Begin the same leaf once more, or another where its breaker has opened meanwhile."""
        self.again(draw, now_ns)
        return self.leaf

    def passed_over(self):
        """Why each leaf that was not tried was not, as (leaf, reason); those that were merely not chosen are left out."""
        cdef int i
        cdef list found = []
        for i in range(len(self.route.leaves)):
            if self.marks[i] & UNFIT > TRIED:
                found.append((self.route.leaves[i], REASONS[self.marks[i] & UNFIT]))
            elif self.marks[i] & WAS_OPEN and self.marks[i] & UNFIT == FIT and self.route.leaves[i] is not self.leaf:
                found.append((self.route.leaves[i], REASONS[0]))
        return found


cdef int bar_all(Walk walk, Branch branch) except -1:
    cdef int i
    for i in range(branch.first, branch.last):
        walk.bar(i, CONDITION)
    return 0
