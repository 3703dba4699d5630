"""Tell whether the gateway would take an imported file: its form, its integrations, and that every leaf leads to one."""

import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, field

from fastgw.portkey.plan import check_saved
from fastgw.snapshot.config import Config, Name, Price, Tokens
from fastgw.snapshot.integrations import check_integration
from fastgw.snapshot.problem import Problems
from fastgw.snapshot.read import Reader
from fastgw.snapshot.routes import Branch, Route


class Model(Route, frozen=True):
    """A route with what a model states beside it."""

    price: Price | None = None
    context_tokens: Tokens | None = None
    max_output_tokens: Tokens | None = None


class Imported(Config, frozen=True):
    """The file, with models as routes."""

    models: Annotated[dict[Name, Model], Meta(description="by alias")] = field(default_factory=dict)  # type: ignore[assignment]  # wider


def accepted(text: str, environ: Mapping[str, str]) -> Imported:
    """The configuration that a text is; fails where anything in it would be refused."""
    problems = Problems()
    config = Reader(environ, problems).read(Imported, tomllib.loads(text, parse_float=Decimal), ())
    assert not problems.found, [str(problem) for _, problem in problems.found]
    assert isinstance(config, Imported)
    for name, integration in config.integrations.items():
        check_integration(("integrations", name), integration, problems)
    assert not problems.found, [str(problem) for _, problem in problems.found]
    for model in config.models.values():
        assert {leaf for leaf in leaves(model)} <= set(config.integrations)
    assert check_saved(config.configs, config.integrations, environ) == []
    return config


def leaves(branch: Branch) -> Iterator[str]:
    """The integrations of the leaves below a branch."""
    for target in branch.targets:
        if target.targets:
            assert target.integration is None and target.model is None
            yield from leaves(target)
        else:
            assert target.integration is not None and target.model is not None
            yield target.integration
