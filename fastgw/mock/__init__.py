"""A provider that answers from memory, in three dialects, as slowly and as badly as it is told."""
from fastgw.mock.options import MockOptions
from fastgw.mock.server import Counters, MockServer, open_listener, serve

__all__ = ["Counters", "MockOptions", "MockServer", "open_listener", "serve"]
