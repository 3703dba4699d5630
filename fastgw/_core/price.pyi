"""The Python face of the price kernel: nano-dollars as int, rates in nano-dollars per million tokens."""
from collections.abc import Sequence

class PriceRow:
    """One model's price with where it comes from; see the kernel's head for the rules.

    tiers              rows of (above_tokens, input, output, cache_read, cache_write, cache_write_1h, audio_input,
                       audio_output), ascending, the first above 0; -1 where a kind is charged as plain input or output;
                       no row at all: the price is unknown
    context_tokens, max_output_tokens   0 unknown
    raises             ValueError where the rows are not so
    """

    source: str
    date: str
    def __init__(
        self,
        tiers: Sequence[Sequence[int]] = (),
        request_nano_usd: int = 0,
        context_tokens: int = 0,
        max_output_tokens: int = 0,
        source: str = "",
        date: str = "",
    ) -> None: ...
    @property
    def known(self) -> bool: ...
    @property
    def tiers(self) -> tuple[tuple[int, ...], ...]: ...
    @property
    def request_nano_usd(self) -> int: ...
    @property
    def context_tokens(self) -> int: ...
    @property
    def max_output_tokens(self) -> int: ...
    def charge(
        self,
        input_tokens: int = 0,
        output_tokens: int = 0,
        *,
        cache_read_tokens: int = 0,
        cache_write_tokens: int = 0,
        cache_write_1h_tokens: int = 0,
        audio_input_tokens: int = 0,
        audio_output_tokens: int = 0,
    ) -> int:
        """What a usage costs; -1 where the price is unknown."""

    def charge_at_most(self, input_tokens: int, output_tokens: int) -> int:
        """The greatest `charge` of any usage within these counts; 2**63 - 1 where the price is unknown."""

    def affordable_output(self, input_tokens: int, nano_usd: int) -> int:
        """The most output tokens whose `charge_at_most` stays within the sum; 0 where even the input does not fit."""

def _bench_charge(row: PriceRow, rounds: int) -> int: ...
def _bench_admission(row: PriceRow, rounds: int) -> int: ...
