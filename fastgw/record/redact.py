"""Mask secrets in payloads before any exporter sees them; JSON stays JSON.

A mask replaces only characters that stand inside one JSON string (never a quote, never half an escape). Each pattern
has a literal that must occur before it is tried, so that clean payloads cost a few searches of memory.
"""
import re
from typing import NamedTuple

MASK = "[masked]"
MOST_BYTES = 1 << 20

FIELD_NAMES = (
    "authorization", "proxy-authorization", "api_key", "api-key", "apikey", "x-api-key", "x-goog-api-key",
    "x-portkey-api-key", "access_token", "refresh_token", "id_token", "auth_token", "client_secret", "secret",
    "secret_key", "secret_access_key", "password", "passwd", "private_key", "cookie", "set-cookie", "credentials",
    "token",
)

# Where a secret may begin: not inside a word, but right after a JSON escape such as \n or \u00e4.
START = r"(?:(?<![A-Za-z0-9_])|(?<=\\[nrtbf])|(?<=\\u[0-9a-fA-F]{4}))"
# What may stand between a name and its value inside one string: no bare quote, and escapes only whole.
GAP = r"""(?:[^A-Za-z0-9\\"]|\\["nrt]){1,6}"""
VALUE = r"[A-Za-z0-9_/+.-]{16,}={0,2}"


class Pattern(NamedTuple):
    """A pattern, what replaces it, and a cheap search of the text in lower case without which it cannot match."""

    hint: re.Pattern[str]
    pattern: re.Pattern[str]
    replacement: str


def shape(literal: str, pattern: str) -> Pattern:
    return Pattern(re.compile(re.escape(literal.lower())), re.compile(START + pattern, re.DOTALL), MASK)


def context(hint: str, words: str, pattern: str) -> Pattern:
    return Pattern(re.compile(hint), re.compile(f"{START}({words}){pattern}", re.IGNORECASE), rf"\1{MASK}")


# By what they look like, wherever they stand. None may begin with a letter that makes an escape, or \f would be cut.
SHAPES = (
    shape("sk-", r"sk-[A-Za-z0-9_-]{16,}"),
    shape("fgw-", r"(?<!\\)fgw-[A-Za-z0-9_-]{20,}"),
    shape("AIza", r"AIza[A-Za-z0-9_-]{30,}"),
    shape("xox", r"xox[a-z]-[A-Za-z0-9-]{10,}"),
    shape("gh", r"gh[pousr]_[A-Za-z0-9]{20,}"),
    shape("github_pat_", r"github_pat_[A-Za-z0-9_]{20,}"),
    shape("AKIA", r"AKIA[A-Z0-9]{16}"),
    shape("hf_", r"hf_[A-Za-z0-9]{20,}"),
    shape("eyJ", r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
    # An unterminated block is masked up to the end of the string it stands in.
    shape("PRIVATE KEY-----", r'-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----(?:(?!-----END)(?:[^"\\]|\\.))*'
                              r"(?:-----END [A-Z ]{0,20}PRIVATE KEY-----)?"),
)

# By the words before them, which stay; these ignore case.
CONTEXTS = (
    context(r"bearer\s", r"bearer\s+", r"[A-Za-z0-9._~+/=-]{8,}"),
    context(r"basic\s", r"basic\s+", r"[A-Za-z0-9+/]{12,}={0,2}"),
    context(r"key\b", rf"(?:api|access|secret|private|account)[_ -]?key\b{GAP}", VALUE),
    context(r"secret\b", rf"secret\b{GAP}", VALUE),
    context(r"token\b", rf"(?:access|refresh|auth|id)[_ -]?token\b{GAP}", VALUE),
    context(r"password\s?[:=]", r"password\s?[:=]\s?", r"[^\s\"'\\,;\[]{4,}"),
)

# By the name of the JSON field; the second form is JSON inside a JSON string, as in the arguments of a tool call.
NAMES = "|".join(re.escape(name) for name in FIELD_NAMES)
IN_JSON = re.compile(rf'("(?:{NAMES})"\s*:\s*")(?:[^"\\]|\\.)*"', re.IGNORECASE | re.DOTALL)
# The runs of backslashes are bounded, and start where a run starts, or a long one would cost its square.
IN_STRING = re.compile(rf'((?<!\\)\\{{1,15}}"(?:{NAMES})\\{{1,15}}"\s*:\s*\\{{1,15}}")[^"\\]*', re.IGNORECASE)
ENDINGS = ("authorization", "key", "token", "secret", "password", "passwd", "cookie", "credentials")   # of all names
NAME_HINTS = tuple(ending + quote for ending in ENDINGS for quote in ('"', '\\"'))


def redact(payload: bytes) -> str:
    """Return the payload as text with secrets masked; bytes that are not UTF-8 become U+FFFD.

    A payload of more than 1 MiB is not searched but replaced by a note, as a JSON string.
    """
    if len(payload) > MOST_BYTES:
        return f'"[payload of {len(payload)} bytes not kept]"'
    found = payload.decode("utf-8", "replace")
    lower = found.lower()
    if any(hint in lower for hint in NAME_HINTS):
        found = IN_JSON.sub(rf'\1{MASK}"', found)
        found = IN_STRING.sub(rf"\1{MASK}", found)
    for hint, pattern, replacement in (*SHAPES, *CONTEXTS):
        if hint.search(lower):
            found = pattern.sub(replacement, found)
    return found
