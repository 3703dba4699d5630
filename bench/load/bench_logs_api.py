"""Measure what the console asks of the admin API over a log with a million records over 30 days, in process.

Run: python -m bench.load.bench_logs_api [--records 1000000] [--directory DIR with the log of bench_logs, or to make it in].
"""
import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import httpx2

from bench.load.bench_logs import BOUND_MS, DAY_S, DAYS, fill
from fastgw._core.ledger import Ledger
from fastgw.control.accounts import LedgerAccounts
from fastgw.control.app import make_app
from fastgw.control.bootstrap import OWNER_EMAIL, bootstrap
from fastgw.control.plane import Plane
from fastgw.control.store.engine import Transaction, open_store
from fastgw.snapshot.seal import Vault


class NoWorkers:
    """In the place of the publisher: nothing is published."""

    config_revision, published_ns, error = 0, 0, ""

    async def check(self, transaction: Transaction) -> None:
        pass

    async def reached(self, revision: int) -> bool:
        return True

    def wake(self) -> None:
        pass


def questions(until_s: int) -> dict[str, str]:
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until_s - DAYS * DAY_S))
    month = f"since={since}&until={time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(until_s))}"
    return {
        "page, the latest 50": "/logs",
        "page of a key, 30 days": f"/logs?{month}&key=app-77",
        "page of a workspace, 503 only": f"/logs?{month}&workspace=team-1&status=503",
        "page of a user": f"/logs?{month}&user=user-1234",
        "overview, 30 days, step auto": f"/analytics/overview?{month}",
        "overview, 30 days, step hour": f"/analytics/overview?{month}&step=hour",
        "overview of a workspace, 30 days": f"/analytics/overview?{month}&workspace=team-1",
        "groups by model, 30 days": f"/analytics/groups/model?{month}&sort=cost&limit=8",
        "graph of latency, 30 days": f"/analytics/graphs/latency?{month}",
        "graph of users, 30 days": f"/analytics/graphs/users?{month}",
    }


async def measure(state: Path, until_s: int, rounds: int) -> list[str]:
    """Ask each question some times; return which were late."""
    store = await open_store("", state)
    ledger = Ledger(state / "ledger")
    accounts = LedgerAccounts(ledger)
    plane = Plane(store=store, state=state, ledger=ledger, sealer=Vault([bytes(32)]), publisher=NoWorkers(), accounts=accounts)
    late = []
    transport = httpx2.ASGITransport(app=make_app(plane))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1/api/v1") as client:
        signed_in = await client.post("/login", json={"email": OWNER_EMAIL, "password": await bootstrap(store)})
        fields = {"cookie": signed_in.raise_for_status().headers["set-cookie"].partition(";")[0]}
        client.cookies.clear()
        for name, path in questions(until_s).items():
            taken = []
            for _ in range(rounds):
                started = time.perf_counter()
                (await client.get(path, headers=fields)).raise_for_status()
                taken.append((time.perf_counter() - started) * 1000)
            print(f"{name:35} {sorted(taken)[len(taken) // 2]:7.1f} ms, the slowest {max(taken):7.1f}")
            late += [name] if max(taken) > BOUND_MS else []
    await store.close()
    return late


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--directory", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made, tempfile.TemporaryDirectory() as state:
        path = (options.directory or Path(made)) / "logs.db"
        until_s = int(time.time()) // DAY_S * DAY_S
        if not path.exists():
            fill(path, options.records, until_s)
        (Path(state) / "logs.db").symlink_to(path.absolute())
        late = asyncio.run(measure(Path(state), until_s, options.rounds))
        raise SystemExit(f"over {BOUND_MS} ms: {', '.join(late)}" if late else 0)


if __name__ == "__main__":
    main()
