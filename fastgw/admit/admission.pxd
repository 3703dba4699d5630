"""May it run now: what to reserve for a request, and the ledger's answer."""
from fastgw._core.ledger cimport Ledger
from fastgw.exchange cimport Exchange

# Reserve in every account of the caller, or raise KeyExpired, BudgetExhausted, PriceUnknown, RateLimited, TokenRateLimited,
# TooManyParallel, LedgerFull. Sets x.slot, and x.limit_set where an output limit is to be put into the body. is_free: it costs nothing.
cdef int admit(Ledger ledger, Exchange x, bint is_free=*) except -1
