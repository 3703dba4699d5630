"""What one command was asked to measure."""
from __future__ import annotations

from pathlib import Path

import msgspec


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The options of `fastgw bench`; what each means to a user is said in bench/options.py."""

    url: str
    direct: str | None = None
    governed: str | None = None
    dialect: str = "openai"
    is_embeddings: bool = False
    model: str | None = None
    key: str = ""
    direct_key: str = ""
    governed_key: str | None = None
    fields: dict[str, str] = {}
    governed_fields: dict[str, str] = {}
    ca: Path | None = None
    timeout_s: float = 30.0
    body_bytes: int = 0
    tokens: int = 64
    is_unique: bool = False
    seconds: float = 5.0
    connections: int = 32
    rate: float = 0.0
    is_poisson: bool = False
    rounds: int = 31
    block: int = 500
    windows: int = 4
    pids: tuple[int, ...] = ()
    governed_pids: tuple[int, ...] = ()
    cgroup: Path | None = None
    is_stream: bool = False
    has_frontier: bool = False
    has_payloads: bool = False
    has_in_flight: bool = False

    @property
    def kind(self) -> str:
        return "embeddings" if self.is_embeddings else self.dialect
