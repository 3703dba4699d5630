"""Requests for the control plane: which they are, and what of them passes."""
from fastgw._core.http1 cimport Head
from fastgw.exchange cimport Exchange
from fastgw.snapshot.types cimport Operation

cdef Operation CONTROL
# Whether a path is the control plane's. `path` is not empty.
cdef bint is_controls(bytes path)
# Keep all fields of a request that do not end here, and say who sent it.
cdef int take_all_fields(Exchange x, const char* base, Head* head, bytes request_id) except -1
