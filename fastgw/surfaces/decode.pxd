"""What is asked: the few fields of a body that the gateway needs."""
from fastgw.exchange cimport Exchange

# Fill in x.scanned and x.model. Raises InvalidRequest, which says what is wrong and where.
cdef int decode(Exchange x) except -1
# Let admission count with what this other body of the same request allows too.
cdef int widen(Exchange x, bytes body) except -1
