"""The Anthropic Messages API (POST /v1/messages), for clients that speak it and for the providers that do.

DIALECT   Anthropic's own API, and others like it
BEDROCK   the same on Bedrock's InvokeModelWithResponseStream, whose streams are AWS's; its rows state the quirk `bedrock`
"""

from msgspec.structs import replace

from fastgw.dialects.anthropic_messages.failure import read_failure, write_failure
from fastgw.dialects.anthropic_messages.reply import read_reply, write_reply
from fastgw.dialects.anthropic_messages.request import read_request, write_request
from fastgw.dialects.anthropic_messages.stream_reader import BedrockStreamReader, StreamReader
from fastgw.dialects.anthropic_messages.stream_writer import StreamWriter
from fastgw.dialects.anthropic_messages.vocabulary import NAME
from fastgw.dialects.anthropic_messages.words import WORDS
from fastgw.dialects.canonical import Dialect

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
    wants_limit=True,
)
BEDROCK = replace(DIALECT, stream_framing="aws", stream_reader=BedrockStreamReader)
