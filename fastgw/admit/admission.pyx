"""May it run now: what to reserve for a request, and the ledger's answer.

A token is at least one byte of the body, so the body's length bounds the input; what the bytes do not bound (an image by URL) may fill
the model's context. The output is bounded by what the request states, else by the model's own limit; `clamp` puts in a limit
that the remaining budget pays for. Of the targets that may be asked, the dearest counts.
"""
from libc.stdint cimport INT64_MAX, int32_t, int64_t
from libc.string cimport memset

from fastgw._core.ledger cimport (
    NANO_USD, REFUSED_BUDGET, REFUSED_EXPIRED, REFUSED_PARALLEL, REFUSED_REQUEST_RATE, REFUSED_TOKEN_RATE, TOKENS, Denial, Ledger,
    Most)
from fastgw._core.price cimport Price, affordable_output, charge_at_most
from fastgw.errors import error
from fastgw.snapshot.shares cimport Share
from fastgw.snapshot.types cimport CLAMP, ESTIMATE, FORM_BODY, Caller, Target

cdef enum:
    BYTES_PER_TOKEN = 4            # of ordinary text, for rates
    ASSUMED_CONTEXT_TOKENS = 200000
    ASSUMED_OUTPUT_TOKENS = 131072
    IMAGE_TOKENS = 8192            # one picture of the best quality; nothing in a request states it
    AUDIO_TOKENS = 16384           # what is said in a sound, or the sound of a text, of the longest that is taken
    MOST_IMAGES = 10               # of a form, which is not read for how many it asks for
    CLAMP_TRIES = 4                # others may take what was seen as left


cdef tuple UNIT_WORDS = ("dollar", "token", "request")
cdef tuple UNIT_FIELDS = ("usd", "tokens", "requests")
cdef frozenset AUDIO = frozenset(("audio", "speech", "transcriptions", "translations"))


cdef struct Charged:               # a chain, and what its budgets count
    const int32_t* chain
    int depth
    bint has_budget
    bint counts_tokens


cdef int admit(Ledger ledger, Exchange x, bint is_free=False) except -1:
    cdef Caller caller = x.caller
    cdef Charged to
    cdef Denial denial
    cdef Most most
    to.chain, to.depth, to.has_budget, to.counts_tokens = &caller.chain[0], caller.depth, caller.has_budget, caller.counts_tokens
    if caller.has_budget and caller.refuse_unknown_price and not is_free:
        problem = unpriced(x, x.target)
        if problem is not None:
            raise problem
    x.limit_admitted = -1
    # what the cache answers costs nothing, and counts as a request all the same
    x.slot = reserve(ledger, x, &to, None, is_free, &most, &denial)
    if x.slot < 0:
        raise denied(whose(caller.chain, caller.depth, caller.account_names, denial.account), denial, most)
    x.limit_admitted = x.limit_set
    return 0


cdef object join(Ledger ledger, Exchange x, Target target):
    cdef str integration = target.integration.name
    cdef Share share = x.caller.shares.get(integration)
    cdef int64_t limit_set = x.limit_set
    cdef Charged to
    cdef Denial denial
    cdef Most most
    if share is not None and share.has_budget and x.caller.refuse_unknown_price:
        problem = unpriced(x, target)
        if problem is not None:
            return problem
    if share is x.share:
        return None
    if share is None or share.depth == 0:
        ledger.join(x.slot, NULL, 0, 0, NULL, NULL)
        x.limit_set = x.limit_admitted
    else:
        to.chain, to.depth, to.has_budget, to.counts_tokens = &share.chain[0], share.depth, share.has_budget, share.counts_tokens
        if reserve(ledger, x, &to, integration, False, &most, &denial) < 0:
            x.limit_set = limit_set
            return denied(whose(share.chain, share.depth, share.account_names, denial.account), denial, most)
    x.share = share
    return None


cdef int reserve(Ledger ledger, Exchange x, Charged* to, str integration, bint is_free, Most* most, Denial* denial) except -2:
    """Reserve in a chain: the caller's, or an integration's beside it. Return -1 with *denial filled where it is refused."""
    cdef Caller caller = x.caller
    cdef int64_t now = x.steps.poller.wall_now_ns()
    cdef int turn, got = -1
    cdef bint is_bounded = False, clamps = False
    memset(most, 0, sizeof(Most))
    if x.operation.metered and not is_free:
        most.likely_tokens = x.body_bytes // BYTES_PER_TOKEN + 1
        if x.operation.generates:
            if x.scanned.max_tokens >= 0:
                most.likely_tokens += x.scanned.max_tokens * x.scanned.choices
            elif caller.depth:
                most.likely_tokens += ledger.mean_output(caller.chain[caller.depth - 1])
        is_bounded = (to.has_budget or to.counts_tokens) and caller.admission != ESTIMATE
        clamps = is_bounded and caller.admission == CLAMP and x.operation.generates and x.scanned.max_tokens < 0
        if caller.admission == ESTIMATE:
            most.tokens = most.likely_tokens
            if to.has_budget and x.target.price.price.known:
                most.cost_nano_usd = ledger.mean_cost(caller.chain[caller.depth - 1])
    for turn in range(CLAMP_TRIES):
        if is_bounded:
            bound(ledger, x, to, integration, now, clamps, most)
        memset(denial, 0, sizeof(Denial))
        if integration is None:
            got = ledger.admit(to.chain, to.depth, now, most, denial)
        else:
            got = ledger.join(x.slot, to.chain, to.depth, now, most, denial)
        if got >= 0 or denial.reason != REFUSED_BUDGET or not clamps:
            break
    return got


def unseen(Exchange x):
    path = x.path[:200].decode("ascii", "replace")
    return error("PriceUnknown", f"what {path} costs cannot be seen from here, and a budget applies to key "
                 f"{x.caller.name!r}: use a path whose replies state their usage, or set unknown_price = \"allow\" for the workspace")


cdef object unpriced(Exchange x, Target target):
    """Why what it costs could not be counted; None where it can."""
    if x.costs_unseen():
        return unseen(x)
    if x.operation.metered and not target.price.price.known:
        return price_unknown(x, target)
    if x.scanned.background and x.operation.name == "responses":
        return background_unpriced(x)
    return None


cdef int bound(Ledger ledger, Exchange x, Charged* to, str integration, int64_t now, bint clamps, Most* most) except -1:
    """The most that this request can use at any target that may still get it; with a limit of the output put in where it clamps."""
    cdef Target target
    cdef Price* price
    cdef int64_t limit = x.limit_admitted
    cdef int64_t dollars_left = INT64_MAX, tokens_left = INT64_MAX
    cdef list targets = x.candidates
    if integration is not None:
        targets = [target for target in targets if target.integration.name == integration]
    x.limit_set = limit
    if clamps:
        if to.has_budget:
            dollars_left = ledger.remaining(to.chain, to.depth, NANO_USD, now)
        if to.counts_tokens:
            tokens_left = ledger.remaining(to.chain, to.depth, TOKENS, now)
        for target in targets:
            limit = least(limit, affordable(x, &target.price.price, dollars_left, tokens_left))
        x.limit_set = limit
    most.cost_nano_usd = most.tokens = 0
    for target in targets:
        price = &target.price.price
        if to.has_budget and price.known:
            most.cost_nano_usd = max(most.cost_nano_usd, charge_at_most(price, input_bound(x, price), most_output(x, price)))
        if to.counts_tokens:
            most.tokens = max(most.tokens, input_bound(x, price) + most_output(x, price))
    return 0


cdef inline int64_t least(int64_t a, int64_t b) noexcept nogil:
    """The lesser of two limits, where -1 is none."""
    return b if a < 0 else a if b < 0 else min(a, b)


cdef int64_t affordable(Exchange x, Price* price, int64_t dollars_left, int64_t tokens_left) noexcept:
    """The output that the remaining budgets pay for, at least 1; -1 where the model's own limit is below it."""
    cdef int64_t most = INT64_MAX
    if price.known and dollars_left < INT64_MAX:
        most = affordable_output(price, input_bound(x, price), dollars_left)
    if tokens_left < INT64_MAX:
        most = min(most, max(tokens_left - input_bound(x, price), <int64_t>0))
    most //= x.scanned.choices
    return max(most, 1) if most < output_bound(price) else -1


cdef inline int64_t output_bound(Price* price) noexcept nogil:
    return price.max_output_tokens if price.max_output_tokens else ASSUMED_OUTPUT_TOKENS


cdef inline int64_t input_bound(Exchange x, Price* price) noexcept:
    cdef int64_t context = price.context_tokens if price.context_tokens else ASSUMED_CONTEXT_TOKENS
    if x.scanned.media:
        return max(x.body_bytes, context)
    # the provider refuses what does not fit, and bills nothing for it
    return min(x.body_bytes, context) if price.context_tokens else x.body_bytes


cdef int64_t most_output(Exchange x, Price* price) noexcept:
    """The most tokens that this request can put out at a target."""
    cdef int64_t output_tokens
    if x.operation.generates:
        output_tokens = output_bound(price)
        # 0 is "no limit" to some servers
        if x.scanned.max_tokens > 0:
            output_tokens = x.scanned.max_tokens
        elif x.limit_set >= 0:
            output_tokens = x.limit_set
        return output_tokens * x.scanned.choices
    if x.operation.name == "images":
        return IMAGE_TOKENS * (MOST_IMAGES if x.operation.body == FORM_BODY else x.scanned.choices)
    if x.operation.name in AUDIO:
        return price.max_output_tokens if price.max_output_tokens else AUDIO_TOKENS
    return 0


def price_unknown(Exchange x, Target target):
    return error("PriceUnknown", f"model {x.model.decode('utf-8', 'replace') if x.model else ''!r} of integration "
                 f"{target.integration.name!r} has no known price, and a budget applies to key {x.caller.name!r}: state the price under "
                 "[prices] or in the model's entry, or set unknown_price = \"allow\" for the workspace", param="model")


def background_unpriced(Exchange x):
    return error("PriceUnknown", "a response in the background states its usage only later, and a budget applies to key "
                 f"{x.caller.name!r}: leave out background, or set unknown_price = \"allow\" for the workspace", param="background")


def dollars(int64_t nano):
    """Money as people read it: $0.0000012."""
    text = f"{abs(nano) // 1_000_000_000}.{abs(nano) % 1_000_000_000:09d}".rstrip("0").rstrip(".")
    return f"{'-' if nano < 0 else ''}${text}"


def when(int64_t at_ns):
    from datetime import UTC, datetime
    return datetime.fromtimestamp(at_ns // 1_000_000_000, UTC).isoformat().replace("+00:00", "Z")


def counted(int64_t amount, int unit):
    """An amount as people read it: $0.0000012, 12000 tokens, 1 request."""
    if unit == NANO_USD:
        return dollars(amount)
    return f"{amount} {UNIT_WORDS[unit]}{'' if amount == 1 else 's'}"


cdef object exhausted(str name, Denial denial, Most most):
    """A budget that does not pay, in words."""
    at = denial.resets_at_ns
    renews = f"it renews at {when(at)}" if at > 0 else "it does not renew by itself; it has to be raised"
    limit, left = counted(denial.limit, denial.unit), counted(denial.remaining, denial.unit)
    if denial.remaining <= 0:
        said = f"the budget of {name}, {limit}, is used up; {renews}"
    else:
        may = (f"cost up to {counted(most.cost_nano_usd, NANO_USD)}" if denial.unit == NANO_USD
               else f"use up to {counted(most.tokens, TOKENS)}")
        said = (f"the budget of {name}, {limit}, has {left} left, and this request may {may}; state a lower max_tokens, wait for what is "
                f"in flight, or note that {renews}")
    value = dollars(denial.remaining)[1:] if denial.unit == NANO_USD else str(denial.remaining)
    return error("BudgetExhausted", said, fields=((f"x-fastgw-budget-remaining-{UNIT_FIELDS[denial.unit]}", value),))


cdef object denied(str name, Denial denial, Most most):
    """The refusal in words: which account, what is left, when to come back."""
    after = max(-(-denial.retry_after_ns // 1_000_000_000), 1)
    retry = (("retry-after", str(after)),)
    if denial.reason == REFUSED_EXPIRED:
        return error("KeyExpired", f"{name} has expired; ask whoever runs this gateway to renew it")
    if denial.reason == REFUSED_BUDGET:
        return exhausted(name, denial, most)
    if denial.reason == REFUSED_REQUEST_RATE:
        return error("RateLimited", f"{name} may make {denial.limit} requests a minute; try again in {after} s", fields=retry + (
            ("x-ratelimit-limit-requests", str(denial.limit)), ("x-ratelimit-remaining-requests", str(max(denial.remaining, 0))),
            ("x-ratelimit-reset-requests", f"{after}s")))
    if denial.reason == REFUSED_TOKEN_RATE:
        return error("TokenRateLimited", f"{name} may use {denial.limit} tokens a minute; try again in {after} s", fields=retry + (
            ("x-ratelimit-limit-tokens", str(denial.limit)), ("x-ratelimit-remaining-tokens", str(max(denial.remaining, 0))),
            ("x-ratelimit-reset-tokens", f"{after}s")))
    if denial.reason == REFUSED_PARALLEL:
        return error("TooManyParallel", f"{name} may have {denial.limit} requests at once; wait for one to end",
                     fields=(("retry-after", "1"),))
    return error("LedgerFull", "more requests at once than this worker's ledger has places for; try again", fields=(("retry-after", "1"),))


cdef str whose(const int32_t* chain, int depth, tuple names, int account):
    cdef int i
    for i in range(depth):
        if chain[i] == account:
            return names[i]
    return "an account"
