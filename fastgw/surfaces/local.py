"""The answers the gateway gives itself: which models there are, how it is doing, and to whom a browser may talk."""
import time

import msgspec

from fastgw.errors import error

_encode = msgspec.json.encode
JSON = b"content-type: application/json\r\n"
METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"


class Cors(msgspec.Struct, frozen=True):
    """Which browsers' origins may call, and what they may send."""

    origins: frozenset[str]
    any_origin: bool
    headers: str
    max_age_s: int

    def allowed(self, origin: str) -> bool:
        return self.any_origin or origin in self.origins

    def reply_fields(self, origin: str) -> bytes:
        """The fields of every reply to that origin."""
        if not self.allowed(origin):
            return b"vary: origin\r\n"
        return (f"access-control-allow-origin: {origin}\r\naccess-control-expose-headers: *\r\nvary: origin\r\n").encode()

    def preflight_fields(self, origin: str, asked_headers: str) -> bytes:
        """The fields of the answer to OPTIONS."""
        if not self.allowed(origin):
            return b"vary: origin\r\n"
        headers = self.headers or asked_headers or "*"
        return (f"access-control-allow-origin: {origin}\r\naccess-control-allow-methods: {METHODS}\r\n"
                f"access-control-allow-headers: {headers}\r\naccess-control-max-age: {self.max_age_s}\r\nvary: origin\r\n").encode()


def list_models(names: list[tuple[str, str]], speaks: int) -> bytes:
    """The model list of a dialect; names are (model, who serves it)."""
    if speaks == 1:
        rows = [{"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"} for name, _ in names]
        return _encode({"data": rows, "has_more": False, "first_id": names[0][0] if names else None,
                        "last_id": names[-1][0] if names else None})
    if speaks == 2:
        return _encode({"models": [_gemini_model(name) for name, _ in names]})
    return _encode({"object": "list", "data": [_openai_model(name, owner) for name, owner in names]})


def one_model(names: list[tuple[str, str]], wanted: str, speaks: int) -> bytes:
    """One model of the list. raises ModelNotFound"""
    for name, owner in names:
        if name == wanted:
            if speaks == 1:
                return _encode({"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"})
            return _encode(_gemini_model(name) if speaks == 2 else _openai_model(name, owner))
    raise error("ModelNotFound", f"no model {wanted!r}; GET /v1/models lists what this key may use", param="model")


def _openai_model(name: str, owner: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": owner}


def _gemini_model(name: str) -> dict[str, object]:
    return {"name": f"models/{name}", "displayName": name,
            "supportedGenerationMethods": ["generateContent", "streamGenerateContent", "countTokens"]}


class Health:
    """What /readyz tells: which snapshot serves, and why a newer one does not."""

    def __init__(self) -> None:
        self.started_s = time.time()
        self.version = 0
        self.source = ""
        self.loaded_s = 0.0
        self.refused: str | None = None
        self.stopping = False

    def __repr__(self) -> str:
        return f"<Health snapshot {self.version}{', a newer one refused' if self.refused else ''}{', stopping' if self.stopping else ''}>"

    def ready(self) -> tuple[int, bytes]:
        """(status, body) of /readyz: 503 before the first snapshot and while stopping."""
        is_ready = self.version > 0 and not self.stopping
        body: dict[str, object] = {
            "status": "ready" if is_ready else "stopping" if self.stopping else "starting",
            "snapshot": {"version": self.version, "loaded_at": int(self.loaded_s)},
        }
        if self.refused:
            body["config_refused"] = self.refused
        return (200 if is_ready else 503), _encode(body)
