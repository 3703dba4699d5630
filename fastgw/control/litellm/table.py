"""The one table of LiteLLM's management routes that are served."""

from typing import Final

from fastgw.control.api.endpoint import Endpoint, Run
from fastgw.control.api.keys import SERVICE, USER, Keys
from fastgw.control.litellm.budgets import BudgetRoutes
from fastgw.control.litellm.keys import KeyRoutes
from fastgw.control.litellm.models import ModelRoutes
from fastgw.control.litellm.spend import SpendRoutes
from fastgw.control.litellm.teams import TeamRoutes
from fastgw.control.litellm.users import UserRoutes

KEY: Final = (SERVICE, USER)
USER_OF: Final = ("organisation_users",)


def endpoints() -> list[Endpoint]:
    """Every route, each path's together."""
    admin = Keys()
    budgets = BudgetRoutes(admin)
    keys = KeyRoutes(admin, budgets)
    teams = TeamRoutes(keys)
    users, models, spend = UserRoutes(keys, teams), ModelRoutes(), SpendRoutes(keys)
    return [
        *post("/key/generate", keys.generate, "create", *KEY),
        *post("/key/service-account/generate", keys.generate, "create", *KEY),
        *post("/key/update", keys.change, "update", *KEY),
        *post("/key/delete", keys.delete, "delete", *KEY),
        *get("/key/info", keys.show, "read", *KEY),
        *get("/key/list", keys.list_all, "list", *KEY),
        *post("/key/block", keys.block, "update", *KEY),
        *post("/key/unblock", keys.unblock, "update", *KEY),
        *post("/key/regenerate", keys.regenerate, "rotate", *KEY),
        *post("/key/{key}/regenerate", keys.regenerate, "rotate", *KEY),
        *post("/key/{key}/reset_spend", keys.reset_spend, "update", *KEY),
        *post("/team/new", teams.make, "create", "workspaces"),
        *post("/team/update", teams.change, "update", "workspaces"),
        *post("/team/delete", teams.delete, "delete", "workspaces"),
        *get("/team/info", teams.show, "read", "workspaces"),
        *get("/team/list", teams.list_all, "list", "workspaces"),
        *get("/team/permissions_list", teams.permissions, "read", "workspaces"),
        *post("/team/permissions_update", teams.change_permissions, "update", "workspaces"),
        *post("/team/block", teams.block, "update", "workspaces"),
        *post("/team/unblock", teams.unblock, "update", "workspaces"),
        *post("/team/member_add", teams.add_members, "create", "workspace_users"),
        *post("/team/member_update", teams.change_member, "update", "workspace_users"),
        *post("/team/member_delete", teams.remove_member, "delete", "workspace_users"),
        *post("/user/new", users.make, "create", *USER_OF),
        *post("/user/update", users.change, "update", *USER_OF),
        *post("/user/delete", users.delete, "delete", *USER_OF),
        Endpoint(method="GET", path="/user/info", run=users.show, summary="/user/info", scope=""),  # everyone sees themselves
        *get("/user/list", users.list_all, "list", *USER_OF),
        *post("/budget/new", budgets.make, "create", "policies"),
        *post("/budget/update", budgets.change, "update", "policies"),
        *post("/budget/info", budgets.show, "read", "policies"),
        *get("/budget/list", budgets.list_all, "list", "policies"),
        *post("/budget/delete", budgets.delete, "delete", "policies"),
        *post("/model/new", models.make, "create", "models"),
        *post("/model/update", models.change, "update", "models"),
        Endpoint(  # as its Terraform provider changes one
            method="PATCH", path="/model/{model}/update", run=models.change, summary="/model/{model}/update", scope="models.update",
            uses="write",
        ),  # fmt: skip
        *post("/model/delete", models.delete, "delete", "models"),
        *get("/model/info", models.show, "list", "models"),
        *get("/model_group/info", models.groups, "list", "models"),
        *get("/spend/logs", spend.list_all, "list", "logs"),
    ]


def post(path: str, run: Run, verb: str, resource: str, *others: str) -> list[Endpoint]:
    more = tuple(f"{other}.{verb}" for other in others)
    # what only looks is sent by POST as well in one place
    uses = "read" if verb == "read" else "write"
    return [Endpoint(method="POST", path=path, run=run, summary=path, scope=f"{resource}.{verb}", or_scopes=more, uses=uses)]  # type: ignore[arg-type]  # one of two words


def get(path: str, run: Run, verb: str, resource: str, *others: str) -> list[Endpoint]:
    more = tuple(f"{other}.{verb}" for other in others)
    return [Endpoint(method="GET", path=path, run=run, summary=path, scope=f"{resource}.{verb}", or_scopes=more)]
