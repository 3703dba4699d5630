"""Usage, finish reasons and log probabilities: what a reply states beside its words."""

from types import MappingProxyType

from fastgw.dialects.canonical import Choice, FinishReason, Logprob, Part, Refusal, ToolCall, Usage
from fastgw.dialects.reading import Json, as_array, as_count, as_object, as_text

# Words of all providers of this dialect; a word that is not here means "stop".
FINISHES: MappingProxyType[str, FinishReason] = MappingProxyType({
    "stop": "stop", "eos": "stop", "eos_token": "stop", "end_turn": "stop", "complete": "stop", "completed": "stop", "COMPLETE": "stop",
    "stop_sequence": "stop_sequence",
    "length": "length", "max_tokens": "length", "max_output_tokens": "length", "MAX_TOKENS": "length", "incomplete": "length",
    "tool_calls": "tool_calls", "tool_call": "tool_calls", "tool_use": "tool_calls", "function_call": "tool_calls",
    "content_filter": "content_filter", "content_filtered": "content_filter", "guardrail_intervened": "content_filter",
    "safety": "content_filter", "SAFETY": "content_filter", "recitation": "content_filter", "sensitive": "content_filter",
    "refusal": "refusal",
    "pause_turn": "pause",
    "model_length": "context_window", "model_context_window_exceeded": "context_window",
    "error": "error", "abort": "error", "insufficient_system_resource": "error", "network_error": "error", "unavailable": "error",
})
# OpenAI's clients know these five and no others; the provider's own word stands beside them as native_finish_reason (OpenRouter).
WORDS: MappingProxyType[FinishReason, str] = MappingProxyType({
    "stop": "stop", "stop_sequence": "stop", "length": "length", "tool_calls": "tool_calls", "content_filter": "content_filter",
    "refusal": "content_filter", "pause": "stop", "context_window": "length", "error": "stop",
})

# OpenAI's words for how a request was served, and what others call the plain way; for a word of another kind it has none.
TIERS = MappingProxyType({name: name for name in ("auto", "default", "flex", "scale", "priority", "fast")}
                         | {"standard": "default", "on_demand": "default"})

MOST_TOKENS = 2**53  # a greater count is ignored, as the usage kernel does


def _count(value: object) -> int:
    count = as_count(value)
    return count if count <= MOST_TOKENS else 0


def read_usage(usage: Json) -> Usage:
    """A usage object, in any provider's words, bounded as the usage kernel bounds it: no part exceeds its whole."""
    asked = as_object(usage.get("prompt_tokens_details") or usage.get("input_tokens_details"))
    given = as_object(usage.get("completion_tokens_details") or usage.get("output_tokens_details"))
    stated_input = usage.get("prompt_tokens", usage.get("input_tokens"))
    stated_output, total = _count(usage.get("completion_tokens", usage.get("output_tokens"))), _count(usage.get("total_tokens"))
    entering = _count(stated_input) if stated_input is not None else max(total - stated_output, 0)
    # Some leave the reasoning out of completion_tokens and have it in the total only (xAI, Gemini's OpenAI-compatible API).
    leaving = max(stated_output, total - entering)
    cached = asked.get("cached_tokens")
    for name in ("prompt_cache_hit_tokens", "num_cached_tokens", "cached_tokens", "cache_read_input_tokens"):
        if cached is None:
            cached = usage.get(name)
    made = (_count(asked.get("cache_write_tokens")) or _count(asked.get("cache_creation_tokens"))
            or _count(usage.get("cache_creation_input_tokens")))
    found = Usage(entering, leaving, min(_count(cached), entering))
    if made:
        found.cache_write_tokens = min(made, entering - found.cache_read_tokens)
        hourly = as_object(asked.get("cache_creation_token_details") or usage.get("cache_creation"))
        found.cache_write_1h_tokens = min(_count(hourly.get("ephemeral_1h_input_tokens")), found.cache_write_tokens)
    found.reasoning_tokens = min(_count(given.get("reasoning_tokens")), leaving)
    found.audio_input_tokens = min(_count(asked.get("audio_tokens")), entering)
    found.audio_output_tokens = min(_count(given.get("audio_tokens")), leaving)
    return found


def write_usage(usage: Usage) -> Json:
    """A usage object as OpenAI has it; cache writes under OpenAI's name, LiteLLM's and Anthropic's."""
    asked: Json = {"cached_tokens": usage.cache_read_tokens, "audio_tokens": usage.audio_input_tokens}
    written: Json = {
        "prompt_tokens": usage.input_tokens, "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens, "prompt_tokens_details": asked,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens, "audio_tokens": usage.audio_output_tokens,
                                      "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
    }
    made = usage.cache_write_tokens
    if made:
        asked["cache_write_tokens"] = asked["cache_creation_tokens"] = written["cache_creation_input_tokens"] = made
        hourly = usage.cache_write_1h_tokens
        if hourly:
            asked["cache_creation_token_details"] = {"ephemeral_5m_input_tokens": made - hourly, "ephemeral_1h_input_tokens": hourly}
    return written


def usage_in(body: Json) -> Json | None:
    """The usage object of a reply or chunk; Groq's may stand in x_groq."""
    usage = body.get("usage")
    if usage is None and "x_groq" in body:
        usage = as_object(body["x_groq"]).get("usage")
    return usage if isinstance(usage, dict) and usage else None


def finish_of(reason: object, calls: bool, refused: bool) -> FinishReason:
    """What a provider's word means. calls: there were some, which several providers (and OpenAI, where one was forced) call a stop;
    refused: the model did, in words of its own, which OpenAI calls a stop too.
    """
    found = FINISHES.get(reason, "stop") if isinstance(reason, str) else "stop"
    if found != "stop":
        return found
    return "tool_calls" if calls else "refusal" if refused else "stop"


def raw_of(choice: Json) -> str:
    """The provider's own word for why it ended; OpenRouter passes on its provider's."""
    return as_text(choice.get("native_finish_reason")) or as_text(choice.get("finish_reason"))


def met_sequence(choice: Json) -> str:
    """The stop sequence that was met, which vLLM names; a number there is a token."""
    return as_text(choice.get("stop_reason"))


def word_for(finish: FinishReason, refused: bool, legacy: bool) -> str:
    """OpenAI's word. refused: the model's refusal stands in the message, and OpenAI calls that a stop."""
    if finish == "refusal" and refused:
        return "stop"
    return "function_call" if legacy and finish == "tool_calls" else WORDS[finish]


def finish_members(choice: Choice, parts: list[Part], legacy: bool) -> Json:
    """finish_reason, and beside it what other providers' users know."""
    word = word_for(choice.finish, any(type(part) is Refusal for part in parts), legacy and any(type(part) is ToolCall for part in parts))
    return {"finish_reason": word} | rare_members(word, choice.raw_finish, choice.stop_sequence)


def rare_members(word: str, raw: str, sequence: str) -> Json:
    """The provider's own word where it is another, and the stop sequence that was met."""
    members: Json = {}
    if raw and raw != word:
        members["native_finish_reason"] = raw
    if sequence:
        members["stop_reason"] = sequence
    return members


def read_logprobs(value: object) -> list[Logprob] | None:
    """The log probabilities of a choice or chunk: of the words, and of a refusal."""
    if not isinstance(value, dict):
        return None
    found = [logprob for name in ("content", "refusal") for logprob in map(_logprob, as_array(value.get(name))) if logprob is not None]
    return found or None


def _logprob(value: object) -> Logprob | None:
    if not isinstance(value, dict):
        return None
    token, likely, octets = value.get("token"), value.get("logprob"), value.get("bytes")
    if not isinstance(token, str) or isinstance(likely, bool) or not isinstance(likely, int | float):
        return None
    whole = [octet for octet in octets if type(octet) is int] if isinstance(octets, list) else None
    top = [logprob for logprob in map(_logprob, as_array(value.get("top_logprobs"))) if logprob is not None]
    return Logprob(token, float(likely), whole, top)


def write_logprobs(logprobs: list[Logprob] | None, refused: bool) -> Json | None:
    """The log probabilities of a choice or chunk. refused: they are of a refusal."""
    if not logprobs:
        return None
    written: list[object] = [_token(logprob) | {"top_logprobs": [_token(other) for other in logprob.top]} for logprob in logprobs]
    return {"content": None, "refusal": written} if refused else {"content": written, "refusal": None}


def _token(logprob: Logprob) -> Json:
    return {"token": logprob.token, "logprob": logprob.logprob, "bytes": logprob.bytes}
