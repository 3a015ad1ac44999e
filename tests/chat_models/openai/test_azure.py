from __future__ import annotations

import asyncio
import copy
import json
import pickle
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import pytest

from chatnb.chat_models import AzureChatOpenAI, init_chat_model
from chatnb.chat_models.openai.azure import TokenSource
from chatnb.concurrency.pickling import dumps
from chatnb.errors import AuthenticationError, ConfigurationError, MissingKeyError
from chatnb.schema import AIMessage
from chatnb.schema.messages import join_chunks
from tests.support.loopback import (
    Exchange,
    LoopbackServer,
    Script,
    delta,
    event,
    head,
    refusal,
    whole,
)
from tests.support.responses_events import SAID, response

KEY = "azure-very-secret-key"
VARIABLES = (
    "AZURE_OPENAI_API_KEY",
    "AZURE_OPENAI_AD_TOKEN",
    "AZURE_OPENAI_ENDPOINT",
    "OPENAI_API_VERSION",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
)
Ask = Callable[[AzureChatOpenAI], AIMessage]


def invoked(chat: AzureChatOpenAI) -> AIMessage:
    return chat.invoke("Hi")


def ainvoked(chat: AzureChatOpenAI) -> AIMessage:
    return asyncio.run(chat.ainvoke("Hi"))


def streamed(chat: AzureChatOpenAI) -> AIMessage:
    return join_chunks(chat.stream("Hi")).to_message()


def astreamed(chat: AzureChatOpenAI) -> AIMessage:
    async def collect() -> AIMessage:
        return join_chunks([chunk async for chunk in chat.astream("Hi")]).to_message()

    return asyncio.run(collect())


all_ways = pytest.mark.parametrize("ask", [invoked, ainvoked, streamed, astreamed])


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def hello() -> Script:
    """The reply in the form that was asked for."""

    async def script(exchange: Exchange) -> AsyncIterator[bytes]:
        if exchange.body.get("stream"):
            yield head() + delta("Hello", "stop") + event("[DONE]")
            return
        async for piece in whole("Hello")(exchange):
            yield piece

    return script


def resource(server: LoopbackServer) -> str:
    return server.base_url.removesuffix("/v1")


def chat_at(server: LoopbackServer, **params: Any) -> AzureChatOpenAI:
    place = {"azure_endpoint": resource(server), "api_version": "2024-10-21", "max_retries": 0}
    return AzureChatOpenAI(**{"azure_deployment": "my-gpt", **place, **params})


@all_ways
def test_the_deployment_is_asked_with_the_key(loopback: LoopbackServer, ask: Ask) -> None:
    """The path has the deployment, the query the version, and the header the key."""
    loopback.plays(hello())
    assert ask(chat_at(loopback, api_key=KEY, max_tokens=7)).content == "Hello"
    exchange = loopback.exchanges[0]
    path = "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21"
    assert exchange.path == path
    assert exchange.headers["api-key"] == KEY
    assert "authorization" not in exchange.headers
    assert exchange.body["max_completion_tokens"] == 7


@all_ways
def test_a_token_of_entra_id_signs_in(loopback: LoopbackServer, ask: Ask) -> None:
    """A fixed token is sent as a bearer token, and no key."""
    loopback.plays(hello())
    ask(chat_at(loopback, azure_ad_token="entra-token"))
    headers = loopback.exchanges[0].headers
    assert headers["authorization"] == "Bearer entra-token"
    assert "api-key" not in headers


def fresh_tokens() -> Callable[[], str]:
    tokens = iter(["first", "second"])
    return lambda: next(tokens)


def fresh_tokens_async() -> Callable[[], Any]:
    tokens = iter(["first", "second"])

    async def fetch() -> str:
        await asyncio.sleep(0)
        return next(tokens)

    return fetch


@all_ways
@pytest.mark.parametrize("make", [fresh_tokens, fresh_tokens_async])
def test_a_token_provider_is_asked_before_each_request(
    loopback: LoopbackServer, ask: Ask, make: Callable[[], Callable[[], Any]]
) -> None:
    """A function and a coroutine function serve sync and async calls alike."""
    loopback.plays(hello())
    chat = chat_at(loopback, azure_ad_token_provider=make())
    ask(chat)
    ask(chat)
    sent = [exchange.headers["authorization"] for exchange in loopback.exchanges]
    assert sent == ["Bearer first", "Bearer second"]


def test_a_provider_that_blocks_does_not_block_the_event_loop(loopback: LoopbackServer) -> None:
    """Azure's own providers fetch tokens over the network: they run on another thread."""
    threads = list[threading.Thread]()

    def fetch() -> str:
        threads.append(threading.current_thread())
        return "token"

    loopback.plays(hello())
    ainvoked(chat_at(loopback, azure_ad_token_provider=fetch))
    assert threads
    assert threading.main_thread() not in threads


@all_ways
def test_the_environment_says_where_and_who(
    loopback: LoopbackServer, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Endpoint, version and key of Azure's variables; OpenAI's own are not taken for them."""
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", resource(loopback))
    monkeypatch.setenv("OPENAI_API_VERSION", "2025-01-01")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    loopback.plays(hello())
    chat = init_chat_model("azure:my-gpt", max_tokens=7)
    assert isinstance(chat, AzureChatOpenAI)
    ask(chat)
    exchange = loopback.exchanges[0]
    path = "/openai/deployments/my-gpt/chat/completions?api-version=2025-01-01"
    assert exchange.path == path
    assert exchange.headers["api-key"] == KEY
    assert exchange.body["max_completion_tokens"] == 7


def test_a_token_of_the_environment_signs_in(
    loopback: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AZURE_OPENAI_AD_TOKEN serves where there is no key; what is passed wins over both."""
    loopback.plays(hello())
    monkeypatch.setenv("AZURE_OPENAI_AD_TOKEN", "entra-token")
    invoked(chat_at(loopback))
    invoked(chat_at(loopback, api_key=KEY))
    assert loopback.exchanges[0].headers["authorization"] == "Bearer entra-token"
    assert loopback.exchanges[1].headers["api-key"] == KEY


def test_the_model_s_name_need_not_be_the_deployment_s(loopback: LoopbackServer) -> None:
    """The deployment is asked, and tokens are counted as the model's."""
    loopback.plays(hello())
    chat = chat_at(loopback, model="gpt-4o", api_key=KEY)
    invoked(chat)
    assert chat.model_name == "gpt-4o"
    assert loopback.exchanges[0].body["model"] == "my-gpt"


def test_azure_s_responses_api_is_asked_too(loopback: LoopbackServer) -> None:
    """Its path has no deployment; the body names it."""
    reply = head(kind="application/json") + json.dumps(response(SAID)).encode()

    async def script(_: Exchange) -> AsyncIterator[bytes]:
        yield reply

    loopback.plays(script)
    assert invoked(chat_at(loopback, api_key=KEY, use_responses_api=True)).id == "resp_1"
    exchange = loopback.exchanges[0]
    assert exchange.path == "/openai/responses?api-version=2024-10-21"
    assert exchange.body["model"] == "my-gpt"


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        ({}, MissingKeyError, "AZURE_OPENAI_API_KEY"),
        ({"api_key": KEY, "azure_ad_token": "t"}, ConfigurationError, "Give one of"),
        ({"api_key": KEY}, ConfigurationError, "azure_deployment"),
        ({"api_key": KEY, "model": "m"}, ConfigurationError, "AZURE_OPENAI_ENDPOINT"),
        (
            {"api_key": KEY, "model": "m", "azure_endpoint": "http://127.0.0.1:9"},
            ConfigurationError,
            "OPENAI_API_VERSION",
        ),
    ],
)
def test_what_is_missing_is_named(
    given: dict[str, Any], error: type[Exception], match: str
) -> None:
    """Each error says which argument or variable to set, when the model is made."""
    with pytest.raises(error, match=match) as raised:
        AzureChatOpenAI(**given)
    assert KEY not in str(raised.value)


@all_ways
def test_a_refused_key_is_not_repeated(loopback: LoopbackServer, ask: Ask) -> None:
    """The error names Azure's variable, and neither it nor the repr has the key."""
    loopback.plays(refusal("401 Unauthorized", f"Wrong key {KEY}."))
    chat = chat_at(loopback, api_key=KEY)
    with pytest.raises(AuthenticationError, match="AZURE_OPENAI_API_KEY") as raised:
        ask(chat)
    assert KEY not in f"{raised.value}{raised.value.__cause__!r}{chat!r}"


def test_it_can_be_copied_and_pickled(loopback: LoopbackServer) -> None:
    """A copy asks the same deployment with the same key."""
    loopback.plays(hello())
    chat = chat_at(loopback, api_key=KEY)
    for other in (copy.deepcopy(chat), pickle.loads(dumps(chat, send_keys=True))):
        assert invoked(other).content == "Hello"
    assert [exchange.headers["api-key"] for exchange in loopback.exchanges] == [KEY, KEY]


class AccessToken(NamedTuple):
    """A token of azure-identity."""

    token: Any
    expires_on: int = 0


async def awaited() -> AccessToken:
    return AccessToken("t2")


@pytest.mark.parametrize(
    ("provider", "token"),
    [(lambda: "t1", "t1"), (awaited, "t2"), (lambda: awaited(), "t2"), (AccessToken, None)],
)
def test_a_token_may_be_text_or_an_object_and_awaited(provider: Any, token: str | None) -> None:
    """By calls of both kinds; what is none is an error, and copies have not the last one."""
    source = TokenSource((lambda: AccessToken(7)) if token is None else provider)
    assert source.get_secret_value() == ""
    for fetch in (source.fetch, lambda: asyncio.run(source.afetch())):
        if token is None:
            with pytest.raises(ConfigurationError, match="must return a token, not int"):
                fetch()
            continue
        assert fetch() == source.get_secret_value() == token
        assert repr(source.get_secret_value()) == "'***'"
        again = copy.copy(source)
        assert (again.get_secret_value(), again.fetch()) == ("", token)
