"""The options of `fastgw bench`, in the groups that its help shows, and the plan that they make."""
from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import click

FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)")
POSITIVE = click.FloatRange(0, min_open=True)


def read_fields(context: click.Context, parameter: click.Parameter, lines: tuple[str, ...]) -> dict[str, str]:
    """Take "Name: value" apart."""
    found = {}
    for line in lines:
        match = FIELD.fullmatch(line)
        if match is None:
            raise click.BadParameter(f"expected 'Name: value' in printable ASCII, got {line!r}")
        if match[1].lower() in ("content-length", "transfer-encoding", "connection"):
            raise click.BadParameter(f"{match[1]} is the bench's own")
        found[match[1]] = match[2]
    return found


FILE = click.Path(path_type=Path)
option = click.option
OPTIONS = (
    click.argument("url"),
    # whom
    option("--direct", metavar="URL", help="The provider (or mock) behind the gateway: shows what the gateway adds."),
    option("--dialect", default="openai", show_default=True, type=click.Choice(["openai", "anthropic"]), help="What all URLs speak."),
    option("--embeddings", "is_embeddings", is_flag=True, help="Ask for embeddings instead of chats."),
    option("--model", help="The model to ask for; default: a well-known one of the dialect."),
    option("--key", default="", help="API key for URL; better in FASTGW_BENCH_KEY, since `ps` shows options."),
    option("--direct-key", default="", help="API key for --direct."),
    option("--header", "fields", metavar="'NAME: VALUE'", multiple=True, callback=read_fields, help="A header for URL; may be repeated."),
    option("--governed", metavar="URL", help="The same gateway with keys, budgets, limits and logs on: a second lane beside the bare one."),
    option("--governed-key", help="API key of the governed lane; default: --key."),
    option("--governed-header", "governed_fields", metavar="'NAME: VALUE'", multiple=True, callback=read_fields,
                 help="A header of the governed lane only."),
    option("--ca", type=click.Path(path_type=Path), help="Certificates to trust for https (PEM)."),
    # what
    option("--seconds", default=5.0, show_default=True, type=POSITIVE, help="Length of one window of load."),
    option("--windows", default=4, show_default=True, type=click.IntRange(1, 100), help="Windows for each lane, in turn."),
    option("--connections", default=32, show_default=True, type=click.IntRange(1, 20_000), help="Keep-alive connections."),
    option("--rate", default=0.0, type=click.FloatRange(0), help="Also an open loop: so many requests a second, whatever the replies do."),
    option("--poisson", "is_poisson", is_flag=True, help="With --rate: at random times instead of even ones."),
    option("--rounds", default=31, show_default=True, type=click.IntRange(7, 10_000), help="Rounds of the paired run."),
    option("--block", default=500, show_default=True, type=click.IntRange(1, 100_000), help="Requests in a block of the paired run."),
    option("--body-bytes", default=0, type=click.IntRange(0, 16 << 20), help="Size of a request's body; default: a short one."),
    option("--tokens", default=64, show_default=True, type=click.IntRange(1), help="max_tokens to ask for."),
    option("--unique", "is_unique", is_flag=True, help="No two requests alike, so that no cache answers; replies are not compared then."),
    option("--timeout", "timeout_s", default=30.0, show_default=True, type=POSITIVE, help="Seconds after which a reply is missing."),
    # more measurements
    option("--pid", "pids", multiple=True, type=click.IntRange(1), help="Process of the gateway, with descendants: shows CPU and memory."),
    option("--governed-pid", "governed_pids", multiple=True, type=click.IntRange(1), help="The same of the governed lane; default: --pid."),
    option("--cgroup", type=FILE, help="Control group (v2 directory) of the gateway, instead of --pid."),
    option("--stream", "is_stream", is_flag=True, help="Also streams: time to first content, gaps, CPU per chunk."),
    option("--frontier", "has_frontier", is_flag=True, help="Also the most requests/s with p99 under 1, 5 and 10 ms."),
    option("--payloads", "has_payloads", is_flag=True, help="Also what a KiB of body costs."),
    option("--in-flight", "has_in_flight", is_flag=True, help="Also many requests at once to a slow provider (fastgw mock --latency 20)."),
    # output
    option("--json", "json_path", type=FILE, help="Write the report as JSON; - is standard output, without the tables."),
    option("--html", "html_path", type=FILE, help="Write the report as one HTML page with charts."),
    option("--png", "png_path", type=FILE, metavar="DIRECTORY", help="Write each chart as PNG (needs the extra `bench`)."),
    option("--quiet", "is_quiet", is_flag=True, help="Do not say how far it has come."),
)


def bench_options(command: Callable[..., None]) -> Callable[..., None]:
    """All of them, in this order."""
    for decorate in reversed(OPTIONS):
        command = decorate(command)
    return command
