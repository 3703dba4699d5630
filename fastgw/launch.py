"""Start the gateway from the command line: read the configuration, apply the options, say where it listens."""
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TextIO

import msgspec

from fastgw.auth.keys import hash_of, make_key
from fastgw.control.demo import Demo, demo_lines
from fastgw.place import CannotServe, hold_state
from fastgw.serve import Supervisor, missing_packages
from fastgw.snapshot.check import LISTEN
from fastgw.snapshot.config import Config
from fastgw.snapshot.load import ConfigError, Document, explain
from fastgw.snapshot.opening import open_first
from fastgw.snapshot.seal import Vault

DEMO_STATE = Path(".fastgw")
Kind = Callable[..., Supervisor]
PR_SET_PDEATHSIG = 1           # prctl(2)
STORED_DEMO = """\
# Made by fastgw serve --demo, which keeps its provider, model and key in the store: change them in the console.
"""
# Where the packages of the control plane are not installed.
FILED_DEMO = """\
# Made by fastgw serve --demo: a mock provider in three dialects, and one key. Edit it, or begin a file of your own.

[integrations.mock-openai]
provider = "openai"
base_url = "http://{mock}/v1"
api_key = "mock"

[integrations.mock-anthropic]
provider = "anthropic"
base_url = "http://{mock}/v1"
api_key = "mock"

[integrations.mock-gemini]
provider = "gemini"
base_url = "http://{mock}"
api_key = "mock"

[models.demo]
targets = [{{ integration = "mock-openai", model = "gpt-4.1" }}]

[workspaces.default]
budget = {{ usd = 1000.0, window = "month" }}

[[keys]]
name = "demo"
hash = "{hash}"
integration = "mock-openai"
budget = {{ usd = 100.0, window = "total" }}
rate = {{ requests_per_minute = 60000, tokens_per_minute = 100000000 }}
"""


class WrongOption(Exception):
    """An option says what cannot be."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says beside the file; None: what the file says."""

    listen: str | None = None
    workers: int | None = None
    state: Path | None = None
    control: bool | None = None
    edge: bool = False
    server: str = "lane"
    granian: tuple[str, ...] = ()


def launch(config: Path | None, options: Options) -> int:
    """Run until stopped and return the exit status: 1 where it cannot serve, 2 where it was told wrongly; no
    configuration: the demo.
    """
    try:
        if options.listen is not None:
            check_listen(options.listen)
        kind = kind_of(options)
        if config is None:
            return launch_demo(options, kind)
        document, vault = open_first(config, os.environ, options.state)
        return run(with_options(document, options), kind, vault=vault)
    except ConfigError as error:
        print(explain(error.problems), file=sys.stderr)
    except WrongOption as error:
        print(f"fastgw: {error}", file=sys.stderr)
    except CannotServe as error:
        print(f"fastgw: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 2


def kind_of(options: Options) -> Kind:
    """What supervises, and what runs a worker. raises WrongOption"""
    if options.granian and options.server != "granian":
        raise WrongOption("--granian is for --server granian")
    if options.edge:
        if options.server != "lane" or options.workers not in (None, 1):
            raise WrongOption("--edge is one worker with the lane: leave out --server and --workers, or leave out --edge")
        from fastgw.edge import Edge

        return Edge
    if options.server == "lane":
        return Supervisor
    from fastgw.granian import WrongGranian, runner

    try:
        return partial(Supervisor, run_worker=runner(options.granian))
    except WrongGranian as problem:
        raise WrongOption(str(problem)) from problem


def check_listen(listen: str) -> None:
    """Hold --listen to what the file may say. raises WrongOption"""
    match = LISTEN.match(listen)
    if match is None or int(match[1]) > 65535:
        raise WrongOption(f"--listen: expected HOST:PORT with a port from 0 to 65535, found {listen!r}")


def run(
    document: Document, kind: Kind, demo: Demo | None = None, lock: TextIO | None = None, vault: Vault | None = None, *,
    is_stored: bool = False,
) -> int:
    """Serve by a document until told to stop. raises CannotServe"""
    logging.basicConfig(
        level=document.config.gateway.log_level.upper(), stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s")

    def started(supervisor: Supervisor) -> None:
        # of a demo in the store the control process tells the rest, once its key is served
        print(greeting(supervisor.url, supervisor.workers, None if is_stored else demo), flush=True)

    return kind(document, started=started, lock=lock, vault=vault, demo=demo).run()


def launch_demo(options: Options, kind: Kind) -> int:
    """Serve a mock provider of our own. raises CannotServe"""
    state = options.state or DEMO_STATE
    options = msgspec.structs.replace(options, state=state)
    is_stored = not options.edge and options.control is not False and not missing_packages()
    # must come before the mock: it is this gateway's configuration that will name its address
    lock = hold_state(state)
    mock, address = start_mock()
    try:
        config, demo = prepare_demo(state, address, is_stored=is_stored)
        document, vault = open_first(config, os.environ, state)
        return run(with_options(document, options), kind, demo, lock, vault, is_stored=is_stored)
    except OSError as error:
        raise CannotServe(f"cannot use the state directory {state}: {error.strerror or error}") from error
    finally:
        end_mock(mock)


def with_options(document: Document, options: Options) -> Document:
    """The document with what the command line says in the place of what the file says."""
    gateway = document.config.gateway
    gateway = msgspec.structs.replace(
        gateway, listen=options.listen or gateway.listen, workers=gateway.workers if options.workers is None else options.workers,
        state=str(options.state) if options.state else gateway.state)
    plane = document.config.control
    plane = plane if options.control is None else msgspec.structs.replace(plane, enabled=options.control)
    config: Config = msgspec.structs.replace(document.config, gateway=gateway, control=plane)
    return msgspec.structs.replace(document, config=config)


def greeting(url: str, workers: int, demo: Demo | None = None) -> str:
    """What a person sees when the gateway is up."""
    line = f"fastgw serves {url} with {workers} worker{'s' if workers > 1 else ''}"
    return line if demo is None else f"{line}\n\n{demo_lines(url, demo)}"


def prepare_demo(state: Path, mock_address: str, *, is_stored: bool) -> tuple[Path, Demo]:
    """Write a configuration for the mock, and return it with the key, which stays the same from one start to the
    next.
    """
    key_file, config = state / "demo.key", state / "demo.toml"
    secret = key_file.read_text().strip() if key_file.exists() else ""
    if not secret:
        secret = make_key()
        key_file.touch(mode=0o600)
        key_file.write_text(f"{secret}\n")
    config.write_text(STORED_DEMO if is_stored else FILED_DEMO.format(mock=mock_address, hash=hash_of(secret)))
    option = "" if state == DEMO_STATE else f" --state {state}"
    return config, Demo(mock_address, secret, f"fastgw logs{option}")


def start_mock() -> tuple[subprocess.Popen[str], str]:
    """Start a mock provider and return it with its address. raises CannotServe"""
    import ctypes

    prctl = ctypes.CDLL(None).prctl      # looked up here: after a fork only what cannot wait may be done

    def end_with_parent() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)

    # a process group of its own: Ctrl-C is for the gateway, which ends its requests before it ends the mock
    mock = subprocess.Popen(
        [sys.executable, "-m", "fastgw", "mock", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True,
        process_group=0, preexec_fn=end_with_parent)
    assert mock.stdout is not None
    address = mock.stdout.readline().strip().rpartition("http://")[2]
    if not address:
        end_mock(mock)
        raise CannotServe("the mock provider did not start; what it said is above")
    return mock, address


def end_mock(mock: subprocess.Popen[str]) -> None:
    """Stop the mock provider."""
    mock.terminate()
    try:
        mock.wait(5)
    except subprocess.TimeoutExpired:
        mock.kill()
        mock.wait()
    if mock.stdout is not None:
        mock.stdout.close()
