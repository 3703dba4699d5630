"""Connect to hosts that people name: to an address that was checked, and no other; and say what went wrong."""

import asyncio
import ssl

import httpx2

from fastgw.snapshot.hosts import HostRules, check_address


async def address_of(host: str, port: int, rules: HostRules) -> str:
    """An address of a host, after all of them were checked; it is what is connected to, so that no later look-up leads elsewhere.

    raises  HostRefused, OSError
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=1)
    addresses = [str(address[0]) for *_, address in found]
    for address in addresses:
        check_address(address, host, rules)
    return addresses[0]


def trouble(error: Exception) -> str:
    """Why there was no answer, without what may be secret in the words of a library."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return f"a TLS error: {cause.reason or 'certificate verify failed'}".lower()
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        cause = cause.__cause__ or cause.__context__
    return "no answer in time" if isinstance(error, httpx2.TimeoutException | TimeoutError) else "no answer that is HTTP"
