"""Follow the configuration file and what is published: a change is read, checked and compiled whole before it replaces what serves.

If anything fails the old snapshot stays, and the reason is logged, shown by /readyz and counted.
"""
import asyncio
import logging
import os
import ssl
from collections.abc import Callable
from pathlib import Path

from fastgw._core.aside import run_aside
from fastgw._core.upstream import Origin
from fastgw.errors import GatewayError
from fastgw.snapshot.compile import Compiler
from fastgw.snapshot.health import Health
from fastgw.snapshot.load import ConfigError, Document, Marks, explain, marks_of
from fastgw.snapshot.opening import whole
from fastgw.snapshot.seal import Vault
from fastgw.snapshot.types import Snapshot

LOOK_SECONDS = 0.1

log = logging.getLogger("fastgw.config")

Publish = Callable[[Snapshot, list[Origin]], None]


class Watch:
    """The configuration of one worker.

    state   where documents are published, vault: opens what is sealed in them
    """

    def __init__(
        self, path: str, compiler: Compiler, publish: Publish, health: Health, state: Path | None = None, vault: Vault | None = None,
    ) -> None:
        self.path = path
        self.state = state
        self.vault = vault
        self.compiler = compiler
        self.publish = publish
        self.health = health
        self.refusals = 0
        self.seen: Marks = (None, None)
        self.settled: Marks = (None, None)      # of what was last tried to the end: it serves, or was refused
        self.busy: asyncio.Task[None] | None = None
        self.is_asked_again = False

    def __repr__(self) -> str:
        return f"<Watch of {self.path}, {self.refusals} refused>"

    def start(self, document: Document) -> None:
        """Serve by what the supervisor has read already. raises what compiling raises

        A worker that takes a dead one's place reads the file again where it has changed since: keys may have been revoked.
        """
        self.seen = self.settled = document.marks
        refused = document.refused
        if document.path and document.marks != self.marks():
            self.seen = self.settled = self.marks()
            try:
                self.serve(*self._build())
                return
            except ConfigError as error:
                refused = explain(error.problems)
        self.serve(document, *self.compiler.compile(document))
        if refused:
            self._refuse(refused)

    def marks(self) -> Marks:
        return marks_of(self.path, self.state)

    def serve(self, document: Document, snapshot: Snapshot, retired: list[Origin]) -> None:
        self.publish(snapshot, retired)
        if document.shadowed and document.shadowed != self.health.shadowed:
            log.warning("published, but managed by %s: %s", document.path, ", ".join(document.shadowed))
        self.health.shadowed = document.shadowed
        self.health.version = snapshot.version
        self.health.loaded_s = snapshot.loaded_ns / 1e9
        self.health.source = document.path
        self.health.refused = None

    def look(self) -> None:
        """Load again if the file, or what is published, is another than the one last tried."""
        if self.marks() != self.seen:
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
        self.seen = self.marks()
        try:
            self.serve(*await run_aside(self._build))
        except ConfigError as error:
            self._refuse(explain(error.problems))
        except (OSError, ssl.SSLError, ValueError) as error:
            self._refuse(f"{type(error).__name__}: {error}")
        except GatewayError as error:       # of a saved config
            self._refuse(f"configs.{error.param}: {error.message}")
        except Exception as error:          # the edge of a background task
            log.exception("fault in reading the configuration")
            self._refuse(f"a fault of the gateway: {type(error).__name__}")
        else:
            log.info("configuration %s is in force as version %d", self.path, self.health.version)
        self.settled = self.seen

    def _build(self) -> tuple[Document, Snapshot, list[Origin]]:
        document = whole(Path(self.path), os.environ, self.state, self.vault)
        return document, *self.compiler.compile(document)

    def _refuse(self, reason: str) -> None:
        self.refusals += 1
        self.health.refused = reason
        log.error("configuration %s is refused, version %d stays in force:\n%s", self.path, self.health.version, reason)
