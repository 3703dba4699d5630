"""A route: a tree of targets, and the way of one request through it."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from fastgw._core.route cimport MAX_CHOICES, BreakerRule, HeldTargets, TargetTable

cdef enum Why:                 # a leaf cannot be chosen (any more)
    FIT = 0
    TRIED = 1
    NOT_SERVED = 2             # it does not have the operation
    NOT_ALLOWED = 3            # this caller may not use it
    TOO_DEAR = 4               # above max_price
    PRICE_UNKNOWN = 5          # so not known to be below max_price
    CONDITION = 6              # a condition chose another branch
    NOT_LED_TO = 7             # the failure of another does not lead here
    OVER_BUDGET = 8            # what this caller's use of its integration is held to
    OVER_RATE = 9
    OVER_PARALLEL = 10

cdef enum:
    MAX_LEAVES = MAX_CHOICES
    STOP = -2                  # instead of a leaf or a wait: what there is goes to the caller
    MOVED = -1                 # another leaf has been chosen and begun


cdef class Leaf:
    """One target of a route, with all that holds for it."""
    cdef readonly int index            # among the leaves of its route
    cdef readonly int slot             # in the table of targets
    cdef readonly str label
    cdef readonly str path             # such as "targets[1].targets[0]"
    cdef readonly object target        # what whoever built the route made of it
    cdef readonly Branch parent
    cdef readonly BreakerRule breaker
    cdef readonly frozenset failing_status     # what counts as a failure for the breaker
    cdef readonly frozenset failing_errors
    cdef readonly object retry         # a RetryRule
    cdef readonly object timeouts      # a RouteTimeouts
    cdef readonly str unsupported
    cdef readonly dict default_params
    cdef readonly dict override_params
    cdef readonly tuple drop_params
    cdef readonly int64_t input_price  # nano-dollars per million tokens; -1 unknown
    cdef readonly int64_t output_price
    cdef readonly bint reads_errors    # whether what follows a failure may depend on the body of the reply
    cdef readonly frozenset led_by     # statuses that lead on from here, to itself or another
    cdef int health(self, int status, str trouble) except -1


cdef class Branch:
    """One node above leaves."""
    cdef readonly str label
    cdef readonly str name             # of the strategy
    cdef readonly Branch parent
    cdef readonly tuple children       # Leaf and Branch
    cdef readonly int first            # its leaves are those from first to before last
    cdef readonly int last
    cdef readonly frozenset on_status
    cdef readonly frozenset on_errors
    cdef readonly tuple conditions     # (predicate, place of a child)
    cdef readonly int default          # place of a child; -1 none
    cdef readonly object sticky        # a StickyRule, or None
    cdef int strategy                  # ChoiceStrategy
    cdef bint is_conditional
    cdef bint is_fixed                 # one child, or a condition says which: there is nothing to choose or to move on to
    cdef bint is_flat                  # all children are leaves
    cdef int count
    cdef int max_ejected_percent
    cdef int32_t* slots
    cdef int64_t* weights
    cdef int64_t* identities
    cdef int decide(self, object facts) except -2
    cdef bint leads_on(self, int status, str trouble)


cdef class Gate:
    """What is asked before an attempt begins, beside the breakers."""
    cdef int judge(self, Leaf leaf) except -1      # FIT: it may be asked; or Why not


cdef class Route:
    """A compiled tree; made with a snapshot and never changed."""
    cdef readonly str name
    cdef readonly Branch root
    cdef readonly tuple leaves
    cdef readonly int64_t deadline_ns  # for all attempts together
    cdef readonly bint needs_facts     # conditions or sticky fields look at the request
    cdef readonly TargetTable table
    cdef readonly HeldTargets held
    cdef Walk begin(self, object facts, object wishes, int64_t input_tokens, int64_t output_tokens, int64_t now_ns)


cdef class Walk:
    """The way of one request through a route."""
    cdef readonly Route route
    cdef readonly Leaf leaf            # where it is; None before the first attempt
    cdef readonly int retries          # of this leaf
    cdef readonly int ticket           # of the attempt in hand; -1: none is
    cdef readonly int64_t deadline_ns  # monotonic
    cdef Gate gate                     # None: all may pass
    cdef object facts
    cdef int wished                    # ChoiceStrategy instead of the nodes' own; -1 none
    cdef int64_t input_tokens
    cdef int64_t output_tokens
    cdef int64_t begun_ns              # the attempt in hand, or the last one
    cdef int64_t ended_ns
    cdef int status                    # of the attempt that ended last
    cdef str trouble
    cdef list over                     # of Attempt; those before the last
    cdef uint8_t[MAX_LEAVES] marks     # Why, and whether its breaker was open
    # Say that a leaf cannot serve this request.
    cdef void bar(self, int leaf, int why) noexcept
    # Choose the first leaf and begin its attempt; None where none can serve.
    cdef Leaf start(self, uint64_t draw, int64_t now_ns)
    # Ask a gate from here on, at once about the leaf in hand; None where it lets none pass.
    cdef Leaf guard(self, Gate gate, uint64_t draw, int64_t now_ns)
    # The attempt is over: trouble None where it served, or its error goes to the caller as it came.
    # says_nothing: of the target, as the caller went away or the gateway itself failed.
    cdef int end(self, int status, str trouble, bint says_nothing, int64_t first_byte_ns, int64_t tokens, int64_t now_ns) except -1
    # What follows a failure that has been ended with the same status and trouble: a wait in ns, after which to call `again`; MOVED, where
    # an attempt at another `leaf` has begun; or STOP.
    cdef int64_t follow(self, object failure, bint repeatable, uint64_t draw, int64_t now_ns) except -3
    # Begin the same leaf once more, or another where its breaker has opened meanwhile.
    cdef int again(self, uint64_t draw, int64_t now_ns) except -1
    cdef int keep(self, int64_t now_ns) except -1
    cdef bint move_on(self, uint64_t draw, int64_t now_ns) except -1
    cdef bint enter(self, Branch branch, uint64_t draw, int64_t now_ns) except -1
    cdef int pick(self, Branch branch, uint64_t draw, int64_t now_ns, bint* forced) except -2
    cdef int pick_only(self, Branch branch, int place, uint64_t draw, int64_t now_ns, bint* forced) except -2
    cdef int64_t cost_at(self, Leaf leaf)

cdef str trouble_of_leg(int failure)
cdef bint is_delivered(int failure, bint was_sent)
