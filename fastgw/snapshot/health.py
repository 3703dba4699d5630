"""How a worker is doing: what /readyz tells."""
import time

import msgspec

_encode = msgspec.json.encode


class Health:
    """What /readyz tells: which snapshot serves, and why a newer one or the keys that were issued do not."""

    def __init__(self) -> None:
        self.started_s = time.time()
        self.version = 0
        self.source = ""
        self.loaded_s = 0.0
        self.refused: str | None = None
        self.keys_refused: str | None = None
        self.awaits_keys = False        # others share the store, and this machine never had its keys
        self.shadowed: tuple[str, ...] = ()
        self.stopping = False

    def __repr__(self) -> str:
        return f"<Health snapshot {self.version}{', a newer one refused' if self.refused else ''}{', stopping' if self.stopping else ''}>"

    def ready(self) -> tuple[int, bytes]:
        """(status, body) of /readyz: 503 before the first snapshot and the first keys, and while stopping."""
        is_ready = self.version > 0 and not self.awaits_keys and not self.stopping
        body: dict[str, object] = {
            "status": "ready" if is_ready else "stopping" if self.stopping else "starting",
            "snapshot": {"version": self.version, "loaded_at": int(self.loaded_s)},
        }
        if self.awaits_keys:
            body["awaits"] = "the keys of the store, which were never published here"
        if self.refused:
            body["config_refused"] = self.refused
        if self.shadowed:
            body["managed_by_file"] = self.shadowed
        if self.keys_refused:
            body["keys_refused"] = self.keys_refused
        return (200 if is_ready else 503), _encode(body)
