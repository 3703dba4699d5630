"""The cuts between the lane, the exchange and the upstream: abstract classes, every method of which a subclass fills in."""


cdef class Client:
    cdef int reply(self, int status, const char* fields, Py_ssize_t fields_len, const char* body, Py_ssize_t n) except -1:
        raise NotImplementedError

    cdef int start(self, int status, const char* fields, Py_ssize_t fields_len, int64_t length,
                   const char* p, Py_ssize_t n, bint last) except -1:
        raise NotImplementedError

    cdef int write(self, const char* p, Py_ssize_t n, bint last) except -1:
        raise NotImplementedError

    cdef int done(self) except -1:
        raise NotImplementedError

    cdef int abort(self) except -1:
        raise NotImplementedError

    cdef int pause(self) except -1:
        raise NotImplementedError

    cdef int resume(self) except -1:
        raise NotImplementedError

    cdef bint is_slow(self):
        return False

    cdef bint is_open(self):
        return False

    cdef tuple origin(self):
        return "", False


cdef class Flow:
    cdef int request_head(self, const char* base, Head* head) except -1:
        raise NotImplementedError

    cdef int request_body(self, const char* p, Py_ssize_t n, bytes owned) except -1:
        raise NotImplementedError

    cdef int request_piece(self, const char* p, Py_ssize_t n, bint last) except -1:
        raise NotImplementedError

    cdef int request_fault(self, int fault) except -1:
        raise NotImplementedError

    cdef int gone(self) except -1:
        raise NotImplementedError

    cdef int client_drained(self) except -1:
        raise NotImplementedError

    cdef int fault(self, object error) except -1:
        raise NotImplementedError

    cdef bint is_idle(self):
        return True

    cdef int leg_ready(self, object leg) except -1:
        raise NotImplementedError

    cdef int leg_failed(self, int failure, bint untouched) except -1:
        raise NotImplementedError

    cdef int leg_drained(self) except -1:
        raise NotImplementedError

    cdef int reply_head(self, const char* base, Head* head, bint more) except -1:
        raise NotImplementedError

    cdef int reply_data(self, char* p, Py_ssize_t n, bint last) except -1:
        raise NotImplementedError


cdef class Application:
    cdef Flow open(self, Client client):
        raise NotImplementedError
