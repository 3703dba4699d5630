"""Import every dialect and every shape now, rather than while a request waits for one."""

from fastgw.dialects.shapes.table import SHAPES, opener_of
from fastgw.dialects.table import NAMES, caller_of, dialect_of


def load_all() -> None:
    for name in NAMES:
        dialect_of(name)
    caller_of("chat", "strict")
    for asked, upstream in SHAPES:
        opener_of(asked, upstream)
