"""To whom a browser may talk: the cross-origin policy, and the fields that say so (Fetch standard, 3.3)."""
import msgspec

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
