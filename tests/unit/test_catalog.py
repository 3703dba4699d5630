"""Promises of the price table and its catalog: the source's prices, found by the source's rules, at once."""

import time
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from genai_prices import Usage
from genai_prices.data import providers as PRICED
from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

from fastgw._core.price import PriceRow
from fastgw.meter.catalog import CACHED_NAMES, Catalog
from fastgw.providers.table import PROVIDERS
from tools.compile_prices import compile_prices
from tools.genai_rows import nano, spans_of

TODAY = datetime.now(UTC).date()
BY_ID = {provider.id: provider for provider in PRICED}
OWN = [
    (name, model)
    for name in ("openai", "anthropic", "gemini")
    for model in BY_ID[PROVIDERS[name].catalog_ids[0]].models
    if not (name == "gemini" and model.id.startswith("claude"))  # Vertex AI sells those, see the test below
]
USAGES = [
    {},
    {"input_tokens": 1, "output_tokens": 1},
    {"input_tokens": 12_345, "output_tokens": 678},
    {"input_tokens": 150_000, "output_tokens": 7, "cache_read_tokens": 100_001},
    {"input_tokens": 272_000, "output_tokens": 99},
    {"input_tokens": 300_001, "output_tokens": 4_321, "cache_read_tokens": 17, "cache_write_tokens": 203_111},
    {"input_tokens": 9_000, "output_tokens": 50, "cache_write_tokens": 5_000, "cache_write_1h_tokens": 1_234},
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table compiled from the installed packages."""
    target = tmp_path_factory.mktemp("table") / "prices.json"
    compile_prices(target)
    return target


@pytest.fixture
def catalog(path: Path) -> Catalog:
    return Catalog.load(path)


def is_charged_exactly(model: ModelInfo) -> bool:
    """The kernel knows each kind that the source prices, and at one price all day."""
    if not isinstance(model.prices, ModelPrice):
        return False
    stated = {kind for kind, rate in vars(model.prices).items() if rate is not None}
    known = {
        "input_mtok",
        "output_mtok",
        "cache_read_mtok",
        "cache_write_mtok",
        "cache_write_1h_mtok",
        "requests_kcount",
    }
    return stated <= known | {"web_searches_kcount", "storage_searches_kcount"} and bool(stated & known)


def test_charges_are_the_sources_own(catalog: Catalog) -> None:
    """Every model whose kinds we know costs what the source itself computes, rounded up to a nano-dollar."""
    compared = 0
    for name, model in OWN:
        if not is_charged_exactly(model):
            continue
        row = catalog.find(name, model.id)
        assert row is not None and row.known, model.id
        for usage in USAGES:
            # web searches are the tools' own price, beside the tokens'
            price = model.get_prices(datetime.now(UTC))
            expected = price.calc_price(Usage(**usage))["total_price"]
            charged = row.charge(**usage)
            assert Decimal(charged) == nano(expected), (name, model.id, usage)
            assert charged <= row.charge_at_most(usage.get("input_tokens", 0), usage.get("output_tokens", 0))
            compared += 1
    assert compared > 400


def test_no_price_is_below_the_sources(catalog: Catalog) -> None:
    """Where a usage does not show what the source prices, plain text still costs no less than the source says."""
    for name, model in OWN:
        row = catalog.find(name, model.id)
        assert row is not None
        if not row.known:
            continue
        price = model.get_prices(datetime.now(UTC))
        for count in (1_000, 150_000, 300_000):
            expected = price.calc_price(Usage(input_tokens=count, output_tokens=count))["total_price"]
            assert row.charge(count, count) >= nano(expected), model.id


def test_model_priced_by_hours_or_letters_is_unknown(catalog: Catalog) -> None:
    """What tokens cannot price has no price here, and its limits and name stay known."""
    for model in ("whisper-1", "tts-1"):
        row = catalog.find("openai", model)
        assert row is not None and not row.known


def test_model_stated_as_free_has_a_price(catalog: Catalog) -> None:
    """Moderation is free of charge: a known zero."""
    row = catalog.find("openai", "omni-moderation-latest")
    assert row is not None and row.known and row.charge(1000, 0) == 0


def test_names_are_matched_as_the_source_does(catalog: Catalog) -> None:
    """A dated or prefixed name finds the model that the source's rules find."""
    names = [
        "gpt-4.1-2025-04-14",
        "GPT-4.1-mini",
        "gpt-4o-20240806",
        "claude-3-5-haiku-20241022",
        "text-embedding-3-small",
        "claude-3-opus-20240229",
        "gemini-2.5-flash-lite",
        "o3-2025-04-16",
    ]
    found = 0
    for provider in ("openai", "anthropic", "gemini"):
        source = BY_ID[PROVIDERS[provider].catalog_ids[0]]
        for name in names:
            model = None if provider == "gemini" and "claude" in name else source.find_model(name)
            row = catalog.find(provider, name)
            assert (model is None) == (row is None), (provider, name)
            if model is not None and row is not None:
                assert f"/{model.id} of" in row.source
                found += 1
    assert found >= len(names)


def test_every_model_finds_itself(catalog: Catalog) -> None:
    """The name of a row leads to that row."""
    for name, model in OWN:
        row = catalog.find(name, model.id)
        assert row is not None and f"/{model.id} of" in row.source
    assert not catalog.serves("gemini", "claude-3-haiku")


def test_azure_sells_what_the_maker_prices(catalog: Catalog) -> None:
    """A model that the reseller's own table lacks costs what the maker asks."""
    maker, azure = catalog.find("openai", "gpt-4.1"), catalog.find("azure-openai", "gpt-4.1")
    assert maker is not None and azure is not None and maker.tiers == azure.tiers


@pytest.mark.parametrize(
    ("provider", "model"), [("openai", "no-such"), ("nobody", "gpt-4.1"), ("openai-compatible", "gpt-4.1")]
)
def test_unknown_is_unknown(catalog: Catalog, provider: str, model: str) -> None:
    """What the table does not hold is None, never a zero or another provider's price."""
    assert catalog.find(provider, model) is None
    assert not catalog.serves(provider, model)


def test_limits_come_with_the_price(catalog: Catalog) -> None:
    """Context and output limits stand in the row."""
    row = catalog.find("openai", "gpt-4.1")
    assert row is not None
    assert (row.context_tokens, row.max_output_tokens) == (1_047_576, 32_768)


def test_announced_price_holds_from_its_day(tmp_path: Path) -> None:
    """A price that the source announces for a day is used from that day on, by a catalog loaded then."""
    announced = [
        (model, spans)
        for _, model in OWN
        if len(spans := spans_of(model, date(2020, 1, 1))) > 1 and spans[1][0] > "2020"
    ]
    model, spans = announced[-1]
    compile_prices(tmp_path / "prices.json", date(2020, 1, 1))
    provider = next(name for name, other in OWN if other is model)
    before = Catalog.load(tmp_path / "prices.json", date(2020, 1, 2)).find(provider, model.id)
    after = Catalog.load(tmp_path / "prices.json", date.fromisoformat(spans[-1][0])).find(provider, model.id)
    assert before is not None and after is not None
    last = spans[-1][1]["input_mtok"]
    base = last.base if isinstance(last, TieredPrices) else last
    assert base is not None and after.tiers[0][1] == nano(base)
    assert after.date == spans[-1][0]
    assert before.date == "2020-01-01"


def test_price_by_the_hour_is_the_dearest(tmp_path: Path) -> None:
    """A budget holds at any hour of the day."""
    model = next(model for model in BY_ID["deepseek"].models if model.id == "deepseek-chat")
    assert not isinstance(model.prices, ModelPrice)
    most = max(row.prices.input_mtok for row in model.prices)  # type: ignore[type-var]  # all plain decimals here
    assert spans_of(model, TODAY)[-1][1]["input_mtok"] == most


def test_override_stands_before_the_table(catalog: Catalog) -> None:
    """The config's price wins, keeps the table's limits where it states none, and makes an unknown model known."""
    own = PriceRow([(0, 1, 2, -1, -1, -1, -1, -1)], source="config")
    assert catalog.find("openai", "gpt-4.1") is not None
    catalog.override("openai", "gpt-4.1", own)
    catalog.override("openai-compatible", "Llama", own)
    row = catalog.find("openai", "GPT-4.1")
    assert row is not None
    assert (row.tiers, row.context_tokens, row.source) == (own.tiers, 1_047_576, "config")
    assert catalog.serves("openai-compatible", "llama")


def test_names_from_callers_do_not_pile_up(catalog: Catalog) -> None:
    """What is remembered of names that callers make up is bounded."""
    for index in range(CACHED_NAMES + 100):
        catalog.find("anthropic", f"made-up-{index}")
    assert catalog._find.cache_info().currsize == CACHED_NAMES


def test_table_is_read_at_once(path: Path) -> None:
    """Reading the table and finding a first model costs less than 10 ms of CPU."""
    started = time.process_time()
    assert Catalog.load(path).serves("openai", "gpt-4.1")
    assert time.process_time() - started < 0.010


def test_shelves_are_decoded_when_asked_for(path: Path) -> None:
    """A worker holds the rows of the providers that it has asked for, and a copy of the catalog shares them."""
    catalog = Catalog.load(path)
    count = len(catalog.table.rows)
    assert repr(catalog._shelves) == f"Shelves(0 of {count} ready)"
    assert catalog.copy().serves("openai", "gpt-4.1")
    assert repr(catalog._shelves) == f"Shelves(1 of {count} ready)"
    assert repr(catalog._shelves["openai"]).startswith("Shelf(")


def test_names_are_those_of_table_and_config(catalog: Catalog) -> None:
    """The models of a provider are listed once each, as the table spells them, and those that only the config prices."""
    own = PriceRow([(0, 1, 2, -1, -1, -1, -1, -1)], source="config")
    catalog.override("openai", "GPT-4.1", own)
    catalog.override("openai", "Mine", own)
    names = catalog.names("openai")
    assert names.count("gpt-4.1") == 1 and names[-1] == "Mine" and len({name.lower() for name in names}) == len(names)
    assert catalog.place("openai", "gpt-4.1-2025-04-14") == ("openai", "gpt-4.1")
    assert catalog.place("openai", "mine") is None and catalog.names("nobody") == []


def test_missing_table_says_how_to_build_it(tmp_path: Path) -> None:
    """Without a table nothing is priced silently."""
    with pytest.raises(FileNotFoundError, match="tools.compile_prices"):
        Catalog.load(tmp_path / "none.json")
