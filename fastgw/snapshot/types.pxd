"""What the data plane reads: frozen once compiled, typed for the hot path."""
from libc.stdint cimport int32_t, int64_t, uint64_t
from fastgw._core.digest cimport KeyTable
from fastgw._core.keyfile cimport KeyFile
from fastgw._core.ledger cimport MAX_CHAIN
from fastgw._core.price cimport PriceRow
from fastgw._core.upstream cimport Origin

cdef enum ErrorDialect:
    SPEAKS_OPENAI = 0
    SPEAKS_ANTHROPIC = 1
    SPEAKS_GEMINI = 2

cdef enum Admission:
    STRICT = 0
    CLAMP = 1
    ESTIMATE = 2

cdef enum BodyKind:
    NO_BODY_READ = 0           # the gateway wants nothing from the body: it is streamed
    JSON_BODY = 1              # scanned for the few fields
    FORM_BODY = 2              # multipart, held because it names the model

cdef enum:
    OPERATIONS = 32            # room in a target's table of rendered heads
    DIALECTS = 3               # ErrorDialects


cdef class Operation:
    cdef readonly str name
    cdef readonly int index            # in record.names.OPERATIONS
    cdef readonly int speaks           # ErrorDialect
    cdef readonly int body             # BodyKind
    cdef readonly int usage            # UsageDialect, where the provider's row does not say
    cdef readonly bint wants_model     # the body (or path) must name one
    cdef readonly bint model_in_path   # Gemini
    cdef readonly bint generates       # output tokens can be bounded
    cdef readonly int limit_fields     # by which of scan's LimitField, one bit each
    cdef readonly bint metered         # replies state a usage
    cdef readonly bint may_ask_usage   # stream_options.include_usage exists for it
    cdef readonly bint decodes_reply   # so the provider is asked for identity coding
    cdef readonly int place            # in an integration's table of ways


cdef class Way:
    """How an integration serves an operation."""
    cdef readonly str operation        # what it is at the provider
    cdef readonly str dialect          # the provider's; None: it is the caller's own, and bytes pass
    cdef readonly bint is_shape        # it is one of dialects.shapes: no conversation
    cdef readonly bytes path           # template of path and query, {model} or {model_path} in it; None: the caller's own path
    cdef readonly bytes stream_path    # the same for streams
    cdef readonly bytes prefix         # before the caller's own path instead of the integration's, or None
    cdef readonly int usage            # UsageDialect of replies that pass
    cdef readonly frozenset quirks
    cdef readonly frozenset signs      # members of a body that is in the provider's own shape, which has the same path
    cdef readonly Way own              # how such a body passes; None where there is no such thing


cdef class Caller:
    cdef readonly str name
    cdef readonly str id               # of all keys another: the name of one in the file
    cdef readonly str user             # whose key it is, or None
    cdef readonly str organisation     # "" where there is none
    cdef readonly str workspace
    cdef readonly bint enabled
    cdef readonly int admission
    cdef readonly bint has_budget      # of dollars, somewhere in the chain
    cdef readonly bint counts_tokens   # a budget of tokens, somewhere in the chain
    cdef readonly dict shares          # integration's name -> snapshot.shares.Share; None: no integration is held to anything here
    cdef readonly bint refuse_unknown_price
    cdef readonly frozenset models     # of bytes; None: all
    cdef readonly frozenset integrations   # of str; None: all
    cdef readonly str passthrough      # integration for unknown paths, or None
    cdef readonly str config           # the saved config that holds where a request names none, or None
    cdef readonly bint allow_config_override
    cdef readonly object metadata      # of the key, kept with its records; None where there is none
    cdef readonly tuple account_names
    cdef int32_t chain[MAX_CHAIN]
    cdef int depth
    cdef char key_label[48]
    cdef char workspace_label[32]


cdef class Integration:
    cdef readonly str name
    cdef readonly object provider      # providers.table.Provider
    cdef readonly Origin origin
    cdef readonly bytes prefix         # of every upstream path; may hold {model}
    cdef readonly bytes cut            # of the caller's path
    cdef readonly bytes host           # as in its Host field
    cdef readonly bytes query          # added to every query
    cdef readonly bytes fields         # rendered: host, credential, extra
    cdef readonly bytes default_fields # rendered: those a caller's own take the place of (anthropic-version)
    cdef readonly bint ask_usage
    cdef readonly dict output_limits   # operation name -> path of members
    cdef readonly object signer        # providers.signing.Signer, or None where `fields` hold the credential
    cdef readonly tuple variants       # (compiled pattern of a model's name, Integration): models that are asked for in another way
    cdef list ways                     # of Way, by place; None where it does not serve the operation
    cdef readonly bint model_in_prefix
    cdef readonly frozenset own_names  # fields of the configuration, lower case: a caller's of that name do not go on
    cdef tuple secrets                 # of bytes, what must not come back in a reply's head

    cdef Way way(self, Operation operation)


cdef class Target:
    cdef readonly Integration integration
    cdef readonly bytes model          # upstream's name; b"" where the caller's own goes on
    cdef readonly PriceRow price
    cdef readonly str unsupported      # pass, drop or error: what another dialect cannot carry
    cdef int64_t connect_ns            # limits of time; 0: the integration's
    cdef int64_t first_byte_ns
    cdef int64_t idle_ns
    cdef int64_t total_ns
    cdef readonly bytes reply_fields   # rendered: x-fastgw-provider, x-fastgw-model
    cdef list heads                    # by operation index: rendered request line and fields, for a path without a query
    cdef char integration_label[32]
    cdef char provider_label[24]
    cdef char model_label[64]

    cdef bint may_serve(self, Operation operation, Caller caller)


cdef class Snapshot:
    cdef readonly long long version
    cdef readonly long long loaded_ns
    cdef readonly str origin_path      # the file it comes from
    cdef KeyTable keys
    cdef readonly list callers
    cdef readonly KeyFile issued       # keys that the control process has issued, beside those of `keys`; None: none ever
    cdef readonly object maker         # callable(keyfile.KeyView) -> Caller, raises KeyUnusable
    cdef dict made                     # slot of `issued` -> auth.issued.Made, as keys are used
    cdef dict made_before              # what `made` held before it was full
    cdef readonly dict integrations
    cdef readonly dict aliases         # bytes -> route.plan.Route
    cdef dict resolved                 # (operation, model, integration) -> route, as they are asked for
    cdef readonly object resolver      # callable(snapshot, operation, model bytes or None, integration or None) -> route or None
    cdef readonly int payloads         # 0 none, 1 errors, 2 all
    cdef readonly Py_ssize_t max_payload_bytes
    cdef readonly Py_ssize_t buffer_reply_bytes
    cdef readonly object cors          # a Cors, or None
    cdef readonly tuple served         # (model name, Integration), for listings
    cdef readonly object paths         # snapshot.compile.Routes: what routes that are made on the way are made of
    cdef readonly dict cached          # route's name -> (snapshot.caching.Caching, bytes that tell it from others)
    cdef dict listed                   # (caller, ErrorDialect) -> list of models, as they are asked for
    cdef readonly object describe      # callable(model, caller's words) -> what listings tell of it, or None
