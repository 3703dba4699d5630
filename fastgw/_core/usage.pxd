"""Watch replies go by and read the usage out of them, whole or in pieces of any size."""
from libc.stdint cimport int64_t

cdef enum UsageDialect:
    USAGE_NONE = 0
    USAGE_OPENAI = 1           # chat, completions, embeddings, responses, images, audio: prompt_tokens or input_tokens
    USAGE_ANTHROPIC = 2
    USAGE_GEMINI = 3

cdef struct Usage:
    int64_t input_tokens           # all of the input: fresh, cached, written to the cache, text and audio
    int64_t output_tokens          # all of the output, reasoning and audio included
    int64_t cache_read_tokens      # part of input_tokens
    int64_t cache_write_tokens     # part of input_tokens
    int64_t cache_write_1h_tokens  # part of cache_write_tokens
    int64_t reasoning_tokens       # part of output_tokens
    int64_t audio_input_tokens     # part of input_tokens
    int64_t audio_output_tokens    # part of output_tokens
    bint seen                      # the reply stated a usage
    bint final                     # and it was the last word (message_delta, the usage chunk, response.completed, a whole JSON reply)

# Read the usage of one whole JSON reply. False where there is none or it is not JSON.
cdef bint read_usage(int dialect, const char* p, Py_ssize_t n, Usage* out) noexcept nogil

# How a stream is framed.
cdef enum StreamForm:
    FORM_JSON = 0              # one JSON value in pieces (object, or Gemini's array of objects)
    FORM_SSE = 1

cdef class UsageTap:
    """Feed it every byte of a reply body; it never changes them unless told to take the usage event out."""
    cdef Usage usage
    cdef readonly int64_t text_bytes   # generated text seen so far, decoded roughly: the ground for an estimate
    cdef readonly int64_t events
    cdef readonly bint saw_done        # data: [DONE], message_stop, response.completed and the like: the stream ended as it should
    cdef readonly bint saw_error       # an error event went by
    cdef const char* out               # after feed or finish: what goes on to the client, valid until the next call
    cdef Py_ssize_t out_len
    # strip: hold back each incomplete event and drop the event that only carries usage (OpenAI, when the caller did not ask for it)
    cdef int feed(self, const char* p, Py_ssize_t n) except -1
    cdef int finish(self) except -1

cdef UsageTap open_tap(int dialect, int form, bint strip)
