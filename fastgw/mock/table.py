"""The table of paths: what the mock answers, and in which dialect it complains."""
from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qsl, unquote

import msgspec

from fastgw.mock.anthropic import answer_count_tokens, answer_messages
from fastgw.mock.asked import PLAIN, Asked
from fastgw.mock.connection import Reply
from fastgw.mock.faults import ANTHROPIC, GEMINI, OPENAI, Fault, fault_reply
from fastgw.mock.gemini import VERBS
from fastgw.mock.openai_chat import answer_chat, answer_completions
from fastgw.mock.openai_responses import answer_responses
from fastgw.mock.openai_small import (
    answer_embeddings,
    answer_images,
    answer_model,
    answer_models,
    answer_moderations,
    answer_speech,
    answer_transcriptions,
)
from fastgw.mock.options import MockOptions
from fastgw.mock.stored import Store

Answer = Callable[[Asked], Reply]
UNCOUNTED = -1


class Row(msgspec.Struct, frozen=True):
    """One operation. Variable parts of the path stand in braces; reads_json: the body is a JSON object."""

    method: str
    path: str
    dialect: int
    answer: Answer
    reads_json: bool = True

    def pattern(self) -> re.Pattern[str]:
        """The path as a regular expression; a model's name may have slashes."""
        text = re.sub(
            r"\\\{(\w+)\\\}",
            lambda found: f"(?P<{found[1]}>{'.+' if found[1] == 'model' else '[^/]+'})",
            re.escape(self.path),
        )
        return re.compile(text + r"\Z")


def rows_of(store: Store) -> list[Row]:
    """List all operations."""
    return [
        Row("POST", "/v1/chat/completions", OPENAI, answer_chat),
        Row("POST", "/v1/completions", OPENAI, answer_completions),
        Row("POST", "/v1/embeddings", OPENAI, answer_embeddings),
        Row("POST", "/v1/responses", OPENAI, answer_responses),
        Row("POST", "/v1/moderations", OPENAI, answer_moderations),
        Row("POST", "/v1/images/generations", OPENAI, answer_images),
        Row("POST", "/v1/audio/speech", OPENAI, answer_speech),
        Row("POST", "/v1/audio/transcriptions", OPENAI, answer_transcriptions, reads_json=False),
        Row("POST", "/v1/files", OPENAI, store.upload, reads_json=False),
        Row("GET", "/v1/files", OPENAI, store.list_files, reads_json=False),
        Row("GET", "/v1/files/{id}", OPENAI, store.read_file, reads_json=False),
        Row("DELETE", "/v1/files/{id}", OPENAI, store.delete_file, reads_json=False),
        Row("GET", "/v1/files/{id}/content", OPENAI, store.read_content, reads_json=False),
        Row("POST", "/v1/batches", OPENAI, store.create_batch),
        Row("GET", "/v1/batches", OPENAI, store.list_batches, reads_json=False),
        Row("GET", "/v1/batches/{id}", OPENAI, store.read_batch, reads_json=False),
        Row("POST", "/v1/batches/{id}/cancel", OPENAI, store.cancel_batch, reads_json=False),
        Row("POST", "/v1/messages", ANTHROPIC, answer_messages),
        Row("POST", "/v1/messages/count_tokens", ANTHROPIC, answer_count_tokens),
        *(Row("POST", f"/{version}/models/{{model}}:{verb}", GEMINI, answer)
          for version in ("v1beta", "v1") for verb, answer in VERBS.items()),
        Row("GET", "/v1/models", OPENAI, answer_models, reads_json=False),
        Row("GET", "/v1/models/{model}", OPENAI, answer_model, reads_json=False),
        Row("GET", "/v1beta/models", GEMINI, answer_gemini_models, reads_json=False),
        Row("GET", "/v1beta/models/{model}", GEMINI, answer_gemini_model, reads_json=False),
    ]


def answer_gemini_models(asked: Asked) -> Reply:
    """GET /v1beta/models."""
    asked.fields["x-goog-api-key"] = ""
    return answer_models(asked)


def answer_gemini_model(asked: Asked) -> Reply:
    """GET /v1beta/models/{model}."""
    asked.fields["x-goog-api-key"] = ""
    return answer_model(asked)


class Table:
    """Find the row of a request and make its reply; one for each worker."""

    def __init__(self, options: MockOptions, stats: Callable[[], dict[str, object]]) -> None:
        self._options = options
        self._stats = stats
        self._failures = 0
        self._rows = rows_of(Store(self._answer_line))
        self.labels = ["other", *dict.fromkeys(row.path for row in self._rows)]
        self._numbers = {label: number for number, label in enumerate(self.labels)}
        self._exact = {(row.method, row.path): row for row in self._rows if "{" not in row.path}
        self._patterns = [(row.pattern(), row) for row in self._rows if "{" in row.path]

    def answer(self, method: str, target: str, fields: list[tuple[str, str]], body: bytes) -> Reply:
        """Make the reply to any request."""
        asked, row = self._find(method, target, fields, body)
        if asked.path == "/mock/stats" and method == "GET":
            return Reply(200, b"content-type: application/json\r\n", msgspec.json.encode(self._stats()), row=UNCOUNTED)
        if row is None:
            return fault_reply(dialect_of(asked.path), self._fault_of(asked))
        try:
            reply = self._answer_row(asked, row)
        except Fault as fault:
            reply = fault_reply(row.dialect, fault)
        wish = asked.wish
        reply.row = self._numbers[row.path]
        if wish is PLAIN:
            return reply
        reply.latency_s, reply.ttft_s, reply.gap_s = (
            -1.0 if time_ms is None else time_ms / 1000 for time_ms in (wish.slow_ms, wish.ttft_ms, wish.gap_ms))
        reply.cut = -1 if wish.cut is None else wish.cut
        reply.hangs = wish.hang
        return reply

    def fail(self, target: bytes) -> Reply | None:
        """Make the reply to a request that error_rate hits; None where it must not be hit."""
        asked, _ = self._find("POST", target.decode("latin-1"), [], b"")
        if asked.path == "/mock/stats":
            return None
        dialect = dialect_of(asked.path)
        self._failures += 1
        status = self._options.error_status
        if status is None:
            status = (500, 429, 529 if dialect == ANTHROPIC else 503)[(self._failures - 1) % 3]
        row = next((row for row in self._rows if self._matches(asked.path, row)), None)
        reply = fault_reply(dialect, Fault(status))
        reply.row = self._numbers[row.path] if row else 0
        return reply

    def _answer_row(self, asked: Asked, row: Row) -> Reply:
        if row.reads_json:
            asked.read_json()
        asked.read_wish()
        if asked.wish.status:
            raise Fault(asked.wish.status)
        return row.answer(asked)

    def _answer_line(self, method: str, path: str, body: bytes) -> Reply:
        return self.answer(method, path, [], body)

    def _find(self, method: str, target: str, fields: list[tuple[str, str]], body: bytes) -> tuple[Asked, Row | None]:
        path, _, query = target.partition("?")
        params: dict[str, str] = {}
        if path.startswith("/openai/"):
            path, params = plain_path(path)
        asked = Asked(method, path, dict(parse_qsl(query)) if query else {}, fields, body)
        asked.params = params
        asked.default_tokens = self._options.tokens
        row = self._exact.get((method, path))
        if row is None:
            for pattern, candidate in self._patterns:
                if candidate.method == method and (found := pattern.match(path)):
                    asked.params.update({name: unquote(value) for name, value in found.groupdict().items()})
                    return asked, candidate
        return asked, row

    def _matches(self, path: str, row: Row) -> bool:
        return row.path == path or ("{" in row.path and bool(row.pattern().match(path)))

    def _fault_of(self, asked: Asked) -> Fault:
        if any(self._matches(asked.path, row) for row in self._rows):
            return Fault(405, f"Not allowed to {asked.method} on {asked.path}")
        return Fault(404, f"Invalid URL ({asked.method} {asked.path})")


def plain_path(path: str) -> tuple[str, dict[str, str]]:
    """Turn Azure's paths into OpenAI's: /openai/v1/X, /openai/deployments/NAME/X and /openai/X are /v1/X."""
    deployment = re.match(r"/openai/deployments/([^/]+)/(.*)", path)
    if deployment:
        return f"/v1/{deployment[2]}", {"deployment": unquote(deployment[1])}
    return "/v1/" + path.removeprefix("/openai/").removeprefix("v1/"), {}


def dialect_of(path: str) -> int:
    """The dialect to complain in, by the path alone."""
    if path.startswith("/v1/messages"):
        return ANTHROPIC
    return GEMINI if path.startswith("/v1beta/") or re.match(r"/v1/models/[^/]+:", path) else OPENAI
