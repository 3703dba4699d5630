"""What docs/providers.md says of recordings and of the ends of replies, as tables that the corpus tests hold the gateway to."""
from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "providers.md"


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading of the page."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip().replace("`", "") for cell in line.strip("|").split("|")] for line in lines]


def exempt(test: str) -> list[str]:
    """The recordings that cannot pass a test, as provider/name with * for any text."""
    return [pattern for pattern, where, _ in rows("Recordings that cannot pass") if where == test]


def unasked() -> dict[str, list[str]]:
    """APIs by provider that no caller of the gateway asks for and that are not translated to."""
    return {provider: apis.split(", ") for provider, apis, _ in rows("Recordings that are not run")}


def problems(test: str, names: list[str], failed: dict[str, str]) -> str:
    """What failed and is not on the page, and what is on the page and did not fail, of the recordings that were run; "" nothing."""
    patterns = exempt(test)
    wrong = [f"{name}: {why}" for name, why in failed.items() if not any(fnmatchcase(name, pattern) for pattern in patterns)]
    wrong += [f"{name} is on the page as {pattern}, and passes" for pattern in patterns for name in names
              if fnmatchcase(name, pattern) and name not in failed]
    return "\n".join([f"{len(wrong)} of {len(names)}:", *wrong]) if wrong else ""


# Columns of the table of ends, by dialect.
COLUMNS = ("anthropic_messages", "bedrock_converse", "cohere_chat", "gemini_generate", "openai_chat", "openai_responses")


def ends() -> list[dict[str, list[str]]]:
    """Each end as its words by dialect; the first of a dialect's is what the gateway writes."""
    return [dict(zip(COLUMNS, (cell.split(", ") if cell else [] for cell in row[1:]), strict=True)) for row in rows("How replies end")]


def end_of(upstream: str, word: str, has_calls: bool, client: str, refused: bool = False) -> str:
    """The word that a client of a dialect gets for a provider's word. refused: the answer is a refusal in words (OpenAI)"""
    if refused and word in ends()[-1][upstream]:
        return ends()[-1][client][0]
    found = [row for row in ends() if word in row[upstream]]
    if has_calls and len(found) > 1:
        found = [row for row in found if row["anthropic_messages"] == ["tool_use"]]
    return (found or ends()[has_calls:])[0][client][0]
