"""Turn errors into replies, in the dialect of the caller; nothing else does."""
import msgspec

from fastgw.clock import http_date
from fastgw.errors import GatewayError

OPENAI, ANTHROPIC, GEMINI = range(3)
_encode = msgspec.json.encode


def error_object(error: GatewayError, speaks: int, request_id: str) -> dict[str, object]:
    """Shape an error as the dialect has it; each carries our stable code."""
    if speaks == ANTHROPIC:
        kind = {"type": error.kinds[ANTHROPIC], "message": error.message, "code": error.code}
        return {"type": "error", "error": kind, "request_id": request_id}
    if speaks == GEMINI:
        reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": error.code, "domain": "fastgw",
                  "metadata": {"request_id": request_id}}
        return {"error": {"code": error.status, "message": error.message, "status": error.kinds[GEMINI], "details": [reason]}}
    return {"error": {"message": error.message, "type": error.kinds[OPENAI], "param": error.param, "code": error.code}}


def error_reply(error: GatewayError, speaks: int, request_id: str) -> tuple[int, bytes, bytes]:
    """Return (status, field lines, body)."""
    lines = [f"content-type: application/json\r\ndate: {http_date()}\r\nx-fastgw-error: {error.code}\r\n"]
    if error.retryable is False and error.status >= 400:
        lines.append("x-should-retry: false\r\n")       # the official clients heed it
    lines.extend(f"{name}: {value}\r\n" for name, value in error.fields)
    return error.status, "".join(lines).encode("latin-1", "replace"), _encode(error_object(error, speaks, request_id))


def error_event(error: GatewayError, speaks: int, request_id: str) -> bytes:
    """The last event of a stream that broke."""
    body = _encode(error_object(error, speaks, request_id))
    if speaks == ANTHROPIC:
        return b"event: error\ndata: " + body + b"\n\n"
    return b"data: " + body + b"\n\n"
