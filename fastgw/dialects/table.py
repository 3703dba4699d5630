"""Which dialects there are, and which one a caller's operation is in."""

from importlib import import_module

from fastgw.dialects.canonical import Dialect
from fastgw.dialects.translate import Asked, Translation, translate

# Packages of this folder, one each; those that only providers speak among them.
NAMES = ("openai_chat", "openai_responses", "anthropic_messages", "gemini_generate", "bedrock_converse", "cohere_chat")
# What a caller asks for, and the dialect of its body.
CALLERS = {"chat": "openai_chat", "responses": "openai_responses", "messages": "anthropic_messages", "generate": "gemini_generate"}
# What a provider is asked for in the place of these, and the dialect of that.
GENERATIONS = {**CALLERS, "converse": "bedrock_converse", "cohere_chat": "cohere_chat"}
# Where a conversation holds another dialect's proof of a thought, it is sealed behind these; its own provider would refuse such a body
# as it is, so that it is rewritten.
MARKS = {"messages": b"fastgw:v1:", "responses": b"fastgw:1:", "generate": b"ZmFzdGd3"}


def dialect_of(name: str) -> Dialect:
    """The dialect of that name; its package is imported when it is first asked for."""
    found = import_module(f"fastgw.dialects.{name}").DIALECT
    assert isinstance(found, Dialect)
    return found


def open_translation(operation: str, dialect: str, body: bytes, asked: Asked) -> Translation:
    """One attempt at a provider of that dialect. raises InvalidRequest, UnsupportedParameter"""
    return translate(caller_of(operation, asked.compliance), dialect_of(dialect), body, asked)


def caller_of(operation: str, compliance: str = "") -> Dialect:
    """The dialect of a caller. compliance: of a chat's reply with what OpenAI defines, "strict" or "blocks" where it asks for that"""
    dialect = dialect_of(CALLERS[operation])
    if not compliance or operation != "chat":
        return dialect
    from fastgw.dialects.openai_chat.compliance import comply

    return comply(dialect, compliance)
