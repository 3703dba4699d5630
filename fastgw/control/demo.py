"""What a demo is told: where its mock provider is, and the key that stays the same from one start to the next."""

from msgspec import Struct


class Demo(Struct, frozen=True):
    """mock: HOST:PORT; logs: the command that shows what came by."""

    mock: str
    key: str
    logs: str

    def __repr__(self) -> str:
        return f"<Demo with a mock at {self.mock}>"


def demo_lines(url: str, demo: Demo) -> str:
    """What a person sees of a demo that is up."""
    return "\n".join([
        f"  virtual key:  {demo.key}", "", f"  curl {url}/v1/chat/completions \\",
        f"    -H 'authorization: Bearer {demo.key}' \\",
        "    -H 'content-type: application/json' \\",
        "    -d '{\"model\": \"gpt-4.1\", \"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]}'",
        "", f"  The provider is a mock; see what came by with: {demo.logs}", ""])  # fmt: skip
