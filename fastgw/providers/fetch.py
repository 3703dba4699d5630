"""Ask a token endpoint or a metadata service, in a thread: bounded in time and size, TLS verified, no redirects.

Messages name the address without its query and the error's code; what the endpoint says beyond that may quote a credential.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

from msgspec import Struct

from fastgw.providers.signer import SigningError

if TYPE_CHECKING:
    # and below where it is used: few gateways ask anybody for a token, and it brings a megabyte with it
    from urllib.request import OpenerDirector

TIMEOUT_S: Final = 10.0
METADATA_TIMEOUT_S: Final = 3.0  # it is on the same machine, or it is not there at all
MOST_BYTES: Final = 1 << 18
CODE: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}\Z")
XML_CODE: Final = re.compile(rb"<Code>([A-Za-z0-9_.:-]{1,64})</Code>")
ENTRA_CODE: Final = re.compile(r"AADSTS[0-9]{1,10}")


class Ways(Struct, frozen=True):
    """How to get to token endpoints: authorities to trust beside the system's, and a proxy instead of the environment's."""

    ca_file: str | None = None
    proxy: str | None = None

    def __repr__(self) -> str:
        return f"Ways(ca_file={self.ca_file!r}, {'a proxy' if self.proxy else 'no proxy'})"


def is_token_url(url: str, is_local: bool = False) -> bool:
    """Whether credentials may be sent there: https, or http to this machine; metadata services (is_local) are asked in http."""
    try:
        parts = urlsplit(url)
        if not parts.hostname or parts.port == 0 or parts.query or parts.fragment or "@" in parts.netloc:
            return False
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and (is_local or is_loopback(parts.hostname)))


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def opener_of(ways: Ways, is_direct: bool) -> OpenerDirector:
    from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, ProxyHandler, build_opener

    class NoRedirect(HTTPRedirectHandler):
        """A redirect would take the credential elsewhere: it is an answer like any other."""

        def redirect_request(self, *_: object) -> None:
            return None

    context = ssl.create_default_context()
    if ways.ca_file is not None:
        context.load_verify_locations(ways.ca_file)
    proxies: list[ProxyHandler] = []
    if is_direct:
        proxies.append(ProxyHandler({}))
    elif ways.proxy is not None:
        proxies.append(ProxyHandler({"https": ways.proxy}))
    return build_opener(NoRedirect(), HTTPHandler(), HTTPSHandler(context=context), *proxies)


def ask(
    url: str,
    *,
    method: str = "GET",
    query: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    body: bytes | None = None,
    fields: Mapping[str, str] | None = None,
    ways: Ways | None = None,
    is_metadata: bool = False,
) -> bytes:
    """Send one request, a form by POST, and return the body of a reply of 2xx.

    raises  SigningError
    """
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import Request

    headers = dict(fields or {})
    if form is not None:
        method, body = "POST", urlencode(form).encode("ascii")
        headers["content-type"] = "application/x-www-form-urlencoded"
    request = Request(f"{url}?{urlencode(query)}" if query else url, data=body, headers=headers, method=method)
    place = place_of(url)
    try:
        # no proxy reaches what is on this machine or its link
        opener = opener_of(ways or Ways(), is_metadata or is_loopback(urlsplit(url).hostname or ""))
        with opener.open(request, timeout=METADATA_TIMEOUT_S if is_metadata else TIMEOUT_S) as reply:
            content: bytes = reply.read(MOST_BYTES + 1)
    except HTTPError as error:
        with error:
            raise SigningError(f"expected credentials from {place}, got HTTP {error.code}{code_in(error.read(MOST_BYTES))}") from None
    except ssl.SSLError as error:
        raise SigningError(f"expected credentials from {place}, got a TLS error: {error.reason}") from None
    except (URLError, OSError, HTTPException, ValueError) as error:
        raise SigningError(f"expected credentials from {place}, got {reason_of(error)}") from None
    if len(content) > MOST_BYTES:
        raise SigningError(f"expected credentials from {place}, got more than {MOST_BYTES} bytes")
    return content


def ask_json(
    url: str,
    *,
    query: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    fields: Mapping[str, str] | None = None,
    ways: Ways | None = None,
    is_metadata: bool = False,
) -> dict[str, object]:
    """The same for an endpoint that answers an object of JSON. raises SigningError"""
    content = ask(url, query=query, form=form, fields=fields, ways=ways, is_metadata=is_metadata)
    try:
        decoded = json.loads(content)
    except ValueError:
        decoded = None
    if not isinstance(decoded, dict):
        raise SigningError(f"expected a JSON object from {place_of(url)}, got something else")
    return decoded


def text_at(found: Mapping[str, object], name: str, url: str) -> str:
    """A member that must be there and must be text. raises SigningError"""
    value = found.get(name)
    if not isinstance(value, str) or not value:
        raise SigningError(f"expected a text at {name} from {place_of(url)}, got none")
    return value


def seconds_at(found: Mapping[str, object], name: str, url: str) -> float:
    """A member that must be a number, as some write it in quotes. raises SigningError"""
    value = found.get(name)
    try:
        number = float(value) if isinstance(value, str | int | float) else float("nan")
    except ValueError:
        number = float("nan")
    if not 0 <= number < 1e12:
        raise SigningError(f"expected seconds at {name} from {place_of(url)}, got something else")
    return number


def place_of(url: str) -> str:
    """An address without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def reason_of(error: Exception) -> str:
    from http.client import HTTPException
    from urllib.error import URLError

    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, ssl.SSLError):
        return f"a TLS error: {reason.reason}"
    if isinstance(reason, TimeoutError):
        return "no answer in time"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror.lower()
    return "no answer that is HTTP" if isinstance(reason, HTTPException) else "no answer"


def code_in(content: bytes) -> str:
    """The code of an error in JSON or XML, as " (invalid_grant)"; "" where there is none."""
    if match := XML_CODE.search(content):
        return f" ({match[1].decode()})"
    try:
        decoded = json.loads(content)
    except ValueError:
        return ""
    if not isinstance(decoded, dict):
        return ""
    codes = [decoded.get(name) for name in ("error", "errorCode", "Code", "code")]
    known = [code for code in codes if isinstance(code, str) and CODE.match(code)]
    known += ENTRA_CODE.findall(str(decoded.get("error_description", "")))[:1]
    return f" ({', '.join(known)})" if known else ""
