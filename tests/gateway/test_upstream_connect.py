"""The way to a provider: names, refused and silent addresses, TLS and forward proxies."""

from __future__ import annotations

import base64
import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.forward_proxy import ForwardProxy
from tests.fakes.script import json_reply
from tests.fakes.upstream import Upstream
from tests.gateway.asking import ANTHROPIC, DIALECTS, LONG_TIMES, OPENAI, Asker, configuration, integration
from tests.gateway.running import RunningGateway
from tests.patience import SLOW_DAY_S

OK = json_reply({"id": "ok", "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}})
CLOSING = json_reply({"id": "ok"}, fields=[("connection", "close")])
SLOW = {**LONG_TIMES, "connect_ms": 3000}


@dataclass
class Ways:
    """One gateway and all that it can reach or not."""

    asker: Asker
    plain: Upstream
    secure: Upstream
    open_proxy: ForwardProxy
    closed_proxy: ForwardProxy
    environ_proxy: ForwardProxy


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    directory = tmp_path_factory.mktemp("connect")
    with ExitStack() as stack:
        plain, secure = stack.enter_context(Upstream(OK)), stack.enter_context(Upstream(OK, tls=True))
        open_proxy, environ_proxy = stack.enter_context(ForwardProxy()), stack.enter_context(ForwardProxy())
        closed_proxy = stack.enter_context(
            ForwardProxy(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
        )
        refused = stack.enter_context(socket.socket())
        refused.bind(("127.0.0.1", 0))
        silent = silent_listener(stack)
        assert secure.ca_file is not None
        ca_file = str(shutil.copy(secure.ca_file, directory / "ca.pem"))
        at = secure.url.replace("127.0.0.1", "localhost")
        config = configuration(
            integration("named", plain.url.replace("127.0.0.1", "localhost")),
            integration("plain", plain.url),
            integration("nameless", "http://does-not-exist.invalid"),
            integration("overlong", f"http://{'a' * 64}.example"),
            *(
                integration(f"refused-{row.name}", f"http://127.0.0.1:{refused.getsockname()[1]}", row.provider)
                for row in DIALECTS
            ),
            integration("silent", f"http://127.0.0.1:{silent.getsockname()[1]}"),
            integration("mute-tls", f"https://127.0.0.1:{plain.port}", times={**SLOW, "connect_ms": 300}),
            integration("secure", secure.url, ca_file=ca_file, times=SLOW),
            integration("secure-name", at, ca_file=ca_file, times=SLOW),
            integration("untrusted", secure.url, times={**SLOW, "idle_ms": 999}),
            integration(
                "other-host",
                secure.url.replace("127.0.0.1", "other.example"),
                ca_file=ca_file,
                times=SLOW,
                proxy=open_proxy.url,
            ),
            integration(
                "tunnel",
                at,
                "anthropic",
                ca_file=ca_file,
                times={**SLOW, "idle_ms": 998},
                proxy=open_proxy.url.replace("//", "//user:p%40ss@"),
            ),
            integration("no-tunnel", at, ca_file=ca_file, proxy=closed_proxy.url),
            integration("by-environ", f"https://by-environ.example:{secure.port}", times=SLOW, ca_file=ca_file),
        )
        environ = {
            "HTTPS_PROXY": environ_proxy.url,
            "NO_PROXY": "127.0.0.1,localhost",
            "SSL_CERT_FILE": str(empty_file(directory)),
        }
        gateway = stack.enter_context(RunningGateway(directory, config, environ=environ))
        asker = Asker(gateway)
        yield Ways(asker, plain, secure, open_proxy, closed_proxy, environ_proxy)
        asker.check_records()
        assert "Traceback" not in gateway.log()


def silent_listener(stack: ExitStack) -> socket.socket:
    """A listener whose queue is full: what comes after is dropped, as behind many a firewall."""
    silent = stack.enter_context(socket.socket())
    silent.bind(("127.0.0.1", 0))
    silent.listen(0)
    for _ in range(3):
        filler = stack.enter_context(socket.socket())
        filler.setblocking(False)
        filler.connect_ex(silent.getsockname())
    return silent


def empty_file(directory: Path) -> Path:
    path = directory / "no-authorities.pem"
    path.write_text("")
    return path


def served(ways: Ways, model: str) -> None:
    with ways.asker.connect() as client:
        asked = ways.asker.send(client, model)
        assert asked.reply().status == 200
    ways.asker.expect(asked.trace, outcome="served", attempts=1)


def test_a_provider_is_reached_by_name(ways: Ways) -> None:
    """localhost by name works, whatever families it resolves to."""
    for _ in range(3):
        served(ways, "named")


def test_refused_connections_are_told_in_every_dialect(ways: Ways) -> None:
    """Nothing listens: 502 upstream_unreachable, nothing charged, no attempt counted."""
    for dialect in DIALECTS:
        ways.asker.refused(
            f"refused-{dialect.name}", dialect, 502, "upstream_unreachable", attempts=0, cost_nano_usd=0, input_tokens=0
        )


@pytest.mark.parametrize("name", ["nameless", "overlong"])
def test_a_name_that_does_not_resolve_is_told_and_disturbs_nobody(ways: Ways, name: str) -> None:
    """Names are looked up off the hot path: their callers get 502, others are served meanwhile."""
    with ways.asker.connect() as first, ways.asker.connect() as second:
        asked = ways.asker.send(first, name)
        served(ways, "plain")
        again = ways.asker.send(second, name)
        assert [OPENAI.code(item.reply().json()) for item in (asked, again)] == ["upstream_unreachable"] * 2
    ways.asker.expect(asked.trace, status=502, outcome="failed", cost_nano_usd=0)


@pytest.mark.parametrize("name", ["silent", "mute-tls"])
def test_connecting_takes_no_longer_than_connect_ms(ways: Ways, name: str) -> None:
    """Neither an address that does not answer nor a server mute to a TLS greeting costs more than connect_ms."""
    started = time.monotonic()
    ways.asker.refused(name, OPENAI, 502, "upstream_unreachable", attempts=0, cost_nano_usd=0)
    assert 0.25 <= time.monotonic() - started < SLOW_DAY_S


def test_a_provider_with_a_trusted_certificate_is_served(ways: Ways) -> None:
    """TLS is verified against ca_file, by address and by name; a connection is kept as any other."""
    for name in ("secure", "secure", "secure-name"):
        served(ways, name)
    assert ways.secure.received[-2].connection is ways.secure.received[-3].connection


@pytest.mark.parametrize("name", ["untrusted", "other-host"])
def test_a_certificate_that_does_not_fit_is_refused(ways: Ways, name: str) -> None:
    """An unknown authority, or another host's certificate: 502 upstream_tls, and no byte of the request goes out."""
    count = len(ways.secure.received)
    ways.asker.refused(name, OPENAI, 502, "upstream_tls", attempts=0, cost_nano_usd=0)
    assert len(ways.secure.received) == count


def test_a_second_connection_resumes_the_tls_session(ways: Ways) -> None:
    """TLS sessions are reused: the handshake of the next connection is the short one."""
    ways.secure.play(CLOSING)
    for _ in range(3):
        served(ways, "secure-name")
    ways.secure.play(OK)
    handshakes = [item.connection._transport.get_extra_info("ssl_object") for item in ways.secure.received[-2:]]
    assert len({id(item.connection) for item in ways.secure.received[-3:]}) >= 2
    assert all(isinstance(item, ssl.SSLObject) and item.session_reused for item in handshakes)


def test_a_tunnel_is_asked_for_with_credentials(ways: Ways) -> None:
    """Through a forward proxy: CONNECT with the host's name and Basic credentials; TLS is with the provider itself."""
    response, record = ways.asker.ask("tunnel", ANTHROPIC)
    assert (response.status, record["outcome"]) == (200, "served")
    lines = ways.open_proxy.asked[-1].split(b"\r\n")
    assert lines[0] == b"CONNECT localhost:%d HTTP/1.1" % ways.secure.port
    assert b"proxy-authorization: Basic " + base64.b64encode(b"user:p@ss") in lines
    assert b"sk-up" not in b"".join(ways.open_proxy.asked)
    assert ways.secure.received[-1].field("proxy-authorization") is None


def test_a_refused_tunnel_is_told(ways: Ways) -> None:
    """A proxy that answers 407 costs the caller 502 upstream_unreachable; what it said is not taken for a reply."""
    ways.asker.refused("no-tunnel", OPENAI, 502, "upstream_unreachable", attempts=0)
    assert len(ways.closed_proxy.asked) == 1


def test_https_proxy_and_no_proxy_of_the_environment_are_heeded(ways: Ways) -> None:
    """HTTPS_PROXY carries all https but what NO_PROXY names; a certificate of another host is still refused."""
    count = len(ways.environ_proxy.asked)
    served(ways, "secure")
    assert len(ways.environ_proxy.asked) == count
    ways.asker.refused("by-environ", OPENAI, 502, "upstream_tls")
    assert ways.environ_proxy.asked[-1].startswith(b"CONNECT by-environ.example:")
