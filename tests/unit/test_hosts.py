"""Promises of the check of hosts that callers name: no spelling and no resolution leads to an address that is not public."""

import ipaddress
import socket
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgw.snapshot.hosts import HostRefused, HostRules, check_address, check_host, check_url, is_label, kind_of, read_rules

NONE = HostRules()
LOCAL = read_rules(["localhost", "*.svc.cluster.local", "10.1.0.0/16", "192.168.7.7", "fd00:1::/64"])

# Spellings that some parser or resolver takes for an address inside, or that parsers take for different hosts.
BYPASSES = (
    "http://2130706433/", "http://017700000001/", "http://0x7f000001/", "http://0X7F.1/", "http://127.1/", "http://127.0.1/",
    "http://0177.0.0.1/", "http://0x7f.0.0.1/", "http://127.0.0.01/", "http://127.0.0.1./", "http://localhost./", "http://0/",
    "http://00000000000000000000000000000000177.0.0.1/", "http://4294967297/", "http://1.2.3.4.5/", "http://1.2.3/", "http://256.1.1.1/",
    "http://127.0.0.0x1/", "http://example.0x/", "http://example.com.1/", "http://0x/", "http://1.2.3.4:80@127.0.0.1/",
    "http://[::1]/", "http://[::]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://[::127.0.0.1]/",
    "http://[0:0:0:0:0:ffff:a9fe:a9fe]/", "http://[::ffff:0:127.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://[64:ff9b::169.254.169.254]/",
    "http://[64:ff9b:1::1.1.1.1]/", "http://[2002:7f00:1::]/", "http://[2002:0a00:1::1]/", "http://[2001:0:53aa:64c::1]/",
    "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[fd00:ec2::254]/", "http://[fec0::1]/", "http://[ff02::1]/",
    "http://[2001:db8::1]/", "http://[3fff::1]/", "http://[5f00::1]/", "http://[100::1]/", "http://::1/", "http://[::1", "http://[127.0.0.1]/",
    "http://[v1.fe]/", "http://127.0.0.1", "http://10.0.0.1", "http://172.16.0.1", "http://172.31.255.255", "http://192.168.1.1",
    "http://169.254.169.254/latest/meta-data/", "http://169.254.170.2", "http://100.100.100.200", "http://100.64.0.1", "http://168.63.129.16",
    "http://192.0.0.192", "http://0.0.0.0", "http://0.1.2.3", "http://224.0.0.1", "http://239.255.255.250", "http://255.255.255.255",
    "http://240.0.0.1", "http://198.18.0.1", "http://192.0.2.1", "http://198.51.100.1", "http://203.0.113.1", "http://192.88.99.1",
    "http://user@example.com/", "http://user:pass@example.com/", "http://@example.com/", "http://example.com%2f@127.0.0.1/",
    "http://127.0.0.1%2eexample.com/", "http://example.com%00.evil/", "http://example.com\\@127.0.0.1/", "http:\\\\127.0.0.1/",
    "http://example.com#@127.0.0.1/", "http://example.com?@127.0.0.1/", "http://exa mple.com/", "http://example.com\r\nHost: x/",
    "http://example.com\t/", "\thttp://127.0.0.1", " http://127.0.0.1", "http://ex\u00e4mple.com/", "http://\u2460\u2461\u2466.0.0.1/",
    "http://127\u30020\u30020\u30021/", "http://\uff11\uff12\uff17.0.0.1/", "http://example.com./", "http://.example.com/",
    "http://a..b/", "http://-example.com/", "http://" + "a" * 64 + ".com/", "http://" + "a." * 127 + "com/", "http:///path",
    "http://", "http:", "//example.com/", "example.com", "", "ftp://example.com/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_",
    "data:,x", "javascript:1",
    "https://example.com:0/", "https://example.com:65536/", "https://example.com:-1/", "https://example.com:x/", "https://example.com:22/",
    "https://example.com:25/", "https://example.com:1023/", "https://example.com:\uff18\uff10/", "http://" + "a" * 3000,
)  # fmt: skip

PUBLIC = (
    ("https://api.openai.com/v1", "api.openai.com", 443),
    ("http://API.Example.COM:8080/a/b", "api.example.com", 8080),
    ("https://my_model.example.dev", "my_model.example.dev", 443),
    ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443),
    ("http://1.1.1.1/", "1.1.1.1", 80),
    ("http://[2606:4700:4700::1111]:8443/", "2606:4700:4700::1111", 8443),
    ("http://[::ffff:1.1.1.1]/", "::ffff:1.1.1.1", 80),
    ("http://[64:ff9b::1.1.1.1]/", "64:ff9b::1.1.1.1", 80),
    ("https://7b.models.example/v1", "7b.models.example", 443),
    ("https://metadata.google.internal/", "metadata.google.internal", 443),  # refused by what it resolves to
)


@pytest.mark.parametrize("url", BYPASSES)
def test_known_bypasses_are_refused(url: str) -> None:
    """No spelling that was ever used to get around such a check passes this one."""
    with pytest.raises(HostRefused):
        check_url(url, NONE)


@pytest.mark.parametrize(("url", "name", "port"), PUBLIC)
def test_plain_hosts_pass(url: str, name: str, port: int) -> None:
    """A host in its usual spelling passes, and comes out as it will be resolved."""
    host = check_url(url, NONE)
    assert (host.name, host.port) == (name, port)


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.2.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fe80::1%e"])
def test_public_name_with_inner_address_is_refused(address: str) -> None:
    """A public name that resolves to an address inside is refused, even beside a public one (DNS rebinding)."""
    with pytest.raises(HostRefused):
        check_host("https://rebind.example/", NONE, ["1.1.1.1", address])


def test_host_without_address_is_refused() -> None:
    """What resolves to nothing is no host."""
    with pytest.raises(HostRefused, match="got none"):
        check_host("https://nowhere.example/", NONE, [])


@pytest.mark.parametrize(
    ("name", "address", "is_allowed"),
    [
        ("localhost", "127.0.0.1", True),
        ("localhost", "::1", True),
        ("model.ns.svc.cluster.local", "10.96.0.1", True),
        ("svc.cluster.local", "10.96.0.1", False),
        ("evilsvc.cluster.local", "10.96.0.1", False),
        ("model.ns.svc.cluster.local", "169.254.169.254", False),
        ("model.ns.svc.cluster.local", "224.0.0.1", False),
        ("any.example", "10.1.2.3", True),
        ("any.example", "::ffff:10.1.2.3", True),
        ("any.example", "10.2.0.1", False),
        ("any.example", "192.168.7.7", True),
        ("any.example", "fd00:1::9", True),
        ("any.example", "fd00:2::9", False),
        ("any.example", "1.1.1.1", True),
        ("any.example", "not an address", False),
    ],
)
def test_allow_list_lifts_what_it_says(name: str, address: str, is_allowed: bool) -> None:
    """A listed network is reachable under any name; a listed name reaches private addresses, but never metadata or multicast."""
    if is_allowed:
        check_address(address, name, LOCAL)
    else:
        with pytest.raises(HostRefused):
            check_address(address, name, LOCAL)


def test_listed_hosts_have_every_port() -> None:
    """The limit of ports is for hosts that nobody vouches for."""
    assert check_url("http://localhost:81/", LOCAL).port == 81
    assert check_url("http://10.1.0.9:111/", LOCAL).port == 111
    with pytest.raises(HostRefused, match="got 81"):
        check_url("http://example.com:81/", LOCAL)


def test_metadata_is_reached_only_through_a_listed_network() -> None:
    """An operator who wants link-local addresses must list their network."""
    rules = read_rules(["169.254.0.0/16"])
    check_address("169.254.169.254", "any.example", rules)


def test_closed_rules_leave_only_the_list() -> None:
    """Without public hosts, only what is listed can be reached."""
    rules = read_rules(["api.partner.example", "1.1.1.0/24"], public=False)
    check_address("8.8.8.8", "api.partner.example", rules)
    check_address("1.1.1.1", "any.example", rules)
    with pytest.raises(HostRefused, match="allow list"):
        check_address("8.8.8.8", "any.example", rules)


@pytest.mark.parametrize("item", ["", "*", "*.", "a b", "http://x", "10.0.0.1/8", "1.2.3", "*.*.x", "-a", "0x7f.1", "user@host", "host:80"])
def test_wrong_items_of_the_allow_list_are_named(item: str) -> None:
    """An item that is neither a name nor a network is refused, with the item."""
    with pytest.raises(ValueError, match="expected a name"):
        read_rules([item])


@pytest.mark.parametrize(("text", "is_one"), [("eastus2", True), ("us-east-1", True), ("a.b", False), ("x#", False), ("", False)])
def test_labels_hold_no_dot_and_no_mark(text: str, is_one: bool) -> None:
    """What goes into a host name as a part of it cannot end it or add to it."""
    assert is_label(text) is is_one


@given(st.integers(0, 2**32 - 1))
def test_every_ipv4_address_that_passes_is_global(number: int) -> None:
    """Python's own table of special addresses never says less than ours."""
    address = IPv4Address(number)
    kind, _ = kind_of(address)
    if not kind:
        assert address.is_global and not address.is_multicast and not address.is_reserved


@given(st.one_of(st.integers(0, 2**128 - 1), st.integers(2**125, 2**126 - 1), st.integers(0, 2**64 - 1)))
def test_every_ipv6_address_that_passes_is_global(number: int) -> None:
    """An IPv6 address that passes is global, and so is the IPv4 address that it carries."""
    address = IPv6Address(number)
    try:
        check_address(str(address), "x.example", NONE)
    except HostRefused:
        return
    inner = address.ipv4_mapped or (IPv4Address(number & 0xFFFF_FFFF) if number >> 32 == 0x64FF9B << 64 else None)
    reached = inner or address
    assert reached.is_global and not reached.is_multicast and address.sixtofour is None and address.teredo is None


@given(st.sampled_from([row for row in ("10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16")]), st.integers(0, 2**16 - 1))
def test_embedding_hides_nothing(network: str, offset: int) -> None:
    """An address inside stays refused in every IPv6 form of it."""
    inner = int(ipaddress.ip_network(network)[offset])
    for prefix in (0, 0xFFFF << 32, 0xFFFF << 48, 0x64FF9B << 96, 0x2002 << 112 | inner << 80):
        with pytest.raises(HostRefused):
            check_address(str(IPv6Address(prefix | inner)), "x.example", NONE)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["{}", "{:#x}", "0{:o}"]))
def test_no_number_is_a_host(number: int, form: str) -> None:
    """What the resolver takes for an address though it does not look like one is refused before it is resolved."""
    text = form.format(number)
    try:
        socket.inet_aton(text)
    except OSError:
        return
    with pytest.raises(HostRefused):
        check_url(f"http://{text}/", NONE)


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    """No text raises anything but a refusal, and what passes names no address inside."""
    try:
        host = check_url(f"http://{text}", NONE)
    except HostRefused:
        return
    try:
        packed = socket.inet_aton(host.name)
    except (OSError, UnicodeError):
        return
    assert IPv4Address(packed).is_global
