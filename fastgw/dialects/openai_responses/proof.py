"""Proofs of other dialects' thoughts, sealed into the encrypted_content of reasoning items, so that they survive a turn of the caller's.

A sealed proof is the text `fastgw:1:DIALECT:KIND:REST`. DIALECT is whose proof it is; by KIND the REST is

    thinking    the signature of the thought that is the item's summary; may be empty, and DIALECT too (who signs nothing may want it back)
    secret      ID:WORDS, the id and encrypted_content of another dialect's thought
    redacted    opaque words in the place of a thought
    call        CALL_ID:SIGNATURE of the tool call with that id, which is another item
    text        the signature of the words before the item

Nothing is encrypted by it: what it carries was opaque already. Whatever does not begin so is the provider's own encrypted_content.
"""

from typing import Literal, NamedTuple

from fastgw.dialects.canonical import Part, Text, Thinking, ToolCall
from fastgw.dialects.reading import Json, as_array, as_object, as_text

NAME = "openai_responses"
SIGNER = "gemini_generate"  # the one dialect that signs words and calls
PREFIX = "fastgw:1:"
KINDS = ("thinking", "secret", "redacted", "call", "text")

Kind = Literal["thinking", "secret", "redacted", "call", "text"]


class Proof(NamedTuple):
    """What was sealed. call_id: "" but for a call."""

    dialect: str
    kind: str
    content: str
    call_id: str = ""


def seal(dialect: str, kind: Kind, content: str, call_id: str = "") -> str:
    """A proof as encrypted_content."""
    return f"{PREFIX}{dialect}:{kind}:{call_id}:{content}" if kind == "call" else f"{PREFIX}{dialect}:{kind}:{content}"


def unseal(encrypted: str) -> Proof | None:
    """The proof in an encrypted_content; None where it is the provider's own; an empty thought's where it is damaged."""
    if not encrypted.startswith(PREFIX):
        return None
    dialect, _, rest = encrypted[len(PREFIX):].partition(":")
    kind, _, content = rest.partition(":")
    if kind not in KINDS:
        return Proof("", "thinking", "")
    if kind == "call":
        call_id, _, content = content.rpartition(":")
        return Proof(dialect, kind, content, call_id)
    return Proof(dialect, kind, content)


def proof_of(thought: Thinking) -> str:
    """The encrypted_content of a thought of any dialect; "" of one of our own that has none."""
    if thought.dialect == NAME:
        return thought.encrypted
    if thought.encrypted:
        return seal(thought.dialect, "secret", f"{thought.id}:{thought.encrypted}")
    if thought.redacted:
        return seal(thought.dialect, "redacted", thought.redacted)
    return seal(thought.dialect, "thinking", thought.signature)


def thoughts_of(item: Json) -> tuple[list[Thinking], Proof | None]:
    """The thoughts of a reasoning item, at least one: an entry of its summary or content each, all with its id, the last with the secret.

    The proof of a call or of words is no thought: then there are none, and it is returned beside them for `sign`.
    """
    encrypted = as_text(item.get("encrypted_content"))
    item_id = as_text(item.get("id"))
    proof = unseal(encrypted)
    if proof is not None and proof.kind in ("call", "text"):
        return [], proof
    words = [(as_text(as_object(entry).get("text")), member == "summary")
             for member in ("summary", "content") for entry in as_array(item.get(member))]
    if proof is None:
        found = [Thinking(text, id=item_id, summary=summary, dialect=NAME) for text, summary in words]
        found = found or [Thinking(id=item_id, dialect=NAME)]
        found[-1].encrypted = encrypted
        return found, None
    return [begun_by(proof, "\n\n".join(text for text, _ in words))], None


def begun_by(proof: Proof, words: str) -> Thinking:
    """The thought of another dialect that a proof is of."""
    if proof.kind == "redacted":
        return Thinking(redacted=proof.content, dialect=proof.dialect)
    if proof.kind == "secret":
        item_id, _, encrypted = proof.content.partition(":")
        return Thinking(words, id=item_id, encrypted=encrypted, dialect=proof.dialect)
    return Thinking(words, proof.content, dialect=proof.dialect)


def sign(parts: list[Part], proof: Proof, calls: dict[str, ToolCall], pending: dict[str, str]) -> None:
    """Put a signature where it belongs: on the call of that id, now or (by `pending`) when it comes; or on the last words."""
    if proof.kind == "call":
        call = calls.get(proof.call_id)
        if call is None:
            pending[proof.call_id] = proof.content
        else:
            call.signature = proof.content
        return
    for part in reversed(parts):
        if isinstance(part, Text):
            part.signature = proof.content
            return
