"""What the gateway takes an imported file for; fails where it would refuse anything in it."""

from collections.abc import Mapping

from fastgw.portkey.plan import check_saved
from fastgw.snapshot.config import Config
from fastgw.snapshot.load import parse


def accepted(text: str, environ: Mapping[str, str]) -> Config:
    """The configuration that a text is."""
    config = parse(text, environ).config
    assert check_saved(config.configs, config.integrations, environ) == []
    return config
