"""Every recorded request of an Anthropic client is the same after it was read and written."""

from copy import deepcopy
from typing import Any

from fastgw.dialects.anthropic_messages import DIALECT
from fastgw.dialects.canonical import Request
from fastgw.dialects.notes import Notes
from tests.recordings import counted
from tests.unit.dialects.anthropic_messages.official import messages_recorded


def read(body: dict[str, Any]) -> Request:
    assert DIALECT.read_request is not None
    return DIALECT.read_request(deepcopy(body), "of-the-path", False)


def normal(stated: Any) -> dict[str, Any]:
    """What may differ, since it means the same.

    1. a string of content is one text block; content of a tool's result that is empty is left out
    2. messages of one role that follow each other are one turn: the API says that it joins them
    3. false and null, where they are what the API takes for granted: stream, is_error, citations
    4. a tool of the type "custom" needs no type
    5. output_format is the beta name of output_config.format
    6. an empty system prompt or description is none
    """
    body: dict[str, Any] = deepcopy(stated)
    turns: list[dict[str, Any]] = []
    for message in body["messages"]:
        blocks = blocks_of(message["content"])
        if turns and turns[-1]["role"] == message["role"] != "system":
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": message["role"], "content": blocks})
    body["messages"] = turns
    if "system" in body and not body["system"]:
        del body["system"]
    elif "system" in body:
        body["system"] = blocks_of(body["system"])
    if not body.get("stream"):
        body.pop("stream", None)
    for tool in body.get("tools", []):
        if tool.get("type") == "custom":
            del tool["type"]
        if tool.get("description") == "":
            del tool["description"]
    if "output_format" in body:
        body.setdefault("output_config", {})["format"] = body.pop("output_format")
    return body


def blocks_of(content: Any) -> list[dict[str, Any]]:
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    for block in blocks:
        if block["type"] == "tool_result":
            block |= {"content": blocks_of(block.get("content") or [])}
            if not block.get("is_error"):
                block.pop("is_error", None)
    return list(blocks)


def test_recorded_requests_survive_being_read_and_written() -> None:
    """A request that goes through the canonical types reaches a provider of its own dialect as it was, and nothing is noted."""
    count = 0
    for exchange in messages_recorded():
        notes = Notes()
        quirks = frozenset({"bedrock"}) if exchange.provider == "bedrock" else frozenset()
        request = read(exchange.request)
        assert request.model == exchange.request.get("model", "of-the-path"), exchange.name
        written = DIALECT.write_request(request, notes, quirks)
        expected = normal(exchange.request)
        assert normal(written) == expected, exchange.name
        assert not notes.dropped, exchange.name
        count += 1
    counted(count, 301)


def test_requests_for_other_platforms_change_only_what_these_demand() -> None:
    """The same requests for AWS lose their model, stream and what only Anthropic serves, which is noted, and nothing else."""
    for exchange in messages_recorded():
        notes = Notes()
        written = normal(DIALECT.write_request(read(exchange.request), notes, frozenset({"bedrock"})))
        expected = normal(exchange.request)
        assert written.pop("anthropic_version") == "bedrock-2023-05-31"
        for name in ("model", "stream", "anthropic_version"):
            expected.pop(name, None)
        noted = {name for name in expected if name in notes.dropped}
        assert written.keys() == expected.keys() - noted, exchange.name
        if all("content" not in name for name in notes.dropped):
            assert written == {name: value for name, value in expected.items() if name not in noted}, exchange.name
