"""Price a usage in integer nano-dollars: choose the tier, multiply in 128 bits, round up once.

Input: a Price (rates in nano-dollars per million tokens) and a Usage or token counts; negative counts are taken as 0.
Output: nano-dollars as int64, at most INT64_MAX (a sum beyond that is cut there, never wrapped).
Ownership: nothing is allocated and nothing kept; a PriceRow owns its Price by value.
Limits: MAX_TIERS tiers; the tier is chosen by the whole input and then holds for every token of the request.
Unknown price (`known` false): `charge` says -1, `charge_at_most` INT64_MAX, `affordable_output` 0. Ask `known` first.
Complexity: O(tiers); about ten multiplications and one division.

The parts of an input overlap in ways that replies do not state (a cached token may be an audio token). They are taken as
disjoint, the dearest kinds first, and never as more than the whole: so `charge` never passes `charge_at_most`.
"""
from libc.stdint cimport INT64_MAX, int64_t
from libc.string cimport memset
from fastgw._core.usage cimport Usage

cdef extern from * nogil:
    """
    typedef unsigned __int128 fastgw_wide;

    static inline fastgw_wide fastgw_times(int64_t tokens, int64_t rate) {
        return (fastgw_wide)(uint64_t)tokens * (uint64_t)rate;
    }

    /* Millionths to units, rounded up, plus a fixed part; cut at INT64_MAX. Needs fixed >= 0. */
    static inline int64_t fastgw_settle(fastgw_wide millionths, int64_t fixed) {
        uint64_t units;
        if (millionths >> 64) {
            fastgw_wide wide = (millionths + 999999) / 1000000;
            if (wide > (fastgw_wide)INT64_MAX) return INT64_MAX;
            units = (uint64_t)wide;
        } else {                      /* the common case: one 64-bit division instead of a library call */
            uint64_t narrow = (uint64_t)millionths;
            units = narrow / 1000000 + (narrow % 1000000 != 0);
        }
        return units > (uint64_t)(INT64_MAX - fixed) ? INT64_MAX : (int64_t)units + fixed;
    }

    /* How often `rate` millionths fit into `room` units beside what is spent already; rate > 0, room >= 0. */
    static inline int64_t fastgw_fit(int64_t room, fastgw_wide spent, int64_t rate) {
        fastgw_wide whole = (fastgw_wide)(uint64_t)room * 1000000;
        fastgw_wide count;
        if (whole < spent) return 0;
        count = (whole - spent) / (uint64_t)rate;
        return count > (fastgw_wide)INT64_MAX ? INT64_MAX : (int64_t)count;
    }
    """
    # Only the C compiler needs to know its width; Cython never converts it.
    ctypedef unsigned long long wide "fastgw_wide"
    wide times "fastgw_times"(int64_t tokens, int64_t rate)
    int64_t settle "fastgw_settle"(wide millionths, int64_t fixed)
    int64_t fit "fastgw_fit"(int64_t room, wide spent, int64_t rate)


cdef inline int64_t between(int64_t value, int64_t most) noexcept nogil:
    """Cut a count that a peer stated to 0..most."""
    if value < 0:
        return 0
    return value if value < most else most


cdef inline int64_t stated(int64_t rate, int64_t otherwise) noexcept nogil:
    return rate if rate >= 0 else otherwise


cdef inline const Rates* tier_of(const Price* price, int64_t input_tokens) noexcept nogil:
    """The last tier that begins below this many input tokens."""
    cdef int index = price.tiers - 1
    while index > 0 and input_tokens <= price.rates[index].above_tokens:
        index -= 1
    return &price.rates[index]


cdef inline int64_t greatest_input(const Rates* rates) noexcept nogil:
    cdef int64_t most = rates.input
    most = max(most, rates.cache_read)
    most = max(most, rates.cache_write)
    most = max(most, rates.cache_write_1h)
    return max(most, rates.audio_input)


cdef inline void greatest(const Price* price, int64_t input_tokens, int64_t* input, int64_t* output) noexcept nogil:
    """The greatest rates of all tiers that a request with at most this input can reach."""
    cdef int index
    input[0] = 0
    output[0] = 0
    for index in range(price.tiers):
        if index > 0 and input_tokens <= price.rates[index].above_tokens:
            break
        input[0] = max(input[0], greatest_input(&price.rates[index]))
        output[0] = max(output[0], max(price.rates[index].output, price.rates[index].audio_output))


cdef int64_t charge(const Price* price, const Usage* usage) noexcept nogil:
    """What a usage costs; -1 where the price is unknown."""
    cdef int64_t whole, rest, audio, written, written_1h, read, output, output_audio, write_rate
    cdef const Rates* rates
    cdef wide sum
    if not price.known:
        return -1
    whole = between(usage.input_tokens, INT64_MAX)
    rates = tier_of(price, whole)
    write_rate = stated(rates.cache_write, rates.input)

    # The dearest first: what a peer's odd figures count twice is charged at the higher rate.
    audio = between(usage.audio_input_tokens, whole)
    rest = whole - audio
    written = between(usage.cache_write_tokens, rest)
    rest -= written
    written_1h = between(usage.cache_write_1h_tokens, written)
    read = between(usage.cache_read_tokens, rest)
    rest -= read
    output = between(usage.output_tokens, INT64_MAX)
    output_audio = between(usage.audio_output_tokens, output)

    sum = times(rest, rates.input)
    if audio:
        sum = sum + times(audio, stated(rates.audio_input, rates.input))
    if written:
        sum = sum + times(written - written_1h, write_rate) + times(written_1h, stated(rates.cache_write_1h, write_rate))
    if read:
        sum = sum + times(read, stated(rates.cache_read, rates.input))
    sum = sum + times(output - output_audio, rates.output)
    if output_audio:
        sum = sum + times(output_audio, stated(rates.audio_output, rates.output))
    return settle(sum, price.request_nano_usd)


cdef int64_t charge_at_most(const Price* price, int64_t input_tokens, int64_t output_tokens) noexcept nogil:
    """The greatest `charge` of any usage within these counts; INT64_MAX where the price is unknown."""
    cdef int64_t input_rate = 0, output_rate = 0
    if not price.known:
        return INT64_MAX
    input_tokens = between(input_tokens, INT64_MAX)
    greatest(price, input_tokens, &input_rate, &output_rate)
    return settle(
        times(input_tokens, input_rate) + times(between(output_tokens, INT64_MAX), output_rate), price.request_nano_usd
    )


cdef int64_t affordable_output(const Price* price, int64_t input_tokens, int64_t nano_usd) noexcept nogil:
    """The most output tokens whose `charge_at_most` stays within the sum; 0 where even the input does not fit."""
    cdef int64_t input_rate = 0, output_rate = 0, room
    if not price.known or nano_usd < price.request_nano_usd:
        return 0
    if nano_usd == INT64_MAX:      # no bound at all, and `settle` cuts there
        return INT64_MAX
    room = nano_usd - price.request_nano_usd
    input_tokens = between(input_tokens, INT64_MAX)
    greatest(price, input_tokens, &input_rate, &output_rate)
    if output_rate == 0:
        return INT64_MAX if settle(times(input_tokens, input_rate), 0) <= room else 0
    return fit(room, times(input_tokens, input_rate), output_rate)


cdef class PriceRow:
    """One model's price with where it comes from; without tiers it is unknown but may still state limits.

    tiers              rows of (above_tokens, input, output, cache_read, cache_write, cache_write_1h, audio_input,
                       audio_output), ascending, the first above 0; nano-dollars per million tokens, -1 as plain
    request_nano_usd   for each request
    context_tokens, max_output_tokens   0 unknown
    raises             ValueError where the rows are not so
    """

    def __init__(self, tiers=(), int64_t request_nano_usd=0, int64_t context_tokens=0, int64_t max_output_tokens=0,
                 str source="", str date=""):
        cdef Rates* rates
        cdef int64_t previous = -1
        if len(tiers) > MAX_TIERS:
            raise ValueError(f"expected at most {MAX_TIERS} tiers, got {len(tiers)}")
        if min(request_nano_usd, context_tokens, max_output_tokens) < 0:
            raise ValueError("expected request price and limits of at least 0")
        memset(&self.price, 0, sizeof(Price))
        for index, row in enumerate(tiers):
            rates = &self.price.rates[index]
            (rates.above_tokens, rates.input, rates.output, rates.cache_read, rates.cache_write, rates.cache_write_1h,
             rates.audio_input, rates.audio_output) = row
            if rates.above_tokens <= previous or (index == 0 and rates.above_tokens != 0):
                raise ValueError(f"expected tiers ascending from 0, got {rates.above_tokens} after {previous}")
            if rates.input < 0 or rates.output < 0 or min(row) < -1:
                raise ValueError("expected rates of at least 0")
            previous = rates.above_tokens
        self.price.known = len(tiers) > 0
        self.price.tiers = len(tiers)
        self.price.request_nano_usd = request_nano_usd
        self.price.context_tokens = context_tokens
        self.price.max_output_tokens = max_output_tokens
        self.source = source
        self.date = date

    @property
    def known(self):
        return bool(self.price.known)

    @property
    def tiers(self):
        cdef const Rates* rates
        rows = []
        for index in range(self.price.tiers):
            rates = &self.price.rates[index]
            rows.append((rates.above_tokens, rates.input, rates.output, rates.cache_read, rates.cache_write,
                         rates.cache_write_1h, rates.audio_input, rates.audio_output))
        return tuple(rows)

    @property
    def request_nano_usd(self):
        return self.price.request_nano_usd

    @property
    def context_tokens(self):
        return self.price.context_tokens

    @property
    def max_output_tokens(self):
        return self.price.max_output_tokens

    def charge(self, int64_t input_tokens=0, int64_t output_tokens=0, *, int64_t cache_read_tokens=0,
               int64_t cache_write_tokens=0, int64_t cache_write_1h_tokens=0, int64_t audio_input_tokens=0,
               int64_t audio_output_tokens=0):
        cdef Usage usage
        memset(&usage, 0, sizeof(Usage))
        usage.input_tokens = input_tokens
        usage.output_tokens = output_tokens
        usage.cache_read_tokens = cache_read_tokens
        usage.cache_write_tokens = cache_write_tokens
        usage.cache_write_1h_tokens = cache_write_1h_tokens
        usage.audio_input_tokens = audio_input_tokens
        usage.audio_output_tokens = audio_output_tokens
        return charge(&self.price, &usage)

    def charge_at_most(self, int64_t input_tokens, int64_t output_tokens):
        return charge_at_most(&self.price, input_tokens, output_tokens)

    def affordable_output(self, int64_t input_tokens, int64_t nano_usd):
        return affordable_output(&self.price, input_tokens, nano_usd)

    def __repr__(self):
        return f"PriceRow(tiers={self.tiers}, source={self.source!r}, date={self.date!r})"


def _bench_charge(PriceRow row not None, Py_ssize_t rounds):
    """Charge a usage with a cached part `rounds` times; returns the sum so that nothing is optimised away."""
    cdef Usage usage
    cdef Py_ssize_t index
    cdef int64_t sum = 0
    memset(&usage, 0, sizeof(Usage))
    with nogil:
        for index in range(rounds):
            usage.input_tokens = 1000 + (index & 1023)
            usage.cache_read_tokens = 512
            usage.output_tokens = 200 + (index & 255)
            sum += charge(&row.price, &usage)
    return sum


def _bench_admission(PriceRow row not None, Py_ssize_t rounds):
    """What admission asks for a request: the most it can cost and the output that a rest pays for."""
    cdef Py_ssize_t index
    cdef int64_t sum = 0
    with nogil:
        for index in range(rounds):
            sum ^= charge_at_most(&row.price, 1000 + (index & 1023), 4096)
            sum ^= affordable_output(&row.price, 1000 + (index & 1023), 1000000000 + index)
    return sum
