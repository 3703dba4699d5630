"""What a model takes of the Messages API, by its name: Anthropic refuses on newer models what it asked for on older ones.

Source: Anthropic's pages on adaptive thinking, effort, structured outputs and migrating to Claude 4.6, 4.7 and 5 (platform.claude.com,
2026). It decides only how the request of another dialect is written: what an Anthropic client wrote goes as it is.
"""

import re
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

Version = tuple[int, int]
FOUR_EFFORTS = ("low", "medium", "high", "max")
FIVE_EFFORTS = ("low", "medium", "high", "xhigh", "max")


class Traits(Struct, frozen=True):
    """What a model takes.

    thinking     it thinks as it sees fit (steered by an effort), within a budget, or not at all
    efforts      words of output_config.effort
    sampling     temperature and top_p: both, one of them, or none
    structured   output_config.format and strict tools
    forced       tool_choice may force a tool
    always       its thinking cannot be switched off
    """

    thinking: Literal["adaptive", "budget", "none"]
    efforts: tuple[str, ...] = ()
    sampling: Literal["both", "one", "none"] = "both"
    structured: bool = False
    forced: bool = True
    always: bool = False


NEWEST = Traits("adaptive", FIVE_EFFORTS, "none", True)
OF_OTHERS = Traits("budget")  # models of other makers behind an API like this one

# from this version on; of these families, () all; the first row that fits counts
_ROWS: tuple[tuple[Version, tuple[str, ...], Traits], ...] = (
    ((5, 1), ("fable", "mythos"), Traits("adaptive", FIVE_EFFORTS, "none", True, False, True)),
    ((0, 0), ("fable", "mythos"), Traits("adaptive", FIVE_EFFORTS, "none", True, True, True)),
    ((4, 7), (), NEWEST),
    ((4, 6), (), Traits("adaptive", FOUR_EFFORTS, "one", True)),
    ((4, 1), (), Traits("budget", (), "one", True)),
    ((3, 7), (), Traits("budget")),
    ((0, 0), (), Traits("none")),
)
_NAMED = re.compile(r"claude-(?:([a-z]+)-)?v?(\d+)(?:[-.](\d{1,2})(?!\d))?(?:-([a-z]+))?")
_UNNUMBERED = re.compile(r"claude-([a-z]+)")


def traits_of(model: str, quirks: frozenset[str]) -> Traits:
    """What the model takes; a name that says nothing is a newest Claude on AWS and Google (an ARN, a deployment), another's model else."""
    found = _NAMED.search(model)
    if found is not None:
        version = int(found[2]), int(found[3] or 0)
        family = found[1] or found[4] or ""
        traits = next(traits for since, families, traits in _ROWS if version >= since and (not families or family in families))
    else:
        unnumbered = _UNNUMBERED.search(model)
        if unnumbered is not None:
            traits = _ROWS[0][2] if unnumbered[1] in _ROWS[0][1] else NEWEST
        else:
            traits = NEWEST if quirks & {"bedrock", "vertex"} else OF_OTHERS
    if "budget_thinking" in quirks:
        traits = replace(traits, thinking="budget", efforts=(), always=False)
    if "one_sampling" in quirks and traits.sampling == "both":
        traits = replace(traits, sampling="one")
    if "no_output_format" in quirks and traits.structured:
        traits = replace(traits, structured=False)
    return traits
