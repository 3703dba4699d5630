"""Promises of the configuration: all that is wrong is said, with its place, and no secret is ever shown."""

import pickle
import time
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastgw.auth.keys import digest_of
from fastgw.meter.catalog import Catalog
from fastgw.snapshot.config import Config, Secret
from fastgw.snapshot.describe import FieldRow, bare, field_rows
from fastgw.snapshot.load import ConfigError, Document, Problem, explain, load, parse, priced
from fastgw.snapshot.names import nearest, place_text, places_of
from tests.unit.config_cases import CASES, Case, integration
from tests.unit.config_documents import ACCOUNT, ENVIRON, FULL, HASH, LEAST
from tools.compile_prices import compile_prices

PAGE = Path(__file__).parents[2] / "docs" / "config.md"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    path = tmp_path_factory.mktemp("table") / "prices.json"
    compile_prices(path)
    return Catalog.load(path)


@pytest.fixture
def full(tmp_path: Path) -> str:
    """The full document with files that are there."""
    (tmp_path / "file.pem").write_text("a certificate")
    (tmp_path / "secret").write_text("sk-in-a-file\n")
    (tmp_path / "account.json").write_text(ACCOUNT)
    text = FULL.replace("@FILE@", str(tmp_path / "file.pem")).replace("@SECRET@", str(tmp_path / "secret"))
    text = text.replace("@ACCOUNT@", str(tmp_path / "account.json"))
    return text.replace("@HASH@", HASH)


def problems_of(
    text: str, catalog: Catalog | None = None, environ: dict[str, str] | None = None
) -> tuple[Problem, ...]:
    """What is said about a document that must be refused."""
    with pytest.raises(ConfigError) as caught:
        parse(text, ENVIRON if environ is None else environ, "config.toml", catalog)
    assert caught.value.problems
    return caught.value.problems


def test_file_with_every_field_is_read(full: str, catalog: Catalog) -> None:
    """Every field has a place in the document and comes out with its type."""
    document = parse(full, ENVIRON, "", catalog)
    config = document.config
    assert config.gateway.cors is not None and config.gateway.cors.origins[1] == "http://localhost:3000"
    main = config.integrations["openai-main"]
    assert main.api_key is not None and main.api_key.reveal() == "sk-in-the-environment"
    assert main.headers["x-secret"].reveal() == "sk-in-the-environment"
    azure = config.integrations["azure"]
    assert azure.azure is not None and azure.azure.token is not None and azure.azure.token.reveal() == "sk-in-a-file"
    price = config.models["alias"].price
    assert price is not None and price.request_nano_usd == 1
    expected = (0, 2_500_000_000, 10**10, 1_250_000_000, 3_125_000_000, 5 * 10**9, 40 * 10**9, 80 * 10**9)
    assert price.tiers == (expected,)
    assert config.prices["openai/own"].tiers[0][:3] == (0, 1, 10**15)
    (budget,) = config.workspaces["team"].limits["azure"].budget
    assert (budget.unit, budget.amount, budget.window) == ("usd", 500_000_000, "total")
    several = [(one.unit, one.amount, one.window) for one in config.workspaces["team"].budget]
    assert several == [("usd", 1_000_500_000_000, "30d"), ("tokens", 1_000_000, "day"), ("requests", 500, "week")]
    assert config.keys[0].expires_at == datetime(2026, 12, 31, 23, tzinfo=UTC)
    assert document.digests == (digest_of("fgw-in-the-environment"), digest_of("another"))


def test_full_document_leaves_out_no_field(full: str) -> None:
    """The document above states every field there is, none at its default."""
    raw = tomllib.loads(full, parse_float=Decimal)
    for row in field_rows():
        values = list(values_at(raw, row))
        assert values, f"{row.section}.{row.name} is not in the document"
        assert any(row.default in ("", "required") or str(value) != row.default.strip('"') for value in values)


def values_at(raw: dict[str, Any], row: FieldRow) -> Iterator[object]:
    """The values of a field in every table of its section."""
    tables: list[Any] = [raw]
    for step in row.section.split(".") if row.section else []:
        name = step.removesuffix("[]")
        tables = [
            inner
            for table in tables
            for inner in (table.values() if name == "NAME" else [table[name]] if name in table else [])
        ]
        tables = [item for table in tables for item in (table if isinstance(table, list) else [table])]
    yield from (table[row.name] for table in tables if row.name in table)


def test_least_file_has_the_documented_defaults(catalog: Catalog) -> None:
    """What is not stated is what docs/config.md says."""
    config = parse(LEAST, {}, "", catalog).config
    gateway = config.gateway
    assert (gateway.listen, gateway.workers, gateway.state) == ("127.0.0.1:8787", 1, ".fastgw")
    assert gateway.timeouts.idle_ms == 75_000
    assert (gateway.tls, gateway.cors, gateway.record.payloads, gateway.record.sqlite) == (None, None, "none", True)
    main = config.integrations["main"]
    assert (main.base_url, main.max_connections, main.timeouts.total_ms) == (None, 256, 1_800_000)
    key = config.keys[0]
    assert (key.workspace, key.models, key.enabled, key.budget, key.expires_at) == ("default", (), True, (), None)


def test_empty_file_is_a_configuration() -> None:
    """Nothing is required, so that a first start needs no file."""
    assert parse("", {}) == Document(Config(), ())


WRONG = {
    "a string": "[1]",
    "an http": "1",
    "at most 128": "1",
    "a path": "1",
    "true or false": '"yes"',
    "a table": "3",
    "a list of": '"alone"',
    "a date": "true",
    "an integer": '"12"',
    "a version": "1",
    "one of": "7",
    '"env': "1.5",
    '"file': "1",
    "1 to": "true",
    "dollars": '"2.50"',
    '"sha256': "1",
    '"total"': "30",
}


@pytest.mark.parametrize("row", list(field_rows()), ids=lambda row: f"{row.section}.{row.name}")
def test_value_of_another_kind_is_refused_in_its_place(row: FieldRow) -> None:
    """Each field refuses a value of another kind, at its place and line, and says what it takes."""
    wrong = next(value for start, value in WRONG.items() if row.takes.startswith(start))
    steps = [step for step in row.section.replace("[]", "").split(".") if step]
    steps = ["openai/own" if step == "NAME" else step for step in steps]
    array = steps[:1] == ["keys"]
    tables = [steps[:1], steps] if array and len(steps) > 1 else [steps]
    lines: list[str] = []
    for table in tables:
        header = ".".join(f'"{step}"' for step in table)
        if row.section.endswith("[]") and not array:
            lines.append(f"[[{header}]]")
        elif header:
            lines.append(f"[[{header}]]" if table == ["keys"] else f"[{header}]")
    text = "\n".join([*lines, f"{row.name} = {wrong}"])
    found = [
        problem for problem in problems_of(text) if problem.place.endswith(row.name) and problem.found != "nothing"
    ]
    assert len(found) == 1, text
    assert found[0].expected == row.takes
    assert found[0].line == len(lines) + 1


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_error_says_place_and_expectation(case: Case, catalog: Catalog) -> None:
    """Each kind of error is found, in its place, with what was expected and what was perhaps meant."""
    problems = problems_of(case.text, catalog)
    found = [
        problem for problem in problems if problem.place.startswith(case.place) and case.expected in problem.expected
    ]
    assert found, problems
    assert found[0].nearest == case.nearest or not case.nearest
    assert 1 <= found[0].line <= case.text.count("\n") + 1
    assert str(found[0]).startswith(f"config.toml:{found[0].line}: ")


def test_all_problems_are_reported_at_once(catalog: Catalog) -> None:
    """One run shows every section's faults, in the order of the file, and none that only follows from another."""
    text = """
[gateway]
workers = "many"
[integrations.main]
provider = "openai"
api_key = "env:NOT_SET"
max_connections = 0
[[keys]]
name = "a"
key = "env:NOT_SET_EITHER"
models = ["gpt-4.1"]
[[keys]]
name = 7
key = "k"
[[keys]]
name = "c"
key = "kk"
workspace = "none"
"""
    problems = problems_of(text, catalog)
    assert sorted(problem.place for problem in problems) == [
        "gateway.workers",
        "integrations.main.api_key",
        "integrations.main.max_connections",
        "keys[0].key",
        "keys[1].name",
        "keys[2].workspace",
    ]
    lines = explain(problems).splitlines()
    assert [int(line.split(":")[1]) for line in lines] == [3, 6, 7, 10, 13, 18]


def test_many_problems_cost_little_each(catalog: Catalog) -> None:
    """A file with thousands of faults is explained in a moment, so that a generated file cannot stall a start."""
    keys = (f'[[keys]]\nname = "k{index}"\nhash = "sha256:{index:064x}"\nmodls = []\n' for index in range(2000))
    started = time.process_time()
    assert len(problems_of("".join(keys), catalog)) == 2000
    assert time.process_time() - started < 3


SECRETS = ("sk-hush", "fgw-hush", "hush-header", "hush-password", "hush\u00fc")


@pytest.mark.parametrize(
    "wrong",
    [
        "max_connections = 0",
        'max_connections = "sk-hush"',
        'api_key = ["sk-hush"]',
        'api_key = "sk-hush\\n"',
        'ca_file = "/none"',
    ],
)
def test_secrets_are_in_no_message(wrong: str, catalog: Catalog) -> None:
    """Whatever is wrong, no message holds the value of a secret."""
    own = "" if "api_key" in wrong else 'api_key = "sk-hush"'
    text = f"""
[integrations.main]
provider = "openai"
{own}
{wrong}
base_url = "http://hush-password@host:hush-password"
headers = {{ x-a = "hush-header", x-b = "hush\u00fc" }}
proxy = "ftp://user:hush-password@host"
[[keys]]
name = "a"
key = "fgw-hush"
hash = "fgw-hush"
[[keys]]
name = "b"
key = "fgw-hush"
"""
    with pytest.raises(ConfigError) as caught:
        parse(text, {}, "", catalog)
    assert len(caught.value.problems) >= 4
    assert not [secret for secret in SECRETS if secret in f"{caught.value} {caught.value!r} {caught.value.problems!r}"]


def test_secrets_are_in_no_repr(full: str, catalog: Catalog) -> None:
    """A document can be logged: what it shows of secrets is where they came from."""
    document = parse(full, ENVIRON, "", catalog)
    text = f"{document!r} {document.config!r} {document.config.integrations['openai-main'].api_key!s}"
    assert not [secret for secret in (*ENVIRON.values(), "sk-in-a-file", ":password@", "org'") if secret in text]
    assert "env:OPENAI_API_KEY" in text


def test_secret_leaves_only_by_reveal() -> None:
    """A secret compares, and is neither printed nor serialised."""
    secret = Secret("hush", "env:A")
    assert (secret == Secret("hush"), secret == Secret("other"), secret == "hush") == (True, False, False)
    assert len({secret, Secret("hush")}) == 1
    assert repr(secret) == "Secret(env:A)"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        msgspec.json.encode(secret)


class FileCase(NamedTuple):
    name: str
    content: bytes | None
    expected: str
    line: int


@pytest.mark.parametrize(
    "case",
    [
        FileCase("not there", None, "a file that can be read", 0),
        FileCase("not UTF-8", b"[gateway]\n# \xff", "UTF-8", 2),
        FileCase("not TOML", b"[gateway]\nlisten = \n", "TOML at column 10", 2),
        FileCase("stated twice", b"[gateway]\nworkers = 1\nworkers = 2\n", "TOML at column 12", 3),
        FileCase("cut off", b"[gateway", "TOML", 0),
        FileCase("no such day", b"a = 2026-02-31", "TOML", 1),
        FileCase("too many digits", b"a = " + b"9" * 5000, "TOML", 0),
        FileCase("nested too deeply", b"a = " + b"[" * 100_000, "TOML", 0),
    ],
    ids=lambda case: case.name,
)
def test_file_that_is_no_document_is_refused(case: FileCase, tmp_path: Path) -> None:
    """What cannot be read or parsed is one problem, with its line where there is one."""
    path = tmp_path / "config.toml"
    if case.content is not None:
        path.write_bytes(case.content)
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    (problem,) = caught.value.problems
    assert problem.expected.startswith(case.expected)
    assert problem.line == case.line or not case.line
    assert problem.path == str(path)


def test_file_is_loaded(full: str, tmp_path: Path, catalog: Catalog) -> None:
    """A good file gives a document that says in a line what it is."""
    path = tmp_path / "config.toml"
    path.write_text(full)
    document = load(path, ENVIRON, catalog)
    assert repr(document) == f"Document({str(path)!r}, 7 integrations, 2 keys)"


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"sk-1\n", "sk-1"), (b"sk-1\r\n", "sk-1"), (b"\xff", None), (b"", None), (b"a" * 70_000, None), (b"a\nb", None)],
)
def test_secret_file_holds_one_line(content: bytes, expected: str | None, tmp_path: Path, catalog: Catalog) -> None:
    """A secret's file is short text; its last line end is not part of the secret."""
    (tmp_path / "secret").write_bytes(content)
    text = integration(f'provider = "openai"\napi_key = "file:{tmp_path}/secret"')
    if expected is None:
        assert [problem.place for problem in problems_of(text, catalog)] == ["integrations.main.api_key"]
    else:
        secret = parse(text, {}, "", catalog).config.integrations["main"].api_key
        assert secret is not None and secret.reveal() == expected


def test_amounts_are_exact() -> None:
    """A price is the decimal that was written, not the nearest binary fraction."""
    text = '[prices."openai/x"]\ninput = 0.1\noutput = 0.000000003\ncache_read = 1.10000000000000000000000000\n'
    assert parse(text, {}).config.prices["openai/x"].tiers == ((0, 10**8, 3, 1_100_000_000, -1, -1, -1, -1),)


def test_prices_of_the_file_stand_before_the_table_for_this_file_alone(catalog: Catalog) -> None:
    """[prices] wins for its configuration, and is gone when the next one does not state it."""
    config = parse('[prices."openai/gpt-4.1"]\ninput = 1\noutput = 2\nrequest = 0.5\n', {}).config
    row = priced(config, catalog).find("openai", "gpt-4.1")
    assert row is not None and (row.charge(10, 10), row.context_tokens, row.source) == (
        500_030_000,
        1_047_576,
        "config",
    )
    table = priced(Config(), catalog).find("openai", "gpt-4.1")
    assert table is not None and table.charge(10, 10) == 100_000


def test_default_workspace_and_listed_models_need_no_price_table() -> None:
    """A workspace named default is always there, and a model that an integration lists is served."""
    text = '[integrations.m]\nprovider = "openai-compatible"\nbase_url = "http://h"\nmodels = ["own"]\n'
    document = parse(text + '[[keys]]\nname = "a"\nkey = "k"\nmodels = ["own"]', {})
    assert document.config.keys[0].workspace == "default"


def test_lines_are_found_in_every_spelling() -> None:
    """Dotted and quoted keys, arrays of tables and long strings keep their lines."""
    text = '[[a]]\nb = 1\n[[a]]\n"c d".e = 2\n[a.f]\n\'g\' = 3\nh = """\n[not.a.table]\n"""\ni = 4\n'
    assert list(places_of(text)) == [
        (("a", 0), 1), (("a", 0, "b"), 2), (("a", 1), 3), (("a", 1, "c d", "e"), 4), (("a", 1, "f"), 5),
        (("a", 1, "f", "g"), 6), (("a", 1, "f", "h"), 7), (("a", 1, "f", "i"), 10),
    ]  # fmt: skip


def test_names_are_guessed_only_where_they_are_alike() -> None:
    """A suggestion is near, whatever the case of letters, or there is none."""
    assert nearest("Worker", ["workers", "state"]) == "workers"
    assert nearest("zzz", ["workers", "state"]) == ""
    assert place_text(("models", "gpt-4.1", "targets", 0, "model")) == 'models."gpt-4.1".targets[0].model'


def page_row(row: FieldRow) -> str:
    """The line of docs/config.md that shows a field."""
    default = {"required": "required", "": ""}.get(row.default, f"`{row.default}`")
    return f"| `{row.name}` | {row.takes} | {default} | {row.meaning} |"


def test_page_shows_every_field_as_it_is_defined() -> None:
    """docs/config.md has each section with its fields, their kinds, defaults and meanings, and no others."""
    sections: dict[str, list[str]] = {}
    section = ""
    for line in PAGE.read_text().splitlines():
        if line.startswith("## `["):
            section = line.removeprefix("## `[").removesuffix("]`")
        elif line.startswith("| `"):
            sections.setdefault(section, []).append(line)
    expected: dict[str, list[str]] = {}
    for row in field_rows():
        if row.section:
            expected.setdefault(row.section, []).append(page_row(row))
    assert sections == expected
    assert all(row.meaning for row in field_rows())


def test_values_are_told_from_their_wrapping() -> None:
    """An optional, annotated type is the type that TOML may hold."""
    assert bare(str | None) is str


NAMES = sorted({row.name for row in field_rows()} | {"main", "default", "gateway", "x"})
STEPS = st.sampled_from(NAMES) | st.text(max_size=5)
LEAVES = st.one_of(
    st.none().map(lambda _: "env:NONE"),
    st.integers(),
    st.booleans(),
    st.text(max_size=20),
    st.sampled_from(
        ["openai", "main", "env:APP_1_KEY", "file:/none", "single", "30d", HASH, "http://h", "127.0.0.1:1"]
    ),
    st.decimals(allow_nan=True, allow_infinity=True),
    st.datetimes(timezones=st.none() | st.just(UTC)),
    st.dates(),
    st.times(),
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(STEPS, inner, max_size=4), max_leaves=12
)


def written(value: object) -> str:
    """Write a random value as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        escaped = "".join(c if " " <= c <= "~" and c not in '"\\' else f"\\U{ord(c):08x}" for c in value)
        return f'"{escaped}"'
    if isinstance(value, Decimal):
        text = format(value, "e")
        return (
            text.lower().lstrip("+-s") if not value.is_finite() else text if "." in text or "e" in text else f"{text}.0"
        )
    if isinstance(value, list):
        return f"[{', '.join(written(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{written(name)} = {written(item)}' for name, item in value.items())} }}"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    st.dictionaries(st.sampled_from(["gateway", "integrations", "models", "prices", "workspaces", "keys", "x"]), VALUES)
)
def test_random_document_is_read_or_refused(catalog: Catalog, document: dict[str, object]) -> None:
    """Whatever tables hold, the answer is a document or its list of problems."""
    text = "\n".join(f"{name} = {written(value)}" for name, value in document.items())
    try:
        assert isinstance(parse(text, ENVIRON, "", catalog), Document)
    except ConfigError as error:
        assert error.problems and str(error)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_document_is_read_or_refused(catalog: Catalog, data: st.DataObject) -> None:
    """Whatever becomes of a good file on its way, the answer is a document or its list of problems."""
    start = data.draw(st.integers(0, len(FULL)))
    end = data.draw(st.integers(start, min(len(FULL), start + 40)))
    patch = data.draw(st.sampled_from(["", "=", "[", "]]", '"', "\n", "{", "0", "-", "\x00", "1e9999999999999999999"]))
    patch = data.draw(st.just(patch) | st.text(max_size=8))
    try:
        parse(FULL[:start] + patch + FULL[end:], ENVIRON, "", catalog)
    except ConfigError as error:
        assert error.problems and str(error)
