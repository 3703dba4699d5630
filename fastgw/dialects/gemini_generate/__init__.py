"""Gemini's generateContent and streamGenerateContent, as Google AI and Vertex AI speak it: a caller's dialect and a provider's."""

from fastgw.dialects.canonical import Dialect
from fastgw.dialects.gemini_generate.failure import read_failure, write_failure
from fastgw.dialects.gemini_generate.reply import read_reply, write_reply
from fastgw.dialects.gemini_generate.request import read_request, write_request
from fastgw.dialects.gemini_generate.spelling import NAME
from fastgw.dialects.gemini_generate.stream import StreamReader
from fastgw.dialects.gemini_generate.stream_writer import StreamWriter
from fastgw.dialects.gemini_generate.words import WORDS

DIALECT = Dialect(
    name=NAME,
    read_request=read_request,
    names_of=WORDS.names_of,
    write_request=write_request,
    read_reply=read_reply,
    write_reply=write_reply,
    read_failure=read_failure,
    write_failure=write_failure,
    stream_reader=StreamReader,
    stream_writer=StreamWriter,
)
