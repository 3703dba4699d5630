"""What a translation could not carry over, by the caller's own names."""

from collections.abc import Callable
from typing import Literal

from fastgw.errors import error

# Members that say what to cache, in any dialect. An answer without them is the same, and agents send them whatever the provider is.
CACHE_HINTS = frozenset(
    ("cache_control", "prompt_cache_breakpoint", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"))


class Notes:
    """What a writer could not carry over: by the policy of the target it is named (`drop`), passed as it is (`pass`) or refused (`error`).

    Writers name it as the canonical request has it ("stop", "messages[2].content[0].cache_control"), whoever the caller is.

    name      the caller's own name for that (`words.Names`)
    dropped   the caller's names of what was left out, each once
    """

    __slots__ = ("dropped", "name", "policy", "target")

    def __init__(self, policy: Literal["pass", "drop", "error"] = "drop", target: str = "", name: Callable[[str], str] = str) -> None:
        self.policy = policy
        self.target = target
        self.name = name
        self.dropped: list[str] = []

    def __repr__(self) -> str:
        return f"<Notes {self.policy}: {', '.join(self.dropped) or 'nothing'}>"

    def drop(self, name: str) -> None:
        """Say that something is left out. raises UnsupportedParameter where the policy is error, but not for a hint to a cache"""
        name = self.name(name)
        if self.policy == "error" and name.rpartition(".")[2] not in CACHE_HINTS:
            raise error("UnsupportedParameter", f"{self.target or 'the target'} has nothing like {name}: leave it out, or set "
                        'unsupported = "drop" for the target', param=name)
        if name not in self.dropped:
            self.dropped.append(name)
