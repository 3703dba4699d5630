"""OpenAI's Responses API (POST /v1/responses), a caller's and a provider's: also Azure's, DeepSeek's, OpenRouter's and Bedrock's."""

from fastgw.dialects.canonical import Dialect
from fastgw.dialects.openai_chat.failure import read_failure, write_failure
from fastgw.dialects.openai_responses.asking import write_request
from fastgw.dialects.openai_responses.proof import NAME
from fastgw.dialects.openai_responses.reply import read_reply
from fastgw.dialects.openai_responses.request import read_request
from fastgw.dialects.openai_responses.stream import Reader
from fastgw.dialects.openai_responses.words import WORDS
from fastgw.dialects.openai_responses.writer import Writer, write_reply

DIALECT = Dialect(
    name=NAME,
    read_request=read_request,
    names_of=WORDS.names_of,
    write_request=write_request,
    read_reply=read_reply,
    write_reply=write_reply,
    read_failure=read_failure,
    write_failure=write_failure,
    stream_reader=Reader,
    stream_writer=Writer,
)
