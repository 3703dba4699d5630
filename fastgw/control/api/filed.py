"""What stands in the configuration file, as the admin API answers it: beside the store's own, and not to be changed here."""

from collections.abc import Mapping

from msgspec import NODEFAULT, Struct, structs

from fastgw.control.api.call import Call, moment
from fastgw.control.api.resource import FILED
from fastgw.control.api.written import Document, is_secret
from fastgw.snapshot.read import fields_of
from fastgw.snapshot.secret import Secret


def filed_rows(call: Call, by: str, sections: Mapping[str, Struct]) -> list[Document]:
    """Sections of the file by their names, in the order of these."""
    when = moment(call.plane.started_ns)
    return [
        {"id": FILED + name, by: name, **stated(section), "source": "file", "version": 0, "created_at": when, "updated_at": when}
        for name, section in sorted(sections.items())
    ]


def stated(section: Struct) -> Document:
    """What a section states that is neither its default nor secret."""
    document: Document = {}
    for name, row in fields_of(type(section)).items():
        value = getattr(section, name)
        if is_secret(row.type) or is_default(row, value):
            continue
        document[name] = plain(value)
    return document


def is_default(row: structs.FieldInfo, value: object) -> bool:
    default = row.default_factory() if row.default_factory is not NODEFAULT else row.default
    return bool(value == default)


def plain(value: object) -> object:
    """A value as JSON has it."""
    if isinstance(value, Secret):
        return None
    if isinstance(value, Struct):
        return stated(value)
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value
