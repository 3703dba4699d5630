"""Where to: the route for what is asked, and the first target on it."""
from libc.stdint cimport uint64_t
from fastgw.exchange cimport Exchange
from fastgw.route.plan cimport Leaf

# Find the route, leave out the targets that cannot serve this request, and begin an attempt at one of the rest: x.walk, x.candidates.
# Raises ModelNotFound, ModelNotAllowed, IntegrationNotAllowed, IntegrationMissing, NoTarget, InvalidRequest.
cdef Leaf choose_target(Exchange x, uint64_t draw)
