"""What all dialects have in common: the types that a request, a reply and the events of a stream pass through between two of them.

A dialect reads its own JSON into these and writes them as its own JSON, so N dialects need N files. Nothing that two dialects share is
lost here; what only one has travels as `Native` or in `extra`, and whoever cannot write it says so through `Notes`. Strings default to ""
and containers to empty where "not stated" needs no third value; numbers and flags are None where the caller stated nothing.
"""

from collections.abc import Callable
from typing import Literal, Protocol

from msgspec import Struct

from fastgw.dialects.notes import Notes

Role = Literal["system", "developer", "user", "assistant"]
MediaKind = Literal["image", "audio", "video", "document"]
FinishReason = Literal["stop", "stop_sequence", "length", "tool_calls", "content_filter", "refusal", "pause", "context_window", "error"]
FailureKind = Literal[
    "invalid_request", "authentication", "permission", "not_found", "rate_limit", "billing", "too_large", "timeout",
    "context_window", "content_policy", "overloaded", "server",
]


class Cache(Struct, frozen=True):
    """Everything up to and including this part may be cached by the provider. ttl: "" is the provider's own, else "5m" or "1h"."""

    ttl: str = ""


class Citation(Struct):
    """Where a text comes from.

    start, end      characters of the part's text that it supports; -1 unknown
    url, title      of a page; document and file: index and id of a document of the request; -1 and "" where it is none
    cited           the words that are quoted
    native          the citation as its own dialect (`dialect`) writes it, for writers of the same dialect; None where there is none
    """

    start: int = -1
    end: int = -1
    url: str = ""
    title: str = ""
    cited: str = ""
    document: int = -1
    file_id: str = ""
    dialect: str = ""
    native: dict[str, object] | None = None


class Text(Struct, tag=True):
    """Words. signature: Gemini's, of the thought behind them. native: here and in other parts, what else its own dialect's writers need."""

    text: str = ""
    citations: list[Citation] = []
    cache: Cache | None = None
    signature: str = ""
    native: "Native | None" = None


class Media(Struct, tag=True):
    """An image, a sound, a film or a document: in one of `data` (base64), `url`, `file_id` or `text` (a plain-text document).

    media_type   as in RFC 6838, "" unknown
    name         file name or title; context: what Anthropic calls so
    detail       OpenAI's "low", "high", "auto"; citations: the model shall cite it
    transcript   of a sound that a model made; expires_at: in Unix seconds, with `audio_id`
    """

    kind: MediaKind
    data: str = ""
    url: str = ""
    file_id: str = ""
    text: str = ""
    media_type: str = ""
    name: str = ""
    context: str = ""
    detail: str = ""
    citations: bool = False
    transcript: str = ""
    audio_id: str = ""
    expires_at: int = 0
    cache: Cache | None = None
    signature: str = ""
    native: "Native | None" = None


class ToolCall(Struct, tag=True):
    """A model asks for a tool. arguments: the text of a JSON object, or any text where `custom`; never parsed and written anew.

    id           "" where the dialect has none (Gemini): its reader makes one, unique in the conversation
    signature    Gemini's thought signature, base64
    """

    id: str = ""
    name: str = ""
    arguments: str = ""
    custom: bool = False
    signature: str = ""
    cache: Cache | None = None
    native: "Native | None" = None


class ToolResult(Struct, tag=True):
    """What a tool said; a part of a user message. name: of the tool, where it is known. parts: Text and Media."""

    call_id: str
    name: str = ""
    parts: list["Part"] = []
    is_error: bool = False
    custom: bool = False
    cache: Cache | None = None
    native: "Native | None" = None


class Thinking(Struct, tag=True):
    """What a model thought. signature: opaque proof, of Anthropic or Gemini; redacted: opaque text in the place of the words.

    id           of a reasoning item of OpenAI's; encrypted: its encrypted_content; summary: the words are a summary
    dialect      which dialect's proof it is: only that one's writer may send it back
    """

    text: str = ""
    signature: str = ""
    redacted: str = ""
    id: str = ""
    encrypted: str = ""
    summary: bool = False
    dialect: str = ""


class Refusal(Struct, tag=True):
    """The model's own words for why it will not answer."""

    text: str = ""
    native: "Native | None" = None


class Native(Struct, tag=True):
    """A part that only its own dialect knows: a server's tool and its result, a reference to an item. Others' writers note it."""

    dialect: str
    value: dict[str, object]


# Tagged by their names, so that a cached reply can be read back.
Part = Text | Media | ToolCall | ToolResult | Thinking | Refusal | Native


class Message(Struct):
    """One turn. Tool results are parts of a user message, before its words; a system message may stand anywhere."""

    role: Role
    parts: list[Part] = []
    name: str = ""
    id: str = ""


class Tool(Struct):
    """A tool that the model may call. parameters: JSON schema of an object, None where it takes none.

    custom   takes free text (OpenAI's custom tools), in the `grammar` where that is stated
    native   a tool that the provider runs, as its dialect writes it; then all else is empty but the name
    """

    name: str
    description: str = ""
    parameters: dict[str, object] | None = None
    strict: bool | None = None
    cache: Cache | None = None
    custom: bool = False
    grammar: dict[str, object] | None = None
    native: Native | None = None


class ToolChoice(Struct, frozen=True):
    """auto, none, required (any of them), or named: one of `names`; with other modes `names` is the allowed subset, () all."""

    mode: Literal["auto", "none", "required", "named"]
    names: tuple[str, ...] = ()


class OutputFormat(Struct, frozen=True):
    """What the words must be: any JSON object, or JSON of a schema."""

    kind: Literal["json_object", "json_schema"]
    name: str = ""
    description: str = ""
    schema: dict[str, object] | None = None
    strict: bool | None = None


class Reasoning(Struct, frozen=True):
    """How much to think: an effort, or a budget in tokens, or neither (the model's own choice); off: not at all.

    show   the caller wants to see thoughts or a summary; summary: OpenAI's "auto", "concise", "detailed"
    """

    effort: str = ""
    budget_tokens: int | None = None
    off: bool = False
    show: bool | None = None
    summary: str = ""


class Request(Struct):
    """What is asked for.

    extra          members of the caller's body that no canonical field has, by name, in its own dialect (`dialect`)
    stream_array   the stream is to be one JSON array (Gemini's, where the caller did not ask for alt=sse)
    echo           members of the caller's body that its own dialect's writers need again; those of other dialects do not see them
    bound          what only a provider of the caller's dialect can serve (a conversation that it keeps), by name, and why: always refused
    """

    dialect: str
    model: str
    messages: list[Message]
    stream: bool = False
    stream_array: bool = False
    include_usage: bool = False
    tools: list[Tool] = []
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: list[str] = []
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    choices: int | None = None
    user: str = ""
    metadata: dict[str, str] | None = None
    service_tier: str = ""
    reasoning: Reasoning | None = None
    output: OutputFormat | None = None
    verbosity: str = ""
    modalities: list[str] = []
    audio: dict[str, object] | None = None
    store: bool | None = None
    cache_key: str = ""
    extra: dict[str, object] = {}
    echo: dict[str, object] = {}
    bound: dict[str, str] = {}


class Usage(Struct):
    """Tokens of an exchange, as the kernel counts them: input is all of the input, output all of the output, the rest parts of these."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    audio_input_tokens: int = 0
    audio_output_tokens: int = 0


class Logprob(Struct):
    """One token of the output with its natural logarithm of probability, and the likeliest others."""

    token: str
    logprob: float
    bytes: list[int] | None = None
    top: list["Logprob"] = []


class Choice(Struct):
    """One answer. raw_finish: the provider's own word. stop_sequence: the one that was met, "" where none or unknown."""

    parts: list[Part] = []
    finish: FinishReason = "stop"
    raw_finish: str = ""
    stop_sequence: str = ""
    logprobs: list[Logprob] | None = None


class Reply(Struct):
    """A whole answer. created: Unix seconds, 0 unknown. usage: None where the provider stated none."""

    id: str = ""
    model: str = ""
    created: int = 0
    choices: list[Choice] = []
    usage: Usage | None = None
    service_tier: str = ""
    system_fingerprint: str = ""
    extra: dict[str, object] = {}


# How Anthropic says that a context is too long; it has no type for it, and its clients shorten the conversation on these words.
TOO_LONG = "prompt is too long"


class Failure(Struct):
    """An error of a provider. code, param: the provider's own, "" where it states none; retry_after_s: -1 unknown."""

    status: int
    kind: FailureKind
    message: str
    code: str = ""
    param: str = ""
    retry_after_s: float = -1.0


# The events of a stream, in order: Began, then for each part PartBegan, Delta..., PartEnded, then Ended for each choice, and UsageStated
# once or more (each says the whole of what is known). Parts are numbered from 0 within a choice, in the order they began. A delta of a part
# that has ended is allowed (tool calls may interleave) and must not be lost. Broke is the last event where it comes.


class Began(Struct):
    """The reply has begun."""

    id: str = ""
    model: str = ""
    created: int = 0
    service_tier: str = ""
    system_fingerprint: str = ""


class PartBegan(Struct):
    """A part begins, with what is known of it: usually empty words, a tool call's id and name; whole for Media and Native."""

    index: int
    part: Part
    choice: int = 0


class Delta(Struct):
    """More of a part: `text` is appended to a Text's, Thinking's or Refusal's words, a ToolCall's arguments, a Media's `data`.

    signature    the whole of a signature (it never comes in pieces); transcript: more of a Media's
    encrypted    the whole of a Thinking's encrypted words, which OpenAI states last
    """

    index: int
    text: str = ""
    choice: int = 0
    signature: str = ""
    transcript: str = ""
    citations: list[Citation] | None = None
    logprobs: list[Logprob] | None = None
    encrypted: str = ""


class PartEnded(Struct):
    """A part is whole."""

    index: int
    choice: int = 0


class Ended(Struct):
    """A choice is whole."""

    finish: FinishReason
    choice: int = 0
    raw_finish: str = ""
    stop_sequence: str = ""


class UsageStated(Struct):
    """All that is known of the usage by now."""

    usage: Usage


class Broke(Struct):
    """The provider reported an error in mid-stream, or the stream is not what it should be."""

    failure: Failure


Event = Began | PartBegan | Delta | PartEnded | Ended | UsageStated | Broke


class StreamReader(Protocol):
    """Reads the events of one stream; made anew for each."""

    def read(self, event: str, data: bytes) -> list[Event]:
        """Read one framed event: its name ("" where the framing has none) and its payload.

        What is not JSON, or not of this dialect, ends in one Broke; after Broke nothing more is read.
        """

    def finish(self) -> list[Event]:
        """The stream has ended: what remains to be said (Ended, where the provider forgot it); Broke where the stream was cut short."""


class StreamWriter(Protocol):
    """Writes the events of one stream; made anew for each."""

    def write(self, events: list[Event]) -> bytes:
        """The events as bytes of this dialect, framing included; b"" where there is nothing to say yet."""

    def finish(self) -> bytes:
        """What ends the stream ([DONE], message_stop); b"" after Broke, which write() has ended with an error event."""


class ReadRequest(Protocol):
    """See Dialect."""

    def __call__(self, body: dict[str, object], model: str, stream: bool) -> Request: ...


class WriteRequest(Protocol):
    """See Dialect."""

    def __call__(self, request: Request, notes: Notes, quirks: frozenset[str]) -> dict[str, object]: ...


class WriteReply(Protocol):
    """See Dialect."""

    def __call__(self, reply: Reply, request: Request) -> dict[str, object]: ...


class WriteFailure(Protocol):
    """See Dialect."""

    def __call__(self, failure: Failure, request_id: str) -> dict[str, object]: ...


# See Dialect.
ReadReply = Callable[[dict[str, object]], Reply]
ReadFailure = Callable[[int, object], Failure]
MakeReader = Callable[[], StreamReader]
MakeWriter = Callable[[Request], StreamWriter]
NamesOf = Callable[[Request, dict[str, object]], Callable[[str], str]]


class Dialect(Struct, frozen=True, kw_only=True):
    """A shape of JSON on the wire, as pure functions between decoded JSON and the canonical types.

    read_request    raises InvalidRequest with the path of what is wrong ("$.messages[0].role"); model and stream are those of the path
                    where the dialect has them there (Gemini), and those of the body else
    write_request   the body for the provider; `quirks` are names that the provider's row states (each dialect documents its own)
    read_reply      tolerant: what a provider leaves out has its default; raises ValueError where it is no reply of this dialect at all
    write_reply     the request is there for what a reply must echo
    read_failure    of an error body, decoded, or of None or text where it is no JSON
    write_failure   the error object as this dialect's clients expect it
    names_of        the caller's names of what writers name, from its request and its body (`words`)
    stream_framing  "sse", "aws" (vnd.amazon.eventstream) or "ndjson"
    wants_limit     a request must state max_tokens (Anthropic)

    Those that are a provider's only (Bedrock, Cohere) have None in the places of a client's.
    """

    name: str
    write_request: WriteRequest
    read_reply: ReadReply
    read_failure: ReadFailure
    stream_reader: MakeReader
    stream_framing: Literal["sse", "aws", "ndjson"] = "sse"
    wants_limit: bool = False
    read_request: ReadRequest | None = None
    names_of: NamesOf | None = None
    write_reply: WriteReply | None = None
    write_failure: WriteFailure | None = None
    stream_writer: MakeWriter | None = None
