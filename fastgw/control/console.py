"""Serve the web console from memory: compressed twins, conditional requests, one page for every path below it."""

import hashlib
import mimetypes
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from msgspec import Struct
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

PREFIX: Final = "/console"
PAGE: Final = "index.html"
# What a twin's name ends in, by its content coding (RFC 9110, 8.4.1), the one that is smaller first.
CODINGS: Final = MappingProxyType({"br": ".br", "gzip": ".gz"})
# Names that carry a digest of their content never change what they mean.
HASHED: Final = re.compile(r"-[A-Za-z0-9_-]{8}\.\w+\Z")
FOREVER: Final = "public, max-age=31536000, immutable"
ASK_FIRST: Final = "no-cache"
# The console has no inline script and no inline style, so nothing that gets into the page can run.
POLICY: Final = "; ".join(
    (
        "default-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'", "object-src 'none'",
        "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'",
    )
)  # fmt: skip
SECURITY: Final = (
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
)
NOT_BUILT: Final = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>fastgw</title>
<h1>The console is not part of this installation</h1>
<p>It was built without npm. Where the source is: install Node.js 20.19 or later, run <code>make console</code>, and restart.</p>
<p>Everything that the console does can be done by the admin API under <code>/api/v1</code>.</p>
"""

Fields = list[tuple[str, str]]


class Asset(Struct, frozen=True):
    """One file of the console.

    bodies   by content coding; "" is the file as it is
    digest   of the file as it is, in hexadecimal digits
    """

    content_type: str
    cache_control: str
    digest: str
    bodies: Mapping[str, bytes]

    def tag(self, coding: str) -> str:
        """The strong entity tag of one representation (RFC 9110, 8.8.3): codings are different bytes."""
        return f'"{self.digest}-{coding}"' if coding else f'"{self.digest}"'


def console_folder() -> Path:
    """Where the build puts the console, in the source and in an installation."""
    return Path(__file__).parent.parent / "console" / "dist"


def content_type_of(name: str) -> str:
    guessed = {".js": "text/javascript", ".woff2": "font/woff2"}.get(Path(name).suffix) or mimetypes.guess_type(name)[0]
    if guessed is None:
        return "application/octet-stream"
    return f"{guessed}; charset=utf-8" if guessed.startswith("text/") else guessed


def load_assets(folder: Path) -> Mapping[str, Asset]:
    """All files below the folder by their paths in a URL; none where there is no page."""
    if not (folder / PAGE).is_file():
        return MappingProxyType({})
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return MappingProxyType({name: load_asset(name, files) for name in files if not is_twin(name, files)})


def is_twin(name: str, files: Mapping[str, Path]) -> bool:
    return any(name.endswith(suffix) and name.removesuffix(suffix) in files for suffix in CODINGS.values())


def load_asset(name: str, files: Mapping[str, Path]) -> Asset:
    body = files[name].read_bytes()
    twins = {coding: files[name + suffix].read_bytes() for coding, suffix in CODINGS.items() if name + suffix in files}
    return Asset(
        content_type=content_type_of(name),
        cache_control=FOREVER if HASHED.search(name) else ASK_FIRST,
        digest=hashlib.sha256(body).hexdigest()[:24],
        bodies=MappingProxyType({"": body, **twins}),
    )


def listed(value: str) -> Iterator[str]:
    """The members of a field that is a list (RFC 9110, 5.6.1)."""
    yield from (part.strip() for part in value.split(",") if part.strip())


def weights(accept: str) -> dict[str, float]:
    """The codings that Accept-Encoding names, with their weights (RFC 9110, 12.5.3); what cannot be read weighs nothing."""
    found: dict[str, float] = {}
    for member in listed(accept.lower()):
        coding, _, rest = member.partition(";")
        name, _, value = rest.strip().partition("=")
        try:
            found[coding.strip()] = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            found[coding.strip()] = 0.0
    return found


def choose_coding(accept: str, present: Iterable[str]) -> str:
    """The coding of those present that the caller likes best; of two that it likes as well, the smaller one."""
    liked = weights(accept)
    ranked = [(liked.get(coding, liked.get("*", 0.0)), coding) for coding in CODINGS if coding in present]
    best = max(ranked, key=lambda one: one[0], default=(0.0, ""))
    return best[1] if best[0] > 0 else ""


def has_tag(if_none_match: str, tag: str) -> bool:
    """Whether the caller has this representation (RFC 9110, 13.1.2: compared weakly)."""
    return any(member == "*" or member.removeprefix("W/") == tag for member in listed(if_none_match))


def path_within(scope: Scope) -> str:
    """The path below the console, mounted or not, without the slashes around it."""
    path: str = scope["path"]
    root: str = scope.get("root_path") or PREFIX
    within = path.removeprefix(root) if path == root or path.startswith(root + "/") else path
    return within.strip("/")


class Console:
    """The console in a folder as an ASGI application, for /console and below; the files are read once.

    A path that is no file is a page of the console, which finds its way itself.
    """

    def __init__(self, folder: Path) -> None:
        self.assets = load_assets(folder)

    def __repr__(self) -> str:
        return f"<Console of {len(self.assets)} files>"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        status, fields, body = answer(self.assets, scope["method"], path_within(scope), sent)
        fields += [("content-length", str(len(body)))] if status != 304 else []
        raw = [(name.encode(), value.encode("latin-1")) for name, value in (*fields, *SECURITY)]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def console_routes(folder: Path) -> list[BaseRoute]:
    """The routes of the console; the one without a slash is stated, since a redirection would have to know the scheme."""
    console = Console(folder)
    return [Route(PREFIX, endpoint=console), Mount(PREFIX, app=console)]


def answer(assets: Mapping[str, Asset], method: str, name: str, sent: Mapping[str, str]) -> tuple[int, Fields, bytes]:
    """Status, fields and body for one request."""
    if method not in ("GET", "HEAD"):
        return 405, [("allow", "GET, HEAD"), ("content-type", "text/plain")], b"expected GET or HEAD\n"
    if not assets:
        return 404, [("content-type", "text/html; charset=utf-8"), ("cache-control", "no-store")], NOT_BUILT
    asset = assets.get(name)
    if asset is None:
        if name.startswith("assets/"):
            # of a release before: a page here would be taken for a script
            return 404, [("content-type", "text/plain"), ("cache-control", "no-store")], b"expected a file of the console, found none\n"
        asset = assets[PAGE]
    coding = choose_coding(sent.get("accept-encoding", ""), asset.bodies)
    tag = asset.tag(coding)
    fields = [("etag", tag), ("cache-control", asset.cache_control), ("vary", "accept-encoding")]
    if has_tag(sent.get("if-none-match", ""), tag):
        return 304, fields, b""
    fields += [("content-type", asset.content_type)] + ([("content-encoding", coding)] if coding else [])
    return 200, fields, asset.bodies[coding]
