"""Annotations of output_text as citations, and token probabilities; both ways."""

from collections.abc import Sequence

from fastgw.dialects.canonical import Citation, Logprob
from fastgw.dialects.openai_responses.proof import NAME
from fastgw.dialects.reading import Json, as_array, as_object, as_text


def read_citation(value: object) -> Citation:
    """An annotation of any kind; positions count characters of the part."""
    annotation = as_object(value)
    return Citation(
        start=_position(annotation.get("start_index")),
        end=_position(annotation.get("end_index")),
        url=as_text(annotation.get("url")),
        title=as_text(annotation.get("title")) or as_text(annotation.get("filename")),
        file_id=as_text(annotation.get("file_id")),
        dialect=NAME,
        native=annotation,
    )


def write_citation(citation: Citation, length: int) -> Json:
    """An annotation of a text of that length; where the citation does not say which part of the text it supports, it is all of it."""
    if citation.native is not None and citation.dialect == NAME:
        return citation.native
    if citation.url:
        return {"type": "url_citation", "start_index": max(citation.start, 0), "end_index": citation.end if citation.end >= 0 else length,
                "url": citation.url, "title": citation.title}
    return {"type": "file_citation", "file_id": citation.file_id, "filename": citation.title, "index": max(citation.document, 0)}


def read_logprobs(value: object) -> list[Logprob]:
    """Logprobs of a part or of a delta."""
    return [_read_logprob(as_object(entry)) for entry in as_array(value)]


def write_logprobs(logprobs: Sequence[Logprob]) -> list[Json]:
    """The same, written; `bytes` must be stated, so they are those of the token where they are not known."""
    return [{**_write_logprob(entry), "top_logprobs": [_write_logprob(other) for other in entry.top]} for entry in logprobs]


def _position(value: object) -> int:
    return value if isinstance(value, int) else -1


def _read_logprob(entry: Json) -> Logprob:
    number = entry.get("logprob")
    raw = entry.get("bytes")
    return Logprob(
        as_text(entry.get("token")),
        float(number) if isinstance(number, int | float) else 0.0,
        [byte for byte in raw if isinstance(byte, int)] if isinstance(raw, list) else None,
        [_read_logprob(as_object(other)) for other in as_array(entry.get("top_logprobs"))],
    )


def _write_logprob(entry: Logprob) -> Json:
    return {"token": entry.token, "logprob": entry.logprob,
            "bytes": list(entry.token.encode("utf-8", "surrogatepass")) if entry.bytes is None else entry.bytes}
