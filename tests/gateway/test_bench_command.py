"""`fastgw bench` as a newcomer meets it: it measures any URL, says in one line what is wrong, and never shows a figure then."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from fastgw.bench.figures import Report
from fastgw.mock import MockOptions
from tests.fakes.mock import RunningMock, running_mock
from tests.fakes.upstream import Upstream, json_reply, sse_reply
from tests.gateway.running import KEY, ROOT, RunningGateway

SHORT = ("--seconds", "0.3", "--windows", "2", "--rounds", "7", "--block", "20", "--connections", "4")
CONFIG = """
[integrations.main]
provider = "openai"
base_url = "{url}/v1"
api_key = "sk-provider"

[[keys]]
name = "bench"
key = "{key}"

[[keys]]
name = "held"
key = "{key}-held"
budget = {{ usd = 1000.0, window = "month" }}
rate = {{ requests_per_minute = 6000000 }}
"""
USAGE = {"usage": {"prompt_tokens": 1, "completion_tokens": 1}}


def bench(directory: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "fastgw", "bench", *words], cwd=directory, timeout=110, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **variables})


@pytest.fixture(scope="module")
def mock() -> Iterator[RunningMock]:
    with running_mock(MockOptions(tokens=300)) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(mock: RunningMock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    running = RunningGateway(tmp_path_factory.mktemp("gateway"), CONFIG.format(url=mock.url, key=KEY))
    with running:
        yield running


def figures_of(report: Report, section: str) -> dict[tuple[str, str], float | None]:
    """(lane, name) to value of one section."""
    (found,) = (one for one in report.sections if one.name == section)
    return {(one.lane, one.name): one.value for one in found.figures}


def test_a_gateway_is_measured(gateway: RunningGateway, mock: RunningMock, tmp_path: Path) -> None:
    """Two lanes beside the provider: every figure is there or says why not, no request fails, the floor comes first, the files hold
    the same, and no key is in them.
    """
    done = bench(
        tmp_path, gateway.url, "--direct", mock.url, "--pid", str(gateway.process.pid), "--key", KEY, "--governed-key", f"{KEY}-held",
        "--rate", "200", "--poisson", "--json", "report.json", "--html", "report.html", *SHORT)
    report = msgspec.json.decode((tmp_path / "report.json").read_bytes(), type=Report)
    assert done.returncode == (1 if report.void() else 0) and "Traceback" not in done.stderr
    assert [section.name for section in report.sections] == ["paired", "closed", "open"]
    assert set(report.targets) == {"direct", "bare", "governed"}
    everything = [one for section in report.sections for one in section.figures]
    assert not [why for one in everything for why in one.void if re.search("failed|no reply|the mock saw", why)]
    assert all((one.value is None) == bool(one.void) for one in everything)
    assert [one.lane for one in everything[:2]] == ["A/A floor", "A/A floor"]
    lanes = {lane for lane, _ in figures_of(report, "paired")}
    assert {"bare - direct", "governed - direct", "governed - bare"} <= lanes
    assert figures_of(report, "paired")["bare", "same bytes"] == 100
    closed = figures_of(report, "closed")
    assert {("bare", "CPU"), ("governed", "PSS idle"), ("bare", "PSS loaded"), ("bare", "PSS after"), ("bare", "switches")} <= set(closed)
    assert report.sections[2].timeline
    assert "Added latency" in done.stdout and "A/A floor" in done.stdout
    html = (tmp_path / "report.html").read_text()
    assert "</html>" in html and KEY not in html + done.stdout + (tmp_path / "report.json").read_text()


def test_streams_are_measured(gateway: RunningGateway, mock: RunningMock, tmp_path: Path) -> None:
    """With --stream: the time to first content with its floor, chunks, and CPU per chunk; bytes come through as they were sent."""
    done = bench(
        tmp_path, gateway.url, "--direct", mock.url, "--pid", str(gateway.process.pid), "--stream", "--tokens", "20", "--json", "-", *SHORT,
        FASTGW_BENCH_KEY=KEY)
    report = msgspec.json.decode(done.stdout, type=Report)
    streams = figures_of(report, "streams")
    assert ("A/A floor", "added TTFT p50") in streams and ("gateway - direct", "added TTFT p99") in streams
    assert ("gateway", "CPU") in streams
    assert streams["gateway", "same bytes"] == 100 and streams["gateway", "chunks"] == streams["direct", "chunks"] == 20


@pytest.mark.parametrize("dialect", [["--dialect", "anthropic"], ["--embeddings"]], ids=["anthropic", "embeddings"])
def test_any_url_is_measured(mock: RunningMock, tmp_path: Path, dialect: list[str]) -> None:
    """A server that is no gateway of ours, with no option but its dialect: its figures, and the floor."""
    done = bench(tmp_path, mock.url, *dialect, "--unique", *SHORT)
    assert re.search(r"A/A floor", done.stdout) and "no --direct URL was named" in done.stdout
    assert done.returncode in (0, 1) and "failed" not in done.stdout


def test_sweeps_are_measured(tmp_path: Path) -> None:
    """Frontier, payloads and in-flight each give a section of their own, also for a slow provider."""
    with running_mock(MockOptions(latency_ms=8)) as slow:
        done = bench(tmp_path, slow.url, "--frontier", "--payloads", "--in-flight", "--json", "-", *SHORT)
    report = msgspec.json.decode(done.stdout, type=Report)
    assert [section.name for section in report.sections] == ["paired", "closed", "frontier", "payloads", "in-flight"]
    frontier = figures_of(report, "frontier")
    assert frontier["gateway", "p99 < 1 ms"] is None
    assert ("gateway", "latency b") in figures_of(report, "payloads")
    assert {one.at for one in report.sections[4].figures} >= {"16 in flight"}


def test_missing_matplotlib_is_said(mock: RunningMock, tmp_path: Path) -> None:
    """Where PNG files are asked for and matplotlib is not there, that is said, all else is done, and the status is 1."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['matplotlib'] = None\n")
    words = ["--png", "charts", "--html", "report.html", *SHORT]
    done = bench(tmp_path, mock.url, *words, PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert done.returncode == 1 and "pip install 'fastgw[bench]'" in done.stderr
    assert (tmp_path / "report.html").exists() and not (tmp_path / "charts").exists()


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ([], 2, "Missing argument 'URL'"),
        (["URL", "--conections", "3"], 2, "--connections"),
        (["URL", "--connections", "none"], 2, "'none' is not a valid integer"),
        (["URL", "--rate", "-1"], 2, "-1.0 is not in the range"),
        (["URL", "--poisson"], 2, "--poisson needs --rate"),
        (["URL", "--embeddings", "--stream"], 2, "embeddings do not stream"),
        (["URL", "--header", "no colon"], 2, "expected 'Name: value'"),
        (["URL", "--header", "a: b\r\nc: d"], 2, "expected 'Name: value'"),
        (["URL", "--header", "content-length: 3"], 2, "content-length is the bench's own"),
        (["URL", "--governed-pid", "1"], 2, "--governed-pid needs a governed lane"),
        (["ftp://x"], 1, "expected a URL such as"),
        (["http://127.0.0.1:1"], 1, "http://127.0.0.1:1/v1/chat/completions: Connection refused"),
        (["http://no-such-host.invalid"], 1, "cannot resolve no-such-host.invalid"),
        (["https://127.0.0.1:PORT"], 1, "https://127.0.0.1"),
        (["URL", "--model", "mock-status-500"], 1, "expected status 200, found 500"),
        (["URL", "--model", "mock-no-usage"], 1, "with usage"),
        (["URL", "--model", "mock-hang", "--timeout", "0.3"], 1, "no reply in 0.3 s"),
        (["URL/nowhere"], 1, "expected status 200, found 404"),
        (["URL", "--direct", "http://127.0.0.1:1"], 1, "Connection refused"),
        (["URL", "--pid", "4194305"], 1, "no process 4194305"),
        (["URL", "--cgroup", "absent"], 1, "cannot read absent/cpu.stat: No such file"),
        (["URL", "--json", "absent/report.json"], 1, "cannot write absent/report.json"),
        (["URL", "--html", "."], 1, "cannot write ."),
        (["https://127.0.0.1:PORT", "--ca", "absent.pem"], 1, "cannot read certificates of absent.pem"),
        (["URL", "--in-flight"], 1, "--in-flight needs a slow provider"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_measured_is_said_in_a_line(mock: RunningMock, tmp_path: Path, words: list[str], status: int, said: str) -> None:
    """A wrong option, an address that is none, a server that is not there or not well: one line, a status, and no figure."""
    port = mock.url.rpartition(":")[2]
    done = bench(tmp_path, *(word.replace("URL", mock.url).replace("PORT", port) for word in [*SHORT, *words]), "--quiet")
    assert done.returncode == status and said in done.stderr and "Traceback" not in done.stderr
    assert not done.stdout
    assert status == 2 or done.stderr.count("\n") == 1
    assert not [path for path in tmp_path.rglob("*") if path.stat().st_size]


def test_a_failing_server_gets_no_figure(tmp_path: Path) -> None:
    """A server that answers the first requests and then fails now and then: its figures are void, each with the reason."""
    script = [json_reply(USAGE)] * 30 + [json_reply({"error": "now and then"}, status=503), json_reply(USAGE)]
    with Upstream(routes={"/v1/chat/completions": script}) as upstream:
        done = bench(tmp_path, upstream.url, "--quiet", *SHORT)
    assert done.returncode == 1
    assert "status 503 (1)" in done.stdout + done.stderr and "now and then" in done.stdout + done.stderr


def test_changed_bytes_are_told(tmp_path: Path) -> None:
    """A gateway that writes the JSON anew is measured, and its replies are said not to be the provider's."""
    with Upstream(json_reply(USAGE)) as provider, Upstream(json_reply({**USAGE, "id": "anew"})) as rewriting:
        done = bench(tmp_path, rewriting.url, "--direct", provider.url, "--json", "-", "--quiet", *SHORT)
    paired = figures_of(msgspec.json.decode(done.stdout, type=Report), "paired")
    assert (paired["direct", "same bytes"], paired["gateway", "same bytes"]) == (100, 0)


def test_a_reply_from_a_cache_is_noticed(mock: RunningMock, tmp_path: Path) -> None:
    """Where the mock saw fewer requests than were answered, somebody else answered: the figures are void."""
    reply = json.loads(bench_body(mock))
    with Upstream(json_reply(reply)) as cache:
        done = bench(tmp_path, cache.url, "--direct", mock.url, "--quiet", *SHORT)
    assert done.returncode == 1 and re.search(r"the mock saw 0 of [\d,]+ requests", done.stdout)


def bench_body(mock: RunningMock) -> bytes:
    body = json.dumps({"model": "gpt-4.1", "messages": [{"role": "user", "content": "hello"}]}).encode()
    request = urllib.request.Request(f"{mock.url}/v1/chat/completions", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as reply:
        found: bytes = reply.read()
    return found


def test_a_stream_that_is_none_is_said(tmp_path: Path) -> None:
    """A server that answers --stream with plain JSON, or with a stream that has no end, gets one line."""
    with Upstream(json_reply(USAGE)) as upstream:
        done = bench(tmp_path, upstream.url, "--stream", "--quiet", *SHORT)
        assert done.returncode == 1 and "found one without events with content" in done.stderr and not done.stdout
    scripts = [json_reply(USAGE), sse_reply([{"choices": [{"delta": {"content": "a"}}]}])]
    with Upstream(routes={"/v1/chat/completions": scripts}) as upstream:
        done = bench(tmp_path, upstream.url, "--stream", "--quiet", *SHORT)
        assert done.returncode == 1 and "a stream" in done.stderr and not done.stdout


def test_no_permission_to_read_proc_is_said(mock: RunningMock, tmp_path: Path) -> None:
    """Run by a user who may not look at the gateway's process, the bench ends with one line that says what to do."""
    if os.geteuid():
        done = bench(tmp_path, *SHORT, mock.url, "--pid", "1")
    else:
        # All that is imported later must be there before: the other user may not read where Python is.
        code = (
            "import encodings.idna, os, sys, fastgw.bench.command; from fastgw.cli import main\n"
            "os.setgroups([]); os.setgid(65534); os.setuid(65534); main(sys.argv[1:])")
        done = subprocess.run(
            [sys.executable, "-c", code, "bench", *SHORT, mock.url, "--pid", str(os.getpid())],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60, capture_output=True, text=True)
    assert done.returncode == 1 and not done.stdout
    line = r"fastgw bench: no permission to read /proc/\d+/\w+: run the bench as the user of process \d+, or as root\n"
    assert re.fullmatch(line, done.stderr)
