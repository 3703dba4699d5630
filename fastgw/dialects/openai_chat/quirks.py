"""What providers of this dialect do otherwise than OpenAI; the words a provider's row may use, in one table."""

from types import MappingProxyType

NAME = "openai_chat"

# Each name with what the writer of requests does about it. Without any, a request is what OpenAI itself takes.
QUIRKS = MappingProxyType({
    # output limit, roles, content
    "max_tokens": "states the limit as max_tokens, the older name of max_completion_tokens",
    "system_role": "knows no developer role: it becomes system",
    "text_content": "content must be a string: text parts are joined, other parts noted",
    "no_name": "messages carry no name",
    # tools
    "no_allowed_tools": "tool_choice knows no allowed_tools: only those tools are sent",
    "no_custom_tools": "knows no tools that take free text",
    "no_strict": "tools and schemas know no strict",
    # output
    "no_json_schema": "takes any JSON object only: a schema is noted",
    # what takes more than OpenAI
    "cache_control": "takes Anthropic's cache_control on parts and tools",
    "cache_breakpoint": "takes prompt_cache_breakpoint on parts (OpenAI from gpt-5.6 on)",
    "top_k": "takes top_k",
    "video_url": "takes parts of type video_url",
    "audio_url": "takes parts of type audio_url (vLLM)",
    "file_url": "takes a URL in the file_data of a file (OpenRouter)",
    "extra_content": "takes Gemini's thought signatures back as extra_content (Google)",
    # how much to think; without one of these, reasoning_effort
    "thinking_type": "thinking: {type: enabled | disabled}, and reasoning_effort where an effort is stated (DeepSeek, Z.ai, Moonshot)",
    "reasoning_object": "reasoning: {effort | max_tokens | enabled, exclude} (OpenRouter, Snowflake)",
    "enable_thinking": "enable_thinking and thinking_budget (Qwen, SiliconFlow)",
    # how thoughts go back; without one of these, not at all
    "echo_reasoning_content": "as reasoning_content (DeepSeek, Z.ai, Moonshot)",
    "echo_reasoning": "as reasoning (Cerebras, Crusoe, Ollama, vLLM, gpt-oss)",
    "echo_reasoning_details": "as reasoning_details, with their proofs (OpenRouter, Snowflake)",
    "echo_thinking_blocks": "as thinking_blocks, with their proofs (LiteLLM)",
    # a maker with a wire of its own
    "mistral": "random_seed, `any`, chunks of thinking and documents, call ids of 9 letters and digits, a model's turn between a "
               "tool's and a user's, two efforts; and all of MISTRAL",
    # any other
    "no_<member>": "knows no such member of the body (no_stream_options, no_parallel_tool_calls, no_seed, no_user, ...): it is noted",
})

MARKS = frozenset({"cache_control", "cache_breakpoint"})  # of what may be cached; others cache by themselves
# https://docs.mistral.ai/api: members that it does not know are refused with 422.
MISTRAL = frozenset({
    "max_tokens", "system_role", "no_name", "no_allowed_tools", "no_custom_tools", "no_stream_options", "no_user", "no_logit_bias",
    "no_logprobs", "no_top_logprobs", "no_service_tier", "no_store", "no_verbosity", "no_modalities", "no_audio", "no_safety_identifier",
    "no_prompt_cache_retention", "no_prompt_cache_options", "no_moderation",
})


def implied(quirks: frozenset[str]) -> frozenset[str]:
    """The quirks with those that follow from them."""
    return quirks | MISTRAL if "mistral" in quirks else quirks
