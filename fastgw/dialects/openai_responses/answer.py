"""The Response object to a caller: what it repeats of the request, its status, and its items.

What the caller did not state is null, since the provider's own defaults are not known; `store` is false: nothing is kept here.
"""

import os
import time

from fastgw.dialects.canonical import Failure, FinishReason, Request, Usage
from fastgw.dialects.openai_responses.reply import write_usage
from fastgw.dialects.reading import Json

INCOMPLETE: dict[FinishReason, str] = {
    "length": "max_output_tokens", "context_window": "max_output_tokens", "content_filter": "content_filter",
    "pause": "",  # none of their reasons
}
REPEATED = (
    "instructions", "max_output_tokens", "max_tool_calls", "prompt_cache_key", "safety_identifier", "service_tier", "temperature",
    "top_logprobs", "top_p", "user",
)
PLAIN_TEXT: Json = {"format": {"type": "text"}}
NO_REASONING: Json = {"effort": None, "summary": None}
# Codes of a failed response that clients act on; OpenAI sends some that its own types do not list.
FAILED = {"rate_limit": "rate_limit_exceeded", "context_window": "context_length_exceeded", "billing": "insufficient_quota",
          "overloaded": "server_is_overloaded", "content_policy": "content_policy_violation", "invalid_request": "invalid_prompt"}


def frame_of(request: Request) -> Json:
    """What every state of a response has: all but id, model, status, output and usage."""
    echo = request.echo
    frame: Json = {name: echo.get(name) for name in REPEATED}
    frame["background"] = False
    frame["previous_response_id"] = None
    frame["store"] = False
    frame["metadata"] = echo.get("metadata") or {}
    frame["parallel_tool_calls"] = echo.get("parallel_tool_calls", True)
    frame["reasoning"] = {**NO_REASONING, **stated} if isinstance(stated := echo.get("reasoning"), dict) else NO_REASONING
    frame["text"] = echo.get("text") or PLAIN_TEXT
    frame["tool_choice"] = echo.get("tool_choice", "auto")
    frame["tools"] = echo.get("tools") or []
    frame["truncation"] = echo.get("truncation", "disabled")
    return frame


def state_of(finish: FinishReason, refused: bool) -> tuple[str, Json | None]:
    """Status and incomplete_details of a response that ended so. refused: it says so in words of its own"""
    if finish == "error":
        return "failed", None
    reason = INCOMPLETE.get(finish)
    if finish == "refusal" and not refused:
        reason = "content_filter"
    return ("completed", None) if reason is None else ("incomplete", {"reason": reason} if reason else {})


def response_of(frame: Json, began: Json, status: str, output: list[Json], usage: Usage | None, incomplete: Json | None = None,
                problem: Json | None = None) -> Json:
    """A response in one of its states. began: its id, created_at and model"""
    return {**began, "object": "response", "status": status, "error": problem, "incomplete_details": incomplete, **frame,
            "output": output, "usage": None if usage is None else write_usage(usage)}


def problem_of(failure: Failure) -> Json:
    """The error of a failed response."""
    return {"code": FAILED.get(failure.kind) or failure.code or "server_error", "message": failure.message}


def seed() -> str:
    """What makes the ids of a response's items unique: 32 hexadecimal digits."""
    return os.urandom(16).hex()


def seconds() -> int:
    """Now, in Unix seconds."""
    return int(time.time())
