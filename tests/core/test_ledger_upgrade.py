"""What becomes of a ledger file of layout 1.

golden/ledger-layout-1.bin was written by the version that had that layout, and packed: the size of the file, then (offset, length, bytes)
of what is not zero in it. Its worker was killed between the two accounts of a settlement, with two other requests in hand.
"""
import struct
import zlib
from pathlib import Path

import pytest

from fastgw._core.ledger import LayoutError, Ledger, Reclaimed
from fastgw.admit.upgrade import upgrade
from tests.core.test_ledger import admitted

PACKED = Path(__file__).parents[1] / "golden" / "ledger-layout-1.bin"
NOW = 1_769_601_600_000_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file as it was left."""
    packed, at = zlib.decompress(PACKED.read_bytes()), 8
    path = tmp_path / "ledger"
    with path.open("wb") as file:
        file.truncate(struct.unpack_from("<q", packed)[0])
        while at < len(packed):
            offset, length = struct.unpack_from("<qq", packed, at)
            file.seek(offset)
            file.write(packed[at + 16 : at + 16 + length])
            at += 16 + length
    return path


def test_layout_1_is_refused_until_it_is_carried_over(path: Path) -> None:
    """The ledger itself opens its own layout only, and says which it found."""
    with pytest.raises(LayoutError, match="expected a ledger of layout 2, found 1"):
        Ledger(path)


def test_every_account_keeps_what_it_spent(path: Path) -> None:
    """Spend, windows, limits, rates and means are found under the same names; what was in hand is finished as if nothing had been."""
    assert upgrade(path)
    ledger = Ledger(path, workers=2)
    assert sorted(ledger.recover(now_ns=NOW)) == [
        Reclaimed(0, 0, 0, b"r" * 16, NOW + 1, "reserved"),
        Reclaimed(1, 50, 8, b"d" * 16, NOW + 2, "dispatched"),
        Reclaimed(2, 33, 5, b"c" * 16, NOW + 3, "charging"),
    ]
    views = {name: ledger.read(ledger.find(name) or 0, now_ns=NOW) for name in ("workspace:default", "key:app", "key:idle")}
    assert [(view.account, view.unit, view.spent, view.committed, view.lifetime, view.in_flight) for view in views.values()] == [
        (0, "nano_usd", 2186, 2186, 2186, 0), (1, "nano_usd", 2186, 2186, 2186, 0), (2, "nano_usd", 0, 0, 0, 0)]
    workspace, key, _ = views.values()
    assert (workspace.budget, workspace.window, workspace.tokens_per_minute, workspace.tokens_left) == (10**12, "month", 1000, 826)
    assert (key.budget, key.window, key.window_start_ns, key.requests_per_minute) == (10**9, "30d", NOW, 60)
    assert (key.requests_left, key.mean_output_tokens, key.lifetime_tokens, key.lifetime_requests) == (54, 20, 8, 4)


def test_carried_ledger_works_on(path: Path) -> None:
    """Accounts are found by name, not made again; others are added behind; budgets refuse what they would have refused."""
    upgrade(path)
    ledger = Ledger(path, workers=2)
    ledger.recover(now_ns=NOW)
    key = ledger.define("key:app", budget=2200, window="30d")
    assert (key, ledger.define("key:more")) == (1, 3)
    ledger.settle_slot(admitted(ledger.admit_chain([key], NOW, 14)), NOW, 14)
    assert ledger.read(key, now_ns=NOW).is_exhausted


def test_nothing_else_is_touched(path: Path, tmp_path: Path) -> None:
    """A ledger of today, another's file and none are left as they are; a draft that a death left is made anew."""
    draft = tmp_path / "ledger.draft"
    draft.write_bytes(b"half a draft")
    assert upgrade(path)
    assert not draft.exists()
    assert not upgrade(path)
    assert not upgrade(tmp_path / "none")
    other = tmp_path / "other"
    other.write_bytes(b"something else" * 1000)
    assert not upgrade(other)
    assert other.read_bytes() == b"something else" * 1000
