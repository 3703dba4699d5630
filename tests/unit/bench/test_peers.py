"""The comparison with rivals: what the table says of figures, of reasons, and of where fastgw is behind."""
import os
from pathlib import Path

import pytest

from bench.peers import __main__ as command
from bench.peers.figures import COLUMNS, losses
from bench.peers.measure import LEAST_WINDOW_S, Comparing, Row, window_s
from bench.peers.place import CannotRun, placed
from bench.peers.recipe import LANES
from bench.peers.render import BEGIN, END, Comparison, insert, markdown
from bench.peers.table import RECIPES
from fastgw.bench.figures import Figure, Report, Section, figure
from fastgw.bench.progress import Progress


def row(name: str, *figures: Figure, lane: str = "bare", absent: str = "") -> Row:
    report = Report(1, "", "", 1.0, {}, {}, {}, [Section("closed", "", "", list(figures))]) if figures else None
    return Row(name, lane, "somewhere", "set up so", "does this", "not the same", "1.0", absent, report)


def cpu(value: float, *void: str) -> Figure:
    return figure("CPU", "us/request", "gateway", value, void, low=value - 1, high=value + 1)


def text(*rows: Row) -> str:
    machine = {"usable cores": "2", "cores": "2", "processor": "P", "kernel": "K", "load average": "0.1"}
    return markdown(Comparison(1, "python -m bench.peers", "2026", 60.0, "abc", machine, list(rows)))


def test_row_says_what_is_not_equal_beside_its_figures() -> None:
    """Each measured row has its ratio to nginx and its caveat; one that could not be measured has the reason."""
    page = text(row("nginx", cpu(10)), row("fastgw", cpu(15)), row("rival", absent="no such package"))
    assert "| fastgw 1.0 | 15.0 | 1.50 |" in page
    assert page.count("not the same") == 2
    assert "not measured: no such package" in page


def test_void_figure_is_not_shown_but_its_reason_is() -> None:
    """A figure that may not be believed is the word void, and why stands below."""
    page = text(row("nginx", cpu(10)), row("rival", cpu(77, "the machine swapped")))
    assert "77" not in page
    assert "| rival 1.0 | void |" in page
    assert "* rival: the machine swapped" in page


def test_governed_table_has_nginx_of_the_bare_lane() -> None:
    """Floors have no governed lane: nginx stands there as it was measured, and says so."""
    page = text(row("nginx", cpu(10)), row("nginx", lane="governed", absent="no keys"), row("fastgw", cpu(20), lane="governed"))
    governed = page.split("### Governed")[1]
    assert "nginx 1.0 (bare)" in governed
    assert "| fastgw 1.0 | 20.0 | 2.00 |" in governed


def test_losses_are_those_beyond_the_intervals() -> None:
    """Where a peer's interval is below ours the page says so; where they touch it does not."""
    rows = [row("fastgw", cpu(15)), row("close", cpu(14)), row("better", cpu(10))]
    assert list(losses(rows, COLUMNS)) == ["CPU per request, µs: fastgw 15.0; better 10.0"]


def test_table_goes_between_the_marks(tmp_path: Path) -> None:
    """What stands around the marks stays; a page without them is refused."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    insert(page, "table")
    assert page.read_text() == f"before\n{BEGIN}\ntable\n{END}\nafter\n"
    page.write_text("nothing")
    with pytest.raises(ValueError, match="expected one"):
        insert(page, "table")


def test_recipe_says_something_of_each_lane() -> None:
    """A recipe has each lane, or the reason why not, and never both."""
    for recipe in RECIPES.values():
        assert {*recipe.lanes, *recipe.lacks} == set(LANES), recipe.name
        assert not recipe.lanes.keys() & recipe.lacks.keys(), recipe.name


def test_peer_that_does_not_start_says_why() -> None:
    """A program that ends at once is a reason with what it printed, and nothing of it stays."""
    with placed("none", "", os.sched_getaffinity(0), {}) as place, pytest.raises(CannotRun, match="out of order"):
        place.spawn(["sh", "-c", "echo out of order; exit 3"])
        place.await_http("/")


def test_peer_without_its_binary_is_a_row_with_a_reason() -> None:
    """What no registry carries does not stop the others."""
    with open("/dev/null", "w") as nowhere:
        comparing = Comparing(lane_s=1, is_stream=False, binaries={}, progress=Progress(nowhere, is_quiet=True))
        assert "--binary bifrost=PATH" in comparing.row(RECIPES["bifrost"], "bare").absent


def test_window_fits_the_time_there_is() -> None:
    """More minutes are longer windows, and too few are not none."""
    assert window_s(1, False) == LEAST_WINDOW_S
    assert window_s(120, True) < window_s(120, False) < window_s(600, False)


@pytest.mark.parametrize("words", [["nignx"], ["--lanes", "bar"], ["--binary", "x=/bin/true"]])
def test_wrong_name_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A typo ends with what was expected, before anything runs."""
    with pytest.raises(SystemExit, match="2"):
        command.options(words)
    assert "expected a" in capsys.readouterr().err
