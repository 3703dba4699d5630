"""Scopes, by the reference's names, and the roles that give them: the one table of who may do what."""

from typing import Final

ALL: Final = ("create", "read", "update", "delete", "list")

# What there is to be done: each resource and its verbs. A scope is "RESOURCE.VERB".
RESOURCES: Final[dict[str, tuple[str, ...]]] = {
    "organisation_settings": ("read", "update"),
    "organisation_users": ALL,
    "organisation_service_api_keys": ALL,
    "organisation_integrations": ALL,
    "audit_logs": ("list",),
    "workspaces": ALL,
    "workspace_users": ALL,
    "workspace_integrations": ALL,
    "workspace_service_api_keys": (*ALL, "rotate"),
    "workspace_user_api_keys": (*ALL, "rotate"),
    "configs": ALL,
    "models": ALL,
    "prices": ALL,
    "policies": ALL,
    "alerts": ALL,
    "logs": ("list", "view", "export"),
    "analytics": ("view",),
    "status": ("view",),
}
SCOPES: Final = frozenset(f"{resource}.{verb}" for resource, verbs in RESOURCES.items() for verb in verbs)

# What belongs to the organisation as a whole: nobody has it by a role in a workspace, and no token of a workspace may.
ORGANISATION_ONLY: Final = frozenset(
    f"{resource}.{verb}"
    for resource in (
        "organisation_settings",
        "organisation_users",
        "organisation_service_api_keys",
        "organisation_integrations",
        "prices",
        "status",
    )
    for verb in RESOURCES[resource]
) | {"workspaces.create", "workspaces.delete", "models.create", "models.update", "models.delete"}


def scopes(*patterns: str) -> frozenset[str]:
    """The scopes that patterns name: "workspaces.*" for all verbs, "configs.list", and so on."""
    found = {scope for pattern in patterns for scope in SCOPES if scope == pattern or pattern == f"{scope.partition('.')[0]}.*"}
    return frozenset(found)


ORGANISATION_ROLES: Final[dict[str, frozenset[str]]] = {
    "owner": SCOPES,
    "admin": SCOPES - {"organisation_settings.update"},
    "member": frozenset(),
}
WORKSPACE_ADMIN: Final = SCOPES - ORGANISATION_ONLY
WORKSPACE_ROLES: Final[dict[str, frozenset[str]]] = {
    "admin": WORKSPACE_ADMIN,
    "manager": scopes(
        "workspaces.read",
        "workspaces.list",
        "workspace_users.read",
        "workspace_users.list",
        "workspace_integrations.read",
        "workspace_integrations.list",
        "workspace_service_api_keys.*",
        "workspace_user_api_keys.*",
        "configs.*",
        "models.read",
        "models.list",
        "alerts.*",
        "logs.*",
        "analytics.view",
    ),
    "member": scopes(
        "workspaces.read",
        "workspaces.list",
        "workspace_integrations.list",
        "workspace_user_api_keys.*",
        "configs.read",
        "configs.list",
        "models.read",
        "models.list",
        "logs.list",
        "logs.view",
        "analytics.view",
    ),
}
