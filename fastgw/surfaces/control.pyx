"""Requests for the control plane: which they are, and what of them passes.

They go to its socket as they came, cookies and credentials included, since it judges by itself who calls. The lane knows two things
that it does not: the caller's address, and whether TLS was spoken.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from fastgw._core.buffer cimport append
from fastgw._core.http1 cimport F_CONNECTION, F_CONTENT_LENGTH, F_EXPECT, F_HOP, F_TRANSFER_ENCODING, F_X_FASTGW, F_X_FORWARDED
from fastgw.snapshot.types cimport SPEAKS_OPENAI

cdef Operation CONTROL = Operation("control", -1, speaks=SPEAKS_OPENAI, body=0, decodes_reply=False)

# Its own, and the management routes of LiteLLM that people script against.
cdef tuple BEGINNINGS = (
    b"/api/v1/", b"/console/", b"/oauth/", b"/.well-known/", b"/key/", b"/team/", b"/user/", b"/budget/", b"/spend/",
)
# /model/ is Bedrock's, and /api/ Ollama's
cdef frozenset PATHS = frozenset((
    b"/", b"/console", b"/favicon.ico", b"/model/info", b"/model/new", b"/model/update", b"/model/delete", b"/model_group/info"))


cdef bint is_controls(bytes path):
    # what callers ask for begins with /v1, and is told apart by one character
    if PyBytes_GET_SIZE(path) > 2 and path[1] == c"v" and path[2] == c"1":
        return False
    # no operation of Bedrock's ends so
    return path in PATHS or path.startswith(BEGINNINGS) or (path.startswith(b"/model/") and path.endswith(b"/update"))


cdef int take_all_fields(Exchange x, const char* base, Head* head, bytes request_id) except -1:
    cdef int i, field
    cdef bytes own
    for i in range(head.count):
        field = head.fields[i].id
        # F_X_FORWARDED: whoever is in front of the lane may say anything there; only the address that it sees is believed
        if field not in (F_CONNECTION, F_HOP, F_TRANSFER_ENCODING, F_CONTENT_LENGTH, F_EXPECT, F_X_FASTGW, F_X_FORWARDED):
            append(&x.forward, base + head.fields[i].line, head.fields[i].line_len)
    address, is_tls = x.client.origin()
    own = f"x-forwarded-for: {address}\r\nx-forwarded-proto: {'https' if is_tls else 'http'}\r\n".encode()
    own += b"x-fastgw-request-id: %b\r\n" % request_id
    append(&x.forward, PyBytes_AS_STRING(own), PyBytes_GET_SIZE(own))
    return 0
