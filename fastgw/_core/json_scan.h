/* Walk JSON strictly (RFC 8259 in UTF-8, no surrogates encoded) without recursion or allocation, and skip strings fast.
 *
 * Input:      p[0:n], never written to and never read past.
 * Output:     each js_ function returns the offset after what it walked, or -1 with `error` and `at` set in the JsText.
 * Ownership:  the caller keeps the bytes; nothing is kept here.
 * Limits:     JS_DEPTH containers within one another; one bit each on the stack.
 * Complexity: one pass, 16 bytes at a time inside strings where SSE2 is there (every x86-64 has it).
 */
#ifndef FASTGW_JSON_SCAN_H
#define FASTGW_JSON_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) && !defined(FASTGW_PORTABLE)
#include <emmintrin.h>
#define JS_SSE2 1
#endif

#define JS_INLINE static inline __attribute__((always_inline, unused))
#define JS_STATIC static __attribute__((unused))

/* The numbers are those of ScanError in scan.pxd. */
enum { JS_NOT_JSON = 1, JS_TOO_DEEP = 3, JS_NOT_UTF8 = 4, JS_DEPTH = 512, JS_NAME_BYTES = 32 };

typedef struct {
    const unsigned char *p;
    ptrdiff_t n;
    ptrdiff_t at;   /* where the error is */
    int error;
    int media;      /* keys and values that name content outside the text: see js_count_media */
} JsText;

JS_STATIC ptrdiff_t js_fail(JsText *text, int error, ptrdiff_t at) {
    text->error = error;
    text->at = at;
    return -1;
}

JS_INLINE ptrdiff_t js_space(const JsText *text, ptrdiff_t i) {
    while (i < text->n && (text->p[i] == ' ' || text->p[i] == '\n' || text->p[i] == '\r' || text->p[i] == '\t')) i++;
    return i;
}

/* The length of the UTF-8 sequence (of two to four bytes) at i, or 0 where it is none: RFC 3629 section 4. */
JS_STATIC int js_utf8(const unsigned char *p, ptrdiff_t i, ptrdiff_t n) {
    unsigned char first = p[i], second;
    int length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (first < 0xC2 || first > 0xF4 || n - i < length) return 0;
    second = p[i + 1];
    if ((second & 0xC0) != 0x80) return 0;
    if (length == 2) return 2;
    if ((p[i + 2] & 0xC0) != 0x80) return 0;
    if (length == 3) return (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ? 0 : 3;
    if ((p[i + 3] & 0xC0) != 0x80) return 0;
    return (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F) ? 0 : 4;
}

JS_INLINE int js_hex(unsigned char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#ifdef JS_SSE2
/* A byte with its top bit set for each of the 16 that is a quote, a backslash, a control byte or not ASCII. As signed numbers, the
   quote with bit 1 flipped is the blank, all control bytes stay below it and what is not ASCII is negative: one comparison for three. */
JS_INLINE __m128i js_stops(const unsigned char *p) {
    __m128i x = _mm_loadu_si128((const __m128i *)p);
    return _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('\\')),
                        _mm_cmpgt_epi8(_mm_set1_epi8(' ' + 1), _mm_xor_si128(x, _mm_set1_epi8(2))));
}

/* From i on, the first block of 64 bytes that has one of these, or the first place with fewer left. In long text a branch for each 16
   bytes costs as much as the looking, and up to twice that where the loop happens to lie badly among the lines of code. */
static __attribute__((noinline, unused)) ptrdiff_t js_plain_blocks(const unsigned char *p, ptrdiff_t i, ptrdiff_t n) {
    for (; n - i >= 64; i += 64) {
        __m128i first = _mm_or_si128(js_stops(p + i), js_stops(p + i + 16));
        if (_mm_movemask_epi8(_mm_or_si128(first, _mm_or_si128(js_stops(p + i + 32), js_stops(p + i + 48))))) break;
    }
    return i;
}
#endif

/* From i on, the first byte that is a quote, a backslash, a control byte or not ASCII; n where none is. */
JS_INLINE ptrdiff_t js_plain_ascii(const unsigned char *p, ptrdiff_t i, ptrdiff_t n) {
#ifdef JS_SSE2
    ptrdiff_t far = i + 128;
    while (n - i >= 16) {
        int mask = _mm_movemask_epi8(js_stops(p + i));
        if (mask) return i + __builtin_ctz(mask);
        i += 16;
        if (i == far) i = js_plain_blocks(p, i, n);
    }
#endif
    while (i < n && p[i] >= 0x20 && p[i] < 0x80 && p[i] != '"' && p[i] != '\\') i++;
    return i;
}

/* From i on, the first quote or backslash; n where none is. For text whose validity does not matter. */
JS_INLINE ptrdiff_t js_to_quote(const char *p, ptrdiff_t i, ptrdiff_t n) {
#ifdef JS_SSE2
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    while (n - i >= 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(p + i));
        int mask = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(x, quote), _mm_cmpeq_epi8(x, slash)));
        if (mask) return i + __builtin_ctz(mask);
        i += 16;
    }
#endif
    while (i < n && p[i] != '"' && p[i] != '\\') i++;
    return i;
}

/* From i on, the first quote, brace or bracket; n where none is. Carries a reader over arrays of numbers. */
JS_INLINE ptrdiff_t js_to_bracket(const char *p, ptrdiff_t i, ptrdiff_t n) {
#ifdef JS_SSE2
    /* Braces are brackets with bit 5 set. */
    const __m128i quote = _mm_set1_epi8('"'), fold = _mm_set1_epi8(0x20);
    const __m128i open = _mm_set1_epi8('{'), close = _mm_set1_epi8('}');
    while (n - i >= 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(p + i)), folded = _mm_or_si128(x, fold);
        int mask = _mm_movemask_epi8(_mm_or_si128(
            _mm_cmpeq_epi8(x, quote), _mm_or_si128(_mm_cmpeq_epi8(folded, open), _mm_cmpeq_epi8(folded, close))));
        if (mask) return i + __builtin_ctz(mask);
        i += 16;
    }
#endif
    while (i < n && p[i] != '"' && (p[i] | 0x20) != '{' && (p[i] | 0x20) != '}') i++;
    return i;
}

/* From i on, the first carriage return or line feed; n where none is. */
JS_INLINE ptrdiff_t js_to_line_end(const char *p, ptrdiff_t i, ptrdiff_t n) {
#ifdef JS_SSE2
    const __m128i feed = _mm_set1_epi8('\n'), carriage = _mm_set1_epi8('\r');
    while (n - i >= 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(p + i));
        int mask = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(x, feed), _mm_cmpeq_epi8(x, carriage)));
        if (mask) return i + __builtin_ctz(mask);
        i += 16;
    }
#endif
    while (i < n && p[i] != '\n' && p[i] != '\r') i++;
    return i;
}

/* The escape whose backslash is at i. */
JS_STATIC ptrdiff_t js_escape(JsText *text, ptrdiff_t i) {
    int digit;
    if (i + 1 >= text->n) return js_fail(text, JS_NOT_JSON, text->n);
    switch (text->p[i + 1]) {
    case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
        return i + 2;
    case 'u':
        for (digit = 2; digit < 6; digit++) {
            if (i + digit >= text->n) return js_fail(text, JS_NOT_JSON, text->n);
            if (js_hex(text->p[i + digit]) < 0) return js_fail(text, JS_NOT_JSON, i + digit);
        }
        return i + 6;
    default:
        return js_fail(text, JS_NOT_JSON, i + 1);
    }
}

/* The string whose opening quote is at i; *escaped is set where it has a backslash. */
JS_INLINE ptrdiff_t js_string(JsText *text, ptrdiff_t i, int *escaped) {
    const unsigned char *p = text->p;
    const ptrdiff_t n = text->n;
    *escaped = 0;
    i++;
    for (;;) {
        i = js_plain_ascii(p, i, n);
        if (i >= n) return js_fail(text, JS_NOT_JSON, n);
        if (p[i] == '"') return i + 1;
        if (p[i] == '\\') {
            *escaped = 1;
            if ((i = js_escape(text, i)) < 0) return -1;
        } else if (p[i] < 0x20) {
            return js_fail(text, JS_NOT_JSON, i);
        } else {
            do { /* text that is not ASCII comes in runs, mostly of three bytes a character */
                int length;
                if (n - i >= 3 && p[i] > 0xE0 && p[i] < 0xED && (p[i + 1] & 0xC0) == 0x80 && (p[i + 2] & 0xC0) == 0x80) {
                    i += 3;
                    continue;
                }
                length = js_utf8(p, i, n);
                if (!length) return js_fail(text, JS_NOT_UTF8, i);
                i += length;
            } while (i < n && p[i] >= 0x80);
        }
    }
}

JS_INLINE ptrdiff_t js_digits(JsText *text, ptrdiff_t i) {
    ptrdiff_t start = i;
    while (i < text->n && text->p[i] >= '0' && text->p[i] <= '9') i++;
    return i > start ? i : js_fail(text, JS_NOT_JSON, i);
}

JS_STATIC ptrdiff_t js_number(JsText *text, ptrdiff_t i) {
    const unsigned char *p = text->p;
    if (p[i] == '-') i++;
    if (i < text->n && p[i] == '0') i++;
    else if ((i = js_digits(text, i)) < 0) return -1;
    if (i < text->n && p[i] == '.' && (i = js_digits(text, i + 1)) < 0) return -1;
    if (i < text->n && (p[i] == 'e' || p[i] == 'E')) {
        i++;
        if (i < text->n && (p[i] == '+' || p[i] == '-')) i++;
        if ((i = js_digits(text, i)) < 0) return -1;
    }
    return i;
}

JS_STATIC ptrdiff_t js_word(JsText *text, ptrdiff_t i, const char *word) {
    for (; *word; word++, i++)
        if (i >= text->n || text->p[i] != (unsigned char)*word) return js_fail(text, JS_NOT_JSON, i);
    return i;
}

/* Undo the escapes of an already walked string into `out`; its length, or -1 where it is longer or not all ASCII. */
JS_STATIC int js_decode(const unsigned char *p, ptrdiff_t i, ptrdiff_t end, char *out, int room) {
    int length = 0, code, digit;
    while (i < end) {
        if (length == room || p[i] >= 0x80) return -1;
        code = p[i++];
        if (code == '\\') {
            code = p[i++];
            switch (code) {
            case 'b': code = '\b'; break;
            case 'f': code = '\f'; break;
            case 'n': code = '\n'; break;
            case 'r': code = '\r'; break;
            case 't': code = '\t'; break;
            case 'u':
                for (code = 0, digit = 0; digit < 4; digit++) code = code << 4 | (js_hex(p[i++]) & 15);
                break;
            }
            if (code >= 0x80) return -1;
        }
        out[length++] = (char)code;
    }
    return length;
}

/* Does the string value whose opening quote is at i begin with "http", in any case and any spelling? */
JS_STATIC int js_begins_with_http(const JsText *text, ptrdiff_t i) {
    static const char http[] = "http";
    char spelled[6];
    int k, length;
    for (k = 0, i++; k < 4; k++) {
        ptrdiff_t step = 1;
        if (i >= text->n || text->p[i] == '"') return 0;
        if (text->p[i] == '\\') step = i + 1 < text->n && text->p[i + 1] == 'u' ? 6 : 2;
        if (i + step > text->n) return 0;
        length = js_decode(text->p, i, i + step, spelled, sizeof spelled);
        if (length != 1 || (spelled[0] | 0x20) != http[k]) return 0;
        i += step;
    }
    return 1;
}

/* Count the field whose name is name[0:length] and whose value starts at i, where it brings in what the bytes do not show. */
JS_INLINE void js_count_media(JsText *text, const char *name, ptrdiff_t length, ptrdiff_t i) {
    switch (length) {
    case 3:
        if (!memcmp(name, "url", 3) && i < text->n && text->p[i] == '"') text->media += js_begins_with_http(text, i);
        break;
    case 7:
        text->media += !memcmp(name, "file_id", 7) || !memcmp(name, "fileUri", 7);
        break;
    case 8:
        text->media += !memcmp(name, "file_url", 8) || !memcmp(name, "file_uri", 8);
        break;
    case 9:
        text->media += !memcmp(name, "image_url", 9);
        break;
    case 11:
        text->media += !memcmp(name, "input_image", 11);
        break;
    /* what the provider keeps and puts before the text; null names nothing */
    case 13:
        text->media += !memcmp(name, "cachedContent", 13) && i < text->n && text->p[i] != 'n';
        break;
    case 14:
        text->media += !memcmp(name, "cached_content", 14) && i < text->n && text->p[i] != 'n';
        break;
    case 20:
        text->media += !memcmp(name, "previous_response_id", 20) && i < text->n && text->p[i] != 'n';
        break;
    }
}

/* The key at i, its colon, and the spaces about it: the offset of the value. *name and *length are the decoded key; a key that is
   too long for `room` or not ASCII has length -1 (no name that anyone looks for is). */
JS_INLINE ptrdiff_t js_key(JsText *text, ptrdiff_t i, char *room, const char **name, ptrdiff_t *length) {
    ptrdiff_t start = i + 1;
    int escaped;
    if (i >= text->n || text->p[i] != '"') return js_fail(text, JS_NOT_JSON, i);
    if ((i = js_string(text, i, &escaped)) < 0) return -1;
    if (escaped) {
        *length = js_decode(text->p, start, i - 1, room, JS_NAME_BYTES);
        *name = room;
    } else {
        *length = i - 1 - start;
        *name = (const char *)text->p + start;
    }
    i = js_space(text, i);
    if (i >= text->n || text->p[i] != ':') return js_fail(text, JS_NOT_JSON, i);
    i = js_space(text, i + 1);
    js_count_media(text, *name, *length, i);
    return i;
}

/* One value at i, whatever it holds; `around` containers are open about it. One bit a level says whether it is an object. */
JS_STATIC ptrdiff_t js_value(JsText *text, ptrdiff_t i, int around) {
    const unsigned char *p = text->p;
    const ptrdiff_t n = text->n;
    uint64_t objects[JS_DEPTH / 64] = {0};
    char room[JS_NAME_BYTES];
    const char *name;
    ptrdiff_t length;
    int open = 0, escaped;

value:
    if (i >= n) return js_fail(text, JS_NOT_JSON, n);
    switch (p[i]) {
    case '"':
        i = js_string(text, i, &escaped);
        break;
    case '{':
        if (around + open >= JS_DEPTH) return js_fail(text, JS_TOO_DEEP, i);
        objects[open >> 6] |= (uint64_t)1 << (open & 63);
        open++;
        i = js_space(text, i + 1);
        if (i < n && p[i] == '}') goto close;
        goto key;
    case '[':
        if (around + open >= JS_DEPTH) return js_fail(text, JS_TOO_DEEP, i);
        objects[open >> 6] &= ~((uint64_t)1 << (open & 63));
        open++;
        i = js_space(text, i + 1);
        if (i < n && p[i] == ']') goto close;
        goto value;
    case 't': i = js_word(text, i, "true"); break;
    case 'f': i = js_word(text, i, "false"); break;
    case 'n': i = js_word(text, i, "null"); break;
    case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
        i = js_number(text, i);
        break;
    default:
        return js_fail(text, JS_NOT_JSON, i);
    }
    if (i < 0) return -1;

after:
    if (open == 0) return i;
    i = js_space(text, i);
    if (i >= n) return js_fail(text, JS_NOT_JSON, n);
    if (objects[(open - 1) >> 6] >> ((open - 1) & 63) & 1) {
        if (p[i] == ',') {
            i = js_space(text, i + 1);
            goto key;
        }
        if (p[i] == '}') goto close;
    } else {
        if (p[i] == ',') {
            i = js_space(text, i + 1);
            goto value;
        }
        if (p[i] == ']') goto close;
    }
    return js_fail(text, JS_NOT_JSON, i);

key:
    if ((i = js_key(text, i, room, &name, &length)) < 0) return -1;
    goto value;

close:
    open--;
    i++;
    goto after;
}

#endif
