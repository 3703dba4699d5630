"""What is remembered of an exchange: fill in the record and push it; a copy, no allocation, no lock."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t
from libc.string cimport memcpy, memset

from fastgw._core.clock cimport monotonic_ns
from fastgw._core.ring cimport FLAG_CLAMPED, FLAG_ESTIMATED, FLAG_PRICE_UNKNOWN, FLAG_STREAMED, LOST, SERVED, Record, RingWriter
from fastgw.errors import INDEX
from fastgw.exchange cimport Exchange

DIALECTS = (b"openai", b"anthropic", b"gemini")
cdef tuple dialects = DIALECTS


cdef int push_record(RingWriter ring, Exchange x, unsigned int worker) except -1:
    cdef Record* r = &x.entry
    cdef int64_t now = monotonic_ns()
    cdef int64_t share
    cdef const char* detail = NULL
    cdef const char* request = NULL
    cdef Py_ssize_t detail_len = 0, request_len = 0
    r.finished_ns = now - x.started_at
    # the gateway's own share: all but waiting for the caller's body, for a connection and for the provider
    share = (r.finished_ns if r.sent_ns < 0 else r.sent_ns) - x.waited_ns
    if r.sent_ns >= 0 and r.replied_ns >= 0:
        share += r.finished_ns - r.replied_ns
    if r.read_ns > 0 and (r.sent_ns < 0 or r.read_ns <= r.sent_ns):     # a body that streams is sent before it is read whole
        share -= r.read_ns
    r.gateway_ns = share if share > 0 else 0
    r.input_tokens = x.usage.input_tokens
    r.output_tokens = x.usage.output_tokens
    r.cache_read_tokens = x.usage.cache_read_tokens
    r.cache_write_tokens = x.usage.cache_write_tokens
    r.reasoning_tokens = x.usage.reasoning_tokens
    r.audio_tokens = x.usage.audio_input_tokens + x.usage.audio_output_tokens
    r.cost_nano_usd = x.cost_nano_usd
    r.request_bytes = x.body_bytes
    r.status = x.status
    r.upstream_status = x.upstream_status
    r.outcome = x.outcome
    r.error = x.error_index
    r.attempts = x.attempt + 1 if x.dispatched else x.attempt
    r.retries = <uint8_t>min(x.retries, 255)
    r.worker = <uint16_t>worker
    if x.is_sse or (x.is_json and x.streams_array()):
        r.flags |= FLAG_STREAMED
    if x.usage_estimated:
        r.flags |= FLAG_ESTIMATED
    if x.limit_set >= 0:
        r.flags |= FLAG_CLAMPED
    if x.cost_nano_usd < 0:
        r.flags |= FLAG_PRICE_UNKNOWN
    if x.operation is not None:
        r.operation = x.operation.index
        copy(r.dialect, 16, <bytes>dialects[x.operation.speaks])
    if x.caller is not None:
        memcpy(r.key, x.caller.key_label, 48)
        memcpy(r.workspace, x.caller.workspace_label, 32)
    if x.model is not None:
        copy(r.model, 64, x.model)
    if x.target is not None:
        memcpy(r.integration, x.target.integration_label, 32)
        memcpy(r.provider, x.target.provider_label, 24)
        if x.target.model:
            memcpy(r.upstream_model, x.target.model_label, 64)
        elif x.model is not None:
            memcpy(r.upstream_model, r.model, 64)
    if x.trace_id is not None:
        copy(r.trace_id, 40, x.trace_id)
    if x.detail is not None:
        detail, detail_len = PyBytes_AS_STRING(x.detail), PyBytes_GET_SIZE(x.detail)
    if x.keeps_payload and (x.snapshot.payloads == 2 or x.outcome != SERVED):
        if x.body is not None:
            request = PyBytes_AS_STRING(x.body)
            request_len = min(PyBytes_GET_SIZE(x.body), x.snapshot.max_payload_bytes)
        return ring.push(r, detail, detail_len, request, request_len, x.payload.start, x.payload.size)
    return ring.push(r, detail, detail_len, NULL, 0, NULL, 0)


cdef inline int copy(char* to, Py_ssize_t room, bytes name) except -1:
    cdef Py_ssize_t n = PyBytes_GET_SIZE(name)
    if n > room:
        n = room
        while n > 0 and (<unsigned char>PyBytes_AS_STRING(name)[n] & 0xC0) == 0x80:
            n -= 1
    memcpy(to, PyBytes_AS_STRING(name), n)
    return 0


cdef int make_id(Exchange x, uint64_t a, uint64_t b) except -1:
    """A UUIDv7 (RFC 9562, 5.7): 48 bits of milliseconds, the rest random."""
    cdef uint64_t milliseconds = x.entry.started_ns // 1000000
    cdef int i
    for i in range(6):
        x.entry.id[i] = <uint8_t>(milliseconds >> (40 - 8 * i))
    for i in range(2):
        x.entry.id[6 + i] = <uint8_t>(a >> (8 * i))
    for i in range(8):
        x.entry.id[8 + i] = <uint8_t>(b >> (8 * i))
    x.entry.id[6] = 0x70 | (x.entry.id[6] & 0x0F)
    x.entry.id[8] = 0x80 | (x.entry.id[8] & 0x3F)
    return 0


cdef int push_lost(RingWriter ring, list reclaimed, unsigned int worker, int operation) except -1:
    """Leave a record of each exchange that a dead worker had in hand."""
    cdef Record entry
    cdef bytes tag
    for left in reclaimed:
        tag = left.tag
        memset(&entry, 0, sizeof(Record))
        memcpy(entry.id, PyBytes_AS_STRING(tag), 16)
        entry.started_ns = left.started_ns
        entry.read_ns = entry.admitted_ns = entry.sent_ns = entry.first_byte_ns = entry.replied_ns = -1
        entry.cost_nano_usd = left.charged_nano_usd
        entry.outcome = LOST
        entry.error = INDEX["internal"]
        entry.flags = FLAG_ESTIMATED
        entry.operation = operation
        entry.worker = <uint16_t>worker
        ring.push(&entry, NULL, 0, NULL, 0, NULL, 0)
    return 0
