"""What a gateway starts with: the key of the installation, the file, and what is published beside it."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from msgspec import structs

from fastgw.snapshot.certificates import check_certificates
from fastgw.snapshot.config import Gateway
from fastgw.snapshot.load import ConfigError, Document, explain, load, marks_of
from fastgw.snapshot.problem import Problem
from fastgw.snapshot.published import published_path
from fastgw.snapshot.seal import SealError, Vault, open_vault


def open_first(config: Path, environ: Mapping[str, str], state: Path | None = None) -> tuple[Document, Vault | None]:
    """The first document and what opens its secrets; a published document that does not hold is left out, which the document says.

    state    instead of the file's own
    raises   ConfigError
    """
    stated, source = settings_of(config)
    directory = state or Path(stated)
    vault = vault_of(config, source, directory, environ)
    try:
        return whole(config, environ, directory, vault), vault
    except ConfigError as error:
        if not published_path(directory).exists():
            raise
        try:
            document = whole(config, environ, None, vault)
        except ConfigError:
            raise error from None
        return structs.replace(document, marks=marks_of(config, directory), refused=explain(error.problems)), vault


def open_alone(config: Path, environ: Mapping[str, str]) -> Document:
    """The file by itself, with what opens its secrets; nothing is made. raises ConfigError"""
    stated, source = settings_of(config)
    return whole(config, environ, None, vault_of(config, source, Path(stated), environ, makes=False))


def whole(config: Path, environ: Mapping[str, str], state: Path | None, vault: Vault | None) -> Document:
    """The document, with every file that it names. raises ConfigError"""
    document = load(config, environ, state=state, vault=vault)
    check_certificates(document.config, document.path)
    return document


def vault_of(config: Path, source: str | None, state: Path, environ: Mapping[str, str], *, makes: bool = True) -> Vault | None:
    """raises  ConfigError"""
    try:
        return open_vault(source, state, environ, makes=makes)
    except SealError as error:
        raise ConfigError([Problem("gateway.secrets_key", error.expected, error.found, path=str(config))]) from None


def settings_of(config: Path) -> tuple[str, str | None]:
    """The state directory and the source of the key that a file states; what is wrong with it is for `load` to say."""
    gateway: object = None
    try:
        gateway = tomllib.loads(config.read_text("utf-8")).get("gateway")
    except (OSError, ValueError, RecursionError):
        return Gateway().state, None
    stated = gateway if isinstance(gateway, dict) else {}
    state, source = stated.get("state"), stated.get("secrets_key")
    return state if isinstance(state, str) else Gateway().state, source if isinstance(source, str) else None
