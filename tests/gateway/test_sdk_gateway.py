"""The official clients through the gateway get what they get from the provider directly."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.mock import RunningMock, running_mock
from tests.gateway import sdk_calls
from tests.gateway.limited import integrations, key_lines
from tests.gateway.running import KEY, RunningGateway
from tests.gateway.sdk_calls import CALLS, CLAUDE, GEMINI, MODEL

LISTING = {"openai_models"}          # the gateway's own, by what a key may use


@pytest.fixture(scope="module")
def mock() -> Iterator[RunningMock]:
    with running_mock() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(mock: RunningMock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    config = integrations(mock.url) + key_lines(
        integration='"openai"', budget="{ usd = 1000 }", rate="{ requests_per_minute = 100000, tokens_per_minute = 100000000 }")
    with RunningGateway(tmp_path_factory.mktemp("sdk"), config + '[workspaces.default]\nunknown_price = "allow"\n') as running:
        yield running


@pytest.mark.parametrize("name", sorted(CALLS.keys() - LISTING))
def test_call_through_the_gateway_has_the_result_of_a_direct_one(gateway: RunningGateway, mock: RunningMock, name: str) -> None:
    """An unchanged client that is pointed at the gateway with a virtual key sees no difference, streamed or not."""
    assert CALLS[name](gateway.url, KEY) == CALLS[name](mock.url, "direct")


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503])
def test_error_of_the_provider_reaches_the_client_as_its_own(gateway: RunningGateway, mock: RunningMock, status: int) -> None:
    """The provider's errors raise the same exception with the same body as directly."""
    model = f"mock-status-{status}"
    assert sdk_calls.openai_status(gateway.url, KEY, model) == sdk_calls.openai_status(mock.url, "direct", model)


def test_listings_of_the_clients_have_the_models(gateway: RunningGateway) -> None:
    """Each client lists the gateway's models and finds one by its name."""
    with sdk_calls.openai_client(gateway.url, KEY) as client:
        assert MODEL in [model.id for model in client.models.list()]
        assert client.models.retrieve(MODEL).id == MODEL
    with sdk_calls.anthropic_client(gateway.url, KEY) as claude:
        assert CLAUDE in [model.id for model in claude.models.list()]
        assert claude.models.retrieve(CLAUDE).id == CLAUDE
    with sdk_calls.gemini_client(gateway.url, KEY) as google:
        assert f"models/{GEMINI}" in [model.name for model in google.models.list()]
        assert google.models.get(model=GEMINI).name == f"models/{GEMINI}"


def test_refusal_raises_the_clients_own_exception(gateway: RunningGateway) -> None:
    """A wrong key is an authentication error of each client."""
    import anthropic
    import openai
    from google.genai import errors

    calls: list[tuple[Any, Any]] = [
        (sdk_calls.openai_chat, openai.AuthenticationError), (sdk_calls.anthropic_message, anthropic.AuthenticationError),
        (sdk_calls.gemini_generate, errors.ClientError)]
    for call, kind in calls:
        with pytest.raises(kind) as raised:
            call(gateway.url, "fgw-wrong")
        assert "key is not known here" in str(raised.value)
