"""The command line but for what works on the store. Each command parses its options and makes one call."""

import sys
from collections.abc import Callable
from pathlib import Path

import click

from fastgw import __version__
from fastgw.bench.options import bench_options
from fastgw.commands import GROUPS

LISTEN = "HOST:PORT to listen on"
PREFIXED = {"auto_envvar_prefix": "FASTGW", "help_option_names": ["-h", "--help"]}


@click.group(context_settings=PREFIXED)
@click.version_option(__version__, prog_name="fastgw")
def main() -> None:
    """An AI gateway: point your OpenAI, Anthropic or Gemini client at it.

    \b
    Try it:        fastgw serve --demo
    For real:      fastgw key create app-1        (prints a key and its lines for the file)
                   fastgw check fastgw.toml
                   fastgw serve --config fastgw.toml

    Every option has a variable of the environment too, such as FASTGW_SERVE_LISTEN or FASTGW_LOGS_STATE.
    Exit status: 0 all went well, 1 it could not be done, 2 the command line or the configuration is wrong.
    """


@main.command()
@click.option(
    "--config", type=click.Path(path_type=Path), help="Configuration file (TOML); default: fastgw.toml where it exists."
)
@click.option("--listen", help=f"{LISTEN}; port 0 takes a free one.")
@click.option("--workers", type=click.IntRange(0, 64), help="Data-plane processes; 0: one for each core.")
@click.option("--state", type=click.Path(path_type=Path), help="Directory of the ledger, the records and the rings.")
@click.option("--control/--no-control", default=None, help="With the control plane or without; default: as [control] says.")
@click.option("--demo", is_flag=True, help="Serve a mock provider with a key that is printed: nothing else is needed.")
@click.option("--edge", is_flag=True, help="One process: the worker drains its records itself, and there is no supervisor.")
@click.option(
    "--server", type=click.Choice(["lane", "granian"]), default="lane", show_default=True,
    help="What callers speak to: the lane (HTTP/1.1), or Granian (HTTP/1.1 and 2).",
)
@click.option("--granian", multiple=True, metavar="NAME=VALUE", help="An option for Granian, as in docs/asgi.md; may be repeated.")
def serve(config: Path | None, demo: bool, **options: object) -> None:
    """Run the gateway until it is stopped.

    SIGTERM or Ctrl-C lets requests end and stops; a second one cuts them off. SIGHUP reads the configuration
    again, as does a change of its file.
    """
    from fastgw.launch import Options, launch

    if demo and config:
        raise click.UsageError("--demo makes a configuration of its own; leave out --config, or leave out --demo")
    if config is None and not demo:
        config = Path("fastgw.toml")
        if not config.exists():
            raise click.UsageError("no fastgw.toml here: name a file with --config, or try --demo")
    sys.exit(launch(config, Options(**options)))  # type: ignore[arg-type]  # click's own checks


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Say whether a configuration FILE holds, and if not, what is wrong and where.

    Variables of the environment and files that it names are looked up too. Exit status: 0 it holds, 1 it does not.
    """
    import os

    from fastgw.portkey.plan import check_saved
    from fastgw.snapshot.load import ConfigError, explain
    from fastgw.snapshot.opening import open_alone

    try:
        document = open_alone(file, os.environ)
    except ConfigError as error:
        click.echo(explain(error.problems), err=True)
        sys.exit(1)
    config = document.config
    if wrong := check_saved(config.configs, config.integrations, os.environ):
        click.echo("\n".join(f"{file}: {line}" for line in wrong), err=True)
        sys.exit(1)
    sizes = {
        "integration": len(config.integrations),
        "model": len(config.models),
        "workspace": len(config.workspaces),
        "key": len(config.keys),
    }
    click.echo(
        f"{file} holds: " + ", ".join(f"{size} {noun}{'' if size == 1 else 's'}" for noun, size in sizes.items())
    )


@main.command()
@click.option("--listen", default="127.0.0.1:9001", show_default=True, help=f"{LISTEN}; port 0 takes a free one.")
@click.option("--latency", default=0.0, type=click.FloatRange(0), help="Milliseconds before a reply begins.")
@click.option(
    "--ttft", default=0.0, type=click.FloatRange(0), help="Milliseconds from the head of a stream to its first event."
)
@click.option("--gap", default=0.0, type=click.FloatRange(0), help="Milliseconds between the events of a stream.")
@click.option("--error-rate", default=0.0, type=click.FloatRange(0, 1), help="Share of requests that fail.")
@click.option(
    "--error-status", type=click.IntRange(400, 599), help="Status of those; default: 500, 429 and 529 in turn."
)
@click.option(
    "--tokens",
    default=10,
    show_default=True,
    type=click.IntRange(1),
    help="Output tokens of a reply, unless the request asks for fewer.",
)
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes.")
def mock(
    listen: str,
    latency: float,
    ttft: float,
    gap: float,
    error_rate: float,
    error_status: int | None,
    tokens: int,
    workers: int,
) -> None:
    """Run a provider that answers from memory, in the OpenAI, Anthropic and Gemini dialects."""
    from fastgw.mock import MockOptions
    from fastgw.mock import serve as serve_mock

    sys.exit(
        serve_mock(
            MockOptions(
                listen=listen,
                latency_ms=latency,
                ttft_ms=ttft,
                gap_ms=gap,
                error_rate=error_rate,
                error_status=error_status,
                tokens=tokens,
                workers=workers,
            )
        )
    )


@main.command()
@bench_options
def bench(**options: object) -> None:
    """Measure the gateway at URL: latency, rate and cost, and whether the figures may be believed.

    \b
    For a start:   fastgw mock &
                   fastgw bench http://127.0.0.1:9001
    A gateway:     fastgw bench http://127.0.0.1:8787 --direct http://127.0.0.1:9001 --pid 4711
    At a rate:     fastgw bench ... --rate 4200 --html report.html

    URL is any that speaks the OpenAI or the Anthropic dialect: http://HOST:PORT, with or without a path. It gets
    some 100,000 requests at full speed, so point the gateway at a mock: a provider would send a bill.

    A figure that may not be believed (failed requests, a busy or swapping machine, a limit of the bench itself) is not
    printed; the reason is. Exit status: 0 all figures are sound, 1 one of them is void or nothing could be measured,
    2 the command line is wrong.
    """
    from fastgw.bench.command import run_command

    sys.exit(run_command(**options))  # type: ignore[arg-type]  # click's own checks


@main.command()
@click.option(
    "--state",
    default=".fastgw",
    show_default=True,
    type=click.Path(path_type=Path),
    help="State directory of the gateway.",
)
@click.option("--key", help="Only of this key (its name).")
@click.option("--workspace", help="Only of this workspace.")
@click.option("--model", help="Only of this model, as callers name it.")
@click.option("--user", help="Only of this user, as `_user` of the metadata names it.")
@click.option("--trace", help="Only of this trace id.")
@click.option("--text", help="Only with this in a name or an id, or with these words in what was recorded.")
@click.option("--status", help="Only of this status, such as 429, or class, such as 4xx.")
@click.option(
    "--outcome", type=click.Choice(["served", "refused", "failed", "cancelled", "lost"]), help="Only with this end."
)
@click.option("--since", help="Only after this: 15m, 2h, 3d, or a time such as 2026-11-23T10:00:00Z.")
@click.option("-n", "--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="At most so many.")
@click.option("-f", "--follow", is_flag=True, help="Go on with new ones as they come.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def logs(state: Path, as_json: bool, follow: bool, status: str | None, since: str | None, **wanted: str | int | None) -> None:
    """List the records of exchanges, the latest last."""
    from fastgw.record.terminal import WrongFilter, show

    try:
        for line in show(state / "logs.db", follow=follow, as_json=as_json, status=status, since=since, **wanted):
            click.echo(line)
    except WrongFilter as error:
        raise click.UsageError(str(error)) from error
    except (OSError, RuntimeError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        return


@main.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def providers(name: str | None, as_json: bool) -> None:
    """List the providers, or show everything about the one called NAME."""
    import json

    from fastgw.providers.listing import as_object, list_lines, row_lines
    from fastgw.providers.table import ALIASES, PROVIDERS, ROWS, find_provider
    from fastgw.snapshot.names import nearest

    row = None if name is None else find_provider(name)
    if name is not None and row is None:
        meant = nearest(name, (*PROVIDERS, *ALIASES))
        raise click.UsageError(f"no provider {name!r}" + (f"; did you mean {meant}?" if meant else ""))
    rows = ROWS if row is None else (row,)
    if as_json:
        for one in rows:
            click.echo(json.dumps(as_object(one), ensure_ascii=False))
        return
    for line in list_lines() if row is None else row_lines(row):
        click.echo(line)


@main.command()
@click.argument("words", nargs=-1)
@click.option("--provider", help="Only of this provider.")
@click.option("--modality", type=click.Choice(["text", "image", "audio", "video", "pdf"]), help="Only those that take or give this.")
@click.option("--tools", is_flag=True, help="Only those that call tools.")
@click.option("--reasoning", is_flag=True, help="Only those that reason.")
@click.option("--min-context", default=0, type=click.IntRange(0), help="Only those that take so many tokens.")
@click.option("--max-price", type=click.FloatRange(0), help="At most so many dollars per million tokens, in and out.")
@click.option("--sort", "order", default="name", show_default=True, type=click.Choice(["price", "context", "name"]), help="Order.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--conflicts", is_flag=True, help="The prices on which the sources differ, instead of models.")
@click.option("--config", type=click.Path(path_type=Path), help="Only what this configuration serves, with its aliases and integrations.")
def models(words: tuple[str, ...], **options: object) -> None:
    """Search the models that are known, by WORDS of their names: all of them must fit.

    Prices are dollars per million tokens of short requests; ? is unknown. Exit status 1 where nothing is found.
    """
    from fastgw.snapshot.load import ConfigError, explain
    from fastgw.snapshot.terminal import NotFound, WrongFilter, show

    try:
        for line in show(words, **options):  # type: ignore[arg-type]  # click's own checks
            click.echo(line)
    except ConfigError as error:
        click.echo(explain(error.problems), err=True)
        sys.exit(2)
    except WrongFilter as error:
        raise click.UsageError(str(error)) from error
    except (NotFound, FileNotFoundError) as error:
        raise click.ClickException(str(error)) from error


@main.group("import")
def imports() -> None:
    """Turn the configuration of another gateway into a file for this one.

    Prints what became of each key: taken, changed (and how), or not supported (and why).
    """


def import_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that every import has."""
    for option in (
        click.argument("file", type=click.Path(path_type=Path)),
        click.option("--output", default="fastgw.toml", show_default=True, type=click.Path(path_type=Path), help="The file to write."),
        click.option("--force", is_flag=True, help="Write over a file that is there."),
        click.option("--json", "as_json", is_flag=True, help="Print the report as JSON."),
    ):
        command = option(command)
    return command


@imports.command()
@import_options
def litellm(file: Path, output: Path, force: bool, as_json: bool) -> None:
    """Import a config.yaml of LiteLLM, with the files that it includes.

    References to the environment stay references where they are secrets; addresses and numbers are looked up now.
    """
    import os

    from fastgw.imports.litellm import import_litellm
    from fastgw.imports.write import finish

    finish(lambda: import_litellm(file, os.environ), file, output, force=force, as_json=as_json)


@imports.command()
@import_options
@click.option("--name", default="", help="Name of the config where FILE says none; default: that of the file.")
def portkey(file: Path, output: Path, force: bool, as_json: bool, name: str) -> None:
    """Import config JSON of Portkey: one config, or what its console or API exported."""
    from fastgw.imports.portkey import import_portkey
    from fastgw.imports.write import finish

    finish(lambda: import_portkey(file, name), file, output, force=force, as_json=as_json)


@main.group()
def secrets() -> None:
    """The key of this installation, which seals the secrets in the store."""


@secrets.command()
@click.option("--config", default="fastgw.toml", show_default=True, type=click.Path(path_type=Path), help="Configuration file (TOML).")
@click.option("--state", type=click.Path(path_type=Path), help="State directory; default: the file's.")
@click.option("--drop", is_flag=True, help="Make no further key, but take out those before the first, once nothing is sealed with them.")
def rotate(config: Path, state: Path | None, drop: bool) -> None:
    """Put a further key in front of the key file, and seal everything in the store with it; later --drop the ones before.

    The gateway may run meanwhile. Give the file to the store's other machines before you use --drop.
    """
    import os

    from fastgw.control.rekeying import CannotRotate, rotate_key

    try:
        for line in rotate_key(config, os.environ, state, drops=drop):
            click.echo(line)
    except CannotRotate as error:
        raise click.ClickException(str(error)) from error


for group in GROUPS:
    main.add_command(group)
