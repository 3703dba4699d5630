"""Name places in a configuration file, guess what an unknown name meant, and find the line of a place."""

import re
from collections.abc import Iterable, Iterator

Step = str | int
Place = tuple[Step, ...]

BARE = re.compile(r"[A-Za-z0-9_-]+\Z")
# One part of a dotted key: bare, basic string or literal string.
PART = re.compile(r"""\s*(?:([A-Za-z0-9_-]+)|"((?:[^"\\]|\\.)*)"|'([^']*)')\s*""")
LONG_STRING = re.compile(r'"""|\'\'\'')
SHOWN_CHARACTERS = 64


def place_text(place: Place) -> str:
    """Write a place as TOML would: integrations.main.base_url, keys[0].name, models."gpt-4.1"."""
    text = ""
    for step in place:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += ("." if text else "") + (step if BARE.match(step) else f'"{shown(step)}"')
    return text


def shown(text: str) -> str:
    """Cut and escape what somebody wrote so that it fits into a line of a message."""
    cut = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "..."
    return cut.encode("unicode_escape").decode("ascii").replace('"', '\\"')


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that this one most looks like; "" where none does."""
    # only where somebody wrote something wrong
    from difflib import get_close_matches

    lower = {candidate.lower(): candidate for candidate in sorted(known)}
    found = get_close_matches(name.lower()[:128], list(lower), n=1, cutoff=0.6)
    return lower[found[0]] if found else ""


def parts_of(text: str) -> tuple[list[str], str] | None:
    """Split a dotted key from the beginning of a line: its parts and what follows; None where there is no key."""
    parts: list[str] = []
    while match := PART.match(text):
        parts.append(next(group for group in match.groups() if group is not None))
        text = text[match.end() :]
        if not text.startswith("."):
            return parts, text
        text = text[1:]
    return None


def places_of(text: str) -> Iterator[tuple[Place, int]]:
    """Every table header and key of a document with its line, counted from 1; inline tables count as their key."""
    table: Place = ()
    counts: dict[Place, int] = {}
    inside = ""  # the quotes of a string over several lines
    for number, line in enumerate(text.splitlines(), 1):
        was_inside = inside
        for quotes in LONG_STRING.findall(line):
            inside = "" if inside == quotes else inside or quotes
        if was_inside:
            continue
        stripped = line.strip()
        if header := re.match(r"(\[\[?)(.*?)\]\]?\s*(#.*)?\Z", stripped):
            found = parts_of(header[2])
            if found is None or found[1]:
                continue
            table = tuple(found[0])
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
            table = indexed(table, counts)
            yield table, number
        elif (found := parts_of(stripped)) and found[1].startswith("="):
            yield (*table, *found[0]), number


def indexed(table: Place, counts: dict[Place, int]) -> Place:
    """Put the index of the last element after each array of tables on the way."""
    place: Place = ()
    for depth in range(1, len(table) + 1):
        place += (table[depth - 1],)
        if table[:depth] in counts:
            place += (counts[table[:depth]],)
    return place


def line_of(place: Place, lines: dict[Place, int]) -> int:
    """The line of a place or of the nearest thing around it; 0 where nothing of it is written."""
    for depth in range(len(place), 0, -1):
        if place[:depth] in lines:
            return lines[place[:depth]]
    return 0
