"""The order of the steps, on one page."""
from libc.stdint cimport int64_t, uint64_t
from fastgw._core.flow cimport Application, Client, Flow
from fastgw._core.ledger cimport Ledger
from fastgw._core.poll cimport Poller
from fastgw._core.ring cimport RingWriter
from fastgw._core.http1 cimport Head
from fastgw.exchange cimport Exchange, Steps
from fastgw.route.plan cimport Leaf, Route
from fastgw.snapshot.types cimport Snapshot, Target


cdef class Pipeline(Steps):
    cdef readonly Snapshot snapshot
    cdef readonly Ledger ledger
    cdef readonly RingWriter ring
    cdef readonly unsigned int worker
    cdef readonly object health
    cdef readonly Target metrics           # the drain's socket
    cdef readonly Target control           # the control plane's socket, or None
    cdef readonly int64_t max_body_bytes
    cdef readonly int in_flight
    cdef readonly long long served
    cdef uint64_t random_state
    cdef object desk                       # portkey.desk.Desk
    cdef object cache                      # cache.inquiry.ResponseCache, or None
    cdef object cache_settings
    cdef bint look(self, Exchange x, Route route) except -1
    cdef int answer_hit(self, Exchange x) except -1
    cdef int proceed(self, Exchange x, Route route) except -1
    cdef Leaf enter_share(self, Exchange x, Leaf leaf)
    cdef dict renewals                     # signer -> task that fetches its token
    cdef int64_t within(self, Exchange x, int64_t most_ns)
    cdef int await_credential(self, Exchange x) except -1
    cdef int go_on(self, Exchange x, object problem, bint is_retry) except -1
    cdef int attempt(self, Exchange x, Leaf leaf) except -1
    cdef uint64_t draw(self)
    cdef int answer(self, Exchange x, int status, bytes fields, bytes body) except -1
    cdef int probe(self, Exchange x) except -1
    cdef int hand_over(self, Exchange x, const char* base, Head* head) except -1
    cdef int preflight(self, Exchange x, const char* base, Head* head) except -1
    cdef int models(self, Exchange x) except -1


cdef class Gateway(Application):
    cdef readonly Pipeline pipeline
