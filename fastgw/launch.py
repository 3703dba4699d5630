"""Start the gateway from the command line: read the configuration, apply the options, say where it listens."""
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from fastgw.auth.keys import hash_of, make_key
from fastgw.serve import LayoutError, StateInUse, Supervisor
from fastgw.snapshot.config import Config
from fastgw.snapshot.load import ConfigError, Document, explain, load

DEMO_STATE = Path(".fastgw")
DEMO_CONFIG = """\
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


def launch(config: Path | None, *, listen: str | None, workers: int | None, state: Path | None) -> int:
    """Run until stopped and return the exit status; without a configuration, the demo."""
    mock: subprocess.Popen[str] | None = None
    secret = ""
    if config is None:
        mock, config, secret = prepare_demo(state or DEMO_STATE)
    try:
        document = load(config, os.environ)
    except ConfigError as error:
        print(explain(error.problems), file=sys.stderr)
        return end_mock(mock, 2)
    document = with_options(document, listen, workers, state)
    logging.basicConfig(
        level=document.config.gateway.log_level.upper(), stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s")

    def started(supervisor: Supervisor) -> None:
        host = f"[{supervisor.host}]" if ":" in supervisor.host else supervisor.host
        scheme = "https" if supervisor.gateway.tls else "http"
        print(greeting(f"{scheme}://{host}:{supervisor.port}", supervisor.workers, secret), flush=True)

    try:
        return end_mock(mock, Supervisor(document, started=started).run())
    except (StateInUse, LayoutError) as error:
        print(f"fastgw: {error}", file=sys.stderr)
    except OSError as error:
        print(f"fastgw: cannot serve on {document.config.gateway.listen} with state in {document.config.gateway.state}: {error}",
              file=sys.stderr)
    return end_mock(mock, 1)


def with_options(document: Document, listen: str | None, workers: int | None, state: Path | None) -> Document:
    """The document with what the command line says in the place of what the file says."""
    gateway = document.config.gateway
    gateway = msgspec.structs.replace(
        gateway, listen=listen or gateway.listen, workers=gateway.workers if workers is None else workers,
        state=str(state) if state else gateway.state)
    config: Config = msgspec.structs.replace(document.config, gateway=gateway)
    return msgspec.structs.replace(document, config=config)


def greeting(url: str, workers: int, secret: str) -> str:
    """What a person sees when the gateway is up."""
    lines = [f"fastgw serves {url} with {workers} worker{'s' if workers > 1 else ''}"]
    if secret:
        lines += [
            "", f"  virtual key:  {secret}", "", f"  curl {url}/v1/chat/completions \\", f"    -H 'authorization: Bearer {secret}' \\",
            "    -H 'content-type: application/json' \\",
            "    -d '{\"model\": \"gpt-4.1\", \"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]}'",
            "", "  The provider is a mock; see what came by with: fastgw logs", ""]
    return "\n".join(lines)


def prepare_demo(state: Path) -> tuple[subprocess.Popen[str], Path, str]:
    """Start a mock provider and write a configuration for it; the key stays the same from one start to the next."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    key_file, config = state / "demo.key", state / "demo.toml"
    if not key_file.exists():
        key_file.touch(mode=0o600)
        key_file.write_text(make_key())
    secret = key_file.read_text().strip()
    mock = subprocess.Popen([sys.executable, "-m", "fastgw", "mock", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    assert mock.stdout is not None
    address = mock.stdout.readline().strip().rpartition("http://")[2]
    config.write_text(DEMO_CONFIG.format(mock=address, hash=hash_of(secret)))
    return mock, config, secret


def end_mock(mock: subprocess.Popen[str] | None, status: int) -> int:
    """Stop the mock provider, if there is one, and return the status."""
    if mock is not None:
        mock.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 5
        while mock.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        if mock.poll() is None:
            mock.kill()
    return status
