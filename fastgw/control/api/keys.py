"""Virtual keys: made and shown once, changed, rotated with an overlap, and revoked."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import structs
from sqlalchemy import ColumnElement, and_, func, or_, select

from fastgw.auth.keys import digest_of, make_key
from fastgw.control.access.gate import is_active
from fastgw.control.api.call import Answer, Call, lacks, moment
from fastgw.control.api.endpoint import Endpoint
from fastgw.control.api.keyform import KeyShown, KeyWritten, Overlap, PlaygroundPlace, Rotation
from fastgw.control.api.known import each_unknown, find_workspace, known_in, models_of, serves, unknown
from fastgw.control.api.problem import ApiError, Fault, invalid, missing
from fastgw.control.api.resource import MOST_LISTED, USUAL_LISTED, Owner, Resource, Stored, read_cursor, write_cursor
from fastgw.control.api.spending import Spend, spend_of
from fastgw.control.api.written import Document, changes, decode, merge, read_written, refused
from fastgw.control.ids import account_digest, make_id
from fastgw.control.revoking import revoke
from fastgw.control.store.tables import ACCOUNTS, KEYS, MEMBERS, USERS, WORKSPACES
from fastgw.snapshot.check import LAST_EXPIRY
from fastgw.snapshot.names import shown

HOUR_NS: Final = 3600 * 10**9
MOST_METADATA: Final = 64
MOST_METADATA_CHARACTERS: Final = 128  # of a value, as the reference has it
PLAYGROUND: Final = "playground-"  # begins the names of keys that the console makes for a while
PLAYGROUND_NS: Final = 15 * 60 * 10**9
PLAYGROUND_LIMITS: Final[Document] = {"budgets": [{"usd": 1}]}
STATES: Final = ("active", "exhausted", "expired", "disabled")
SERVICE: Final = "workspace_service_api_keys"
USER: Final = "workspace_user_api_keys"
# What those see of others' keys who may only list their names.
OPEN_MEMBERS: Final = ("id", "name", "workspace", "user", "description", "status", "version", "created_at", "updated_at")
EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s.][^@\s]{0,253}")


class Keys(Resource):
    name, noun, table, scopes, by = "keys", "key", KEYS, SERVICE, "name"
    written, shown = KeyWritten, KeyShown
    touches, sought, whole, has_limits = ("keys",), ("masked",), ("metadata", "annotations"), True

    def endpoints(self) -> list[Endpoint]:
        listed, *rest = super().endpoints()
        one, tag = f"/{self.name}/{{{self.noun}}}", self.name
        filters = (*listed.query, "workspace", "status", "user")
        more = [
            Endpoint(
                method="POST", path=f"{one}/rotate", run=self.rotate, summary="Make another key in the place of one", tag=tag,
                scope=f"{SERVICE}.rotate", uses="write", body=Overlap, reply=self,
            ),
            Endpoint(
                method="POST", path=f"/{self.name}/playground", run=self.playground, summary="Make a key of one's own for 15 minutes",
                tag=tag, scope=f"{USER}.create", uses="write", status=201, body=PlaygroundPlace,
            ),
        ]  # fmt: skip
        return [replaced(row) for row in (structs.replace(listed, query=filters), *rest, *more)]

    # who may

    def visible(self, call: Call, verb: str) -> ColumnElement[bool]:
        """Whole workspaces; where only the caller's own keys are theirs to see, the names of the others'."""
        columns, reaches = KEYS.c, [call.principal.reach(f"{scope}.{one}") for scope in (SERVICE, USER) for one in ("list", verb)]
        if None in reaches:
            return and_(columns.organisation_id == call.principal.organisation_id, columns.removed.is_(False))
        # not by the organisation, whose these workspaces are: a database might go through all of its keys for them
        reach = frozenset[str]().union(*(reach for reach in reaches if reach is not None))
        return and_(columns.workspace_id.in_(reach), columns.removed.is_(False))

    def permit(self, call: Call, verb: str, columns: Mapping[str, object]) -> None:
        if not self.may(call, verb, columns):
            raise lacks(f"{USER if self.is_own(call, columns) else SERVICE}.{verb}")

    def may(self, call: Call, verb: str, columns: Mapping[str, object]) -> bool:
        workspace_id = str(columns["workspace_id"])
        may = call.principal.may
        return may(f"{SERVICE}.{verb}", workspace_id) or (self.is_own(call, columns) and may(f"{USER}.{verb}", workspace_id))

    def is_own(self, call: Call, columns: Mapping[str, object]) -> bool:
        return columns["user_id"] is not None and columns["user_id"] == call.principal.user_id

    # what is written

    async def complete(self, call: Call, document: Document, before: Stored | None) -> Document:
        """A person who may make keys only for themselves does so without saying so."""
        if before is None and "user" not in document and call.principal.user_id is not None and "user" not in call.document:
            workspace = document.get("workspace")
            if isinstance(workspace, str):
                place = await find_workspace(call, workspace)
                if not call.principal.may(f"{SERVICE}.create", place["id"]):
                    return document | {"user": call.principal.user_id}
        return document

    async def columns(self, call: Call, written: KeyWritten, before: Stored | None) -> dict[str, object]:
        workspace = await find_workspace(call, written.workspace)
        columns: dict[str, object] = {"name": written.name, "workspace_id": workspace["id"], "user_id": written.user}
        # before what it refers to is looked at, which would tell of the workspace
        self.permit(call, "create" if before is None else "update", columns)
        old: Document = {} if before is None else self.document_of(before)
        stated = call.document.keys() | (old.keys() if "workspace" in call.document else ())
        faults = [*key_faults(call, written, stated), *await reference_faults(call, written, workspace, stated)]
        if written.user is not None and ("user" in stated or before is None):
            faults += await user_faults(call, written.user, workspace["id"])
        if written.name.startswith(PLAYGROUND) and written.name != old.get("name"):
            faults.append(Fault("$.name", f'a name that does not begin with "{PLAYGROUND}"', "one that does"))
        if faults:
            raise refused(faults)
        if before is None or old.get("rotation") != call.document.get("rotation", old.get("rotation")):
            columns["rotate_at_ns"] = due(call, written.rotation)
        return columns if before is not None else columns | fresh(call)

    async def refuse_taken(self, call: Call, columns: Mapping[str, object], own_id: str = "") -> None:
        # writers take turns from here on, so that of two with one name the later sees the earlier
        await call.writing.revision(*self.touches)
        same = [KEYS.c[name] == columns[name] for name in ("workspace_id", "name")]
        same.append(KEYS.c.organisation_id == call.principal.organisation_id)
        if (await call.reading.execute(select(KEYS.c.id).where(*same, KEYS.c.removed.is_(False), KEYS.c.id != own_id))).first() is not None:
            found = f"expected a name that no other key of the workspace has, found {columns['name']!r}"
            raise ApiError("exists", found, path="$.name")

    async def after(self, call: Call, row: Stored, before: Stored | None) -> Document:
        return {"key": call.once[-1]} if before is None else {}

    async def delete_row(self, call: Call) -> Answer:
        row = await self.find(call, "delete")
        await self.match(call, row)
        await self.remove(call, row)
        return Answer(status=204)

    async def remove(self, call: Call, row: Stored) -> None:
        """Revoke a key; its row stays, for records that name it."""
        await revoke(call.writing, (row["digest"], row["previous_digest"]), call.now_ns)
        gone = {"digest": None, "previous_digest": None, "previous_until_ns": None, "rotate_at_ns": None, "removed": True}
        await self.keep(call, row, self.document_of(row), gone)
        await self.audit(call, "delete", row, {})

    async def rotate(self, call: Call) -> Answer:
        row = await self.find(call, "rotate")
        await self.match(call, row)
        asked = read_written(Overlap, {} if call.body is None else merge({}, call.document), call.plane.sealer)
        document = self.document_of(row)
        written: KeyWritten = self.accept(call, document)
        hours = asked.overlap_hours
        if hours is None:
            hours = (written.rotation or Rotation(every_days=1)).overlap_hours
        # two keys hold at most: that before the last rotation goes
        await revoke(call.writing, (row["previous_digest"], None if hours else row["digest"]), call.now_ns)
        until_ns = call.now_ns + hours * HOUR_NS if hours else None
        columns = {"previous_digest": row["digest"] if hours else None, "previous_until_ns": until_ns}
        columns |= fresh(call) | {"rotate_at_ns": due(call, written.rotation)}
        await self.keep(call, row, document, columns)
        stored = await self.reread(call, row["id"])
        await self.audit(call, "rotate", stored, {"masked": [row["masked"], stored["masked"]]})
        answer = await self.answer(call, stored)
        assert isinstance(answer.body, dict)  # of one row
        return Answer({**answer.body, "key": call.once[-1]}, fields=answer.fields)

    async def playground(self, call: Call) -> Answer:
        """A key for the console, which is the person's, and for a while; those that have expired go."""
        wanted = read_written(PlaygroundPlace, call.document, call.plane.sealer)
        user_id, workspace = call.principal.user_id, await find_workspace(call, wanted.workspace)
        if user_id is None:
            raise ApiError("forbidden", "expected a person who has signed in, found a token")
        columns: dict[str, object] = {"workspace_id": workspace["id"], "user_id": user_id}
        self.permit(call, "create", columns)
        earlier = KEYS.c.user_id == user_id, KEYS.c.name.like(f"{PLAYGROUND}%"), KEYS.c.removed.is_(False)
        await call.writing.revision(*self.touches)
        for found in (await call.reading.execute(select(KEYS).where(*earlier))).mappings().all():
            if self.state(call, dict(found), None, frozenset())[0] == "expired":
                await self.remove(call, dict(found))
        expires_at = moment(call.now_ns + PLAYGROUND_NS)
        name = PLAYGROUND + make_id()
        document: Document = {"name": name, "workspace": workspace["slug"], "user": user_id, "expires_at": expires_at, **PLAYGROUND_LIMITS}
        stored = await self.insert(call, columns | {"name": name, "rotate_at_ns": None} | fresh(call), document)
        await self.audit(call, "create", stored, changes({}, document))
        return Answer({"id": stored["id"], "key": call.once[-1], "expires_at": expires_at}, 201)

    # what is answered

    def filters(self, call: Call) -> list[ColumnElement[bool]]:
        wanted: list[ColumnElement[bool]] = []
        if workspace := call.query.get("workspace"):
            named = select(WORKSPACES.c.id).where(or_(WORKSPACES.c.slug == workspace, WORKSPACES.c.id == workspace))
            wanted.append(KEYS.c.workspace_id.in_(named))
        if user := call.query.get("user"):
            wanted.append(KEYS.c.user_id == user)
        return wanted

    async def list_rows(self, call: Call) -> Answer:
        """With ?status=, which the ledger and the clock decide, rows are looked through and no total is told."""
        status = call.query.get("status")
        if not status:
            return await super().list_rows(call)
        if status not in STATES:
            raise invalid("?status", f"one of {', '.join(STATES)}", repr(status[:40]))
        limit, cursor = call.integer("limit", USUAL_LISTED, 1, MOST_LISTED), read_cursor(call.query.get("cursor", ""))
        fitting: list[Stored] = []
        while rows := await self.rows(call, self.wanted(call), cursor, MOST_LISTED):
            spends = await spend_of(call, [(account_of(row), self.document_of(row)) for row in rows])
            gone = await disabled_users(call, rows)
            fitting += [row for row, spend in zip(rows, spends, strict=True) if self.state(call, row, spend, gone)[0] == status]
            if len(fitting) > limit or len(rows) < MOST_LISTED:
                break
            cursor = str(rows[-1]["id"])
        following = write_cursor(str(fitting[limit - 1]["id"])) if len(fitting) > limit else None
        return Answer({"data": await self.render(call, fitting[:limit]), "next": following, "total": None})

    async def find(self, call: Call, verb: str, name: str | None = None) -> Stored:
        """By id, or by a name that one key alone has in ?workspace= or in all that the caller sees."""
        name = call.path[self.noun] if name is None else name
        rows: list[dict[str, object]] = []
        # one after the other: asked for both at once, a database may go through all keys
        for named in (KEYS.c.id == name, KEYS.c.name == name):
            query = select(KEYS).where(named, self.visible(call, "read"), *self.filters(call)).limit(2)
            if call.transaction is not None and call.plane.store.kind == "postgresql":
                query = query.with_for_update()
            if rows := [dict(row) for row in (await call.reading.execute(query)).mappings()]:
                break
        if not rows:
            raise missing(self.noun, name)
        if len(rows) > 1:
            raise invalid("key", "an id, or ?workspace= beside the name", "a name that several keys have")
        self.permit(call, verb, rows[0])
        return rows[0]

    async def view(self, call: Call, rows: Sequence[Stored]) -> list[Document]:
        spends = await spend_of(call, [(account_of(row), self.document_of(row)) for row in rows])
        accounts = [account_digest(account_of(row)) for row in rows]
        gone = await disabled_users(call, rows)
        states = [self.state(call, row, spend, gone) for row, spend in zip(rows, spends, strict=True)]
        used = select(ACCOUNTS.c.account, func.max(ACCOUNTS.c.updated_ns)).where(ACCOUNTS.c.lifetime_requests > 0)
        used = used.where(ACCOUNTS.c.account.in_(accounts)).group_by(ACCOUNTS.c.account)
        last = {name: at_ns for name, at_ns in await call.reading.execute(used)}
        return [
            {
                "status": status,
                "disabled_by": by,
                "masked": row["masked"],
                "spend": spend,
                "last_used_at": moment(last.get(account)),
                "rotate_at": moment(row["rotate_at_ns"]),
                "previous_valid_until": moment(row["previous_until_ns"]),
            }
            for row, spend, account, (status, by) in zip(rows, spends, accounts, states, strict=True)
        ]

    async def owner(self, call: Call, row: Stored) -> Owner:
        return Owner(account_of(row), f"key {row['name']!r}", row["workspace_id"])

    async def render(self, call: Call, rows: Sequence[Stored]) -> list[Document]:
        return [
            document if self.may(call, "read", row) else {name: document[name] for name in OPEN_MEMBERS if name in document}
            for row, document in zip(rows, await super().render(call, rows), strict=True)
        ]

    def state(self, call: Call, row: Stored, spend: Spend | None, gone: Collection[str]) -> tuple[str, str | None]:
        """What a key is good for at the moment, and by what it is disabled; gone: the ids of users who are disabled."""
        document = self.document_of(row)
        if document.get("enabled") is False:
            return "disabled", "key"
        if row["user_id"] in gone:
            return "disabled", "user"
        expires_at = document.get("expires_at")
        if isinstance(expires_at, str) and datetime.fromisoformat(expires_at).timestamp() * 1e9 <= call.now_ns:
            return "expired", None
        return "exhausted" if spend is not None and spend.is_exhausted else "active", None


def replaced(row: Endpoint) -> Endpoint:
    """An endpoint that is open to whoever may do the same to keys of their own."""
    scope = str(row.scope)
    return structs.replace(row, or_scopes=(scope.replace(SERVICE, USER),)) if scope.startswith(SERVICE) else row


def account_of(row: Stored) -> str:
    """The ledger's name of a key."""
    return f"key:{row['id']}"


async def disabled_users(call: Call, rows: Sequence[Stored]) -> frozenset[str]:
    """The ids of those users of keys who are disabled, and so the keys are refused."""
    ids = {row["user_id"] for row in rows if row["user_id"] is not None}
    users = await call.reading.execute(select(USERS.c.id, USERS.c.spec).where(USERS.c.id.in_(ids)))
    return frozenset(user.id for user in users if not is_active(user.spec))


def fresh(call: Call) -> dict[str, object]:
    """The columns of a key that is made now; the key itself is told once."""
    key = call.given_key or make_key()
    call.once.append(key)
    return {"digest": digest_of(key), "masked": f"{key.partition('-')[0]}-…{key[-4:]}", "removed": False}


def due(call: Call, rotation: Rotation | None) -> int | None:
    """When a key that is made now is to be rotated."""
    return None if rotation is None else call.now_ns + rotation.every_days * 24 * HOUR_NS


def key_faults(call: Call, written: KeyWritten, stated: Collection[str]) -> Iterator[Fault]:
    """What is wrong with a key by itself."""
    expires_at = written.expires_at
    if expires_at is not None and "expires_at" in stated:
        if expires_at >= LAST_EXPIRY:
            yield Fault("$.expires_at", "a time up to the year 2261", f"the year {expires_at.year}")
        elif expires_at.timestamp() * 1e9 <= call.now_ns:
            yield Fault("$.expires_at", "a time to come", "one that has passed")
    if len(written.metadata) > MOST_METADATA:
        yield Fault("$.metadata", f"at most {MOST_METADATA} members", str(len(written.metadata)))
    for name, value in written.metadata.items():
        if not 0 < len(name) <= MOST_METADATA_CHARACTERS or len(value) > MOST_METADATA_CHARACTERS:
            yield Fault(f"$.metadata.{shown(name)}", f"1 to {MOST_METADATA_CHARACTERS} characters, and as many of a value", "more or none")
    for index, address in enumerate(written.alert_emails):
        if not EMAIL.fullmatch(address):
            yield Fault(f"$.alert_emails[{index}]", "an e-mail address", f'"{shown(address)}"')


async def reference_faults(call: Call, written: KeyWritten, workspace: Stored, stated: Collection[str]) -> list[Fault]:
    """What a key names that its workspace does not have."""
    if not {"models", "integrations", "integration", "config"} & set(stated):
        return []
    known = await known_in(call, workspace["id"])
    faults = each_unknown("$.integrations", "an integration of the workspace", written.integrations, known.integrations)
    among = set(written.integrations) or set(known.integrations)
    if written.integration is not None and written.integration not in among:
        faults.append(unknown("$.integration", "an integration that the key may use", written.integration, among))
    if written.config is not None and written.config not in known.configs:
        faults.append(unknown("$.config", "a saved config of the workspace", written.config, known.configs))
    allowed = decode(workspace["spec"].encode())
    assert isinstance(allowed, dict)  # as it was written
    listed = allowed.get("models") or ()
    wrong = {model for model in written.models if (model not in listed if listed else not serves(call, known, model, among))}
    if wrong:
        names = {*(listed or models_of(call, known, among)), *written.models} - wrong
        faults += each_unknown("$.models", "a model that the workspace may use", written.models, names)
    return faults


async def user_faults(call: Call, user_id: str, workspace_id: str) -> list[Fault]:
    """Only who has to do with the workspace can have a key of it."""
    is_member = USERS.c.id.in_(select(MEMBERS.c.user_id).where(MEMBERS.c.workspace_id == workspace_id))
    wanted = USERS.c.id == user_id, USERS.c.organisation_id == call.principal.organisation_id, or_(is_member, USERS.c.role != "member")
    if (await call.reading.execute(select(USERS.c.id).where(*wanted))).first() is None:
        return [Fault("$.user", "the id of a member of the workspace", "another")]
    return []
