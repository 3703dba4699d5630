"""OpenAI's chat completions, and the API that some sixty other providers made after it: as a caller's dialect and as a provider's."""

from fastgw.dialects.canonical import Dialect
from fastgw.dialects.openai_chat.chunks import ChatWriter
from fastgw.dialects.openai_chat.failure import read_failure, write_failure
from fastgw.dialects.openai_chat.quirks import NAME
from fastgw.dialects.openai_chat.reply import read_reply, write_reply
from fastgw.dialects.openai_chat.request import read_request, write_request
from fastgw.dialects.openai_chat.stream import ChatReader
from fastgw.dialects.openai_chat.words import WORDS

DIALECT = Dialect(
    name=NAME,
    read_request=read_request,
    names_of=WORDS.names_of,
    write_request=write_request,
    read_reply=read_reply,
    write_reply=write_reply,
    read_failure=read_failure,
    write_failure=write_failure,
    stream_reader=ChatReader,
    stream_writer=ChatWriter,
)
