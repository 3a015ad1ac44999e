from __future__ import annotations

import asyncio
import pickle
import sys
from collections.abc import Callable
from typing import Any

import pytest

from chatnb.chat_models import BaseChatModel, init_chat_model
from chatnb.errors import AuthenticationError, ConfigurationError, MissingRuntimeError
from tests.support.loopback import LoopbackServer, refusal, whole

pytest.importorskip("openai.providers", reason="this openai is older than its providers")

KEY = "cloud-very-secret-key"
VARIABLES = (
    *("AWS_BEARER_TOKEN_BEDROCK", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_BEDROCK_BASE_URL"),
    *("GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION", "OPENAI_API_KEY", "OPENAI_BASE_URL"),
)
Ask = Callable[[BaseChatModel], object]


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


async def _token() -> str:
    return KEY


CREDENTIALS: list[tuple[str, dict[str, Any]]] = [
    ("bedrock", {"api_key": KEY, "region": "us-west-2"}),
    ("bedrock", {"api_key": KEY}),
    ("bedrock", {"token_provider": lambda: KEY, "region_name": "eu-west-1"}),
    ("vertex", {"token_provider": lambda: KEY}),
    ("vertex", {"token_provider": _token, "project": "p", "location": "global"}),
]


def invoked(chat: BaseChatModel) -> str:
    return chat.invoke("Hi").text


def astreamed(chat: BaseChatModel) -> str:
    async def collect() -> str:
        return "".join([chunk.text async for chunk in chat.astream("Hi")])

    return asyncio.run(collect())


both_ways = pytest.mark.parametrize("ask", [invoked, astreamed])


@both_ways
@pytest.mark.parametrize(("name", "credentials"), CREDENTIALS)
def test_a_cloud_s_model_is_called_with_its_credentials(
    loopback: LoopbackServer, name: str, credentials: dict[str, Any], ask: Ask
) -> None:
    """The SDK's provider authenticates; the request is OpenAI's, and no key of OpenAI is sent."""
    loopback.plays(whole("Hello."))
    arguments = {"base_url": loopback.base_url, "use_responses_api": False, "temperature": 0}
    chat = init_chat_model(f"{name}:some-model", max_retries=0, **credentials, **arguments)
    assert ask(chat) == "Hello."
    [exchange] = loopback.exchanges
    assert exchange.path == "/v1/chat/completions"
    assert exchange.headers["authorization"] == f"Bearer {KEY}"
    assert {"model": "some-model", "temperature": 0}.items() <= exchange.body.items()


def test_the_environment_s_key_of_bedrock_is_used(
    loopback: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS_BEARER_TOKEN_BEDROCK is read by the SDK; a copy from another process works, too."""
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", KEY)
    loopback.plays(whole("Hello."))
    chat = init_chat_model("bedrock:m", base_url=loopback.base_url)
    assert pickle.loads(pickle.dumps(chat)).invoke("Hi").text == "Hello."
    assert loopback.exchanges[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("name", ["api_key", "openai_api_key"])
def test_vertex_says_what_it_takes_for_a_key(name: str) -> None:
    """It has no API keys, which all other providers take."""
    with pytest.raises(TypeError, match=r"takes no API key.*token_provider= or credentials="):
        init_chat_model("vertex:m", **{name: KEY})


def test_vertex_is_called_through_the_responses_api() -> None:
    """It is the API that Vertex AI has."""
    chat = init_chat_model("vertex:m", token_provider=lambda: KEY)
    assert vars(chat)["use_responses_api"] is True


@pytest.mark.parametrize(
    ("name", "module", "arguments"),
    [
        ("bedrock", "botocore", {"region": "us-west-2"}),
        ("bedrock", "botocore", {"region": "us-west-2", "profile": "p"}),
        ("vertex", "google.auth", {"project": "p", "location": "global"}),
    ],
)
@both_ways
def test_a_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, module: str, arguments: dict[str, Any], ask: Ask
) -> None:
    """The cloud's own credentials need a package, which the error says how to install."""
    monkeypatch.setitem(sys.modules, module.partition(".")[0], None)
    with pytest.raises(MissingRuntimeError, match=rf'pip install "openai\[{name}\]"'):
        ask(init_chat_model(f"{name}:m", **arguments))


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("bedrock", {"api_key": KEY}, "region"),
        ("bedrock", {"api_key": KEY, "region": "us-west-2", "endpoint": "x"}, "endpoint"),
        ("vertex", {"token_provider": lambda: KEY}, "project"),
    ],
)
def test_a_missing_setting_is_an_error_of_configuration(
    name: str, arguments: dict[str, Any], said: str
) -> None:
    """The SDK's words about it are in the error; the key is not."""
    with pytest.raises(ConfigurationError, match=said) as raised:
        init_chat_model(f"{name}:m", **arguments).invoke("Hi")
    assert KEY not in str(raised.value)


@pytest.mark.parametrize(("name", "credentials"), CREDENTIALS)
def test_a_refused_credential_is_redacted(
    loopback: LoopbackServer, name: str, credentials: dict[str, Any]
) -> None:
    """A server that repeats the token does not get it into the error."""
    loopback.plays(refusal("401 Unauthorized", f"Wrong token {KEY}."))
    chat = init_chat_model(f"{name}:m", base_url=loopback.base_url, max_retries=0, **credentials)
    with pytest.raises(AuthenticationError) as raised:
        chat.invoke("Hi")
    assert KEY not in str(raised.value)
