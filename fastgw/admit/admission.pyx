"""May it run now: what to reserve for a request, and the ledger's answer.

A token is at least one byte of the body, so the body's length bounds the input; what the bytes do not bound (an image by URL) may fill
the model's context. The output is bounded by what the request states, else by the model's own limit; `clamp` puts in a limit
that the remaining budget pays for. Of the targets that may be asked, the dearest counts.
"""
from libc.stdint cimport INT64_MAX, int64_t
from libc.string cimport memset

from fastgw._core.clock cimport wall_ns
from fastgw._core.ledger cimport (
    REFUSED_BUDGET, REFUSED_EXPIRED, REFUSED_FULL, REFUSED_PARALLEL, REFUSED_REQUEST_RATE, REFUSED_TOKEN_RATE, Denial, Ledger)
from fastgw._core.price cimport Price, affordable_output, charge_at_most
from fastgw.errors import error
from fastgw.snapshot.types cimport CLAMP, ESTIMATE, FORM_BODY, Caller, Target

cdef enum:
    BYTES_PER_TOKEN = 4            # of ordinary text, for rates
    ASSUMED_CONTEXT_TOKENS = 200000
    ASSUMED_OUTPUT_TOKENS = 131072
    IMAGE_TOKENS = 8192            # one picture of the best quality; nothing in a request states it
    AUDIO_TOKENS = 16384           # what is said in a sound, or the sound of a text, of the longest that is taken
    MOST_IMAGES = 10               # of a form, which is not read for how many it asks for
    CLAMP_TRIES = 4                # others may take what was seen as left


cdef frozenset AUDIO = frozenset(("audio", "speech", "transcriptions", "translations"))


cdef int admit(Ledger ledger, Exchange x, bint is_free=False) except -1:
    cdef Caller caller = x.caller
    cdef Denial denial
    cdef int64_t now = wall_ns()
    cdef int64_t tokens = 0, cost = 0
    cdef int turn
    cdef bint clamps = False
    # what the cache answers costs nothing, and counts as a request all the same
    cdef bint is_metered = x.operation.metered and not is_free
    if is_metered:
        tokens = x.body_bytes // BYTES_PER_TOKEN + 1
        if x.operation.generates:
            if x.scanned.max_tokens >= 0:
                tokens += x.scanned.max_tokens * x.scanned.choices
            elif caller.depth:
                tokens += ledger.mean_output(caller.chain[caller.depth - 1])
    if caller.has_budget and caller.refuse_unknown_price and not is_free and x.costs_unseen():
        raise unseen(x)
    if caller.has_budget and is_metered:
        if caller.refuse_unknown_price and not x.target.price.price.known:
            raise price_unknown(x)
        if x.scanned.background and caller.refuse_unknown_price and x.operation.name == "responses":
            raise background_unpriced(x)
        if not x.target.price.price.known:
            pass
        elif caller.admission == ESTIMATE:
            cost = ledger.mean_cost(caller.chain[caller.depth - 1])
        else:
            clamps = caller.admission == CLAMP and x.operation.generates and x.scanned.max_tokens < 0
            cost = most_it_can_cost(ledger, x, now, clamps)
    for turn in range(CLAMP_TRIES):
        memset(&denial, 0, sizeof(denial))
        x.slot = ledger.admit(caller.chain, caller.depth, now, cost, tokens, &denial)
        if x.slot >= 0:
            return 0
        if denial.reason != REFUSED_BUDGET or not clamps:
            break
        cost = most_it_can_cost(ledger, x, now, True)
    raise denied(x, cost, denial.reason, denial.account, denial.limit, denial.remaining, denial.retry_after_ns, denial.resets_at_ns)


def unseen(Exchange x):
    path = x.path[:200].decode("ascii", "replace")
    return error("PriceUnknown", f"what {path} costs cannot be seen from here, and a budget applies to key "
                 f"{x.caller.name!r}: use a path whose replies state their usage, or set unknown_price = \"allow\" for the workspace")


cdef int64_t most_it_can_cost(Ledger ledger, Exchange x, int64_t now, bint clamps) except -1:
    """The most that this request can cost at any target that may still get it; with a limit of the output put in where it clamps."""
    cdef Target target
    cdef Caller caller = x.caller
    cdef int64_t left, limit = -1, cost = 0
    x.limit_set = -1
    if clamps:
        left = ledger.remaining(caller.chain, caller.depth, now)
        if left < INT64_MAX:
            for target in x.candidates:
                limit = least(limit, affordable(x, &target.price.price, left))
            x.limit_set = limit
    for target in x.candidates:
        if target.price.price.known:
            cost = max(cost, most_at(x, &target.price.price))
    return cost


cdef inline int64_t least(int64_t a, int64_t b) noexcept nogil:
    """The lesser of two limits, where -1 is none."""
    return b if a < 0 else a if b < 0 else min(a, b)


cdef int64_t affordable(Exchange x, Price* price, int64_t left) noexcept:
    """The output that the remaining budget pays for, at least 1; -1 where the model's own limit is below it."""
    cdef int64_t most
    if not price.known:
        return -1
    most = affordable_output(price, input_bound(x, price), left) // x.scanned.choices
    return max(most, 1) if most < output_bound(price) else -1


cdef inline int64_t output_bound(Price* price) noexcept nogil:
    return price.max_output_tokens if price.max_output_tokens else ASSUMED_OUTPUT_TOKENS


cdef inline int64_t input_bound(Exchange x, Price* price) noexcept:
    cdef int64_t context = price.context_tokens if price.context_tokens else ASSUMED_CONTEXT_TOKENS
    if x.scanned.media:
        return max(x.body_bytes, context)
    # the provider refuses what does not fit, and bills nothing for it
    return min(x.body_bytes, context) if price.context_tokens else x.body_bytes


cdef int64_t most_at(Exchange x, Price* price) noexcept:
    """The most that this request can cost at one price."""
    cdef int64_t output_tokens
    if x.operation.generates:
        output_tokens = output_bound(price)
        # 0 is "no limit" to some servers
        if x.scanned.max_tokens > 0:
            output_tokens = x.scanned.max_tokens
        elif x.limit_set >= 0:
            output_tokens = x.limit_set
        output_tokens *= x.scanned.choices
    elif x.operation.name == "images":
        output_tokens = IMAGE_TOKENS * (MOST_IMAGES if x.operation.body == FORM_BODY else x.scanned.choices)
    elif x.operation.name in AUDIO:
        output_tokens = price.max_output_tokens if price.max_output_tokens else AUDIO_TOKENS
    else:
        output_tokens = 0
    return charge_at_most(price, input_bound(x, price), output_tokens)


def price_unknown(Exchange x):
    return error("PriceUnknown", f"model {x.model.decode('utf-8', 'replace') if x.model else ''!r} of integration "
                 f"{x.target.integration.name!r} has no known price, and a budget applies to key {x.caller.name!r}: state the price under "
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


def denied(Exchange x, cost, reason, account, limit, remaining, retry_after_ns, resets_at_ns):
    """The refusal in words: which account, what is left, when to come back."""
    name = whose(x, account)
    after = max(-(-retry_after_ns // 1_000_000_000), 1)
    retry = (("retry-after", str(after)),)
    if reason == REFUSED_EXPIRED:
        return error("KeyExpired", f"{name} has expired; ask whoever runs this gateway to renew it")
    if reason == REFUSED_BUDGET:
        renews = f"it renews at {when(resets_at_ns)}" if resets_at_ns > 0 else "it does not renew by itself; it has to be raised"
        if remaining <= 0:
            said = f"the budget of {name}, {dollars(limit)}, is used up; {renews}"
        else:
            said = (f"the budget of {name}, {dollars(limit)}, has {dollars(remaining)} left, and this request may cost up to "
                    f"{dollars(cost)}; state a lower max_tokens, wait for what is in flight, or note that {renews}")
        return error("BudgetExhausted", said, fields=(("x-fastgw-budget-remaining-usd", dollars(max(remaining, 0))[1:]),))
    if reason == REFUSED_REQUEST_RATE:
        return error("RateLimited", f"{name} may make {limit} requests a minute; try again in {after} s", fields=retry + (
            ("x-ratelimit-limit-requests", str(limit)), ("x-ratelimit-remaining-requests", str(max(remaining, 0))),
            ("x-ratelimit-reset-requests", f"{after}s")))
    if reason == REFUSED_TOKEN_RATE:
        return error("TokenRateLimited", f"{name} may use {limit} tokens a minute; try again in {after} s", fields=retry + (
            ("x-ratelimit-limit-tokens", str(limit)), ("x-ratelimit-remaining-tokens", str(max(remaining, 0))),
            ("x-ratelimit-reset-tokens", f"{after}s")))
    if reason == REFUSED_PARALLEL:
        return error("TooManyParallel", f"{name} may have {limit} requests at once; wait for one to end", fields=(("retry-after", "1"),))
    return error("LedgerFull", "more requests at once than this worker's ledger has places for; try again", fields=(("retry-after", "1"),))


def whose(Exchange x, int account):
    cdef int i
    for i in range(x.caller.depth):
        if x.caller.chain[i] == account:
            return x.caller.account_names[i]
    return "an account"
