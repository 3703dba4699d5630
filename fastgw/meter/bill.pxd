"""What did it cost: from what is known of the usage to the charge."""
from fastgw._core.ledger cimport Ledger
from fastgw.exchange cimport Exchange

# Price the usage, settle the reservation; once an exchange. Sets x.cost_nano_usd and the estimated mark.
cdef int bill(Ledger ledger, Exchange x) except -1
