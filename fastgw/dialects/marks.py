"""Name the marks of what may be cached where a provider takes none: what is lost is only a hint, which no policy refuses."""

from fastgw.dialects.canonical import Part, Request, ToolResult
from fastgw.dialects.notes import Notes


def note_marks(request: Request, notes: Notes) -> None:
    """Name every mark of the request."""
    for at, message in enumerate(request.messages):
        note_parts(message.parts, f"messages[{at}]", notes)
    for at, tool in enumerate(request.tools):
        if tool.cache is not None:
            notes.drop(f"tools[{at}].cache_control")


def note_parts(parts: list[Part], path: str, notes: Notes) -> None:
    """Name the marks of the parts of a message or of a tool's result."""
    for at, part in enumerate(parts):
        if getattr(part, "cache", None) is not None:
            notes.drop(f"{path}.content[{at}].cache_control")
        if isinstance(part, ToolResult):
            note_parts(part.parts, f"{path}.content[{at}]", notes)
