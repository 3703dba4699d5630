"""Who calls the control plane, and where each of their scopes holds."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct


class Principal(Struct, frozen=True, kw_only=True):
    """A user who has signed in, an API token, or the gateway itself.

    scopes       that hold in the whole organisation
    workspaces   by id: the scopes that hold there
    """

    kind: Literal["user", "token", "system"]
    id: str
    name: str
    organisation_id: str
    role: str = ""
    scopes: frozenset[str] = frozenset()
    workspaces: Mapping[str, frozenset[str]] = {}
    user_id: str | None = None

    def __repr__(self) -> str:
        return f"<Principal {self.kind} {self.id}, {len(self.scopes)} scopes, {len(self.workspaces)} workspaces>"

    def may(self, scope: str, workspace_id: str | None = None) -> bool:
        """Whether a scope holds in a workspace; without one, in the whole organisation."""
        return scope in self.scopes or (workspace_id is not None and scope in self.workspaces.get(workspace_id, ()))

    def reach(self, scope: str) -> frozenset[str] | None:
        """The ids of the workspaces where a scope holds; None where it holds in the whole organisation."""
        if scope in self.scopes:
            return None
        return frozenset(workspace for workspace, held in self.workspaces.items() if scope in held)
