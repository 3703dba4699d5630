"""What holds for the lane holds behind Granian: named modules of these tests run again over its HTTP/1.1 and HTTP/2.

To run any other:  FASTGW_TEST_SERVER=http2 pytest tests/gateway/test_cache.py
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.gateway.running import ROOT

VERSIONS = ("http1", "http2")
HERE = "tests/gateway/test_"

MODULES = (
    "auth", "routing", "stream_events", "stream_cancel", "upstream_replies", "upstream_faults", "upstream_fallback", "translation",
    "lane_framing",
)

# Of these modules: what cannot hold, and why.
LEFT_OUT = {
    "http1": {
        "stream_cancel.py::test_a_reply_before_the_upload_is_done_reaches_the_caller":
            "hyper says no `connection: close` where it leaves a body unread: it reads it, or just closes",
        "lane_framing.py::test_http_1_0_replies_end_with_the_connection": "hyper answers HTTP/1.0 in HTTP/1.0; the lane in HTTP/1.1",
        "lane_framing.py::test_http_1_0_is_kept_alive_where_asked_and_possible": "as above",
        "lane_framing.py::test_100_continue_is_sent_to_callers_with_a_key": "hyper sends 100 for a body that is there already",
        "lane_framing.py::test_http_1_1_replies_have_a_length_or_chunks": "hyper gives a length to a reply that is whole before it begins",
    },
    "http2": {
        "stream_cancel.py::test_a_reply_before_the_upload_is_done_reaches_the_caller": "as with HTTP/1.1",
        "stream_cancel.py::test_a_slow_provider_pauses_an_uploading_caller": "the bridge keeps chunks until they are whole",
        "lane_framing.py": "HTTP/1.1's own: chunks, 100-continue, upgrades, methods that end the connection",
    },
}

# Modules that are about the lane itself, or about what lies behind it and is the same whoever read the request.
NOT_HERE = {
    "lane_malformed": "raw bytes: what hyper refuses it answers itself, without a body; what it lets pass is in tests/unit/test_asgi.py",
    "lane_pipelining": "HTTP/1.1's own, and hyper's business",
    "lane_limits": "limits of connections: Granian's backpressure waits where the lane answers 503",
    "lane_endings": "half-closed and lingering connections of the lane",
    "lane_stop": "what a listener does with what it has not yet accepted",
    "lane_tls": "OpenSSL's errors; that Granian serves TLS is in test_asgi_servers",
    "asgi_servers": "is about other servers already",
    "edge": "has no Granian",
    "under_granian": "is this",
}


@pytest.fixture(scope="module")
def runs() -> Iterator[dict[str, subprocess.CompletedProcess[str]]]:
    pytest.importorskip("h2", reason="the runs over HTTP/2 need h2, which is in the extra `test`")
    with ThreadPoolExecutor(len(VERSIONS)) as pool:
        yield dict(zip(VERSIONS, pool.map(run_over, VERSIONS), strict=True))


def run_over(version: str) -> subprocess.CompletedProcess[str]:
    """Run the modules over a version of HTTP."""
    skipped = [option for test in LEFT_OUT[version] for option in ("--deselect", HERE + test)]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", "--timeout", "60", *skipped,
         *(f"{HERE}{module}.py" for module in MODULES)],
        cwd=ROOT, env={**os.environ, "FASTGW_TEST_SERVER": version}, capture_output=True, text=True, timeout=280)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("version", VERSIONS)
def test_the_gateway_is_the_same_behind_granian(runs: dict[str, subprocess.CompletedProcess[str]], version: str) -> None:
    """Every test of the named modules passes with Granian in the lane's place, but for those with a reason here."""
    run = runs[version]
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]


def test_every_reason_is_about_a_test_that_exists() -> None:
    """What is left out is named as it is."""
    for test in {test for version in VERSIONS for test in LEFT_OUT[version]} | {f"{module}.py" for module in (*MODULES, *NOT_HERE)}:
        file, _, name = test.partition("::")
        text = (ROOT / f"{HERE}{file}").read_text()
        assert not name or f"def {name.partition('[')[0]}(" in text, test
