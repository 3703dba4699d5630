"""The command line does what a newcomer expects, and says in one line what is wrong and what to do."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from tests.fakes.mock import RunningMock, running_mock
from tests.gateway.running import KEY, ROOT, RunningGateway
from tests.patience import PATIENCE_S, SLOW_DAY_S

CONFIG = """
[integrations.main]
provider = "openai"
base_url = "{url}/v1"
api_key = "sk-provider"

[[keys]]
name = "app-1"
key = "{key}"
"""


def environ(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **more}


def fastgw(directory: Path, *words: str, timeout_s: float = 60.0, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "fastgw", *words],
        cwd=directory,
        env=environ(**variables),
        timeout=timeout_s,
        capture_output=True,
        text=True,
    )


@contextmanager
def serving(directory: Path, *words: str, **variables: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `fastgw serve` in a process group of its own until the block ends; yields it with what it printed up to
    an empty line.
    """
    with (directory / "log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "fastgw", "serve", *words],
            cwd=directory,
            env=environ(**variables),
            text=True,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        if "--demo" in words:
            while not said.endswith("fastgw logs\n") and process.poll() is None:
                said += process.stdout.readline()
        assert "fastgw serves http" in said, said + (directory / "log").read_text()
        yield process, said
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)
        process.stdout.close()


def wait_until(holds: Callable[[], object], what: str, seconds: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"expected {what}"
        time.sleep(0.01)


def descendants(pid: int) -> set[int]:
    """The process ids of all children, and theirs."""
    try:
        children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return set()
    return {*children, *(found for child in children for found in descendants(child))}


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def listening(address: str) -> bool:
    with socket.socket() as probe:
        host, _, port = address.rpartition(":")
        return probe.connect_ex((host, int(port))) == 0


@pytest.fixture(scope="module")
def mock() -> Iterator[RunningMock]:
    with running_mock() as running:
        yield running


@pytest.fixture
def config(tmp_path: Path, mock: RunningMock) -> Path:
    path = tmp_path / "fastgw.toml"
    path.write_text(CONFIG.format(url=mock.url, key=KEY))
    return path


@pytest.mark.parametrize(
    "words", [[], ["serve"], ["check"], ["mock"], ["logs"], ["key"], ["key", "create"]], ids=" ".join
)
def test_every_command_explains_itself(tmp_path: Path, words: list[str]) -> None:
    """--help and -h of every command end well, say what it is for, and explain every option and argument."""
    long, short = fastgw(tmp_path, *words, "--help"), fastgw(tmp_path, *words, "-h")
    assert long.returncode == short.returncode == 0
    assert long.stdout == short.stdout and not long.stderr
    for row in re.findall(r"^  (-.*)$", long.stdout, re.M):
        assert re.search(r"\S  +\S", row) or re.search(rf"{re.escape(row)}\n {{10,}}\S", long.stdout), (
            f"no word on {row!r}"
        )


@pytest.mark.parametrize(
    "words, said",
    [
        (["serve"], "try --demo"),
        (["serve", "--worker", "2"], "--workers"),
        (["serve", "--workers", "many"], "'many' is not a valid integer"),
        (["serve", "--workers", "65"], "65 is not in the range"),
        (["serve", "--demo", "--config", "x"], "leave out"),
        (
            ["serve", "--config", "absent.toml"],
            "absent.toml: expected a file that can be read, found none: No such file or directory",
        ),
        (["serve", "--config", "."], "Is a directory"),
        (
            ["serve", "--demo", "--listen", "here"],
            "--listen: expected HOST:PORT with a port from 0 to 65535, found 'here'",
        ),
        (["serve", "--demo", "--listen", "127.0.0.1:65536"], "--listen: expected HOST:PORT"),
        (["check"], "Missing argument 'FILE'"),
        (["logs", "--status", "5000"], "expected a status such as 429 or a class such as 4xx, got '5000'"),
        (["logs", "--since", "yesterday"], "expected 15m, 2h, 3d or a time"),
        (["logs", "--since", "0001-01-01"], "expected 15m, 2h, 3d or a time"),
        (["key", "create", "two words"], "expected a name of 1 to 64 letters"),
        (["key", "create", "a", "--workspace", 'x"'], "expected a name of 1 to 64 letters"),
        (["mock", "--error-rate", "2"], "2.0 is not in the range"),
        (["sreve"], "serve"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_command_line_is_explained(tmp_path: Path, words: list[str], said: str) -> None:
    """What cannot be understood ends with status 2 and the reason, and leaves nothing behind."""
    done = fastgw(tmp_path, *words)
    assert done.returncode == 2 and not done.stdout
    assert said in done.stderr and "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.rglob("*")] == []


@pytest.mark.parametrize("listen", ["127.0.0.1:99999", "here", "8.8.8.8:80"])
def test_mock_says_why_it_cannot_listen(tmp_path: Path, listen: str) -> None:
    """The mock ends with status 1 and one line."""
    done = fastgw(tmp_path, "mock", "--listen", listen)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and listen in done.stderr


def test_options_come_from_the_environment(tmp_path: Path, config: Path) -> None:
    """FASTGW_SERVE_LISTEN and its like stand in for options."""
    with serving(tmp_path, FASTGW_SERVE_LISTEN="[::1]:0", FASTGW_SERVE_STATE="elsewhere", FASTGW_SERVE_WORKERS="2") as (
        process,
        said,
    ):
        url, workers = re.fullmatch(r"fastgw serves (\S+) with (\d) workers\n", said).groups()  # type: ignore[union-attr]
        assert url.startswith("http://[::1]:") and workers == "2"
        assert (tmp_path / "elsewhere" / "ring-1.ring").exists()
        with socket.create_connection(("::1", int(url.rpartition(":")[2]))) as connection:
            connection.sendall(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 200")


def test_the_gateway_accepts_once_it_says_so(tmp_path: Path, config: Path) -> None:
    """When the line with the address is printed, every worker accepts connections already."""
    with serving(tmp_path, "--config", str(config), "--listen", "127.0.0.1:0", "--workers", "3") as (process, said):
        address = said.split("//")[1].split(" ")[0]
        port = f":{int(address.rpartition(':')[2]):04X}"
        rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()]
        assert sum(1 for row in rows if row[1].endswith(port) and row[3] == "0A") == 3


def test_a_taken_address_is_found_out_before_anything_starts(tmp_path: Path, config: Path) -> None:
    """An address in use ends the start with status 1 and one line that says which and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = fastgw(tmp_path, "serve", "--listen", address)
    assert done.returncode == 1
    assert done.stderr == (
        f"fastgw: cannot listen on {address}: Address already in use; stop what listens there, or name another "
        "address with --listen\n"
    )


def test_a_state_in_use_is_found_out(tmp_path: Path, config: Path) -> None:
    """Two gateways never share a state directory; the second says so and leaves the first one's files alone."""
    with serving(tmp_path, "--demo", "--listen", "127.0.0.1:0") as (process, said):
        before = (tmp_path / ".fastgw" / "demo.toml").read_text()
        done = fastgw(tmp_path, "serve", "--demo", "--listen", "127.0.0.1:0")
        assert done.returncode == 1
        assert (
            done.stderr
            == "fastgw: .fastgw is in use by another fastgw; stop it, or name another directory with --state\n"
        )
        assert (tmp_path / ".fastgw" / "demo.toml").read_text() == before
        assert process.poll() is None


@pytest.mark.parametrize("words", [["--config", "fastgw.toml"], ["--demo"]], ids=["config", "demo"])
def test_a_state_that_cannot_be_written_is_explained(tmp_path: Path, config: Path, words: list[str]) -> None:
    """A state directory that cannot be made ends the start with status 1 and one line."""
    (tmp_path / "file").write_text("")
    done = fastgw(tmp_path, "serve", *words, "--listen", "127.0.0.1:0", "--state", "file/state")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "cannot use the state directory" in done.stderr and "Not a directory" in done.stderr


def test_a_ledger_of_another_layout_is_explained(tmp_path: Path, config: Path) -> None:
    """A file that is no ledger of this layout is left as it is, and the start ends with status 1."""
    ledger = tmp_path / ".fastgw" / "ledger"
    ledger.parent.mkdir()
    ledger.write_bytes(b"not a ledger")
    done = fastgw(tmp_path, "serve", "--listen", "127.0.0.1:0")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "expected a ledger" in done.stderr and str(ledger) in done.stderr
    assert ledger.read_bytes() == b"not a ledger"


def bad_certificates(directory: Path) -> dict[str, tuple[str, str]]:
    """By case: lines for the file, and what is said of them."""
    ours, other = trustme.CA().issue_cert("localhost"), trustme.CA().issue_cert("localhost")
    ours.cert_chain_pems[0].write_to_path(directory / "cert.pem")
    ours.private_key_pem.write_to_path(directory / "key.pem")
    other.private_key_pem.write_to_path(directory / "other.pem")
    (directory / "empty.pem").write_text("nothing here\n")
    tls = '[gateway.tls]\ncert = "{}"\nkey = "{}"\n'
    return {
        "another key": (
            tls.format("cert.pem", "other.pem"),
            "gateway.tls: expected a certificate chain and its private key, both PEM, "
            "found cert.pem and other.pem: the key is not that of the certificate",
        ),
        "no certificate": (tls.format("empty.pem", "key.pem"), "gateway.tls: expected a certificate chain"),
        "no authority": (
            '[integrations.own]\nprovider = "openai"\nca_file = "empty.pem"\n',
            "integrations.own.ca_file: expected certificates of authorities, PEM, found empty.pem: "
            "it holds no certificate",
        ),
    }


@pytest.mark.parametrize("case", ["another key", "no certificate", "no authority"])
def test_a_certificate_that_cannot_be_used_ends_the_start(tmp_path: Path, config: Path, case: str) -> None:
    """`serve` and `check` both refuse such a file with one line, before any worker starts."""
    text, said = bad_certificates(tmp_path)[case]
    config.write_text(config.read_text() + text)
    for words, status in ((["serve", "--listen", "127.0.0.1:0"], 2), (["check", "fastgw.toml"], 1)):
        done = fastgw(tmp_path, *words)
        assert (done.returncode, done.stderr.count("\n")) == (status, 1)
        assert done.stderr.startswith("fastgw.toml: ") and said in done.stderr
    assert not (tmp_path / ".fastgw").exists()


def test_an_encrypted_private_key_asks_nobody(tmp_path: Path, config: Path) -> None:
    """A key with a passphrase is refused; nothing waits for somebody to type it."""
    from cryptography.hazmat.primitives import serialization

    bad_certificates(tmp_path)
    key = serialization.load_pem_private_key((tmp_path / "key.pem").read_bytes(), None)
    (tmp_path / "locked.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    config.write_text(config.read_text() + '[gateway.tls]\ncert = "cert.pem"\nkey = "locked.pem"\n')
    done = fastgw(tmp_path, "check", "fastgw.toml")
    assert done.returncode == 1 and "write it without a passphrase" in done.stderr


def test_check_tells_good_files_from_bad(tmp_path: Path, config: Path) -> None:
    """A file that holds ends with 0 and a summary, one that does not with 1 and every problem with its line."""
    good = fastgw(tmp_path, "check", "fastgw.toml")
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout == "fastgw.toml holds: 1 integration, 0 models, 0 workspaces, 1 key\n"
    config.write_text('[gateway]\nlisen = "x"\n\n[[keys]]\nname = "a"\nkey = "env:ABSENT_VARIABLE"\n')
    bad = fastgw(tmp_path, "check", "fastgw.toml")
    assert (bad.returncode, bad.stdout) == (1, "")
    first, second = bad.stderr.splitlines()
    assert first.startswith("fastgw.toml:2: gateway.lisen: ") and first.endswith("did you mean listen?")
    assert second.startswith("fastgw.toml:6: keys[0].key: ") and "ABSENT_VARIABLE" in second


def test_a_key_that_was_made_works(tmp_path: Path, mock: RunningMock) -> None:
    """What `key create` prints goes into the file as it is, and the key it printed is served; the file does not
    hold the key.
    """
    made = fastgw(tmp_path, "key", "create", "app-2")
    assert made.returncode == 0
    secret, _, lines = made.stdout.partition("\n\n")
    assert re.fullmatch(r"fgw-[A-Za-z0-9_-]{43}", secret) and secret not in lines and secret not in made.stderr
    assert fastgw(tmp_path, "key", "create", "app-2").stdout != made.stdout
    with RunningGateway(tmp_path, CONFIG.format(url=mock.url, key=KEY) + lines) as gateway:
        request = ["curl", "-s", "-o", str(tmp_path / "reply"), "-w", "%{http_code}", f"{gateway.url}/v1/models", "-H"]
        assert subprocess.check_output([*request, f"authorization: Bearer {secret}"], text=True) == "200"
        assert subprocess.check_output([*request, f"authorization: Bearer {secret}x"], text=True) == "401"


def printed_curl(said: str) -> list[str]:
    return shlex.split(said[said.index("curl ") : said.index("\n\n", said.index("curl "))].replace("\\\n", " "))


def test_the_demo_works_twice_with_one_key(tmp_path: Path) -> None:
    """`serve --demo` prints a key and a curl that works; the next start has the same key; each ends with its
    mock, cleanly.
    """
    keys = []
    for _ in range(2):
        with serving(tmp_path, "--demo", "--listen", "127.0.0.1:0") as (process, said):
            keys.append(re.search(r"virtual key:  (\S+)", said)[1])  # type: ignore[index]
            reply = json.loads(subprocess.check_output([*printed_curl(said), "-s"]))
            assert reply["choices"][0]["message"]["content"]
            family = descendants(process.pid)
            assert len(family) == 4  # mock, worker, drain, control process
        assert process.returncode == 0
        assert not [pid for pid in family if is_alive(pid)]
    assert keys[0] == keys[1]
    listed = fastgw(tmp_path, "logs", "--json", "--model", "gpt-4.1").stdout.splitlines()
    assert [json.loads(line)["key"] for line in listed] == ["demo", "demo"]
    assert (tmp_path / ".fastgw" / "demo.key").stat().st_mode & 0o077 == 0


def test_a_killed_demo_leaves_no_process_behind(tmp_path: Path) -> None:
    """After SIGKILL of the supervisor its mock, workers and drain end by themselves within a few seconds, and a
    new start works.
    """
    with serving(tmp_path, "--demo", "--listen", "127.0.0.1:0") as (process, said):
        family = descendants(process.pid)
        process.kill()
        process.wait()
        wait_until(lambda: not [pid for pid in family if is_alive(pid)], "no process of the gateway", 5 + SLOW_DAY_S)
    with serving(tmp_path, "--demo", "--listen", "127.0.0.1:0") as (process, said):
        assert json.loads(subprocess.check_output([*printed_curl(said), "-s"]))["choices"]


def test_ctrl_c_ends_cleanly(tmp_path: Path) -> None:
    """SIGINT to the whole process group, as a terminal sends it, ends everything with status 0 and no trace of a
    fault.
    """
    with serving(tmp_path, "--demo", "--listen", "127.0.0.1:0") as (process, said):
        assert json.loads(subprocess.check_output([*printed_curl(said), "-s"]))["choices"]
        family = descendants(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
    assert not [pid for pid in family if is_alive(pid)]
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log and "ERROR" not in log and "WARNING" not in log
    assert len(fastgw(tmp_path, "logs", "--model", "gpt-4.1").stdout.splitlines()) == 2


def test_sample_traffic_goes_through_the_demo(tmp_path: Path) -> None:
    """`demo traffic` sends what was asked for through the listener with the demo's key; without a gateway it says so."""
    with serving(tmp_path, "--demo", "--listen", "127.0.0.1:0"):
        done = fastgw(tmp_path, "demo", "traffic", "--requests", "5")
        assert done.returncode == 0, done.stderr

        def chats() -> int:
            return fastgw(tmp_path, "logs", "--key", "demo", "--json").stdout.count('"operation":"chat"')

        wait_until(lambda: chats() == 5, "five records of chats")
    done = fastgw(tmp_path, "demo", "traffic")
    assert done.returncode == 1 and "no gateway runs" in done.stderr


def test_logs_say_where_they_looked(tmp_path: Path) -> None:
    """Without a log the answer is status 1 and the path that was expected."""
    done = fastgw(tmp_path, "logs", "--state", "nowhere")
    assert done.returncode == 1 and "nowhere/logs.db" in done.stderr and "Traceback" not in done.stderr
