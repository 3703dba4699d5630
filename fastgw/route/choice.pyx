"""Where to: the plan for what is asked, and the next target of a plan.

Plans of aliases are compiled with the snapshot; for other names the snapshot's resolver is asked once and its answer kept.
"""
from fastgw.errors import error
from fastgw.snapshot.types cimport NO_BODY_READ, Caller, Plan, Snapshot, Target

cdef enum:
    MOST_RESOLVED = 10000      # names that strangers make up must not fill the memory


cdef Plan find_plan(Exchange x):
    cdef Snapshot snapshot = x.snapshot
    cdef Caller caller = x.caller
    cdef Plan plan = None
    cdef str integration = None
    if x.model is None and caller.models is not None and x.operation.body != NO_BODY_READ:
        raise error("ModelNotAllowed", f"key {caller.name!r} may use certain models only, so name one: "
                    + ", ".join(sorted(name.decode() for name in caller.models)), param="model")
    if x.model is not None and caller.models is not None and x.model not in caller.models:
        raise error("ModelNotAllowed", f"key {caller.name!r} may not use model {x.model.decode('utf-8', 'replace')!r}; it may use "
                    + ", ".join(sorted(name.decode() for name in caller.models)), param="model")
    if x.wanted_integration is not None:
        integration = x.wanted_integration.decode("utf-8", "replace")
        if integration not in snapshot.integrations or not snapshot.allows(caller, integration):
            raise error("IntegrationNotAllowed",
                        f"expected in x-fastgw-integration one of the integrations this key may use, got {integration!r}")
    elif x.model is not None:
        plan = <Plan>snapshot.aliases.get(x.model)
        if plan is not None:
            return plan
    elif caller.passthrough is not None:
        integration = caller.passthrough
    place = (x.operation.name, x.operation.speaks, x.model, integration)
    plan = <Plan>snapshot.resolved.get(place)
    if plan is None:
        plan = alias_at(snapshot, x.model, integration) or snapshot.resolver(snapshot, x.operation, x.model, integration)
        if plan is None:
            raise not_found(x)
        if len(snapshot.resolved) >= MOST_RESOLVED:
            snapshot.resolved.clear()
        snapshot.resolved[place] = plan
    return plan


cdef Plan alias_at(Snapshot snapshot, bytes model, str integration):
    """Of an alias, the targets at the integration that is named beside it."""
    cdef Plan alias = <Plan>snapshot.aliases.get(model) if model is not None else None
    if alias is None:
        return None
    targets = tuple([target for target in alias.targets if target.integration.name == integration])
    return Plan("single", targets) if targets else None


def not_found(Exchange x):
    if x.model is None:
        return error("IntegrationMissing", f"{x.path[:200].decode('ascii', 'replace')} names no model, so name the integration that it "
                     "shall go to: in the field x-fastgw-integration, or as `integration` of the key")
    return error("ModelNotFound", f"no alias and no integration serves model {x.model.decode('utf-8', 'replace')[:200]!r}; "
                 "GET /v1/models lists what this key may use", param="model")


cdef Target next_target(Exchange x, unsigned int draw):
    cdef Plan plan = x.plan
    cdef Target target
    cdef int i, left
    if plan.strategy == "weighted" and x.tried == 0:
        left = draw % max(plan.total_weight, 1)
        for i in range(len(plan.targets)):
            target = <Target>plan.targets[i]
            left -= target.weight
            if left < 0 and target.may_serve(x.operation, x.caller):
                x.tried |= 1 << i
                return target
    for i in range(min(len(plan.targets), 31)):
        if x.tried & (1 << i):
            continue
        x.tried |= 1 << i
        target = <Target>plan.targets[i]
        if target.may_serve(x.operation, x.caller):
            return target
    return None


def none_left(Exchange x):
    """Why no target of the plan can be used at all."""
    cdef Target target
    names = [target.integration.name for target in x.plan.targets if target.integration.does(x.operation)]
    model = x.model.decode("utf-8", "replace") if x.model else ""
    if not names:
        return error("ModelNotFound", f"model {model!r} is served by {x.plan.targets[0].integration.provider.name}, which has nothing like "
                     f"{x.path.decode('ascii', 'replace')}", param="model")
    return error("IntegrationNotAllowed", f"model {model!r} is served by {', '.join(names)}, which key {x.caller.name!r} may not use",
                 param="model")
