"""From method and path to the operation that a caller asks for."""
from fastgw.snapshot.types cimport Operation

cdef class Asked:
    """What a path and method stand for."""
    cdef readonly Operation operation
    cdef readonly bytes model          # of Gemini's paths, which carry it; else None
    cdef readonly int model_at         # its offset in the path

# Raises UnknownPath, MethodNotAllowed.
cdef Asked find_operation(bytes path, int method, bint is_json, bint is_anthropic, bint is_google)
