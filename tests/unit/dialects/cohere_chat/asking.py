"""Read recorded requests of Cohere's chat into the canonical types, so that the writer can be held to what real clients send."""

from fastgw.dialects.canonical import Message, Part, Request, Text, Thinking, Tool, ToolCall, ToolChoice, ToolResult
from tests.recordings import Recording


def request_of(recording: Recording) -> Request:
    """A recorded request as a client of another dialect would have made it."""
    body = recording.request
    messages = []
    for message in body["messages"]:
        content = message.get("content") or []
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        parts: list[Part] = [
            Text(block["text"]) if block["type"] == "text" else Thinking(block["thinking"], dialect="cohere_chat") for block in blocks]
        parts += [ToolCall(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in message.get("tool_calls", [])]
        if message["role"] == "tool":
            messages.append(Message("user", [ToolResult(message["tool_call_id"], parts=parts)]))
        else:
            messages.append(Message(message["role"], parts))
    functions = [tool["function"] for tool in body.get("tools", [])]
    choice = body.get("tool_choice")
    return Request(
        "", body["model"], messages, body["stream"], temperature=body.get("temperature"), stop=body.get("stop_sequences", []),
        tools=[Tool(one["name"], one.get("description", ""), one["parameters"]) for one in functions],
        tool_choice=ToolChoice("none" if choice == "NONE" else "required") if choice else None)
