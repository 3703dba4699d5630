"""Channels: where alerts go. And the alerts that there were."""

import json
import time
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta
from sqlalchemy import select

from fastgw.control.alerts.deliver import way_in
from fastgw.control.alerts.senders import SENDERS, DeliveryFailed
from fastgw.control.alerts.words import SCALES, Alert
from fastgw.control.api.call import Answer, Call, moment
from fastgw.control.api.endpoint import Endpoint
from fastgw.control.api.problem import invalid, missing
from fastgw.control.api.resource import MOST_LISTED, USUAL_LISTED, Resource, Shown, Stored, read_cursor, within, write_cursor
from fastgw.control.api.written import Document
from fastgw.control.store.tables import ALERTS, CHANNELS, DELIVERIES, WORKSPACES
from fastgw.snapshot.config import Config, Secret
from fastgw.snapshot.seal import SealError
from fastgw.snapshot.section import Section

Label = Annotated[str, Meta(pattern=r"\A[^\x00-\x1f\x7f]{1,100}\Z", extra={"expected": "a name of 1 to 100 characters"})]
Email = Annotated[str, Meta(pattern=r"\A[^@\s]{1,64}@[^@\s]{1,255}\Z", extra={"expected": "an e-mail address"})]


class ChannelWritten(Section, frozen=True, kw_only=True):
    """What administrators write of a channel."""

    name: Annotated[Label, Meta(description="its name")]
    kind: Annotated[Literal["webhook", "slack", "email"], Meta(description="how alerts go out")]
    url: Annotated[Secret | None, Meta(description="where webhooks go; it is a secret, since whoever has Slack's may write there")] = None
    to: Annotated[tuple[Email, ...], Meta(description="addresses that mail goes to")] = ()
    secret: Annotated[Secret | None, Meta(description="webhooks are signed with it, as the Standard Webhooks specification has it")] = None
    workspace: Annotated[str | None, Meta(description="of this workspace's alerts only")] = None
    enabled: Annotated[bool, Meta(description="false sends nothing")] = True


class ChannelShown(Shown, kw_only=True):
    """What is answered beside it."""

    host: str | None
    last_error: str | None


class Channels(Resource):
    name, noun, table, scopes, by = "channels", "channel", CHANNELS, "alerts", "name"
    written, shown, frozen = ChannelWritten, ChannelShown, ("name",)

    async def columns(self, call: Call, written: Any, before: Stored | None) -> dict[str, object]:
        if written.kind == "email" and not written.to:
            raise invalid("$.to", "at least one address, as the channel sends mail", "none")
        if written.kind != "email":
            if written.url is None:
                raise invalid("$.url", "an address, as the channel posts to it", "none")
            if not written.url.reveal().startswith(("http://", "https://")):
                raise invalid("$.url", "http:// or https://", "another scheme")
        workspace_id = None
        if written.workspace is not None:
            found = await call.reading.execute(
                select(WORKSPACES.c.id).where(
                    (WORKSPACES.c.slug == written.workspace) | (WORKSPACES.c.id == written.workspace),
                    WORKSPACES.c.organisation_id == call.principal.organisation_id,
                )
            )
            workspace_id = found.scalar_one_or_none()
            if workspace_id is None:
                raise missing("workspace", written.workspace)
        return {"name": written.name, "workspace_id": workspace_id}

    async def view(self, call: Call, rows: Sequence[Stored]) -> list[Document]:
        return [{"host": self.host(call, row), "last_error": row["last_error"]} for row in rows]

    def host(self, call: Call, row: Stored) -> str | None:
        """Where it leads, without what makes the address a secret; None also where it cannot be opened, so that the rest can be seen."""
        try:
            _, way = way_in(self.document_of(row), call.plane.file or Config(), call.plane.sealer)
        except SealError:
            return None
        return way.url.split("/")[2].rpartition("@")[2] if way.url.count("/") >= 2 else None

    def endpoints(self) -> list[Endpoint]:
        return [
            *super().endpoints(),
            Endpoint(
                method="POST",
                path="/channels/{channel}/test",
                run=self.test,
                summary="Send a test alert, and tell how it went",
                scope="alerts.update",
                tag=self.name,
                query=(),
                uses="none",
            ),
            Endpoint(
                method="GET",
                path="/alerts",
                run=self.sent,
                summary="List the alerts that there were",
                scope="alerts.list",
                tag="alerts",
                is_list=True,
                query=("limit", "cursor"),
            ),
        ]

    async def test(self, call: Call) -> Answer:
        """Outside of a transaction, as the channel may take its time."""
        async with call.plane.store.read() as call.connection:
            row = await self.find(call, "update")
        kind, way = way_in(self.document_of(row), call.plane.file or Config(), call.plane.sealer)
        at = moment(time.time_ns()) or ""
        alert = Alert(f"test-{call.request_id}", at, "threshold", "a test", None, "nano_usd", "day", None, 0.8, 8 * 10**9, 10 * 10**9)
        try:
            await SENDERS[kind](way, alert)
        except DeliveryFailed as error:
            return Answer({"ok": False, "message": str(error)})
        return Answer({"ok": True, "message": "it was taken"})

    async def sent(self, call: Call) -> Answer:
        limit = call.integer("limit", USUAL_LISTED, 1, MOST_LISTED)
        wanted = [within(ALERTS, call, "alerts.list")]
        if cursor := call.query.get("cursor"):
            wanted.append(ALERTS.c.id < read_cursor(cursor))
        found = (
            (
                await call.reading.execute(
                    select(ALERTS, WORKSPACES.c.slug)
                    .join(WORKSPACES, WORKSPACES.c.id == ALERTS.c.workspace_id, isouter=True)
                    .where(*wanted)
                    .order_by(ALERTS.c.id.desc())
                    .limit(limit + 1)
                )
            )
            .mappings()
            .all()
        )
        rows = [dict(row) for row in found]
        deliveries: dict[str, list[Document]] = {row["id"]: [] for row in rows}
        for one in (
            await call.reading.execute(
                select(DELIVERIES, CHANNELS.c.name)
                .join(CHANNELS, CHANNELS.c.id == DELIVERIES.c.channel_id, isouter=True)
                .where(DELIVERIES.c.alert_id.in_(list(deliveries)))
            )
        ).mappings():
            deliveries[one["alert_id"]].append(
                {"channel": one["name"] or one["channel_id"], "state": one["state"], "attempts": one["attempts"], "error": one["error"]}
            )
        following = write_cursor(rows[limit - 1]["id"]) if len(rows) > limit else None
        return Answer({"data": [shown_alert(row, deliveries[row["id"]]) for row in rows[:limit]], "next": following, "total": None})


def shown_alert(row: Stored, deliveries: list[Document]) -> Document:
    scale = SCALES[row["unit"]]
    return {
        "id": row["id"],
        "at": moment(row["at_ns"]),
        "subject": row["subject"],
        "workspace": row["slug"],
        "kind": row["kind"],
        "threshold": row["threshold_ppm"] / 1_000_000,
        "window": row["window"],
        "window_start": moment(row["window_start_ns"]) if row["window_start_ns"] else None,
        "unit": "usd" if row["unit"] == "nano_usd" else row["unit"],
        "spent": row["spent"] / scale,
        "limit": row["budget"] / scale,
        "emails": json.loads(row["emails"]),
        "deliveries": deliveries,
    }
