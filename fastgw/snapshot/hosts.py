"""Decide whether the gateway may connect to a host that a caller names, by its spelling and by every address it resolves to.

A name says nothing about where it leads, and may lead elsewhere a moment later. So the spelling is checked once (`check_url`), and the
address each time a connection is about to be opened (`check_address`), with no look-up in between.

source  IANA special-purpose address registries (RFC 6890); RFC 6052 and 8215 (NAT64), 3056 (6to4), 4380 (Teredo)
"""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
NAME: Final = re.compile(rf"{LABEL}(?:\.{LABEL})*\Z")
# A last label of this form makes the whole a number (WHATWG URL, ends in a number): 127.1, 0x7f000001, 017700000001
NUMBER: Final = re.compile(r"(?:[0-9]+|0[xX][0-9A-Fa-f]*)\Z")
MOST_NAME_CHARACTERS: Final = 253
MOST_URL_CHARACTERS: Final = 2_048
# Ports below hold mail, shells, directories and the like, which must not be talked to in HTTP.
FIRST_FREE_PORT: Final = 1_024
WEB_PORTS: Final = frozenset({80, 443})

# A network and whether a name in the allow list is enough to reach it; the others take a network in the allow list.
BY_NAME, BY_NETWORK = True, False
REFUSED: Final[tuple[tuple[Network, str, bool], ...]] = tuple(
    (ip_network(network), kind, lifted)
    for network, kind, lifted in (
        ("10.0.0.0/8", "private", BY_NAME),
        ("172.16.0.0/12", "private", BY_NAME),
        ("192.168.0.0/16", "private", BY_NAME),
        ("127.0.0.0/8", "loopback", BY_NAME),
        ("100.64.0.0/10", "shared (carrier-grade NAT)", BY_NAME),
        ("169.254.0.0/16", "link-local (metadata)", BY_NETWORK),
        ("168.63.129.16/32", "metadata", BY_NETWORK),  # Azure's wire server stands in public space
        ("0.0.0.0/8", "unspecified", BY_NETWORK),
        ("192.0.0.0/24", "reserved", BY_NETWORK),
        ("192.0.2.0/24", "documentation", BY_NETWORK),
        ("198.51.100.0/24", "documentation", BY_NETWORK),
        ("203.0.113.0/24", "documentation", BY_NETWORK),
        ("192.88.99.0/24", "6to4 relay", BY_NETWORK),
        ("198.18.0.0/15", "benchmarking", BY_NETWORK),
        ("224.0.0.0/4", "multicast", BY_NETWORK),
        ("240.0.0.0/4", "reserved", BY_NETWORK),
        ("::1/128", "loopback", BY_NAME),
        ("fc00::/7", "private (unique local)", BY_NAME),
        ("::/128", "unspecified", BY_NETWORK),
        ("fd00:ec2::254/128", "metadata", BY_NETWORK),
        ("fd20:ce::254/128", "metadata", BY_NETWORK),
        ("fe80::/10", "link-local", BY_NETWORK),
        ("2001::/23", "reserved (Teredo, ORCHID)", BY_NETWORK),
        ("2001:db8::/32", "documentation", BY_NETWORK),
        ("3fff::/20", "documentation", BY_NETWORK),
        ("2002::/16", "6to4", BY_NETWORK),
        ("ff00::/8", "multicast", BY_NETWORK),
    )
)
GLOBAL_V6: Final = IPv6Network("2000::/3")
# In their last 32 bits stands an IPv4 address, which is what a connection reaches; DNS64 makes the second kind of public names.
CARRIERS: Final = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))


class HostRefused(ValueError):
    """A host that a caller may not name; the text says expected and found, and holds no part of a path or credential."""


class HostRules(Struct, frozen=True):
    """What an operator allows beside the public Internet.

    names     lower-case: a host itself, or "*.suffix" for everything below it
    networks  reachable whatever the name
    public    false leaves only what is listed
    """

    names: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()
    public: bool = True

    def has_name(self, host: str) -> bool:
        """Whether the operator vouches for a name."""
        if host in self.names:
            return True
        at = host.find(".")
        while at >= 0:
            if "*" + host[at:] in self.names:
                return True
            at = host.find(".", at + 1)
        return False


class Host(Struct, frozen=True):
    """A host as it was named: lower case, an IPv6 address without brackets; `address` where it is one."""

    scheme: str
    name: str
    port: int
    address: Address | None = None


def read_rules(allow: Iterable[str], public: bool = True) -> HostRules:
    """Sort an allow list into names and networks.

    raises  ValueError with the first item that is neither
    """
    names: set[str] = set()
    networks: list[Network] = []
    for item in allow:
        text = item.strip().lower()
        try:
            networks.append(ip_network(text))
        except ValueError:
            name = text.removeprefix("*.")
            if not is_name(name):
                raise ValueError(f'expected a name, "*.NAME", an address or a network, got {item[:64]!r}') from None
            names.add(text)
    return HostRules(frozenset(names), tuple(networks), public)


def is_name(text: str) -> bool:
    """Whether a text is a host name and cannot be read as an address."""
    if not NAME.match(text) or len(text) > MOST_NAME_CHARACTERS:
        return False
    return not NUMBER.match(text.rpartition(".")[2])


def is_label(text: str) -> bool:
    """Whether a text is one label of a host name: what a region or the name of a resource may be that goes into one."""
    return re.fullmatch(LABEL, text) is not None


def check_url(url: str, rules: HostRules) -> Host:
    """Take the host out of a URL that a caller names, if it is spelled in the one plain way.

    raises  HostRefused
    """
    if not url or len(url) > MOST_URL_CHARACTERS:
        raise HostRefused(f"expected an address of 1 to {MOST_URL_CHARACTERS} characters, got {len(url)}")
    # Before it is split: splitting drops line ends, and parsers differ in what they make of the others.
    if any(character <= " " or character > "~" or character in "\\%@#?<>^`{|}" for character in url):
        raise HostRefused("expected http(s)://HOST[:PORT][/PATH] in plain ASCII, got a character that has no place in it")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise HostRefused("expected a valid host and port, got another form") from None
    if parts.scheme not in ("http", "https"):
        raise HostRefused(f"expected http:// or https://, got {parts.scheme[:16] or 'no scheme'}")
    name = (parts.hostname or "").lower()
    address = plain_address(parts.netloc, name)
    if address is None and ("[" in parts.netloc or not is_name(name)):
        raise HostRefused("expected a host name, an IPv4 address of four decimal numbers or [IPv6], got another spelling")
    host = Host(parts.scheme, name, (443 if parts.scheme == "https" else 80) if port is None else port, address)
    if address is not None:
        check_address(str(address), name, rules)
    if host.port == 0 or host.port < FIRST_FREE_PORT and host.port not in WEB_PORTS and not is_listed(host, rules):
        raise HostRefused(f"expected port 80, 443 or from {FIRST_FREE_PORT} on, got {host.port}")
    return host


def plain_address(netloc: str, name: str) -> Address | None:
    """An address in its usual spelling: dotted decimal without leading zeros, or IPv6 in brackets and without a zone."""
    try:
        address = ip_address(name)
    except ValueError:
        return None
    return address if (address.version == 6) == netloc.startswith("[") else None


def is_listed(host: Host, rules: HostRules) -> bool:
    if host.address is not None:
        return any(host.address in network for network in rules.networks if network.version == host.address.version)
    return rules.has_name(host.name)


def check_address(address: str, name: str, rules: HostRules) -> None:
    """Check one address, as getaddrinfo gives it, that a connection for this name is about to be opened to.

    raises  HostRefused
    """
    try:
        reached = reached_by(ip_address(address))
    except ValueError:
        raise HostRefused("expected an IP address, got another form") from None
    if any(reached in network for network in rules.networks if network.version == reached.version):
        return
    vouched = rules.has_name(name)
    kind, lifted = kind_of(reached)
    if not kind:
        if not rules.public and not vouched:
            raise HostRefused("expected a host of the allow list, got another")
    elif not (lifted and vouched):
        raise HostRefused(f"expected a public address, got a {kind} one")


def reached_by(address: Address) -> Address:
    """The address that a connection reaches in the end: that of the IPv4 host inside an IPv6 address where there is one."""
    if isinstance(address, IPv6Address) and address.scope_id is None:
        if any(address in carrier for carrier in CARRIERS):
            return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def kind_of(address: Address) -> tuple[str, bool]:
    """What makes an address no public one, and whether a name in the allow list lifts that; "" for a public one."""
    fits = [row for row in REFUSED if row[0].version == address.version and address in row[0]]
    if fits:
        _, kind, lifted = max(fits, key=lambda row: row[0].prefixlen)
        return kind, lifted
    if isinstance(address, IPv6Address) and (address not in GLOBAL_V6 or address.scope_id is not None):
        return "reserved", BY_NETWORK
    return "", BY_NAME


def check_host(url: str, rules: HostRules, addresses: Iterable[str]) -> Host:
    """Check a URL and all the addresses that its host resolves to; every one must do.

    raises  HostRefused
    """
    host = check_url(url, rules)
    found = list(addresses)
    if not found:
        raise HostRefused("expected a host that has an address, got none")
    for address in found:
        check_address(address, host.name, rules)
    return host
