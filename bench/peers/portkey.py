"""Portkey's open-source gateway, from npm."""
from __future__ import annotations

import json

from bench.peers.place import Place
from bench.peers.recipe import Recipe, Started

VERSION = "1.15.2"
PACKAGE = "node_modules/@portkey-ai/gateway"
# With the releases of its server that npm would choose, 1.19, every stream ends with 500 and "immutable" in its log.
MANIFEST = {"private": True, "dependencies": {"@portkey-ai/gateway": VERSION}, "overrides": {"@hono/node-server": "1.13.8"}}


def prepare(place: Place) -> str:
    place.folder.mkdir(parents=True, exist_ok=True)
    (place.folder / "package.json").write_text(json.dumps(MANIFEST))
    place.install(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"])
    return str(json.loads((place.folder / PACKAGE / "package.json").read_text())["version"])


def start(place: Place, lane: str) -> Started:
    # Only hosts that are trusted by name may be addresses of this machine.
    pid = place.spawn(
        ["node", str(place.folder / PACKAGE / "build/start-server.js"), "--headless", f"--port={place.port}"],
        NODE_ENV="production", TRUSTED_CUSTOM_HOSTS="127.0.0.1,localhost")
    place.await_http("/")
    return Started(place.url, (pid,), fields={"x-portkey-provider": "openai", "x-portkey-custom-host": f"{place.upstream}/v1"})


PORTKEY = Recipe(
    name="portkey", source=f"npm, @portkey-ai/gateway {VERSION}",
    setup="`node build/start-server.js --headless`, NODE_ENV=production; @hono/node-server 1.13.8, since streams fail with 1.19",
    lanes={"bare": "reads and writes JSON anew, routes by headers of the request"},
    lacks={"governed": "the open-source gateway has no keys, budgets, limits or stored log: they are parts of the hosted product"},
    unequal="checks no key, computes no cost", prepare=prepare, start=start, window_s=4.0)
