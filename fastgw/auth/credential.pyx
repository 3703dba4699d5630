"""Who is calling: the key is found in the head, and the caller by its digest.

Clients put keys into different fields, and some send a placeholder in one and the key in another (portkey-ai sends
"Authorization: Bearer OPENAI_API_KEY" beside x-portkey-api-key): each candidate is looked up, the first that is known counts.
"""
from libc.stdint cimport uint8_t

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from fastgw._core.digest cimport sha256
from fastgw._core.http1 cimport (
    F_API_KEY, F_AUTHORIZATION, F_X_API_KEY, F_X_GOOG_API_KEY, F_X_PORTKEY_API_KEY, parse_request)
from fastgw.auth.issued cimport find_issued
from fastgw.errors import error

cdef extern from "<strings.h>" nogil:
    int strncasecmp(const char* a, const char* b, size_t n)

cdef enum:
    MAX_KEY_BYTES = 512

HOW = ("send the key as Authorization: Bearer KEY, or in x-api-key, api-key, x-goog-api-key or x-portkey-api-key")


cdef bint is_key(Snapshot snapshot, bytes value) except -1:
    """Whether a text is the key of a caller."""
    cdef uint8_t digest[32]
    if not 0 < PyBytes_GET_SIZE(value) <= MAX_KEY_BYTES:
        return False
    sha256(PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value), digest)
    return snapshot.keys.find(digest) >= 0 or (snapshot.issued is not None and snapshot.issued.find(digest) >= 0)


cdef Caller authenticate(Snapshot snapshot, const char* base, Head* head, bytes query_key):
    cdef uint8_t digest[32]
    cdef int i, found = -1
    cdef bint any_key = False
    cdef const char* value
    cdef Py_ssize_t length
    cdef Caller caller = None
    for i in range(head.count):
        if head.fields[i].id < F_AUTHORIZATION or head.fields[i].id > F_X_PORTKEY_API_KEY:
            continue
        value = base + head.fields[i].value
        length = head.fields[i].value_len
        if head.fields[i].id == F_AUTHORIZATION:
            if length < 8 or strncasecmp(value, b"bearer ", 7) != 0:
                continue
            value += 7
            length -= 7
            while length and value[0] == 32:
                value += 1
                length -= 1
        if length == 0 or length > MAX_KEY_BYTES:
            continue
        any_key = True
        sha256(value, length, digest)
        found = snapshot.keys.find(digest)
        if found >= 0:
            break
        caller = find_issued(snapshot, digest)
        if caller is not None:
            break
    if found < 0 and caller is None and query_key is not None and PyBytes_GET_SIZE(query_key) <= MAX_KEY_BYTES:
        any_key = True
        sha256(PyBytes_AS_STRING(query_key), PyBytes_GET_SIZE(query_key), digest)
        found = snapshot.keys.find(digest)
        if found < 0:
            caller = find_issued(snapshot, digest)
    if found >= 0:
        caller = <Caller>snapshot.callers[found]
    elif caller is None:
        if any_key:
            raise error("InvalidKey", f"the key is not known here: {HOW}; keys are made with `fastgw key create`")
        raise error("MissingKey", f"the request carries no key: {HOW}")
    if not caller.enabled:
        raise error("KeyDisabled", f"key {caller.name!r} was disabled; ask whoever runs this gateway for another")
    return caller


def _bench_authenticate(Snapshot snapshot not None, bytes head not None, Py_ssize_t count):
    """Find the caller of a head so many times; return the last one."""
    cdef Head found
    cdef Caller caller = None
    cdef Py_ssize_t i
    if parse_request(head, len(head), &found, 65536) < 0:
        raise ValueError("expected the head of a request")
    for i in range(count):
        caller = authenticate(snapshot, head, &found, None)
    return caller
