"""Who may do what: every endpoint by every role, against one table that is written down here."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from fastgw.control.access.roles import SCOPES
from fastgw.control.api.endpoint import Endpoint
from fastgw.control.api.table import endpoints
from tests.control.plane import PASSWORD, Caller, Control, Json, running

# owner, admin and member: of the organisation. w.*: members of it who have that role in the workspace `team`, where whatever the paths name
# is. outsider: the owner of another organisation. scope: a token of the organisation with the first scope that the endpoint names, and no
# other; rest: one with all scopes but those. nobody: without any.
#   +  done     .  answered, with nothing of ours in it     -  403     0  404, or 422 where the body names what they may not see     !  401
CALLERS = ("owner", "admin", "member", "w.admin", "w.manager", "w.member", "outsider", "scope", "rest", "nobody")
TABLE = """
GET    /alerts                                                . . - . . - . . - !
GET    /analytics/graphs/cache/hit-rate                       + + - + + + + + - !
GET    /analytics/graphs/cache/latency                        + + - + + + + + - !
GET    /analytics/graphs/cost                                 + + - + + + + + - !
GET    /analytics/graphs/errors                               + + - + + + + + - !
GET    /analytics/graphs/errors/rate                          + + - + + + + + - !
GET    /analytics/graphs/errors/stacks                        + + - + + + + + - !
GET    /analytics/graphs/errors/status-codes                  + + - + + + + + - !
GET    /analytics/graphs/latency                              + + - + + + + + - !
GET    /analytics/graphs/requests                             + + - + + + + + - !
GET    /analytics/graphs/requests/rescued                     + + - + + + + + - !
GET    /analytics/graphs/tokens                               + + - + + + + + - !
GET    /analytics/graphs/users                                + + - + + + + + - !
GET    /analytics/graphs/users/requests                       + + - + + + + + - !
GET    /analytics/groups/ai-models                            + + - + + + + + - !
GET    /analytics/groups/metadata/{name}                      + + - + + + + + - !
GET    /analytics/groups/users                                + + - + + + + + - !
GET    /analytics/groups/{by}                                 + + - + + + + + - !
GET    /analytics/overview                                    + + - + + + + + - !
GET    /analytics/summary/cache                               + + - + + + + + - !
GET    /audit                                                 + + - + - - . + - !
GET    /budgets                                               + + - . - - . + - !
POST   /budgets                                               + + - - - - + + - !
DELETE /budgets/{budget}                                      + + - 0 - - 0 0 - !
GET    /budgets/{budget}                                      + + - 0 - - 0 + - !
PATCH  /budgets/{budget}                                      + + - 0 - - 0 0 - !
GET    /catalog                                               . . - . . . . . - !
GET    /channels                                              + + - + + - . + - !
POST   /channels                                              + + - + + - 0 + - !
DELETE /channels/{channel}                                    + + - + + - 0 0 - !
GET    /channels/{channel}                                    + + - + + - 0 + - !
PATCH  /channels/{channel}                                    + + - + + - 0 0 - !
POST   /channels/{channel}/test                               + + - + + - 0 0 - !
GET    /configs                                               + + - + + + . + - !
POST   /configs                                               + + - + + - 0 + - !
POST   /configs/check                                         + + - + + + + + - !
DELETE /configs/{config}                                      + + - + + - 0 0 - !
GET    /configs/{config}                                      + + - + + + 0 + - !
PATCH  /configs/{config}                                      + + - + + - 0 0 - !
POST   /configs/{config}/restore                              + + - + + - 0 0 - !
GET    /configs/{config}/versions                             + + - + + + 0 + - !
POST   /demo/traffic                                          0 0 - - - - 0 0 - !
GET    /health                                                + + + + + + + + + +
GET    /integrations                                          + + - + + + . + - !
POST   /integrations                                          + + - - - - + + - !
DELETE /integrations/{integration}                            + + - - - - 0 0 - !
GET    /integrations/{integration}                            + + - + + + 0 + - !
PATCH  /integrations/{integration}                            + + - - - - 0 0 - !
POST   /integrations/{integration}/test                       + + - - - - 0 0 - !
GET    /integrations/{integration}/workspaces                 + + - + + . 0 + - !
DELETE /integrations/{integration}/workspaces/{workspace}     + + - - - - 0 0 - !
GET    /integrations/{integration}/workspaces/{workspace}     + + - + + 0 0 + - !
PUT    /integrations/{integration}/workspaces/{workspace}     + + - - - - 0 0 - !
GET    /keys                                                  + + - + + + . + - !
POST   /keys                                                  + + - + + + 0 + - !
POST   /keys/playground                                       + + - + + + 0 - - !
DELETE /keys/{key}                                            + + - + + - 0 0 - !
GET    /keys/{key}                                            + + - + + - 0 + - !
PATCH  /keys/{key}                                            + + - + + - 0 0 - !
POST   /keys/{key}/reset                                      + + - + + - 0 0 - !
POST   /keys/{key}/rotate                                     + + - + + - 0 0 - !
POST   /login                                                 + + + + + + + + + +
GET    /login/options                                         + + + + + + + + + +
GET    /logs                                                  + + - + + + + + - !
GET    /logs/export                                           + + - + + - + + - !
GET    /logs/live                                             + + - + + + + + - !
GET    /logs/{log}                                            0 0 - 0 0 0 0 0 - !
GET    /me                                                    + + + + + + + + + !
GET    /models                                                + + - + + + . + - !
POST   /models                                                + + - - - - 0 + - !
DELETE /models/{model:path}                                   + + - - - - 0 0 - !
GET    /models/{model:path}                                   + + - + + + 0 + - !
PATCH  /models/{model:path}                                   + + - - - - 0 0 - !
GET    /openapi.json                                          + + + + + + + + + +
GET    /organisation                                          + + - - - - + + - !
PATCH  /organisation                                          + - - - - - + + - !
POST   /organisation/reset                                    + - - - - - + + - !
GET    /prices                                                + + - - - - . + - !
POST   /prices                                                + + - - - - + + - !
DELETE /prices/{price:path}                                   + + - - - - 0 0 - !
GET    /prices/{price:path}                                   + + - - - - 0 + - !
PATCH  /prices/{price:path}                                   + + - - - - 0 0 - !
GET    /spend                                                 + + - + + + + + - !
GET    /status                                                + + - - - - + + - !
GET    /tokens                                                + + - + + - . . - !
POST   /tokens                                                + + - - - - + + - !
DELETE /tokens/{token}                                        + + - + + - 0 0 - !
GET    /tokens/{token}                                        + + - + + - 0 0 - !
PATCH  /tokens/{token}                                        + + - + + - 0 0 - !
GET    /users                                                 + + . . . . . - + !
POST   /users                                                 + + - - - - + + - !
DELETE /users/{user}                                          + + - - - - 0 - - !
GET    /users/{user}                                          + + 0 0 0 0 0 - + !
PATCH  /users/{user}                                          + + - - - - 0 - - !
POST   /users/{user}/reset                                    + + - - - - 0 - - !
POST   /users/{user}/password                                 - - 0 0 0 0 0 - - !
POST   /users/{user}/reset                                    + + - - - - 0 - - !
GET    /workspaces                                            + + - + + + . + - !
POST   /workspaces                                            + + - - - - + + - !
DELETE /workspaces/{workspace}                                + + - - - - 0 0 - !
GET    /workspaces/{workspace}                                + + - + + + 0 + - !
PATCH  /workspaces/{workspace}                                + + - + - - 0 0 - !
POST   /workspaces/{workspace}/reset                          + + - + - - 0 0 - !
GET    /workspaces/{workspace}/members                        + + - + + - 0 + - !
POST   /workspaces/{workspace}/members                        + + - + - - 0 - - !
DELETE /workspaces/{workspace}/members/{user}                 + + - + - - 0 - - !
GET    /workspaces/{workspace}/members/{user}                 + + - + + - 0 + - !
PATCH  /workspaces/{workspace}/members/{user}                 + + - + - - 0 - - !
POST   /workspaces/{workspace}/reset                          + + - + - - 0 0 - !
POST   /logout                                                + + + + + + + + + !
"""
LINES = [line for line in TABLE.splitlines() if line]  # signing out is the last one
NUMBERS = itertools.count()
CLOSED = "http://127.0.0.1:1"
CONFIG = {"retry": {"attempts": 1}}
# What is right for everybody who may; of things that are only changed or deleted the version is another, so that they stay.
BODIES: dict[str, Callable[[int], Json]] = {
    "POST /workspaces": lambda number: {"slug": f"w-{number}"},
    "POST /users": lambda number: {"email": f"p{number}@example.com"},
    "POST /tokens": lambda number: {"name": "x", "scopes": ["organisation_service_api_keys.create"]},
    "POST /integrations": lambda number: {"slug": f"i-{number}", "provider": "openai", "api_key": "sk-1"},
    "POST /keys": lambda number: {"name": f"k-{number}", "workspace": "team"},
    "POST /keys/playground": lambda number: {"workspace": "team"},
    "POST /channels": lambda number: {"name": f"c-{number}", "kind": "webhook", "url": CLOSED, "workspace": "team"},
    "POST /configs": lambda number: {"slug": f"c-{number}", "config": CONFIG, "workspace": "team"},
    "POST /configs/check": lambda number: {"config": CONFIG},
    "POST /configs/{config}/restore": lambda number: {"number": 1},
    "POST /models": lambda number: {"name": f"m-{number}", "targets": [{"integration": "shared", "model": "gpt-4.1"}]},
    "POST /budgets": lambda number: {"name": f"b-{number}"},
    "POST /prices": lambda number: {"provider": "openai", "model": f"m-{number}", "input": 1, "output": 1},
    "POST /login": lambda number: {"email": "target@example.com", "password": PASSWORD},
    "POST /users/{user}/password": lambda number: {"current": PASSWORD, "password": PASSWORD},
}


class Scene:
    """One of each thing in a workspace, and somebody of each kind."""

    def __init__(self, control: Control) -> None:
        self.control = control
        ask = control.ask
        team = ask("POST", "/workspaces", {"slug": "team"}, 201)["id"]
        user = ask("POST", "/users", {"email": "target@example.com", "password": PASSWORD}, 201)["id"]
        ask("POST", "/workspaces/team/members", {"user_id": user, "role": "member"}, 201)
        made: dict[str, tuple[str, Json]] = {
            "integration": (
                "/integrations", {"slug": "shared", "provider": "openai", "api_key": "sk-1", "base_url": CLOSED, "share_with": ["team"]}
            ),
            "key": ("/keys", {"name": "target", "workspace": "team"}),
            "token": ("/tokens", {"name": "target", "scopes": ["workspaces.list"], "workspace": "team"}),
            "channel": ("/channels", {"name": "target", "kind": "webhook", "url": CLOSED, "workspace": "team"}),
            "config": ("/configs", {"slug": "target", "config": CONFIG, "workspace": "team"}),
            "model": ("/models", {"name": "target", "targets": [{"integration": "shared", "model": "gpt-4.1"}]}),
            "budget": ("/budgets", {"name": "target", "budgets": [{"usd": 1}]}),
            "price": ("/prices", {"provider": "openai", "model": "target", "input": 1, "output": 1}),
        }
        self.names = {"workspace": team, "user": user, "by": "model", "name": "team", "log": "1-1"}
        self.names |= {noun: ask("POST", path, body, 201)["id"] for noun, (path, body) in made.items()}
        self.people: dict[str, Caller] = {
            "owner": control, "admin": control.person("admin@example.com", "admin"), "member": control.person("member@example.com"),
            "outsider": control.outsider(), "nobody": Caller(control.client, {}),
        } | {f"w.{role}": control.person(f"{role}@workspace.example", team=role) for role in ("admin", "manager", "member")}  # fmt: skip

    def __repr__(self) -> str:
        return f"<Scene of {self.control!r}>"

    def caller(self, name: str, row: Endpoint) -> Caller:
        if name == "scope":
            return self.control.script(row.scope or "status.view")
        if name == "rest":
            return self.control.script(*sorted(SCOPES - {row.scope or "", *row.or_scopes}))
        return self.people[name]

    def signs(self, row: Endpoint) -> str:
        """A line of the table, from its end on: whoever signs out does nothing more."""
        return " ".join(reversed([self.sign(name, row) for name in reversed(CALLERS)]))

    def sign(self, name: str, row: Endpoint) -> str:
        """What becomes of a request, as the table writes it."""
        path = row.path.replace(":path", "")
        for noun, value in self.names.items():
            path = path.replace(f"{{{noun}}}", value)
        assert "{" not in path, f"nothing stands for a name in {path}"
        fields = {} if row.method == "POST" else {"if_match": '"999"'}
        body = None if row.method in ("GET", "DELETE") else self.body(row)
        page = "?limit=500" if "limit" in row.query else ""
        answer = self.caller(name, row).send(row.method, path + page, body, **fields)
        refused = {401: "!", 403: "-", 404: "0", 422: "0"}.get(answer.status_code)
        if answer.status_code == 403:
            assert answer.json()["error"]["code"] == "forbidden", f"{row.method} {path} by {name}: {answer.text}"
        if refused is None:
            assert answer.is_success or answer.json()["error"]["code"] == "conflict", f"{row.method} {path} by {name}: {answer.text}"
        # ids, as names are short and stand in much else
        ours = [value for value in (*self.names.values(), "owner@localhost") if len(value) > 10]
        if refused is None and row.is_list and not any(value in answer.text for value in ours):
            return "."
        return refused or "+"

    def body(self, row: Endpoint) -> Json:
        """What is right for everybody who may."""
        number = next(NUMBERS)
        if row.path.endswith("/members") and row.method == "POST":
            user = self.control.ask("POST", "/users", {"email": f"u{number}@example.com"}, 201)["id"]
            return {"user_id": user, "role": "member"}
        made = BODIES.get(f"{row.method} {row.path}")
        return {} if made is None else made(number)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with running("", tmp_path_factory.mktemp("roles")) as control:
        yield Scene(control)


def test_every_endpoint_stands_in_the_table() -> None:
    """What is served by a path without a row here would be held to nothing."""
    assert {f"{row.method} {row.path}" for row in endpoints()} == {" ".join(line.split()[:2]) for line in LINES}


@pytest.mark.parametrize("line", LINES, ids=lambda line: " ".join(line.split()[:2]))
def test_everyone_may_do_what_the_table_says(scene: Scene, line: str) -> None:
    """Each caller of the table, one after another."""
    method, path, *expected = line.split()
    row = next(row for row in endpoints() if (row.method, row.path) == (method, path))
    found = dict(zip(CALLERS, scene.signs(row).split(), strict=True))
    assert found == dict(zip(CALLERS, expected, strict=True))
