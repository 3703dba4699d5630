"""A half-open range of byte offsets into a buffer that somebody else owns."""

cdef struct Span:
    Py_ssize_t start
    Py_ssize_t end      # 0 where the thing is absent
