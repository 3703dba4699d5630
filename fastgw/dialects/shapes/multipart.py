"""Forms (multipart/form-data, RFC 7578): read from callers, write for providers."""

import os
from collections.abc import Iterator, Mapping

from msgspec import Struct

from fastgw.dialects.form import BOUNDARY, MOST_PART_HEAD_BYTES, NAME
from fastgw.dialects.reading import Json
from fastgw.dialects.shapes.translation import encode
from fastgw.errors import error

# As browsers write names (the HTML standard, "multipart form data"): what would end the name, or the line.
ESCAPED = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


class File(Struct, frozen=True):
    """A part with a file. name: of the file, "" where it has none; media_type: in lower case, without parameters."""

    content: bytes
    name: str = ""
    media_type: str = ""


class Form(Struct):
    """The parts by name. A name that ends in [] is that of an array, without them; of several others of one name the last counts."""

    texts: Json = {}
    files: dict[str, File] = {}


def read_form(body: bytes, content_type: bytes) -> Form:
    """The parts of a caller's form. raises InvalidRequest where it is none"""
    form = Form()
    for head, content in parts_of(body, content_type):
        name = name_of(head)
        lines = {field.strip().lower(): value.strip().decode("utf-8", "replace")
                 for field, _, value in (line.partition(b":") for line in head.split(b"\r\n"))}
        file_name = parameter(lines[b"content-disposition"], "filename")
        if file_name is not None:
            form.files[name] = File(content, file_name, lines.get(b"content-type", "").partition(";")[0].strip().lower())
            continue
        try:
            value = content.decode()
        except UnicodeDecodeError as problem:
            raise error("InvalidRequest", f"expected text in UTF-8 in the part {name!r} of the form", param=name) from problem
        if name.endswith("[]"):
            listed = form.texts.setdefault(name[:-2], [])
            assert isinstance(listed, list)
            listed.append(value)
        else:
            form.texts[name] = value
    return form


def parts_of(body: bytes, content_type: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Head and content of each part."""
    found = BOUNDARY.match(content_type)
    if found is None:
        raise error("InvalidRequest", "expected a Content-Type of multipart/form-data with its boundary")
    mark = b"--" + (found[1] or found[2])
    at = 0 if body.startswith(mark) else body.find(b"\r\n" + mark) + 2
    if at == 1:
        raise error("InvalidRequest", "expected a form with the boundary that Content-Type states, got none")
    while not body.startswith(b"--", at + len(mark)):
        start = body.find(b"\r\n", at + len(mark)) + 2
        head_end = body.find(b"\r\n\r\n", start, start + MOST_PART_HEAD_BYTES)
        end = body.find(b"\r\n" + mark, head_end + 2)
        if start < 2 or head_end < 0 or end < 0:
            raise error("InvalidRequest", "expected a form whose parts have a head and an end, got another")
        yield body[start:head_end], body[head_end + 4 : end]
        at = end + 2


def name_of(head: bytes) -> str:
    for line in head.split(b"\r\n"):
        found = NAME.match(line)
        if found is not None:
            return (found[1] if found[1] is not None else found[2]).decode("utf-8", "replace")
    raise error("InvalidRequest", 'expected in each part of the form a Content-Disposition: form-data; name="..."')


def parameter(disposition: str, name: str) -> str | None:
    """The value of a parameter, None where it is not there."""
    _, found, rest = disposition.partition(f"{name}=")
    if not found:
        return None
    return rest[1:].partition('"')[0] if rest.startswith('"') else rest.partition(";")[0].strip()


def write_form(members: Json, files: Mapping[str, File]) -> tuple[bytes, str]:
    """A form and its Content-Type. Members that are no strings are written as JSON; of an array each item is a part."""
    mark = f"fastgw-{os.urandom(16).hex()}"  # that it stands in a file by chance is as likely as that it is guessed
    lines = []
    for name, value in members.items():
        for item in value if isinstance(value, list) else [value]:
            lines.append(b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (
                mark.encode(), name.translate(ESCAPED).encode(), item.encode() if isinstance(item, str) else encode(item)))
    for name, file in files.items():
        lines.append(b'--%b\r\nContent-Disposition: form-data; name="%b"; filename="%b"\r\nContent-Type: %b\r\n\r\n%b\r\n' % (
            mark.encode(), name.translate(ESCAPED).encode(), file.name.translate(ESCAPED).encode(),
            (file.media_type or "application/octet-stream").translate(ESCAPED).encode(), file.content))
    return b"".join([*lines, f"--{mark}--\r\n".encode()]), f"multipart/form-data; boundary={mark}"
