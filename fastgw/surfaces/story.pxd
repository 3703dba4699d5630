"""What became of a request on its way through a route, in words: for its record, and on request for the reply."""
from fastgw.exchange cimport Exchange

# JSON for the record, or None where there is nothing to tell.
cdef bytes detail_of(Exchange x)
# Field lines, as the request asked for by x-fastgw-explain.
cdef bytes explanation(Exchange x)
