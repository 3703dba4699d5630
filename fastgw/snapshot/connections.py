"""Compile integrations: where their requests go, by which pool of connections, and what signs them.

Pools outlive a snapshot, and so do tokens: an origin or a signer that the one before had with the same settings is taken over.
"""
import re
from collections.abc import Callable, Mapping
from urllib.parse import unquote, urlsplit

from fastgw._core.poll import Poller
from fastgw._core.upstream import Origin
from fastgw.providers.address import Upstream
from fastgw.providers.row import Provider, apply_variant
from fastgw.providers.settings import settings_of, upstream_for
from fastgw.providers.signing import Signer, signer_of
from fastgw.providers.table import PROVIDERS
from fastgw.snapshot import config as written
from fastgw.snapshot.certificates import client_context
from fastgw.snapshot.types import Integration
from fastgw.snapshot.ways import ways_of

SHORTEST_SECRET = 8            # shorter ones are words that a reply's head may hold for other reasons
CREDENTIAL = re.compile(r"auth|key|token|secret|cookie", re.IGNORECASE)


class Connections:
    """The integrations of one snapshot; `origins` and `signers` are those it uses, and are offered to the next one."""

    def __init__(self, poller: Poller, environ: Mapping[str, str], before: "Connections | None" = None) -> None:
        self.poller = poller
        self.environ = environ
        self.origins: dict[tuple[object, ...], Origin] = {}
        self.signers: list[tuple[str, written.Integration, Signer]] = []
        self._known = before.origins if before else {}
        self._signed = before.signers if before else []

    def __repr__(self) -> str:
        return f"<Connections of {len(self.origins)} origins, {len(self.signers)} signers>"

    def retired(self) -> list[Origin]:
        """The origins of the snapshot before that this one has no use for."""
        return [origin for key, origin in self._known.items() if key not in self.origins]

    def integration(self, name: str, row: written.Integration, check: Callable[[str, str], None] | None = None) -> Integration:
        """Compile one; check: refuses addresses of its host, as it is connected to (address, host name).

        raises  OSError, ssl.SSLError where a certificate cannot be read; SigningError where a key cannot
        """
        provider = PROVIDERS[row.provider]
        upstream = upstream_for(provider, row)
        origin = self._origin(upstream.scheme, upstream.host, upstream.port, row, check)
        signer = self._signer(provider, name, row)
        variants = tuple((
            re.compile(variant.pattern, re.IGNORECASE),
            self._compiled(name, apply_variant(provider, variant), row, origin, signer),
        ) for variant in provider.variants)
        return self._compiled(name, provider, row, origin, signer, variants)

    def _compiled(self, name: str, provider: Provider, row: written.Integration, origin: Origin, signer: Signer | None,
                  variants: tuple[tuple[re.Pattern[str], Integration], ...] = ()) -> Integration:
        upstream = upstream_for(provider, row)
        fields = [("host", host_field(upstream))]
        if row.api_key is not None and signer is None and provider.auth != "none":
            fields.append((provider.auth_field, provider.auth_prefix + row.api_key.reveal()))
        if row.azure is not None and row.azure.token is not None:
            fields.append(("authorization", f"Bearer {row.azure.token.reveal()}"))
        fields.extend((field, value.reveal()) for field, value in row.headers.items())
        own = {field.lower() for field, _ in fields}
        defaults = [(field, value) for field, value in provider.extra_fields if field not in own]
        return Integration(
            name, provider, origin, host=host_field(upstream).encode(), prefix=upstream.prefix.encode(), cut=provider.cut.encode(),
            query=upstream.query.encode(), fields=lines(fields), default_fields=lines(defaults),
            ways=ways_of(provider, upstream, settings_of(provider, row)),
            ask_usage=provider.stream_options if row.stream_usage is None else row.stream_usage,
            output_limits=dict(provider.output_limit),
            own_names=frozenset(field.lower().encode() for field in row.headers) | (signer.writes if signer is not None else frozenset()),
            secrets=secrets_of(row), signer=signer, variants=variants,
        )

    def _signer(self, provider: Provider, name: str, row: written.Integration) -> Signer | None:
        kept = next((signer for known, same, signer in self._signed if known == name and same == row), None)
        signer = kept or signer_of(provider, row, self.environ)
        if signer is not None:
            self.signers.append((name, row, signer))
        return signer

    def _origin(self, scheme: str, host: str, port: int, row: written.Integration, check: Callable[[str, str], None] | None) -> Origin:
        # a proxy would look the name up itself, after what is checked here
        proxy = None if check is not None else self._proxy(scheme, host, port, row)
        key = (scheme, host, port, row.ca_file, proxy, row.max_connections, row.timeouts, check is not None)
        origin = self.origins.get(key) or self._known.get(key)
        if origin is None:
            times = row.timeouts
            origin = Origin(
                self.poller, host, port, context=client_context(row.ca_file) if scheme == "https" else None, proxy=proxy,
                limit=row.max_connections, connect_ms=times.connect_ms, first_byte_ms=times.first_byte_ms, idle_ms=times.idle_ms,
                total_ms=times.total_ms, check=check,
            )
        self.origins[key] = origin
        return origin

    def _proxy(self, scheme: str, host: str, port: int, row: written.Integration) -> tuple[str, int, bytes | None] | None:
        """The forward proxy for an https origin."""
        url = proxy_url(scheme, f"{host}:{port}", row, self.environ)
        if url is None:
            return None
        parts = urlsplit(url)
        authorization = None
        if parts.username is not None:
            from base64 import b64encode
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            authorization = b"Basic " + b64encode(pair.encode())
        return parts.hostname or "", parts.port or 80, authorization


def proxy_url(scheme: str, authority: str, row: written.Integration, environ: Mapping[str, str]) -> str | None:
    """The proxy on the way to HOST:PORT, the integration's own or that of the environment; None where there is none."""
    if scheme != "https":
        return None
    url = row.proxy.reveal() if row.proxy is not None else environ.get("HTTPS_PROXY") or environ.get("https_proxy")
    bypass = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    if not url:
        return None
    # here: it brings a megabyte with it, and few gateways are behind a proxy
    from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # typeshed lacks it

    if row.proxy is None and proxy_bypass_environment(authority, {"no": bypass}):
        return None
    return url if "://" in url else f"http://{url}"


def host_field(upstream: Upstream) -> str:
    """What the Host field says (RFC 9110, 7.2)."""
    host = f"[{upstream.host}]" if ":" in upstream.host else upstream.host
    default_port = 443 if upstream.scheme == "https" else 80
    return host if upstream.port == default_port else f"{host}:{upstream.port}"


def secrets_of(row: written.Integration) -> tuple[bytes, ...]:
    """The credentials of an integration, as they may come back in a reply's head."""
    values = [row.api_key, *(value for name, value in row.headers.items() if CREDENTIAL.search(name))]
    values += [getattr(row.aws, name, None) for name in ("secret_access_key", "session_token")]
    values += [getattr(row.azure, name, None) for name in ("client_secret", "token")]
    texts = [value.reveal() for value in values if value is not None]
    return tuple(text.encode("latin-1") for text in texts if len(text) >= SHORTEST_SECRET)


def lines(fields: list[tuple[str, str]]) -> bytes:
    """Field lines; the configuration has checked names and values."""
    return "".join(f"{name}: {value}\r\n" for name, value in fields).encode("latin-1")
