"""Proofs of other providers in the signatures of thinking blocks, so that a client of this dialect brings them back.

Gemini signs its tool calls, OpenAI encrypts its reasoning, and both want it back in the next request. A client of this dialect keeps only
thinking blocks, so the proof travels as the signature of one. Anthropic's own signatures are base64 and never have a colon.

fastgw:v1:gemini:CALL:SIGNATURE                    Gemini's thought signature of the tool_use CALL in the same message; without CALL, of the
                                                   text (or image) before it. The block has no words and is no thought of its own
fastgw:v1:thought:DIALECT:FLAGS:ID:PROOF           a thought of another dialect. FLAGS: s its words are a summary, e its PROOF is what
                                                   OpenAI calls encrypted_content (else it is a signature, or nothing). ID: of OpenAI's item
fastgw:v1:redacted:DIALECT:OPAQUE                  in a redacted_thinking block: what another dialect has in the place of words

A form that is not known here (of a later version) is a thought of no dialect: no writer sends it on.
"""

from fastgw.dialects.canonical import Thinking

MARK = "fastgw:"
_GEMINI = "fastgw:v1:gemini:"
_THOUGHT = "fastgw:v1:thought:"
_REDACTED = "fastgw:v1:redacted:"


def of_part(call_id: str, signature: str) -> str:
    """Gemini's signature of a tool call, or with call_id "" of the text before."""
    return f"{_GEMINI}{call_id}:{signature}"


def of_thought(thinking: Thinking, signature: str = "", encrypted: str = "") -> str:
    """The proof of another dialect's thought; what came after the thought began stands beside it."""
    encrypted = encrypted or thinking.encrypted
    flags = ("s" if thinking.summary else "") + ("e" if encrypted else "")
    return f"{_THOUGHT}{thinking.dialect}:{flags}:{thinking.id}:{encrypted or signature or thinking.signature}"


def of_redacted(thinking: Thinking) -> str:
    """What another dialect has in the place of words."""
    return f"{_REDACTED}{thinking.dialect}:{thinking.redacted}"


def read_part(signature: str) -> tuple[str, str] | None:
    """(call id, Gemini's signature), None where it is another form."""
    if not signature.startswith(_GEMINI):
        return None
    call_id, _, proof = signature[len(_GEMINI) :].rpartition(":")
    return call_id, proof


def read_thought(words: str, signature: str) -> Thinking:
    """The thought of another dialect, with its proof."""
    if not signature.startswith(_THOUGHT):
        return Thinking(words)
    dialect, flags, item, proof = (*signature[len(_THOUGHT) :].split(":", 3), "", "", "", "")[:4]
    if "e" in flags:
        return Thinking(words, id=item, encrypted=proof, summary="s" in flags, dialect=dialect)
    return Thinking(words, proof, id=item, summary="s" in flags, dialect=dialect)


def read_redacted(opaque: str) -> Thinking:
    """The opaque text of another dialect."""
    if not opaque.startswith(_REDACTED):
        return Thinking(redacted=opaque)
    dialect, _, redacted = opaque[len(_REDACTED) :].partition(":")
    return Thinking(redacted=redacted, dialect=dialect)
