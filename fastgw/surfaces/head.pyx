"""What the head of a request says before it is known what is asked: the dialect, the key in the query, a switch of protocols."""
from urllib.parse import unquote_to_bytes

from cpython.bytes cimport PyBytes_FromStringAndSize

from fastgw._core.http1 cimport F_ANTHROPIC_VERSION, F_CONTENT_TYPE, F_ORIGIN, F_X_GOOG_API_KEY, F_X_PORTKEY_TRACE_ID, Field
from fastgw.auth.credential cimport is_key
from fastgw.errors import error
from fastgw.record.names import OPERATIONS as NAMES
from fastgw.snapshot.types cimport SPEAKS_ANTHROPIC, SPEAKS_GEMINI, SPEAKS_OPENAI, Operation
from fastgw.surfaces.fields cimport has_word

cdef Operation UNKNOWN = Operation("unknown", NAMES.index("unknown"), speaks=SPEAKS_OPENAI, body=0)
cdef Operation UNKNOWN_ANTHROPIC = Operation("unknown", NAMES.index("unknown"), speaks=SPEAKS_ANTHROPIC, body=0)
cdef Operation UNKNOWN_GEMINI = Operation("unknown", NAMES.index("unknown"), speaks=SPEAKS_GEMINI, body=0)


cdef Operation unknown_operation():
    return UNKNOWN


cdef int survey(Exchange x, const char* base, Head* head, Hints* hints) except -1:
    cdef Field* field
    cdef int i
    if x.path.startswith(b"/openai/v1/"):
        x.path = x.path[7:]     # the clients of Groq and of Azure write it so before the address that they are given
    hints.is_json = True
    hints.is_anthropic = hints.is_google = False
    for i in range(head.count):
        field = &head.fields[i]
        if field.id == F_CONTENT_TYPE:
            hints.is_json = has_word(base + field.value, field.value_len, b"json", 4)
        elif field.id == F_ANTHROPIC_VERSION:
            hints.is_anthropic = True
        elif field.id == F_X_GOOG_API_KEY:
            hints.is_google = True
        elif field.id == F_X_PORTKEY_TRACE_ID:
            x.trace_id = PyBytes_FromStringAndSize(base + field.value, field.value_len)     # told in refusals too
    speak_to_path(x, hints.is_anthropic)
    if x.snapshot.cors is not None:
        x.origin = field_value(base, head, F_ORIGIN)        # before the first refusal, which a page must be able to read
    if head.upgrade and not offers_http2(base, head):
        raise error("UpgradeRefused", "expected a plain request, got one to switch protocols (WebSocket is not served yet)")
    return 0


cdef bytes field_value(const char* base, Head* head, int wanted):
    cdef int i
    for i in range(head.count):
        if head.fields[i].id == wanted:
            return PyBytes_FromStringAndSize(base + head.fields[i].value, head.fields[i].value_len)
    return None


cdef bint offers_http2(const char* base, Head* head):
    """Upgrade: h2c, which some clients offer with every request and which a server may pass over (RFC 9110, 7.8)."""
    cdef int i
    for i in range(head.count):
        if head.fields[i].name_len == 7 and PyBytes_FromStringAndSize(base + head.fields[i].line, 7).lower() == b"upgrade" \
                and PyBytes_FromStringAndSize(base + head.fields[i].value, head.fields[i].value_len).lower() != b"h2c":
            return False
    return True


cdef int speak_to_path(Exchange x, bint is_anthropic) except -1:
    """The dialect of errors that come before the operation is known."""
    if x.path.startswith(b"/v1beta/") or x.path.startswith(b"/upload/v1beta/"):
        x.operation = UNKNOWN_GEMINI
    elif is_anthropic or x.path.startswith(b"/v1/messages"):
        x.operation = UNKNOWN_ANTHROPIC
    return 0


cdef bytes take_query_key(Exchange x):
    """Gemini's ?key=, which counts on its paths; on any path, what is a key of ours never goes upstream."""
    cdef bytes key = None, value
    cdef bint counts
    if x.query is None or (b"=fgw-" not in x.query and b"key" not in x.query.lower() and b"%" not in x.query):
        return None
    counts = x.path.startswith(b"/v1beta/") or x.path.startswith(b"/v1/models") or x.path.startswith(b"/upload/v1beta/")
    kept = []
    for pair in x.query.split(b"&"):
        name, _, value = pair.partition(b"=")
        value = unquote_to_bytes(value.replace(b"+", b" ")) if b"%" in value or b"+" in value else value
        if counts and unquote_to_bytes(name) == b"key":
            key = value
        elif not is_key(x.snapshot, value):
            kept.append(pair)
    x.query = b"&".join(kept) or None
    return key
