"""What an integration's use by one workspace is held to."""
from collections.abc import Sequence

from typing_extensions import disjoint_base

@disjoint_base
class Share:
    """An integration in a workspace; models None: all."""

    has_budget: bool
    counts_tokens: bool
    models: frozenset[bytes] | None
    account_names: tuple[str, ...]
    def __init__(
        self, *, chain: Sequence[int] = (), account_names: tuple[str, ...] = (), has_budget: bool = False,
        counts_tokens: bool = False, models: frozenset[bytes] | None = None,
    ) -> None: ...
