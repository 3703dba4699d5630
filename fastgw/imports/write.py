"""Write the imported file and say what became of everything in the one it came from."""

import os
from collections.abc import Callable
from pathlib import Path

import click

from fastgw.imports.report import Report
from fastgw.imports.toml import write_toml

OWNER_ONLY = 0o600  # a secret in plain text stays one


def finish(read: Callable[[], tuple[dict[str, object], Report]], file: Path, output: Path, *, force: bool, as_json: bool) -> None:
    """Read, write, and print the report; warnings go to the error stream.

    raises  ClickException where the file is not what it should be or cannot be written
    """
    if output.exists() and not force:
        raise click.ClickException(f"{output} exists: name another file with --output, or write over it with --force")
    try:
        document, report = read()
        text = f"# Imported from {file.name} by fastgw import.\n\n{write_toml(document)}"
        write_private(output, text)
    except ValueError as error:  # Unreadable, or a text that is not Unicode
        raise click.ClickException(" ".join(str(error).split())) from None
    except OSError as error:
        raise click.ClickException(f"{output}: it cannot be written: {error.strerror}") from None
    if as_json:
        click.echo(report.json())
    else:
        for line in report.table():
            click.echo(line)
        click.echo(f"wrote {output}; see whether it holds with: fastgw check {output}")
    for warning in report.warnings:
        click.echo(f"warning: {warning}", err=True)
    for entry in report.entries:
        if entry.fate == "left":
            click.echo(f"warning: {entry.key} is not supported: {entry.note}", err=True)


def write_private(output: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    draft = output.with_name(f".{output.name}.draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        draft.replace(output)
    finally:
        draft.unlink(missing_ok=True)
