"""Saved configs: Portkey's config JSON under a name, with every version of it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Final

from msgspec import Meta
from sqlalchemy import ColumnElement, func, insert, select

from fastgw.control.api.call import Answer, Call, moment
from fastgw.control.api.endpoint import Endpoint
from fastgw.control.api.filed import plain
from fastgw.control.api.known import find_workspace, known_in
from fastgw.control.api.problem import Fault, missing
from fastgw.control.api.resource import FILED, MOST_LISTED, USUAL_LISTED, Resource, Shown, Stored, within_or_shared
from fastgw.control.api.sharing import refuse_listed
from fastgw.control.api.workspaces import Slug, Text
from fastgw.control.api.written import Document, changes, decode, encode, merge, read_written, refused
from fastgw.control.store.tables import CONFIG_VERSIONS, CONFIGS
from fastgw.portkey.config import Config, read_config
from fastgw.portkey.leaf import ADDRESSES
from fastgw.portkey.plan import check_saved
from fastgw.portkey.refusal import Refused
from fastgw.providers.table import find_provider
from fastgw.snapshot.section import Section

# Members that hold a credential: these belong into an integration, where they are sealed.
CREDENTIALS: Final = (
    "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "azure_ad_token", "azure_entra_client_secret",
    "vertex_service_account_json", "oracle_private_key", "oracle_key_passphrase",
)  # fmt: skip
# Ways to sign that fall back on an identity of the machine's own.
LENT: Final = ("aws", "google", "entra")
ISSUE: Final = re.compile(r"path: (\S+), message: (.+)", re.DOTALL)
INSTEAD: Final = "make an integration of it, and name that as virtual_key or as provider @SLUG"

Json = dict[str, object]


class ConfigWritten(Section, frozen=True, kw_only=True):
    """What administrators write of a config."""

    slug: Annotated[Slug, Meta(description="what x-portkey-config calls it")]
    name: Annotated[Text, Meta(description="its name for people")] = ""
    workspace: Annotated[Slug | None, Meta(description="the only workspace that has it; without one all have")] = None
    config: Annotated[Json, Meta(description="Portkey's config, see docs/portkey.md; a change replaces it as a whole")]


class ConfigShown(Shown, kw_only=True):
    """What is answered beside it. number: of the latest version of the config itself"""

    number: int
    source: str


class Draft(Section, frozen=True):
    """A config that is to be checked and not kept."""

    config: Annotated[Json, Meta(description="Portkey's config")]
    workspace: Annotated[Slug | None, Meta(description="where it is to be")] = None


class Restored(Section, frozen=True):
    """Which version is to hold again."""

    number: Annotated[int, Meta(ge=1, le=2**31 - 1, description="of the version")]


class Configs(Resource):
    name, noun, table, scopes = "configs", "config", CONFIGS, "configs"
    written, shown = ConfigWritten, ConfigShown
    touches, frozen, whole = ("config",), ("slug", "workspace"), ("config",)

    def endpoints(self) -> list[Endpoint]:
        one, tag = f"/{self.name}/{{{self.noun}}}", self.name
        return [
            *super().endpoints(),
            Endpoint(
                method="GET", path=f"{one}/versions", run=self.versions, summary="List the versions of a config", tag=tag,
                scope=f"{self.scopes}.read", is_list=True, query=("limit", "cursor"),
            ),
            Endpoint(
                method="POST", path=f"{one}/restore", run=self.restore, summary="Let an earlier version of a config hold again", tag=tag,
                scope=f"{self.scopes}.update", uses="write", body=Restored, reply=self,
            ),
            Endpoint(
                method="POST", path=f"/{self.name}/check", run=self.check, summary="Say what is wrong with a config", tag=tag,
                scope=f"{self.scopes}.read", body=Draft,
            ),
        ]  # fmt: skip

    def visible(self, call: Call, verb: str) -> ColumnElement[bool]:
        return within_or_shared(CONFIGS, call, f"{self.scopes}.{verb}")

    def filed(self, call: Call) -> list[Document]:
        file, when = call.plane.file, moment(call.plane.started_ns)
        common: Document = {"number": 1, "source": "file", "version": 0, "created_at": when, "updated_at": when}
        configs = {} if file is None or not call.principal.may(f"{self.scopes}.read") else file.configs
        return [{"id": FILED + name, "slug": name, "config": plain(config), **common} for name, config in sorted(configs.items())]

    async def columns(self, call: Call, written: ConfigWritten, before: Stored | None) -> dict[str, object]:
        workspace_id = None if written.workspace is None else str((await find_workspace(call, written.workspace))["id"])
        if before is None or "config" in call.document or "number" in call.document:
            if faults := await self.faults(call, written.config, workspace_id):
                raise refused(faults)
        return {"slug": written.slug, "workspace_id": workspace_id}

    async def faults(self, call: Call, config: Json, workspace_id: str | None) -> list[Fault]:
        """All that is wrong with a config: its form, what must not stand in it, and what it names."""
        try:
            read = read_config(config)
        except Refused as error:
            return [located(issue) for issue in error.errors or (error.message,)]
        if found := list(foreign(read, "$.config", workspace_id is not None)):
            return found
        stored = {name: one.integration for name, one in (await known_in(call, workspace_id)).integrations.items()}
        wrong = check_saved({"": config}, stored, {})
        return [Fault("$.config", "a config that leads somewhere", line.removeprefix("configs.: ")) for line in wrong]

    async def after(self, call: Call, row: Stored, before: Stored | None) -> Document:
        config = self.document_of(row)["config"]
        if before is None or config != self.document_of(before)["config"]:
            number = (await self.numbers(call, [row["id"]])).get(row["id"], 0) + 1
            made = {"config_id": row["id"], "number": number, "spec": encode(config).decode(), "created_by": call.principal.name}
            await call.writing.execute(insert(CONFIG_VERSIONS).values(**made, created_ns=call.now_ns))
        return {}

    async def numbers(self, call: Call, ids: Sequence[str]) -> Mapping[str, int]:
        columns = CONFIG_VERSIONS.c
        latest = select(columns.config_id, func.max(columns.number)).where(columns.config_id.in_(ids)).group_by(columns.config_id)
        return {config_id: number for config_id, number in await call.reading.execute(latest)}

    async def view(self, call: Call, rows: Sequence[Stored]) -> list[Document]:
        numbers = await self.numbers(call, [row["id"] for row in rows])
        return [{"number": numbers[row["id"]], "source": "store"} for row in rows]

    async def removing(self, call: Call, row: Stored) -> None:
        await refuse_listed(call, "config", row["slug"], "config")

    async def versions(self, call: Call) -> Answer:
        row, columns = await self.find(call, "read"), CONFIG_VERSIONS.c
        limit, before = call.integer("limit", USUAL_LISTED, 1, MOST_LISTED), call.integer("cursor", 2**31 - 1, 1, 2**31 - 1)
        query = select(CONFIG_VERSIONS).where(columns.config_id == row["id"], columns.number < before).order_by(columns.number.desc())
        found = (await call.reading.execute(query.limit(limit + 1))).mappings().all()
        data = [
            {
                "number": one["number"],
                "config": decode(one["spec"].encode()),
                "created_at": moment(one["created_ns"]),
                "created_by": one["created_by"],
            }
            for one in found[:limit]
        ]
        total = (await self.numbers(call, [row["id"]]))[row["id"]]
        return Answer({"data": data, "next": str(data[-1]["number"]) if len(found) > limit else None, "total": total})

    async def restore(self, call: Call) -> Answer:
        row = await self.find(call, "update")
        await self.match(call, row)
        asked, old = read_written(Restored, call.document, call.plane.sealer), self.document_of(row)
        columns = CONFIG_VERSIONS.c
        wanted = select(columns.spec).where(columns.config_id == row["id"], columns.number == asked.number)
        spec = (await call.reading.execute(wanted)).scalar_one_or_none()
        if spec is None:
            raise missing("version", str(asked.number))
        document = old | {"config": decode(spec.encode())}
        # what it names may be gone by now
        await self.keep(call, row, document, await self.columns(call, self.accept(call, document), row))
        stored = await self.reread(call, row["id"])
        await self.after(call, stored, row)
        await self.audit(call, "restore", stored, changes(old, document))
        return await self.answer(call, stored)

    async def check(self, call: Call) -> Answer:
        draft = read_written(Draft, merge({}, call.document), call.plane.sealer)
        workspace_id = None if draft.workspace is None else str((await find_workspace(call, draft.workspace))["id"])
        faults = await self.faults(call, draft.config, workspace_id)
        return Answer({"problems": faults, "unknown": [] if faults else read_config(draft.config).unknown})


def located(issue: str) -> Fault:
    """What the reference words as `path: a,0,b, message: ...`, at the member that it is about."""
    found = ISSUE.fullmatch(issue)
    steps, words = (found[1].split(","), found[2]) if found is not None else ([], issue)
    path = "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in steps)
    return Fault(f"$.config{path}", "a config as docs/portkey.md has it", words)


def foreign(one: Config, path: str, is_workspaces: bool) -> Iterator[Fault]:
    """What a saved config must not hold, here and below: credentials, what is signed by the machine's own, hosts that a workspace names."""
    for member in ("api_key", *CREDENTIALS):
        if (one.api_key if member == "api_key" else one.settings.get(member)) not in ("", None):
            yield Fault(f"{path}.{member}", "no credential, as configs are kept in the clear", "one", INSTEAD)
    provider = find_provider(one.provider)
    if provider is not None and provider.auth in LENT and not one.virtual_key:
        yield Fault(
            f"{path}.provider", f"an integration, as requests to {provider.name} would be signed as the gateway", "a provider", INSTEAD
        )
    for member in ("custom_host", *ADDRESSES):
        if is_workspaces and (one.custom_host if member == "custom_host" else one.settings.get(member)) not in ("", None):
            yield Fault(f"{path}.{member}", "no address in a config of a workspace", "one", INSTEAD)
    for index, target in enumerate(one.targets):
        yield from foreign(target, f"{path}.targets[{index}]", is_workspaces)
