"""What is asked: the few fields of a body that the gateway needs."""
from fastgw.exchange cimport Exchange

# Fill in x.scanned and x.model. Raises InvalidRequest, which says what is wrong and where.
cdef int decode(Exchange x) except -1
