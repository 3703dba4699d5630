"""Sign a request for AWS, Signature Version 4: pure, the fields to add from the request and the time.

Source: AWS, IAM user guide, "Create a signed AWS API request". As botocore does it, which the tests compare with byte for byte.
"""

import hmac
from collections.abc import Iterable
from hashlib import sha256
from time import gmtime, strftime
from urllib.parse import quote

# What proxies on the way may change or add; AWS's own clients leave these unsigned.
UNSIGNED = frozenset(
    {
        "authorization",
        "baggage",
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "traceparent",
        "tracestate",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-amzn-trace-id",
    }
)


class Signer:
    """Signs for one service in one region with one set of credentials; keeps the signing key of the day.

    session_token    "" where the credentials are lasting ones
    """

    __slots__ = ("_access_key_id", "_day", "_key", "_region", "_scope", "_secret", "_second", "_service", "_stamp", "_token")

    def __init__(self, region: str, service: str, access_key_id: str, secret_access_key: str, session_token: str = "") -> None:
        self._region = region
        self._service = service
        self._access_key_id = access_key_id
        self._secret = secret_access_key
        self._token = session_token
        self._second = -1
        self._stamp = self._day = self._scope = ""
        self._key = b""

    def __repr__(self) -> str:
        return f"<Signer of {self._service} in {self._region} for {self._access_key_id}>"

    def sign(
        self, method: str, host: str, path: str, query: str, fields: Iterable[tuple[str, str]], body: bytes, now_ns: int
    ) -> bytes:
        """The field lines to add, each with its CRLF: authorization, x-amz-date, x-amz-security-token; for S3 x-amz-content-sha256.

        host          as the field Host will say it
        path, query   as they will stand in the request line, percent-encoded; the query without its question mark
        fields        those to be signed, Host and the ones above excepted; what UNSIGNED names may be among them
        """
        if now_ns // 1_000_000_000 != self._second:
            self._tick(now_ns // 1_000_000_000)
        payload = sha256(body).hexdigest()
        added = [("x-amz-date", self._stamp)]
        if self._token:
            added.append(("x-amz-security-token", self._token))
        if self._service == "s3":
            added.append(("x-amz-content-sha256", payload))
        headers, names = canonical_headers([("host", host), *added, *fields])
        resource = path if self._service == "s3" else quote(without_dots(path), safe="/~")
        canonical = f"{method}\n{resource}\n{canonical_query(query)}\n{headers}\n{names}\n{payload}"
        text = f"AWS4-HMAC-SHA256\n{self._stamp}\n{self._scope}\n{sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._key, text.encode(), "sha256").hex()
        lines = "".join([f"{name}: {value}\r\n" for name, value in added])
        credential = f"{self._access_key_id}/{self._scope}"
        return (f"authorization: AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}\r\n"
                f"{lines}").encode("latin-1")

    def _tick(self, second: int) -> None:
        self._second = second
        self._stamp = strftime("%Y%m%dT%H%M%SZ", gmtime(second))
        day = self._stamp[:8]
        if day != self._day:
            self._day = day
            self._scope = f"{day}/{self._region}/{self._service}/aws4_request"
            self._key = f"AWS4{self._secret}".encode()
            for part in self._scope.split("/"):
                self._key = hmac.digest(self._key, part.encode(), "sha256")


def canonical_headers(fields: list[tuple[str, str]]) -> tuple[str, str]:
    """(a line for each field, their names joined): in lower case and order, white space single, those of one name joined."""
    found: dict[str, str] = {}
    for name, value in fields:
        name, value = name.lower(), " ".join(value.split())
        if name not in UNSIGNED:
            found[name] = f"{found[name]},{value}" if name in found else value
    names = sorted(found)
    return "".join([f"{name}:{found[name]}\n" for name in names]), ";".join(names)


def canonical_query(query: str) -> str:
    """The pairs of a query in order of name and value; each has its equals sign."""
    if not query:
        return ""
    pairs = [pair.partition("=") for pair in query.split("&")]
    return "&".join([f"{name}={value}" for name, value in sorted([(name, value) for name, _, value in pairs])])


def without_dots(path: str) -> str:
    """A path without dot segments (RFC 3986, 5.2.4) and, as AWS wants it, without empty ones."""
    if "/." not in path and "//" not in path and path[:1] == "/":
        return path
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    return "/" + "/".join(kept) + ("/" if kept and path.endswith("/") else "")


def model_segment(model: str) -> str:
    """A model's name or ARN as one segment of a path, as AWS's clients write it: colons and slashes percent-encoded too."""
    return quote(model, safe="-._~")
