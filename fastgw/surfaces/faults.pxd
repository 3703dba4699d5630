"""What went wrong, in words: from the codes of the lane and the upstream to errors."""
from fastgw.exchange cimport Exchange

cdef object request_error(int fault)               # HeadError or RequestFault
cdef object leg_error(Exchange x, int failure)     # LegFailure
