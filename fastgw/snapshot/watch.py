"""Follow the configuration file: a change is read, checked and compiled whole before it replaces what serves.

If anything fails the old snapshot stays, and the reason is logged, shown by /readyz and counted.
"""
import asyncio
import logging
import os
import ssl
from collections.abc import Callable

from fastgw._core.upstream import Origin
from fastgw.snapshot.compile import Compiler
from fastgw.snapshot.load import ConfigError, Document, explain, load
from fastgw.snapshot.types import Snapshot
from fastgw.surfaces.local import Health

LOOK_SECONDS = 0.5

log = logging.getLogger("fastgw.config")

Publish = Callable[[Snapshot, list[Origin]], None]
Mark = tuple[int, int, int]


class Watch:
    """The configuration file of one worker."""

    def __init__(self, path: str, compiler: Compiler, publish: Publish, health: Health) -> None:
        self.path = path
        self.compiler = compiler
        self.publish = publish
        self.health = health
        self.refusals = 0
        self.seen: Mark | None = None
        self.busy: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Watch of {self.path}, {self.refusals} refused>"

    def start(self, document: Document) -> None:
        """Serve by what the supervisor has read already. raises what compiling raises"""
        self.seen = self.mark()
        self.serve(*self.compiler.compile(document), document.path)

    def serve(self, snapshot: Snapshot, retired: list[Origin], path: str) -> None:
        self.publish(snapshot, retired)
        self.health.version = snapshot.version
        self.health.loaded_s = snapshot.loaded_ns / 1e9
        self.health.source = path
        self.health.refused = None

    def mark(self) -> Mark | None:
        """What tells one state of the file from another."""
        try:
            status = os.stat(self.path)
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def look(self) -> None:
        """Load again if the file is another than the one last tried."""
        if self.mark() != self.seen:
            self.reload()

    def reload(self) -> None:
        """Load the file now, in a thread; at most one at a time."""
        if self.busy is None or self.busy.done():
            self.busy = asyncio.get_running_loop().create_task(self._reload())

    async def _reload(self) -> None:
        self.seen = self.mark()
        try:
            snapshot, retired = await asyncio.to_thread(self._build)
        except ConfigError as error:
            self._refuse(explain(error.problems))
        except (OSError, ssl.SSLError, ValueError) as error:
            self._refuse(f"{type(error).__name__}: {error}")
        else:
            self.serve(snapshot, retired, self.path)
            log.info("configuration %s is in force as version %d", self.path, snapshot.version)

    def _build(self) -> tuple[Snapshot, list[Origin]]:
        return self.compiler.compile(load(self.path, os.environ))

    def _refuse(self, reason: str) -> None:
        self.refusals += 1
        self.health.refused = reason
        log.error("configuration %s is refused, version %d stays in force:\n%s", self.path, self.health.version, reason)
