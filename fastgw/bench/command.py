"""Carry out `fastgw bench`: check what can be checked before anything runs, measure, write what was asked for."""
from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click
import msgspec

from fastgw.bench.figures import CannotMeasure, Report
from fastgw.bench.measurements import run
from fastgw.bench.page import page
from fastgw.bench.pictures import MISSING, can_draw, write_pictures
from fastgw.bench.plan import Plan
from fastgw.bench.progress import Progress
from fastgw.bench.terminal import report_lines

STANDARD_OUTPUT = Path("-")
SECRETS = ("--key", "--direct-key", "--governed-key", "--header", "--governed-header")


def run_command(
    *, json_path: Path | None = None, html_path: Path | None = None, png_path: Path | None = None, is_quiet: bool = False, **options: object
) -> int:
    """Return the exit status: 0 with every figure sound, 1 with one that is void or with none at all."""
    plan = Plan(**options)  # type: ignore[arg-type]  # click's own checks
    if wrong := contradiction(plan):
        raise click.UsageError(wrong)
    try:
        for path in (json_path, html_path):
            if path is not None and path != STANDARD_OUTPUT:
                check_writable(path)
        if is_without_pictures := png_path is not None and not can_draw():
            # Before the load, so that whoever wants them can stop it, and again after all that it printed.
            click.echo(f"fastgw bench: {MISSING}", err=True)
            png_path = None
        report = run(plan, Progress(sys.stderr, is_quiet=is_quiet), spoken(sys.argv))
        write(report, json_path, html_path, png_path)
    except CannotMeasure as error:
        click.echo(f"fastgw bench: {error}", err=True)
        return 1
    except KeyboardInterrupt:
        click.echo("\nfastgw bench: stopped; nothing was measured to its end", err=True)
        return 130
    if is_without_pictures:
        click.echo(f"fastgw bench: {MISSING}", err=True)
    return 1 if report.void() or is_without_pictures else 0


def spoken(words: list[str]) -> str:
    """The command as it was given, without its keys: a report is shown to others."""
    kept = list(words)
    for place, word in enumerate(words):
        name, has_value, _ = word.partition("=")
        if name.startswith(SECRETS):
            if has_value:
                kept[place] = f"{name}=..."
            elif place + 1 < len(words):
                kept[place + 1] = "..."
    return shlex.join(["fastgw", *kept[1:]])


def contradiction(plan: Plan) -> str:
    """What the options say that cannot be together; empty where they can."""
    if plan.is_poisson and not plan.rate:
        return "--poisson needs --rate"
    if plan.is_embeddings and plan.dialect != "openai":
        return "--embeddings is of the openai dialect"
    if plan.is_embeddings and plan.is_stream:
        return "embeddings do not stream: leave out --stream, or leave out --embeddings"
    if plan.cgroup is not None and plan.pids:
        return "name the gateway's processes by --pid or by --cgroup, not by both"
    if plan.governed_pids and not (plan.governed or plan.governed_key or plan.governed_fields):
        return "--governed-pid needs a governed lane: --governed, --governed-key or --governed-header"
    return ""


def check_writable(path: Path) -> None:
    """Better now than after ten minutes of load."""
    if path.is_dir() or not path.resolve().parent.is_dir():
        raise CannotMeasure(f"cannot write {path}: expected a file in a directory that is there")
    try:
        path.open("a").close()
    except OSError as error:
        raise CannotMeasure(f"cannot write {path}: {error.strerror}") from None


def write(report: Report, json_path: Path | None, html_path: Path | None, png_path: Path | None) -> None:
    if json_path == STANDARD_OUTPUT:
        click.echo(msgspec.json.format(msgspec.json.encode(report)).decode())
    else:
        for line in report_lines(report):
            click.echo(line)
        if json_path is not None:
            json_path.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    if html_path is not None:
        html_path.write_text(page(report), encoding="utf-8")
    if png_path is not None:
        for path in write_pictures(report, png_path):
            click.echo(f"wrote {path}", err=True)
