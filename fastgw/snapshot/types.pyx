"""What the data plane reads: frozen once compiled, typed for the hot path.

Everything a request would otherwise have to work out is here already: rendered heads, accounts by index, prices as integers.
A snapshot is never changed after it is published, but for bounded memos (`resolved`, `listed`, `made`); the file of issued keys
changes by itself, and all snapshots of a worker share it.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memcpy, memset


cdef int label(char* to, Py_ssize_t room, bytes name) except -1:
    """Put a name into a record's field: cut at the end of a character, zero-padded."""
    cdef Py_ssize_t n = min(PyBytes_GET_SIZE(name), room)
    while n < PyBytes_GET_SIZE(name) and n > 0 and (<unsigned char>name[n] & 0xC0) == 0x80:
        n -= 1
    memset(to, 0, room)
    memcpy(to, PyBytes_AS_STRING(name), n)
    return 0


# Parts of one recorded operation (audio) that a provider may serve apart, behind the indexes of those that are recorded.
PARTS = {"speech": OPERATIONS - 1, "transcriptions": OPERATIONS - 2, "translations": OPERATIONS - 3}


def place_of(str name, int index, int speaks):
    """Where an operation stands in an integration's table of ways; index: of its name in records."""
    return <int>PARTS.get(name, index) * DIALECTS + speaks


cdef class Operation:
    def __init__(self, str name, int index, *, int speaks, int body, int usage=0, bint wants_model=False, bint model_in_path=False,
                 bint generates=False, int limit_fields=0, bint metered=False, bint may_ask_usage=False, bint decodes_reply=True):
        self.name = name
        self.index = index
        self.speaks = speaks
        self.body = body
        self.usage = usage
        self.wants_model = wants_model
        self.model_in_path = model_in_path
        self.generates = generates
        self.limit_fields = limit_fields
        self.metered = metered
        self.may_ask_usage = may_ask_usage
        self.decodes_reply = decodes_reply
        self.place = place_of(name, index, speaks)

    def __repr__(self):
        return f"<Operation {self.name}>"


cdef class Way:
    def __init__(self, str operation, *, str dialect=None, bint is_shape=False, bytes path=None, bytes stream_path=None, int usage=0,
                 bytes prefix=None, frozenset quirks=frozenset(), frozenset signs=frozenset(), Way own=None):
        self.operation = operation
        self.dialect = dialect
        self.is_shape = is_shape
        self.path = path
        self.stream_path = stream_path if stream_path is not None else path
        self.prefix = prefix
        self.usage = usage
        self.quirks = quirks
        self.signs = signs
        self.own = own

    def __repr__(self):
        return f"<Way to {self.operation}{f' in {self.dialect}' if self.dialect else ''}>"


cdef class Caller:
    def __init__(self, str name, str workspace, *, chain, account_names=(), bint enabled=True, int admission=CLAMP,
                 bint has_budget=False, bint refuse_unknown_price=True, models=None, integrations=None, passthrough=None,
                 metadata=None, str config=None, bint allow_config_override=True, str id=None, str user=None, str organisation="",
                 bint counts_tokens=False, dict shares=None):
        cdef int i
        self.name = name
        self.id = name if id is None else id
        self.user = user
        self.organisation = organisation
        self.workspace = workspace
        self.enabled = enabled
        self.admission = admission
        self.has_budget = has_budget
        self.counts_tokens = counts_tokens
        self.shares = shares or None
        self.refuse_unknown_price = refuse_unknown_price
        self.models = models
        self.integrations = integrations
        self.passthrough = passthrough
        self.metadata = metadata or None
        self.config = config
        self.allow_config_override = allow_config_override
        self.account_names = account_names
        if len(chain) > MAX_CHAIN:
            raise ValueError(f"expected at most {MAX_CHAIN} accounts, got {len(chain)}")
        for i in range(len(chain)):
            self.chain[i] = chain[i]
        self.depth = len(chain)
        label(self.key_label, 48, name.encode())
        label(self.workspace_label, 32, workspace.encode())

    def __repr__(self):
        return f"<Caller {self.name} of {self.workspace}, {self.depth} accounts>"


cdef class Integration:
    def __init__(self, str name, provider, Origin origin, *, bytes host, bytes prefix, bytes cut, bytes query, bytes fields,
                 bytes default_fields, bint ask_usage, dict ways, dict output_limits, frozenset own_names=frozenset(), tuple secrets=(),
                 signer=None, tuple variants=()):
        self.name = name
        self.provider = provider
        self.origin = origin
        self.host = host
        self.prefix = prefix
        self.cut = cut
        self.query = query
        self.fields = fields
        self.default_fields = default_fields
        self.ask_usage = ask_usage
        self.output_limits = output_limits
        self.signer = signer
        self.variants = variants
        self.ways = [ways.get(place) for place in range(OPERATIONS * DIALECTS)]
        self.model_in_prefix = b"{model}" in prefix
        self.own_names = own_names
        self.secrets = secrets

    def __repr__(self):
        return f"<Integration {self.name} ({self.provider.name}) at {self.origin.host}:{self.origin.port}>"

    cdef Way way(self, Operation operation):
        """How it serves this operation, in the caller's dialect or another; None where it does not."""
        return <Way>self.ways[operation.place]

    def does(self, Operation operation):
        return self.ways[operation.place] is not None

    def translates(self, Operation operation):
        """Whether it serves the operation in another dialect than the caller's."""
        cdef Way way = <Way>self.ways[operation.place]
        return way is not None and way.dialect is not None

    def for_model(self, str model):
        """The integration as this model is asked for: itself, or the variant of its provider that the name belongs to."""
        for pattern, variant in self.variants:
            if pattern.search(model):
                return variant
        return self


cdef class Target:
    def __init__(self, Integration integration, bytes model, PriceRow price, *, str unsupported="drop"):
        self.integration = integration
        self.unsupported = unsupported
        self.model = model
        self.price = price
        self.heads = [None] * OPERATIONS
        provider = integration.provider.name.encode()
        self.reply_fields = b"x-fastgw-provider: %b\r\n" % provider
        if model and all(0x20 < byte < 0x7f for byte in model):
            self.reply_fields += b"x-fastgw-model: %b\r\n" % model
        label(self.integration_label, 32, integration.name.encode())
        label(self.provider_label, 24, provider)
        label(self.model_label, 64, model)

    def limit(self, *, connect_ms=None, first_byte_ms=None, idle_ms=None, total_ms=None):
        """State limits of time of its own; None: the integration's."""
        self.connect_ns = (connect_ms or 0) * 1000000
        self.first_byte_ns = (first_byte_ms or 0) * 1000000
        self.idle_ns = (idle_ms or 0) * 1000000
        self.total_ns = (total_ms or 0) * 1000000

    def __repr__(self):
        return f"<Target {self.integration.name}/{self.model.decode()}>"

    cdef bint may_serve(self, Operation operation, Caller caller):
        """Whether it has this operation, and this caller may use it."""
        return self.integration.way(operation) is not None and (
            caller.integrations is None or self.integration.name in caller.integrations)


cdef class Snapshot:
    def __init__(self, *, long long version, long long loaded_ns, str origin_path, KeyTable keys, list callers, dict integrations,
                 dict aliases, resolver, int payloads, Py_ssize_t max_payload_bytes, Py_ssize_t buffer_reply_bytes, cors=None, served=(),
                 describe=None, dict cached=None, paths=None, KeyFile issued=None, maker=None):
        self.version = version
        self.loaded_ns = loaded_ns
        self.origin_path = origin_path
        self.keys = keys
        self.callers = callers
        self.integrations = integrations
        self.aliases = aliases
        self.resolved = {}
        self.resolver = resolver
        self.payloads = payloads
        self.max_payload_bytes = max_payload_bytes
        self.buffer_reply_bytes = buffer_reply_bytes
        self.cors = cors
        self.served = served
        self.describe = describe
        self.listed = {}
        self.cached = cached or {}
        self.paths = paths
        self.maker = maker
        self.issued = issued
        self.made = {}
        self.made_before = {}

    def __repr__(self):
        return f"<Snapshot {self.version} of {self.origin_path}: {len(self.callers)} keys, {len(self.integrations)} integrations>"

    def allows(self, Caller caller, str integration):
        """Whether the caller's key and workspace may use that integration."""
        return caller.integrations is None or integration in caller.integrations

    def names_for(self, Caller caller):
        """The models a caller may name, as (name, who serves it): aliases, then what integrations state they serve."""
        cdef Target target
        found = {}
        for name, route in self.aliases.items():
            if caller.models is not None and name not in caller.models:
                continue
            for leaf in route.leaves:
                target = <Target>leaf.target
                if self.allows(caller, target.integration.name):
                    found.setdefault(name.decode(), target.integration.provider.name)
        for name, integration in self.served:
            if name not in found and (caller.models is None or name.encode() in caller.models) and self.allows(caller, integration.name):
                found[name] = integration.provider.name
        return sorted(found.items())
