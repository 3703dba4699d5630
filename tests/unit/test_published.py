"""The published document and the file are one configuration: the file comes first, and each problem is told of the document it is in."""

import json
import stat
from decimal import Decimal
from pathlib import Path

import pytest

from fastgw.snapshot.load import ConfigError, Document, load
from fastgw.snapshot.opening import open_first
from fastgw.snapshot.published import PUBLISHED, publish
from fastgw.snapshot.seal import Vault

FILE = """
[integrations.main]
provider = "openai"
api_key = "sk-of-the-file"
[workspaces.theirs]
[[keys]]
name = "app"
key = "fgw-key"
workspace = "published"
"""
TABLES: dict[str, object] = {
    "integrations": {
        "main": {"provider": "openai", "api_key": "sk-published"},
        "other": {"provider": "openai", "models": ["m"], "api_key": "sk-other"},
    },
    "models": {"fast": {"targets": [{"integration": "other", "model": "m"}]}},
    "workspaces": {"published": {"budget": {"usd": Decimal("0.1")}}, "theirs": {"budget": {"usd": 5}}},
    "prices": {"openai/m": {"input": Decimal("0.000000001"), "output": 2}},
    "configs": {"saved": {"provider": "@main"}},
}


def write(tmp_path: Path, tables: object = None, file: str = FILE) -> Path:
    path = tmp_path / "fastgw.toml"
    path.write_text(file)
    if tables is not None:
        (tmp_path / PUBLISHED).write_text(tables if isinstance(tables, str) else json.dumps(tables))
    return path


def loaded(tmp_path: Path, vault: Vault | None = None) -> Document:
    return load(tmp_path / "fastgw.toml", {"X": "x"}, state=tmp_path, vault=vault)


def test_both_are_one_configuration_and_the_file_comes_first(tmp_path: Path) -> None:
    """References lead from each to the other, amounts are exact, and a name that is in both is the file's, which is said."""
    write(tmp_path)
    publish(tmp_path, TABLES)
    document = loaded(tmp_path)
    config = document.config
    assert {name: row.api_key.reveal() for name, row in config.integrations.items() if row.api_key} == {
        "main": "sk-of-the-file", "other": "sk-other"}  # fmt: skip
    assert config.workspaces["theirs"].budget == ()
    (budget,) = config.workspaces["published"].budget
    assert budget.amount == 100_000_000 and config.prices["openai/m"].tiers[0][1] == 1
    assert set(config.models) == {"fast"} and set(config.configs) == {"saved"}
    assert document.shadowed == ("integrations.main", "workspaces.theirs")
    assert document.marks[0] and document.marks[1]


def test_document_is_put_there_at_once_for_its_owner(tmp_path: Path) -> None:
    """The file has mode 0600, nothing is left beside it, and what cannot be written changes nothing."""
    publish(tmp_path, {})
    publish(tmp_path, TABLES)
    assert [path.name for path in tmp_path.iterdir()] == [PUBLISHED]
    assert stat.S_IMODE((tmp_path / PUBLISHED).stat().st_mode) == 0o600
    before = (tmp_path / PUBLISHED).read_bytes()
    with pytest.raises(TypeError):
        publish(tmp_path, {"integrations": object()})
    assert [path.name for path in tmp_path.iterdir()] == [PUBLISHED] and (tmp_path / PUBLISHED).read_bytes() == before


def test_without_a_document_the_file_stands_alone(tmp_path: Path) -> None:
    """No document, no difference: the same problems at the same lines."""
    path = write(tmp_path)
    with pytest.raises(ConfigError) as alone:
        load(path, {})
    with pytest.raises(ConfigError) as beside:
        loaded(tmp_path)
    assert str(alone.value) == str(beside.value) and 'fastgw.toml:9: keys[0].workspace' in str(alone.value)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ("{", "expected one JSON object, found something else"),
        ("[]", "expected one JSON object, found something else"),
        ("\xff", "expected one JSON object|UTF-8"),
        ("[" * 5000, "expected one JSON object, found something else"),
        ({"keys": []}, "keys: expected one of integrations, models, prices, workspaces, configs, found another section"),
        ({"gateway": {}}, "gateway: expected one of"),
        ({"models": []}, "models: expected an object, found something else"),
        ({"integrations": {"x": {"provider": "openia"}}}, "integrations.x.provider: expected a known provider"),
        ({"integrations": {"x": {"provider": "openai", "api_key": "env:X"}}}, "integrations.x.api_key: expected sealed text"),
        ({"integrations": {"x": {"provider": "openai", "headers": {"x-a": "file:/etc/passwd"}}}}, "headers.x-a: expected sealed text"),
        ({"integrations": {"x": {"provider": "openai", "api_key": "sealed:v1:0"}}}, "and no key of this installation"),
        ({"models": {"a": {"targets": [{"integration": "none", "model": "m"}]}}}, "models.a.targets"),
        ({"configs": {"c": {"provider": "openai", "api_key": "env:X"}}}, "configs.c: expected no references"),
        ({"configs": {"c": {"json": '{"targets": [{"api_key": "file:/x"}]}'}}}, "configs.c: expected no references"),
    ],
)
def test_problem_is_told_of_the_document_that_it_is_in(tmp_path: Path, tables: object, message: str) -> None:
    """Each problem of the published document names it, and not a line of the file."""
    write(tmp_path, tables, '[integrations.main]\nprovider = "openai"\n')
    with pytest.raises(ConfigError, match=message) as caught:
        loaded(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / PUBLISHED}: ")


def test_file_may_refer_where_the_document_may_not(tmp_path: Path) -> None:
    """A name of the file keeps its references, also where the document has one of that name."""
    write(tmp_path, {"integrations": {"main": {"provider": "openai", "api_key": "env:X"}}},
          '[integrations.main]\nprovider = "openai"\napi_key = "env:X"\n')  # fmt: skip
    key = loaded(tmp_path).config.integrations["main"].api_key
    assert key is not None and key.reveal() == "x"


def test_secrets_of_the_document_are_sealed_for_their_place(tmp_path: Path) -> None:
    """Sealed text opens where it was sealed for; copied to another integration it is refused."""
    vault = Vault([bytes(32)])
    sealed = vault.seal("sk-sealed", "integrations:x:api_key")
    row = {"provider": "openai", "api_key": sealed}
    write(tmp_path, {"integrations": {"x": row}}, "")
    key = loaded(tmp_path, vault).config.integrations["x"].api_key
    assert key is not None and key.reveal() == "sk-sealed"
    write(tmp_path, {"integrations": {"y": row}}, "")
    with pytest.raises(ConfigError, match="integrations.y.api_key: expected a text sealed as integrations:y:api_key"):
        loaded(tmp_path, vault)


def test_start_leaves_out_a_document_that_does_not_hold(tmp_path: Path) -> None:
    """A gateway starts by its file alone, and the document's reason goes with it; a file that is wrong itself ends the start."""
    path = write(tmp_path, "{", f'[gateway]\nstate = "{tmp_path}"\n')
    document, vault = open_first(path, {})
    assert vault is None and "expected one JSON object" in document.refused and document.marks[1] is not None
    path = write(tmp_path, "{", f'[gateway]\nstate = "{tmp_path}"\nwrong = 1\n')
    with pytest.raises(ConfigError):
        open_first(path, {})
