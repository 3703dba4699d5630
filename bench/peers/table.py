"""All recipes, in the order in which they are measured and shown."""
from __future__ import annotations

from bench.peers.binaries import BINARIES
from bench.peers.floors import FLOORS
from bench.peers.litellm import LITELLM
from bench.peers.ours import OURS
from bench.peers.portkey import PORTKEY
from bench.peers.recipe import Recipe

RECIPES: dict[str, Recipe] = {one.name: one for one in (*FLOORS, *OURS, *BINARIES, PORTKEY, LITELLM)}
