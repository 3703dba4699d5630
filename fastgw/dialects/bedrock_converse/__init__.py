"""Amazon Bedrock's Converse and ConverseStream: upstream only; the model and whether to stream stand in the path, not in the body.

quirks    the name of a maker ("anthropic", "amazon", ...): whose models those are whose names do not say it (profiles, ARNs)
"""

from fastgw.dialects.bedrock_converse.failure import read_failure
from fastgw.dialects.bedrock_converse.reply import read_reply
from fastgw.dialects.bedrock_converse.request import write_request
from fastgw.dialects.bedrock_converse.stream import ConverseReader
from fastgw.dialects.canonical import Dialect

DIALECT = Dialect(
    name="bedrock_converse",
    write_request=write_request,
    read_reply=read_reply,
    read_failure=read_failure,
    stream_reader=ConverseReader,
    stream_framing="aws",
)
