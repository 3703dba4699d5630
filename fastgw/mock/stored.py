"""Files and batches, kept in memory."""
from __future__ import annotations

from collections.abc import Callable

import msgspec

from fastgw.mock.answers import CREATED_AT, bytes_reply, json_reply
from fastgw.mock.asked import Asked
from fastgw.mock.connection import Reply
from fastgw.mock.faults import Fault
from fastgw.mock.multipart import read_form

MOST_FILES = 1000
MOST_STORED_BYTES = 1 << 28
Thing = dict[str, object]
AnswerLine = Callable[[str, str, bytes], Reply]
"""Answer (method, path, body) as if it had come by itself."""


class Store:
    """The files and batches of one worker; the oldest files go when there are too many."""

    def __init__(self, answer_line: AnswerLine) -> None:
        self._answer_line = answer_line
        self._files: dict[str, tuple[Thing, bytes]] = {}
        self._batches: dict[str, Thing] = {}
        self._made = 0
        self._stored_bytes = 0

    def __repr__(self) -> str:
        return f"<Store files={len(self._files)} batches={len(self._batches)} bytes={self._stored_bytes}>"

    def keep(self, body: bytes, filename: str, purpose: str) -> Thing:
        """Keep a file and return what is said of it."""
        self._made += 1
        name = f"file-mock{self._made:06d}"
        thing: Thing = {
            "id": name,
            "object": "file",
            "bytes": len(body),
            "created_at": CREATED_AT,
            "filename": filename,
            "purpose": purpose,
            "status": "processed",
            "expires_at": None,
            "status_details": None,
        }
        self._files[name] = (thing, body)
        self._stored_bytes += len(body)
        while len(self._files) > MOST_FILES or (self._stored_bytes > MOST_STORED_BYTES and len(self._files) > 1):
            self.drop(next(iter(self._files)))
        return thing

    def drop(self, name: str) -> None:
        """Forget a file."""
        self._stored_bytes -= len(self._files.pop(name)[1])

    def find(self, asked: Asked) -> tuple[Thing, bytes]:
        """Return the file that the path names. Raises Fault."""
        found = self._files.get(asked.params["id"])
        if found is None:
            raise Fault(404, f"No such File object: {asked.params['id']}", param="id")
        return found

    def upload(self, asked: Asked) -> Reply:
        """POST /v1/files."""
        form = read_form(asked)
        if "file" not in form or "purpose" not in form:
            raise Fault(400, "expected a form with file and purpose", param="file")
        return fresh(self.keep(form["file"].body, form["file"].filename, form["purpose"].body.decode()))

    def list_files(self, asked: Asked) -> Reply:
        """GET /v1/files."""
        return fresh(listing([thing for thing, _ in reversed(self._files.values())]))

    def read_file(self, asked: Asked) -> Reply:
        """GET /v1/files/{id}."""
        return fresh(self.find(asked)[0])

    def read_content(self, asked: Asked) -> Reply:
        """GET /v1/files/{id}/content."""
        return bytes_reply(self.find(asked)[1], b"application/octet-stream", is_shared=False)

    def delete_file(self, asked: Asked) -> Reply:
        """DELETE /v1/files/{id}."""
        self.find(asked)
        self.drop(asked.params["id"])
        return fresh({"id": asked.params["id"], "object": "file", "deleted": True})

    def create_batch(self, asked: Asked) -> Reply:
        """POST /v1/batches: it stands at validating until it is looked at."""
        given, endpoint = asked.text("input_file_id"), asked.text("endpoint")
        if given not in self._files:
            raise Fault(400, f"No such File object: {given}", param="input_file_id")
        self._made += 1
        batch: Thing = {
            "id": f"batch_mock{self._made:06d}",
            "object": "batch",
            "endpoint": endpoint,
            "errors": None,
            "input_file_id": given,
            "completion_window": asked.text("completion_window", "24h"),
            "status": "validating",
            "output_file_id": None,
            "error_file_id": None,
            "created_at": CREATED_AT,
            "in_progress_at": None,
            "expires_at": CREATED_AT + 86400,
            "finalizing_at": None,
            "completed_at": None,
            "failed_at": None,
            "expired_at": None,
            "cancelling_at": None,
            "cancelled_at": None,
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
            "metadata": asked.content.get("metadata"),
        }
        self._batches[str(batch["id"])] = batch
        return fresh(batch)

    def find_batch(self, asked: Asked) -> Thing:
        """Return the batch that the path names. Raises Fault."""
        found = self._batches.get(asked.params["id"])
        if found is None:
            raise Fault(404, f"No batch found with id '{asked.params['id']}'.")
        return found

    def list_batches(self, asked: Asked) -> Reply:
        """GET /v1/batches."""
        return fresh(listing(list(reversed(self._batches.values()))))

    def read_batch(self, asked: Asked) -> Reply:
        """GET /v1/batches/{id}: a batch that is looked at is done."""
        batch = self.find_batch(asked)
        if batch["status"] == "validating":
            self._run_batch(batch)
        return fresh(batch)

    def cancel_batch(self, asked: Asked) -> Reply:
        """POST /v1/batches/{id}/cancel."""
        batch = self.find_batch(asked)
        if batch["status"] == "completed":
            raise Fault(409, "Cannot cancel a batch with status 'completed'.")
        batch.update(status="cancelled", cancelling_at=CREATED_AT, cancelled_at=CREATED_AT)
        return fresh(batch)

    def _run_batch(self, batch: Thing) -> None:
        source = self._files.get(str(batch["input_file_id"]), ({}, b""))[1]
        lines: list[bytes] = []
        failed = 0
        for at, line in enumerate(source.splitlines()):
            try:
                asked = msgspec.json.decode(line, type=BatchLine)
            except msgspec.DecodeError:
                failed += 1
                continue
            reply = self._answer_line(asked.method, asked.url, msgspec.json.encode(asked.body))
            response = {
                "status_code": reply.status,
                "request_id": f"req_mock{at}",
                "body": msgspec.Raw(reply.body or b"null"),
            }
            failed += reply.status != 200
            lines.append(
                msgspec.json.encode(
                    {"id": f"batch_req_mock{at}", "custom_id": asked.custom_id, "response": response, "error": None}
                )
            )
        output = self.keep(b"".join(line + b"\n" for line in lines), "output.jsonl", "batch_output")
        total = len(source.splitlines())
        batch.update(
            status="completed",
            output_file_id=output["id"],
            in_progress_at=CREATED_AT,
            finalizing_at=CREATED_AT,
            completed_at=CREATED_AT,
            request_counts={"total": total, "completed": total - failed, "failed": failed},
        )


class BatchLine(msgspec.Struct):
    """One line of a batch's input."""

    custom_id: str
    url: str
    body: dict[str, object]
    method: str = "POST"


def fresh(thing: Thing) -> Reply:
    """A reply that holds for this moment only."""
    return json_reply(thing, is_shared=False)


def listing(things: list[Thing]) -> Thing:
    """A page of things; there is never a second one."""
    first, last = (things[0]["id"], things[-1]["id"]) if things else (None, None)
    return {"object": "list", "data": things, "first_id": first, "last_id": last, "has_more": False}
