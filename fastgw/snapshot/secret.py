"""Secrets that show only where they came from."""

from hmac import compare_digest


class Secret:
    """A resolved secret that shows only where it came from: "env:NAME", "file:PATH" or "literal"."""

    __slots__ = ("_value", "origin")

    def __init__(self, value: str, origin: str = "literal") -> None:
        self._value = value
        self.origin = origin

    def reveal(self) -> str:
        """The secret itself; call this only where it is sent or hashed."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not serialised")

    def __repr__(self) -> str:
        return f"Secret({self.origin})"


class SecretText(Secret):
    """A secret of several lines: a key in PEM, an object in JSON."""
