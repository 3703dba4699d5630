"""Routes over scripted providers: a file of named targets, what requests say beside their body, and the way that each of them took."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from tests.fakes.framing import Fields
from tests.fakes.raw_client import RawClient, Response, json_request
from tests.fakes.script import Script, json_reply
from tests.fakes.upstream import Received, Upstream
from tests.gateway.limited import CHAT, QUESTION, bearer
from tests.gateway.running import KEY, RunningGateway

USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
OK = {"id": "ok", "object": "chat.completion", "choices": [], "usage": USAGE}
EXPLAIN = ("x-fastgw-explain", "1")
ONCE = "retry = { attempts = 0 }"
NEVER_OPEN = "breaker = { failures = 0, failure_percent = 0 }"
TIMES = "{ connect_ms = 500, first_byte_ms = 10000, idle_ms = 10000 }"


class RoutedGateway(RunningGateway):
    """A gateway whose records are compared with what tests expect of them at the end, so that no test waits for the drain."""

    def __init__(self, directory: Path, config: str, *, workers: int = 1) -> None:
        self.expected: dict[str, tuple[str, dict[str, object]]] = {}
        super().__init__(directory, config, workers=workers)

    def __enter__(self) -> RoutedGateway:
        return self

    def expect(self, reply: Response, **fields: object) -> None:
        """Have these fields of the one record of a reply compared."""
        request_id = reply.field("x-fastgw-request-id")
        assert request_id is not None, reply
        self.expected[request_id] = (os.environ.get("PYTEST_CURRENT_TEST", ""), fields)

    def expect_trace(self, trace: str, **fields: object) -> None:
        """The same for a request of that trace, whose reply broke off."""
        self.wait_until(lambda: any(row["trace_id"] == trace for row in self.records()), f"a record of {trace}")
        [found] = [row for row in self.records() if row["trace_id"] == trace]
        assert {name: found[name] for name in fields} == fields

    def check_records(self) -> None:
        """Each exchange left exactly one record, which says what was expected, and the log has no fault."""
        self.wait_until(lambda: self.expected.keys() <= {row["id"] for row in self.records()}, "a record of each reply")
        rows = self.records()
        found = {row["id"]: row for row in rows}
        assert len(found) == len(rows), "two records of one exchange"
        wrong = {
            where: {name: (found[one][name], value) for name, value in fields.items() if found[one][name] != value}
            for one, (where, fields) in self.expected.items()
        }
        assert not any(wrong.values()), {where: told for where, told in wrong.items() if told}
        assert "Traceback" not in self.log()


class Step(NamedTuple):
    """One attempt of a way, as x-fastgw-route tells it."""

    target: str
    status: int = 0
    trouble: str = ""


def targets_at(url: str, names: Iterable[str], *, times: str = TIMES, provider: str = "openai-compatible") -> str:
    """Integrations at one address, told apart by their path; each says which models it serves, so that no other name leads there."""
    return "".join(
        f'[integrations.{name}]\nprovider = "{provider}"\nbase_url = "{url}/{name}"\napi_key = "sk-provider-{name}-0123456789"\n'
        f'models = ["m-{name}"]\ntimeouts = {times}\n'
        for name in names
    )


def leaf(name: str, **more: object) -> str:
    """A target: the model m-NAME at the integration NAME, called NAME."""
    return inline(name=name, integration=name, model=f"m-{name}", **more)


def inline(**members: object) -> str:
    """An inline table; members are TOML where they are text in braces or brackets, else JSON."""
    return "{ " + ", ".join(f"{name} = {toml(value)}" for name, value in members.items()) + " }"


def toml(value: object) -> str:
    return value if isinstance(value, str) and value[:1] in "{[" else json.dumps(value)


def route(name: str, *targets: str, strategy: str = "fallback", lines: Iterable[str] = (ONCE, NEVER_OPEN)) -> str:
    """One [models.*] table."""
    return "\n".join([f'[models."{name}"]', f'strategy = "{strategy}"', f"targets = [{', '.join(targets)}]", *lines]) + "\n"


def failing(status: int, *, fields: Fields | None = None, **body: object) -> Script:
    """A provider's error."""
    return json_reply({"error": {"message": "no", "type": "x", "code": None, **body}}, status, fields or [])


def send(client: RawClient, model: str, fields: Fields | None = None, *, key: str = KEY, path: str = CHAT, **more: object) -> None:
    """One question, which asks for the explanation too."""
    body = {"model": model, "messages": QUESTION, **more}
    client.send(json_request(path, body, [*bearer(key), EXPLAIN, *(fields or [])]))


def ask(gateway: RoutedGateway, model: str, fields: Fields | None = None, **more: Any) -> Response:
    """The reply to one question, on a connection of its own."""
    with RawClient(gateway.url) as client:
        send(client, model, fields, **more)
        return client.read_response("POST")


def chosen(reply: Response) -> str:
    """The target that served; fails the test where none did."""
    assert reply.status == 200, reply
    return way(reply)[-1].target


def way(reply: Response) -> list[Step]:
    """The attempts of a reply."""
    found = []
    for member in re.findall(r'"[^"]*"(?:;[^,]*)?', reply.field("x-fastgw-route") or ""):
        label, _, rest = member.partition(";")
        told = dict(part.split("=", 1) for part in rest.split(";") if part)
        assert int(told["ms"]) >= 0
        found.append(Step(label.strip('"'), int(told.get("status", 0)), told.get("trouble", "").strip('"')))
    return found


def passed_over(reply: Response) -> dict[str, str]:
    """Who was passed over, and why."""
    return dict(re.findall(r'"([^"]*)";why="([^"]*)"', reply.field("x-fastgw-passed-over") or ""))


def asked_of(upstream: Upstream, since: int = 0) -> list[str]:
    """The targets that were asked, in order: the first step of each path."""
    return [name_of(received) for received in upstream.received[since:]]


def name_of(received: Received) -> str:
    return received.path.split("/")[1]


def place(name: str) -> str:
    """The path at which a target is asked for a chat, for scripts of its own."""
    return f"/{name}/chat/completions"
