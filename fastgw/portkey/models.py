"""Take apart what callers put into `model`: "@integration/model", "provider/model", or a name."""

from msgspec import Struct

from fastgw.portkey.names import PROVIDERS

# Cloudflare's own names of models begin so.
NAMES_OF_MODELS = ("@cf/", "@hf/")


class Address(Struct, frozen=True):
    """A model and where it is asked for.

    integration   the slug after "@", else ""
    provider      the known provider before the slash, else ""; the whole may be a name of a model all the same ("openai/gpt-4o" at
                  OpenRouter), so it counts only where nothing has the whole name
    model         what is left
    """

    integration: str
    provider: str
    model: str


def address_of(model: str) -> Address:
    """Take a model apart; "@slug" alone leaves no model."""
    head, _, rest = model.partition("/")
    if head.startswith("@") and len(head) > 1 and not model.startswith(NAMES_OF_MODELS):
        return Address(head[1:], "", rest)
    if rest and head in PROVIDERS:
        return Address("", head, rest)
    return Address("", "", model)
