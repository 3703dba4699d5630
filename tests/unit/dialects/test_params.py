"""Members of a body are put in and taken out as routes say."""

import json

import pytest

from fastgw.dialects.params import apply_params

BODY = {
    "model": "m", "temperature": 1, "user": None, "stream": True, "tools": [1, 2], "metadata": {"a": 1, "b": {"c": 2}},
    "messages": [{"role": "user", "content": "hi", "name": "a"}, {"role": "x"}],
}


@pytest.mark.parametrize(
    ("defaults", "overrides", "drops", "changed"),
    [
        ({"temperature": 0, "top_p": 1, "user": "u"}, {}, (), {"top_p": 1, "user": "u"}),
        ({}, {"temperature": 0, "metadata": {"b": {"d": 3}}}, (), {"temperature": 0, "metadata": {"a": 1, "b": {"c": 2, "d": 3}}}),
        ({"seed": 1}, {"seed": 2}, (), {"seed": 2}),
        ({}, {}, ("messages[*].name", "tools[0]", "metadata.b.c", "absent", "tools[7].x"),
         {"messages": [{"role": "user", "content": "hi"}, {"role": "x"}], "tools": [2], "metadata": {"a": 1, "b": {}}}),
        ({}, {"stream": False}, ("stream",), {}),
        ({}, {"logprobs": True}, ("logprobs",), {}),
    ],
)
def test_members_are_put_in_and_taken_out(
    defaults: dict[str, object], overrides: dict[str, object], drops: tuple[str, ...], changed: dict[str, object]
) -> None:
    """Defaults give way to the caller, overrides do not and are merged, drops come last, and `stream` stays the caller's."""
    assert json.loads(apply_params(json.dumps(BODY).encode(), defaults, overrides, drops)) == {**BODY, **changed}
