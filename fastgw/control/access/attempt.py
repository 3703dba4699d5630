"""One sign-in at an identity provider: what the browser keeps of it, and how it ends."""

from msgspec import Struct


class SignInFailed(Exception):
    """Somebody is not signed in; the message is for them, `reason` for the log.

    status   of the page that says so
    """

    def __init__(self, message: str, reason: str, status: int = 403) -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status


class Attempt(Struct, frozen=True):
    """One sign-in on its way, kept by the browser that began it."""

    state: str
    nonce: str
    verifier: str
    following: str  # the path to go to afterwards
    began_s: int


class Person(Struct, frozen=True):
    """Whom the provider says that it was; `email` is "" where it does not vouch for one."""

    subject: str
    email: str
    name: str
    role: str
