"""The body for a target: spliced where it speaks the caller's dialect, else translated; and the way back."""
from fastgw.exchange cimport Exchange

# Put the request's body into the dialect of x.target, with what the route puts in or takes out: x.way, x.sent_body, x.translation.
# Raises GatewayError.
cdef int fit(Exchange x, dict defaults, dict overrides, tuple drops) except -1
# What kind of failure (canonical.FailureKind) the body of a provider's error tells.
cdef str failure_kind(Exchange x, const char* p, Py_ssize_t n)
# What the error that opens a stream of the caller's own dialect says (canonical.Failure); None where it is not of that dialect.
cdef object opening_failure(Exchange x, const char* p, Py_ssize_t n)
# A whole reply or error of the provider, as the caller's. Fills in the usage. Raises UpstreamTranslation.
cdef bytes translate_reply(Exchange x, const char* p, Py_ssize_t n)
# The next piece of a stream. Raises UpstreamTranslation or UpstreamStatus where the caller has not had a byte yet.
cdef bytes translate_piece(Exchange x, const char* p, Py_ssize_t n, bint last)
