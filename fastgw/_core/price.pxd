"""Integer prices and the charge for a usage: nano-dollars, rounded up once at the end."""
from libc.stdint cimport int64_t
from fastgw._core.usage cimport Usage

cdef enum:
    MAX_TIERS = 4

cdef struct Rates:             # nano-dollars per million tokens; -1 where the kind is charged as plain input or output
    int64_t above_tokens       # this tier holds for requests with more input tokens than this
    int64_t input
    int64_t output
    int64_t cache_read
    int64_t cache_write
    int64_t cache_write_1h
    int64_t audio_input
    int64_t audio_output

cdef struct Price:
    bint known
    int tiers                  # at least 1 where known
    Rates rates[MAX_TIERS]     # ascending by above_tokens; the first is 0
    int64_t request_nano_usd   # for each request, whatever its tokens
    int64_t context_tokens     # 0 unknown
    int64_t max_output_tokens  # 0 unknown

cdef int64_t charge(const Price* price, const Usage* usage) noexcept nogil
# The most that so many tokens can cost, whatever kind they turn out to be.
cdef int64_t charge_at_most(const Price* price, int64_t input_tokens, int64_t output_tokens) noexcept nogil
# How many output tokens `nano_usd` pays for beside that input; at least 0.
cdef int64_t affordable_output(const Price* price, int64_t input_tokens, int64_t nano_usd) noexcept nogil

cdef class PriceRow:
    """One model's price with where it comes from."""
    cdef Price price
    cdef readonly str source
    cdef readonly str date
