"""From method and path to the operation that a caller asks for.

Exact paths are one look-up. What is not exact (files, batches, Gemini's models, anything else under /v1/) is sorted by its
beginning. The first segment says which dialect the caller speaks, and so how errors are worded.
"""
from urllib.parse import unquote_to_bytes

from fastgw._core.http1 cimport DELETE, GET, HEAD, PATCH, POST, PUT
from fastgw._core.scan cimport LIMIT_GENERATION_CONFIG, LIMIT_MAX_COMPLETION_TOKENS, LIMIT_MAX_OUTPUT_TOKENS, LIMIT_MAX_TOKENS
from fastgw._core.usage cimport USAGE_ANTHROPIC, USAGE_COHERE, USAGE_GEMINI, USAGE_NONE, USAGE_OPENAI
from fastgw.errors import error
from fastgw.record.names import OPERATIONS as NAMES
from fastgw.snapshot.types import PARTS
from fastgw.snapshot.types cimport FORM_BODY, JSON_BODY, NO_BODY_READ, SPEAKS_ANTHROPIC, SPEAKS_GEMINI, SPEAKS_OPENAI


def _operation(name, speaks, body, **traits):
    return Operation(name, NAMES.index("audio" if name in PARTS else name), speaks=speaks, body=body, **traits)


OPENAI_JSON = {"wants_model": True, "metered": True, "usage": USAGE_OPENAI}
cdef Operation CHAT = _operation("chat", SPEAKS_OPENAI, JSON_BODY, generates=True, may_ask_usage=True,
                                 limit_fields=1 << LIMIT_MAX_TOKENS | 1 << LIMIT_MAX_COMPLETION_TOKENS, **OPENAI_JSON)
cdef Operation COMPLETIONS = _operation("completions", SPEAKS_OPENAI, JSON_BODY, generates=True, may_ask_usage=True,
                                        limit_fields=1 << LIMIT_MAX_TOKENS, **OPENAI_JSON)
cdef Operation EMBEDDINGS = _operation("embeddings", SPEAKS_OPENAI, JSON_BODY, **OPENAI_JSON)
cdef Operation RESPONSES = _operation("responses", SPEAKS_OPENAI, JSON_BODY, generates=True,
                                      limit_fields=1 << LIMIT_MAX_OUTPUT_TOKENS, **OPENAI_JSON)
cdef Operation MODERATIONS = _operation("moderations", SPEAKS_OPENAI, JSON_BODY, metered=True, usage=USAGE_OPENAI)
cdef Operation IMAGES = _operation("images", SPEAKS_OPENAI, JSON_BODY, **OPENAI_JSON)
cdef Operation AUDIO = _operation("audio", SPEAKS_OPENAI, JSON_BODY, **OPENAI_JSON)
cdef Operation AUDIO_UPLOAD = _operation("audio", SPEAKS_OPENAI, FORM_BODY, metered=True, usage=USAGE_OPENAI)
cdef Operation SPEECH = _operation("speech", SPEAKS_OPENAI, JSON_BODY, **OPENAI_JSON)
cdef Operation TRANSCRIPTIONS = _operation("transcriptions", SPEAKS_OPENAI, FORM_BODY, metered=True, usage=USAGE_OPENAI)
cdef Operation TRANSLATIONS = _operation("translations", SPEAKS_OPENAI, FORM_BODY, metered=True, usage=USAGE_OPENAI)
cdef Operation RERANK = _operation("rerank", SPEAKS_OPENAI, JSON_BODY, **OPENAI_JSON)
cdef Operation COHERE_CHAT = _operation("cohere_chat", SPEAKS_OPENAI, JSON_BODY, generates=True, wants_model=True, metered=True,
                                        limit_fields=1 << LIMIT_MAX_TOKENS, usage=USAGE_COHERE)
cdef Operation COHERE_EMBED = _operation("cohere_embed", SPEAKS_OPENAI, JSON_BODY, wants_model=True, metered=True, usage=USAGE_COHERE)
cdef Operation COHERE_RERANK = _operation("cohere_rerank", SPEAKS_OPENAI, JSON_BODY, wants_model=True, metered=True, usage=USAGE_COHERE)
# read for the model, which keys may be held to, and because a signature covers the body
cdef Operation BEDROCK = _operation("bedrock", SPEAKS_OPENAI, JSON_BODY, model_in_path=True, decodes_reply=False)
cdef Operation OLLAMA = _operation("ollama", SPEAKS_OPENAI, JSON_BODY, decodes_reply=False)
cdef Operation IMAGES_UPLOAD = _operation("images", SPEAKS_OPENAI, FORM_BODY, metered=True, usage=USAGE_OPENAI)
cdef Operation RESPONSES_ITEM = _operation("responses", SPEAKS_OPENAI, NO_BODY_READ, decodes_reply=False)
cdef Operation FILES = _operation("files", SPEAKS_OPENAI, NO_BODY_READ, decodes_reply=False)
cdef Operation FILES_ANTHROPIC = _operation("files", SPEAKS_ANTHROPIC, NO_BODY_READ, decodes_reply=False)
cdef Operation BATCHES = _operation("batches", SPEAKS_OPENAI, NO_BODY_READ, decodes_reply=False)
cdef Operation MESSAGES = _operation("messages", SPEAKS_ANTHROPIC, JSON_BODY, wants_model=True, generates=True, metered=True,
                                     limit_fields=1 << LIMIT_MAX_TOKENS, usage=USAGE_ANTHROPIC)
cdef Operation COUNT_TOKENS = _operation("count_tokens", SPEAKS_ANTHROPIC, JSON_BODY, wants_model=True)
cdef Operation MESSAGES_ITEM = _operation("messages", SPEAKS_ANTHROPIC, NO_BODY_READ, decodes_reply=False)
cdef Operation GEMINI_COUNT = _operation("count_tokens", SPEAKS_GEMINI, JSON_BODY, wants_model=True, model_in_path=True)
cdef Operation GENERATE = _operation("generate", SPEAKS_GEMINI, JSON_BODY, wants_model=True, model_in_path=True, generates=True,
                                     limit_fields=1 << LIMIT_GENERATION_CONFIG, metered=True, usage=USAGE_GEMINI)
cdef Operation EMBED = _operation("embed", SPEAKS_GEMINI, JSON_BODY, wants_model=True, model_in_path=True, metered=True,
                                  usage=USAGE_GEMINI)
cdef Operation PROXY = _operation("proxy", SPEAKS_OPENAI, NO_BODY_READ, decodes_reply=False)
cdef Operation PROXY_ANTHROPIC = _operation("proxy", SPEAKS_ANTHROPIC, NO_BODY_READ, decodes_reply=False)
cdef Operation PROXY_GEMINI = _operation("proxy", SPEAKS_GEMINI, NO_BODY_READ, decodes_reply=False)
cdef Operation MODELS = _operation("models", SPEAKS_OPENAI, NO_BODY_READ)
cdef Operation MODELS_ANTHROPIC = _operation("models", SPEAKS_ANTHROPIC, NO_BODY_READ)
cdef Operation MODELS_GEMINI = _operation("models", SPEAKS_GEMINI, NO_BODY_READ)

cdef dict ACTIONS = {
    b"generateContent": GENERATE, b"streamGenerateContent": GENERATE, b"embedContent": EMBED, b"batchEmbedContents": EMBED,
    b"countTokens": GEMINI_COUNT,
}


cdef class Asked:
    def __init__(self, Operation operation, bytes model=None, int model_at=0):
        self.operation = operation
        self.model = model
        self.model_at = model_at

    def __repr__(self):
        return f"<Asked {self.operation.name}>"


cdef dict POSTS = {
    path: Asked(operation) for path, operation in (
        (b"/v1/chat/completions", CHAT), (b"/v1/completions", COMPLETIONS), (b"/v1/embeddings", EMBEDDINGS),
        (b"/v1/responses", RESPONSES), (b"/v1/moderations", MODERATIONS), (b"/v1/messages", MESSAGES),
        (b"/v1/messages/count_tokens", COUNT_TOKENS), (b"/v1/images/generations", IMAGES), (b"/v1/audio/speech", SPEECH),
        (b"/v1/rerank", RERANK), (b"/v2/chat", COHERE_CHAT), (b"/v2/embed", COHERE_EMBED), (b"/v2/rerank", COHERE_RERANK),
        (b"/api/chat", OLLAMA), (b"/api/generate", OLLAMA), (b"/api/embed", OLLAMA), (b"/api/embeddings", OLLAMA),
    )
}
# beginnings, the longest first; the second is for bodies that are not JSON
cdef tuple BEGINNINGS = (
    (b"/v1/images/", IMAGES, IMAGES_UPLOAD), (b"/v1/audio/transcriptions", AUDIO, TRANSCRIPTIONS),
    (b"/v1/audio/translations", AUDIO, TRANSLATIONS), (b"/v1/audio/", AUDIO, AUDIO_UPLOAD),
    (b"/v1/responses/", RESPONSES_ITEM, RESPONSES_ITEM), (b"/v1/messages/", MESSAGES_ITEM, MESSAGES_ITEM),
    (b"/v1/files", FILES, FILES), (b"/v1/batches", BATCHES, BATCHES),
)


cdef Asked find_operation(bytes path, int method, bint is_json, bint is_anthropic, bint is_google):
    cdef Asked asked
    if method == POST:
        asked = <Asked>POSTS.get(path)
        if asked is not None:
            return asked
    elif path in POSTS and path != b"/v1/responses":
        raise error("MethodNotAllowed", f"expected POST {path.decode()}", fields=(("allow", "POST"),))
    refuse_disguised(path)
    if path.startswith(b"/v1beta/") or path.startswith(b"/v1/models"):
        return _models(path, method, is_anthropic, is_google)
    if is_anthropic and path.startswith(b"/v1/files"):
        return Asked(FILES_ANTHROPIC)
    for beginning, json_operation, upload in BEGINNINGS:
        if path.startswith(beginning):
            return Asked(json_operation if is_json and method == POST else upload)
    if path.startswith(b"/v1/"):
        return Asked(PROXY_ANTHROPIC if is_anthropic else PROXY)
    if method == POST and path.startswith(BEDROCKS):
        return _bedrock(path)
    if path.startswith(b"/upload/v1beta/"):
        return Asked(PROXY_GEMINI)
    raise error("UnknownPath", f"no surface at {path[:200].decode('ascii', 'replace')}: the OpenAI and Anthropic APIs are under /v1/, "
                "Gemini's under /v1beta/ and /v1/models/, Cohere's under /v1/ and /v2/, Ollama's under /api/, Bedrock's under /model/")


cdef Asked _bedrock(bytes path):
    """A path of Bedrock's own: /model/MODEL/invoke and the like name a model."""
    cdef Py_ssize_t end = path.find(b"/", 7)
    return Asked(BEDROCK, path[7:end], 7) if path.startswith(b"/model/") and end > 7 else Asked(BEDROCK)


cdef int refuse_disguised(bytes path) except -1:
    """Refuse a path that a provider may take for another one than the gateway does: it would pass by limits, prices and allow lists.

    Servers differ in what they make of case, of a slash at the end or twice, of dots, and of what is percent-encoded (RFC 3986, 6.2).
    """
    cdef bytes plain = unquote_to_bytes(path) if b"%" in path else path
    if (b"//" in plain or b"/./" in plain or b"/../" in plain or plain.endswith(b"/.") or plain.endswith(b"/..")
            or b"\\" in plain or b";" in plain or b"%" in plain):
        raise not_plain(path)
    plain = plain.lower().rstrip(b"/")
    if (plain in POSTS or plain.startswith(METERED)) and not (path in POSTS or path.startswith(METERED)):
        raise not_plain(path)
    if b":" in plain and plain[plain.rfind(b":") + 1:] in PLAIN_ACTIONS:
        if path[path.rfind(b":") + 1:] not in ACTIONS or not path.startswith(MODELS_PATHS):
            raise not_plain(path)
    return 0


METERED = (b"/v1/images/", b"/v1/audio/")
BEDROCKS = (b"/model/", b"/guardrail/", b"/agents/")
MODELS_PATHS = (b"/v1/models/", b"/v1beta/models/")
PLAIN_ACTIONS = frozenset(name.lower() for name in ACTIONS)


def not_plain(path):
    return error("UnknownPath", f"no surface at {path[:200].decode('ascii', 'replace')}: write the path plainly, in the case and with the "
                 "slashes that the provider's documentation has, and without what need not be percent-encoded")


cdef _models(bytes path, int method, bint is_anthropic, bint is_google):
    """/v1/models of three dialects, and Gemini's actions on a model."""
    cdef Py_ssize_t start, colon
    if path == b"/v1beta/models" or path == b"/v1/models":
        if method != GET and method != HEAD:
            raise error("MethodNotAllowed", f"expected GET {path.decode()}", fields=(("allow", "GET, HEAD"),))
        if path == b"/v1beta/models" or is_google:
            return Asked(MODELS_GEMINI)
        return Asked(MODELS_ANTHROPIC if is_anthropic else MODELS)
    start = path.find(b"/models/") + 8
    if start < 8 or path[:start] not in (b"/v1beta/models/", b"/v1/models/"):
        return Asked(PROXY_GEMINI)
    colon = path.rfind(b":")
    operation = ACTIONS.get(path[colon + 1:]) if colon > start else None
    if operation is not None:
        if method != POST:
            raise error("MethodNotAllowed", f"expected POST {path.decode('ascii', 'replace')}", fields=(("allow", "POST"),))
        return Asked(operation, path[start:colon], start)
    if method == GET or method == HEAD:
        model = path[start:]
        if path.startswith(b"/v1beta/") or is_google:
            return Asked(MODELS_GEMINI, model, start)
        return Asked(MODELS_ANTHROPIC if is_anthropic else MODELS, model, start)
    return Asked(PROXY_GEMINI if path.startswith(b"/v1beta/") or colon > start else PROXY)


def asked_of(bytes path, int method, bint is_json=True, bint is_anthropic=False, bint is_google=False):
    """The same for Python: (operation as records name it, model or None)."""
    cdef Asked asked = find_operation(path, method, is_json, is_anthropic, is_google)
    return NAMES[asked.operation.index], asked.model
