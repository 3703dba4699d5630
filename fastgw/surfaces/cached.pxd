"""Answers out of the cache of replies, and into it."""
from fastgw.exchange cimport Exchange

# Ask the cache, where one is in play for this request: x.inquiry. `caching` is what the route says, `mark` tells it from others.
cdef bint inquire(Exchange x, object cache, object settings, object caching, bytes mark, object called) except -1
# The body of a hit, and its field lines.
cdef tuple hit_reply(Exchange x)
# The reply has begun: look at it as it goes by, where it is a stream that may be kept.
cdef int begin_capture(Exchange x, int status, Py_ssize_t most_bytes) except -1
# The caller has all of it: keep it, where it is an answer.
cdef int keep_answer(Exchange x, const char* p, Py_ssize_t n) except -1
