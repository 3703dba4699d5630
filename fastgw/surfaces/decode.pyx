"""What is asked: the few fields of a body that the gateway needs."""
import json

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t

from fastgw._core.scan cimport LIMIT_FIELDS, MAX_COUNT, SCAN_OK, RequestFields, scan_request
from fastgw.dialects.form import find_model
from fastgw.errors import error
from fastgw.exchange cimport Exchange
from fastgw.snapshot.types cimport FORM_BODY, JSON_BODY


cdef int decode(Exchange x) except -1:
    """Read the few fields of the body that the gateway needs."""
    cdef Py_ssize_t start
    if x.operation.body == JSON_BODY:
        if scan_request(PyBytes_AS_STRING(x.body), PyBytes_GET_SIZE(x.body), &x.scanned) != SCAN_OK:
            raise body_error(x)
        if x.scanned.model.end and not x.operation.model_in_path:
            x.model = x.body[x.scanned.model.start:x.scanned.model.end]
            if x.scanned.model_escaped:
                x.model = json.loads(b'"' + x.model + b'"').encode("utf-8", "replace")
        if x.operation.generates:
            find_limit(x)
        if x.operation.model_in_path:
            x.scanned.model.end = 0        # what a body may say beside the path is the provider's to judge
    elif x.operation.body == FORM_BODY:
        find_form_model(x)
    if x.operation.wants_model and not x.model:
        raise error("InvalidRequest", "expected a string at $.model, got nothing: name the model", param="model")
    return 0


cdef int find_limit(Exchange x) except -1:
    return find_bounds(x, &x.scanned)


cdef int find_bounds(Exchange x, RequestFields* scanned) except -1:
    """The most output that the body allows, by the operation's fields; the greatest of two, since servers differ in which counts."""
    cdef int i
    scanned.max_tokens = -1
    for i in range(<int>LIMIT_FIELDS):
        if x.operation.limit_fields >> i & 1:
            scanned.max_tokens = max(scanned.max_tokens, scanned.limits[i])
    if x.operation.name == "completions":
        scanned.choices = min(scanned.choices * scanned.prompts, <int64_t>MAX_COUNT)
    return 0


cdef int widen(Exchange x, bytes body) except -1:
    cdef RequestFields other
    if not x.operation.generates or scan_request(PyBytes_AS_STRING(body), PyBytes_GET_SIZE(body), &other) != SCAN_OK:
        return 0            # the attempt will say what is wrong with it
    find_bounds(x, &other)
    x.scanned.max_tokens = -1 if other.max_tokens < 0 or x.scanned.max_tokens < 0 else max(x.scanned.max_tokens, other.max_tokens)
    x.scanned.choices = max(x.scanned.choices, other.choices)
    x.scanned.media = max(x.scanned.media, other.media)
    return 0


cdef int find_form_model(Exchange x) except -1:
    """The model of a multipart form, as the field named "model" has it."""
    found = find_model(x.body, x.content_type or b"")
    if found is None:
        return 0
    x.scanned.model.start, x.scanned.model.end = found
    x.model = x.body[x.scanned.model.start:x.scanned.model.end]
    return 0


def body_error_text(int code, int at, field, expected, found):
    """What is wrong with a body, where, and what was expected."""
    if code == 1:
        return f"expected a JSON object, got something that is not JSON at byte {at}"
    if code == 2:
        return "expected a JSON object, got another JSON value"
    if code == 3:
        return f"expected at most 512 levels of nesting, got more at byte {at}"
    if code == 4:
        return f"expected UTF-8, got another byte at {at}"
    if code == 5:
        return f"expected {field} once, got it twice at byte {at}: parsers differ on which one counts"
    return f"expected {expected}, got {found} at {field}"


cdef body_error(Exchange x):
    field = x.scanned.field.decode() if x.scanned.field != NULL else None
    expected = x.scanned.expected.decode() if x.scanned.expected != NULL else "another value"
    found = x.scanned.found.decode() if x.scanned.found != NULL else "this one"
    return error("InvalidRequest", body_error_text(x.scanned.error, x.scanned.at, field, expected, found), param=field)
