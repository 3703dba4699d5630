"""The answers the gateway gives itself: which models there are."""
import msgspec

from fastgw.errors import error

_encode = msgspec.json.encode
JSON = b"content-type: application/json\r\n"


def list_models(names: list[tuple[str, str]], speaks: int) -> bytes:
    """The model list of a dialect; names are (model, who serves it)."""
    if speaks == 1:
        rows = [{"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"} for name, _ in names]
        return _encode({"data": rows, "has_more": False, "first_id": names[0][0] if names else None,
                        "last_id": names[-1][0] if names else None})
    if speaks == 2:
        return _encode({"models": [_gemini_model(name) for name, _ in names]})
    return _encode({"object": "list", "data": [_openai_model(name, owner) for name, owner in names]})


def one_model(names: list[tuple[str, str]], wanted: str, speaks: int) -> bytes:
    """One model of the list. raises ModelNotFound"""
    for name, owner in names:
        if name == wanted:
            if speaks == 1:
                return _encode({"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"})
            return _encode(_gemini_model(name) if speaks == 2 else _openai_model(name, owner))
    raise error("ModelNotFound", f"no model {wanted!r}; GET /v1/models lists what this key may use", param="model")


def _openai_model(name: str, owner: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": owner}


def _gemini_model(name: str) -> dict[str, object]:
    return {"name": f"models/{name}", "displayName": name,
            "supportedGenerationMethods": ["generateContent", "streamGenerateContent", "countTokens"]}
