"""Follow the key file of the control process: a next generation is mapped in the place of the old one, in a thread.

Changes within a generation need no following: they are there for whoever has it mapped. A file that cannot be used is refused, and what is
mapped already goes on to serve; the reason is logged once and shown by /readyz.
"""

import asyncio
import logging
from pathlib import Path

from fastgw._core.aside import run_aside
from fastgw._core.keyfile import KeyFile, LayoutError
from fastgw.snapshot.health import Health
from fastgw.snapshot.load import Mark, mark_of

log = logging.getLogger("fastgw.keys")


class KeyWatch:
    """The key file of one worker; `file` finds nothing as long as there is none."""

    def __init__(self, path: Path, health: Health) -> None:
        self.file = KeyFile(path, maps=False)
        self.health = health
        self.refused: Mark | None = None
        self.busy: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        return f"<KeyWatch of {self.file!r}>"

    def look(self) -> None:
        """Follow where another file is there than is mapped, and than was refused."""
        if self.is_behind() and (self.busy is None or self.busy.done()):
            self.busy = run_aside(self.refresh)

    def is_behind(self) -> bool:
        return not self.file.is_current() and mark_of(self.file.path) not in (None, self.refused)

    def refresh(self) -> None:
        """Map what is there now, if it can be used."""
        mark = mark_of(self.file.path)
        if mark is None:
            return
        try:
            self.file.refresh()
        except (OSError, LayoutError) as error:
            self.refused = mark
            self.health.keys_refused = str(error)
            log.error("the key file is refused, %s: %s", "the one before serves on" if len(self.file) else "no issued key is known", error)
        else:
            self.refused = self.health.keys_refused = None
            log.info("%d issued keys are known, generation %d", len(self.file), self.file.generation)
