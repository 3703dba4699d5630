"""The Python face of the HTTP/1.1 kernel, for tests and benches; the lane uses the Cython one."""

CODES: dict[str, int]
"""NEED_MORE (0) and every HeadError (negative) by name."""

FIELD_IDS: dict[str, int]
"""Every FieldId by its name without "F_"."""

METHODS: dict[int, str]
FIELD_NAMES: tuple[tuple[bytes, int], ...]
"""(lower-case name, FieldId) of the fields that are known by their whole name."""

class ParsedHead:
    """A head with its spans cut out; what the members mean is said at `Head` in http1.pxd.

    target, path, query   bytes as received; query is None where there is no "?"
    fields                (name as received, value without blanks around it, FieldId)
    lines                 the field lines, CRLF included
    """

    @property
    def length(self) -> int: ...
    @property
    def method(self) -> str: ...
    @property
    def minor(self) -> int: ...
    @property
    def status(self) -> int: ...
    @property
    def target(self) -> bytes: ...
    @property
    def path(self) -> bytes: ...
    @property
    def query(self) -> bytes | None: ...
    @property
    def content_length(self) -> int: ...
    @property
    def chunked(self) -> bool: ...
    @property
    def keep_alive(self) -> bool: ...
    @property
    def expect_continue(self) -> bool: ...
    @property
    def upgrade(self) -> bool: ...
    @property
    def has_trailers_te(self) -> bool: ...
    @property
    def fields(self) -> list[tuple[bytes, bytes, int]]: ...
    @property
    def lines(self) -> list[bytes]: ...

class Dechunker:
    """One chunked body, in pieces of any size."""

    def feed(self, piece: bytes) -> tuple[bytes | int, int, bool]:
        """Return (payload, bytes consumed, whether the body is at its end).

        The payload is CODES["BAD_CHUNK"] where the body is broken, and stays so; past the end nothing is consumed.
        """

def parse_request_head(head: bytes, limit: int = 65536) -> ParsedHead | int:
    """Parse the bytes so far of a request; a code of CODES where they are not, or not yet, a head of `limit` bytes."""

def parse_response_head(head: bytes, limit: int = 65536) -> ParsedHead | int:
    """Parse the bytes so far of a response, likewise."""

def _bench_request(head: bytes, rounds: int) -> int: ...
def _bench_response(head: bytes, rounds: int) -> int: ...
def _bench_dechunk(body: bytes, rounds: int) -> int: ...
