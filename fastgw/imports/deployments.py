"""One entry of LiteLLM's model_list: the integration that it needs, the model there, its price, and how it takes part in routing."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct, structs

from fastgw.imports import values
from fastgw.imports.names import (
    BEGINNINGS,
    FROM_ENVIRONMENT,
    GROUPS,
    INFO_REASONS,
    KEYS,
    LIMITS,
    PLACES,
    PREFIXES,
    PRICES,
    RATES,
    REASONS,
    REGION,
    SECRETS,
    WAYS,
)
from fastgw.imports.report import Keys, Report, free_name
from fastgw.meter.catalog import Catalog
from fastgw.providers.address import VARIABLE
from fastgw.providers.row import Provider
from fastgw.providers.table import find_provider
from fastgw.snapshot.config import NANO

MILLION: Final = 10**6
NINE_DECIMALS: Final = Decimal(1).scaleb(-9)
Table = dict[str, object]


class Deployment(Struct, frozen=True, kw_only=True):
    """A target in the making; a model of "" is a wildcard, which the integration serves by itself."""

    group: str
    integration: str
    model: str
    weight: Decimal | None = None
    order: int = 0
    retries: int | None = None
    timeout_ms: int | None = None
    drops: bool | None = None
    limits: tuple[tuple[str, int], ...] = ()


class Deployments:
    """Makes the integrations and prices that the entries of a model_list need, each once."""

    def __init__(
        self, report: Report, environ: Mapping[str, str], credentials: Mapping[str, Table], catalog: Callable[[], Catalog] = Catalog.load
    ) -> None:
        self.report = report
        self.catalog = cache(catalog)
        self.environ = environ
        self.credentials = credentials
        self.integrations: dict[str, Table] = {}
        self.prices: dict[str, Table] = {}
        self._names: dict[str, str] = {}

    def read(self, entry: object, place: str) -> Deployment | None:
        """One entry; None where nothing can be made of it, which is reported."""
        keys = Keys(values.table(entry), place, self.report)
        group = keys.get("model_name")
        stated = values.table(keys.get("litellm_params"))
        params = Keys(self.with_credential(stated), f"{place}.litellm_params", self.report)
        provider, model = self.provider(params)
        if not isinstance(group, str) or not group or provider is None:
            keys.left("model_name", "expected a name and litellm_params.model of a provider that fastgw knows")
            params.rest(REASONS, "its deployment is left out")
            return None
        integration = self.integration(params, provider, model)
        if integration is None:
            keys.left("model_name", f"its deployment is left out: {provider.name} has no address of its own, and api_base says none")
            params.rest(REASONS, "its deployment is left out")
            return None
        params.taken("custom_llm_provider")
        params.changed("litellm_credential_name", "a part of the integration")
        if known(str(params.get("model")).partition("/")[0]) is provider and str(params.get("model")).partition("/")[2] == model:
            params.taken("model")
        params.changed("model", f"{model} of {provider.name}")
        is_wild = model.endswith("*")
        name = self.group_name(keys, group, is_wild)
        self.price(params, provider, model)
        info = Keys(values.table(keys.get("model_info")), f"{place}.model_info", self.report)
        self.price(info, provider, model)
        self.base_price(info, provider, model)
        made = self.deployment(params, name, integration, "" if is_wild else model)
        made = self.limited(made, info)
        params.rest(REASONS)
        info.rest(INFO_REASONS, "nothing depends on it here")
        keys.said |= {"litellm_params", "model_info"}
        keys.rest({})
        return made

    def with_credential(self, params: Table) -> Table:
        """The parameters with those of the credential that they name."""
        name = params.get("litellm_credential_name")
        return (self.credentials.get(name, {}) if isinstance(name, str) else {}) | params

    def group_name(self, keys: Keys, group: str, is_wild: bool) -> str:
        name = values.name_of(group)
        if is_wild:
            keys.changed("model_name", "callers name the provider's models themselves, without a prefix")
        elif name != group:
            keys.changed("model_name", f'callers must name it "{name}"')
        else:
            keys.taken("model_name")
        return name

    def provider(self, params: Keys) -> tuple[Provider | None, str]:
        """The row and the model that "provider/model" means."""
        stated = params.get("model")
        if not isinstance(stated, str) or not stated:
            return None, ""
        own = params.get("custom_llm_provider")
        head, slash, rest = stated.partition("/")
        if isinstance(own, str) and own:
            name, model = own, rest if head == own else stated
        elif slash and known(head) is not None:
            name, model = head, rest
        else:
            name, model = next((row for beginnings, row in BEGINNINGS if stated.startswith(beginnings)), ""), stated
        provider = known(name)
        if provider is None:
            params.left("model", f"fastgw has no provider {head if slash else 'of this model'}")
            return None, ""
        base = values.plain(params.get("api_base") or params.get("base_url"), self.environ)
        if provider.name == "openai" and isinstance(base, str) and urlsplit(base).hostname not in (None, "api.openai.com"):
            provider = find_provider("openai-compatible") or provider
        return provider, self.plain_model(params, provider, model)

    def plain_model(self, params: Keys, provider: Provider, model: str) -> str:
        """The model without what only says how LiteLLM asks for it; a region in it becomes the integration's."""
        parts = model.split("/")
        while len(parts) > 1 and parts[0] in WAYS.get(provider.name, ()):
            parts.pop(0)
        if provider.name == "bedrock" and len(parts) > 1 and REGION.fullmatch(parts[0]):
            params.value = {"aws_region_name": parts.pop(0), **params.value}
        return "/".join(parts)

    def integration(self, params: Keys, provider: Provider, model: str) -> str | None:
        """The name of the integration, made if there is none like it; None where it would have no address."""
        table: Table = {"provider": provider.name}
        self.address(params, provider, table)
        self.key(params, provider, table)
        self.settings(params, provider, table)
        self.fields(params, table)
        if "base_url" not in table and not has_address(provider, table):
            return None
        identity = json.dumps(table, sort_keys=True)
        if identity not in self._names:
            host = urlsplit(str(table.get("base_url", ""))).hostname or ""
            label = values.name_of(host.split(".")[0]) if host and not host[0].isdigit() else ""
            name = free_name(f"{provider.name}-{label}" if label else provider.name, self.integrations)
            self._names[identity] = name
            self.integrations[name] = table
        return self._names[identity]

    def address(self, params: Keys, provider: Provider, table: Table) -> None:
        field = next((name for name in ("api_base", "base_url", "aws_bedrock_runtime_endpoint") if params.get(name)), "api_base")
        url = values.plain(params.get(field), self.environ)
        if params.get(field) is None and provider.name == "azure-openai":
            url = self.environ.get("AZURE_API_BASE")
        if isinstance(url, str) and url:
            table["base_url"] = url.rstrip("/")
            if values.reference_of(params.get(field)):
                params.changed(field, f"{table['base_url']}, which the variable says now: addresses are no references here")
            params.taken(field)
        elif params.get(field):
            params.left(field, "expected an address, or a variable that is set now: addresses are no references here")
        version = values.plain(params.get("api_version"), self.environ)
        if isinstance(version, str) and provider.version_query:
            table["api_version"] = version
            params.taken("api_version")
        else:
            params.left("api_version", f"{provider.name} has no versions")

    def key(self, params: Keys, provider: Provider, table: Table) -> None:
        found = values.secret(params.get("api_key"), params.path("api_key"), self.report)
        if found is not None:
            table["api_key"] = found[0]
            params.say("api_key", "changed" if found[1] else "taken", found[1])
        elif provider.name in KEYS and not any(params.get(name) for name in ("client_secret", "aws_access_key_id", "vertex_credentials")):
            table["api_key"] = f"env:{KEYS[provider.name]}"
            self.report.warn(f"{params.place} states no api_key: {KEYS[provider.name]} is used, as LiteLLM does")

    def settings(self, params: Keys, provider: Provider, table: Table) -> None:
        """The sub-tables of a provider that signs otherwise than with a key."""
        for place, names in FROM_ENVIRONMENT.items():
            stated = any(params.get(name) for name, known_place in PLACES.items() if known_place == place)
            seen = next((self.environ[name] for name in names if self.environ.get(name)), None)
            if place in provider.requires and not stated and seen is not None:
                put(table, place, seen)
        for name, place in {**PLACES, **SECRETS}.items():
            if params.get(name) is None:
                continue
            group = place.partition(".")[0]
            found = values.secret(params.get(name), params.path(name), self.report) if name in SECRETS else None
            plain = values.plain(params.get(name), self.environ) if name in PLACES else None
            value = found[0] if found else plain
            if GROUPS[group] != provider.auth or not isinstance(value, str):
                params.left(name, f"{provider.name} does not sign that way, or the value is none")
                continue
            put(table, place, value)
            params.say(name, "changed" if found and found[1] else "taken", found[1] if found else "")
        if provider.auth == "aws" and "region" not in values.table(table.get("aws")):
            put(table, "aws.region", "us-west-2")
            self.report.warn(f"{params.place} states no region: us-west-2 is used, as LiteLLM does")
        if "client_secret" in values.table(table.get("azure")):
            put(table, "azure.identity", "client_secret")
        self.service_account(params, provider, table)

    def service_account(self, params: Keys, provider: Provider, table: Table) -> None:
        value = params.get("vertex_credentials")
        if value is None or provider.auth != "google":
            return
        if isinstance(value, dict):
            value = json.dumps(value)
        if isinstance(value, str) and not value.lstrip().startswith("{") and values.reference_of(value) is None:
            put(table, "google.service_account", f"file:{value}")
            params.changed("vertex_credentials", f"file:{value}")
        elif (found := values.secret(value, params.path("vertex_credentials"), self.report)) is not None:
            put(table, "google.service_account", found[0])
            params.say("vertex_credentials", "changed" if found[1] else "taken", found[1])

    def fields(self, params: Keys, table: Table) -> None:
        """Header fields that go with each request; LiteLLM's organization is one."""
        headers: Table = {}
        for name in ("extra_headers", "headers"):
            for field, value in values.table(params.get(name)).items():
                found = values.secret(value, f"{params.path(name)}.{field}", self.report)
                if found is not None:
                    headers[field.lower()] = found[0]
            params.taken(name)
        organisation = params.get("organization")
        if isinstance(organisation, str):
            variable = values.reference_of(organisation)
            headers["openai-organization"] = f"env:{variable}" if variable else organisation
            params.taken("organization")
        params.left("organization", "one deployment for each organisation: write an entry for each")
        if headers:
            table["headers"] = headers

    def price(self, keys: Keys, provider: Provider, model: str) -> None:
        """Prices for a token are dollars per million of them here."""
        amounts = {ours: amount for name, ours in PRICES.items() if (amount := values.number(keys.get(name), self.environ)) is not None}
        if not amounts or model.endswith("*"):
            return
        table = {ours: (amount * MILLION).quantize(NINE_DECIMALS).normalize() for ours, amount in amounts.items()}
        table = {"input": Decimal(0), "output": Decimal(0)} | table
        name = f"{provider.name}/{model}"
        if self.prices.setdefault(name, dict(table)) != table:
            self.report.warn(f'{keys.place} prices "{name}" otherwise than an entry before it, whose price holds')
        for theirs, ours in PRICES.items():
            keys.changed(theirs, f'prices."{name}".{ours}, in dollars per million tokens')

    def base_price(self, info: Keys, provider: Provider, model: str) -> None:
        """The price of the model that a deployment is of, where the deployment's own name has none."""
        base = info.get("base_model")
        if not isinstance(base, str) or model.endswith("*"):
            return
        head, slash, rest = base.partition("/")
        row = known(head) if slash else None
        name = f"{provider.name}/{model}"
        found = self.catalog().find((row or provider).name, rest if row else base)
        if name in self.prices or self.catalog().serves(provider.name, model):
            info.taken("base_model")
        elif found is not None and len(found.tiers) == 1:
            rates = zip(RATES, found.tiers[0][1:], strict=True)
            self.prices[name] = {ours: (Decimal(rate) / NANO).normalize() for ours, rate in rates if rate >= 0}
            info.changed("base_model", f'prices."{name}", as the table has it for {base} today')

    def deployment(self, params: Keys, group: str, integration: str, model: str) -> Deployment:
        """How the entry takes part in routing."""
        weights = (values.number(params.get(name), self.environ) for name in ("weight", "rpm", "tpm"))
        weight = next((read for read in weights if read is not None), None)
        if params.get("weight") is not None and weight is not None:
            params.taken("weight")
        else:
            for name in ("rpm", "tpm"):
                params.changed(name, "the weight among the targets; it limits nothing")
        order = values.number(params.get("order"), self.environ)
        stated = next((params.get(name) for name in ("num_retries", "max_retries") if params.get(name) is not None), None)
        retries = values.number(stated, self.environ)
        timeout = next((name for name in ("timeout", "stream_timeout") if values.milliseconds(params.get(name), self.environ)), "timeout")
        drops = params.get("drop_params")
        params.taken("order", "num_retries", "max_retries")
        params.changed(timeout, "timeouts.first_byte_ms")
        if isinstance(drops, bool):
            params.changed("drop_params", 'unsupported = "drop"' if drops else 'unsupported = "error"')
        return Deployment(
            group=group,
            integration=integration,
            model=model,
            weight=weight,
            order=int(order) if order is not None else 0,
            retries=int(retries) if retries is not None else None,
            timeout_ms=values.milliseconds(params.get(timeout), self.environ),
            drops=drops if isinstance(drops, bool) else None,
        )

    def limited(self, made: Deployment, info: Keys) -> Deployment:
        """What the model takes and gives at most."""
        limits: list[tuple[str, int]] = []
        for theirs, ours in LIMITS:
            read = values.number(info.get(theirs), self.environ)
            if read is not None and 0 <= read <= 10**9 and ours not in dict(limits):
                limits.append((ours, int(read)))
                info.changed(theirs, f"{ours} of the model")
        info.taken("mode")
        return structs.replace(made, limits=tuple(limits))


def known(name: str) -> Provider | None:
    return find_provider(PREFIXES.get(name, name)) if name else None


def has_address(provider: Provider, table: Table) -> bool:
    """Whether the provider's own address has all that it needs."""
    stated = {name for group in ("aws", "google", "azure", "oracle", "settings") for name in values.table(table.get(group))}
    stated |= {place.rpartition(".")[2] for place in provider.defaults}
    return bool(provider.base_url) and stated.issuperset(VARIABLE.findall(provider.base_url))


def put(table: Table, place: str, value: str) -> None:
    """Put a value into the sub-table that its place names."""
    group, _, name = place.partition(".")
    inner = table.setdefault(group, {})
    assert isinstance(inner, dict)
    inner[name] = value
