"""Who is calling: from the fields of a head to the caller."""
from fastgw._core.http1 cimport Head
from fastgw.snapshot.types cimport Caller, Snapshot

# The caller whose key the head carries. Raises MissingKey, InvalidKey, KeyDisabled, KeyExpired, KeyUnusable.
cdef Caller authenticate(Snapshot snapshot, const char* base, Head* head, bytes query_key)
cdef bint is_key(Snapshot snapshot, bytes value) except -1
