"""A provider that answers from memory: every operation the gateway knows, in three dialects, as slowly and badly as told."""
from fastgw.mock.options import MockOptions
from fastgw.mock.server import Counters, MockServer, open_listener, serve

__all__ = ["Counters", "MockOptions", "MockServer", "open_listener", "serve"]
