"""Read multipart/form-data as clients send it."""
from __future__ import annotations

import re

import msgspec

from fastgw.mock.asked import Asked
from fastgw.mock.faults import Fault


class Part(msgspec.Struct, frozen=True):
    """One part of a form."""

    body: bytes
    filename: str = ""


def read_form(asked: Asked) -> dict[str, Part]:
    """Split a form into its parts by name. Raises Fault where it is none."""
    boundary = re.search(r'boundary="?([^";]+)', asked.fields.get("content-type", ""))
    if boundary is None:
        raise Fault(400, "expected multipart/form-data with a boundary")
    found: dict[str, Part] = {}
    mark = b"--" + boundary[1].encode("latin-1")
    for text in asked.body.split(mark)[1:-1]:
        head, _, body = text.partition(b"\r\n\r\n")
        name = re.search(rb'[; ]name="([^"]*)"', head)
        filename = re.search(rb'filename="([^"]*)"', head)
        if name is None or not body.endswith(b"\r\n"):
            raise Fault(400, "expected a part with a name")
        found[name[1].decode()] = Part(body[:-2], filename[1].decode() if filename else "")
    return found
