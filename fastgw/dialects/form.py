"""Find the model in a multipart form (RFC 7578), strictly: what servers may read in two ways is refused.

A form names the model that is allowed, priced and routed to, and its other parts are the caller's files: text in them must not be
taken for the model, and a second model must not stand behind the first.
"""
import re

from fastgw.errors import error

BOUNDARY = re.compile(rb"""\A\s*multipart/form-data\s*;(?:[^"]*;)?\s*boundary=(?:"([^"\r\n]{1,70})"|([^\s;"]{1,70}))""", re.IGNORECASE)
NAME = re.compile(rb"""\Acontent-disposition:[ \t]*form-data[ \t]*;(?:[^"\r\n]*;)?[ \t]*name=(?:"([^"\r\n]*)"|([^\s;"]+))""", re.IGNORECASE)
MOST_PART_HEAD_BYTES = 8192
MOST_MODEL_BYTES = 256


def find_model(body: bytes, content_type: bytes) -> tuple[int, int] | None:
    """The (start, end) of the model's name; None where the form has none, or is no multipart form.

    raises  InvalidRequest
    """
    found = BOUNDARY.match(content_type)
    if found is None:
        return None
    mark = b"--" + (found[1] or found[2])
    model: tuple[int, int] | None = None
    at = 0 if body.startswith(mark) else body.find(b"\r\n" + mark) + 2
    if at == 1:
        raise wrong("expected a multipart form with the boundary that Content-Type states, got none")
    while not body.startswith(b"--", at + len(mark)):
        start = body.find(b"\r\n", at + len(mark)) + 2
        head_end = body.find(b"\r\n\r\n", start, start + MOST_PART_HEAD_BYTES)
        end = body.find(b"\r\n" + mark, head_end + 2)
        if start < 2 or body[at + len(mark): start].strip() or head_end < 0 or end < 0:
            raise wrong("expected a multipart form whose parts have a head and an end, got another")
        if is_model(body[start:head_end]):
            if model is not None:
                raise wrong("expected one part named model, got two: servers differ in which one counts")
            model = head_end + 4, end
            if not 0 < end - head_end - 4 <= MOST_MODEL_BYTES:
                raise wrong(f"expected 1 to {MOST_MODEL_BYTES} bytes in the part named model")
        at = end + 2
    return model


def is_model(head: bytes) -> bool:
    """Whether a part's head names it model. raises InvalidRequest where it names nothing, or in a way that servers read differently"""
    lines = [line for line in head.split(b"\r\n") if line[:19].lower() == b"content-disposition"]
    name = NAME.match(lines[0]) if len(lines) == 1 else None
    if name is None or b"name*" in lines[0].lower():
        raise wrong('expected in each part of the form one Content-Disposition: form-data; name="..."')
    text = name[1] if name[1] is not None else name[2]
    if len(re.findall(rb"[;\s]name=", lines[0], re.IGNORECASE)) != 1 and b"model" in lines[0].lower():
        raise wrong("expected one name for each part of the form")
    if text != b"model" and text.strip().lower() == b"model":
        raise wrong("expected the name of a part to be written model, got another spelling")
    return text == b"model"


def wrong(message: str) -> Exception:
    return error("InvalidRequest", message, param="model")
