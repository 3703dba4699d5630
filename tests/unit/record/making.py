"""Records, plain and packed, for the tests of this directory."""
import time
from collections.abc import Callable
from typing import Any

from fastgw._core.ring import pack_record
from fastgw.record.fields import FIELDS, Record
from tests.patience import PATIENCE_S


def record_of(**values: Any) -> Record:
    """A served chat request, but for what is given."""
    usual: dict[str, Any] = {name: 0 for name in FIELDS} | {
        "id": "0196-x", "trace": "", "started_ns": 1_700_000_000_000_000_000, "finished_ns": 900_000_000,
        "first_byte_ns": 250_000_000, "gateway_ns": 30_000, "input_tokens": 10, "output_tokens": 5,
        "cost_nano_usd": 1_500_000, "status": 200, "upstream_status": 200, "outcome": "served", "error": "",
        "flags": "", "cache": "", "detail": None,
        "operation": "chat", "key": "app-1", "workspace": "default", "integration": "main", "provider": "openai",
        "model": "gpt-4.1", "upstream_model": "gpt-4.1", "trace_id": "", "dialect": "openai",
    }
    return Record(**(usual | values))


def packed(**values: Any) -> bytes:
    """The same as a struct for the ring."""
    usual: dict[str, Any] = {
        "started_ns": time.time_ns(), "finished_ns": 900_000_000, "status": 200, "key": "app-1",
        "workspace": "default", "provider": "openai", "model": "gpt-4.1", "cost_nano_usd": 1_500_000,
    }
    return pack_record(**(usual | values))


def wait_until(holds: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    """Wait for a condition, not for a time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.002)
