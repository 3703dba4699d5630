"""Mask secrets in payloads before any exporter sees them; JSON stays JSON.

A mask replaces only characters that stand inside one JSON string (never a quote, never half an escape). Each pattern
has a literal that must occur before it is tried, so that clean payloads cost a few searches of memory.
"""
import re
from typing import NamedTuple

MASK = "[masked]"
MOST_BYTES = 1 << 20

FIELD_NAMES = (
    "authorization", "proxy-authorization", "api_key", "api-key", "apikey", "apiKey", "x-api-key", "x-goog-api-key",
    "x-portkey-api-key", "access_token", "refresh_token", "id_token", "auth_token", "client_secret", "secret", "secret_key",
    "secret_access_key", "password", "passwd", "private_key", "cookie", "set-cookie", "credentials", "token",
)


class Pattern(NamedTuple):
    """A pattern, what replaces it, and a literal without which it cannot match (in lower case where the pattern ignores case)."""

    literal: str
    pattern: re.Pattern[str]
    replacement: str


def plain(literal: str, pattern: str, replacement: str = MASK) -> Pattern:
    return Pattern(literal, re.compile(pattern), replacement)


def any_case(literal: str, pattern: str, replacement: str) -> Pattern:
    return Pattern(literal, re.compile(pattern, re.IGNORECASE), replacement)


# By what they look like, wherever they stand.
SHAPES = (
    plain("sk-", r"\bsk-[A-Za-z0-9_-]{16,}"),
    plain("fgw-", r"\bfgw-[A-Za-z0-9_-]{20,}"),
    plain("AIza", r"\bAIza[A-Za-z0-9_-]{30,}"),
    plain("xox", r"\bxox[a-z]-[A-Za-z0-9-]{10,}"),
    plain("gh", r"\bgh[pousr]_[A-Za-z0-9]{20,}"),
    plain("github_pat_", r"\bgithub_pat_[A-Za-z0-9_]{20,}"),
    plain("AKIA", r"\bAKIA[A-Z0-9]{16}\b"),
    plain("hf_", r"\bhf_[A-Za-z0-9]{20,}"),
    plain("eyJ", r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
    # An unterminated block is masked up to the end of the string it stands in.
    plain("PRIVATE KEY-----", r'-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----(?:(?!-----END)[^"])*'
                              r"(?:-----END [A-Z ]{0,20}PRIVATE KEY-----)?"),
)

# By the words before them; these ignore case.
CONTEXTS = (
    any_case("bearer", r"\b(bearer\s+)[A-Za-z0-9._~+/=-]{8,}", rf"\1{MASK}"),
    any_case("basic", r"\b(basic\s+)[A-Za-z0-9+/]{12,}={0,2}", rf"\1{MASK}"),
    any_case("key", r"\b((?:api|access|secret|private|account)[_ -]?key\b[^A-Za-z0-9\\]{1,6})[A-Za-z0-9_/+.-]{16,}={0,2}",
             rf"\1{MASK}"),
    any_case("secret", r"\b(secret\b[^A-Za-z0-9\\]{1,6})[A-Za-z0-9_/+.-]{16,}={0,2}", rf"\1{MASK}"),
    any_case("token", r"\b((?:access|refresh|auth|id)[_ -]?token\b[^A-Za-z0-9\\]{1,6})[A-Za-z0-9_/+.-]{16,}={0,2}", rf"\1{MASK}"),
    any_case("password", r"\b(password\s?[:=]\s?)[^\s\"'\\,;\[]{4,}", rf"\1{MASK}"),
)

# By the name of the JSON field; the second form is JSON inside a JSON string, as in the arguments of a tool call.
NAMES = "|".join(re.escape(name) for name in FIELD_NAMES)
IN_JSON = re.compile(rf'("(?:{NAMES})"\s*:\s*")(?:[^"\\]|\\.)*"', re.IGNORECASE | re.DOTALL)
# The runs of backslashes are bounded, and start where a run starts, or a long one would cost its square.
IN_STRING = re.compile(rf'((?<!\\)\\{{1,15}}"(?:{NAMES})\\{{1,15}}"\s*:\s*\\{{1,15}}")[^"\\]*', re.IGNORECASE)
NAME_HINTS = tuple(sorted({name.lower() + end for name in FIELD_NAMES for end in ('"', '\\"')}))


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
    for literal, pattern, replacement in SHAPES:
        if literal in found:
            found = pattern.sub(replacement, found)
    for literal, pattern, replacement in CONTEXTS:
        if literal in lower:
            found = pattern.sub(replacement, found)
    return found
