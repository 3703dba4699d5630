"""The control process: the admin application under Granian on a socket, and what has to happen by itself beside it."""

import asyncio
import gc
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

from fastgw._core.ledger import Ledger
from fastgw.control.accounts import LedgerAccounts
from fastgw.control.alerts.deliver import Deliverer
from fastgw.control.alerts.find import AlertFinder
from fastgw.control.app import make_app
from fastgw.control.bootstrap import OWNER_EMAIL, bootstrap
from fastgw.control.demo import Demo, demo_lines
from fastgw.control.file import FOLLOW_SECONDS, FileFollower, file_of
from fastgw.control.options import ControlOptions
from fastgw.control.plane import Plane
from fastgw.control.pruning import Pruner
from fastgw.control.publish import StorePublisher
from fastgw.control.rotating import Rotator
from fastgw.control.sample import Traffic, prepare
from fastgw.control.store.engine import StoreUnavailable, open_store
from fastgw.control.through import WRITE_SECONDS, WriteThrough
from fastgw.control.turns import Trouble, every
from fastgw.record.vitals import WRITE_SECONDS as VITALS_SECONDS
from fastgw.record.vitals import Vitals, Work, write_vitals
from fastgw.snapshot.callers import CallerMaker
from fastgw.snapshot.keyring import KeyRing

SOCKET: Final = "control.sock"
LOOK_SECONDS: Final = 1.0
STOP_SECONDS: Final = 5.0
ROTATION_SECONDS: Final = 5.0
SETTLE_SECONDS: Final = 1.0
PRUNE_SECONDS: Final = 3600.0
# By Python's own, to publish a million keys takes twice as long: what is made for each is looked at for cycles again and again.
GC_THRESHOLDS: Final = (50_000, 10, 10)

log = logging.getLogger("fastgw.control")


class Turn(NamedTuple):
    """What is done again and again, by the name that metrics have for it."""

    name: str
    seconds: float
    act: Callable[[], Awaitable[object]]
    trouble: Trouble


def run_control(options: ControlOptions) -> int:
    """Serve until told to stop; return the exit status: 1 where the store cannot be used."""
    calm_collector()
    try:
        return uvloop.run(serve(options))
    except StoreUnavailable as error:
        log.error("%s; traffic flows by what was published before", error)
        return 1


def run_recovery(options: ControlOptions) -> int:
    """Give a ledger that was made afresh what the store knows; return the exit status: 1 where the store cannot be used."""
    calm_collector()
    try:
        uvloop.run(recover(options))
        return 0
    except StoreUnavailable as error:
        log.error("%s; what was spent before is not known here", error)
        return 1


def calm_collector() -> None:
    """Let collections of garbage leave alone what is loaded, and come seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


async def recover(options: ControlOptions) -> None:
    """Make all accounts, publish the keys that lead to them, and take over what they had settled. raises StoreUnavailable"""
    store = await open_store(options.document.config.control.store_url, options.state)
    ring = KeyRing(options.state)
    try:
        ledger = Ledger(options.state / "ledger", workers=len(options.rings))
        CallerMaker(options.document.config, ledger).stated(options.document)
        publisher = StorePublisher(store, options, ring, LedgerAccounts(ledger))
        await publisher.publish()
        await publisher.settle()
        restored = await WriteThrough(store, ledger, options.state).restore()
        if restored:
            log.warning("the ledger was made afresh: %d accounts go on from what the store knows of them", restored)
    finally:
        ring.close()
        await store.close()


async def serve(options: ControlOptions) -> int:
    """Open the store, publish, and answer requests. raises StoreUnavailable"""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    store = await open_store(options.document.config.control.store_url, options.state)
    ring = KeyRing(options.state)
    try:
        password = await bootstrap(store)
        ledger = Ledger(options.state / "ledger", workers=len(options.rings))
        accounts = LedgerAccounts(ledger)
        publisher = StorePublisher(store, options, ring, accounts)
        demo = options.demo
        traffic = None if demo is None else Traffic(options.url, demo.key)
        plane = Plane(
            store=store,
            state=options.state,
            ledger=ledger,
            sealer=options.vault,
            publisher=publisher,
            accounts=accounts,
            file=file_of(options),
            settings=options.document.config.control,
            started_ns=time.time_ns(),
            traffic=traffic,
        )
        through = WriteThrough(store, ledger, options.state, AlertFinder(store).look)
        # must come before anything is changed: who changes something waits until it is published
        publishing = loop.create_task(publisher.run())
        if demo is not None:
            await prepare(plane, demo)
        await publisher.publish()
        if traffic is not None:
            await traffic.ready()
        print(greeting(options.url, password, demo), flush=True)
        async with listening(plane, options.state):
            turns = turns_of(plane, options, publisher, through)
            works = [every(turn.seconds, turn.act, turn.trouble) for turn in turns]
            told = {"publish": publisher.trouble, **{turn.name: turn.trouble for turn in turns}}
            works += [telling(options.state, publisher, told), orphaned(options.parent_pid, stopping)]
            tasks = [publishing, *(loop.create_task(work) for work in works)]
            await stopping.wait()
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task
            # what workers settled on their way out
            await through.write()
            await publisher.settle()
    finally:
        ring.close()
        await store.close()
    return 0


def turns_of(plane: Plane, options: ControlOptions, publisher: StorePublisher, through: WriteThrough) -> tuple[Turn, ...]:
    store, deliverer = plane.store, Deliverer(plane.store, options.document.config, options.vault)
    return (
        Turn("settle", SETTLE_SECONDS, publisher.settle, Trouble("keeping published keys on the disk")),
        Turn("through", WRITE_SECONDS, through.write, Trouble("writing the ledger through")),
        Turn("file", FOLLOW_SECONDS, FileFollower(plane, options).turn, Trouble("following the configuration file")),
        Turn("alerts", WRITE_SECONDS, deliverer.deliver, Trouble("delivering alerts")),
        Turn("rotation", ROTATION_SECONDS, Rotator(store).turn, Trouble("looking for keys to rotate")),
        Turn("pruning", PRUNE_SECONDS, Pruner(store).turn, Trouble("letting go of old rows")),
    )


@asynccontextmanager
async def listening(plane: Plane, state: Path) -> AsyncIterator[None]:
    """Answer requests on the socket in the state directory."""
    path = state / SOCKET
    path.unlink(missing_ok=True)
    server = Server(make_app(plane), uds=path, interface=Interfaces.ASGINL, log_enabled=False)
    serving = asyncio.get_running_loop().create_task(server.serve())
    try:
        yield
    finally:
        server.stop()  # type: ignore[no-untyped-call]  # of Granian
        with suppress(TimeoutError):
            await asyncio.wait_for(serving, STOP_SECONDS)
        path.unlink(missing_ok=True)


async def telling(state: Path, publisher: StorePublisher, troubles: Mapping[str, Trouble]) -> None:
    """Say again and again how all goes, for the metrics."""

    async def tell() -> None:
        works = {name: Work(trouble.failures, bool(trouble.text)) for name, trouble in troubles.items()}
        await asyncio.to_thread(write_vitals, state, Vitals(os.getpid(), time.time(), publisher.found_s, works))

    await every(VITALS_SECONDS, tell, Trouble("telling how the control process is"))


async def orphaned(parent_pid: int, stopping: asyncio.Event) -> None:
    """Stop where the supervisor has died."""
    while os.getppid() == parent_pid:
        await asyncio.sleep(LOOK_SECONDS)
    log.warning("the supervisor is gone: stopping")
    stopping.set()


def greeting(url: str, password: str, demo: Demo | None = None) -> str:
    lines = [f"  console:      {url}/console/"]
    if password:
        lines.append(f"  sign in as:   {OWNER_EMAIL} with the password {password} (it is not shown again)")
    if demo is not None:
        lines.append(demo_lines(url, demo))
    return "\n".join(lines) + "\n"
