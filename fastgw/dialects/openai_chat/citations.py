"""Where words come from: annotations of a message, and the lists of sources that Perplexity states beside them.

OpenAI's annotations are of pages only, and strict clients refuse others; what is cited of files stands in the bag that LiteLLM has for such
things, provider_specific_fields.
"""

from fastgw.dialects.canonical import Citation
from fastgw.dialects.reading import Json, as_array, as_object, as_text


def citations_in(message: Json) -> list[Citation]:
    """The citations of a message or delta."""
    found = read_annotations(message["annotations"]) if message.get("annotations") else []
    if message.get("provider_specific_fields"):
        found += read_annotations(as_object(message["provider_specific_fields"]).get("citations"))
    return found


def read_annotations(value: object) -> list[Citation]:
    """url_citation and file_citation; others are passed over."""
    found = []
    for item in as_array(value):
        annotation = as_object(item)
        kind = as_text(annotation.get("type"))
        cited = as_object(annotation.get(kind))
        if kind == "url_citation":
            found.append(Citation(_offset(cited.get("start_index")), _offset(cited.get("end_index")), as_text(cited.get("url")),
                                  as_text(cited.get("title")), as_text(cited.get("content"))))
        elif kind == "file_citation":
            found.append(Citation(_offset(cited.get("start_index")), _offset(cited.get("end_index")), "", as_text(cited.get("filename")),
                                  as_text(cited.get("quote")), _offset(cited.get("index")), as_text(cited.get("file_id"))))
    return found


def read_sources(body: Json) -> list[Citation]:
    """search_results, or the bare URLs of `citations` (Perplexity); the words refer to them by number."""
    found = []
    for item in as_array(body.get("search_results")):
        source = as_object(item)
        if as_text(source.get("url")):
            found.append(Citation(url=as_text(source.get("url")), title=as_text(source.get("title")), cited=as_text(source.get("snippet"))))
    return found or [Citation(url=url) for url in as_array(body.get("citations")) if isinstance(url, str)]


def _offset(value: object) -> int:
    return value if type(value) is int and value >= 0 else -1


def write_citations(pages: list[object], files: list[object]) -> Json:
    """The members of a message or delta for what write_annotation made."""
    members: Json = {"annotations": pages} if pages else {}
    return members | {"provider_specific_fields": {"citations": files}} if files else members


def write_annotation(citation: Citation, start: int, end: int) -> Json:
    """One annotation. start, end: of the part that it stands at, within the message; it is about all of it unless it says otherwise."""
    if citation.start >= 0:
        start, end = start + citation.start, start + max(citation.end, citation.start)
    if citation.url:
        page: Json = {"start_index": start, "end_index": end, "url": citation.url, "title": citation.title}
        if citation.cited:
            page["content"] = citation.cited
        return {"type": "url_citation", "url_citation": page}
    cited: Json = {"start_index": start, "end_index": end, "file_id": citation.file_id, "filename": citation.title, "quote": citation.cited}
    if citation.document >= 0:
        cited["index"] = citation.document
    return {"type": "file_citation", "file_citation": cited}
