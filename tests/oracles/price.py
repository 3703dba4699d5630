"""Price usages with fractions: the slow, plain twin of fastgw._core.price."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import ceil

MOST = 2**63 - 1
KINDS = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "audio_input", "audio_output")
Tier = Sequence[int]


def rates_of(tier: Tier) -> dict[str, int]:
    """Name the rates of one tier and put the plain ones in the place of -1."""
    rates = dict(zip(KINDS, tier[1:], strict=True))
    plain = {
        "cache_read": "input",
        "cache_write": "input",
        "cache_write_1h": "cache_write",
        "audio_input": "input",
        "audio_output": "output",
    }
    for kind, otherwise in plain.items():
        if rates[kind] < 0:
            rates[kind] = rates[otherwise]
    return rates


def charge(tiers: Sequence[Tier], request_nano_usd: int, usage: Mapping[str, int]) -> int:
    """Add what each kind of token costs at the tier that the whole input is in."""
    if not tiers:
        return -1
    whole = max(0, usage["input_tokens"])
    reached = [tier for tier in tiers if whole > tier[0]] or [tiers[0]]
    rates = rates_of(reached[-1])
    left, counts = whole, {}
    for kind in ("audio_input", "cache_write", "cache_read"):
        counts[kind] = min(max(0, usage[kind + "_tokens"]), left)
        left -= counts[kind]
    counts["input"] = left
    counts["cache_write_1h"] = min(max(0, usage["cache_write_1h_tokens"]), counts["cache_write"])
    counts["cache_write"] -= counts["cache_write_1h"]
    output = max(0, usage["output_tokens"])
    counts["audio_output"] = min(max(0, usage["audio_output_tokens"]), output)
    counts["output"] = output - counts["audio_output"]
    total = sum(Fraction(counts[kind] * rates[kind], 1_000_000) for kind in KINDS)
    return min(MOST, ceil(total) + request_nano_usd)


def charge_at_most(tiers: Sequence[Tier], request_nano_usd: int, input_tokens: int, output_tokens: int) -> int:
    """Charge every token at the greatest rate of the tiers that this input reaches."""
    if not tiers:
        return MOST
    input_tokens, output_tokens = max(0, input_tokens), max(0, output_tokens)
    reached = [tiers[0], *(tier for tier in tiers[1:] if input_tokens > tier[0])]
    input_rate = max(tier[index] for tier in reached for index in (1, 3, 4, 5, 6))
    output_rate = max(tier[index] for tier in reached for index in (2, 7))
    total = Fraction(input_tokens * input_rate + output_tokens * output_rate, 1_000_000)
    return min(MOST, ceil(total) + request_nano_usd)
