"""The configuration file beside the store, as the API shows it: what it says now, or said when it last held."""

import asyncio
import logging
import os
from pathlib import Path
from typing import Final

from fastgw.control.options import ControlOptions
from fastgw.control.plane import Plane
from fastgw.snapshot.config import Config
from fastgw.snapshot.load import ConfigError, explain
from fastgw.snapshot.opening import open_alone

FOLLOW_SECONDS: Final = 1.0

log = logging.getLogger("fastgw.control")


def file_of(options: ControlOptions) -> Config | None:
    """What the file alone says: the supervisor's document has what was published before in it too."""
    if not options.document.path:
        return None
    try:
        return open_alone(Path(options.document.path), os.environ).config
    except ConfigError as error:
        log.error("the configuration file does not hold any more, so it is not shown as it stands: %s", explain(error.problems))
        return None


class FileFollower:
    """Looks at the file, as the workers do, and shows another one once it holds."""

    def __init__(self, plane: Plane, options: ControlOptions) -> None:
        self.plane = plane
        self.options = options
        self.seen: tuple[int, ...] = ()     # so that a change since the start is found

    def __repr__(self) -> str:
        return f"<FileFollower of {self.options.document.path!r}>"

    def stamp(self) -> tuple[int, ...]:
        """Another one once the file is; none where there is no file."""
        try:
            status = os.stat(self.options.document.path) if self.options.document.path else None
        except OSError:
            return ()
        return () if status is None else (status.st_mtime_ns, status.st_size, status.st_ino)

    async def turn(self) -> None:
        stamp = self.stamp()
        if stamp == self.seen:
            return
        self.seen = stamp
        if stamp and (found := await asyncio.to_thread(file_of, self.options)) is not None:
            self.plane.file = found
