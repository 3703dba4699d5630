"""What a reply must have, looked for in its bytes."""

cdef enum Wanted:
    OPENAI_EVENTS = 1
    ANTHROPIC_EVENTS = 2

cdef bint has_usage(const char* p, Py_ssize_t n) noexcept nogil
cdef bint has_content(const char* p, Py_ssize_t n, int kind) noexcept nogil
cdef bint is_end(const char* p, Py_ssize_t n, int kind) noexcept nogil
# The end of the event that begins at `start`, its empty line included; 0 where it is not whole yet.
cdef Py_ssize_t event_end(const char* p, Py_ssize_t start, Py_ssize_t n) noexcept nogil
