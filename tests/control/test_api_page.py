"""docs/api.md: its examples work in the order in which they stand there."""

import json
import re
import shlex
from pathlib import Path

from tests.control.plane import Control

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


def test_every_example_of_the_page_works(control: Control) -> None:
    """Each curl line is sent as it is written, with the rights of the owner."""
    lines = re.findall(r"^curl (.*)$", PAGE.read_text(), re.M)
    assert len(lines) > 12
    for line in lines:
        words = shlex.split(line.replace("$FASTGW", ""))
        method = words[words.index("-X") + 1] if "-X" in words else "GET"
        path = next(word for word in words if word.startswith("/"))
        body = json.loads(words[words.index("-d") + 1]) if "-d" in words else None
        answer = control.client.request(method, path, json=body, headers=control.fields)
        assert answer.status_code in (200, 201), f"{line}: {answer.status_code} {answer.text}"
