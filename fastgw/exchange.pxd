"""All that is known of one request on its way through the gateway."""
from libc.stdint cimport int64_t, uint8_t
from fastgw._core.buffer cimport Buffer
from fastgw._core.flow cimport Client, Flow
from fastgw._core.http1 cimport Head
from fastgw._core.poll cimport Poller
from fastgw._core.ring cimport Record
from fastgw._core.scan cimport RequestFields
from fastgw._core.upstream cimport Leg
from fastgw._core.usage cimport Usage, UsageTap
from fastgw.snapshot.types cimport Caller, Operation, Snapshot, Target, Way

cdef enum ExchangeState:       # reading > admitted > sending > waiting > replying > done
    X_IDLE = 0
    X_READING                  # the request's body is still coming
    X_ADMITTED                 # charged for, not yet on its way
    X_WAITING                  # for a token of the integration, or until it is tried again
    X_CONNECTING               # waiting for a connection
    X_SENT                     # waiting for the reply's head
    X_REPLYING                 # the reply comes in
    X_DONE

cdef enum Delivery:            # how the reply goes to the client
    PENDING = 0                # the head is there, nothing has been sent
    HOLDING = 1                # a JSON reply is held until it is whole, so that its cost can stand in the head
    FLOWING = 2                # piece by piece
    JUDGING = 3                # an error is held until it is whole: it may be another target's turn
    TRANSLATING = 4            # into the caller's dialect


cdef class Steps:
    """What an exchange calls; the pipeline fills it in."""
    cdef readonly Poller poller
    cdef int head(self, Exchange x, const char* base, Head* head) except -1   # NULL: there is none that can be read
    cdef int begin(self, Exchange x) except -1               # the request is whole (or its body flows): admit, route, send
    cdef int send(self, Exchange x) except -1                # x.leg is connected
    cdef int meter(self, Exchange x) except -1               # the usage is known: price it and settle
    cdef int record(self, Exchange x) except -1              # the one way out
    cdef int refuse(self, Exchange x, object error) except -1    # reply with an error, or end the stream with one
    cdef object leg_error(self, Exchange x, int failure)     # GatewayError
    cdef object request_error(self, int fault)               # GatewayError
    cdef int reply_fields(self, Exchange x, const char* base, Head* head) except -1
    cdef int cost_fields(self, Exchange x) except -1
    # another target takes over, or the same once more; p, n: the error's body, NULL where there is none
    cdef bint try_next(self, Exchange x, const char* p, Py_ssize_t n) except -1
    cdef bytes translate_reply(self, Exchange x, const char* p, Py_ssize_t n)            # whole; raises GatewayError
    cdef bytes translate_piece(self, Exchange x, const char* p, Py_ssize_t n, bint last) # of a stream; raises GatewayError
    cdef int keep_answer(self, Exchange x, const char* p, Py_ssize_t n) except -1    # the caller has all of it
    cdef bint is_withheld(self, Exchange x, int status) except -1    # this reply must not reach the caller


cdef class Exchange(Flow):
    cdef Steps steps
    cdef Client client
    cdef int state
    cdef int delivery
    # who and what: head
    cdef Snapshot snapshot
    cdef Operation operation
    cdef Caller caller
    cdef int method
    cdef bytes path
    cdef bytes query               # or None
    cdef Buffer forward            # request fields that go upstream, whole lines
    cdef bytes wanted_integration  # x-fastgw-integration
    cdef bytes origin              # of a browser, for CORS
    cdef bytes content_type
    cdef bytes trace_id            # x-portkey-trace-id, or None
    cdef bint has_default_fields   # the caller sent its own of those a provider has a default for
    cdef bint streams_body
    cdef bint body_chunked
    cdef bint body_ended           # of a streamed body: the end came before there was a leg
    cdef int64_t body_length
    # what is asked: body
    cdef bytes body
    cdef int64_t body_bytes
    cdef RequestFields scanned
    cdef bytes model               # as the caller named it, decoded
    cdef bytes sent_body           # body with what was put in or changed, or body itself
    cdef bytes sent_head
    # may it, and where to
    cdef int slot                  # of the ledger; -1 none
    cdef int64_t limit_set         # output tokens put into the body; -1 none
    cdef int64_t limit_admitted    # of these, what the caller's own accounts set
    cdef object share              # snapshot.shares.Share: the accounts of the target's integration, where they have been joined
    cdef object walk               # route.plan.Walk: the way through the route, and the leaf it is at
    cdef list candidates           # of Target: any of them may be asked before this is over
    cdef Target target
    cdef Way way                   # how the target serves the operation
    cdef object translation        # of this attempt, where the target speaks another dialect; None: bytes pass
    cdef object stream             # of the translation, where the reply is a stream
    cdef bytes foreign_fields      # of a request that is translated, in the place of `forward`
    cdef bytes sent_target         # path and query at the provider
    cdef bytes signed_fields       # of this one request, where the integration signs
    cdef object timer              # of a wait
    cdef unsigned long long serial # of the exchange, for what comes back after a wait
    cdef int attempt               # attempts before this one
    cdef int retries               # of these, how many asked the same target again
    cdef bytes asked_body          # the caller's, where a target wants another
    cdef bint is_reshaped          # some target does
    cdef dict portkey              # x-portkey-* fields by lower-case name, or None
    cdef dict all_fields           # of a request that speaks Portkey, by lower-case name, or None
    cdef str compliance            # of a chat's reply with what OpenAI defines: dialects.openai_chat.compliance; None or ""
    cdef object served             # portkey.desk.Served, its route
    cdef bytes forwarded           # field lines that go to the target because the caller said so
    cdef object route              # route.plan.Route, until a walk begins
    cdef object inquiry            # cache.inquiry.Inquiry, where a cache is in play
    cdef object cache_request      # canonical.Request, for what it answers
    cdef object capture            # of a stream that may be kept
    cdef object metadata           # of the key and of the request (x-portkey-metadata), or None
    cdef bytes detail              # a JSON object for the record, or None
    cdef bint explains             # x-fastgw-explain: the reply tells of the attempts
    cdef str trouble               # why the attempt in hand failed, where neither a leg nor a reply says it
    cdef str sort                  # x-fastgw-sort
    cdef str max_price             # x-fastgw-max-price
    cdef bint wishes_in_body       # the member `provider` says the like
    cdef bint has_others           # the route has more than one target
    cdef int64_t retry_after_ns    # what an error reply asks for; -1 nothing
    cdef int64_t deadline_ns       # monotonic: of all attempts together, until a reply begins; 0 none
    cdef bint asked_usage          # and so takes the usage event out again
    cdef Leg leg
    cdef bint retried
    cdef bint dispatched
    cdef int failure               # LegFailure of the attempt in hand; 0 none
    # what came back
    cdef int upstream_status
    cdef str reply_type            # content-type of a reply that is translated
    cdef str error_code            # of an error of a translated request, where its head has it
    cdef int status                # to the client; 0 nothing sent
    cdef int64_t reply_length      # -1 unknown
    cdef bint started              # the client has the head
    cdef bint is_sse
    cdef bint is_json
    cdef bint is_encoded           # content-encoding: nothing can be read in it or added to it
    cdef char tail[3]              # the last bytes of a stream that went to the caller
    cdef Buffer fields             # reply fields
    cdef Buffer held               # of a reply that is being held, or of its payload
    cdef UsageTap tap
    cdef Usage usage
    cdef bint usage_known
    cdef bint usage_final          # a translated stream ended as it should
    cdef bint usage_estimated
    cdef int64_t cost_nano_usd     # -1 unknown
    cdef bint metered
    cdef bint broke                # the stream that is being translated ended in an error, which the caller has been told
    # for the record
    cdef int64_t started_at        # monotonic nanoseconds
    cdef int64_t waited_ns         # for a connection
    cdef int64_t wanted_at
    cdef Record entry
    cdef bint keeps_payload
    cdef Buffer payload            # of a streamed reply
    cdef bint noted                # the record has been pushed
    cdef int outcome
    cdef int error_index

    cdef int reset(self) except -1
    cdef int settle_and_close(self) except -1
    cdef int start_flowing(self, const char* p, Py_ssize_t n, bint last) except -1
    cdef int flow_on(self, char* p, Py_ssize_t n, bint last) except -1
    cdef int whole_reply(self, const char* p, Py_ssize_t n) except -1
    cdef int judge(self, const char* p, Py_ssize_t n) except -1
    cdef int give_up(self, object problem) except -1
    cdef int translated(self, char* p, Py_ssize_t n, bint last) except -1
    cdef int pass_on(self, const char* p, Py_ssize_t n, bint last) except -1
    cdef int forget_reply(self) except -1
    cdef bint wants_stream(self)
    cdef bint may_repeat(self)     # what was sent is here still
    cdef bint is_watched(self)     # the reply is a stream that passes, of which the tap knows how it ends
    cdef bint is_kept(self, const char* p, Py_ssize_t n, bint last) except -1
    cdef bint is_cut_short(self)
    cdef int end_short(self, const char* p, Py_ssize_t n) except -1
    cdef bint streams_array(self)  # Gemini's other form of streaming
    cdef bint may_add_event(self)  # an error event can end the stream
    cdef bytes event_break(self)   # what ends the event that the caller has a part of
    cdef int keep_payload(self, const char* p, Py_ssize_t n) except -1
    cdef int note(self) except -1          # record it: before the caller has the last byte, so that no kill comes between
    cdef int close(self) except -1
    cdef int drop_leg(self) except -1
    cdef int send_held(self) except -1
    cdef int cut_off(self, object error) except -1
    cdef str entry_id(self)                # x-fastgw-request-id
    cdef bint costs_unseen(self)           # it may cost money that no reply will state
