"""Routes out of TOML, over a table of their own, for tests that walk through them."""
import tomllib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from fastgw._core.route import TargetTable
from fastgw.route.build import Placed, build_route
from fastgw.route.check import objections_to
from fastgw.route.plan import Leaf, Route, Walk
from fastgw.route.retry import UNKNOWN, Failure, trouble_of_status
from fastgw.snapshot.problem import Problems
from fastgw.snapshot.read import Reader
from fastgw.snapshot.routes import Route as Written
from fastgw.snapshot.routes import Target, Trouble

MS = 1_000_000
SECOND = 1000 * MS
NOW = 5_000_000 * SECOND
DRAW = 0x9E3779B97F4A7C15
PRICES = {"cheap": (100, 400), "mid": (1000, 4000), "dear": (5000, 20_000), "unknown": (-1, -1)}


def read(text: str) -> Written:
    """A route that is written without a mistake that types can say."""
    problems = Problems()
    section = Reader({}, problems).read(Written, tomllib.loads(text, parse_float=Decimal), ())
    assert not problems.found, problems.found
    assert isinstance(section, Written)
    return section


def placed(target: Target) -> Placed:
    """A leaf stands for its own model; its price goes by the name."""
    return Placed(target.model, *PRICES.get(target.model or "", (10, 40)))


def make(text: str, folder: Path, place: Callable[[Target], Placed] = placed) -> Route:
    """A route over a fresh table."""
    section = read(text)
    integrations: dict[str, tuple[str, ...]] = {"one": (), "two": (), "three": ()}
    assert list(objections_to(section, (), integrations)) == []
    return build_route("test", section, TargetTable(folder / "targets", fresh=True), place)


def models(*names: str) -> str:
    """Leaves of one integration, as a TOML list."""
    return ", ".join(f'{{ integration = "one", model = "{name}" }}' for name in names)


def failure(status: int = 0, trouble: Trouble | None = None, retry_after_ns: int = UNKNOWN) -> Failure:
    """A failure by its status, or by its kind where no reply came."""
    kind = trouble or (trouble_of_status(status) if status else "connection")
    return Failure(status=status, trouble=kind, retry_after_ns=retry_after_ns)


def fail(walk: Walk, wrong: Failure, now_ns: int = NOW, draw: int = DRAW) -> tuple[str, int]:
    """End the attempt in hand with a failure and say what follows."""
    walk.end_attempt(now_ns, status=wrong.status, trouble=wrong.trouble)
    return walk.follow_up(wrong, draw, now_ns)


def name_of(leaf: Leaf | None) -> object:
    """The model of a leaf; None where there is none."""
    return None if leaf is None else leaf.target
