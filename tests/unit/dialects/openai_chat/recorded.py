"""The recordings of this dialect, and what a provider's row would say of each provider in them."""

from collections.abc import Iterator

from tests.recordings import Recording, recordings, skip_without_corpus

QUIRKS: dict[str, frozenset[str]] = {
    "azure": frozenset(),
    "bedrock-mantle": frozenset(),
    "cerebras": frozenset({"echo_reasoning"}),
    "crusoe": frozenset({"echo_reasoning"}),
    "deepseek": frozenset({"thinking_type", "echo_reasoning_content"}),
    "gemini": frozenset({"extra_content"}),
    "groq": frozenset({"echo_reasoning"}),
    "heroku": frozenset(),
    "huggingface": frozenset({"max_tokens"}),
    "mistral": frozenset({"mistral"}),
    "ollama": frozenset({"echo_reasoning"}),
    "openai": frozenset({"cache_breakpoint"}),
    "openrouter": frozenset({"cache_control", "echo_reasoning_details", "file_url", "reasoning_object", "video_url"}),
    "portkey": frozenset(),
    "snowflake": frozenset({"echo_reasoning_details", "reasoning_object"}),
    "together": frozenset({"top_k"}),
    "zai": frozenset({"echo_reasoning_content", "thinking_type"}),
}


def chats() -> Iterator[Recording]:
    """All recorded chats whose request has a body."""
    skip_without_corpus()
    for provider in QUIRKS:
        yield from (chat for chat in recordings(provider, "chat.completions") if isinstance(chat.request, dict))


def is_stream(chat: Recording) -> bool:
    """Whether the reply is a stream; some were recorded without their content type."""
    return not chat.reply.lstrip().startswith(b"{")


def replies() -> Iterator[Recording]:
    """The whole replies among them."""
    yield from (chat for chat in chats() if chat.status == 200 and not is_stream(chat))


def streams() -> Iterator[Recording]:
    """The streams among them."""
    yield from (chat for chat in chats() if chat.status == 200 and is_stream(chat))
