"""What changes in a body that goes to a provider of the caller's own dialect: a few spans, never the rest.

Every byte that is not one of these spans goes on as it came, so unknown fields survive:
  model              replaced where the target's name is another
  stream_options     {"include_usage":true} put in where the caller streams and did not ask
  the output limit   put in by admission's clamp
"""
import json

from libc.stdint cimport int64_t

from fastgw._core.scan cimport (
    LIMIT_FIELDS, LIMIT_GENERATION_CONFIG, LIMIT_MAX_COMPLETION_TOKENS, LIMIT_MAX_OUTPUT_TOKENS, LIMIT_MAX_TOKENS)
from fastgw.snapshot.types cimport FORM_BODY, JSON_BODY, Target


cdef int splice(Exchange x) except -1:
    cdef Target target = x.target
    cdef list edits = None
    x.sent_body = x.body
    if x.operation.body != JSON_BODY and x.operation.body != FORM_BODY:
        return 0
    if target.model and x.scanned.model.end and target.model != x.model:
        edits = [(x.scanned.model.start, x.scanned.model.end,
                  json_text(target.model) if x.operation.body == JSON_BODY else target.model)]
    x.asked_usage = False
    if x.operation.may_ask_usage and x.scanned.stream == 1 and x.scanned.include_usage != 1 and target.integration.ask_usage:
        edits = edits or []
        x.asked_usage = True
        edits.append(ask_usage(x))
    if x.limit_set >= 0:
        edits = (edits or []) + put_limit(x)
    if edits:
        x.sent_body = apply(x.body, sorted(edits))
    return 0


def json_text(bytes name):
    """A name as it stands between the quotes of a JSON string."""
    quoted = json.dumps(name.decode()).encode()
    return quoted[1:len(quoted) - 1]


def apply(bytes body, list edits):
    """Replace each (start, end, bytes) of body; they do not overlap and are in order."""
    cdef Py_ssize_t at = 0
    pieces = []
    for start, end, text in edits:
        pieces.append(body[at:start])
        pieces.append(text)
        at = end
    pieces.append(body[at:])
    return b"".join(pieces)


cdef ask_usage(Exchange x):
    cdef Py_ssize_t at
    if x.scanned.include_usage_value.end:
        return x.scanned.include_usage_value.start, x.scanned.include_usage_value.end, b"true"
    if x.scanned.stream_options.end:
        at = x.scanned.stream_options.start + 1
        return at, at, b'"include_usage":true' + (b"" if x.scanned.stream_options_empty else b",")
    if x.scanned.stream_options_null.end:
        return x.scanned.stream_options_null.start, x.scanned.stream_options_null.end, b'{"include_usage":true}'
    return put_in(x, b'"stream_options":{"include_usage":true}')


cdef put_in(Exchange x, bytes member):
    return x.scanned.first, x.scanned.first, member + (b"" if x.scanned.empty else b",")


cdef list put_limit(Exchange x):
    """An output limit where the provider reads it: in the place of a null, into the object that holds it, or at the top.

    A limit that the target put in holds where it is the lower one.
    """
    cdef int64_t most = x.target.price.price.max_output_tokens
    cdef bytes number
    cdef Py_ssize_t at
    cdef int field, i
    cdef bint is_stated = False
    cdef list edits = []
    # of two targets of a plan, one may take less than the other could be paid for
    cdef int64_t limit = min(x.limit_set, most) if most else x.limit_set
    number = b"%d" % limit
    for i in range(<int>LIMIT_FIELDS):
        if x.operation.limit_fields >> i & 1 and x.scanned.limits[i] > 0:
            is_stated = True
            if x.scanned.limits[i] > limit:
                edits.append((x.scanned.limit_values[i].start, x.scanned.limit_values[i].end, number))
    if is_stated:
        return edits
    path = x.target.integration.output_limits.get(x.operation.name, ("max_tokens",))
    field = FIELDS[path[len(path) - 1]]
    if x.scanned.limit_values[field].end:
        return [(x.scanned.limit_values[field].start, x.scanned.limit_values[field].end, number)]
    member = b'"%b":%b' % (path[len(path) - 1].encode(), number)
    if len(path) == 1:
        return [put_in(x, member)]
    if x.scanned.generation_config.end:
        at = x.scanned.generation_config.start + 1
        return [(at, at, member + (b"" if x.scanned.generation_config_empty else b","))]
    if x.scanned.generation_config_null.end:
        return [(x.scanned.generation_config_null.start, x.scanned.generation_config_null.end, b"{" + member + b"}")]
    return [put_in(x, b'"%b":{%b}' % (path[0].encode(), member))]


cdef dict FIELDS = {
    "max_tokens": LIMIT_MAX_TOKENS, "max_completion_tokens": LIMIT_MAX_COMPLETION_TOKENS, "max_output_tokens": LIMIT_MAX_OUTPUT_TOKENS,
    "maxOutputTokens": LIMIT_GENERATION_CONFIG,
}
