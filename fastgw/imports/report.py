"""What became of each key of the file that is imported."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

from msgspec import Struct

Fate = Literal["taken", "changed", "left"]
WORDS: Final[Mapping[Fate, str]] = {"taken": "taken", "changed": "changed", "left": "not supported"}


class Entry(Struct, frozen=True):
    """One key: where it stands, whether it was taken, and how it was changed or why it was left. No secret is ever in it."""

    key: str
    fate: Fate
    note: str = ""


class Report:
    """Collects the entries and the warnings of one import."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.warnings: list[str] = []

    def add(self, key: str, fate: Fate, note: str = "") -> None:
        self.entries.append(Entry(key, fate, note))

    def warn(self, text: str) -> None:
        """Something that the reader must do or know, beside the entries."""
        if text not in self.warnings:
            self.warnings.append(text)

    def count(self, fate: Fate) -> int:
        return sum(entry.fate == fate for entry in self.entries)

    def summary(self) -> str:
        return f"{len(self.entries)} keys: {self.count('taken')} taken, {self.count('changed')} changed, {self.count('left')} not supported"

    def table(self) -> Iterator[str]:
        """The lines of the report, what needs attention last."""
        order = {"taken": 0, "changed": 1, "left": 2}
        rows = sorted(self.entries, key=lambda entry: order[entry.fate])
        width = max((len(entry.key) for entry in rows), default=0)
        for entry in rows:
            yield f"{entry.key:<{width}}  {WORDS[entry.fate]:<13}  {entry.note}".rstrip()
        yield self.summary()

    def json(self) -> str:
        """The same as one JSON object."""
        rows = [{"key": entry.key, "result": WORDS[entry.fate], "note": entry.note} for entry in self.entries]
        return json.dumps({"keys": rows, "warnings": self.warnings, "summary": self.summary()}, indent=2, ensure_ascii=False)

    def __repr__(self) -> str:
        return f"Report({self.summary()})"


class Keys:
    """The members of one table of the file; each is said to be taken, changed or left, and the rest at the end."""

    def __init__(self, value: Mapping[str, object], place: str, report: Report) -> None:
        self.value = value
        self.place = place
        self.report = report
        self.said: set[str] = set()

    def path(self, name: str) -> str:
        return f"{self.place}.{name}" if self.place else name

    def get(self, name: str) -> object:
        return self.value.get(name)

    def say(self, name: str, fate: Fate, note: str = "") -> None:
        """Say what became of a member; of one that is not there nothing is said, and of each only once."""
        if name in self.value and name not in self.said:
            self.said.add(name)
            self.report.add(self.path(name), fate, note)

    def taken(self, *names: str) -> None:
        for name in names:
            self.say(name, "taken")

    def changed(self, name: str, how: str) -> None:
        self.say(name, "changed", how)

    def left(self, name: str, why: str) -> None:
        self.say(name, "left", why)

    def rest(self, reasons: Mapping[str, str], unknown: str = "fastgw has no such setting") -> None:
        """Say of all that nothing was said of why it is left."""
        for name in self.value:
            self.left(name, reasons.get(name, unknown))

    def __repr__(self) -> str:
        return f"Keys({self.place!r}, {len(self.value)})"


class Unreadable(ValueError):
    """The file is not what it is said to be; the text is one line for people."""


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """The name itself, or with the first number that makes it one of its own."""
    names = set(taken)
    if wanted not in names:
        return wanted
    return next(name for at in range(2, len(names) + 3) if (name := f"{wanted}-{at}") not in names)
