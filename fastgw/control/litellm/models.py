"""/model/*: what LiteLLM calls a deployment is an integration and a model of one target."""

from collections.abc import Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Final

from fastgw.control.api.call import Answer, Call
from fastgw.control.api.integrations import Integrations
from fastgw.control.api.models import Models
from fastgw.control.api.problem import ApiError, invalid
from fastgw.control.api.written import Document
from fastgw.control.litellm.asking import answered, inner
from fastgw.control.litellm.words import check_id, listed_in, text_of, told
from fastgw.providers.table import find_provider

MINE: Final = "litellm-"  # begins the slugs of integrations that are made here, and go with their last model
MILLION: Final = 10**6
CREDENTIALS: Final = {"api_key": "api_key", "api_base": "base_url", "base_url": "base_url", "api_version": "api_version"}
PRICES: Final = {"input_cost_per_token": "input", "output_cost_per_token": "output", "cache_read_input_token_cost": "cache_read"}
PARAMS: Final = ("model", "custom_llm_provider", *CREDENTIALS, *PRICES)
# Said of a model, and nothing depends on it here.
INFORMATIVE: Final = ("id", "db_model", "mode", "base_model", "tier", "created_at", "updated_at", "created_by", "updated_by")
GROUPED: Final = ("max_input_tokens", "max_output_tokens", "input_cost_per_token", "output_cost_per_token", "mode")


class ModelRoutes:
    def __init__(self) -> None:
        self.models = Models()
        self.integrations = Integrations()

    def __repr__(self) -> str:
        return "<ModelRoutes>"

    async def make(self, call: Call) -> Answer:
        sent = call.document
        name, params, about = text_of(sent.get("model_name"), "$.model_name"), part(sent, "litellm_params"), part(sent, "model_info")
        refuse_unknown(params, about)
        asking = inner(call, {"name": name, **await self.written(call, params)})
        asking.given_id = check_id(about["id"], "$.model_info.id") if about.get("id") else ""
        try:
            made = await self.models.create_row(asking)
        except ApiError as error:
            if error.code != "exists":
                raise
            message = f"expected a model_name that there is not, found {told(name)}: add a target to it by PATCH /api/v1/models/{name}"
            raise ApiError("exists", message, path="$.model_name") from None
        assert isinstance(made.body, dict)  # of one row
        return answered(row_of(call, made.body))

    async def change(self, call: Call) -> Answer:
        """With the provider's key anew where credentials change, as what is kept of it is not told again."""
        sent = call.document
        params, about = part(sent, "litellm_params"), part(sent, "model_info")
        refuse_unknown(params, about)
        name = call.path.get("model") or about.get("id") or sent.get("model_name")
        row = await self.models.find(call, "update", text_of(name, "$.model_info.id"))
        before = self.models.document_of(row)
        targets = listed_in(before.get("targets"))
        if len(targets) != 1 or not str(targets[0].get("integration", "")).startswith(MINE):
            raise invalid("$.model_info.id", "a model that was made by /model/new; others are changed by /api/v1/models", "another")
        old = str(targets[0]["integration"])
        before_it = await self.provider_of(call, old)
        stated = params if "model" in params else params | {"model": f"{before_it}/{targets[0]['model']}"}
        provider, model = read_model(stated)
        if provider == before_it and not set(CREDENTIALS) & params.keys():
            patch: Document = {"targets": [{"integration": old, "model": model}]}
        elif "api_key" in params:
            patch = await self.written(call, stated)
        else:
            raise invalid("$.litellm_params.api_key", "the provider's key anew, as it would go elsewhere", "nothing")
        patch["price"] = price(params) or before.get("price")
        await self.models.change_row(inner(call, patch, model=str(row["id"])))
        await self.drop_unused(call, old)
        shown = await self.models.render(call, [await self.models.reread(call, str(row["id"]))])
        return answered(row_of(call, shown[0]))

    async def delete(self, call: Call) -> Answer:
        row = await self.models.find(call, "delete", text_of(call.document.get("id"), "$.id"))
        targets = listed_in(self.models.document_of(row).get("targets"))
        await self.models.delete_row(inner(call, model=str(row["id"])))
        for target in targets:
            await self.drop_unused(call, str(target.get("integration", "")))
        return answered({"message": f"Model: {row['id']} deleted successfully"})

    async def drop_unused(self, call: Call, slug: str) -> None:
        """Delete an integration that was made here once no model leads to it."""
        if not slug.startswith(MINE):
            return
        try:
            await self.integrations.delete_row(inner(call, integration=slug))
        except ApiError as error:
            if error.code not in ("in_use", "not_found"):
                raise

    async def provider_of(self, call: Call, slug: str) -> object:
        return self.integrations.document_of(await self.integrations.find(call, "read", slug))["provider"]

    async def written(self, call: Call, params: Document) -> Document:
        """The members of a model for the parameters of a deployment; its integration is made where there is none yet. raises ApiError"""
        provider, model = read_model(params)
        stated: Document = {"provider": provider}
        for theirs, ours in CREDENTIALS.items():
            if params.get(theirs):
                stated[ours] = params[theirs]
        # the same credential is the same integration
        told_apart = sha256("\n".join(f"{name}={stated[name]}" for name in sorted(stated)).encode()).hexdigest()[:10]
        slug = f"{MINE}{provider.replace('_', '-').replace('.', '-')[:13]}-{told_apart}"
        try:
            await self.integrations.find(call, "read", slug)
        except ApiError as error:
            if error.code != "not_found":
                raise
            body: Document = {"slug": slug, "name": f"{provider}, by /model/new", "share_with": "all", **stated}
            await self.integrations.create_row(inner(call, body))
        return {"targets": [{"integration": slug, "model": model}], "price": price(params)}

    async def show(self, call: Call) -> Answer:
        rows = await self.all(call)
        if wanted := call.query.get("litellm_model_id"):
            rows = [row for row in rows if row["id"] == wanted]
            if not rows:
                raise ApiError("not_found", f"there is no model {told(wanted)} that you may see")
        return answered({"data": [row_of(call, row) for row in rows]})

    async def groups(self, call: Call) -> Answer:
        wanted = call.query.get("model_group")
        rows = [row_of(call, row) for row in await self.all(call) if wanted in (None, row["name"])]
        groups: list[Document] = []
        for row in rows:
            about = row["model_info"]
            assert isinstance(about, dict)  # as it was made
            named = {name: about.get(name) for name in GROUPED}
            providers = [about["litellm_provider"]] if about["litellm_provider"] else []
            groups.append({"model_group": row["model_name"], "providers": providers, **named})
        return answered({"data": groups})

    async def all(self, call: Call) -> list[Document]:
        """Every model, those of the configuration file included."""
        rows: list[Document] = []
        cursor = ""
        while True:
            answer = await self.models.list_rows(inner(call, query={"limit": "500", **({"cursor": cursor} if cursor else {})}))
            assert isinstance(answer.body, dict)  # of a list
            rows += answer.body["data"]
            if not (cursor := answer.body["next"] or ""):
                return rows


def part(sent: Document, name: str) -> Document:
    """An object within what was sent, without what is null. raises ApiError"""
    value = sent.get(name) or {}
    if not isinstance(value, dict):
        raise invalid(f"$.{name}", "an object", told(value))
    return {key: item for key, item in value.items() if item not in (None, "", False)}


def refuse_unknown(params: Document, about: Document) -> None:
    """raises ApiError for what cannot be said of a model here by these routes"""
    for place, given, known in (("litellm_params", params, PARAMS), ("model_info", about, (*INFORMATIVE, *PRICES))):
        for name in given:
            if name not in known:
                expected = f"{', '.join(known)}; /api/v1/integrations and /api/v1/models take the rest"
                raise invalid(f"$.{place}.{name}"[:80], expected, "another parameter")


def read_model(params: Document) -> tuple[str, str]:
    """The provider and the model that "provider/model" means. raises ApiError"""
    stated = text_of(params.get("model"), "$.litellm_params.model")
    own = params.get("custom_llm_provider")
    head, slash, rest = stated.partition("/")
    name, model = (str(own), rest if head == own else stated) if own else (head, rest) if slash else ("openai", stated)
    provider = find_provider(name)
    if provider is None or not model:
        raise invalid("$.litellm_params.model", '"PROVIDER/MODEL" with a provider that fastgw providers lists', told(stated))
    return provider.name, model


def price(params: Document) -> Document | None:
    """Dollars for a token as dollars for a million. raises ApiError"""
    found: Document = {}
    for theirs, ours in PRICES.items():
        if theirs in params:
            amount = params[theirs]
            if not isinstance(amount, int | Decimal):
                raise invalid(f"$.litellm_params.{theirs}", "dollars for a token", told(amount))
            found[ours] = amount * MILLION
    return found or None


def row_of(call: Call, document: Document) -> Document:
    """A model as a deployment of theirs."""
    targets: Sequence[Document] = listed_in(document.get("targets"))
    integration, model = (str(targets[0].get("integration", "")), str(targets[0].get("model", ""))) if targets else ("", "")
    stated = document.get("price")
    prices = stated if isinstance(stated, dict) else {}
    return {
        "model_name": document["name"],
        "litellm_params": {"model": f"{integration}/{model}"},
        "model_info": {
            "id": document["id"],
            "db_model": document.get("source") == "store",
            "litellm_provider": integration,
            "mode": None,
            "max_input_tokens": document.get("context_tokens"),
            "max_output_tokens": document.get("max_output_tokens"),
            **{theirs: None if ours not in prices else Decimal(str(prices[ours])) / MILLION for theirs, ours in PRICES.items()},
            "created_at": document["created_at"],
            "updated_at": document["updated_at"],
        },
    }
