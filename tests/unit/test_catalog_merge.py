"""Promises of the merge of genai-prices and models.dev: who wins, what is reported, and that nothing is free by silence."""

import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from genai_prices.types import ModelInfo, Tier, TieredPrices
from genai_prices.types import ModelPrice as Price

from fastgw.meter.cards import Cards
from fastgw.meter.catalog import Catalog
from fastgw.meter.details import Details
from fastgw.providers.table import PROVIDERS, ROWS, find_provider
from tools.compile_prices import Merge, compile_prices
from tools.conflicts import conflicts_of, differences, is_same_offer, report
from tools.genai_rows import is_stated_free, period_of, rate_at
from tools.models_dev import LEFT_OUT, prices_of, read_models_dev
from tools.render_models import PAGE, is_complete, own_cards, render

LISTED = read_models_dev()
TEXT = {"modalities": {"input": ["text"], "output": ["text"]}}


class Built:
    """Tables compiled from the installed packages, with what the build wrote beside them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.merge: Merge = compile_prices(folder / "prices.json", report_path=folder / "report.txt")
        self.cards = Cards(Catalog.load(folder / "prices.json"), Details.load(folder / "models.json"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    yield Built(tmp_path_factory.mktemp("table"))


def dollars(built: Built, provider: str, model: str) -> tuple[Decimal, Decimal] | None:
    """What a model costs for a million tokens in and out; None where that is unknown."""
    row = built.cards.catalog.find(provider, model)
    if row is None or not row.known:
        return None
    return Decimal(row.tiers[0][1]) / 10**9, Decimal(row.tiers[0][2]) / 10**9


def test_there_are_enough_models(built: Built) -> None:
    """At least 1,600 distinct models are known, also without what resellers put before the name, and as many with all that is asked for."""
    cards = list(own_cards(built.cards))
    assert len({card.model.lower().rpartition("/")[2] for card in cards}) >= 1_600
    assert len({card.model.lower() for card in cards if is_complete(card)}) >= 1_600


def test_every_row_says_who_and_when(built: Built) -> None:
    """Each model has its source, its version and a day."""
    for card in built.cards:
        assert card.source.split()[0] in ("genai-prices", "models-dev"), card
        assert len(card.row.date) in (7, 10) and card.row.date[:2] == "20", card


def test_price_of_genai_prices_wins(built: Built) -> None:
    """Where both know a model of a provider, it costs what genai-prices says, whatever models.dev says."""
    conflicts = [one for one in built.cards.details.conflicts() if one.above_tokens == 0 and one.kind == "input"]
    own = [one for one in conflicts if one.used.partition("/")[0] in PROVIDERS[one.provider].catalog_ids[:1]]
    assert len(own) > 50
    for one in own:
        row = built.cards.catalog.find(one.provider, one.model)
        assert row is not None and "genai-prices" in row.source and row.tiers[0][1] == one.used_nano_usd, one


def test_model_that_only_models_dev_knows_has_its_price(built: Built) -> None:
    """Such a model comes with price, limits and day of models.dev, and says so."""
    entry = LISTED["poe"]["anthropic/claude-haiku-4.5"]
    row = built.cards.catalog.find("poe", "anthropic/claude-haiku-4.5")
    cost, limit = entry["cost"], entry["limit"]
    assert row is not None and isinstance(cost, dict) and isinstance(limit, dict)
    assert dollars(built, "poe", "anthropic/claude-haiku-4.5") == (Decimal(cost["input"]), Decimal(cost["output"]))
    assert (row.context_tokens, row.max_output_tokens) == (limit["context"], limit["output"])
    assert row.source == "models.dev/poe/anthropic/claude-haiku-4.5 of models-dev " + built.cards.catalog.table.sources["models-dev"]
    assert row.date == entry["last_updated"]


def test_reseller_is_charged_as_the_reseller_says(built: Built) -> None:
    """Where models.dev has another price of a cloud than genai-prices has of the maker, the cloud's is charged, and it is reported."""
    assert dollars(built, "deepseek", "deepseek-r1-0528") != dollars(built, "azure-openai", "deepseek-r1-0528")
    used = {one.used for one in built.cards.details.conflicts() if (one.provider, one.model) == ("azure-openai", "deepseek-r1-0528")}
    assert used == {"models.dev/azure/deepseek-r1-0528"}


def test_every_difference_of_the_sources_is_reported(built: Built) -> None:
    """Each price of models.dev that is more than 1 % from what is charged for that name stands among the conflicts."""
    reported = {(one.provider, one.model) for one in built.cards.details.conflicts()}
    compared = 0
    for provider in ("openai", "anthropic", "gemini", "groq", "mistral-ai", "x-ai", "cohere", "deepseek"):
        for home in built.merge.ids[provider]:
            for name, entry in LISTED[home].items():
                theirs, ours = prices_of(name, entry), dollars(built, provider, name)
                if not theirs or ours is None:
                    continue
                for mine, kind in zip(ours, ("input_mtok", "output_mtok"), strict=True):
                    other = rate_at(theirs.get(kind), 0)
                    if other is not None and abs(mine - other) > max(mine, other) / 100:
                        assert (provider, name) in reported, (provider, name, mine, other)
                compared += 1
    assert compared > 100


def test_report_is_written_and_counted(built: Built, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The build writes every difference for people to read, and one line with their number to its standard error."""
    compile_prices(tmp_path / "prices.json", report_path=tmp_path / "report.txt")
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith(f"{len(built.merge.conflicts)} prices of ") and "report.txt" in said
    text = (tmp_path / "report.txt").read_text(encoding="utf-8")
    assert text == report(tuple(built.merge.conflicts.values()), built.merge.doubtful)
    for one in built.merge.conflicts.values():
        assert f"{one.provider}/{one.model} {one.kind}" in text
    assert "cortecs/llama-3.1-405b-instruct" in text


def test_nothing_is_free_by_silence(built: Built) -> None:
    """A model costs nothing only where its name or the source's words say so."""
    free = [card for card in built.cards if card.row.known and not any(card.row.tiers[0][1:3]) and not card.row.request_nano_usd]
    assert len(free) > 50
    by_words = {model.id.lower() for model in built.merge.models.values() if is_stated_free(model)}
    for card in free:
        _, listed = built.cards.catalog.place(card.provider, card.model) or ("", "")
        assert "free" in listed.lower() or listed.lower() in by_words, card
    # zeros that are there in models.dev, and an empty price of genai-prices for a model that is gone
    for name in ("cortecs/llama-3.1-405b-instruct", "nvidia-nim/openai/gpt-oss-120b", "cerebras/qwen-3-coder-480b"):
        provider, _, model = name.partition("/")
        row = built.cards.catalog.find(provider, model)
        assert row is not None and not row.known, name


@pytest.mark.parametrize(
    ("name", "entry", "expected"),
    [
        ("a", {**TEXT}, None),
        ("a", {**TEXT, "cost": {"input": 0, "output": 0}}, None),
        ("a:free", {**TEXT, "cost": {"input": 0, "output": 0}}, {}),
        ("a-free", {**TEXT, "cost": {"input": 0, "output": 0}}, {}),
        ("freedom", {**TEXT, "cost": {"input": 0, "output": 0}}, None),
        ("a", {**TEXT, "cost": {"input": 1, "output": 0}}, None),
        ("a-embed", {**TEXT, "cost": {"input": 1, "output": 0}}, {"input_mtok": Decimal(1)}),
        ("a", {**TEXT, "cost": {"input": 0, "output": 1}}, None),
        ("a", {**TEXT, "cost": {"input": 1, "output": 2, "cache_read": 0}}, {"input_mtok": Decimal(1), "output_mtok": Decimal(2)}),
        ("a", {"modalities": {"input": ["audio"], "output": ["text"]}, "cost": {"input": 1, "output": 2}}, None),
        ("a", {"modalities": {"input": ["text"], "output": ["image"]}, "cost": {"input": 1, "output": 2}}, None),
        (
            "a",
            {**TEXT, "cost": {"input": 1, "output": 2, "context_over_200k": {"input": 2}}},
            {"input_mtok": TieredPrices(Decimal(1), [Tier(200_000, Decimal(2))]), "output_mtok": Decimal(2)},
        ),
    ],
)
def test_price_of_models_dev_is_believed_where_it_is_certain(name: str, entry: dict[str, object], expected: object) -> None:
    """Zeros without a word, other units than tokens, and text for nothing are unknown; a zero beside a price is not stated."""
    assert prices_of(name, entry) == expected


@pytest.mark.parametrize(
    ("model", "is_free"),
    [
        ({"id": "a:free"}, True),
        ({"id": "a", "description": "All of them are free of charge"}, True),
        ({"id": "a", "price_comments": "Included in the subscription"}, False),
        ({"id": "a"}, False),
    ],
)
def test_empty_price_is_zero_where_words_say_so(model: dict[str, str], is_free: bool) -> None:
    """A price without entries is a known zero with such words and unknown without."""
    stated = is_stated_free(ModelInfo(match=None, **model))  # type: ignore[arg-type]  # no rule is asked
    assert stated is is_free
    assert period_of("", {}, stated) == ["", [[0, 0, 0]] if is_free else []]


def test_differences_are_those_of_what_is_charged() -> None:
    """One percent is no difference; tiers are compared where either has one; the dearest of a kind counts."""
    tiered = TieredPrices(Decimal(3), [Tier(199_999, Decimal(6))])
    assert list(differences({"input_mtok": Decimal(100)}, {"input_mtok": Decimal(99)})) == []
    assert [found[:2] for found in differences({"input_mtok": Decimal(100)}, {"input_mtok": Decimal("98.9")})] == [("input", 0)]
    assert [found[:2] for found in differences({"input_mtok": tiered}, {"input_mtok": Decimal(3)})] == [("input", 200_000)]
    assert is_same_offer({"input_mtok": tiered}, {"input_mtok": Decimal(3)})
    images = vars(Price(output_mtok=Decimal(1), output_image_mtok=Decimal(30)))
    assert list(differences(images, {"output_mtok": Decimal(30)})) == []
    assert list(differences({"cache_read_mtok": Decimal(1)}, {})) == []
    (one,) = conflicts_of("p", "m", ("a/m", {"input_mtok": Decimal(1)}), ("b/m", {"input_mtok": Decimal(2)}))
    assert (one.used, one.other, one.used_nano_usd, one.other_nano_usd) == ("a/m", "b/m", 10**9, 2 * 10**9)


def test_every_provider_of_models_dev_that_is_ours_is_used(built: Built) -> None:
    """Whoever a row answers to is merged, but for servers of one's own; names that a row states exist."""
    ours = {name for name in LISTED if find_provider(name)}
    assert set(built.merge.used()) == ours
    assert LEFT_OUT.isdisjoint(built.merge.used())
    assert {name for row in ROWS for name in row.models_dev_ids} <= set(LISTED)
    for name in ours:
        row = find_provider(name)
        assert row is not None and built.cards.catalog.names(row.name)


def test_details_stand_beside_the_price(built: Built) -> None:
    """Modalities, abilities, release and knowledge are those of models.dev, under every name that finds the model."""
    for name in ("gpt-4.1", "GPT-4.1", "gpt-4.1-2025-04-14"):
        card = built.cards.find("openai", name)
        assert card is not None and card.detail is not None
        assert card.detail.inputs == ["text", "image", "pdf"] and card.detail.outputs == ["text"]
        assert card.detail.abilities == ["tools", "structured_output", "attachment"]
        assert (card.title, card.detail.released, card.detail.knowledge) == ("GPT-4.1", "2025-04-14", "2024-04")
    linked = built.cards.find("anthropic", "claude-3-haiku")
    assert linked is not None and linked.detail is not None and linked.detail.model == "claude-3-haiku-20240307"


def test_deprecated_models_are_marked(built: Built) -> None:
    """What either source calls deprecated is, and only that."""
    ours = {(shelf, name) for (shelf, name), model in built.merge.models.items() if model.deprecated}
    marked = [card for card in built.cards if card.is_deprecated]
    assert len({(card.provider, card.model) for card in marked}) > 50
    for card in marked:
        shelf, listed = built.cards.catalog.place(card.provider, card.model) or ("", "")
        assert (shelf, listed.lower()) in ours or (card.detail is not None and card.detail.status == "deprecated"), card
    groq = built.cards.find("groq", "mistral-saba-24b")
    assert groq is not None and groq.is_deprecated


def test_tables_are_built_before_the_kernels(tmp_path: Path) -> None:
    """A fresh checkout has no compiled module when its tables are built."""
    code = "import sys; sys.modules['fastgw._core'] = None; from tools.compile_prices import compile_prices; compile_prices(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "prices.json")], cwd=PAGE.parent.parent, check=True)
    assert Catalog.load(tmp_path / "prices.json").serves("openai", "gpt-4.1")


def test_tables_stay_small(built: Built) -> None:
    """What workers map is under 600 KB, and so is the rest."""
    assert (built.folder / "prices.json").stat().st_size < 600_000
    assert (built.folder / "models.json").stat().st_size < 600_000


def test_page_states_the_numbers(built: Built) -> None:
    """docs/models.md is rendered from the tables."""
    page = PAGE.read_text(encoding="utf-8")
    assert render(page, built.cards, built.merge) == page, "run python -m tools.render_models"
    with pytest.raises(ValueError, match="marks"):
        render("no marks", built.cards, built.merge)
