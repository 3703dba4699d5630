"""Find the few fields of a JSON request that the gateway needs, in one strict pass, without building objects."""
from libc.stdint cimport int64_t
from fastgw._core.span cimport Span

cdef enum ScanError:
    SCAN_OK = 0
    SCAN_NOT_JSON = 1          # not RFC 8259 at `at`
    SCAN_NOT_OBJECT = 2        # valid so far, but the top is not an object
    SCAN_TOO_DEEP = 3          # nested deeper than 512
    SCAN_NOT_UTF8 = 4
    SCAN_DUPLICATE = 5         # a field the gateway reads stands twice (parsers differ on which counts)
    SCAN_WRONG_TYPE = 6        # a field the gateway reads has another type than `expected`

cdef enum:
    MAX_COUNT = 2147483647     # greater integers are reported as this: the product of two still fits in int64

cdef enum LimitField:          # where a body may bound its output; which of them counts depends on the dialect
    LIMIT_MAX_TOKENS = 0
    LIMIT_MAX_COMPLETION_TOKENS
    LIMIT_MAX_OUTPUT_TOKENS
    LIMIT_GENERATION_CONFIG
    LIMIT_FIELDS

cdef struct RequestFields:
    int error                  # ScanError
    Py_ssize_t at              # offset of the error
    const char* field          # JSON path of the wrong field such as "$.max_tokens", or NULL
    const char* expected       # such as "an integer", or NULL
    const char* found          # such as "a string", or NULL
    Py_ssize_t first           # offset just after the opening brace: where a field can be put in
    bint empty                 # the object has no fields: no comma after what is put in
    Span model                 # between its quotes
    bint model_escaped         # has a backslash: decode before use
    int stream                 # -1 absent, 0, 1
    Span stream_options        # the whole object
    bint stream_options_empty
    Span stream_options_null   # the word `null` in its place: replace it, do not put in a second one
    int include_usage          # -1 absent or null, 0, 1
    Span include_usage_value   # `true`, `false` or `null`
    int64_t max_tokens         # the least of `limits`; -1 absent
    Span max_tokens_value      # the digits of the least one; the word `null` where only that stands; a limit goes in its place
    int64_t limits[4]          # by LimitField; -1 absent or null
    Span limit_values[4]       # the digits or the word `null`
    int64_t prompts            # of a completion: elements of the array, where they are texts or arrays; at least 1
    int background             # 1 where a response is to be made after the reply
    int64_t choices            # n, best_of, candidateCount: the greatest, at least 1
    Span generation_config     # the whole object (generationConfig or generation_config)
    bint generation_config_empty
    Span generation_config_null
    int media                  # things whose tokens the bytes do not bound: image_url, file_id, file_url, fileUri, file_uri, url sources,
                               # previous_response_id, cachedContent

cdef int scan_request(const char* p, Py_ssize_t n, RequestFields* out) noexcept nogil
