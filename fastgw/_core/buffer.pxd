"""A growing run of bytes for composing heads; freed by its owner."""
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.stdint cimport int64_t
from libc.string cimport memcpy

cdef struct Buffer:
    char* start
    Py_ssize_t size            # bytes in use
    Py_ssize_t room            # bytes allocated


cdef inline int reserve(Buffer* buffer, Py_ssize_t more) except -1:
    cdef Py_ssize_t room = buffer.room
    cdef char* start
    if buffer.size + more > room:
        room = max(room * 2, buffer.size + more, 512)
        start = <char*>PyMem_Realloc(buffer.start, room)
        if start == NULL:
            raise MemoryError
        buffer.start = start
        buffer.room = room
    return 0


cdef inline int append(Buffer* buffer, const char* p, Py_ssize_t n) except -1:
    reserve(buffer, n)
    memcpy(buffer.start + buffer.size, p, n)
    buffer.size += n
    return 0


cdef inline Py_ssize_t render_decimal(char* out, int64_t value) noexcept nogil:
    """Write a number >= 0 in decimal and return its length; out has room for 20 bytes."""
    cdef char digits[20]
    cdef int n = 0, i
    while True:
        digits[n] = 48 + <char>(value % 10)
        value //= 10
        n += 1
        if value == 0:
            break
    for i in range(n):
        out[i] = digits[n - 1 - i]
    return n


cdef inline int append_decimal(Buffer* buffer, int64_t value) except -1:
    reserve(buffer, 20)
    buffer.size += render_decimal(buffer.start + buffer.size, value)
    return 0


cdef inline void drop_front(Buffer* buffer, Py_ssize_t n) noexcept nogil:
    """Take n bytes off the front."""
    from_memmove(buffer.start, buffer.start + n, buffer.size - n)
    buffer.size -= n


cdef inline void release(Buffer* buffer) noexcept:
    PyMem_Free(buffer.start)
    buffer.start = NULL
    buffer.size = 0
    buffer.room = 0


cdef extern from "<string.h>" nogil:
    void* from_memmove "memmove"(void* to, const void* source, size_t n)
