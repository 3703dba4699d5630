"""Promises of `fastgw models`: what it finds, how it shows it, and what a configuration serves."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fastgw._core.price import PriceRow
from fastgw.cli import main
from fastgw.meter.cards import Card, Cards
from fastgw.meter.catalog import Catalog
from fastgw.meter.details import Detail, Details
from fastgw.meter.listing import as_object, dollars, table_lines
from fastgw.meter.search import Wanted, nearest, search
from fastgw.snapshot.load import parse, priced
from fastgw.snapshot.offers import Offers

BILLION = 10**9
CONFIG = """
[integrations.main]
provider = "openai"
api_key = "sk-not-a-real-key"
models = ["gpt-4.1", "tuned"]

[integrations.open]
provider = "google"
api_key = "not-a-real-key"

[integrations.own]
provider = "openai-compatible"
base_url = "http://127.0.0.1:9/v1"
models = ["Llama"]

[models.fast]
targets = [{ integration = "main", model = "gpt-4.1" }, { integration = "open", model = "gemini-2.5-flash" }]

[models.cheap]
targets = [{ integration = "own", model = "Llama" }]
context_tokens = 1000
price = { input = 1, output = 2 }

[prices."openai-compatible/Llama"]
input = 1.5
output = 3
"""


def card(model: str, price: tuple[int, int] | None = None, context: int = 0, takes: str = "", can: str = "", provider: str = "p") -> Card:
    tiers = () if price is None else ((0, price[0] * BILLION, price[1] * BILLION, -1, -1, -1, -1, -1),)
    detail = Detail(model, takes=takes, gives="t", can=can) if takes else None
    return Card(provider, model, PriceRow(tiers, context_tokens=context, source="p/m of test 1", date="2026-01-01"), detail)


CARDS = [
    card("Big-Vision", (5, 20), 1_000_000, "ti", "tr"),
    card("small-text", (1, 2), 8_000, "t"),
    card("small-free", (0, 0), 8_000, "t", "t"),
    card("unknown", None, 0),
    card("vendor/small-text", (2, 2), 16_000, "ta", provider="q"),
]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(), ["Big-Vision", "small-free", "small-text", "unknown", "vendor/small-text"]),
        (Wanted(words=("SMALL", "text")), ["small-text", "vendor/small-text"]),
        (Wanted(words=("q/",)), ["vendor/small-text"]),
        (Wanted(provider="q"), ["vendor/small-text"]),
        (Wanted(modality="image"), ["Big-Vision"]),
        (Wanted(modality="text", abilities=frozenset({"tools"})), ["Big-Vision", "small-free"]),
        (Wanted(abilities=frozenset({"tools", "reasoning"})), ["Big-Vision"]),
        (Wanted(min_context=16_000), ["Big-Vision", "vendor/small-text"]),
        (Wanted(max_nano_usd=2 * BILLION), ["small-free", "small-text", "vendor/small-text"]),
        (Wanted(max_nano_usd=0), ["small-free"]),
    ],
)
def test_all_that_is_wanted_must_fit(wanted: Wanted, found: list[str]) -> None:
    """Words, provider, modality, abilities, context and price narrow the search; what is unknown fits no demand."""
    assert [one.model for one in search(CARDS, wanted)] == found


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("price", ["small-free", "small-text", "vendor/small-text", "Big-Vision", "unknown"]),
        ("context", ["Big-Vision", "vendor/small-text", "small-free", "small-text", "unknown"]),
    ],
)
def test_orders(order: str, found: list[str]) -> None:
    """The cheapest or the longest come first, what is unknown last."""
    assert [one.model for one in search(CARDS, Wanted(), order)] == found


def test_nearest_names_are_offered() -> None:
    """A misspelt name finds those that look like it, with or without a vendor before it."""
    assert nearest(("smal-txt",), CARDS)[0] == "small-text"
    assert nearest(("bigvision",), CARDS) == ["Big-Vision"]
    assert nearest(("zzzzzz",), CARDS) == []


def test_table_is_readable() -> None:
    """Columns are aligned, numbers to the right; an unknown is a question mark, never a zero."""
    head, vision, free, unknown = table_lines([CARDS[0], CARDS[2], CARDS[3]])
    assert head.split("  ")[0] == "PROVIDER" and "TAKES > GIVES" in head
    assert vision.split()[:6] == ["p", "Big-Vision", "5.00", "20.00", "1,000,000", "?"]
    assert "text image > text" in vision and vision.endswith("test 1  2026-01-01")
    assert free.split()[2:4] == ["0.00", "0.00"]
    assert unknown.split()[2:7] == ["?"] * 5
    assert vision.index("5.00") + 4 == head.index("$ IN") + 4 == unknown.index("?") + 1


@pytest.mark.parametrize(
    ("nano_usd", "text"),
    [(0, "0.00"), (BILLION, "1.00"), (37_500_000, "0.0375"), (150 * BILLION, "150.00"), (1, "0.000000001"), (2_500_000_000, "2.50")],
)
def test_prices_are_exact(nano_usd: int, text: str) -> None:
    """Dollars have two digits, or as many as it takes."""
    assert dollars(nano_usd) == text


def test_object_has_null_for_what_is_unknown() -> None:
    """Programs can tell an unknown price from a free model."""
    assert as_object(CARDS[3])["price"] is None and as_object(CARDS[3])["input_modalities"] is None
    assert as_object(CARDS[2])["price"] == {"tiers": [{"above_tokens": 0, "input": "0.00", "output": "0.00"}]}


def test_details_are_decoded_when_asked_for() -> None:
    """The list of a provider is read when its first model is asked for, and no other."""
    details = Details.load()
    assert repr(details).endswith(f"0 of {len(details.table.rows)} lists ready)")
    assert details.find("openai", ["none", "GPT-4.1"]) == details.find("openai", ["gpt-4.1"]) is not None
    assert details.find("nobody", ["gpt-4.1"]) is None
    assert repr(details).endswith(f"1 of {len(details.table.rows)} lists ready)")


def test_details_that_were_not_built_are_named(tmp_path: Path) -> None:
    """Without the table the message says how it is built."""
    with pytest.raises(FileNotFoundError, match="tools.compile_prices"):
        Details.load(tmp_path / "none.json")


@pytest.fixture(scope="module")
def offers() -> Offers:
    catalog = Catalog.load()
    config = parse(CONFIG, {}, catalog=catalog).config
    return Offers(config, priced(config, catalog))


def test_cards_of_a_configuration(offers: Offers) -> None:
    """Every model that an integration serves has a card, also those of which only the configuration knows."""
    served = {(one.provider, one.model): one for one in offers.served()}
    assert {model for provider, model in served if provider == "openai"} == {"gpt-4.1", "tuned"}
    assert not served["openai", "tuned"].row.known
    assert served["openai-compatible", "Llama"].row.tiers[0][1] == 1_500_000_000
    assert ("gemini", "gemini-2.5-flash") in served
    assert offers.serving("openai", "gpt-4.1") == ["main"] and offers.serving("openai", "o3") == []
    assert offers.serving("gemini", "anything") == ["open"]


def test_alias_is_described_by_what_it_leads_to(offers: Offers) -> None:
    """A card of an alias is that of its first model at that provider, with the price and limits that the alias states."""
    assert offers.aliases() == {"fast": ["main/gpt-4.1", "open/gemini-2.5-flash"], "cheap": ["own/Llama"]}
    assert list(offers.aliases(["GEMINI"])) == ["fast"]
    fast, other = offers.describe("fast", "openai"), offers.describe("fast", "gemini")
    assert fast is not None and (fast.model, fast.row.context_tokens) == ("gpt-4.1", 1_047_576)
    assert other is not None and other.model == "gemini-2.5-flash"
    cheap = offers.describe("cheap", "openai-compatible")
    assert cheap is not None
    assert (cheap.row.tiers[0][1], cheap.row.context_tokens, cheap.row.source) == (BILLION, 1000, "config")
    assert offers.describe("cheap", "openai-compatible") is cheap
    assert offers.describe("no-such", "openai") is None


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["models", *arguments])


def test_command_finds_models() -> None:
    """Words and options go into the search; the lines are a table, or one object each."""
    table = run("gpt-4.1", "--provider", "openai")
    assert table.exit_code == 0 and table.output.splitlines()[1].split()[:4] == ["openai", "gpt-4.1", "2.00", "8.00"]
    options = ("--tools", "--modality", "image", "--max-price", "20", "--sort", "price", "--json")
    objects = [json.loads(line) for line in run("claude", "--provider", "amazon-bedrock", *options).output.splitlines()]
    assert objects and all("tools" in one["abilities"] and one["provider"] == "bedrock" for one in objects)
    least = [float(one["price"]["tiers"][0]["input"]) + float(one["price"]["tiers"][0]["output"]) for one in objects]
    assert least == sorted(least) and least[-1] <= 40


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["gpt-41-minni"], 1, "gpt-4.1-mini"),
        (["--min-context", "999999999"], 1, "no model is all of that"),
        (["--provider", "opanai"], 2, "did you mean openai?"),
        (["--conflicts", "no-such-model"], 1, "agree"),
        (["--modality", "smell"], 2, "smell"),
    ],
)
def test_command_says_what_is_wrong(arguments: list[str], status: int, said: str) -> None:
    """Nothing found is status 1 with the nearest names, a wrong option 2 with what was meant."""
    result = run(*arguments)
    assert (result.exit_code, said in result.output) == (status, True), result.output


def test_command_shows_conflicts() -> None:
    """The prices on which the sources differ can be listed, for some models or as objects."""
    table = run("--conflicts", "--provider", "deepseek")
    assert table.exit_code == 0 and table.output.splitlines()[0].split()[0] == "PROVIDER"
    objects = [json.loads(line) for line in run("--conflicts", "deepseek-chat", "--provider", "deepseek", "--json").output.splitlines()]
    assert objects and all(one["charged"] != one["other"] and one["by"].startswith("deepseek/") for one in objects)


def test_command_shows_a_configuration(tmp_path: Path) -> None:
    """With a configuration there are its aliases, and the integrations that serve each model."""
    file = tmp_path / "fastgw.toml"
    file.write_text(CONFIG)
    lines = run("gpt-4.1", "--config", str(file)).output.splitlines()
    assert lines[1].split() == ["fast", "main/gpt-4.1,", "open/gemini-2.5-flash"]
    assert lines[3].endswith("SERVED BY") and lines[4].split()[:2] == ["openai", "gpt-4.1"] and lines[4].endswith(" main")
    objects = [json.loads(line) for line in run("llama", "--config", str(file), "--json").output.splitlines()]
    assert objects[0] == {"alias": "cheap", "leads_to": ["own/Llama"]}
    assert (objects[1]["model"], objects[1]["served_by"], objects[1]["source"]) == ("Llama", ["own"], "config")
    assert run("--config", str(file), "--min-context", "99999999").exit_code == 1
    file.write_text("[integrations.main]\nprovider = 1\n")
    assert run("--config", str(file)).exit_code == 2


def test_cards_say_what_they_are() -> None:
    """What holds state can be printed."""
    catalog = Catalog.load()
    assert repr(Cards(catalog, Details.load())).startswith(f"Cards({catalog!r}, Details(")
