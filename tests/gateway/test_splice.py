"""What the gateway changes in a body is a few spans: every other byte reaches the provider as it came."""
from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.raw_client import RawClient
from tests.fakes.upstream import Upstream, json_reply
from tests.gateway.limited import CHAT, bearer, integrations, key_lines
from tests.gateway.running import RunningGateway

READ = {"model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "max_output_tokens", "n", "best_of", "prompt",
        "candidate_count", "generationConfig", "generation_config", "background"}
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=12)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)), max_leaves=12)
members = st.dictionaries(st.text(max_size=8).filter(lambda name: name not in READ), values, max_size=6)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(json_reply({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}})) as running:
        yield running


@pytest.fixture(scope="module")
def client(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawClient]:
    config = integrations(upstream.url) + '[models.fast]\ntargets = [{ integration = "openai", model = "gpt-4.1" }]\n' + key_lines()
    with RunningGateway(tmp_path_factory.mktemp("splice"), config) as running, RawClient(running.url) as connection:
        yield connection


@given(before=members, after=members, space=st.sampled_from(["", " ", "\n\t", "\r\n  "]), ascii_only=st.booleans(), streams=st.booleans())
@settings(max_examples=150, deadline=None)
def test_every_other_byte_survives(
    client: RawClient, upstream: Upstream, before: dict[str, object], after: dict[str, object], space: str, ascii_only: bool, streams: bool
) -> None:
    """Around a renamed model and an added stream_options, whatever JSON there is goes upstream byte for byte."""
    pieces = [[f"{json.dumps(name, ensure_ascii=ascii_only)}{space}:{space}{json.dumps(value, ensure_ascii=ascii_only)}"
               for name, value in part.items() if part is before or name not in before] for part in (before, after)]
    stream = ['"stream":true'] if streams else []
    text = "{" + f"{space},{space}".join([*pieces[0], '"model":"fast"', *stream, *pieces[1]]) + "}"
    try:
        body = text.encode()
    except UnicodeEncodeError:
        return
    reply = client.ask("POST", CHAT, body, [("content-type", "application/json"), *bearer()])
    assert reply.status == 200, reply.body
    added = b'"stream_options":{"include_usage":true},' if streams else b""
    assert upstream.received[-1].body == b"{" + added + body[1:].replace(b'"model":"fast"', b'"model":"gpt-4.1"', 1)
