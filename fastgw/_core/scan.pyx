"""Find the few fields of a JSON request that the gateway needs, in one strict pass, without building objects.

Input:      the whole body; nothing is written to it.
Output:     a RequestFields of offsets into the body and of small integers. A body that is not strict JSON is reported as such
            whatever else is wrong with it; otherwise the first wrong field in the order of the bytes is.
Ownership:  the caller keeps the body and the RequestFields; field, expected and found point to constants.
Limits:     512 levels, counting the outermost object; integers over MAX_COUNT are reported as MAX_COUNT.
Complexity: one pass, no allocation, no recursion beyond the two objects that are read inside.
"""
from libc.stdint cimport int64_t
from libc.string cimport memcmp, memset
from fastgw._core.span cimport Span

from typing import NamedTuple

cdef extern from "json_scan.h" nogil:
    ctypedef struct JsText:
        const unsigned char* p
        Py_ssize_t n
        Py_ssize_t at
        int error
        int media
    enum:
        JS_NAME_BYTES
    Py_ssize_t js_fail(JsText* text, int error, Py_ssize_t at)
    Py_ssize_t js_space(const JsText* text, Py_ssize_t i)
    Py_ssize_t js_string(JsText* text, Py_ssize_t i, int* escaped)
    Py_ssize_t js_key(JsText* text, Py_ssize_t i, char* room, const char** name, Py_ssize_t* length)
    Py_ssize_t js_value(JsText* text, Py_ssize_t i, int around)

cdef enum:
    LIMIT_ROWS = 3                 # `once` of max_tokens; the two after it follow

# The fields that are read. Two rows with one `once` are spellings of one field: both in a body are a duplicate.
cdef extern from *:
    """
    enum { IN_TOP, IN_STREAM_OPTIONS, IN_GENERATION_CONFIG };
    enum { READ_MODEL, READ_STREAM, READ_STREAM_OPTIONS, READ_INCLUDE_USAGE, READ_MAX_TOKENS, READ_CHOICES,
           READ_GENERATION_CONFIG, READ_PROMPT, READ_BACKGROUND };
    typedef struct { int within, length, reading, once; const char *name, *path, *expected; } FieldRow;
    #define FIELD(within, name, prefix, reading, once, expected) \\
        {within, sizeof name - 1, reading, once, name, prefix name, expected}
    #define COUNT_EXPECTED "an integer of at least 0, or null"
    static const FieldRow FIELDS[] = {
        FIELD(IN_TOP, "model", "$.", READ_MODEL, 0, "a string"),
        FIELD(IN_TOP, "stream", "$.", READ_STREAM, 1, "a boolean or null"),
        FIELD(IN_TOP, "stream_options", "$.", READ_STREAM_OPTIONS, 2, "an object or null"),
        FIELD(IN_TOP, "max_tokens", "$.", READ_MAX_TOKENS, 3, COUNT_EXPECTED),
        FIELD(IN_TOP, "max_completion_tokens", "$.", READ_MAX_TOKENS, 4, COUNT_EXPECTED),
        FIELD(IN_TOP, "max_output_tokens", "$.", READ_MAX_TOKENS, 5, COUNT_EXPECTED),
        FIELD(IN_TOP, "n", "$.", READ_CHOICES, 6, COUNT_EXPECTED),
        FIELD(IN_TOP, "best_of", "$.", READ_CHOICES, 7, COUNT_EXPECTED),
        FIELD(IN_TOP, "candidate_count", "$.", READ_CHOICES, 8, COUNT_EXPECTED),
        FIELD(IN_TOP, "generationConfig", "$.", READ_GENERATION_CONFIG, 9, "an object or null"),
        FIELD(IN_TOP, "generation_config", "$.", READ_GENERATION_CONFIG, 9, "an object or null"),
        FIELD(IN_TOP, "prompt", "$.", READ_PROMPT, 13, ""),
        FIELD(IN_TOP, "background", "$.", READ_BACKGROUND, 14, ""),
        FIELD(IN_STREAM_OPTIONS, "include_usage", "$.stream_options.", READ_INCLUDE_USAGE, 10, "a boolean or null"),
        FIELD(IN_GENERATION_CONFIG, "maxOutputTokens", "$.generationConfig.", READ_MAX_TOKENS, 11, COUNT_EXPECTED),
        FIELD(IN_GENERATION_CONFIG, "max_output_tokens", "$.generationConfig.", READ_MAX_TOKENS, 11, COUNT_EXPECTED),
        FIELD(IN_GENERATION_CONFIG, "candidateCount", "$.generationConfig.", READ_CHOICES, 12, COUNT_EXPECTED),
        FIELD(IN_GENERATION_CONFIG, "candidate_count", "$.generationConfig.", READ_CHOICES, 12, COUNT_EXPECTED),
    };
    enum { FIELD_ROWS = sizeof FIELDS / sizeof FIELDS[0] };
    """
    enum:
        IN_TOP
        IN_STREAM_OPTIONS
        IN_GENERATION_CONFIG
        READ_MODEL
        READ_STREAM
        READ_STREAM_OPTIONS
        READ_INCLUDE_USAGE
        READ_MAX_TOKENS
        READ_CHOICES
        READ_GENERATION_CONFIG
        READ_PROMPT
        READ_BACKGROUND
        FIELD_ROWS
    ctypedef struct FieldRow:
        int within
        int length
        int reading
        int once
        const char* name
        const char* path
        const char* expected
    const FieldRow* FIELDS


cdef int scan_request(const char* p, Py_ssize_t n, RequestFields* out) noexcept nogil:
    cdef JsText text
    cdef Py_ssize_t i
    memset(out, 0, sizeof(RequestFields))
    out.stream = out.include_usage = -1
    out.max_tokens = -1
    out.choices = out.prompts = 1
    for i in range(LIMIT_FIELDS):
        out.limits[i] = -1
    memset(&text, 0, sizeof(JsText))
    text.p = <const unsigned char*>p
    text.n = n

    i = js_space(&text, 0)
    if i < n and p[i] == c'{':
        out.first = i + 1
        i = walk_object(&text, i, IN_TOP, out)
        if i >= 0:
            i = js_space(&text, i)
            if i != n:
                js_fail(&text, SCAN_NOT_JSON, i)
    else:
        js_fail(&text, SCAN_NOT_OBJECT if i < n and begins_value(p[i]) else SCAN_NOT_JSON, i)

    out.media = text.media
    if text.error:
        # Over a wrong field: what is not JSON has no fields to be wrong.
        out.error = text.error
        out.at = text.at
        out.field = out.expected = out.found = NULL
    return out.error


cdef inline bint begins_value(char c) noexcept nogil:
    return c == c'[' or c == c'"' or c == c'-' or c'0' <= c <= c'9' or c == c't' or c == c'f' or c == c'n'


cdef Py_ssize_t walk_object(JsText* text, Py_ssize_t i, int within, RequestFields* out) noexcept nogil:
    """Read the object at i, the top or one of the two that are read inside it; the offset after it, or -1."""
    cdef char room[JS_NAME_BYTES]
    cdef const char* name
    cdef Py_ssize_t length, key
    cdef unsigned int seen = 0
    cdef const FieldRow* row
    i = js_space(text, i + 1)
    if i < text.n and text.p[i] == c'}':
        if within == IN_TOP:
            out.empty = True
        elif within == IN_STREAM_OPTIONS:
            out.stream_options_empty = True
        else:
            out.generation_config_empty = True
        return i + 1
    while True:
        key = i
        i = js_key(text, i, room, &name, &length)
        if i < 0:
            return -1
        row = find_field(within, name, length)
        if row is NULL:
            i = js_value(text, i, 1 if within == IN_TOP else 2)
        elif seen & (1 << row.once):
            note(out, SCAN_DUPLICATE, key, row, NULL)
            i = js_value(text, i, 1 if within == IN_TOP else 2)
        else:
            seen |= 1 << row.once
            i = read_field(text, i, row, out)
        if i < 0:
            return -1
        i = js_space(text, i)
        if i < text.n and text.p[i] == c',':
            i = js_space(text, i + 1)
        elif i < text.n and text.p[i] == c'}':
            return i + 1
        else:
            return js_fail(text, SCAN_NOT_JSON, i)


cdef inline const FieldRow* find_field(int within, const char* name, Py_ssize_t length) noexcept nogil:
    cdef int k
    for k in range(FIELD_ROWS):
        if FIELDS[k].length == length and FIELDS[k].within == within and memcmp(FIELDS[k].name, name, length) == 0:
            return &FIELDS[k]
    return NULL


cdef void note(RequestFields* out, int error, Py_ssize_t at, const FieldRow* row, const char* found) noexcept nogil:
    """Keep the first wrong field."""
    if out.error == SCAN_OK:
        out.error = error
        out.at = at
        out.field = row.path
        if error == SCAN_WRONG_TYPE:
            out.expected = row.expected
            out.found = found


cdef Py_ssize_t read_field(JsText* text, Py_ssize_t i, const FieldRow* row, RequestFields* out) noexcept nogil:
    """Walk the value at i and keep it where it has the type that its row expects."""
    cdef const char* p = <const char*>text.p
    cdef char first = p[i] if i < text.n else 0
    cdef int around = 1 if row.within == IN_TOP else 2
    cdef Py_ssize_t end
    cdef int escaped = 0
    cdef bint fits
    if first == c'{' and (row.reading == READ_STREAM_OPTIONS or row.reading == READ_GENERATION_CONFIG):
        end = walk_object(text, i, IN_STREAM_OPTIONS if row.reading == READ_STREAM_OPTIONS else IN_GENERATION_CONFIG, out)
    elif first == c'[' and row.reading == READ_PROMPT:
        return count_prompts(text, i, out)
    elif first == c'"' and row.reading == READ_MODEL:
        end = js_string(text, i, &escaped)
    else:
        end = js_value(text, i, around)
    if end < 0:
        return -1

    if row.reading == READ_MODEL:
        fits = first == c'"'
        if fits:
            out.model = Span(i + 1, end - 1)
            out.model_escaped = escaped
    elif row.reading == READ_STREAM or row.reading == READ_INCLUDE_USAGE:
        fits = first == c't' or first == c'f' or first == c'n'
        if fits and row.reading == READ_STREAM:
            out.stream = truth(first)
        elif fits:
            out.include_usage = truth(first)
            out.include_usage_value = Span(i, end)
    elif row.reading == READ_PROMPT:
        return end
    elif row.reading == READ_BACKGROUND:
        # no type is asked for: an image's background is a word
        out.background = first == c't'
        return end
    elif row.reading == READ_STREAM_OPTIONS:
        fits = first == c'{' or first == c'n'
        if fits and first == c'{':
            out.stream_options = Span(i, end)
        elif fits:
            out.stream_options_null = Span(i, end)
    elif row.reading == READ_GENERATION_CONFIG:
        fits = first == c'{' or first == c'n'
        if fits and first == c'{':
            out.generation_config = Span(i, end)
        elif fits:
            out.generation_config_null = Span(i, end)
    else:
        return read_count(p, i, end, row, out)
    if not fits:
        note(out, SCAN_WRONG_TYPE, i, row, kind_of(first))
    return end


cdef Py_ssize_t count_prompts(JsText* text, Py_ssize_t i, RequestFields* out) noexcept nogil:
    """Walk the array at i, and count the prompts in it: an array of numbers is one."""
    cdef Py_ssize_t count = 0
    i = js_space(text, i + 1)
    if i < text.n and text.p[i] == c']':
        return i + 1
    while True:
        if i < text.n and (text.p[i] == c'"' or text.p[i] == c'['):
            count += 1
        i = js_value(text, i, 2)
        if i < 0:
            return -1
        i = js_space(text, i)
        if i < text.n and text.p[i] == c',':
            i = js_space(text, i + 1)
        elif i < text.n and text.p[i] == c']':
            out.prompts = max(out.prompts, <int64_t>count)
            return i + 1
        else:
            return js_fail(text, SCAN_NOT_JSON, i)


cdef inline int place_of(const FieldRow* row) noexcept nogil:
    """The LimitField that a row is."""
    return LIMIT_GENERATION_CONFIG if row.within == IN_GENERATION_CONFIG else row.once - LIMIT_ROWS


cdef inline int truth(char first) noexcept nogil:
    return 1 if first == c't' else 0 if first == c'f' else -1


cdef Py_ssize_t read_count(const char* p, Py_ssize_t i, Py_ssize_t end, const FieldRow* row, RequestFields* out) noexcept nogil:
    """Read an already walked integer or null. A negative zero is a zero."""
    cdef bint negative = p[i] == c'-'
    cdef int64_t value = 0
    cdef Py_ssize_t k
    if row.reading == READ_MAX_TOKENS:
        out.limit_values[place_of(row)] = Span(i, end)
    if p[i] == c'n':
        if row.reading == READ_MAX_TOKENS and out.max_tokens_value.end == 0:
            out.max_tokens_value = Span(i, end)
        return end
    if not (negative or c'0' <= p[i] <= c'9'):
        note(out, SCAN_WRONG_TYPE, i, row, kind_of(p[i]))
        return end
    for k in range(i + negative, end):
        if not c'0' <= p[k] <= c'9':
            note(out, SCAN_WRONG_TYPE, i, row, "a number with a fraction or an exponent")
            return end
        value = min(value * 10 + (p[k] - c'0'), <int64_t>MAX_COUNT)
    if negative and value:
        note(out, SCAN_WRONG_TYPE, i, row, "a negative integer")
    elif row.reading == READ_CHOICES:
        out.choices = max(out.choices, value)
        return end
    else:
        out.limits[place_of(row)] = value
    if row.reading == READ_MAX_TOKENS and not (negative and value) and (out.max_tokens < 0 or value < out.max_tokens):
        out.max_tokens = value
        out.max_tokens_value = Span(i, end)
    return end


cdef const char* kind_of(char first) noexcept nogil:
    if first == c'"':
        return "a string"
    if first == c'{':
        return "an object"
    if first == c'[':
        return "an array"
    if first == c't' or first == c'f':
        return "a boolean"
    return "null" if first == c'n' else "a number"


class ScanFailure(NamedTuple):
    """Why a body is not taken."""

    reason: str
    at: int
    field: str | None
    expected: str | None
    found: str | None


cdef object _REASONS = ("ok", "not_json", "not_object", "too_deep", "not_utf8", "duplicate", "wrong_type")


cdef inline object _span(Span span):
    return (span.start, span.end) if span.end else None


cdef inline object _text(const char* p):
    return None if p is NULL else p.decode()


def scan(body: bytes):
    """Return the fields of `body` as a dict, or a ScanFailure."""
    cdef RequestFields out
    scan_request(body, len(body), &out)
    if out.error:
        return ScanFailure(_REASONS[out.error], out.at, _text(out.field), _text(out.expected), _text(out.found))
    return {
        "first": out.first,
        "empty": bool(out.empty),
        "model": _span(out.model),
        "model_escaped": bool(out.model_escaped),
        "stream": None if out.stream < 0 else bool(out.stream),
        "stream_options": _span(out.stream_options),
        "stream_options_empty": bool(out.stream_options_empty),
        "stream_options_null": _span(out.stream_options_null),
        "include_usage": None if out.include_usage < 0 else bool(out.include_usage),
        "include_usage_value": _span(out.include_usage_value),
        "max_tokens": None if out.max_tokens < 0 else out.max_tokens,
        "max_tokens_value": _span(out.max_tokens_value),
        "limits": [None if limit < 0 else limit for limit in out.limits],
        "limit_values": [_span(span) for span in out.limit_values],
        "prompts": out.prompts,
        "background": bool(out.background),
        "choices": out.choices,
        "generation_config": _span(out.generation_config),
        "generation_config_empty": bool(out.generation_config_empty),
        "generation_config_null": _span(out.generation_config_null),
        "media": out.media,
    }


def _bench(body: bytes, rounds: int) -> int:
    """Scan `body` so many times; the sum of the errors, so that nothing is optimised away."""
    cdef RequestFields out
    cdef const char* p = body
    cdef Py_ssize_t n = len(body), k, times = rounds
    cdef int64_t errors = 0
    with nogil:
        for k in range(times):
            errors += scan_request(p, n, &out)
    return errors
