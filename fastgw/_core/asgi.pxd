"""Requests that an ASGI server has read, as flows."""
from libc.stdint cimport int64_t
from fastgw._core.flow cimport Application, Client, Flow
from fastgw._core.http1 cimport Head
from fastgw._core.poll cimport Poller


cdef class AsgiFront:
    cdef readonly Poller poller
    cdef Application application
    cdef readonly int max_connections      # requests at once: connections are the server's
    cdef readonly int64_t max_body_bytes
    cdef int64_t body_ns
    cdef int64_t write_ns
    cdef readonly int open_count
    cdef readonly long long refused_count
    cdef readonly bint stopping
    cdef object cut                        # called with a scope before a reply that is not whole ends; None: the exception says it
    cdef set clients
    cdef object timer
    cdef Head head                         # of the request being parsed; used by one call at a time


cdef class AsgiClient(Client):
    cdef AsgiFront front
    cdef Flow flow
    cdef object task                       # of the server, which runs the request
    cdef object scope
    cdef bint is_head
    cdef int64_t body_deadline_ns          # monotonic; 0 none
    cdef int64_t write_deadline_ns
    # the request
    cdef int mode                          # flow.BodyMode
    cdef int64_t body_length               # as stated; -1 where it is not
    cdef int64_t body_bytes                # so far
    cdef list kept                         # pieces of a body that is wanted whole
    cdef bint body_ended
    cdef bint paused
    cdef object resumed                    # future of the reader, while paused
    # the reply
    cdef bint begun
    cdef bint ended
    cdef bint is_cut
    cdef bint closed                       # there is nobody to write to
    cdef int status
    cdef list fields
    cdef list pieces                       # of the body, not yet taken by the server
    cdef Py_ssize_t unsent
    cdef object roused                     # future of the writer, while there is nothing to write
    cdef int take_head(self, bint has_body) except -1
    cdef int take_piece(self, bytes piece, bint last) except -1
    cdef int put(self, const char* p, Py_ssize_t n, bint last) except -1
    cdef int rouse(self) except -1
    cdef int leave(self) except -1
    cdef int contain(self, object error) except -1
    cdef int expire(self, int64_t now) except -1
