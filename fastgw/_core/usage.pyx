"""Watch replies go by and read the usage out of them, whole or in pieces of any size.

Input:      bodies of replies: JSON, or server-sent events (WHATWG HTML, section 9.2) whose data is JSON.
Output:     a Usage; for streams also how they ended and how much text they brought. Rubbish is no error: nothing is seen in it.
Ownership:  the caller keeps what it feeds. `out` points into the piece that was fed or into the tap, until the next call.
Limits:     nothing of a body is kept but one string's first 32 bytes; with `strip` one incomplete event of up to 1 MiB.
            Negative numbers, fractions and numbers beyond 2**53 are ignored.
Complexity: one pass; string content 16 bytes at a time.

Longer than other kernels because reader, framing and stripping share one pass: Reader (JSON in pieces), merge (what the numbers
mean in each dialect), UsageTap (event streams), the Python face.
"""
from libc.stdint cimport int64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy, memset

cdef extern from "json_scan.h" nogil:
    Py_ssize_t js_to_quote(const char* p, Py_ssize_t i, Py_ssize_t n)
    Py_ssize_t js_to_bracket(const char* p, Py_ssize_t i, Py_ssize_t n)
    Py_ssize_t js_to_line_end(const char* p, Py_ssize_t i, Py_ssize_t n)
    int js_hex(unsigned char c)

# What a key means inside a usage object, by dialect and by the object it stands in: a number to keep or a group to go into.
cdef extern from *:
    """
    enum { INPUT, OUTPUT, TOTAL, CACHED, CACHE_HIT, CACHE_WRITE, CACHE_WRITE_1H, REASONING, AUDIO_INPUT, AUDIO_OUTPUT, TOOL_INPUT,
           /* of all compactions, and of the iteration in hand: the same PARTS in the same order */
           COMPACTED, COMPACTED_OUTPUT, COMPACTED_CACHED, COMPACTED_CACHE_WRITE, COMPACTED_CACHE_WRITE_1H,
           ITERATION, ITERATION_OUTPUT, ITERATION_CACHED, ITERATION_CACHE_WRITE, ITERATION_CACHE_WRITE_1H, PARTS = 5 };
    enum { IN_USAGE = 32, IN_INPUT, IN_OUTPUT, IN_CREATION, IN_PROMPT_MODALITIES, IN_CANDIDATE_MODALITIES,
           IN_ITERATIONS, IN_ITERATION, IN_ITERATION_CREATION, IN_BILLED, ITERATION_TYPE, ELEMENT_MODALITY, ELEMENT_TOKENS, MEANS_NOTHING };
    typedef struct { int within, length, means; const char *name; } UsageRow;
    #define ROW(within, name, means) {within, sizeof name - 1, means, name}
    static const UsageRow USAGE_ROWS[] = {
        /* OpenAI and those like it */
        ROW(IN_USAGE, "prompt_tokens", INPUT),
        ROW(IN_USAGE, "completion_tokens", OUTPUT),
        ROW(IN_USAGE, "total_tokens", TOTAL),
        ROW(IN_USAGE, "input_tokens", INPUT),
        ROW(IN_USAGE, "output_tokens", OUTPUT),
        ROW(IN_USAGE, "prompt_tokens_details", IN_INPUT),
        ROW(IN_USAGE, "completion_tokens_details", IN_OUTPUT),
        ROW(IN_USAGE, "input_tokens_details", IN_INPUT),
        ROW(IN_USAGE, "output_tokens_details", IN_OUTPUT),
        ROW(IN_USAGE, "input_token_details", IN_INPUT),
        ROW(IN_USAGE, "output_token_details", IN_OUTPUT),
        ROW(IN_USAGE, "prompt_cache_hit_tokens", CACHE_HIT),
        ROW(IN_USAGE, "num_cached_tokens", CACHE_HIT),
        ROW(IN_INPUT, "cached_tokens", CACHED),
        ROW(IN_INPUT, "cache_write_tokens", CACHE_WRITE),
        ROW(IN_INPUT, "audio_tokens", AUDIO_INPUT),
        ROW(IN_OUTPUT, "reasoning_tokens", REASONING),
        ROW(IN_OUTPUT, "audio_tokens", AUDIO_OUTPUT),
        /* Anthropic */
        ROW(IN_USAGE, "input_tokens", INPUT),
        ROW(IN_USAGE, "output_tokens", OUTPUT),
        ROW(IN_USAGE, "cache_read_input_tokens", CACHED),
        ROW(IN_USAGE, "cache_creation_input_tokens", CACHE_WRITE),
        ROW(IN_USAGE, "cache_creation", IN_CREATION),
        ROW(IN_USAGE, "output_tokens_details", IN_OUTPUT),
        ROW(IN_CREATION, "ephemeral_1h_input_tokens", CACHE_WRITE_1H),
        ROW(IN_OUTPUT, "thinking_tokens", REASONING),
        ROW(IN_USAGE, "iterations", IN_ITERATIONS),
        ROW(IN_ITERATION, "type", ITERATION_TYPE),
        ROW(IN_ITERATION, "input_tokens", ITERATION),
        ROW(IN_ITERATION, "output_tokens", ITERATION_OUTPUT),
        ROW(IN_ITERATION, "cache_read_input_tokens", ITERATION_CACHED),
        ROW(IN_ITERATION, "cache_creation_input_tokens", ITERATION_CACHE_WRITE),
        ROW(IN_ITERATION, "cache_creation", IN_ITERATION_CREATION),
        ROW(IN_ITERATION_CREATION, "ephemeral_1h_input_tokens", ITERATION_CACHE_WRITE_1H),
        /* Gemini */
        ROW(IN_USAGE, "promptTokenCount", INPUT),
        ROW(IN_USAGE, "candidatesTokenCount", OUTPUT),
        ROW(IN_USAGE, "totalTokenCount", TOTAL),
        ROW(IN_USAGE, "thoughtsTokenCount", REASONING),
        ROW(IN_USAGE, "toolUsePromptTokenCount", TOOL_INPUT),
        ROW(IN_USAGE, "cachedContentTokenCount", CACHED),
        ROW(IN_USAGE, "promptTokensDetails", IN_PROMPT_MODALITIES),
        ROW(IN_USAGE, "candidatesTokensDetails", IN_CANDIDATE_MODALITIES),
        ROW(IN_PROMPT_MODALITIES, "modality", ELEMENT_MODALITY),
        ROW(IN_PROMPT_MODALITIES, "tokenCount", ELEMENT_TOKENS),
        ROW(IN_CANDIDATE_MODALITIES, "modality", ELEMENT_MODALITY),
        ROW(IN_CANDIDATE_MODALITIES, "tokenCount", ELEMENT_TOKENS),
        /* Cohere: what it bills; its `tokens` count a hidden prompt that nobody pays for */
        ROW(IN_USAGE, "billed_units", IN_BILLED),
        ROW(IN_BILLED, "input_tokens", INPUT),
        ROW(IN_BILLED, "output_tokens", OUTPUT),
        ROW(IN_BILLED, "image_tokens", TOOL_INPUT),
    };
    /* Where the rows of each UsageDialect begin. */
    static const int FIRST_ROW[] = {0, 0, 18, 34, 46, sizeof USAGE_ROWS / sizeof USAGE_ROWS[0]};
    static const char DATA_FIELD[] = "data:", BYTE_ORDER_MARK[] = "\\xef\\xbb\\xbf";
    #define MAX_STATED_TOKENS ((int64_t)1 << 53)
    """
    const int64_t MAX_STATED_TOKENS
    const char* DATA_FIELD
    const char* BYTE_ORDER_MARK
    enum:
        INPUT
        OUTPUT
        TOTAL
        CACHED
        CACHE_HIT
        CACHE_WRITE
        CACHE_WRITE_1H
        REASONING
        AUDIO_INPUT
        AUDIO_OUTPUT
        TOOL_INPUT
        COMPACTED
        COMPACTED_OUTPUT
        COMPACTED_CACHED
        COMPACTED_CACHE_WRITE
        COMPACTED_CACHE_WRITE_1H
        ITERATION
        ITERATION_CACHE_WRITE
        ITERATION_CACHE_WRITE_1H
        PARTS
        IN_USAGE
        IN_PROMPT_MODALITIES
        IN_CANDIDATE_MODALITIES
        IN_ITERATIONS
        IN_ITERATION
        ITERATION_TYPE
        ELEMENT_MODALITY
        ELEMENT_TOKENS
        MEANS_NOTHING
    ctypedef struct UsageRow:
        int within
        int length
        int means
        const char* name
    const UsageRow* USAGE_ROWS
    const int* FIRST_ROW

cdef enum State:
    OUTSIDE
    IN_STRING
    IN_ESCAPE
    IN_HEX
    IN_NUMBERS         # an array has opened, outside a usage: only quotes, braces and brackets count

# What a key means outside a usage object.
cdef enum Key:
    KEY_OTHER
    KEY_USAGE = 64
    KEY_WRAPPER        # its object may hold the usage
    KEY_CHOICES
    KEY_ERROR
    KEY_TYPE
    KEY_DELTA
    KEY_FINISH
    KEY_TEXT
    KEY_ROOT_ARRAY

cdef enum Number:
    NO_NUMBER
    WHOLE_NUMBER
    OTHER_NUMBER

cdef enum Element:
    ELEMENT_OTHER
    ELEMENT_AUDIO
    ELEMENT_COMPACTION

cdef enum Choices:
    NO_CHOICES
    CHOICES_OPEN
    CHOICES_FILLED
    CHOICES_EMPTY

cdef enum Kind:
    KIND_OTHER
    KIND_ERROR
    KIND_MESSAGE_DELTA
    KIND_MESSAGE_STOP
    KIND_RESPONSE      # response.*
    KIND_RESPONSE_DONE
    KIND_RESPONSE_FAILED

cdef enum Line:
    LINE_MARK          # the stream may begin with a byte order mark
    LINE_START
    LINE_FIELD         # part of "data" has come
    LINE_SPACE         # "data:" has come
    LINE_DATA
    LINE_SKIPPED


# ---- merge: what the numbers of one usage object mean ----

cdef inline int64_t stated(int64_t count) noexcept nogil:
    return count if count > 0 else 0


cdef bint merge(Reader* r, Usage* usage) noexcept nogil:
    """Take the counts of the usage object that has just closed into `usage`; False where it states none."""
    cdef const int64_t* counts = r.counts
    if r.dialect == USAGE_ANTHROPIC:
        if counts[INPUT] < 0 and counts[OUTPUT] < 0:
            return False
        merge_anthropic(r, usage)
    elif counts[INPUT] < 0 and counts[OUTPUT] < 0 and counts[TOTAL] < 0:
        return False
    elif r.dialect == USAGE_GEMINI:
        take_gemini(counts, usage)
    elif r.dialect == USAGE_COHERE:
        take_cohere(counts, usage)
    else:
        take_openai(counts, usage)
    usage.seen = True
    # The parts never exceed the whole, whatever was stated: a price must not go below zero.
    usage.cache_read_tokens = min(usage.cache_read_tokens, usage.input_tokens)
    usage.cache_write_tokens = min(usage.cache_write_tokens, usage.input_tokens - usage.cache_read_tokens)
    usage.cache_write_1h_tokens = min(usage.cache_write_1h_tokens, usage.cache_write_tokens)
    usage.audio_input_tokens = min(usage.audio_input_tokens, usage.input_tokens)
    usage.reasoning_tokens = min(usage.reasoning_tokens, usage.output_tokens)
    usage.audio_output_tokens = min(usage.audio_output_tokens, usage.output_tokens)
    return True


cdef void take_openai(const int64_t* counts, Usage* usage) noexcept nogil:
    # Embeddings may state only a total; it is all input.
    cdef int64_t tokens_in = counts[INPUT] if counts[INPUT] >= 0 else max(counts[TOTAL] - stated(counts[OUTPUT]), <int64_t>0)
    usage.input_tokens = tokens_in
    # Some providers leave the reasoning out of completion_tokens and have it in the total only (xAI, Gemini's OpenAI surface).
    usage.output_tokens = max(stated(counts[OUTPUT]), counts[TOTAL] - tokens_in)
    usage.cache_read_tokens = stated(counts[CACHED] if counts[CACHED] >= 0 else counts[CACHE_HIT])
    usage.cache_write_tokens = stated(counts[CACHE_WRITE])
    usage.cache_write_1h_tokens = 0
    usage.reasoning_tokens = stated(counts[REASONING])
    usage.audio_input_tokens = stated(counts[AUDIO_INPUT])
    usage.audio_output_tokens = stated(counts[AUDIO_OUTPUT])


cdef void merge_anthropic(Reader* r, Usage* usage) noexcept nogil:
    # A later usage is cumulative but may leave out what has not changed. input_tokens there is without the cached ones, and both
    # are without what compactions took, which is charged all the same.
    cdef int64_t* told = r.told
    cdef int k
    for k in range(READER_TOLD):
        if r.counts[k] >= 0:
            told[k] = r.counts[k]
    usage.cache_read_tokens = told[CACHED] + told[COMPACTED_CACHED]
    usage.cache_write_tokens = told[CACHE_WRITE] + told[COMPACTED_CACHE_WRITE]
    usage.cache_write_1h_tokens = min(told[CACHE_WRITE_1H], told[CACHE_WRITE]) + told[COMPACTED_CACHE_WRITE_1H]
    usage.output_tokens = told[OUTPUT] + told[COMPACTED_OUTPUT]
    usage.reasoning_tokens = told[REASONING]
    usage.input_tokens = told[INPUT] + told[COMPACTED] + usage.cache_read_tokens + usage.cache_write_tokens


cdef void take_gemini(const int64_t* counts, Usage* usage) noexcept nogil:
    cdef int64_t thoughts = stated(counts[REASONING])
    usage.input_tokens = stated(counts[INPUT]) + stated(counts[TOOL_INPUT])
    if counts[OUTPUT] >= 0:
        usage.output_tokens = counts[OUTPUT] + thoughts
    else:
        usage.output_tokens = max(counts[TOTAL] - usage.input_tokens, thoughts)
    usage.cache_read_tokens = stated(counts[CACHED])
    usage.cache_write_tokens = usage.cache_write_1h_tokens = 0
    usage.reasoning_tokens = thoughts
    usage.audio_input_tokens = stated(counts[AUDIO_INPUT])
    usage.audio_output_tokens = stated(counts[AUDIO_OUTPUT])


cdef void take_cohere(const int64_t* counts, Usage* usage) noexcept nogil:
    memset(usage, 0, sizeof(Usage))
    usage.input_tokens = stated(counts[INPUT]) + stated(counts[TOOL_INPUT])
    usage.output_tokens = stated(counts[OUTPUT])


# ---- Reader: JSON in pieces ----

cdef void start_reader(Reader* r) noexcept nogil:
    """Forget the value before; the dialect stays. Fields that are set before they are read are left alone."""
    r.state = OUTSIDE
    r.depth = r.name_len = r.saved = r.text_bytes = r.delta_bytes = 0
    r.key = KEY_OTHER
    r.kind = KIND_OTHER
    r.number = NO_NUMBER
    r.choices = NO_CHOICES
    r.usage_depth = 0
    r.element = ELEMENT_OTHER
    r.valued = r.name_in_piece = r.has_choices = r.has_usage = r.usage_on_top = r.finished = r.failed = r.whole = False
    r.name = r.kept


cdef inline int place(const Reader* r) noexcept nogil:
    """Under which key the innermost container stands."""
    return r.path[r.depth] if r.depth < READER_LEVELS else <int>MEANS_NOTHING


cdef inline bint on_top(const Reader* r) noexcept nogil:
    """Are the keys in hand those of the outermost object, or of an object of Gemini's outermost array?"""
    return r.depth == 1 or (r.depth == 2 and r.dialect == USAGE_GEMINI and r.path[1] == KEY_ROOT_ARRAY)


cdef int usage_key(const Reader* r) noexcept nogil:
    cdef int within = place(r), k
    cdef const UsageRow* row
    for k in range(FIRST_ROW[r.dialect], FIRST_ROW[r.dialect + 1]):
        row = &USAGE_ROWS[k]
        if row.length == r.name_len and row.within == within and memcmp(row.name, r.name, r.name_len) == 0:
            return row.means
    return MEANS_NOTHING


cdef int outer_key(const Reader* r) noexcept nogil:
    """What the last string means as a key. By length first, because this runs for every key of every event."""
    cdef const char* name = r.name
    cdef int64_t n = r.name_len
    if n == 4:
        if memcmp(name, "text", 4) == 0:
            return KEY_TEXT
        if r.depth == 1 and memcmp(name, "type", 4) == 0:
            return KEY_TYPE
        if r.depth == 1 and r.dialect == USAGE_COHERE and memcmp(name, "meta", 4) == 0:
            return KEY_USAGE
    elif n == 5:
        if memcmp(name, "usage", 5) == 0:
            if r.dialect != USAGE_GEMINI and (r.depth == 1 or (r.depth == 2 and (
                    r.path[2] == KEY_WRAPPER or (r.path[2] == KEY_DELTA and r.dialect == USAGE_COHERE)))):
                return KEY_USAGE
        elif memcmp(name, "delta", 5) == 0:
            return KEY_DELTA if r.depth == 1 else KEY_OTHER
        elif memcmp(name, "error", 5) == 0 and on_top(r):
            return KEY_ERROR
    elif n == 6:
        if r.depth == 1 and r.dialect == USAGE_OPENAI and memcmp(name, "x_groq", 6) == 0:
            return KEY_WRAPPER
    elif n == 7:
        if memcmp(name, "content", 7) == 0 or memcmp(name, "refusal", 7) == 0:
            return KEY_TEXT
        if r.depth == 1 and memcmp(name, "choices", 7) == 0:
            return KEY_CHOICES
        if r.depth == 1 and r.dialect == USAGE_ANTHROPIC and memcmp(name, "message", 7) == 0:
            return KEY_WRAPPER
    elif n == 8:
        if memcmp(name, "thinking", 8) == 0:
            return KEY_TEXT
        if r.depth == 1 and r.dialect == USAGE_OPENAI and memcmp(name, "response", 8) == 0:
            return KEY_WRAPPER
    elif n == 9:
        if memcmp(name, "arguments", 9) == 0 or memcmp(name, "reasoning", 9) == 0:
            return KEY_TEXT
    elif n == 10:
        if memcmp(name, "completion", 10) == 0:
            return KEY_TEXT
    elif n == 12:
        if memcmp(name, "partial_json", 12) == 0:
            return KEY_TEXT
        if memcmp(name, "finishReason", 12) == 0:
            return KEY_FINISH
    elif n == 13:
        if memcmp(name, "finish_reason", 13) == 0:
            return KEY_FINISH
        if r.dialect == USAGE_GEMINI and memcmp(name, "usageMetadata", 13) == 0 and on_top(r):
            return KEY_USAGE
    elif n == 17:
        if memcmp(name, "reasoning_content", 17) == 0:
            return KEY_TEXT
    return KEY_OTHER


cdef int kind_of(const char* name, int64_t n) noexcept nogil:
    if n == 5 and memcmp(name, "error", 5) == 0:
        return KIND_ERROR
    if n == 12 and memcmp(name, "message_stop", 12) == 0:
        return KIND_MESSAGE_STOP
    if n == 13 and memcmp(name, "message_delta", 13) == 0:
        return KIND_MESSAGE_DELTA
    if n < 9 or memcmp(name, "response.", 9) != 0:
        return KIND_OTHER
    if (n == 18 and memcmp(name, "response.completed", 18) == 0) or (n == 19 and memcmp(name, "response.incomplete", 19) == 0):
        return KIND_RESPONSE_DONE
    return KIND_RESPONSE_FAILED if n == 15 and memcmp(name, "response.failed", 15) == 0 else KIND_RESPONSE


cdef inline void keep(Reader* r, const char* p, Py_ssize_t n) noexcept nogil:
    """Count n more bytes of the string in hand; where it began in an earlier piece, keep them as far as there is room."""
    if not r.name_in_piece and r.name_len < READER_NAME_BYTES:
        memcpy(r.kept + r.name_len, p, min(n, READER_NAME_BYTES - r.name_len))
    r.name_len += n


cdef void end_string_value(Reader* r) noexcept nogil:
    if r.key == KEY_TEXT:
        r.text_bytes += r.name_len - r.saved
    elif r.key == KEY_DELTA:
        r.delta_bytes += r.name_len - r.saved
    elif r.key == KEY_TYPE:
        r.kind = kind_of(r.name, r.name_len)
    elif r.key == KEY_FINISH:
        r.finished = True
    elif r.key == KEY_ERROR:
        r.failed = True
    elif r.key == ELEMENT_MODALITY:
        r.element = ELEMENT_AUDIO if r.name_len == 5 and memcmp(r.name, "AUDIO", 5) == 0 else ELEMENT_OTHER
    elif r.key == ITERATION_TYPE:
        r.element = ELEMENT_COMPACTION if r.name_len == 10 and memcmp(r.name, "compaction", 10) == 0 else ELEMENT_OTHER
    r.valued = False
    r.key = KEY_OTHER


cdef inline void end_number(Reader* r) noexcept nogil:
    if r.number == WHOLE_NUMBER and r.valued:
        if r.key < READER_COUNTS:
            r.counts[r.key] = r.value
        elif r.key == ELEMENT_TOKENS:
            r.element_tokens = r.value
    r.number = NO_NUMBER


cdef int open_element(Reader* r, int key, char c) noexcept nogil:
    """An array of modalities or of iterations has begun, or one of them; what stands in the container."""
    r.element = ELEMENT_OTHER
    r.element_tokens = 0
    if key != IN_ITERATIONS:
        return key
    if r.valued and c == c'[':
        memset(&r.counts[COMPACTED], 0, PARTS * sizeof(int64_t))
        return IN_ITERATIONS
    if r.valued or c == c'[':
        return MEANS_NOTHING
    memset(&r.counts[ITERATION], 0xFF, PARTS * sizeof(int64_t))
    return IN_ITERATION


cdef void close_element(Reader* r) noexcept nogil:
    """Add what an element of audio, or an iteration that was a compaction, has stated."""
    cdef int within = place(r), k
    cdef int64_t* counts = r.counts
    if r.element == ELEMENT_AUDIO and (within == IN_PROMPT_MODALITIES or within == IN_CANDIDATE_MODALITIES):
        k = AUDIO_INPUT if within == IN_PROMPT_MODALITIES else AUDIO_OUTPUT
        counts[k] = stated(counts[k]) + r.element_tokens
        r.element = ELEMENT_OTHER     # the array that closes next stands under the same key
    elif r.element == ELEMENT_COMPACTION and within == IN_ITERATION:
        counts[ITERATION_CACHE_WRITE_1H] = min(counts[ITERATION_CACHE_WRITE_1H], counts[ITERATION_CACHE_WRITE])
        for k in range(PARTS):
            counts[COMPACTED + k] = min(counts[COMPACTED + k] + stated(counts[ITERATION + k]), MAX_STATED_TOKENS)
        r.element = ELEMENT_OTHER


cdef void open_container(Reader* r, char c) noexcept nogil:
    cdef int key = r.key
    if r.usage_depth:
        if not r.valued:
            key = place(r)     # an element of an array stands under the array's key
    elif r.depth == 0:
        key = KEY_ROOT_ARRAY if c == c'[' else KEY_OTHER
    r.depth += 1
    if key == KEY_USAGE and c == c'{':
        r.usage_depth = <int>r.depth
        memset(r.counts, 0xFF, READER_TOLD * sizeof(int64_t))
        key = IN_USAGE
    elif key == KEY_ERROR:
        r.failed = True
    elif IN_PROMPT_MODALITIES <= key <= IN_ITERATIONS:     # one test for the three: this runs for every container
        key = open_element(r, key, c)
    if key == KEY_CHOICES and c == c'[':
        r.has_choices = True
        r.choices = CHOICES_OPEN
    elif r.choices == CHOICES_OPEN:
        r.choices = CHOICES_FILLED
    if r.depth < READER_LEVELS:
        r.path[r.depth] = key
    if c == c'[' and not r.usage_depth:
        r.state = IN_NUMBERS
    r.valued = False
    r.key = KEY_OTHER
    r.number = NO_NUMBER


cdef void close_container(Reader* r, Usage* usage) noexcept nogil:
    if r.usage_depth:
        end_number(r)
        if r.depth == r.usage_depth:
            r.usage_depth = 0
            if merge(r, usage):
                r.has_usage = True
                r.usage_on_top = r.usage_on_top or r.depth == 2
        elif r.element != ELEMENT_OTHER:
            close_element(r)
    elif r.choices == CHOICES_OPEN:
        r.choices = CHOICES_EMPTY
    if r.depth > 0:
        r.depth -= 1
        r.whole = r.depth == 0
    r.valued = False
    r.key = KEY_OTHER


cdef inline void read_number(Reader* r, char c) noexcept nogil:
    if c'0' <= c <= c'9':
        if r.number == NO_NUMBER:
            r.number = WHOLE_NUMBER
            r.value = 0
        if r.number == WHOLE_NUMBER:
            r.value = r.value * 10 + (c - c'0')
            if r.value > MAX_STATED_TOKENS:
                r.number = OTHER_NUMBER
    elif not (c == c' ' or c == c'\n' or c == c'\t' or c == c'\r'):
        r.number = OTHER_NUMBER


cdef void read_hex(Reader* r, char c) noexcept nogil:
    """One digit of an escape; after the fourth it is known how many bytes the escape stands for."""
    r.hex_value = (r.hex_value << 4) | (js_hex(<unsigned char>c) & 15)
    r.hex_left -= 1
    if r.hex_left == 0:
        # Six bytes for one, two or three; each half of a surrogate pair stands for two of the pair's four.
        r.saved += 5 if r.hex_value < 0x80 else 4 if r.hex_value < 0x800 or 0xD800 <= r.hex_value < 0xE000 else 3
        r.state = IN_STRING


cdef Py_ssize_t read_string(Reader* r, const char* p, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    """Go on in the string in hand; the offset after its end or after the piece."""
    cdef Py_ssize_t start
    while i < n:
        start = i
        if r.state == IN_STRING:
            i = js_to_quote(p, i, n)
            if i < n and p[i] == c'"':
                keep(r, p + start, i - start)
                r.state = OUTSIDE
                if r.valued:
                    end_string_value(r)
                return i + 1
            if i < n:
                i += 1
                r.state = IN_ESCAPE
        elif r.state == IN_ESCAPE:
            r.hex_left = 4
            r.hex_value = 0
            r.state = IN_HEX if p[i] == c'u' else IN_STRING
            r.saved += p[i] != c'u'
            i += 1
        else:
            read_hex(r, p[i])
            i += 1
        keep(r, p + start, i - start)
    return n


cdef void read_piece(Reader* r, Usage* usage, const char* p, Py_ssize_t n) noexcept nogil:
    """Read on in p[0:n], until the outermost container is closed."""
    cdef Py_ssize_t i = 0, end
    cdef char c
    if r.state == IN_STRING or r.state == IN_ESCAPE or r.state == IN_HEX:
        i = read_string(r, p, i, n)
    while i < n:
        if r.state == IN_NUMBERS:
            i = js_to_bracket(p, i, n)
            if i == n:
                break
            r.state = OUTSIDE
        c = p[i]
        i += 1
        if c == c'"':
            r.name = p + i
            r.name_in_piece = True
            r.saved = 0
            if r.choices == CHOICES_OPEN:
                r.choices = CHOICES_FILLED
            end = js_to_quote(p, i, n)
            r.name_len = end - i
            if end < n and p[end] == c'"':
                i = end + 1
                if r.valued:
                    end_string_value(r)
            else:
                r.state = IN_STRING
                i = read_string(r, p, end, n)
        elif c == c':':
            r.valued = True
            if r.name_len > READER_NAME_BYTES:
                r.key = MEANS_NOTHING
            else:
                r.key = usage_key(r) if r.usage_depth else outer_key(r)
            r.number = NO_NUMBER
        elif c == c',':
            if r.usage_depth:
                end_number(r)
            r.valued = False
            r.key = KEY_OTHER
        elif c == c'{' or c == c'[':
            open_container(r, c)
        elif c == c'}' or c == c']':
            close_container(r, usage)
            if r.whole:
                return
        elif r.usage_depth:
            read_number(r, c)
    if r.name_in_piece:
        # The piece goes away; what was read of the string in hand, or of the key whose colon has not come, stays.
        memcpy(r.kept, r.name, min(r.name_len, <int64_t>READER_NAME_BYTES))
        r.name = r.kept
        r.name_in_piece = False


cdef bint read_usage(int dialect, const char* p, Py_ssize_t n, Usage* out) noexcept nogil:
    cdef Reader reader
    memset(out, 0, sizeof(Usage))
    memset(reader.told, 0, sizeof(reader.told))
    reader.dialect = dialect
    start_reader(&reader)
    read_piece(&reader, out, p, n)
    # a reply is not checked to be JSON, which would double the cost, but it has to be all there
    out.final = out.seen and reader.whole
    return out.final


# ---- UsageTap: streams ----

cdef UsageTap open_tap(int dialect, int form, bint strip):
    cdef UsageTap tap = UsageTap.__new__(UsageTap)
    tap.reader.dialect = dialect
    tap.form = form
    tap.strip = strip and form == FORM_SSE and dialect == USAGE_OPENAI
    start_reader(&tap.reader)
    return tap


cdef int append(char** buffer, Py_ssize_t* length, Py_ssize_t* room, const char* p, Py_ssize_t n) except -1:
    cdef Py_ssize_t wanted = length[0] + n
    cdef char* grown
    if wanted > room[0]:
        wanted = max(wanted, 2 * room[0], <Py_ssize_t>4096)
        grown = <char*>realloc(buffer[0], wanted)
        if grown is NULL:
            raise MemoryError
        buffer[0] = grown
        room[0] = wanted
    memcpy(buffer[0] + length[0], p, n)
    length[0] += n
    return 0


cdef class UsageTap:
    def __dealloc__(self):
        free(self.held)
        free(self.kept)

    def __repr__(self):
        return f"<UsageTap events={self.events} seen={bool(self.usage.seen)} done={bool(self.saw_done)}>"

    cdef int feed(self, const char* p, Py_ssize_t n) except -1:
        cdef Py_ssize_t i = 0
        cdef bint ended = False
        if self.strip:
            return self.feed_stripping(p, n)
        self.out = p
        self.out_len = n
        with nogil:
            if self.form == FORM_SSE:
                while i < n:
                    i = self.read_event(p, n, i, &ended)
            elif not self.over:
                self.read(p, n)
                if self.reader.whole:
                    self.over = True
                    self.end_value()
        return 0

    cdef int finish(self) except -1:
        """Take an event without its empty line, or the beginning of a broken one, for what it is; release what is held."""
        self.out_len = self.kept_len = 0
        self.to_drop = False
        if self.data_bytes:
            self.end_value()
        if self.held_len and not self.to_drop:
            self.release_held()
        self.held_len = 0
        return 0

    cdef void read(self, const char* p, Py_ssize_t n) noexcept nogil:
        if self.data_bytes < 6:
            memcpy(self.head + self.data_bytes, p, min(n, 6 - self.data_bytes))
        self.data_bytes += n
        if not self.reader.whole:
            read_piece(&self.reader, &self.usage, p, n)

    cdef void end_value(self) noexcept nogil:
        """Draw the conclusions from one event, or from one JSON reply."""
        cdef Reader* r = &self.reader
        cdef bint streamed = self.form == FORM_SSE
        if r.valued and (r.state == IN_STRING or r.state == IN_ESCAPE or r.state == IN_HEX):
            end_string_value(r)    # the stream broke off in it
        # The last events of a response repeat its whole text: only `delta` is text that was not there before.
        self.text_bytes += r.delta_bytes if r.kind >= KIND_RESPONSE else r.text_bytes
        self.to_drop = False
        if streamed and self.data_bytes >= 6 and memcmp(self.head, "[DONE]", 6) == 0:
            self.saw_done = True
            self.usage.final = self.usage.seen
        elif r.whole:
            if r.failed or r.kind == KIND_ERROR or r.kind == KIND_RESPONSE_FAILED:
                self.saw_error = True
            if (not streamed or r.kind == KIND_MESSAGE_STOP or r.kind >= KIND_RESPONSE_DONE
                    or (r.finished and (r.dialect == USAGE_GEMINI or r.dialect == USAGE_COHERE))):
                self.saw_done = True
            if r.finished:
                self.saw_finish = True
            if r.has_usage:
                if not streamed or r.finished or r.kind == KIND_MESSAGE_DELTA or r.kind >= KIND_RESPONSE_DONE:
                    self.usage.final = True
                elif r.dialect == USAGE_OPENAI and r.kind != KIND_RESPONSE:
                    self.usage.final = not r.has_choices or r.choices == CHOICES_EMPTY
            self.to_drop = r.choices == CHOICES_EMPTY and r.usage_on_top and not r.failed
        self.events += 1
        self.data_bytes = 0
        start_reader(r)

    cdef Py_ssize_t end_line(self, const char* p, Py_ssize_t n, Py_ssize_t i) noexcept nogil:
        """Pass the line end at i: LF, CR or CR LF, whose LF may come with the next piece."""
        self.line = LINE_START
        if p[i] == c'\r':
            if i + 1 == n:
                self.after_carriage = True
            elif p[i + 1] == c'\n':
                i += 1
        return i + 1

    cdef Py_ssize_t read_event(self, const char* p, Py_ssize_t n, Py_ssize_t i, bint* ended) noexcept nogil:
        """Read on until an event ends, or to the end of the piece; the offset after it."""
        cdef Py_ssize_t end
        ended[0] = False
        while i < n:
            if self.after_carriage:
                self.after_carriage = False
                i += p[i] == c'\n'
            elif self.line >= LINE_DATA:
                end = js_to_line_end(p, i, n)
                if self.line == LINE_DATA and end > i:
                    self.read(p + i, end - i)
                i = end if end == n else self.end_line(p, n, end)
            elif self.line == LINE_START:
                if p[i] == c'\n' or p[i] == c'\r':
                    i = self.end_line(p, n, i)
                    ended[0] = True
                    if self.data_bytes:
                        self.end_value()
                    else:
                        self.to_drop = False
                    return i
                if n - i >= 6 and memcmp(p + i, "data: ", 6) == 0:
                    self.line = LINE_DATA
                    i += 6
                else:
                    self.line = LINE_FIELD
                    self.matched = 0
            elif self.line == LINE_FIELD:
                if p[i] == DATA_FIELD[self.matched]:
                    self.matched += 1
                    i += 1
                    if self.matched == 5:
                        self.line = LINE_SPACE
                else:
                    self.line = LINE_SKIPPED
            elif self.line == LINE_SPACE:
                i += p[i] == c' '
                self.line = LINE_DATA
            elif self.matched < 3 and p[i] == BYTE_ORDER_MARK[self.matched]:
                self.matched += 1
                i += 1
            else:
                self.line = LINE_SKIPPED if 0 < self.matched < 3 else LINE_START
        return n

    cdef int feed_stripping(self, const char* p, Py_ssize_t n) except -1:
        cdef Py_ssize_t start = 0, i = 0
        cdef bint ended = False
        self.out_len = self.kept_len = 0
        if n and self.after_carriage and self.between and p[0] == c'\n':
            # The second half of the line end of an event that has already gone one way or the other.
            self.after_carriage = False
            i = 1
            if self.to_drop:
                start = 1
            else:
                self.pass_on(p, 1)
                start = 1
        while i < n:
            i = self.read_event(p, n, i, &ended)
            self.between = ended
            if not ended:
                break
            if self.to_drop and not self.passing:
                self.held_len = 0
            else:
                self.release_held()
                self.pass_on(p + start, i - start)
            self.passing = False
            start = i
        if self.held_len + n - start > MAX_HELD_BYTES:
            self.passing = True
        if self.passing:
            self.release_held()
            self.pass_on(p + start, n - start)
        elif start < n:
            append(&self.held, &self.held_len, &self.held_room, p + start, n - start)
        return 0

    cdef int release_held(self) except -1:
        if self.held_len:
            # Copied, because the end of the same piece may have to be held in its place.
            append(&self.kept, &self.kept_len, &self.kept_room, self.held, self.held_len)
            self.held_len = 0
            self.out = self.kept
            self.out_len = self.kept_len
        return 0

    cdef int pass_on(self, const char* p, Py_ssize_t n) except -1:
        """Add p[0:n] to what goes on; as long as that is one stretch of the piece in hand, without a copy."""
        if n == 0:
            return 0
        if self.out_len == 0:
            self.out = p
            self.out_len = n
        elif self.kept_len == 0 and self.out + self.out_len == p:
            self.out_len += n
        else:
            if self.kept_len == 0:
                append(&self.kept, &self.kept_len, &self.kept_room, self.out, self.out_len)
            append(&self.kept, &self.kept_len, &self.kept_room, p, n)
            self.out = self.kept
            self.out_len = self.kept_len
        return 0


# ---- the Python face ----

OPENAI = USAGE_OPENAI
ANTHROPIC = USAGE_ANTHROPIC
GEMINI = USAGE_GEMINI
COHERE = USAGE_COHERE
JSON = FORM_JSON
SSE = FORM_SSE


cdef int _check(int dialect, int form) except -1:
    if not USAGE_NONE <= dialect <= USAGE_COHERE:
        raise ValueError(f"expected a dialect, got {dialect}")
    if form != FORM_JSON and form != FORM_SSE:
        raise ValueError(f"expected a form, got {form}")
    return 0


cdef object _as_dict(const Usage* usage):
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "audio_input_tokens": usage.audio_input_tokens,
        "audio_output_tokens": usage.audio_output_tokens,
        "seen": bool(usage.seen),
        "final": bool(usage.final),
    }


def read_usage_of(dialect: int, body: bytes):
    """Return the usage that one whole JSON reply states, or None."""
    cdef Usage usage
    _check(dialect, FORM_JSON)
    return _as_dict(&usage) if read_usage(dialect, body, len(body), &usage) else None


cdef class Tap:
    """A UsageTap that takes and returns bytes."""
    cdef UsageTap tap

    def __init__(self, dialect: int, form: int, strip: bool = False):
        _check(dialect, form)
        self.tap = open_tap(dialect, form, strip)

    def __repr__(self):
        return repr(self.tap)

    def feed(self, piece: bytes) -> bytes:
        self.tap.feed(piece, len(piece))
        return self.tap.out[:self.tap.out_len]

    def finish(self) -> bytes:
        self.tap.finish()
        return self.tap.out[:self.tap.out_len]

    def usage(self):
        return _as_dict(&self.tap.usage)

    @property
    def text_bytes(self) -> int:
        return self.tap.text_bytes

    @property
    def events(self) -> int:
        return self.tap.events

    @property
    def saw_done(self) -> bool:
        return bool(self.tap.saw_done)

    @property
    def saw_error(self) -> bool:
        return bool(self.tap.saw_error)


def _bench_feed(dialect: int, form: int, strip: bool, piece: bytes, rounds: int) -> int:
    """Feed `piece` so many times to one tap; how many events it saw."""
    cdef UsageTap tap = open_tap(dialect, form, strip)
    cdef const char* p = piece
    cdef Py_ssize_t n = len(piece), k, times = rounds
    for k in range(times):
        tap.feed(p, n)
    return tap.events


def _bench_read(dialect: int, body: bytes, rounds: int) -> int:
    """Read the usage of `body` so many times; how often one was seen."""
    cdef Usage usage
    cdef const char* p = body
    cdef Py_ssize_t n = len(body), k, times = rounds
    cdef int kind = dialect
    cdef int64_t seen = 0
    with nogil:
        for k in range(times):
            seen += read_usage(kind, p, n, &usage)
    return seen
