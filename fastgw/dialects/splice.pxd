"""What changes in a body that goes to a provider of the caller's own dialect: a few spans, never the rest."""
from fastgw.exchange cimport Exchange

# Set x.sent_body: the body as it came, or a copy with the model renamed, usage asked for and an output limit put in.
cdef int splice(Exchange x) except -1
