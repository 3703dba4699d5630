"""Where to: the route for what is asked, and the first target on it.

Routes of aliases are compiled with the snapshot; for other names the snapshot's resolver is asked once and its answer kept.
"""
import msgspec

from libc.stdint cimport int64_t

from fastgw._core.clock cimport monotonic_ns
from fastgw.errors import error
from fastgw.route.facts import Facts
from fastgw.route.plan cimport NOT_ALLOWED, NOT_SERVED, PRICE_UNKNOWN, Leaf, Route, Walk
from fastgw.route.wishes import MEMBER, wishes_in_body, wishes_in_fields
from fastgw.snapshot.shares cimport Share
from fastgw.snapshot.types cimport JSON_BODY, NO_BODY_READ, Caller, Snapshot, Target

cdef enum:
    MOST_RESOLVED = 10000      # names that strangers make up must not fill the memory
    BYTES_PER_TOKEN = 4        # of ordinary text


cdef Leaf choose_target(Exchange x, Route route, uint64_t draw):
    cdef Caller caller = x.caller
    cdef Leaf leaf
    cdef Target target
    cdef Walk walk
    cdef int64_t tokens = x.body_bytes // BYTES_PER_TOKEN + 1
    cdef int64_t now = monotonic_ns()
    cdef bint needs_price = caller.has_budget and caller.refuse_unknown_price and x.operation.metered
    facts = facts_of(x, tokens) if route.needs_facts else None
    walk = route.begin(facts, wishes_of(x, route), tokens, max(x.scanned.max_tokens, 0), now)
    x.walk = walk
    x.has_others = len(route.leaves) > 1
    x.candidates = []
    for leaf in route.leaves:
        target = <Target>leaf.target
        if target.integration.way(x.operation) is None:
            walk.bar(leaf.index, NOT_SERVED)
        elif caller.integrations is not None and target.integration.name not in caller.integrations:
            walk.bar(leaf.index, NOT_ALLOWED)
        elif caller.shares is not None and not shares_model(x, target):
            walk.bar(leaf.index, NOT_ALLOWED)
        elif needs_price and not target.price.price.known and len(route.leaves) > 1:
            walk.bar(leaf.index, PRICE_UNKNOWN)
        else:
            x.candidates.append(target)
            if leaf.override_params or leaf.default_params or leaf.drop_params:
                x.is_reshaped = True
    leaf = walk.start(draw, now)
    if leaf is None:
        raise none_left(x)
    x.deadline_ns = walk.deadline_ns
    return leaf


cdef bint shares_model(Exchange x, Target target):
    """Whether the caller's workspace has that model of the integration, by the name that it has there."""
    cdef Share share = x.caller.shares.get(target.integration.name)
    return share is None or share.allows(target.model or x.model)


cdef Route find_route(Exchange x):
    cdef Snapshot snapshot = x.snapshot
    cdef Caller caller = x.caller
    cdef Route route = None
    cdef str integration = None
    if x.model is None and caller.models is not None and x.operation.body != NO_BODY_READ:
        raise error("ModelNotAllowed", f"key {caller.name!r} may use certain models only, so name one: "
                    + ", ".join(sorted(name.decode() for name in caller.models)), param="model")
    if x.model is not None and caller.models is not None and x.model not in caller.models and bare_name(x.model) not in caller.models:
        raise error("ModelNotAllowed", f"key {caller.name!r} may not use model {x.model.decode('utf-8', 'replace')!r}; it may use "
                    + ", ".join(sorted(name.decode() for name in caller.models)), param="model")
    if x.wanted_integration is not None:
        integration = x.wanted_integration.decode("utf-8", "replace")
        if integration not in snapshot.integrations or not snapshot.allows(caller, integration):
            raise error("IntegrationNotAllowed",
                        f"expected in x-fastgw-integration one of the integrations this key may use, got {integration!r}")
    elif x.model is not None:
        route = <Route>snapshot.aliases.get(x.model)
        if route is not None:
            return route
    elif caller.passthrough is not None:
        integration = caller.passthrough
    place = (x.operation.name, x.operation.speaks, x.model, integration)
    route = <Route>snapshot.resolved.get(place)
    if route is None:
        route = snapshot.resolver(snapshot, x.operation, x.model, integration)
        if route is None:
            raise not_found(x)
        if len(snapshot.resolved) >= MOST_RESOLVED:
            snapshot.resolved.clear()
        snapshot.resolved[place] = route
    return route


def bare_name(bytes model):
    """The model of @integration/model or provider/model: an allow list that has it allows it wherever it is."""
    return model.partition(b"/")[2] if b"/" in model else model


cdef object facts_of(Exchange x, int64_t tokens):
    """The request as conditions and sticky fields see it."""
    headers = {}
    for line in (<bytes>x.forward.start[:x.forward.size]).splitlines():
        name, _, value = line.partition(b":")
        headers[name.decode("latin-1").strip().lower()] = value.decode("latin-1").strip()
    return Facts(
        body=x.body if x.operation.body == JSON_BODY and x.body is not None else b"",
        model="" if x.model is None else x.model.decode("utf-8", "replace"), key=x.caller.name, workspace=x.caller.workspace,
        pathname=x.path.decode("latin-1"), tokens=tokens, stream=x.wants_stream(), metadata=x.metadata, headers=headers)


cdef object wishes_of(Exchange x, Route route):
    """What the request wishes for among several targets. raises InvalidRequest"""
    wishes = None
    if len(route.leaves) > 1 and x.operation.body == JSON_BODY and x.body is not None and b'"provider"' in x.body:
        wishes = wishes_in_body(msgspec.json.decode(x.body).get(MEMBER))
        x.wishes_in_body = wishes is not None
    if x.sort is not None or x.max_price is not None:
        return wishes_in_fields(x.sort, x.max_price)
    return wishes


def not_found(Exchange x):
    if x.model is None:
        return error("IntegrationMissing", f"{x.path[:200].decode('ascii', 'replace')} names no model, so name the integration that it "
                     "shall go to: in the field x-fastgw-integration, or as `integration` of the key")
    return error("ModelNotFound", f"no alias and no integration serves model {x.model.decode('utf-8', 'replace')[:200]!r}; "
                 "GET /v1/models lists what this key may use", param="model")


def none_left(Exchange x):
    """Why no target of the route can be used at all."""
    cdef Walk walk = <Walk>x.walk
    cdef Target target
    reasons = dict((leaf.label, why) for leaf, why in walk.passed_over())
    targets = [<Target>leaf.target for leaf in walk.route.leaves]
    names = sorted({target.integration.name for target in targets if target.integration.way(x.operation) is not None})
    model = x.model.decode("utf-8", "replace") if x.model else ""
    if not names:
        providers = ", ".join(sorted({target.integration.provider.name for target in targets}))
        served = f"model {model!r} is served by {providers}, which" if model else providers
        return error("ModelNotFound", f"{served} has nothing like {x.path.decode('ascii', 'replace')}"
                     + (": files and batches pass to providers that have them, none is made of a bucket or a data set"
                        if x.operation.body == NO_BODY_READ and x.operation.name in ("files", "batches") else ""),
                     param="model" if model else None)
    if not x.candidates and not any(why.startswith("price") for why in reasons.values()):
        return error("IntegrationNotAllowed", f"model {model!r} is served by {', '.join(names)}, which key {x.caller.name!r} may not use",
                     param="model")
    said = "; ".join(f"{label}: {why}" for label, why in reasons.items())
    if any(why == "price unknown" for why in reasons.values()) and x.max_price is None:
        return error("PriceUnknown", f"no target of model {model!r} has a known price, and a budget applies to key {x.caller.name!r}: "
                     "state prices, or set unknown_price = \"allow\" for the workspace", param="model")
    return error("NoTarget", f"no target of model {model!r} can serve this request ({said})", param="model")
