"""A token endpoint and metadata service for the tests: a real server on loopback that answers what a test puts into it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from tests.patience import PATIENCE_S


class Heard(NamedTuple):
    """A request as the endpoint heard it."""

    method: str
    path: str
    query: dict[str, str]
    fields: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode(), keep_blank_values=True).items()}


class Answer(NamedTuple):
    """What the endpoint says; a redirect goes to `location`."""

    body: bytes
    status: int = 200
    location: str = ""


def an_object(**members: object) -> Answer:
    return Answer(json.dumps(members).encode())


class Endpoint:
    """Keeps what it heard, and answers by a function or by the answers in turn, the last one again and again."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.heard: list[Heard] = []
        self.answers: list[Answer] = []
        self.answer: Callable[[Heard], Answer] = self.in_turn
        self.stalled = threading.Event()
        self.stalled.set()

    def in_turn(self, heard: Heard) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def __repr__(self) -> str:
        return f"Endpoint({self.url}, {len(self.heard)} requests)"


@contextmanager
def serving() -> Iterator[Endpoint]:
    """Run an endpoint for as long as the block lasts."""

    class Handling(BaseHTTPRequestHandler):
        """One request."""

        def take(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            fields = {name.lower(): value for name, value in self.headers.items()}
            heard = Heard(self.command, parts.path, query, fields, self.rfile.read(length))
            endpoint.heard.append(heard)
            endpoint.stalled.wait(PATIENCE_S)
            answer = endpoint.answer(heard)
            self.send_response(answer.status)
            if answer.location:
                self.send_header("location", answer.location)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            try:
                self.wfile.write(answer.body)
            except OSError:
                return  # who asked has gone

        do_GET = do_POST = do_PUT = take

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handling)
    server.daemon_threads = True
    endpoint = Endpoint(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.stalled.set()
        server.shutdown()
        server.server_close()
        thread.join()
