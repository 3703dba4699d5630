"""What the mock pays for a reply it has not made before; one it has kept is a dictionary look-up."""
from __future__ import annotations

import json
from typing import Any

import pytest

from fastgw.mock import MockOptions
from fastgw.mock.table import Table

ROUNDS = 500
FIELDS = [("host", "127.0.0.1"), ("content-type", "application/json"), ("authorization", "Bearer none")]


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])
def test_fresh_chat_reply(benchmark: Any, is_stream: bool) -> None:
    """Each round makes ROUNDS replies to chats of 0.3 KB that all differ."""
    table = Table(MockOptions(), dict)
    bodies = [
        json.dumps(
            {"model": "m", "stream": is_stream, "messages": [{"role": "user", "content": f"{at} " + "word " * 50}]}
        ).encode()
        for at in range(ROUNDS)
    ]

    def answer_all() -> None:
        for body in bodies:
            table.answer("POST", "/v1/chat/completions", FIELDS, body)

    benchmark(answer_all)
    benchmark.extra_info["us_per_reply"] = benchmark.stats.stats.median / ROUNDS * 1e6
