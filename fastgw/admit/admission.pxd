"""May it run now: what to reserve for a request, and the ledger's answer."""
from fastgw._core.ledger cimport Ledger
from fastgw.exchange cimport Exchange
from fastgw.snapshot.types cimport Target

# Reserve in every account of the caller, or raise KeyExpired, BudgetExhausted, PriceUnknown, RateLimited, TokenRateLimited,
# TooManyParallel, LedgerFull. Sets x.slot, and x.limit_set where an output limit is to be put into the body. is_free: it costs nothing.
cdef int admit(Ledger ledger, Exchange x, bint is_free=*) except -1

# Reserve in the accounts of the target's integration too, in the place of those of another; return None, or the refusal, and then
# all is as it was. Only where the caller has shares.
cdef object join(Ledger ledger, Exchange x, Target target)

