"""From method and path to the operation that a caller asks for: the Python face that tests use."""

def asked_of(
    path: bytes, method: int, is_json: bool = True, is_anthropic: bool = False, is_google: bool = False,
) -> tuple[str, bytes | None]:
    """(operation name, model or None). raises UnknownPath, MethodNotAllowed"""
