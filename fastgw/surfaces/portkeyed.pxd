"""Requests that speak Portkey: their fields, their route, and what their replies carry beside the gateway's own."""
from fastgw._core.http1 cimport Head
from fastgw.exchange cimport Exchange

# Keep all fields of a request that names a config or a provider in Portkey's way: x.all_fields.
cdef int take_fields(Exchange x, const char* base, Head* head) except -1
# The route that it asks for: x.served. Raises GatewayError.
cdef object serve_portkey(Exchange x, object desk)
# What goes on to the target of a leaf because the caller said so: x.forwarded.
cdef int forward_for(Exchange x, int leaf) except -1
# Whether the provider is asked with the caller's own credential.
cdef bint is_callers(Exchange x, int leaf) except -1
# Field lines of a reply.
cdef bytes portkey_fields(Exchange x, int leaf)
# The refusal in Portkey's words: (status, field lines, body).
cdef tuple refuse_portkey(object problem)
