"""The words of LiteLLM's management routes, and what they are here."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from fastgw.control.api.problem import invalid
from fastgw.control.api.written import Document
from fastgw.snapshot.names import shown

DURATION: Final = re.compile(r"([1-9][0-9]{0,5})(s|m|h|d|w|mo)")
SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "mo": 30 * 86_400}
DAY_SECONDS: Final = 86_400
MOST_DAYS: Final = 366
# As LiteLLM documents them: these begin with the calendar's days, weeks and months.
CALENDAR: Final = {1: "day", 7: "week", 30: "month"}
WHOLE: Final = {"day": "1d", "week": "7d", "month": "30d"}
NINE_DECIMALS: Final = Decimal(1).scaleb(-9)

LIMITS: Final = (
    "max_budget", "budget_duration", "soft_budget", "budget_limits", "tpm_limit", "rpm_limit", "max_parallel_requests",
)  # fmt: skip
# What the limits are kept as beside our own, so that they are told again as they were said.
SAID: Final = ("max_budget", "budget_duration", "soft_budget", "budget_limits")
NOTE: Final = "litellm"  # the member of the annotations

# Fields that it would be dangerous to leave unheeded, and what to do here instead; empty values say nothing.
REFUSED: Final[dict[str, str]] = {
    "allowed_passthrough_routes": "virtual keys reach the data plane's paths alone",
    "denied_passthrough_routes": "virtual keys reach the data plane's paths alone",
    "permissions": "what a key may do follows from its workspace, models and integrations",
    "object_permission": "what a key may do follows from its workspace, models and integrations",
    "access_group_ids": "name the models themselves in `models`",
    "allowed_vector_store_indexes": "what a key may do follows from its workspace, models and integrations",
    "allowed_cache_controls": "caching is set in the model or the config",
    "guardrails": "guardrails are set in a config: see docs/portkey.md",
    "policies": "guardrails are set in a config: see docs/portkey.md",
    "disable_global_guardrails": "guardrails are set in a config: see docs/portkey.md",
    "prompts": "there are no stored prompts",
    "enforced_params": "there is no such check",
    "aliases": "make a model by /model/new or /api/v1/models",
    "model_aliases": "make a model by /model/new or /api/v1/models",
    "config": "make a config by /api/v1/configs and name it in the key",
    "router_settings": "routing is set in a model: see docs/routing.md",
    "model_max_budget": "limit a model's integration in the workspace: PUT /api/v1/integrations/{integration}/workspaces/{workspace}",
    "model_rpm_limit": "limit a model's integration in the workspace: PUT /api/v1/integrations/{integration}/workspaces/{workspace}",
    "model_tpm_limit": "limit a model's integration in the workspace: PUT /api/v1/integrations/{integration}/workspaces/{workspace}",
    "mcp_rpm_limit": "there are no MCP servers",
    "tpd_limit": "state a budget of tokens a day: PATCH /api/v1/keys/{key}",
    "budget_fallbacks": "routing is set in a model: see docs/routing.md",
    "temp_budget_increase": "raise max_budget, and lower it later",
    "end_user_budget_id": "limit the user: /user/update",
    "project_id": "make a team for the project",
    "agent_id": "make a key for the agent",
    "team_member_budget": "limit the members' keys, or the users: /user/update",
    "team_member_rpm_limit": "limit the members' keys, or the users: /user/update",
    "team_member_tpm_limit": "limit the members' keys, or the users: /user/update",
    "team_member_budget_duration": "limit the members' keys, or the users: /user/update",
    "team_member_key_duration": "state the `duration` of each key",
    "team_member_model_max_budget": "limit the members' keys, or the users: /user/update",
    "team_member_permissions": "roles decide: /team/member_update",
    "max_budget_in_team": "limit the member's keys, or the user: /user/update",
    "allowed_models": "state the `models` of the member's keys",
    "default_team_member_models": "state the `models` of the members' keys",
}
ALL_MODELS: Final = ("all-team-models", "all-proxy-models")
LLM_ROUTES: Final = ("llm_api_routes",)  # what virtual keys reach here
KEY_TYPES: Final = ("default", "llm_api")


def pick(sent: Document, taken: tuple[str, ...]) -> tuple[Document, list[str]]:
    """The fields that are heeded, and the names of those that are not. raises ApiError for what must not be passed over"""
    ignored = []
    for name, value in sent.items():
        if name in taken or (value in (None, "", False) or value == [] or value == {}):
            continue
        if name in REFUSED:
            raise invalid(f"$.{name}", f"nothing, as it is not known here: {REFUSED[name]}", "a value")
        ignored.append(name)
    return {name: value for name, value in sent.items() if name in taken}, ignored


def seconds_of(duration: object, path: str) -> int:
    """How long a duration is. raises ApiError"""
    match = DURATION.fullmatch(duration) if isinstance(duration, str) else None
    if match is None:
        raise invalid(path, 'a duration such as "30s", "30m", "24h", "30d", "1w" or "1mo"', told(duration))
    return int(match[1]) * SECONDS[match[2]]


def window_of(duration: object, path: str) -> str:
    """A budget's window: whole days, of which 1, 7 and 30 are the calendar's day, week and month. raises ApiError"""
    if duration is None:
        return "total"
    days, left = divmod(seconds_of(duration, path), DAY_SECONDS)
    if left or not 1 <= days <= MOST_DAYS:
        raise invalid(path, f"a duration of 1 to {MOST_DAYS} whole days, as budgets begin at midnight", told(duration))
    return CALENDAR.get(days, f"{days}d")


def limits_of(fields: Mapping[str, object], before: Document | None = None) -> Document:
    """Our limits for theirs; null for those that there are not, so that a change takes them away. raises ApiError

    before   what has them: budgets of which these routes have no words, of tokens and requests, stay
    """
    budgets: list[Document] = []
    if (amount := fields.get("max_budget")) is not None:
        budget: Document = {"usd": amount, "window": window_of(fields.get("budget_duration"), "$.budget_duration")}
        share = share_of(fields.get("soft_budget"), amount)
        budgets.append(budget if share is None else budget | {"alert_at": [share, 1]})
    listed = fields.get("budget_limits") or []
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise invalid("$.budget_limits", "a list of {max_budget, budget_duration}", "something else")
    for index, one in enumerate(listed):
        window = window_of(one.get("budget_duration"), f"$.budget_limits[{index}].budget_duration")
        budgets.append({"usd": one.get("max_budget"), "window": window})
    budgets += [one for one in listed_in((before or {}).get("budgets")) if "usd" not in one]
    named = {"requests_per_minute": fields.get("rpm_limit"), "tokens_per_minute": fields.get("tpm_limit")}
    return {
        "budgets": budgets or None,
        # members that are null are taken away by the change
        "rate": named if any(value is not None for value in named.values()) else None,
        "max_parallel": fields.get("max_parallel_requests"),
    }


def share_of(soft: object, amount: object) -> Decimal | None:
    """A soft budget, which only warns, as a share of the hard one."""
    if not isinstance(soft, int | Decimal) or not isinstance(amount, int | Decimal) or not 0 < soft < amount:
        return None
    return (Decimal(soft) / Decimal(amount)).quantize(NINE_DECIMALS)


def told_limits(document: Document) -> Document:
    """Their limits for ours: as they were said where that still holds, else what ours come to."""
    budgets = [one for one in listed_in(document.get("budgets")) if "usd" in one]
    said = {name: note_of(document).get(name) for name in SAID}
    if (listed_in(limits_of(said)["budgets"])) != budgets:
        said = dict.fromkeys(SAID) | {
            "max_budget": budgets[0]["usd"] if budgets else None,
            "budget_duration": duration_of(budgets[0].get("window")) if budgets else None,
            "budget_limits": [
                {"max_budget": one["usd"], "budget_duration": duration_of(one.get("window"))} for one in budgets[1:]
            ] or None,
        }  # fmt: skip
    rate = document.get("rate") or {}
    assert isinstance(rate, dict)  # as it was written
    return said | {
        "rpm_limit": rate.get("requests_per_minute"),
        "tpm_limit": rate.get("tokens_per_minute"),
        "max_parallel_requests": document.get("max_parallel"),
    }


def duration_of(window: object) -> str | None:
    return None if window in (None, "total") else WHOLE.get(str(window), str(window))


def listed_in(value: object) -> list[Document]:
    return value if isinstance(value, list) else []


def note_of(document: Document) -> Document:
    """What these routes keep beside what was written."""
    annotations = document.get("annotations")
    note = annotations.get(NOTE) if isinstance(annotations, dict) else None
    return note if isinstance(note, dict) else {}


def noted(document: Document, fields: Document) -> Document:
    """The annotations of a document with fields of these routes in them; null takes one away."""
    annotations = document.get("annotations") or {}
    assert isinstance(annotations, dict)  # as it was written
    note = {name: value for name, value in (note_of(document) | fields).items() if value is not None}
    return annotations | {NOTE: note}


def models_of(value: object) -> list[object]:
    """A list of models; those words of theirs that mean all are none."""
    if not isinstance(value, list):
        raise invalid("$.models", "a list of models", told(value))
    return [name for name in value if name not in ALL_MODELS]


def text_of(value: object, path: str) -> str:
    if not isinstance(value, str) or not value:
        raise invalid(path, "a text", told(value))
    return value


def texts_of(value: object, path: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise invalid(path, "a list of texts", told(value))
    return value


def name_of(alias: object) -> str:
    """A key's name for its alias: the same, or with "-" for characters that a name does not have. raises ApiError"""
    return re.sub(r"[^A-Za-z0-9._:/@ -]+", "-", text_of(alias, "$.key_alias"))[:64]


def told(value: object) -> str:
    return f'"{shown(value)}"' if isinstance(value, str) else "nothing" if value is None else "something else"


def check_id(value: object, path: str) -> str:
    """An id that a caller chose. raises ApiError"""
    text = text_of(value, path)
    if not re.fullmatch(r"[A-Za-z0-9._:@|=+-]{1,128}", text) or text.startswith("file:"):
        raise invalid(path, "1 to 128 of letters, digits and . _ : @ | = + -", told(text))
    return text


def as_metadata(value: Mapping[str, object]) -> dict[str, str]:
    """What of their metadata goes into records: texts, numbers and truths, and lists of texts, where they are short."""
    texts: dict[str, str] = {}
    for name, item in value.items():
        if isinstance(item, list) and all(isinstance(one, str) for one in item):
            item = ",".join(item)
        text = item if isinstance(item, str) else str(item).lower() if isinstance(item, bool) else str(item)
        if not isinstance(item, dict | list) and item is not None and 0 < len(name) <= 128 and len(text) <= 128 and len(texts) < 64:
            texts[name] = text
    return texts
