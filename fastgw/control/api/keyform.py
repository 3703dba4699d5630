"""What is written of a virtual key, and what is answered."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, field

from fastgw.control.api.limits import Owned
from fastgw.control.api.resource import Shown
from fastgw.control.api.spending import Spend
from fastgw.control.api.workspaces import Slug, Text
from fastgw.snapshot.config import Admission
from fastgw.snapshot.routes import TargetName
from fastgw.snapshot.section import Section

Hours = Annotated[int, Meta(ge=0, le=24 * 90)]
UserId = Annotated[str, Meta(max_length=64, extra={"expected": "the id of a user"})]


class Rotation(Section, frozen=True):
    """When a key is to be rotated."""

    every_days: Annotated[int, Meta(ge=1, le=366, description="days after it was made or rotated")]
    overlap_hours: Annotated[Hours, Meta(description="hours that the key before stays valid")] = 24


class KeyWritten(Owned, frozen=True, kw_only=True):
    """What administrators write of a key."""

    name: Annotated[TargetName, Meta(description="what people call it; unique within its workspace")]
    workspace: Annotated[Slug, Meta(description="whose limits and integrations it has")]
    user: Annotated[UserId | None, Meta(description="whose it is; without one it is a service's")] = None
    description: Annotated[Text, Meta(description="what it is for")] = ""
    models: Annotated[tuple[str, ...], Meta(description="models it may use; none named: all of the workspace")] = ()
    integrations: Annotated[tuple[str, ...], Meta(description="integrations it may use; none named: all of the workspace")] = ()
    integration: Annotated[str | None, Meta(description="where paths under /v1/ go that the gateway does not know")] = None
    expires_at: Annotated[Annotated[datetime, Meta(tz=True)] | None, Meta(description="from then on the key is refused")] = None
    metadata: Annotated[dict[str, str], Meta(description="kept with the key's records")] = field(default_factory=dict)
    config: Annotated[str | None, Meta(description="the saved config that holds where a request names none")] = None
    allow_config_override: Annotated[bool, Meta(description="whether requests may name another config")] = True
    enabled: Annotated[bool, Meta(description="false refuses the key")] = True
    admission: Annotated[Admission | None, Meta(description="instead of the workspace's")] = None
    alert_emails: Annotated[tuple[str, ...], Meta(description="who is told of its budgets' alerts, beside the channels")] = ()
    rotation: Annotated[Rotation | None, Meta(description="when it is to be rotated")] = None


class KeyShown(Shown, kw_only=True):
    """What is answered beside it; `key` once, when it is made or rotated.

    disabled_by   why the status is disabled: the key's own `enabled`, or its user's status
    """

    status: Literal["active", "exhausted", "expired", "disabled"]
    disabled_by: Literal["key", "user"] | None
    masked: str
    spend: Spend
    last_used_at: str | None
    rotate_at: str | None
    previous_valid_until: str | None
    key: str = ""


class Overlap(Section, frozen=True):
    """How a key is rotated."""

    overlap_hours: Annotated[Hours | None, Meta(description="hours that the old one stays valid; by default as its rotation says")] = None


class PlaygroundPlace(Section, frozen=True):
    """Where a key for the console's playground is to be."""

    workspace: Slug
