"""Promises of fetching credentials: whatever an endpoint does ends in a short message that holds no secret."""

import asyncio
import time

import pytest
import trustme

from fastgw.providers import fetch, signer
from fastgw.providers.signer import SigningError, Token, TokenSigner
from tests.unit.providers.endpoint import Answer, Endpoint, an_object
from tests.unit.providers.making import HUSH, made, refreshed

IBM = 'provider = "watsonx"\napi_key = "env:HUSH"\nsettings = {{ region = "us-south" }}\ntoken_url = "{url}/token"'
SOON = time.time() + 3600


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(b'{"error":"invalid_grant","error_description":"hush-hush"}', 400), "got HTTP 400 (invalid_grant)"),
        (Answer(b'{"errorCode":"BXNIM0415E","errorMessage":"hush-hush"}', 400), "got HTTP 400 (BXNIM0415E)"),
        (Answer(b'{"error":{"message":"hush-hush"}}', 401), "got HTTP 401"),
        (Answer(b"<html>hush-hush", 502), "got HTTP 502"),
        (Answer(b"", 302, "http://127.0.0.1:1/hush-hush"), "got HTTP 302"),
        (Answer(b"hush-hush"), "expected a JSON object from http://127.0.0.1"),
        (Answer(b"[1]"), "expected a JSON object"),
        (Answer(b"{}"), "expected a text at access_token"),
        (an_object(access_token=7, expiration=SOON), "expected a text at access_token"),
        (an_object(access_token="t", expiration="hush-hush"), "expected seconds at expiration"),
        (an_object(access_token="t"), "expected seconds at expiration"),
        (an_object(access_token="t", expiration=-5), "expected seconds at expiration"),
        (an_object(access_token="t", expiration=1000), "one that has expired"),
        (an_object(access_token="hush-hush\r\nx: y", expiration=SOON), "other characters"),
        (Answer(b" " * 300_000), "more than 262144 bytes"),
    ],
)
def test_wrong_answers_are_told(answer: Answer, said: str, endpoint: Endpoint) -> None:
    """What the endpoint says that is no token is one error, with the address and the code of the endpoint's, and nothing else of it."""
    endpoint.answers = [answer]
    one = made(IBM.format(url=endpoint.url))
    with pytest.raises(SigningError) as caught:
        refreshed(one)
    assert said in str(caught.value)
    assert HUSH not in f"{caught.value}{one!r}" and caught.value.__cause__ is None
    assert len(endpoint.heard) == 1
    assert not one.is_ready(time.time()) and one.expires_s == 0


def test_endpoint_that_is_not_there_is_told() -> None:
    """A refused connection is said to be one."""
    with pytest.raises(SigningError, match="connection refused"):
        refreshed(made(IBM.format(url="http://127.0.0.1:9")))


def test_endpoint_that_does_not_answer_is_given_up(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stalled endpoint costs a bounded time, and the loop none of it."""
    monkeypatch.setattr(fetch, "TIMEOUT_S", 0.1)
    endpoint.stalled.clear()
    one = made(IBM.format(url=endpoint.url))

    async def turns_meanwhile() -> int:
        task = asyncio.create_task(one.refresh())
        turns = 0
        while not task.done():
            await asyncio.sleep(0)
            turns += 1
        with pytest.raises(SigningError, match="no answer in time"):
            await task
        return turns

    assert asyncio.run(turns_meanwhile()) > 10


def test_slow_refresh_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slowly an endpoint drips, a refresh ends at its limit."""
    monkeypatch.setattr(signer, "MOST_REFRESH_S", 0.05)

    def drip() -> Token:
        time.sleep(0.3)
        return Token("t", SOON)

    with pytest.raises(SigningError, match="within"):
        asyncio.run(TokenSigner("somebody", drip).refresh())


def test_certificates_are_verified(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A token endpoint whose certificate nobody vouches for gets no credential; one of the integration's own authorities does."""
    import ssl
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    heard: list[str] = []

    class Handling(BaseHTTPRequestHandler):
        """Answers a token."""

        def do_POST(self) -> None:
            heard.append(self.path)
            body = an_object(access_token="t", expiration=time.time() + 3600).body
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    authority = trustme.CA()
    ca_file = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handling)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        text = IBM.format(url=f"https://localhost:{server.server_port}")
        with pytest.raises(SigningError, match="TLS error"):
            refreshed(made(text))
        assert not heard
        assert refreshed(made(f'{text}\nca_file = "{ca_file}"')).is_ready(time.time())
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
