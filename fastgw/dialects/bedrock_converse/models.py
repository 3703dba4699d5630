"""What the models of Bedrock's makers take beside what Converse defines: how to think, how to cut the choice of tokens."""

import re

from msgspec import Struct

from fastgw.dialects.anthropic_messages.models import Traits, traits_of
from fastgw.dialects.anthropic_messages.settings import write_sampling, write_thinking
from fastgw.dialects.canonical import Reasoning, Request
from fastgw.dialects.effort import effort_of, nearest_of_three
from fastgw.dialects.notes import Notes
from fastgw.dialects.reading import Json

AS_ON_AWS = frozenset({"bedrock"})
MAKERS = frozenset({"amazon", "anthropic", "cohere", "deepseek", "meta", "mistral", "openai", "qwen"})
MAKER = re.compile(r"(?:\A|[./])([a-z0-9-]+)(?=\.[^./])")
REGIONS = frozenset({"us", "eu", "apac", "jp", "au", "ca", "sa", "af", "me", "il", "global", "us-gov"})


class Model(Struct, frozen=True):
    """Whose model it is, "" unknown; claude: what it takes, where it is one."""

    name: str
    maker: str
    claude: Traits | None = None

    @property
    def caches(self) -> bool:
        """Whether it takes cache points; the others refuse a request that has one."""
        return self.maker in ("", "anthropic", "amazon")

    @property
    def structured(self) -> bool:
        """Whether tools may be strict."""
        return not self.maker or (self.claude is not None and self.claude.structured)


def model_of(name: str, quirks: frozenset[str]) -> Model:
    """What a model's name or ARN says: us.anthropic.claude-sonnet-4-6, arn:aws:bedrock:...:inference-profile/eu.amazon.nova-lite-v1:0."""
    for found in MAKER.finditer(name):
        if found[1] not in REGIONS:
            maker = found[1]
            break
    else:
        maker = next(iter(quirks & MAKERS), "")
    return Model(name, maker, traits_of(name, AS_ON_AWS) if maker == "anthropic" else None)


def fit(request: Request, model: Model, resumes: bool, notes: Notes) -> tuple[Json, Json]:
    """How to sample and how much to think: members of (inferenceConfig, additionalModelRequestFields).

    resumes    the conversation goes on with results of tools that were called without a thought, which Claude may refuse to think about

    Claude takes the words of Anthropic's own API in the second, and is as particular about them as there.
    """
    fields: Json = {}
    if model.claude is not None:
        thinks = write_thinking(request, fields, model.claude, resumes, notes)
        write_sampling(request, fields, model.claude, thinks, notes)
        temperature, top_p = fields.pop("temperature", None), fields.pop("top_p", None)
    else:
        fields = thinking_fields(request.reasoning, model, notes) | top_k_fields(request.top_k, model, notes)
        temperature, top_p = request.temperature, request.top_p
        if request.temperature is not None and request.temperature > 1:
            notes.drop("temperature")
            temperature = 1.0
    limits = {"temperature": temperature, "topP": top_p}
    return {name: value for name, value in limits.items() if value is not None}, fields


def thinking_fields(reasoning: Reasoning | None, model: Model, notes: Notes) -> Json:
    """Efforts, as those makers take them that have any."""
    if reasoning is None:
        return {}
    nova = model.maker == "amazon" and "nova-2" in model.name
    if reasoning.off:
        if model.maker in ("", "openai", "qwen"):
            notes.drop("reasoning_effort")
        return {"reasoningConfig": {"type": "disabled"}} if nova else {}
    effort = nearest(reasoning)
    if nova:
        return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": effort}}
    if model.maker in ("openai", "qwen"):
        return {"reasoning_effort" if model.maker == "openai" else "reasoning_config": effort}
    notes.drop("reasoning_effort")
    return {}


def nearest(reasoning: Reasoning) -> str:
    """One of three efforts, of a budget too."""
    if reasoning.effort:
        return nearest_of_three(reasoning.effort)
    return "medium" if reasoning.budget_tokens is None else nearest_of_three(effort_of(reasoning.budget_tokens))


def top_k_fields(top_k: int | None, model: Model, notes: Notes) -> Json:
    """What each maker calls top_k."""
    if top_k is None:
        return {}
    if model.maker == "mistral":
        return {"top_k": top_k}
    if model.maker == "amazon":
        return {"inferenceConfig": {"topK": top_k}}
    if model.maker == "cohere":
        return {"k": top_k}
    notes.drop("top_k")
    return {}
