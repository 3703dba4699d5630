"""The cuts between the lane, the exchange and the upstream: only their names reach Python."""

class Client:
    """The caller's connection, as an exchange sees it."""

class Flow:
    """One exchange after another of one client."""

class Application:
    """Makes the flows; the lane knows nothing else of what it carries."""
