"""Callers of keys that the control process has issued: made when they are first used, and kept."""
from libc.stdint cimport uint8_t

from fastgw.snapshot.types cimport Caller, Snapshot

# The caller of a digest of the key file; None where it is not there. Raises KeyExpired, KeyUnusable.
cdef Caller find_issued(Snapshot snapshot, const uint8_t* digest)
