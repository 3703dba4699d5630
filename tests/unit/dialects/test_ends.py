"""The table of ends in docs/providers.md is what the dialects read and write."""

import pytest

from fastgw.dialects.anthropic_messages.vocabulary import FINISH_OF, STOP_REASONS
from fastgw.dialects.bedrock_converse.reply import FINISHES as CONVERSE
from fastgw.dialects.canonical import FinishReason
from fastgw.dialects.cohere_chat.reply import FINISHES as COHERE
from fastgw.dialects.gemini_generate.vocabulary import FINISHES as GEMINI
from fastgw.dialects.gemini_generate.vocabulary import REASONS
from fastgw.dialects.openai_chat.usage import FINISHES as CHAT
from fastgw.dialects.openai_chat.usage import WORDS
from tests.gateway.corpus_page import ends

ORDER: tuple[FinishReason, ...] = (
    "stop", "tool_calls", "stop_sequence", "length", "context_window", "content_filter", "refusal", "pause", "error")
READ = {
    "anthropic_messages": FINISH_OF, "bedrock_converse": CONVERSE, "cohere_chat": COHERE, "gemini_generate": GEMINI,
    "openai_chat": dict(CHAT),
}


@pytest.mark.parametrize("dialect", READ)
def test_every_word_that_is_read_is_on_the_page(dialect: str) -> None:
    """A provider's word stands in the row of what it means."""
    for word, finish in READ[dialect].items():
        row = ends()[ORDER.index("tool_calls" if word == "UNEXPECTED_TOOL_CALL" else finish)]
        assert word in row[dialect], (word, finish)


@pytest.mark.parametrize("finish", ORDER)
def test_first_word_is_what_is_written(finish: FinishReason) -> None:
    """The first word of a caller's dialect is the one that its writer has."""
    row = ends()[ORDER.index(finish)]
    assert (row["anthropic_messages"][0], row["gemini_generate"][0], row["openai_chat"][0]) == (
        STOP_REASONS[finish], REASONS[finish], WORDS[finish])
