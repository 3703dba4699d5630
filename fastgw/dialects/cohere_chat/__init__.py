"""Cohere's chat, /v2/chat: upstream only. It has no quirks."""

from fastgw.dialects.canonical import Dialect
from fastgw.dialects.cohere_chat.reply import read_failure, read_reply
from fastgw.dialects.cohere_chat.request import write_request
from fastgw.dialects.cohere_chat.stream import ChatReader

DIALECT = Dialect(
    name="cohere_chat",
    write_request=write_request,
    read_reply=read_reply,
    read_failure=read_failure,
    stream_reader=ChatReader,
)
