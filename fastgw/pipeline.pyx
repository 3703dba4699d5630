"""The order of the steps, on one page: it is the gateway's security policy. Steps do not know one another; this page alone calls them.

    head    dispatch > authenticate                          before a byte of the body is read
    begin   decode > plan > cache > admit > fit > send       when the request is whole; fit: splice, or translate
    meter   usage > price > settle                           when the reply is, or when it breaks
    record  exactly one an exchange, whatever its end
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from posix.uio cimport iovec

import asyncio
import logging
import os
from time import time
from urllib.parse import unquote_to_bytes

from fastgw._core.buffer cimport append
from fastgw._core.clock cimport monotonic_ns
from fastgw._core.flow cimport FAULT_BODY_TOO_LARGE
from fastgw._core.http1 cimport F_ACCESS_CONTROL_HEADERS, F_ORIGIN, GET, HEAD, OPTIONS
from fastgw._core.ring cimport CANCELLED, FAILED, REFUSED
from fastgw._core.upstream cimport Leg
from fastgw.admit.admission cimport admit, join
from fastgw.auth.credential cimport authenticate
from fastgw.dialects.bridge cimport failure_kind, fit, opening_failure, translate_piece, translate_reply
from fastgw.dialects.params import apply_params
from fastgw.dialects.translate import failure_of
from fastgw.errors import INDEX, CallerError, GatewayError, error
from fastgw.exchange cimport X_ADMITTED, X_CONNECTING, X_READING, X_SENT, X_WAITING
from fastgw.meter.bill cimport bill
from fastgw.portkey.desk import Desk
from fastgw.record.entry cimport make_id, push_lost, push_record
from fastgw.route.choice cimport choose_target, find_route
from fastgw.route.plan cimport (
    FIT, MOVED, NOT_SERVED, OVER_BUDGET, OVER_PARALLEL, OVER_RATE, PRICE_UNKNOWN, STOP, Gate, Leaf, Route, Walk,
    is_delivered, trouble_of_leg)
from fastgw.route.retry import BODY_TELLS, Failure, is_repeatable, trouble_of_kind, trouble_of_status
from fastgw.route.wishes import HEEDING, MEMBER
from fastgw.snapshot.cors import METHODS
from fastgw.snapshot.types cimport JSON_BODY, SPEAKS_OPENAI, Operation
from fastgw.surfaces import local
from fastgw.surfaces.cached cimport begin_capture, hit_reply, inquire, keep_answer
from fastgw.surfaces.control cimport CONTROL, is_controls, take_all_fields
from fastgw.surfaces.decode cimport decode, widen
from fastgw.surfaces.dispatch cimport Asked, find_operation
from fastgw.surfaces.faults cimport leg_error, request_error
from fastgw.surfaces.fields cimport (
    add_cost, add_identity, compose_request, read_reply_fields, read_request_fields, render_head, request_id)
from fastgw.surfaces.head cimport Hints, field_value, survey, take_query_key, unknown_operation
from fastgw.surfaces.portkeyed cimport forward_for, is_callers, portkey_fields, refuse_portkey, serve_portkey, take_fields
from fastgw.surfaces.story cimport detail_of, explanation
from fastgw.surfaces.respond import error_event, error_reply

cdef Operation PROBE = Operation("probe", -1, speaks=SPEAKS_OPENAI, body=0)
cdef frozenset PROBES = frozenset((b"/healthz", b"/readyz", b"/metrics"))
cdef enum:
    MOST_LISTED = 256          # lists of models that are kept

log = logging.getLogger("fastgw.pipeline")

cdef dict WHY = {
    "budget_exhausted": OVER_BUDGET, "price_unknown": PRICE_UNKNOWN, "rate_limited": OVER_RATE, "token_rate_limited": OVER_RATE,
    "too_many_parallel": OVER_PARALLEL, "ledger_full": OVER_PARALLEL,
}
cdef tuple METHOD_WORDS = ("", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


cdef class Resumption:
    """Called when what an exchange waits for is done; the exchange may be over by then, and its object another one's."""
    cdef Pipeline pipeline
    cdef Exchange exchange
    cdef unsigned long long serial
    cdef bint is_retry

    def __init__(self, Pipeline pipeline, Exchange exchange, bint is_retry):
        self.pipeline = pipeline
        self.exchange = exchange
        self.serial = exchange.serial
        self.is_retry = is_retry

    def __call__(self, task=None):
        if self.exchange.serial != self.serial or self.exchange.state != X_WAITING:
            return
        problem = None
        if isinstance(task, asyncio.Future):
            problem = "the fetching of its token was given up" if task.cancelled() else task.exception()
        self.pipeline.go_on(self.exchange, problem, self.is_retry)


cdef class ShareGate(Gate):
    """Lets an attempt begin where its integration's accounts in the caller's workspace admit it; the reservation moves with it."""
    cdef Ledger ledger
    cdef Exchange exchange
    cdef object refusal            # the first

    def __init__(self, Ledger ledger, Exchange exchange):
        self.ledger = ledger
        self.exchange = exchange

    cdef int judge(self, Leaf leaf) except -1:
        refusal = join(self.ledger, self.exchange, <Target>leaf.target)
        if refusal is None:
            return FIT
        if self.refusal is None:
            self.refusal = refusal
        return WHY[refusal.code]


cdef class Gateway(Application):
    """Opens an exchange for each connection."""

    def __init__(self, Pipeline pipeline):
        self.pipeline = pipeline

    cdef Flow open(self, Client client):
        cdef Exchange x = Exchange()
        x.steps = self.pipeline
        x.client = client
        return x


cdef class Pipeline(Steps):
    """The steps, and what they share: the snapshot, the ledger and the ring of one worker."""

    def __init__(self, Poller poller, Ledger ledger, RingWriter ring, health, unsigned int worker=0, Target metrics=None,
                 int64_t max_body_bytes=67108864, Target control=None):
        self.poller = poller
        self.ledger = ledger
        self.ring = ring
        self.health = health
        self.worker = worker
        self.metrics = metrics
        self.control = control
        self.max_body_bytes = max_body_bytes
        self.renewals = {}
        self.random_state = int.from_bytes(os.urandom(8), "little") | 1

    def __repr__(self):
        return f"<Pipeline of worker {self.worker}, {self.in_flight} in flight, {self.snapshot!r}>"

    def use_cache(self, cache, settings):
        """Look for answers here before a provider is asked, where the route of a request says so."""
        self.cache = cache
        self.cache_settings = settings

    def publish(self, Snapshot snapshot):
        """Serve by this snapshot from the next request on; what is in flight keeps the one it began with.

        raises  Refused for a saved config that is none
        """
        desk = Desk(snapshot.paths, self.poller, os.environ)
        if self.desk is not None:
            self.desk.close()
        self.desk = desk
        self.snapshot = snapshot

    def record_lost(self, list reclaimed):
        """Leave a record of each exchange that a dead worker had in hand."""
        push_lost(self.ring, reclaimed, self.worker, unknown_operation().index)

    # the request

    cdef int head(self, Exchange x, const char* base, Head* head) except -1:
        cdef Asked asked
        cdef Hints hints
        self.in_flight += 1
        x.snapshot = self.snapshot
        make_id(x, self.draw(), self.draw())
        x.operation = unknown_operation()
        if head == NULL:
            return 0
        x.path = PyBytes_FromStringAndSize(base + head.path.start, head.path.end - head.path.start)
        if head.query.end:
            x.query = PyBytes_FromStringAndSize(base + head.query.start, head.query.end - head.query.start)
        if x.path in PROBES:
            return self.probe(x)
        if self.control is not None and is_controls(x.path):
            return self.hand_over(x, base, head)
        if head.method == OPTIONS:
            return self.preflight(x, base, head)
        survey(x, base, head, &hints)
        # must come before the body is read: a stranger's 64 MiB are not worth the memory
        query_key = take_query_key(x)
        asked = find_operation(
            x.path, x.method, hints.is_json, hints.is_anthropic, hints.is_google or query_key is not None)
        x.operation = asked.operation
        read_request_fields(x, base, head)
        if x.portkey is not None:
            take_fields(x, base, head)
        x.caller = authenticate(x.snapshot, base, head, query_key)
        if head.content_length > self.max_body_bytes:
            raise request_error(FAULT_BODY_TOO_LARGE)      # before the head of a streamed one has gone to a provider
        if asked.model is not None:
            x.model = unquote_to_bytes(asked.model)
        if asked.operation.name == "models":
            return self.models(x)
        x.streams_body = asked.operation.body == 0
        x.keeps_payload = x.snapshot.payloads != 0
        return 0

    cdef int begin(self, Exchange x) except -1:
        cdef Route route
        if x.operation.index < 0:
            render_head(x)
            return self.send(x)
        decode(x)
        if x.caller.metadata is not None:
            x.metadata = {**x.caller.metadata, **(x.metadata or {})}
        route = serve_portkey(x, self.desk) if x.all_fields is not None or x.caller.config is not None else find_route(x)
        # must come after the caller is known to be allowed, and before anything is charged
        if self.cache is not None and self.look(x, route):
            return 0
        return self.proceed(x, route)

    cdef bint look(self, Exchange x, Route route) except -1:
        """Whether the cache has answered, or is about to: another request like this one is on its way."""
        if x.served is not None:
            cached = x.served.caching
        else:
            cached = x.snapshot.cached.get(route.name) if x.wanted_integration is None else None
        if cached is None or not inquire(x, self.cache, self.cache_settings, cached[0], cached[1], Resumption(self, x, False)):
            return False
        if x.inquiry.entry is not None:
            self.answer_hit(x)
            return True
        if x.inquiry.is_waiting:
            x.route = route
            x.state = X_WAITING
            x.wanted_at = monotonic_ns()
            return True
        return False

    cdef int answer_hit(self, Exchange x) except -1:
        admit(self.ledger, x, True)
        self.ledger.tag(x.slot, x.entry.id)
        x.entry.admitted_ns = monotonic_ns() - x.started_at
        body, fields = hit_reply(x)
        if x.keeps_payload:
            x.keep_payload(body, len(body))
        bill(self.ledger, x)
        return self.answer(x, 200, fields, body)

    cdef int proceed(self, Exchange x, Route route) except -1:
        """Nothing that is kept answers it: the provider is asked."""
        cdef Leaf leaf = choose_target(x, route, self.draw())
        x.target = <Target>leaf.target
        if x.is_reshaped and x.operation.body == JSON_BODY:
            for other in (<Walk>x.walk).route.leaves:
                if other.target in x.candidates:
                    widen(x, apply_params(x.body, other.default_params, other.override_params, other.drop_params))
        admit(self.ledger, x)
        self.ledger.tag(x.slot, x.entry.id)
        if x.caller.shares is not None:
            leaf = self.enter_share(x, leaf)
        x.entry.admitted_ns = monotonic_ns() - x.started_at
        return self.attempt(x, leaf)

    cdef Leaf enter_share(self, Exchange x, Leaf leaf):
        """Charge what the target's integration is held to as well; who is used up or over its rate is passed over."""
        cdef ShareGate gate = ShareGate(self.ledger, x)
        leaf = (<Walk>x.walk).guard(gate, self.draw(), monotonic_ns())
        if leaf is None:
            self.ledger.withdraw(x.slot)
            x.slot = -1
            raise gate.refusal
        return leaf

    cdef int send(self, Exchange x) except -1:
        cdef Leg leg = x.leg
        cdef iovec pieces[6]
        cdef char length[48]
        cdef int count
        if x.entry.sent_ns >= 0:
            # what an earlier attempt took was not the gateway's time
            x.waited_ns += monotonic_ns() - x.started_at - x.entry.sent_ns
            x.entry.sent_ns = x.entry.first_byte_ns = -1
        if x.target.integration.signer is not None and not x.target.integration.signer.is_ready(time()):
            return self.await_credential(x)
        if leg is None:
            # where an idle connection turned out to be dead, the others may be as well
            leg = None if x.retried else x.target.integration.origin.take()
            if leg is None:
                x.state = X_CONNECTING
                x.wanted_at = monotonic_ns()
                x.target.integration.origin.want(x, self.within(x, x.target.connect_ns or x.target.integration.origin.connect_ns))
                return 0
            leg.flow = x
            x.leg = leg
        x.state = X_SENT
        count = compose_request(x, pieces, length)
        x.dispatched = True
        if x.slot >= 0:
            self.ledger.dispatch(x.slot)
        leg.limit(self.within(x, x.target.first_byte_ns or x.target.integration.origin.first_byte_ns), x.target.idle_ns, x.target.total_ns)
        leg.send(pieces, count, x.method == HEAD, not x.streams_body or (x.body_length == 0 and not x.body_chunked),
                 x.body_chunked and x.streams_body)
        x.entry.sent_ns = monotonic_ns() - x.started_at
        return 0

    cdef int64_t within(self, Exchange x, int64_t most_ns):
        """A limit of time that does not reach beyond the deadline of all attempts; 0 is none of its own."""
        cdef int64_t left_ns
        if x.deadline_ns == 0:
            return most_ns
        left_ns = max(x.deadline_ns - self.poller.now_ns, <int64_t>1000000)
        return left_ns if most_ns == 0 or left_ns < most_ns else most_ns

    cdef int await_credential(self, Exchange x) except -1:
        """The integration's token has to be fetched first; all who wait for it wait for one task."""
        signer = x.target.integration.signer
        x.drop_leg()
        x.state = X_WAITING
        x.wanted_at = monotonic_ns()
        task = self.renew(signer)
        task.add_done_callback(Resumption(self, x, False))
        return 0

    def renew(self, signer):
        """The task that fetches a token: the one that runs, or a new one."""
        task = self.renewals.get(signer)
        if task is None:
            task = asyncio.get_running_loop().create_task(signer.refresh())
            self.renewals[signer] = task
            task.add_done_callback(lambda done: self.renewed(signer, done))
        return task

    def renewed(self, signer, task):
        """A token has been fetched, or not."""
        self.renewals.pop(signer, None)
        if not task.cancelled() and task.exception() is not None:
            log.warning("%s", task.exception())

    cdef int go_on(self, Exchange x, object problem, bint is_retry) except -1:
        """What the exchange waited for is there, or will not come."""
        cdef Walk walk = <Walk>x.walk
        cdef int64_t now = monotonic_ns()
        cdef Poller poller = self.poller
        poller.now_ns = now
        x.waited_ns += now - x.wanted_at
        x.timer = None
        x.state = X_ADMITTED
        try:
            if walk is None:
                # the cache has been asked, by this request or by one like it
                x.state = X_READING
                return self.answer_hit(x) if x.inquiry.entry is not None else self.proceed(x, <Route>x.route)
            if is_retry:
                x.attempt += 1
                walk.again(self.draw(), now)
                return self.attempt(x, walk.leaf)
            if problem is None:
                self.send(x)
                return x.send_held()
            x.trouble = "authentication"
            return x.give_up(error("UpstreamCredential", f"integration {x.target.integration.name!r}: {problem}"))
        except GatewayError as refusal:
            return self.refuse(x, refusal)
        except Exception as fault:      # the edge of an exchange
            poller.faults += 1
            return x.fault(fault)

    cdef int attempt(self, Exchange x, Leaf leaf) except -1:
        """Ask the target that the walk is at; one that cannot be asked for this makes way for another."""
        cdef Walk walk = <Walk>x.walk
        while True:
            x.target = <Target>leaf.target
            x.state = X_ADMITTED
            if x.served is not None:
                forward_for(x, leaf.index)
            try:
                fit(x, leaf.default_params, leaf.override_params, drops_of(x, leaf))
                break
            except GatewayError as problem:
                walk.end(0, "invalid_request", True, -1, 0, monotonic_ns())
                walk.bar(leaf.index, NOT_SERVED)
                if not x.may_repeat() or not walk.enter(leaf.parent, self.draw(), monotonic_ns()):
                    raise
                leaf = walk.leaf
        render_head(x)
        return self.send(x)

    cdef bint try_next(self, Exchange x, const char* p, Py_ssize_t n) except -1:
        """What follows a failed attempt, before anything went to the caller: the same target after a while, another one, or nothing."""
        cdef Walk walk = <Walk>x.walk
        cdef int64_t now, wait_ns
        if walk is None or walk.ticket < 0:
            return False
        now = monotonic_ns()
        failure = failure_of_attempt(x, walk.leaf, p, n)
        walk.end(failure.status, failure.trouble, False, -1, 0, now)
        if not x.may_repeat():
            return False
        wait_ns = walk.follow(failure, is_repeatable(METHOD_WORDS[x.method], x.operation.name), self.draw(), now)
        if wait_ns == STOP:
            return False
        x.drop_leg()
        x.forget_reply()
        if wait_ns == MOVED:
            x.attempt += 1
            try:
                self.attempt(x, walk.leaf)
            except GatewayError as problem:
                self.refuse(x, problem)
            return True
        x.retries += 1
        x.state = X_WAITING
        x.wanted_at = now
        x.timer = x.target.integration.origin.poller.loop.call_later(wait_ns / 1e9, Resumption(self, x, True))
        return True

    # the reply

    cdef int reply_fields(self, Exchange x, const char* base, Head* head) except -1:
        cdef bytes more
        read_reply_fields(x, base, head)
        if x.served is not None:
            more = portkey_fields(x, (<Walk>x.walk).leaf.index)
            append(&x.fields, PyBytes_AS_STRING(more), PyBytes_GET_SIZE(more))
        if x.inquiry is not None:
            begin_capture(x, head.status, self.cache.max_entry_bytes)
        return 0

    cdef int keep_answer(self, Exchange x, const char* p, Py_ssize_t n) except -1:
        return keep_answer(x, p, n)

    cdef int cost_fields(self, Exchange x) except -1:
        return add_cost(x)

    cdef bint is_withheld(self, Exchange x, int status) except -1:
        # providers quote a part of the key they refuse, and the caller would take the error for its own key's
        if status != 401 or x.caller is None:
            return False
        return x.served is None or not is_callers(x, (<Walk>x.walk).leaf.index)

    cdef bytes translate_reply(self, Exchange x, const char* p, Py_ssize_t n):
        return translate_reply(x, p, n)

    cdef bytes translate_piece(self, Exchange x, const char* p, Py_ssize_t n, bint last):
        return translate_piece(x, p, n, last)

    cdef int meter(self, Exchange x) except -1:
        return bill(self.ledger, x)

    cdef int record(self, Exchange x) except -1:
        self.in_flight -= 1
        self.served += 1
        if x.walk is not None:
            end_walk(x)
            x.detail = detail_of(x)
        if x.operation.index < 0:
            return 0            # what administrators do leaves its traces in the store's audit
        return push_record(self.ring, x, self.worker)

    # refusals: the only way an error becomes a reply

    cdef int refuse(self, Exchange x, object problem) except -1:
        cdef bytes fields, body
        cdef int speaks = x.operation.speaks
        x.error_index = INDEX[problem.code]
        if x.outcome == 0:
            x.outcome = REFUSED if isinstance(problem, CallerError) else FAILED
        x.drop_leg()
        bill(self.ledger, x)
        if x.started:
            if x.may_add_event():
                if x.stream is not None:
                    body = x.event_break() + x.stream.abort(failure_of(problem))
                else:
                    body = x.event_break() + error_event(problem, speaks, request_id(x).decode())
                x.note()
                x.client.write(body, len(body), False)
            x.client.abort()
            return x.close()
        if x.all_fields is not None:
            status, fields, body = refuse_portkey(problem)
        else:
            status, fields, body = error_reply(problem, speaks, request_id(x).decode())
        if x.explains and x.walk is not None:
            fields += explanation(x)
        x.status = status
        x.started = True
        x.fields.size = 0
        add_identity(x)
        fields += PyBytes_FromStringAndSize(x.fields.start, x.fields.size)
        x.entry.reply_bytes = len(body)
        if x.keeps_payload:
            x.keep_payload(body, len(body))
        x.note()
        x.client.reply(status, fields, len(fields), body, len(body))
        return x.close()

    cdef object request_error(self, int fault):
        return request_error(fault)

    cdef object leg_error(self, Exchange x, int failure):
        return leg_error(x, failure)

    # what the gateway answers itself

    cdef int answer(self, Exchange x, int status, bytes fields, bytes body) except -1:
        x.status = status
        x.started = True
        x.fields.size = 0
        add_identity(x)
        fields += PyBytes_FromStringAndSize(x.fields.start, x.fields.size)
        x.entry.reply_bytes = len(body)
        x.note()
        x.client.reply(status, fields, len(fields), body, len(body))
        return x.close()

    cdef int probe(self, Exchange x) except -1:
        x.operation = PROBE
        if x.method != GET and x.method != HEAD:
            raise error("MethodNotAllowed", f"expected GET {x.path.decode()}", fields=(("allow", "GET, HEAD"),))
        if x.path == b"/healthz":
            return self.answer(x, 200, local.JSON, b'{"status":"ok"}')
        if x.path == b"/readyz":
            status, body = self.health.ready()
            return self.answer(x, status, local.JSON, body)
        if self.metrics is None:
            raise error("Unavailable", "metrics are served by the drain, which is not running")
        x.target = self.metrics
        x.streams_body = True
        return 0

    cdef int hand_over(self, Exchange x, const char* base, Head* head) except -1:
        """The control plane's, which judges by itself who calls."""
        x.operation = CONTROL
        if head.content_length > self.max_body_bytes:
            raise request_error(FAULT_BODY_TOO_LARGE)
        take_all_fields(x, base, head, request_id(x))
        x.target = self.control
        x.streams_body = True
        return 0

    cdef int preflight(self, Exchange x, const char* base, Head* head) except -1:
        x.operation = PROBE
        fields = f"allow: {METHODS}\r\n".encode()
        origin = field_value(base, head, F_ORIGIN)
        if origin is not None and x.snapshot.cors is not None:
            asked = field_value(base, head, F_ACCESS_CONTROL_HEADERS) or b""
            fields += x.snapshot.cors.preflight_fields(origin.decode("latin-1"), asked.decode("latin-1"))
        return self.answer(x, 204, fields, b"")

    cdef int models(self, Exchange x) except -1:
        # free, but not for a key that has expired or is over its rate
        admit(self.ledger, x)
        bill(self.ledger, x)
        place = (x.caller, x.operation.speaks)
        body = x.snapshot.listed.get(place) if x.model is None and x.query is None else None
        if body is None:
            names = x.snapshot.names_for(x.caller)
            describe = x.snapshot.describe or local.undescribed
            if x.model is not None:
                body = local.one_model(names, x.model.decode("utf-8", "replace"), x.operation.speaks, describe)
            else:
                body = local.list_models(names, x.operation.speaks, describe, x.query)
                if x.query is None and len(x.snapshot.listed) < MOST_LISTED:
                    x.snapshot.listed[place] = body
        return self.answer(x, 200, local.JSON, body)

    cdef uint64_t draw(self):
        """A random number: xorshift64*; for balancing and ids, not for secrets."""
        cdef uint64_t s = self.random_state
        s ^= s >> 12
        s ^= s << 25
        s ^= s >> 27
        self.random_state = s
        return s * <uint64_t>2685821657736338717


cdef tuple drops_of(Exchange x, Leaf leaf):
    """What is left out of the body for a target: also what it wishes of routing, where the target knows no such member."""
    if x.wishes_in_body and (<Target>leaf.target).integration.provider.name not in HEEDING:
        return (*leaf.drop_params, MEMBER)
    return leaf.drop_params


cdef object failure_of_attempt(Exchange x, Leaf leaf, const char* p, Py_ssize_t n):
    """How the attempt in hand failed, as routes see it."""
    if x.trouble is not None:
        return Failure(trouble=x.trouble, delivered=False)
    if x.failure:
        return Failure(trouble=trouble_of_leg(x.failure), delivered=is_delivered(x.failure, x.entry.sent_ns >= 0))
    if x.upstream_status >= 400:
        trouble = trouble_of_status(x.upstream_status)
        if leaf.reads_errors and p != NULL and x.upstream_status in BODY_TELLS:
            trouble = trouble_of_kind(failure_kind(x, p, n))
        return Failure(status=x.upstream_status, trouble=trouble, retry_after_ns=x.retry_after_ns)
    if x.tap is not None and x.tap.saw_error and p != NULL:
        found = opening_failure(x, p, n)
        if found is not None:
            return Failure(status=found.status, trouble=trouble_of_kind(found.kind))
    if x.stream is not None and x.stream.failure is not None:
        return Failure(status=x.stream.failure.status, trouble=trouble_of_kind(x.stream.failure.kind))
    return Failure(trouble="bad_reply")


cdef int end_walk(Exchange x) except -1:
    """Tell the table of targets how the last attempt went, where that has not been told."""
    cdef Walk walk = <Walk>x.walk
    cdef str trouble = None
    if walk.ticket < 0:
        return 0
    if x.outcome == FAILED and x.failure:
        trouble = trouble_of_leg(x.failure)
    elif x.outcome == FAILED and x.stream is not None and x.stream.failure is not None:
        trouble = trouble_of_kind(x.stream.failure.kind)
    return walk.end(x.upstream_status, trouble, x.outcome == CANCELLED or x.outcome == REFUSED, x.entry.first_byte_ns - x.entry.sent_ns,
                    x.usage.output_tokens, x.started_at + x.entry.replied_ns if x.entry.replied_ns >= 0 else monotonic_ns())
