"""Errors of the providers that have no dialect of their own here: OpenAI's and its many likenesses, and three shapes beside them."""

from msgspec.structs import replace

from fastgw.dialects.canonical import Failure
from fastgw.dialects.openai_chat import DIALECT as OPENAI
from fastgw.dialects.openai_chat.failure import read_failure as read_alike
from fastgw.dialects.reading import Json, as_array, as_text


def read_failure(status: int, body: object) -> Failure:
    """What an error body says.

    Stability  {"name": "bad_request", "errors": ["..."]}
    Deepgram   {"err_code": "...", "err_msg": "..."}
    Jina       {"detail": "..."}, ElevenLabs {"detail": {"status": "...", "message": "..."}}: these are OpenAI's likenesses' too
    """
    if isinstance(body, dict):
        said = "; ".join(filter(None, map(as_text, as_array(body.get("errors")))))
        if said:
            body = alike(said, body.get("name"))
        elif "err_msg" in body:
            body = alike(body["err_msg"], body.get("err_code"))
    return read_alike(status, body)


def alike(message: object, code: object) -> Json:
    """An error as OpenAI has it. Stability's word for what it does not allow is content_moderation."""
    return {"error": {"message": as_text(message), "code": "content_filter" if code == "content_moderation" else as_text(code)}}


PLAIN = replace(OPENAI, name="plain", read_failure=read_failure)
