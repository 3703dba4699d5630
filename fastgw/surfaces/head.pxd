"""What the head of a request says before it is known what is asked."""
from fastgw._core.http1 cimport Head
from fastgw.exchange cimport Exchange
from fastgw.snapshot.types cimport Operation

cdef struct Hints:
    bint is_json
    bint is_anthropic
    bint is_google

cdef Operation unknown_operation()     # of a request that cannot be read
# Find the hints, the dialect of errors, the trace id and the browser's origin. Raises UpgradeRefused.
cdef int survey(Exchange x, const char* base, Head* head, Hints* hints) except -1
# Take keys out of x.query, so that they never go upstream; return the one that counts, or None.
cdef bytes take_query_key(Exchange x)
cdef bytes field_value(const char* base, Head* head, int wanted)
