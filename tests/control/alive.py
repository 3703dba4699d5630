"""A gateway with its control plane in processes of their own, as `fastgw serve` starts them, and an owner's hands on it."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import httpx2

from tests.fakes.raw_client import RawClient, Response
from tests.gateway.limited import CHAT, QUESTION, bearer, chat
from tests.gateway.running import RunningGateway
from tests.patience import PATIENCE_S

Json = dict[str, Any]
PROVIDER_KEY = "sk-alive-0123456789abcdefghij"
MODEL = "own-model"


class Alive(RunningGateway):
    """One machine. Its own first owner signs in where the store is empty; else `token` says who calls."""

    def __init__(self, directory: Path, store_url: str = "", *, workers: int = 2, more: str = "", token: str = "") -> None:
        self.token = token
        self.password = ""
        store = f'store = "{store_url}"\n' if store_url else ""
        super().__init__(directory, f"[control]\n{store}{more}", workers=workers, control=True)

    def start(self) -> None:
        super().start()
        try:
            self.find_out()
        except BaseException:
            self.stop()
            raise

    def find_out(self) -> None:
        """Wait for the control plane, and sign in where it is new."""
        self.wait_until(lambda: self.send("GET", "/keys").status_code != 503, "the admin API", 30)
        assert self.process.stdout is not None
        if not self.token:
            # what it says was said before it answered
            while "password " not in (line := self.process.stdout.readline()):
                assert line, self.log()
            self.password = line.split("password ")[1].split(" ")[0]
            self.sign_in()

    def sign_in(self) -> None:
        """Take a token with all that an owner may do."""
        with httpx2.Client(base_url=self.url) as client:
            answer = client.post("/api/v1/login", json={"email": "owner@localhost", "password": self.password})
            assert answer.status_code == 200, answer.text
            fields = {"cookie": answer.headers["set-cookie"].partition(";")[0], "x-csrf-token": answer.json()["csrf"]}
            scopes = client.get("/api/v1/me", headers=fields).json()["scopes"]
            made = client.post("/api/v1/tokens", json={"name": "script", "scopes": scopes}, headers=fields)
            assert made.status_code == 201, made.text
            self.token = made.json()["token"]

    def send(self, method: str, path: str, body: object = None, **fields: str) -> httpx2.Response:
        headers = {"authorization": f"Bearer {self.token or 'none'}", **fields}
        with httpx2.Client(base_url=self.url, timeout=20) as client:
            return client.request(method, f"/api/v1{path}", json=body, headers=headers)

    def ask(self, method: str, path: str, body: object = None, status: int = 200) -> Json:
        """Call the admin API, hold the status, and return the body."""
        answer = self.send(method, path, body)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}\n{self.log()[-2000:]}"
        found: Json = answer.json() if answer.content else {}
        return found

    def make_integration(self, url: str, slug: str = "main", **members: object) -> Json:
        """An integration of the organisation that serves MODEL, shared with all workspaces."""
        body = {"slug": slug, "provider": "openai", "base_url": f"{url}/v1", "api_key": PROVIDER_KEY, "models": [MODEL],
                "share_with": "all", **members}  # fmt: skip
        return self.ask("POST", "/integrations", body, 201)

    def make_price(self) -> None:
        """MODEL costs $10 a million output tokens, and nothing for its input."""
        self.ask("POST", "/prices", {"provider": "openai", "model": MODEL, "input": 0.0, "output": 10.0}, 201)

    def make_key(self, name: str, **members: object) -> tuple[str, str]:
        """The id of a key of the default workspace, and the key itself."""
        made = self.ask("POST", "/keys", {"name": name, "workspace": "default", **members}, 201)
        return str(made["id"]), str(made["key"])

    def statuses(self, key: str, model: str = MODEL, count: int = 12) -> set[int]:
        """What requests on new connections, and so on any worker, are answered."""
        return {chat(self.url, key, model=model, max_tokens=5).status for _ in range(count)}

    def seconds_until(self, key: str, statuses: set[int], model: str = MODEL, most_s: float = PATIENCE_S) -> float:
        """How long it takes until every worker answers so."""
        began = time.monotonic()
        self.wait_until(lambda: self.statuses(key, model) == statuses, f"{statuses}, not {self.statuses(key, model)}", most_s)
        return time.monotonic() - began

    def ready_says(self) -> Json:
        with RawClient(self.url) as client:
            found: Json = json.loads(client.ask("GET", "/readyz").body)
            return found

    def control_pid(self) -> int:
        """The control process: the one that has loaded Granian; 0 where it does not run."""
        for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            try:
                if "granian" in Path(f"/proc/{pid}/maps").read_text():
                    return int(pid)
            except OSError:
                continue
        return 0

    def kill_control(self) -> None:
        pid = self.control_pid()
        assert pid, "the control process does not run"
        os.kill(pid, signal.SIGKILL)


class Load(threading.Thread):
    """Asks again and again on one connection, and keeps every status and the longest wait."""

    def __init__(self, url: str, key: str) -> None:
        super().__init__()
        self.url, self.key = url, key
        self.statuses: list[int] = []
        self.longest_s = 0.0
        self.stopping = threading.Event()

    def run(self) -> None:
        with RawClient(self.url) as client:
            while not self.stopping.is_set():
                began = time.monotonic()
                self.statuses.append(asked(client, self.key).status)
                self.longest_s = max(self.longest_s, time.monotonic() - began)

    def __enter__(self) -> Load:
        self.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self.stopping.set()
        self.join()


def asked(client: RawClient, key: str) -> Response:
    return client.ask_json(CHAT, {"model": MODEL, "max_tokens": 5, "messages": QUESTION}, bearer(key))
