"""Commands that work on the store of a gateway, whether it runs or is stopped: key, user, integration, token; and demo."""

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import NamedTuple

import click


class Place(NamedTuple):
    """Which store a command works on."""

    config: Path | None
    state: Path | None

    def ask(
        self, method: str, path: str, body: dict[str, object] | None = None, query: dict[str, str] | None = None
    ) -> dict[str, object]:
        """Carry out one operation of the admin API on the store."""
        from fastgw.control.command import CommandRefused, administer, find_store

        try:
            return administer(find_store(self.config, self.state), method, path, body, query)
        except CommandRefused as error:
            raise click.ClickException(str(error)) from error

    def has_store(self) -> bool:
        from fastgw.control.command import CommandRefused, find_store

        try:
            return find_store(self.config, self.state) is not None
        except CommandRefused as error:
            raise click.ClickException(str(error)) from error


def rows_in(page: dict[str, object]) -> list[dict[str, object]]:
    """What a page lists."""
    data = page["data"]
    assert isinstance(data, list)  # of a list
    return data


def store_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of every command that works on the store."""

    @click.option("--config", type=click.Path(path_type=Path), help="The configuration file; default: fastgw.toml where it exists.")
    @click.option("--state", type=click.Path(path_type=Path), help="The state directory; default: that of the file, else .fastgw.")
    @wraps(command)
    def run(config: Path | None, state: Path | None, **options: object) -> None:
        command(Place(config, state), **options)

    return run


def secret_from(is_stdin: bool, variable: str | None, prompt: str) -> str:
    """A secret that never stands on a command line."""
    if is_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if variable is not None:
        from os import environ

        if not environ.get(variable):
            raise click.UsageError(f"the variable {variable} is not set")
        return environ[variable]
    return str(click.prompt(prompt, hide_input=True, err=True))


@click.group()
def key() -> None:
    """Virtual keys, in the store of a gateway that runs or is stopped."""


@key.command()
@click.argument("name")
@click.option("--workspace", default="default", show_default=True, help="The workspace it belongs to.")
@click.option("--budget", type=click.FloatRange(0), help="Dollars that it may spend.")
@click.option("--window", default="total", show_default=True, help="For how long the budget is: total, day, week, month or Nd.")
@click.option("--file", "is_for_file", is_flag=True, help="Print lines for the configuration file, and leave the store alone.")
@store_options
def create(place: Place, name: str, workspace: str, budget: float | None, window: str, is_for_file: bool) -> None:
    """Make a key called NAME and print it, once.

    It is kept in the gateway's store and counts within a second. Where there is no store yet, or with --file, nothing is kept: its
    lines for the configuration file are printed too.
    """
    if is_for_file or not place.has_store():
        print_for_file(name, workspace)
        return
    limits = {} if budget is None else {"budgets": [{"usd": budget, "window": window}]}
    click.echo(place.ask("POST", "/keys", {"name": name, "workspace": workspace, **limits})["key"])
    click.echo("This is the key; what is kept of it is its hash.", err=True)


def print_for_file(name: str, workspace: str) -> None:
    import re

    from fastgw.auth.keys import hash_of, make_key
    from fastgw.snapshot.config import NAME_PATTERN

    for value in (name, workspace):
        if not re.fullmatch(NAME_PATTERN, value):
            raise click.UsageError(f"expected a name of 1 to 64 letters, digits and . _ : / -, got {value!r}")
    secret = make_key()
    click.echo(f"{secret}\n", nl=True)
    click.echo("This is the key; it is not kept anywhere. In the configuration file put its hash:\n", err=True)
    click.echo(f'[[keys]]\nname = "{name}"\nhash = "{hash_of(secret)}"\nworkspace = "{workspace}"')


@key.command("list")
@click.option("--workspace", help="Only of this workspace.")
@store_options
def list_keys(place: Place, workspace: str | None) -> None:
    """List keys: name, workspace, state, end of the key."""
    query = {"limit": "500", **({"workspace": workspace} if workspace else {})}
    page = place.ask("GET", "/keys", query=query)
    for row in rows_in(page):
        click.echo(f"{row['name']:<32} {row['workspace']:<20} {row['status']:<10} {row['masked']}")
    if page["next"]:
        click.echo("there are more: GET /api/v1/keys lists all", err=True)


@key.command()
@click.argument("name")
@click.option("--workspace", help="Its workspace, where several have a key of that name.")
@store_options
def revoke(place: Place, name: str, workspace: str | None) -> None:
    """Revoke the key called NAME (or with that id); it cannot be undone."""
    place.ask("DELETE", f"/keys/{name}", query={"workspace": workspace} if workspace else {})


@key.command()
@click.argument("name")
@click.option("--workspace", help="Its workspace, where several have a key of that name.")
@click.option("--overlap-hours", default=24, show_default=True, type=click.IntRange(0, 2160), help="Hours that the old one stays valid.")
@store_options
def rotate(place: Place, name: str, workspace: str | None, overlap_hours: int) -> None:
    """Make another key in the place of NAME and print it, once."""
    query = {"workspace": workspace} if workspace else {}
    click.echo(place.ask("POST", f"/keys/{name}/rotate", {"overlap_hours": overlap_hours}, query)["key"])


@click.group()
def user() -> None:
    """People who may sign in to the console."""


@user.command("create")
@click.argument("email")
@click.option("--name", default="", help="The name for people.")
@click.option("--role", default="member", show_default=True, type=click.Choice(["owner", "admin", "member"]), help="In the organisation.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the standard input; else one is made and printed.")
@store_options
def create_user(place: Place, email: str, name: str, role: str, password_stdin: bool) -> None:
    """Let EMAIL sign in, with a password that is printed once."""
    password = secret_from(True, None, "") if password_stdin else made_password()
    place.ask("POST", "/users", {"email": email, "name": name, "role": role, "password": password})
    if not password_stdin:
        click.echo(password)


@user.command("reset-password")
@click.argument("email")
@click.option("--password-stdin", is_flag=True, help="Read the password from the standard input; else one is made and printed.")
@store_options
def reset_password(place: Place, email: str, password_stdin: bool) -> None:
    """Give EMAIL another password; whoever is signed in by the old one is signed out."""
    password = secret_from(True, None, "") if password_stdin else made_password()
    place.ask("PATCH", f"/users/{email}", {"password": password})
    if not password_stdin:
        click.echo(password)


def made_password() -> str:
    from secrets import token_urlsafe

    return token_urlsafe(15)


@user.command("list")
@store_options
def list_users(place: Place) -> None:
    """List users: e-mail address, role, state."""
    for row in rows_in(place.ask("GET", "/users", query={"limit": "500"})):
        click.echo(f"{row['email']:<40} {row['role']:<8} {row['status']}")


@click.group()
def integration() -> None:
    """Providers with their keys."""


@integration.command("add")
@click.argument("name")
@click.option("--provider", required=True, help="The provider, as fastgw providers lists them.")
@click.option("--api-key-stdin", is_flag=True, help="Read the provider's key from the standard input; else it is asked for.")
@click.option("--api-key-env", metavar="VARIABLE", help="Take the provider's key from a variable of the environment.")
@click.option("--no-api-key", is_flag=True, help="It needs none.")
@click.option("--base-url", help="Where it is, instead of the provider's own address.")
@click.option("--share", multiple=True, metavar="WORKSPACE", help="A workspace that may use it.")
@click.option("--all", "to_all", is_flag=True, help="All workspaces may use it.")
@store_options
def add_integration(
    place: Place, name: str, provider: str, api_key_stdin: bool, api_key_env: str | None, no_api_key: bool, base_url: str | None,
    share: tuple[str, ...], to_all: bool,
) -> None:
    """Keep a provider's key, sealed, under NAME."""
    body: dict[str, object] = {"slug": name, "provider": provider, "share_with": "all" if to_all else list(share)}
    if base_url is not None:
        body["base_url"] = base_url
    if not no_api_key:
        body["api_key"] = secret_from(api_key_stdin, api_key_env, f"API key of {provider}")
    row = place.ask("POST", "/integrations", body)
    click.echo(f"integration {row['slug']} of {row['provider']}" + (f" with the key {row['masked_key']}" if row["masked_key"] else ""))
    if not to_all and not share:
        click.echo("no workspace may use it yet: name some with --share, or say --all", err=True)


@click.group()
def token() -> None:
    """Tokens for scripts that call the admin API."""


@token.command("create")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, help="What it may do, such as workspaces.read; several may be given.")
@click.option("--all-scopes", is_flag=True, help="Everything.")
@click.option("--workspace", help="Only there; by default in the whole organisation.")
@store_options
def create_token(place: Place, name: str, scopes: tuple[str, ...], all_scopes: bool, workspace: str | None) -> None:
    """Make an API token called NAME and print it, once."""
    from fastgw.control.access.roles import ORGANISATION_ONLY, SCOPES

    if all_scopes == bool(scopes):
        raise click.UsageError("expected --scope, once or more, or --all-scopes")
    everything = SCOPES if workspace is None else SCOPES - ORGANISATION_ONLY
    body: dict[str, object] = {"name": name, "scopes": sorted(everything) if all_scopes else list(scopes)}
    click.echo(place.ask("POST", "/tokens", body | ({"workspace": workspace} if workspace else {}))["token"])


@click.group()
def demo() -> None:
    """What a gateway that serves a demo can show."""


@demo.command()
@click.option("--requests", default=50, show_default=True, type=click.IntRange(1, 500), help="How many.")
@store_options
def traffic(place: Place, requests: int) -> None:
    """Have the demo that runs send varied requests through itself, so that the console has something to show."""
    from fastgw.control.command import CommandRefused, find_store, send_traffic

    try:
        send_traffic(find_store(place.config, place.state), requests)
    except CommandRefused as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{requests} requests are on their way")


GROUPS = (key, user, integration, token, demo)
