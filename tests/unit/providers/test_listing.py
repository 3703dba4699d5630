"""Promises of `fastgw providers`: it lists every row, shows one whole, and guesses what an unknown name meant."""

import json

import pytest
from click.testing import CliRunner

from fastgw.cli import main
from fastgw.providers.listing import as_object, credential_of, row_lines
from fastgw.providers.table import PROVIDERS, ROWS, Provider


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["providers", *words])
    return result.exit_code, result.output


def test_every_provider_is_listed() -> None:
    """The list has a line for each, with its name first and its operations last."""
    status, output = run()
    lines = output.splitlines()
    assert status == 0 and [line.split()[0] for line in lines] == ["NAME", *PROVIDERS]
    assert lines[1].endswith("models moderations responses speech transcriptions translations")
    assert any(line.startswith("qdrant") and line.endswith("(passes only)") for line in lines)


def test_one_provider_is_shown_whole() -> None:
    """By its name or an alias, a provider is shown with its settings, paths and models that are asked otherwise."""
    status, output = run("google_vertex")
    assert status == 0 and output.startswith("vertex-ai: Google Vertex AI\n")
    for text in ("google.project", ":streamGenerateContent?alt=sse", "^claude (anthropic): messages", "service account"):
        assert text in output


def test_programs_get_an_object_a_line() -> None:
    """The same as JSON holds every row, and one where one is named."""
    status, output = run("--json")
    assert status == 0 and [json.loads(line)["name"] for line in output.splitlines()] == list(PROVIDERS)
    (line,) = run("deepseek", "--json")[1].splitlines()
    found = json.loads(line)
    assert found["paths"] == {"messages": "/anthropic/v1/messages"}
    assert "no_logit_bias" in found["quirks"]["chat"] and "thinking_type" in found["quirks"]["chat"]


def test_unknown_name_is_guessed() -> None:
    """A name that is none ends with status 2 and the nearest one."""
    status, output = run("mistrl")
    assert status == 2 and "did you mean mistral?" in output
    assert run("zzzzzz")[0] == 2


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row_can_be_shown(row: Provider) -> None:
    """Every row has its lines, its object and its credential in words."""
    assert next(row_lines(row)) == f"{row.name}: {row.title}"
    assert json.loads(json.dumps(as_object(row)))["name"] == row.name
    assert "KEY" in credential_of(row) or row.auth == "ibm"
