"""What an integration's use by one workspace is held to."""
from libc.stdint cimport int32_t
from fastgw._core.ledger cimport MAX_CHAIN


cdef class Share:
    cdef readonly bint has_budget      # of dollars
    cdef readonly bint counts_tokens   # a budget of tokens
    cdef readonly frozenset models     # of bytes; None: all
    cdef readonly tuple account_names
    cdef int32_t chain[MAX_CHAIN]
    cdef int depth

    cdef bint allows(self, bytes model)
