"""Promises of the import from Portkey: configs keep their meaning, and credentials move into integrations."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from fastgw.cli import main
from fastgw.imports.portkey import import_portkey
from fastgw.imports.report import Report, Unreadable
from fastgw.imports.toml import write_toml
from fastgw.portkey.headers import Asked
from fastgw.portkey.plan import plan, read_saved
from fastgw.snapshot.config import Config
from fastgw.snapshot.hosts import HostRules
from tests.unit.imports.accepting import accepted

ENVIRON = {"OPENAI_PROD_API_KEY": "sk-1", "CLAUDE_API_KEY": "sk-2", "TEAM_KEY_API_KEY": "sk-3"}
FALLBACK = {
    "strategy": {"mode": "fallback", "on_status_codes": [429]},
    "retry": {"attempts": 2},
    "targets": [
        {"provider": "openai", "api_key": "sk-literal", "override_params": {"model": "gpt-4o"}},
        {"virtual_key": "openai-prod", "weight": 1},
        {"provider": "azure-openai", "api_key": "k", "azure_resource_name": "res", "azure_api_version": "2024-10-21", "nonsense": 1},
    ],
}


def imported(tmp_path: Path, value: object) -> tuple[Config, Report]:
    path = tmp_path / "my config.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    document, report = import_portkey(path)
    return accepted(write_toml(document), ENVIRON), report


def test_config_keeps_its_meaning(tmp_path: Path) -> None:
    """The saved config leads to the same targets in the same way, with the credentials in integrations."""
    config, report = imported(tmp_path, FALLBACK)
    assert list(config.configs) == ["my-config"] and "sk-literal" not in str(config.configs)
    saved = read_saved(config.configs)
    asked = Asked(config="my-config")
    routed = plan(asked, saved=saved, stored=config.integrations, hosts=HostRules(), environ=ENVIRON)
    assert routed.route.strategy == "fallback" and routed.route.on_status == (429,) and routed.integrations == {}
    assert [(target.integration, target.model) for target in routed.route.targets] == [
        ("openai", "gpt-4o"), ("openai-prod", None), ("azure-openai", None),
    ]  # fmt: skip
    assert {target.retry.attempts for target in routed.route.targets if target.retry} == {2}
    azure = config.integrations["azure-openai"]
    assert azure.api_version == "2024-10-21" and azure.azure is not None and azure.azure.resource == "res"
    fates = {entry.key: entry.fate for entry in report.entries}
    assert fates["targets[0].api_key"] == "changed" and fates["targets[2].nonsense"] == "left" and fates["strategy.mode"] == "taken"
    assert any("secret in plain text" in warning for warning in report.warnings) and "sk-literal" not in report.json()


def test_what_no_integration_takes_over_stays_in_the_config(tmp_path: Path) -> None:
    """Settings of the request go on saying what they say; a place and a credential are the integration's."""
    targets = [
        {"provider": "mistral-ai", "api_key": "env:TEAM_KEY_API_KEY", "mistral_fim_completion": "true"},
        {"provider": "openai", "api_key": "env:TEAM_KEY_API_KEY", "openai_organization": "org-1"},
        {"provider": "azure-openai", "azure_resource_name": "res", "azure_ad_token": "env:TEAM_KEY_API_KEY", "azure_deployment_id": "dep"},
    ]
    config, _ = imported(tmp_path, {"strategy": {"mode": "fallback"}, "targets": targets})
    saved = read_saved(config.configs)
    routed = plan(Asked(config="my-config"), saved=saved, stored=config.integrations, hosts=HostRules(), environ=ENVIRON)
    mistral, openai, azure = routed.leaves
    assert (mistral.settings, openai.fields) == ({"chat": "fim"}, (("openai-organization", "org-1"),))
    assert routed.route.targets[2].model == "dep"
    token = config.integrations[azure.integration].azure
    assert token is not None and token.token is not None and token.token.reveal() == "sk-3"


def test_slugs_become_integrations_to_complete(tmp_path: Path) -> None:
    """What only Portkey's vault knows gets the likeliest provider and a variable for its key, and that is said."""
    targets = [{"virtual_key": "openai-prod"}, {"provider": "@claude", "override_params": {"model": "claude-x"}},
               {"override_params": {"model": "@team-key/m"}}]  # fmt: skip
    config, report = imported(tmp_path, {"strategy": {"mode": "loadbalance"}, "targets": targets})
    providers = {name: one.provider for name, one in config.integrations.items()}
    assert providers == {"openai-prod": "openai", "claude": "anthropic", "team-key": "openai"}
    guess = "integration team-key: nothing says that its provider is openai, correct it if it is another; its key is TEAM_KEY_API_KEY"
    assert guess in report.warnings


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ({"id": "1", "name": "Mine", "slug": "pc-mine-1", "config": FALLBACK}, ["pc-mine-1"]),
        ({"name": "Mine", "config": json.dumps(FALLBACK)}, ["Mine"]),
        ({"data": [{"slug": "pc-a", "config": FALLBACK}, {"slug": "pc-b", "config": {"virtual_key": "claude"}}]}, ["pc-a", "pc-b"]),
        ([{"virtual_key": "claude"}, {"virtual_key": "claude"}], ["my-config-1", "my-config-2"]),
    ],
)
def test_every_form_of_an_export_is_read(tmp_path: Path, value: object, names: list[str]) -> None:
    """One config, an object of the API with its slug, and lists of either are read."""
    config, _ = imported(tmp_path, value)
    assert list(config.configs) == names


def test_null_is_kept(tmp_path: Path) -> None:
    """A config with null, which TOML has not, is kept as JSON text."""
    config, _ = imported(tmp_path, {"virtual_key": "claude", "override_params": {"stop": None}})
    stored = config.configs["my-config"]
    assert set(stored) == {"json"} and read_saved(config.configs)["my-config"].override_params == {"stop": None}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected JSON, found something else"),
        ("1", "expected a config of Portkey, a JSON object, found int"),
        ("{}", "expected a config of Portkey"),
        ('{"retry": {}}', "Invalid config passed; path: retry,attempts, message: Required"),
        ('{"config": "{"}', "expected JSON in the member config"),
    ],
)
def test_wrong_files_end_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    """A file that is no config is refused with one clear line, and nothing is written."""
    path, output = tmp_path / "c.json", tmp_path / "out.toml"
    path.write_text(text)
    with pytest.raises(Unreadable, match=message):
        import_portkey(path)
    result = CliRunner().invoke(main, ["import", "portkey", str(path), "--output", str(output)])
    assert (result.exit_code, result.output.count("\n")) == (1, 1) and not output.exists()


def test_command_output_passes_check(tmp_path: Path) -> None:
    """`fastgw check` takes what the import wrote, and refuses a saved config that names no integration."""
    path, output = tmp_path / "c.json", tmp_path / "out.toml"
    path.write_text(json.dumps(FALLBACK))
    environ: Mapping[str, str] = ENVIRON
    run = CliRunner(env=environ).invoke
    assert run(main, ["import", "portkey", str(path), "--name", "pc-1", "--output", str(output)]).exit_code == 0
    checked = run(main, ["check", str(output)])
    assert checked.exit_code == 0, checked.output
    output.write_text(output.read_text(encoding="utf-8").replace('virtual_key = "openai-prod"', 'virtual_key = "nowhere"'))
    refused = run(main, ["check", str(output)])
    assert refused.exit_code == 1 and "configs.pc-1: no integration is named 'nowhere'" in refused.output
