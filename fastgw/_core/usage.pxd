"""Watch replies go by and read the usage out of them, whole or in pieces of any size."""
from libc.stdint cimport int64_t

cdef enum UsageDialect:
    USAGE_NONE = 0
    USAGE_OPENAI = 1           # chat, completions, embeddings, responses, images, audio: prompt_tokens or input_tokens
    USAGE_ANTHROPIC = 2
    USAGE_GEMINI = 3
    USAGE_COHERE = 4

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

# Read the usage of one whole JSON reply. False where there is none, or the reply is cut short. What is not JSON otherwise is read
# as far as it makes sense.
cdef bint read_usage(int dialect, const char* p, Py_ssize_t n, Usage* out) noexcept nogil

# How a stream is framed.
cdef enum StreamForm:
    FORM_JSON = 0              # one JSON value in pieces (object, or Gemini's array of objects)
    FORM_SSE = 1

cdef enum:
    READER_LEVELS = 8          # how deep the reader remembers under which key it is
    READER_NAME_BYTES = 32     # how much of a string it remembers across pieces
    READER_TOLD = 16           # numbers that a usage object states, the sums of its compactions among them
    READER_COUNTS = 21         # and those of one iteration: the first enum of usage.pyx
    MAX_HELD_BYTES = 1048576   # a longer event is never held back whole

# Reads one JSON value in pieces and keeps what it says of usage; nothing else of it is kept.
cdef struct Reader:
    int dialect
    int state
    int64_t depth
    int path[READER_LEVELS]    # under which key the container at that depth stands
    int key                    # of the value that comes next
    bint valued                # a colon was the last thing that counted
    const char* name           # the last string, raw: in the piece in hand or in `kept`
    int64_t name_len           # its raw length; `kept` has at most READER_NAME_BYTES of it
    bint name_in_piece
    char kept[READER_NAME_BYTES]
    int64_t saved              # by how much the raw string is longer than what it spells
    int hex_left
    int hex_value
    int usage_depth            # of the usage object that is open, or 0
    int number                 # state of the number in hand
    int64_t value
    int element                # modality or type of the element in hand
    int64_t element_tokens
    int64_t counts[READER_COUNTS]  # of the usage object in hand; -1 where it says nothing
    int64_t told[READER_TOLD]      # Anthropic: the last that any said; kept from one value to the next
    int choices
    bint has_choices
    bint has_usage             # the value in hand has stated a usage
    bint usage_on_top          # and it stood at the top of it
    bint finished              # a finish reason stood in it
    bint failed                # an error stood in it
    bint whole                 # its outermost container was closed
    int kind                   # what its "type" says
    int64_t text_bytes
    int64_t delta_bytes

cdef class UsageTap:
    """Feed it every byte of a reply body; it never changes them unless told to take the usage event out."""
    cdef Usage usage
    cdef readonly int64_t text_bytes   # generated text seen so far, decoded roughly: the ground for an estimate
    cdef readonly int64_t events
    cdef readonly bint saw_done        # data: [DONE], message_stop, response.completed and the like: the stream ended as it should
    cdef readonly bint saw_finish      # a reason to finish went by; some servers send nothing after it
    cdef readonly bint saw_error       # an error event went by
    cdef const char* out               # after feed or finish: what goes on to the client, valid until the next call
    cdef Py_ssize_t out_len
    # strip: hold back each incomplete event and drop the event that only carries usage (OpenAI, when the caller did not ask for it)
    cdef int feed(self, const char* p, Py_ssize_t n) except -1
    cdef int finish(self) except -1
    cdef Reader reader
    cdef int form
    cdef bint strip
    cdef bint over                     # FORM_JSON: the value has ended, what follows is not looked at
    cdef int line                      # where in a line of an event stream
    cdef int matched                   # how much of a field name or of a byte order mark was seen
    cdef bint after_carriage           # the last byte was a carriage return: a line feed belongs to it
    cdef int64_t data_bytes            # of the event in hand
    cdef char head[6]                  # its first ones
    cdef bint dropping                 # the event that ended last was dropped: so is the line feed that belongs to it
    cdef bint between                  # no byte of the next event has come
    cdef bint to_drop                  # the event that ended last only carried usage
    cdef bint passing                  # the event in hand is too long to be held back
    cdef char* held                    # the beginning of an incomplete event
    cdef Py_ssize_t held_len
    cdef Py_ssize_t held_room
    cdef char* kept                    # what goes on, where it is not simply what came
    cdef Py_ssize_t kept_len
    cdef Py_ssize_t kept_room
    cdef void read(self, const char* p, Py_ssize_t n) noexcept nogil
    cdef void end_value(self) noexcept nogil
    cdef Py_ssize_t read_event(self, const char* p, Py_ssize_t n, Py_ssize_t i, bint* ended) noexcept nogil
    cdef Py_ssize_t end_line(self, const char* p, Py_ssize_t n, Py_ssize_t i) noexcept nogil
    cdef int feed_stripping(self, const char* p, Py_ssize_t n) except -1
    cdef int pass_on(self, const char* p, Py_ssize_t n) except -1
    cdef int release_held(self) except -1

cdef UsageTap open_tap(int dialect, int form, bint strip)
