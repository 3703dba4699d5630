"""Contexts of TLS, towards callers and towards providers, and whether the files that a configuration names make any."""
import ssl

from fastgw.snapshot.config import Config
from fastgw.snapshot.problem import ConfigError, Problem


def server_context(cert: str, key: str) -> ssl.SSLContext:
    """TLS towards callers: HTTP/1.1 only, TLS 1.2 and later."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(cert, key, password=no_password)
    return context


def client_context(ca_file: str | None) -> ssl.SSLContext:
    """TLS towards a provider: verified against ca_file or the system's authorities, HTTP/1.1 only."""
    context = ssl.create_default_context(cafile=ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context


def no_password() -> str:
    """OpenSSL would ask the terminal, and the gateway would stand still until somebody answers."""
    raise ValueError("the private key is encrypted: write it without a passphrase")


def check_certificates(config: Config, path: str) -> None:
    """Load every certificate that the configuration names. raises ConfigError with each that cannot be used"""
    problems = []
    tls = config.gateway.tls
    if tls is not None:
        try:
            server_context(tls.cert, tls.key)
        except (OSError, ValueError) as error:
            problems.append(Problem("gateway.tls", "a certificate chain and its private key, both PEM",
                                    f"{tls.cert} and {tls.key}: {reason(error)}", path=path))
    for name, integration in config.integrations.items():
        if integration.ca_file is not None:
            try:
                client_context(integration.ca_file)
            except (OSError, ValueError) as error:
                problems.append(Problem(f"integrations.{name}.ca_file", "certificates of authorities, PEM",
                                        f"{integration.ca_file}: {reason(error)}", path=path))
    if problems:
        raise ConfigError(problems)


def reason(error: Exception) -> str:
    """What OpenSSL or the system says is wrong, in words."""
    known = {
        "KEY_VALUES_MISMATCH": "the key is not that of the certificate",
        "NO_CERTIFICATE_OR_CRL_FOUND": "it holds no certificate",
        "NO_START_LINE": "it holds nothing in PEM",
    }
    if isinstance(error, ssl.SSLError):
        return known.get(error.reason or "", f"not readable as PEM ({error.reason or error})")
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
