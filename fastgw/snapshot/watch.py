"""Follow the configuration file: a change is read, checked and compiled whole before it replaces what serves.

If anything fails the old snapshot stays, and the reason is logged, shown by /readyz and counted.
"""
import asyncio
import logging
import os
import ssl
from collections.abc import Callable

from fastgw._core.upstream import Origin
from fastgw.snapshot.certificates import check_certificates
from fastgw.snapshot.compile import Compiler
from fastgw.snapshot.health import Health
from fastgw.snapshot.load import ConfigError, Document, Mark, explain, load, mark_of
from fastgw.snapshot.types import Snapshot

LOOK_SECONDS = 0.5

log = logging.getLogger("fastgw.config")

Publish = Callable[[Snapshot, list[Origin]], None]


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
        self.is_asked_again = False

    def __repr__(self) -> str:
        return f"<Watch of {self.path}, {self.refusals} refused>"

    def start(self, document: Document) -> None:
        """Serve by what the supervisor has read already. raises what compiling raises

        A worker that takes a dead one's place reads the file again where it has changed since: keys may have been revoked.
        """
        self.seen = document.mark
        if document.path and document.mark != mark_of(self.path):
            self.seen = mark_of(self.path)
            try:
                self.serve(*self._build(), self.path)
                return
            except ConfigError as error:
                self.serve(*self.compiler.compile(document), document.path)
                self._refuse(explain(error.problems))
                return
        self.serve(*self.compiler.compile(document), document.path)

    def serve(self, snapshot: Snapshot, retired: list[Origin], path: str) -> None:
        self.publish(snapshot, retired)
        self.health.version = snapshot.version
        self.health.loaded_s = snapshot.loaded_ns / 1e9
        self.health.source = path
        self.health.refused = None

    def look(self) -> None:
        """Load again if the file is another than the one last tried."""
        if mark_of(self.path) != self.seen:
            self.reload()

    def reload(self) -> None:
        """Load the file now, in a thread; at most one at a time, and once more where asked meanwhile."""
        if self.busy is None or self.busy.done():
            self.busy = asyncio.get_running_loop().create_task(self._reload())
        else:
            self.is_asked_again = True

    async def _reload(self) -> None:
        await self._load()
        while self.is_asked_again:
            self.is_asked_again = False
            await self._load()

    async def _load(self) -> None:
        self.seen = mark_of(self.path)
        try:
            snapshot, retired = await asyncio.to_thread(self._build)
        except ConfigError as error:
            self._refuse(explain(error.problems))
        except (OSError, ssl.SSLError, ValueError) as error:
            self._refuse(f"{type(error).__name__}: {error}")
        except Exception as error:          # the edge of a background task
            log.exception("fault in reading the configuration")
            self._refuse(f"a fault of the gateway: {type(error).__name__}")
        else:
            self.serve(snapshot, retired, self.path)
            log.info("configuration %s is in force as version %d", self.path, snapshot.version)

    def _build(self) -> tuple[Snapshot, list[Origin]]:
        document = load(self.path, os.environ)
        check_certificates(document.config, document.path)
        return self.compiler.compile(document)

    def _refuse(self, reason: str) -> None:
        self.refusals += 1
        self.health.refused = reason
        log.error("configuration %s is refused, version %d stays in force:\n%s", self.path, self.health.version, reason)
