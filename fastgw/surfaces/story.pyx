"""What became of a request on its way through a route, in words: for its record, and on request for the reply."""
import msgspec

from fastgw._core.clock cimport monotonic_ns
from fastgw.route.plan cimport Walk
from fastgw.route.trail import Attempt, attempts_field, passed_over_field


cdef bytes detail_of(Exchange x):
    cdef Walk walk = <Walk>x.walk
    told = {}
    if x.attempt or len(walk.route.leaves) > 1:
        passed_over = walk.passed_over()
        if x.attempt or passed_over:
            told["attempts"] = attempts_field(labels(walk), walk.attempts)
        if passed_over:
            told["passed_over"] = passed_over_field([(leaf.label, why) for leaf, why in passed_over])
    if x.metadata:
        told["metadata"] = x.metadata
    if x.translation is not None and x.translation.dropped:
        told["dropped"] = x.translation.dropped
    return msgspec.json.encode(told) if told else None


cdef bytes explanation(Exchange x):
    cdef Walk walk = <Walk>x.walk
    attempts = walk.attempts
    if walk.ticket >= 0:
        # the one in hand has not ended
        attempts = [*attempts, Attempt(walk.leaf.index, x.upstream_status, "", walk.begun_ns, monotonic_ns())]
    lines = f"x-fastgw-route: {attempts_field(labels(walk), attempts)}\r\n"
    passed_over = [(leaf.label, why) for leaf, why in walk.passed_over()]
    if passed_over:
        lines += f"x-fastgw-passed-over: {passed_over_field(passed_over)}\r\n"
    return lines.encode("latin-1", "replace")


cdef list labels(Walk walk):
    return [leaf.label for leaf in walk.route.leaves]
