"""Which fields pass the gateway, and which it adds; requests and replies."""
from posix.uio cimport iovec
from fastgw._core.http1 cimport Head
from fastgw.exchange cimport Exchange

# Sort a request's fields: what goes upstream is kept in x.forward, what is for the gateway is put into x.
cdef int read_request_fields(Exchange x, const char* base, Head* head) except -1
# The head of the upstream request, rendered for x.target.
cdef int render_head(Exchange x) except -1
# Lay the upstream request out for one write: at most 6 pieces, `length` has room for 48 bytes. Return how many pieces.
cdef int compose_request(Exchange x, iovec* pieces, char* length) except -1
# Keep what may pass of a reply's fields, and add what stands in every reply.
cdef int read_reply_fields(Exchange x, const char* base, Head* head) except -1
cdef int add_identity(Exchange x) except -1
cdef int add_cost(Exchange x) except -1
cdef bytes request_id(Exchange x)
# Whether a field's value contains a word of lower-case letters, in any case.
cdef bint has_word(const char* p, Py_ssize_t n, const char* word, Py_ssize_t length) noexcept nogil
