"""groundingMetadata and citationMetadata: where a reply's words come from.

Google counts in bytes of UTF-8 from the beginning of all the answer's words (its thoughts are none of them), whatever parts they came in,
as every recorded reply shows; a citation counts in characters of its own part. Where an offset does not fit the words that go with it,
which servers do get wrong, the words are looked for.
"""

from fastgw.dialects.canonical import Citation, Logprob
from fastgw.dialects.gemini_generate.spelling import NAME
from fastgw.dialects.reading import Json, as_array, as_object, as_text

CHUNK, SOURCE = "groundingChunk", "citationSource"  # which of Google's shapes a Citation.native is


class Words:
    """The words of an answer by part, and the ways between their offsets and Google's."""

    __slots__ = ("_bytes", "_starts", "texts", "whole")

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts
        self.whole = "".join(texts)
        self._bytes = None if self.whole.isascii() else self.whole.encode("utf-8", "surrogatepass")
        self._starts: list[int] = []
        start = 0
        for text in texts:
            self._starts.append(start)
            start += len(text)

    def __repr__(self) -> str:
        return f"<Words in {len(self.texts)} parts>"

    def characters(self, offset: int) -> int:
        """A byte offset into the whole as characters."""
        return offset if self._bytes is None else len(self._bytes[:offset].decode("utf-8", "ignore"))

    def bytes(self, part: int, offset: int) -> int:
        """A character offset into a part as bytes of the whole."""
        offset += self._starts[part]
        return offset if self._bytes is None else len(self.whole[:offset].encode("utf-8", "surrogatepass"))

    def find(self, start: object, end: object, words: str) -> tuple[int, int, int]:
        """The part that a segment is in and its characters there; the last part and -1, -1 where it is nowhere."""
        first = self.characters(start) if isinstance(start, int) and start > 0 else 0
        last = self.characters(end) if isinstance(end, int) and end > 0 else 0
        if words and self.whole[first:last] != words:
            first = self.whole.find(words)
            last = first + len(words)
        if 0 <= first < last <= len(self.whole):
            for part in range(len(self.texts) - 1, -1, -1):
                begins = self._starts[part]
                if begins <= first:
                    return part, first - begins, min(last - begins, len(self.texts[part]))
        return len(self.texts) - 1, -1, -1


def read_citations(grounding: object, cited: object, texts: list[str]) -> list[tuple[int, Citation]]:
    """The citations of a candidate, each with the number of the text that it belongs to. texts: its words by part, at least one."""
    words = Words(texts)
    found: list[tuple[int, Citation]] = []
    metadata = as_object(grounding)
    chunks = [as_object(chunk) for chunk in as_array(metadata.get("groundingChunks"))]
    unused = dict.fromkeys(range(len(chunks)))
    for item in as_array(metadata.get("groundingSupports")):
        support = as_object(item)
        segment = as_object(support.get("segment"))
        part, start, end = words.find(segment.get("startIndex"), segment.get("endIndex"), as_text(segment.get("text")))
        for index in as_array(support.get("groundingChunkIndices")):
            if isinstance(index, int) and 0 <= index < len(chunks):
                unused.pop(index, None)
                found.append((part, citation_of(chunks[index], start, end)))
    found += [(len(texts) - 1, citation_of(chunks[index], -1, -1)) for index in unused]
    sources = as_object(cited)
    for item in as_array(sources.get("citationSources") or sources.get("citations")):
        source = as_object(item)
        part, start, end = words.find(source.get("startIndex"), source.get("endIndex"), "")
        found.append((part, Citation(
            start, end, as_text(source.get("uri")), as_text(source.get("title")), dialect=NAME, native={SOURCE: source})))
    return found


def citation_of(chunk: Json, start: int, end: int) -> Citation:
    """The citation of a groundingChunk, of whatever kind (web, retrievedContext, maps)."""
    for member in chunk.values():
        source = as_object(member)
        if source:
            return Citation(
                start, end, as_text(source.get("uri")), as_text(source.get("title")), as_text(source.get("text")), dialect=NAME,
                native={CHUNK: chunk})
    return Citation(start, end, dialect=NAME, native={CHUNK: chunk})


def write_citations(texts: list[tuple[str, list[Citation]]]) -> tuple[Json, Json]:
    """groundingMetadata and citationMetadata of an answer's texts, each empty where nothing is cited."""
    if not any(citations for _, citations in texts):
        return {}, {}
    words = Words([text for text, _ in texts])
    chunks: list[Json] = []
    known: dict[tuple[str, str, str, str, int], int] = {}
    supports: dict[tuple[int, int], list[int]] = {}
    sources: list[Json] = []
    for part, (text, citations) in enumerate(texts):
        for citation in citations:
            native = citation.native if citation.dialect == NAME and citation.native is not None else {}
            if SOURCE in native:
                sources.append(as_object(native[SOURCE]))
                continue
            key = (citation.url, citation.title, citation.cited, citation.file_id, citation.document)
            index = known.setdefault(key, len(chunks))
            if index == len(chunks):
                chunks.append(as_object(native.get(CHUNK)) or chunk_of(citation))
            if 0 <= citation.start < citation.end <= len(text):
                where = words.bytes(part, citation.start), words.bytes(part, citation.end)
            elif native:
                continue  # a source that Google named for no words in particular
            else:
                where = words.bytes(part, 0), words.bytes(part, len(text))
            indices = supports.setdefault(where, [])
            if index not in indices:
                indices.append(index)
    grounding: Json = {"groundingChunks": chunks} if chunks else {}
    if supports:
        grounding["groundingSupports"] = [support_of(words, start, end, indices) for (start, end), indices in supports.items()]
    return grounding, {"citationSources": sources} if sources else {}


def chunk_of(citation: Citation) -> Json:
    """A groundingChunk for a citation of another dialect."""
    if citation.url:
        return {"web": {"uri": citation.url, "title": citation.title}}
    return {"retrievedContext": {"title": citation.title or citation.file_id, "text": citation.cited}}


def support_of(words: Words, start: int, end: int, indices: list[int]) -> Json:
    text = words.whole[words.characters(start):words.characters(end)]
    return {"segment": {"startIndex": start, "endIndex": end, "text": text}, "groundingChunkIndices": indices}


def read_logprobs(value: object) -> list[Logprob] | None:
    """A logprobsResult, None where it is none."""
    result = as_object(value)
    chosen = as_array(result.get("chosenCandidates"))
    if not chosen:
        return None
    others = as_array(result.get("topCandidates"))
    found = []
    for at, item in enumerate(chosen):
        logprob = logprob_of(item)
        if at < len(others):
            logprob.top = [logprob_of(other) for other in as_array(as_object(others[at]).get("candidates"))]
        found.append(logprob)
    return found


def logprob_of(value: object) -> Logprob:
    candidate = as_object(value)
    logarithm = candidate.get("logProbability")
    return Logprob(as_text(candidate.get("token")), float(logarithm) if isinstance(logarithm, int | float) else 0.0)


def write_logprobs(logprobs: list[Logprob]) -> Json:
    """A logprobsResult."""
    return {
        "chosenCandidates": [{"token": one.token, "logProbability": one.logprob} for one in logprobs],
        "topCandidates": [
            {"candidates": [{"token": other.token, "logProbability": other.logprob} for other in one.top]} for one in logprobs],
    }
