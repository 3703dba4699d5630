"""Requests that speak Portkey: their fields, their route, and what their replies carry beside the gateway's own."""
from cpython.bytes cimport PyBytes_FromStringAndSize

from fastgw._core.http1 cimport Field
from fastgw.auth.credential cimport is_key
from fastgw.portkey.desk import forwards
from fastgw.portkey.headers import speaks_portkey
from fastgw.portkey.refusal import NO_MATCH, Refused, refuse
from fastgw.portkey.reply import reply_fields
from fastgw.snapshot.types cimport Snapshot


COMPLIANCE = {None: "", True: "strict", False: "blocks"}


cdef class IsOwn:
    """Whether a text is a key of the gateway, which never leaves it."""
    cdef Snapshot snapshot

    def __init__(self, Snapshot snapshot):
        self.snapshot = snapshot

    def __call__(self, str text):
        return is_key(self.snapshot, text.encode("utf-8", "replace"))


cdef int take_fields(Exchange x, const char* base, Head* head) except -1:
    cdef int i
    cdef Field* field
    if not speaks_portkey(x.portkey):
        return 0
    found = {}
    for i in range(head.count):
        field = &head.fields[i]
        name = PyBytes_FromStringAndSize(base + field.line, field.name_len).lower().decode("latin-1")
        value = PyBytes_FromStringAndSize(base + field.value, field.value_len).decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    x.all_fields = found
    return 0


cdef object serve_portkey(Exchange x, object desk):
    model = "" if x.model is None else x.model.decode("utf-8", "replace")
    x.served = desk.serve(x.caller, x.all_fields or {}, model, IsOwn(x.snapshot))
    x.compliance = COMPLIANCE[x.served.leaves[0].strict]    # of what the cache answers
    return x.served.route


cdef int forward_for(Exchange x, int leaf) except -1:
    one = x.served.leaves[leaf]
    x.compliance = COMPLIANCE[one.strict]
    x.forwarded = forwards(one, x.all_fields or {}, IsOwn(x.snapshot)) if one.forward else None
    return 0


cdef bint is_callers(Exchange x, int leaf) except -1:
    return x.served.leaves[leaf].is_callers


cdef bytes portkey_fields(Exchange x, int leaf):
    return reply_fields(x.served.leaves[leaf].path, x.target.integration.provider.name, x.retries)


cdef tuple refuse_portkey(object problem):
    return refuse(Refused(NO_MATCH, detail=problem.message) if problem.code == "no_target" else problem)
