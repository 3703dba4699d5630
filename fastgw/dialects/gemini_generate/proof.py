"""Carry other dialects' proofs of thinking through a Gemini caller's history, in the thoughtSignature that it must send back as it is.

A caller of this dialect whose model is Anthropic's or OpenAI's gets thoughts with such proofs; without them the next turn would be refused
(Anthropic: a thinking block before a tool's result) or begin anew. Clients take the member for base64 and may write it in either alphabet.
"""

import binascii
from base64 import b64encode, urlsafe_b64decode

import msgspec

from fastgw.dialects.canonical import Thinking
from fastgw.dialects.gemini_generate.spelling import SIGNER, SIGNERS

MARK = b"fastgw:"
BEGINNING = b64encode(MARK)[:9].decode()  # what every sealed proof begins with: the letters that MARK alone decides


class Proof(msgspec.Struct, array_like=True, frozen=True):
    """What of a Thinking is to come back."""

    dialect: str
    signature: str = ""
    redacted: str = ""
    id: str = ""
    encrypted: str = ""
    summary: bool = False


def seal(part: Thinking) -> str:
    """The thoughtSignature for a thought: Gemini's own as it is, another's sealed, "" for none."""
    if part.dialect in SIGNERS or not (part.signature or part.redacted or part.id or part.encrypted):
        return part.signature if part.dialect in SIGNERS else ""
    proof = Proof(part.dialect, part.signature, part.redacted, part.id, part.encrypted, part.summary)
    return b64encode(MARK + msgspec.json.encode(proof)).decode()


def unseal(text: str, signature: str) -> Thinking:
    """The thought with that thoughtSignature, whosever it is. What only looks sealed is taken for Gemini's."""
    if signature.startswith(BEGINNING):
        try:
            sealed = urlsafe_b64decode(signature.replace("+", "-").replace("/", "_") + "==")
            proof = msgspec.json.decode(sealed.removeprefix(MARK), type=Proof)
        except (binascii.Error, ValueError):  # of DecodeError too
            return Thinking(text, signature, dialect=SIGNER)
        return Thinking(text, proof.signature, proof.redacted, proof.id, proof.encrypted, proof.summary, proof.dialect)
    return Thinking(text, signature, dialect=SIGNER)
