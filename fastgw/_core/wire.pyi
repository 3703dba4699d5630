"""One TCP connection, plain or TLS; what Python sees of it."""
from fastgw._core.poll import Pollable

class Wire(Pollable):
    """Read into shared memory and written without copying where the kernel takes all."""

    def tls_error(self) -> None:
        """The peer broke the TLS protocol, or its certificate is not to be trusted."""
