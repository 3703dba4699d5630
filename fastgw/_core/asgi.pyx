"""Requests that an ASGI server has read become flows, and what flows reply goes to the server's `send`.

Input: the three arguments of an ASGI 3 application. Output: calls of Flow, as the lane makes them.
A head is written out as HTTP/1.1 and read by the lane's own parser, so that what is refused there is refused here, whatever the server
let pass; a name or value that would end its line gives a head of another length or other fields, and is refused.
A request is two tasks: the server's own writes, a second one reads the body and then waits for the client to go away.
Ownership: pieces are copied on their way out, since a flow's bytes are valid during its call only. Limits: HIGH_WATER_BYTES unsent
before the upstream is paused; nothing of a streamed body is kept; a whole one is bounded by max_body_bytes.
"""
import asyncio
import logging
from urllib.parse import quote, unquote_to_bytes

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memchr

from fastgw._core.clock cimport monotonic_ns
from fastgw._core.flow cimport BODY_REFUSED, BODY_STREAM, BODY_WHOLE, FAULT_BODY_TIMEOUT, FAULT_BODY_TOO_LARGE
from fastgw._core.http1 cimport BAD_FIELD, BAD_LENGTH, BAD_TARGET, HEAD, parse_request
from fastgw._core.wire cimport HIGH_WATER_BYTES

cdef enum:
    HEAD_LIMIT_BYTES = 65536

cdef int64_t MS = 1000000
cdef dict VERSIONS = {"1": b"HTTP/1.0", "1.0": b"HTTP/1.0"}
cdef bytes REFUSED_BODY = (
    b'{"error":{"message":"this worker has as many requests as max_connections allows; try again",'
    b'"type":"server_error","param":null,"code":"too_many_connections"}}')
cdef list REFUSED_FIELDS = [
    (b"content-type", b"application/json"), (b"x-fastgw-error", b"too_many_connections"), (b"retry-after", b"1"),
    (b"content-length", b"%d" % len(REFUSED_BODY))]

TICK_SECONDS = 0.05
log = logging.getLogger("fastgw.asgi")


class ReplyCutOff(Exception):
    """A reply has begun and cannot be made whole: the server has to close the connection."""


cdef class AsgiFront:
    """One worker's requests from an ASGI server; times in milliseconds, sizes in bytes. Made on the thread that runs the loop."""

    def __init__(self, Poller poller, Application application, *, int max_connections=10000, long long max_body_bytes=67108864,
                 long long body_ms=30000, long long write_ms=60000, cut=None):
        self.poller = poller
        self.application = application
        self.max_connections = max_connections
        self.max_body_bytes = max_body_bytes
        self.body_ns = body_ms * MS
        self.write_ns = write_ms * MS
        self.cut = cut
        self.clients = set()
        self.timer = poller.loop.call_later(TICK_SECONDS, self._tick)

    def __repr__(self):
        return f"<AsgiFront {self.open_count} requests{', stopping' if self.stopping else ''}>"

    async def serve(self, scope, receive, send):
        """One request, from its scope to the last byte of its reply. raises ReplyCutOff"""
        cdef AsgiClient client
        if self.open_count >= self.max_connections:
            self.refused_count += 1
            await send({"type": "http.response.start", "status": 503, "headers": REFUSED_FIELDS})
            await send({"type": "http.response.body", "body": REFUSED_BODY})
            return
        client = AsgiClient(self, scope)
        self.open_count += 1
        self.clients.add(client)
        try:
            await client.run(receive, send)
        finally:
            self.open_count -= 1
            self.clients.discard(client)
            client.flow = None          # client and flow point at one another

    def stop(self):
        """Accepting no more is the server's part; what runs is finished."""
        self.stopping = True

    def abort(self):
        """End every request now; what runs is told that its client is gone."""
        cdef AsgiClient client
        self.timer.cancel()
        for client in list(self.clients):
            client.is_cut = True
            client.leave()

    def leave_together(self, peer):
        """A connection has ended whose server (Granian, over HTTP/2) tells one of its requests so, and only while its reply is awaited."""
        cdef AsgiClient client
        for client in list(self.clients):
            if not client.begun and client.scope.get("client") == peer:
                client.leave()

    def _tick(self):
        cdef AsgiClient client
        cdef int64_t now = monotonic_ns()
        self.timer = self.poller.loop.call_later(TICK_SECONDS, self._tick)
        for client in list(self.clients):
            try:
                client.expire(now)
            except Exception as error:      # the edge of an exchange: counted, logged, and only this client suffers
                client.contain(error)


cdef class AsgiClient(Client):
    """The caller behind an ASGI server, for one request."""

    def __init__(self, AsgiFront front, scope):
        self.front = front
        self.scope = scope
        self.pieces = []
        self.flow = front.application.open(self)

    def __repr__(self):
        return f"<AsgiClient {self.body_bytes} bytes read, {self.unsent} unsent, begun {self.begun}, ended {self.ended}>"

    async def run(self, receive, send):
        self.task = asyncio.current_task()
        reader = None
        first = None
        try:
            if lacks_framing(self.scope):
                # of HTTP/2 without a length only the first message says whether there is a body
                try:
                    async with asyncio.timeout(self.front.body_ns / 1e9):
                        first = await receive()
                except TimeoutError:
                    self.flow.request_fault(FAULT_BODY_TIMEOUT)
                else:
                    if first["type"] == "http.disconnect":
                        return
            if not self.begun:
                try:
                    self.take_head(first is not None and (first.get("more_body", False) or len(first.get("body", b"")) != 0))
                except Exception as error:      # the edge of an exchange
                    self.contain(error)
            if not self.ended:
                reader = self.front.poller.loop.create_task(self.read(first, receive))
            await self.write_all(send)
        except asyncio.CancelledError:
            self.leave()
            if self.write_deadline_ns >= 0:
                raise
            # ours: the caller does not take what is sent, and the server knows no other way to be told
        except ReplyCutOff:
            raise
        except Exception as error:          # the server's: there is nobody to write to
            log.debug("the server gave up on a request: %r", error)
            self.leave()
        finally:
            self.task = None
            if reader is not None:
                reader.cancel()

    # the request

    cdef int take_head(self, bint has_body) except -1:
        """Read the scope; the flow then says what becomes of the body."""
        cdef Head* head = &self.front.head
        cdef bytes text
        cdef list names
        cdef Py_ssize_t n, length
        self.front.poller.now_ns = monotonic_ns()
        try:
            text, names = head_of(self.scope, has_body)
        except ValueError:
            self.body_ended = True
            return self.flow.request_fault(BAD_TARGET)
        n = PyBytes_GET_SIZE(text)
        length = parse_request(PyBytes_AS_STRING(text), n, head, HEAD_LIMIT_BYTES)
        if length > 0 and (length != n or not is_named(head, names)):
            length = BAD_FIELD
        if length <= 0:
            # without an end there is a line break missing, which only a field can hide
            self.body_ended = True
            return self.flow.request_fault(<int>length if length < 0 else BAD_FIELD)
        self.is_head = head.method == HEAD
        self.body_length = 0 if head.content_length < 0 and not head.chunked else head.content_length
        # `head` is the front's: by the time the flow returns, another request may stand there
        self.mode = self.flow.request_head(PyBytes_AS_STRING(text), head)
        if self.mode == BODY_REFUSED:
            self.body_ended = True
        elif self.body_length > self.front.max_body_bytes:
            self.body_ended = True
            self.flow.request_fault(FAULT_BODY_TOO_LARGE)
        elif self.body_length == 0:
            self.take_piece(b"", True)
        return 0

    async def read(self, first, receive):
        """The body as it comes, then the one thing that can still come: that the client is gone."""
        try:
            while not self.body_ended and not self.closed:
                if self.paused:
                    self.resumed = self.front.poller.loop.create_future()
                    await self.resumed
                    continue
                if first is not None:
                    message, first = first, None
                else:
                    self.body_deadline_ns = monotonic_ns() + self.front.body_ns
                    message = await receive()
                    self.body_deadline_ns = 0
                self.front.poller.now_ns = monotonic_ns()
                if message["type"] != "http.request":
                    self.leave()
                    return
                self.take_piece(as_bytes(message.get("body", b"")), not message.get("more_body", False))
            # a refused body is not read, and neither is what a server says of one
            while not self.closed and (await receive())["type"] != "http.disconnect":
                if self.body_length == 0:
                    self.body_length = -1       # the end of a body of no bytes
                    continue
                return
            if self.front.cut is not None and not self.begun and not self.closed:
                self.front.leave_together(self.scope.get("client"))
            self.leave()
        except asyncio.CancelledError:
            return                              # the reply is whole
        except Exception as error:              # the edge of an exchange
            self.contain(error)

    cdef int take_piece(self, bytes piece, bint last) except -1:
        """Some of the body, or the rest of it."""
        cdef Py_ssize_t n = PyBytes_GET_SIZE(piece)
        self.body_bytes += n
        if self.body_bytes > self.front.max_body_bytes:
            self.body_ended = True
            return self.flow.request_fault(FAULT_BODY_TOO_LARGE)
        if self.body_length >= 0 and (self.body_bytes > self.body_length or (last and self.body_bytes != self.body_length)):
            self.body_ended = True
            return self.flow.request_fault(BAD_LENGTH)
        self.body_ended = last
        if self.mode == BODY_STREAM:
            return self.flow.request_piece(PyBytes_AS_STRING(piece), n, last) if n or last else 0
        if last:
            if self.kept is not None:
                self.kept.append(piece)
                piece = b"".join(self.kept)
                self.kept = None
            return self.flow.request_body(PyBytes_AS_STRING(piece), PyBytes_GET_SIZE(piece), piece)
        if self.kept is None:
            self.kept = []
        self.kept.append(piece)
        return 0

    # the reply

    async def write_all(self, send):
        """Hand on what the flow replies, as fast as the server takes it. raises ReplyCutOff"""
        cdef Py_ssize_t n
        cdef bint last, was_slow
        while not self.begun and not self.closed and not self.is_cut:
            await self.something()
        if not self.begun:
            if self.is_cut:
                raise ReplyCutOff("a fault of the gateway left nothing to reply with; its log has the details")
            return
        await send({"type": "http.response.start", "status": self.status, "headers": self.fields})
        while True:
            if self.pieces or self.ended:
                piece = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
                self.pieces.clear()
                last = self.ended
                n = len(piece)
                self.write_deadline_ns = monotonic_ns() + self.front.write_ns
                await send({"type": "http.response.body", "body": piece, "more_body": not last})
                self.write_deadline_ns = 0
                was_slow = self.is_slow()
                self.unsent -= n
                if last:
                    return
                if was_slow and not self.is_slow() and not self.closed:
                    self.front.poller.now_ns = monotonic_ns()
                    try:
                        self.flow.client_drained()
                    except Exception as error:      # the edge of an exchange
                        self.contain(error)
            elif self.is_cut:
                if self.front.cut is not None:
                    await self.front.cut(self.scope)
                    return
                raise ReplyCutOff("the reply broke off; closing the connection tells the caller so")
            elif self.closed:
                return
            else:
                await self.something()

    async def something(self):
        """Until there is something to write, or nobody to write to."""
        self.roused = self.front.poller.loop.create_future()
        try:
            await self.roused
        finally:
            self.roused = None

    cdef int rouse(self) except -1:
        if self.roused is not None and not self.roused.done():
            self.roused.set_result(None)
        return 0

    cdef int reply(self, int status, const char* fields, Py_ssize_t fields_len, const char* body, Py_ssize_t n) except -1:
        return self.start(status, fields, fields_len, n, body, n, True)

    cdef int start(self, int status, const char* fields, Py_ssize_t fields_len, int64_t length,
                   const char* p, Py_ssize_t n, bint last) except -1:
        cdef bint bodiless = status == 204 or status == 304 or status < 200
        if self.begun or self.closed:
            return 0
        self.begun = True
        self.status = status
        self.fields = split_fields(fields, fields_len)
        if length >= 0 and not bodiless:
            self.fields.append((b"content-length", b"%d" % length))
        self.is_head = self.is_head or bodiless
        return self.put(p, n, last)

    cdef int write(self, const char* p, Py_ssize_t n, bint last) except -1:
        if self.ended or self.closed:
            return 0
        return self.put(p, n, last)

    cdef int put(self, const char* p, Py_ssize_t n, bint last) except -1:
        if n and not self.is_head:
            self.pieces.append(PyBytes_FromStringAndSize(p, n))
            self.unsent += n
        self.ended = last
        return self.rouse()

    cdef int done(self) except -1:
        return 0

    cdef int abort(self) except -1:
        self.is_cut = True
        self.body_ended = True
        return self.rouse()

    cdef int pause(self) except -1:
        self.paused = True
        return 0

    cdef int resume(self) except -1:
        self.paused = False
        if self.resumed is not None and not self.resumed.done():
            self.resumed.set_result(None)
        return 0

    cdef bint is_slow(self):
        return self.unsent > HIGH_WATER_BYTES

    cdef bint is_open(self):
        return not self.closed

    cdef tuple origin(self):
        client = self.scope.get("client")
        return str(client[0]) if client else "", self.scope.get("scheme") == "https"

    # ends

    cdef int leave(self) except -1:
        """There is nobody to write to any more."""
        if self.closed:
            return 0
        self.closed = True
        self.resume()
        self.rouse()
        if not self.ended and self.flow is not None:
            self.front.poller.now_ns = monotonic_ns()
            self.flow.gone()
        return 0

    cdef int contain(self, object error) except -1:
        """An exception got this far: the flow answers if it still can."""
        self.front.poller.faults += 1
        self.body_ended = True
        log.error("fault in %r", self, exc_info=error)
        try:
            self.flow.fault(error)
        except Exception as second:             # others are waiting for their turn
            log.error("fault while ending %r", self, exc_info=second)
            self.is_cut = True
            self.leave()
        return 0

    cdef int expire(self, int64_t now) except -1:
        if self.body_deadline_ns != 0 and self.body_deadline_ns <= now and not self.paused:
            self.body_deadline_ns = 0
            self.body_ended = True
            self.front.poller.now_ns = now
            self.flow.request_fault(FAULT_BODY_TIMEOUT)
        if self.write_deadline_ns > 0 and self.write_deadline_ns <= now:
            self.write_deadline_ns = -1
            self.leave()
            if self.task is not None:
                self.task.cancel()
        return 0


cdef bytes as_bytes(object piece):
    return <bytes>piece if type(piece) is bytes else bytes(piece)


cdef bint lacks_framing(scope) except -1:
    """Whether the head does not say if a body follows: HTTP/2 and later need not."""
    if scope["http_version"].startswith("1"):
        return False
    for name, _ in scope["headers"]:
        if name == b"content-length":
            return False
    return True


cdef bint is_named(const Head* head, list names) except -1:
    """Whether a head has these fields and no others: a line break or a colon in one would have made another of it."""
    cdef int i
    if head.count != len(names):
        return False
    for i in range(head.count):
        if head.fields[i].name_len != <Py_ssize_t>len(names[i]):
            return False
    return True


cdef tuple head_of(scope, bint has_body):
    """The head as HTTP/1.1 has it, and the names of its fields. raises ValueError"""
    cdef bytes target = target_of(scope)
    cdef bytes query = scope.get("query_string") or b""
    cdef bytes version = VERSIONS.get(scope["http_version"], b"HTTP/1.1")
    cdef list parts, names = []
    if memchr(PyBytes_AS_STRING(target), c'?', PyBytes_GET_SIZE(target)) != NULL:
        raise ValueError("a question mark in the path")
    parts = [scope["method"].encode("ascii"), b" ", target, b"?" if query else b"", query, b" ", version, b"\r\n"]
    for name, value in scope["headers"]:
        if not value and name == b"host" and version is not b"HTTP/1.1":
            continue                    # Granian's, for a request of HTTP/1.0 that has none
        parts += (name, b": ", value, b"\r\n")
        names.append(name)
    if has_body:
        parts.append(b"transfer-encoding: chunked\r\n")
        names.append(b"transfer-encoding")
    parts.append(b"\r\n")
    return b"".join(parts), names


cdef bytes target_of(scope):
    """The path as the caller wrote it, below where the application is mounted. raises ValueError"""
    cdef bytes path = scope.get("raw_path") or quote(scope["path"], safe="/:@!$&'()*+,;=~").encode("ascii")
    cdef str root = scope.get("root_path", "")
    cdef list steps
    cdef Py_ssize_t depth
    root = root.rstrip("/")
    if not root:
        return path
    # the root is as many steps deep in the path as it was written, whatever of it is percent-encoded
    depth = root.count("/") + 1
    steps = path.split(b"/", depth)
    if unquote_to_bytes(b"/".join(steps[:depth])) != root.encode():
        return path                     # servers differ: this one has taken the root off already
    return b"/" + steps[depth] if len(steps) > depth else b"/"


cdef list split_fields(const char* p, Py_ssize_t n):
    """Field lines as pairs with lower-case names."""
    cdef list out = []
    cdef const char* end = p + n
    cdef const char* colon
    cdef const char* stop
    cdef const char* value
    while p < end:
        stop = <const char*>memchr(p, c'\n', end - p)
        colon = <const char*>memchr(p, c':', stop - p)
        name = PyBytes_FromStringAndSize(p, colon - p).lower()
        value = colon + 1
        p = stop + 1
        while value < stop and (value[0] == c' ' or value[0] == c'\t'):
            value += 1
        while stop > value and ((stop - 1)[0] == c' ' or (stop - 1)[0] == c'\t' or (stop - 1)[0] == c'\r'):
            stop -= 1
        out.append((name, PyBytes_FromStringAndSize(value, stop - value)))
    return out
