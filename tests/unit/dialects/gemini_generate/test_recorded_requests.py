"""Every recorded request of Gemini's dialect survives being read and written again."""

import re
from typing import Any

import pytest

from fastgw.dialects.gemini_generate.request import read_request, write_request
from fastgw.dialects.notes import Notes
from fastgw.dialects.schema import from_gemini
from tests.recordings import Recording, counted, recordings, skip_without_corpus

APIS = ("generateContent", "streamGenerateContent")
# Members whose insides are the callers' own: names in them are no spelling of Google's.
OPAQUE = frozenset(("args", "response", "parameters", "parametersJsonSchema", "responseJsonSchema", "responseSchema", "labels", "toolCall",
                    "toolResponse", "fileSearch", "modelArmorConfig"))


def model_of(recording: Recording) -> str:
    found = re.search(r"models/([^:]+):", recording.url)
    assert found is not None, recording.url
    return found[1]


def respell(value: Any) -> Any:
    """Either spelling in camelCase, as writers have it."""
    if isinstance(value, list):
        return [respell(item) for item in value]
    if not isinstance(value, dict):
        return value
    spelled = {re.sub(r"_([a-z])", lambda letter: letter[1].upper(), name): member for name, member in value.items()}
    return {name: member if name in OPAQUE else respell(member) for name, member in spelled.items()}


def normal(body: Any) -> Any:
    """A recorded request as it is written again: what differs means the same, and is listed here."""
    body = respell(body)
    body.pop("model", None)  # the path says it
    if "systemInstruction" in body:
        body["systemInstruction"].pop("role")  # "user" or "system", without a meaning
    contents: list[Any] = []
    for content in body["contents"]:
        # turns of one role are one, but results stand apart from words
        is_result = "functionResponse" in content["parts"][0]
        if contents and contents[-1]["role"] == content["role"] and ("functionResponse" in contents[-1]["parts"][0]) is is_result:
            contents[-1]["parts"] += content["parts"]
        else:
            contents.append(content)
    body["contents"] = contents
    for content in contents:
        for part in content["parts"]:
            for media in (part, *part.get("functionResponse", {}).get("parts", [])):
                if "inlineData" in media:  # the alphabet that all providers take
                    media["inlineData"]["data"] = media["inlineData"]["data"].replace("-", "+").replace("_", "/")
    if "tools" in body:
        tools = body["tools"] if isinstance(body["tools"], list) else [body["tools"]]
        functions = [function for tool in tools for function in tool.pop("functionDeclarations", [])]
        for function in functions:
            if "parameters" in function:  # both ways to declare them are JSON schema by now
                function["parametersJsonSchema"] = from_gemini(function.pop("parameters"))
        others = [{name: member} for tool in tools for name, member in tool.items()]
        body["tools"] = ([{"functionDeclarations": functions}] if functions else []) + others
    config = body.get("generationConfig", {})
    if "responseSchema" in config:
        config["responseJsonSchema"] = from_gemini(config.pop("responseSchema"))
    if config == {}:
        body.pop("generationConfig", None)
    return body


@pytest.mark.parametrize(("provider", "least"), [("gemini", 320), ("vertex", 95)])
def test_recorded_requests_survive(provider: str, least: int) -> None:
    """What a recorded caller asks for is written again as it was, but for the normalisations listed in normal()."""
    skip_without_corpus()
    seen = 0
    for recording in recordings(provider, *APIS):
        notes = Notes()
        request = read_request(recording.request, model_of(recording), False)
        written = write_request(request, notes, frozenset(("vertex",)) if provider == "vertex" else frozenset())
        assert written == normal(recording.request), recording.name
        assert notes.dropped == [], recording.name
        seen += 1
    counted(seen, least)
