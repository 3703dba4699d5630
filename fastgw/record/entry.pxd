"""What is remembered of an exchange: fill in the record and push it."""
from libc.stdint cimport uint64_t
from fastgw._core.ring cimport RingWriter
from fastgw.exchange cimport Exchange

cdef int push_record(RingWriter ring, Exchange x, unsigned int worker) except -1
# Give the exchange its id, from two random numbers.
cdef int make_id(Exchange x, uint64_t a, uint64_t b) except -1
# `reclaimed` are what the ledger found of a dead worker; `operation` the index that their records carry.
cdef int push_lost(RingWriter ring, list reclaimed, unsigned int worker, int operation) except -1
