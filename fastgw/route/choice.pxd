"""Where to: the plan for what is asked, and the next target of a plan."""
from fastgw.exchange cimport Exchange
from fastgw.snapshot.types cimport Plan, Target

# Raises ModelNotFound, ModelNotAllowed, IntegrationNotAllowed, IntegrationMissing.
cdef Plan find_plan(Exchange x)
# The first or next target that this caller may use, or None. `draw` is a random number for the weighted strategy.
cdef Target next_target(Exchange x, unsigned int draw)
