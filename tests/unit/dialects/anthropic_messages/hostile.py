"""Objects that look like those of the Messages API and are mostly wrong."""

from typing import Any

from hypothesis import strategies as st

JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=8)


def an_object(kinds: str, names: str, **members: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects of these types with some of these members, mostly wrong."""
    optional = {name: JSON for name in names.split()} | members
    return st.fixed_dictionaries({"type": st.sampled_from(kinds.split())}, optional=optional) | JSON


BLOCK = an_object("text tool_use thinking redacted_thinking server_tool_use", "text id name input thinking signature data citations caller")
