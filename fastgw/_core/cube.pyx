"""Sums and histograms of records by the names they share: fold records in, keep as bytes, merge under other names.

input     rows of records as tuples; bodies, which are bytes that `encode` made (a damaged one is refused, with nothing read beyond it)
output    bodies; cells as tuples of names and integers
memory    the cube owns its cells; a histogram is the window of its buckets in use, some hundred bytes
limits    most_cells; what has no room goes to the cell where all names but the first are `other`
time      a record 0.3 us, a row of a body some 50 ns and 2 ns for each bucket in it

A body is: version, numbers of dimensions, of sums and of histograms; for each dimension its names; then rows of name indexes, sums and
histograms (length in bytes, then pairs of distance to the bucket before and count). All numbers are LEB128. A body with fewer sums or
histograms than there are now reads as if they were zero, so a sum can be added at the end.
"""
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint64_t
from libc.string cimport memcpy, memset

cdef extern from *:
    int __builtin_clzll(unsigned long long) nogil

SUMS = (
    "requests", "errors", "timed", "first_bytes", "latency_ns", "first_byte_ns", "gateway_ns", "cost_nano_usd", "unpriced",
    "saved_nano_usd", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "retries",
    "rescued_by_retry", "rescued_by_fallback", "last_seen_s",
)
HISTOGRAMS = ("latency", "first_byte", "gateway", "retries")
SOURCES = (
    "seq", "status", "outcome", "attempts", "retries", "finished_ns", "first_byte_ns", "gateway_ns", "cost_nano_usd", "saved_nano_usd",
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens",
)
OTHER = "other"

cdef enum:
    VERSION = 1
    MOST_DIMENSIONS = 16
    LAST_SEEN = 18
    N_SUMS = 19
    N_HISTOGRAMS = 4
    N_SOURCES = 15
    N_BUCKETS = 640            # 16 to a doubling, up to 2**43 ns, or 2.4 hours
    SEQ = 0
    STATUS = 1
    OUTCOME = 2
    ATTEMPTS = 3
    RETRIES = 4
    FINISHED = 5
    FIRST_BYTE = 6
    GATEWAY = 7
    COST = 8
    SAVED = 9
    TOKENS = 10                # five, in the order of the sums

cdef tuple STATUS_NAMES = tuple([str(status) for status in range(1000)])

cdef struct Window:            # counts of the buckets first .. first + size - 1
    int64_t* counts
    uint16_t first
    uint16_t size

cdef struct Cell:
    int64_t sums[N_SUMS]
    Window windows[N_HISTOGRAMS]

cdef struct Reading:           # of a body
    const uint8_t* at
    const uint8_t* end
    bint is_short              # it ended too early, or a number is none


cdef inline int bucket_of(int64_t value) noexcept nogil:
    cdef int exponent
    if value < 16:
        return <int>value if value > 0 else 0
    exponent = 63 - __builtin_clzll(<unsigned long long>value)
    if exponent > 42:
        return N_BUCKETS - 1
    return ((exponent - 3) << 4) | <int>((value >> (exponent - 4)) & 15)


cdef inline int64_t middle_of(int bucket) noexcept nogil:
    cdef int shift
    if bucket < 16:
        return bucket
    shift = (bucket >> 4) - 1
    return ((<int64_t>(16 + (bucket & 15))) << shift) + ((<int64_t>1 << shift) >> 1)


cdef int count_in(Window* window, int bucket, int64_t count) except -1:
    """Add to a bucket; the window grows by whole groups of eight."""
    cdef int first, size
    cdef int64_t* counts
    if window.counts == NULL or bucket < window.first or bucket >= window.first + window.size:
        first = bucket & ~7
        size = first + 8
        if window.counts != NULL:
            first = min(first, window.first)
            size = max(size, window.first + window.size)
        size -= first
        counts = <int64_t*>PyMem_Malloc(size * sizeof(int64_t))
        if counts == NULL:
            raise MemoryError
        memset(counts, 0, size * sizeof(int64_t))
        if window.counts != NULL:
            memcpy(counts + (window.first - first), window.counts, window.size * sizeof(int64_t))
            PyMem_Free(window.counts)
        window.counts = counts
        window.first = <uint16_t>first
        window.size = <uint16_t>size
    window.counts[bucket - window.first] += count
    return 0


cdef inline uint64_t take(Reading* reading) noexcept nogil:
    # nearly all are of one byte
    if reading.at < reading.end and reading.at[0] < 0x80:
        reading.at += 1
        return (reading.at - 1)[0]
    return take_long(reading)


cdef uint64_t take_long(Reading* reading) noexcept nogil:
    cdef uint64_t value = 0
    cdef int shift = 0
    cdef uint8_t byte
    while reading.at < reading.end and shift < 64:
        byte = reading.at[0]
        reading.at += 1
        value |= (<uint64_t>(byte & 0x7F)) << shift
        if not byte & 0x80:
            return value
        shift += 7
    reading.is_short = True
    return 0


cdef inline void skip(Reading* reading, int count) noexcept nogil:
    """Go on behind so many numbers."""
    while count > 0 and reading.at < reading.end:
        count -= reading.at[0] < 0x80
        reading.at += 1
    if count > 0:
        reading.is_short = True


cdef int write(bytearray to, uint64_t value) except -1:
    while value >= 0x80:
        to.append(<uint8_t>(value | 0x80))
        value >>= 7
    to.append(<uint8_t>value)
    return 0


cdef class Cube:
    """Cells by tuples of names, in the order of `dimensions`. Not for use by two threads at a time."""

    cdef readonly tuple dimensions
    cdef readonly Py_ssize_t most_cells
    cdef dict index            # names to the cell's number
    cdef Cell* cells
    cdef Py_ssize_t used, room
    cdef Py_ssize_t sources[N_SOURCES]
    cdef Py_ssize_t places[MOST_DIMENSIONS]

    def __init__(self, tuple dimensions, tuple fields=(), Py_ssize_t most_cells=20_000):
        self.empty()
        if len(dimensions) > MOST_DIMENSIONS:
            raise ValueError(f"expected up to {MOST_DIMENSIONS} dimensions, got {len(dimensions)}")
        self.dimensions = dimensions
        self.most_cells = most_cells
        self.index = {}
        for at, name in enumerate(SOURCES):
            self.sources[at] = fields.index(name) if fields else -1
        for at, name in enumerate(dimensions):
            self.places[at] = fields.index(name) if name in fields else -1

    def __dealloc__(self):
        self.empty()
        PyMem_Free(self.cells)

    def __len__(self):
        return self.used

    def __repr__(self):
        return f"Cube({', '.join(self.dimensions)}: {self.used} cells)"

    def clear(self) -> None:
        self.index = {}
        self.empty()

    cdef void empty(self) noexcept:
        cdef Py_ssize_t at
        cdef int which
        for at in range(self.used):
            for which in range(N_HISTOGRAMS):
                PyMem_Free(self.cells[at].windows[which].counts)
        self.used = 0

    cdef Py_ssize_t cell_of(self, tuple names) except -1:
        cdef Cell* cells
        known = self.index.get(names)
        if known is not None:
            return known
        if self.used >= self.most_cells and len(names) > 1:
            names = (names[0], *([OTHER] * (len(names) - 1)))
            known = self.index.get(names)
            if known is not None:
                return known
        if self.used == self.room:
            cells = <Cell*>PyMem_Realloc(self.cells, max(16, 2 * self.room) * sizeof(Cell))
            if cells == NULL:
                raise MemoryError
            self.cells = cells
            self.room = max(16, 2 * self.room)
        memset(&self.cells[self.used], 0, sizeof(Cell))
        self.index[names] = self.used
        self.used += 1
        return self.used - 1

    # -- records in

    def fold(self, list rows) -> None:
        """Add records under the names that stand in their own fields."""
        cdef Py_ssize_t at, n = len(self.dimensions)
        cdef tuple row, names
        for row in rows:
            names = PyTuple_New(n)
            for at in range(n):
                name = row[self.places[at]]
                if type(name) is int:
                    name = STATUS_NAMES[name] if 0 <= name < 1000 else str(name)
                Py_INCREF(name)
                PyTuple_SET_ITEM(names, at, name)
            self.put(&self.cells[self.cell_of(names)], row)

    def add(self, tuple names, tuple row) -> None:
        """Add one record under these names."""
        self.put(&self.cells[self.cell_of(names)], row)

    cdef int64_t number(self, tuple row, int source) except? -1:
        return row[self.sources[source]]

    cdef int put(self, Cell* cell, tuple row) except -1:
        cdef int64_t* sums = cell.sums
        cdef int64_t cost = self.number(row, COST), finished = self.number(row, FINISHED), first = self.number(row, FIRST_BYTE)
        cdef int64_t gateway = self.number(row, GATEWAY), retries = self.number(row, RETRIES), seen = self.number(row, SEQ) // 1_000_000_000
        cdef int64_t fallbacks = self.number(row, ATTEMPTS) - 1 - retries
        cdef str outcome = row[self.sources[OUTCOME]]
        cdef int at
        sums[0] += 1
        if outcome == "failed" or outcome == "lost" or self.number(row, STATUS) >= 400:
            sums[1] += 1
        if outcome != "lost" and finished >= 0:    # how long a lost one took nobody knows
            sums[2] += 1
            sums[4] += finished
            sums[6] += max(gateway, 0)
            count_in(&cell.windows[0], bucket_of(finished), 1)
            count_in(&cell.windows[2], bucket_of(gateway), 1)
            if first >= 0:
                sums[3] += 1
                sums[5] += first
                count_in(&cell.windows[1], bucket_of(first), 1)
        if cost < 0:
            sums[8] += 1
        else:
            sums[7] += cost
        sums[9] += self.number(row, SAVED)
        for at in range(5):
            sums[10 + at] += self.number(row, TOKENS + at)
        if retries > 0 or fallbacks > 0:
            sums[15] += retries
            if outcome == "served":
                if fallbacks > 0:
                    sums[17] += 1
                else:
                    sums[16] += 1
                    count_in(&cell.windows[3], bucket_of(retries), 1)
        if seen > sums[LAST_SEEN]:
            sums[LAST_SEEN] = seen
        return 0

    # -- bodies

    def encode(self) -> bytes:
        cdef bytearray to = bytearray()
        cdef list known = [{} for _ in self.dimensions]
        cdef list keys = list(self.index)
        cdef Py_ssize_t number
        cdef int at
        for names in keys:
            for at in range(len(names)):
                (<dict>known[at]).setdefault(names[at], len(<dict>known[at]))
        for number in (VERSION, len(self.dimensions), N_SUMS, N_HISTOGRAMS):
            write(to, number)
        for names in known:
            write(to, len(names))
            for name in names:
                text = name.encode("utf-8", "surrogatepass")
                write(to, len(text))
                to += text
        write(to, len(keys))
        for number, names in enumerate(keys):      # cells are numbered in the order of the index
            for at in range(len(names)):
                write(to, (<dict>known[at])[names[at]])
            self.write_cell(to, &self.cells[number])
        return bytes(to)

    cdef int write_cell(self, bytearray to, Cell* cell) except -1:
        cdef int at, bucket, before
        cdef Window* window
        cdef bytearray pairs
        for at in range(N_SUMS):
            write(to, <uint64_t>cell.sums[at])
        for at in range(N_HISTOGRAMS):
            window = &cell.windows[at]
            pairs = bytearray()
            before = 0
            for bucket in range(window.size):
                if window.counts[bucket]:
                    write(pairs, window.first + bucket - before)
                    write(pairs, <uint64_t>window.counts[bucket])
                    before = window.first + bucket
            write(to, len(pairs))
            to += pairs
        return 0

    def merge(self, bytes body, object slot=None, tuple keep=None, tuple allowed=(), int histograms=15) -> None:
        """Add the rows of a body. Raises ValueError where it is damaged.

        `keep`: which of the body's dimensions name a cell here, all by default; `slot`, where given, is their first name. `allowed`:
        pairs of a dimension's position and the frozenset of names that pass. `histograms`: a bit each for those that are wanted.
        """
        cdef Rows rows = Rows(body, slot, keep, allowed)
        cdef Reading* reading = &rows.reading
        cdef uint64_t number
        cdef Py_ssize_t place
        for number in range(rows.count):
            place = rows.place(self)
            self.read_cell(reading, rows.sums, rows.histograms, place, histograms)
            if reading.is_short:
                raise ValueError(f"expected {rows.count} rows in a body, found it damaged in row {number}")

    cdef int read_cell(self, Reading* reading, int n_sums, int n_histograms, Py_ssize_t place, int wanted) except -1:
        cdef Cell* cell = &self.cells[place] if place >= 0 else NULL
        cdef Window* window
        cdef int at, known = 0 if cell == NULL else min(n_sums, N_SUMS)
        cdef uint64_t value, length, bucket
        cdef const uint8_t* end
        for at in range(min(known, LAST_SEEN)):
            cell.sums[at] += <int64_t>take(reading)
        if known > LAST_SEEN:
            cell.sums[LAST_SEEN] = max(cell.sums[LAST_SEEN], <int64_t>take(reading))
        skip(reading, n_sums - known)
        for at in range(n_histograms):
            length = take(reading)
            if length > <uint64_t>(reading.end - reading.at):
                reading.is_short = True
                return 0
            end = reading.at + length
            if cell == NULL or at >= N_HISTOGRAMS or not wanted >> at & 1:
                reading.at = end
                continue
            bucket = 0
            window = &cell.windows[at]
            while reading.at < end and not reading.is_short:
                bucket += take(reading)
                value = take(reading)
                if bucket >= N_BUCKETS or reading.at > end:
                    reading.is_short = True
                elif window.first <= bucket < <uint64_t>(window.first + window.size):
                    window.counts[bucket - window.first] += <int64_t>value
                else:
                    count_in(window, <int>bucket, <int64_t>value)
        return 0

    def renamed(self, dict names):
        """Return a cube where cells have other names; None takes a cell out."""
        cdef Cube made = Cube(self.dimensions, most_cells=self.most_cells)
        cdef Cell* to
        cdef Cell* cell
        cdef int which, bucket
        for old, number in self.index.items():
            chosen = names.get(old, old)
            if chosen is None:
                continue
            to, cell = &made.cells[made.cell_of(chosen)], &self.cells[<Py_ssize_t>number]
            for which in range(N_SUMS):
                to.sums[which] = max(to.sums[which], cell.sums[which]) if which == LAST_SEEN else to.sums[which] + cell.sums[which]
            for which in range(N_HISTOGRAMS):
                for bucket in range(cell.windows[which].size):
                    if cell.windows[which].counts[bucket]:
                        count_in(&to.windows[which], cell.windows[which].first + bucket, cell.windows[which].counts[bucket])
        return made

    # -- what is in it

    def sums(self) -> dict:
        """The names of each cell to its sums, in the order of SUMS."""
        cdef Py_ssize_t number
        return {names: tuple([self.cells[number].sums[at] for at in range(N_SUMS)]) for number, names in enumerate(self.index)}

    def requests(self) -> dict:
        """The names of each cell to how many records are in it."""
        cdef Py_ssize_t number
        return {names: self.cells[number].sums[0] for number, names in enumerate(self.index)}

    def quantiles(self, tuple names, int histogram, tuple shares) -> tuple:
        """The middles of the buckets where these shares of the values (ascending) are reached, by nearest rank; () without values."""
        cdef Window* window = &self.cells[<Py_ssize_t>self.index[names]].windows[histogram]
        cdef int64_t total = 0, seen = 0
        cdef int bucket, at = 0
        for bucket in range(window.size):
            total += window.counts[bucket]
        found = []
        for bucket in range(window.size):
            seen += window.counts[bucket]
            while at < len(shares) and total and seen >= <double>shares[at] * total:
                found.append(middle_of(window.first + bucket))
                at += 1
        return tuple(found)

    def counts(self, tuple names, int histogram) -> dict:
        """The middle of each bucket that has values, and how many."""
        cdef Window* window = &self.cells[<Py_ssize_t>self.index[names]].windows[histogram]
        cdef int bucket
        return {
            middle_of(window.first + bucket): window.counts[bucket] for bucket in range(window.size) if window.counts[bucket]
        }


cdef class Rows:
    """A body's head, and which cell each row of it goes to: a name is decoded when a row needs it for the first time."""

    cdef Reading reading
    cdef const char* text
    cdef bytes body
    cdef object slot
    cdef tuple keep, allowed
    cdef int sums, histograms, dimensions
    cdef uint64_t count
    cdef list known            # of each dimension, its names as far as they are decoded
    cdef list passes           # of each pair in `allowed`, a byte for each name: 0 unknown, 1 passes, 2 does not
    cdef uint8_t* verdicts[MOST_DIMENSIONS]    # the same bytes
    cdef int bounded[MOST_DIMENSIONS]          # the dimension of each pair
    cdef int bounds
    cdef int32_t* cells        # by the index of the one name that is kept, -1 unknown; NULL where more are kept
    cdef uint64_t* spots[MOST_DIMENSIONS]      # where each name starts, and its length
    cdef uint64_t sizes[MOST_DIMENSIONS]
    cdef uint64_t row[MOST_DIMENSIONS]

    def __cinit__(self, bytes body, object slot, tuple keep, tuple allowed):
        cdef uint64_t version, number
        cdef int at
        self.body, self.slot, self.allowed = body, slot, allowed
        self.text = PyBytes_AS_STRING(body)
        self.reading.at = <const uint8_t*>self.text
        self.reading.end = self.reading.at + PyBytes_GET_SIZE(body)
        version, number = take(&self.reading), take(&self.reading)
        if version != VERSION or number > MOST_DIMENSIONS:
            raise ValueError(f"expected a body of version {VERSION}, found {version} with {number} dimensions")
        self.dimensions = <int>number
        self.sums, self.histograms = <int>min(take(&self.reading), <uint64_t>255), <int>min(take(&self.reading), <uint64_t>255)
        self.known = []
        for at in range(self.dimensions):
            self.read_names(at)
        self.count = take(&self.reading)
        if self.reading.is_short or self.count > self.left():
            raise ValueError(f"expected a whole body, found one damaged in its first {PyBytes_GET_SIZE(body) - self.left()} bytes")
        self.keep = tuple(range(self.dimensions)) if keep is None else keep
        for position in (*self.keep, *[pair[0] for pair in allowed]):
            if position >= self.dimensions:
                raise ValueError(f"expected more than {position} dimensions in a body, found {self.dimensions}")
        self.bounds = <int>len(allowed)
        if self.bounds > MOST_DIMENSIONS:
            raise ValueError(f"expected up to {MOST_DIMENSIONS} bounds, got {self.bounds}")
        self.passes = [bytearray(<Py_ssize_t>self.sizes[<int>pair[0]] + 1) for pair in allowed]
        for at in range(self.bounds):
            self.bounded[at] = (<tuple>allowed[at])[0]
            self.verdicts[at] = <uint8_t*>PyByteArray_AS_STRING(self.passes[at])
        if len(self.keep) <= 1:
            number = self.sizes[<int>self.keep[0]] if self.keep else 1
            self.cells = <int32_t*>PyMem_Malloc((number + 1) * sizeof(int32_t))
            if self.cells == NULL:
                raise MemoryError
            memset(self.cells, 0xFF, (number + 1) * sizeof(int32_t))

    def __dealloc__(self):
        cdef int at
        PyMem_Free(self.cells)
        for at in range(MOST_DIMENSIONS):
            PyMem_Free(self.spots[at])

    cdef uint64_t left(self) noexcept:
        return <uint64_t>(self.reading.end - self.reading.at)

    cdef int read_names(self, int dimension) except -1:
        cdef uint64_t number, length, size = take(&self.reading)
        if size > self.left():
            self.reading.is_short = True
            size = 0
        self.sizes[dimension] = size
        self.spots[dimension] = <uint64_t*>PyMem_Malloc((size + 1) * 2 * sizeof(uint64_t))
        if self.spots[dimension] == NULL:
            raise MemoryError
        for number in range(size):
            length = take(&self.reading)
            if length > self.left():
                self.reading.is_short = True
                length = 0
            self.spots[dimension][2 * number] = <uint64_t>(self.reading.at - <const uint8_t*>self.text)
            self.spots[dimension][2 * number + 1] = length
            self.reading.at += length
        self.known.append([None] * <Py_ssize_t>size)
        return 0

    cdef str name(self, int dimension, uint64_t number):
        cdef list known = self.known[dimension]
        cdef uint64_t* spot = &self.spots[dimension][2 * number]
        if known[<Py_ssize_t>number] is None:
            known[<Py_ssize_t>number] = PyUnicode_DecodeUTF8(self.text + spot[0], <Py_ssize_t>spot[1], "surrogatepass")
        return known[<Py_ssize_t>number]

    cdef Py_ssize_t place(self, Cube cube) except -2:
        """Read the names of the next row; return its cell in the cube, -1 where it does not pass."""
        cdef int at, position
        cdef uint64_t number
        for at in range(self.dimensions):
            self.row[at] = take(&self.reading)
            if self.row[at] >= self.sizes[at]:
                self.reading.is_short = True
        if self.reading.is_short:
            return -1
        for at in range(self.bounds):
            position = self.bounded[at]
            number = self.row[position]
            if self.verdicts[at][number] == 0:
                self.verdicts[at][number] = 1 if self.name(position, number) in (<tuple>self.allowed[at])[1] else 2
            if self.verdicts[at][number] == 2:
                return -1
        if self.cells == NULL:
            return cube.cell_of(self.names())
        number = self.row[<int>self.keep[0]] if self.keep else 0
        if self.cells[number] < 0:
            self.cells[number] = <int32_t>cube.cell_of(self.names())
        return self.cells[number]

    cdef tuple names(self):
        cdef list names = [self.name(position, self.row[<int>position]) for position in self.keep]
        return tuple(names) if self.slot is None else (self.slot, *names)
