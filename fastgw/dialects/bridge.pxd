"""The body for a target: spliced where it speaks the caller's dialect, else translated; and the way back."""
from fastgw.exchange cimport Exchange

# Put the request's body into the dialect of x.target: x.way, x.sent_body, x.translation. Raises GatewayError.
cdef int fit(Exchange x) except -1
# A whole reply or error of the provider, as the caller's. Fills in the usage. Raises UpstreamTranslation.
cdef bytes translate_reply(Exchange x, const char* p, Py_ssize_t n)
# The next piece of a stream. Raises UpstreamTranslation or UpstreamStatus where the caller has not had a byte yet.
cdef bytes translate_piece(Exchange x, const char* p, Py_ssize_t n, bint last)
