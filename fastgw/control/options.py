"""What the supervisor tells the control process."""

from pathlib import Path

from msgspec import Struct

from fastgw.control.demo import Demo
from fastgw.snapshot.load import Document
from fastgw.snapshot.seal import Vault


class ControlOptions(Struct, frozen=True):
    """Handed over in memory, since it holds the key that secrets are sealed with."""

    document: Document
    state: Path
    vault: Vault
    rings: tuple[Path, ...]     # of the workers, by number
    url: str                # where people reach the gateway
    parent_pid: int
    demo: Demo | None = None

    def __repr__(self) -> str:
        return f"<ControlOptions of {self.state}>"
