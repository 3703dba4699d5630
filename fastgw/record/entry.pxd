"""What is remembered of an exchange: fill in the record and push it."""
from fastgw._core.ring cimport RingWriter
from fastgw.exchange cimport Exchange

cdef int push_record(RingWriter ring, Exchange x, unsigned int worker) except -1
