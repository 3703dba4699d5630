"""A gateway without a network: what translates between a client and a recording, for pairs that no provider of the table needs."""
from __future__ import annotations

import json

from fastgw.dialects.table import open_translation
from fastgw.dialects.translate import Asked, NotOfDialect
from fastgw.errors import error
from fastgw.surfaces.respond import error_reply
from tests.gateway.sdk_asking import Clients
from tests.recordings import Recording

SURFACES = {"/v1/chat/completions": "chat", "/v1/responses": "responses", "/v1/messages": "messages"}
SPEAKS = {"chat": 0, "responses": 0, "messages": 1, "generate": 2}


class Loop:
    """Answers the official clients with `recording`, which is of an upstream dialect."""

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect
        self.recording: Recording | None = None
        self.clients = Clients("http://gateway.test", self.answer)

    def __repr__(self) -> str:
        return f"<Loop to {self.dialect}>"

    def answer(self, path: str, body: bytes) -> tuple[int, str, bytes]:
        """Status, content type and body of the reply to a request."""
        assert self.recording is not None
        recording = self.recording
        operation = SURFACES.get(path, "generate")
        asked = json.loads(body)
        stream = bool(asked.get("stream")) or "streamGenerate" in path
        made = open_translation(operation, self.dialect, body, Asked(asked.get("model", "m"), stream))
        if recording.status >= 400:
            status = 502 if recording.status == 401 else recording.status  # that is about the integration's credential
            return status, "application/json", made.error(recording.status, recording.reply, "1")
        try:
            if recording.reply.lstrip().startswith(b"{"):
                return 200, made.content_type, made.reply(recording.reply)
            events = made.stream()
            return 200, made.content_type, events.feed(recording.reply) + events.finish()
        except NotOfDialect as problem:
            status, _, told = error_reply(error("UpstreamTranslation", str(problem)), SPEAKS[operation], "1")
            return status, "application/json", told
