"""What is wrong with a configuration, where, and what was expected."""

from collections.abc import Container, Sequence

from msgspec import Struct, structs

from fastgw.snapshot.names import Place, line_of, nearest, place_text, places_of


class Problem(Struct, frozen=True):
    """One thing that is wrong.

    place     such as integrations.main.base_url; "" the file as a whole
    line      from 1; 0 unknown
    expected, found   never hold a secret
    nearest   the known name that was perhaps meant, or ""
    """

    place: str
    expected: str
    found: str
    nearest: str = ""
    line: int = 0
    path: str = ""

    def __str__(self) -> str:
        where = f"{self.path or 'config'}{f':{self.line}' if self.line else ''}: "
        meant = f"; did you mean {self.nearest}?" if self.nearest else ""
        return f"{where}{f'{self.place}: ' if self.place else ''}expected {self.expected}, found {self.found}{meant}"


class ConfigError(Exception):
    """A configuration is refused; `problems` has at least one."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(explain(self.problems))


def explain(problems: Sequence[Problem]) -> str:
    """One line for each problem, in the order of the file."""
    return "\n".join(str(problem) for problem in sorted(problems, key=lambda problem: problem.line))


class Problems:
    """Collects what is wrong while a document is read."""

    def __init__(self) -> None:
        self.found: list[tuple[Place, Problem]] = []
        self._touched: set[Place] = set()

    def add(self, place: Place, expected: str, found: str, name: str = "", known: Sequence[str] = ()) -> None:
        """Note a problem; with `name` and `known`, also what was perhaps meant."""
        meant = nearest(name, known) if name else ""
        self.found.append((place, Problem(place_text(place), expected, found, meant)))
        self._touched.update(place[:depth] for depth in range(len(place) + 1))

    def touch(self, place: Place) -> bool:
        """Whether anything at this place or inside it is wrong already."""
        return place in self._touched

    def located(self, text: str, path: str, elsewhere: Container[Place] = frozenset(), other: str = "") -> list[Problem]:
        """The problems with their lines in the document; those below the places `elsewhere` are of the document at `other`."""
        lines: dict[Place, int] = {}
        for place, number in places_of(text):
            lines.setdefault(place, number)
        return [
            structs.replace(problem, path=other) if place[:2] in elsewhere
            else structs.replace(problem, line=line_of(place, lines), path=path)
            for place, problem in self.found
        ]

    def __repr__(self) -> str:
        return f"Problems({len(self.found)})"
