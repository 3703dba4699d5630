"""What a reply must have, looked for in its bytes: usage, events with content, the end of a stream.

Input      a JSON body, or events of a stream as they came.
Output     yes or no, and offsets; nothing is decoded, since a generator that parses JSON would measure itself.
Limits     a text that itself contains "usage": { would be taken for usage; requests of the harness never lead to one.
Complexity linear.
"""

cdef extern from "<string.h>" nogil:
    void* memchr(const void* p, int byte, size_t n)
    void* memmem(const void* p, size_t n, const void* needle, size_t m)


cdef inline Py_ssize_t skip_blanks(const char* p, Py_ssize_t at, Py_ssize_t n) noexcept nogil:
    while at < n and (p[at] == 32 or p[at] == 9 or p[at] == 10 or p[at] == 13):
        at += 1
    return at


cdef Py_ssize_t value_after(const char* p, Py_ssize_t at, Py_ssize_t n, const char* name, Py_ssize_t m) noexcept nogil:
    """Where the value of the next member of this (quoted) name begins; -1 where there is none."""
    cdef const char* found
    while at < n:
        found = <const char*>memmem(p + at, n - at, name, m)
        if found == NULL:
            return -1
        at = skip_blanks(p, found - p + m, n)
        if at < n and p[at] == 58:                     # :
            return skip_blanks(p, at + 1, n)
    return -1


cdef bint has_usage(const char* p, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t at = 0
    while True:
        at = value_after(p, at, n, b'"usage"', 7)
        if at < 0 or at >= n:
            return False
        if p[at] == 123:                               # {
            return True


cdef bint has_content(const char* p, Py_ssize_t n, int kind) noexcept nogil:
    cdef Py_ssize_t at
    if kind == ANTHROPIC_EVENTS:
        return memmem(p, n, b"content_block_delta", 19) != NULL
    at = value_after(p, 0, n, b'"content"', 9)
    return at >= 0 and at + 1 < n and p[at] == 34 and p[at + 1] != 34


cdef bint is_end(const char* p, Py_ssize_t n, int kind) noexcept nogil:
    if kind == ANTHROPIC_EVENTS:
        return memmem(p, n, b"message_stop", 12) != NULL
    return n >= 12 and memmem(p, n if n < 32 else 32, b"[DONE]", 6) != NULL


cdef Py_ssize_t event_end(const char* p, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef const char* found
    cdef Py_ssize_t at = start
    while at < n:
        found = <const char*>memchr(p + at, 10, n - at)
        if found == NULL:
            return 0
        at = found - p + 1
        if at < n and p[at] == 10:
            return at + 1
        if at + 1 < n and p[at] == 13 and p[at + 1] == 10:
            return at + 2
    return 0


# The Python face.

OPENAI_STREAM = OPENAI_EVENTS
ANTHROPIC_STREAM = ANTHROPIC_EVENTS


def tells_usage(bytes body not None):
    return has_usage(body, len(body))


def look_at_events(bytes body not None, int kind):
    cdef const char* p = body
    cdef Py_ssize_t n = len(body), start = 0, end
    cdef int events = 0, contents = 0
    cdef bint usage = False, ended = False
    while True:
        end = event_end(p, start, n)
        if end == 0:
            return events, contents, bool(usage), bool(ended)
        events += 1
        contents += has_content(p + start, end - start, kind)
        usage = usage or has_usage(p + start, end - start)
        ended = ended or is_end(p + start, end - start, kind)
        start = end
