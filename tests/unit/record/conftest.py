"""Fixtures for the tests of records."""
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastgw._core.ring import RingWriter


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[RingWriter]:
    """A ring of 1 MiB at ring-0."""
    ring = RingWriter(tmp_path / "ring-0", 1 << 20, 0)
    yield ring
    ring.close()
