"""Where to: the route for what is asked, and the first target on it."""
from libc.stdint cimport uint64_t
from fastgw.exchange cimport Exchange
from fastgw.route.plan cimport Leaf, Route

# The route of what is asked. Raises ModelNotFound, ModelNotAllowed, IntegrationNotAllowed, IntegrationMissing.
cdef Route find_route(Exchange x)
# Leave out the targets that cannot serve this request, and begin an attempt at one of the rest: x.walk, x.candidates.
# Raises ModelNotFound, IntegrationNotAllowed, NoTarget, PriceUnknown, InvalidRequest.
cdef Leaf choose_target(Exchange x, Route route, uint64_t draw)
