"""Options of the client, of one call's transport and of the run stay out of the body."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from chatnb.chat_models import BaseChatModel, ScriptedChatModel
from chatnb.chat_models.cache import InMemoryCache
from chatnb.errors import ModelTimeoutError, ServerError
from chatnb.prompts import ChatPromptTemplate
from chatnb.runnables import RunnableLambda
from chatnb.schema import AIMessage
from tests.chat_models.contract.providers import PROVIDERS, Provider
from tests.chat_models.contract.test_contract import ainvoke, astream, invoke, stream
from tests.support.loopback import delta
from tests.support.recording_handler import Recorder
from tests.support.runnable_methods import CALLS

Ask = Callable[..., Any]
WIRES = ("openai", "openai-responses", "azure", "anthropic", "groq")
each_wire = pytest.mark.parametrize(
    "provider", [p for p in PROVIDERS if p.name in WIRES], ids=lambda p: p.name
)
each_method = pytest.mark.parametrize("ask", [invoke, ainvoke, stream, astream])


@dataclass
class Server:
    """An HTTP client of the user's, which answers by itself and keeps the requests."""

    provider: Provider
    failures: int = 0
    seen: list[httpx2.Request] = field(default_factory=list[httpx2.Request])

    def __post_init__(self) -> None:
        transport = httpx2.MockTransport(self._answer)
        self.clients = httpx2.Client(transport=transport), httpx2.AsyncClient(transport=transport)

    def model(self, **params: Any) -> BaseChatModel:
        http, http_async = self.clients
        return self.provider.model(
            "http://server/v1", http_client=http, http_async_client=http_async, **params
        )

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append(request)
        if len(self.seen) <= self.failures:
            return httpx2.Response(503, headers={"retry-after-ms": "1"})
        return httpx2.Response(200, json=self.provider.wire.whole("Hello"))

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.seen[-1].content)


@each_wire
@each_method
def test_options_of_one_call_go_to_the_sdk(provider: Provider, ask: Ask) -> None:
    """Headers, query, body, timeout and retries of a call act, and only `extra_body` is sent."""
    server = Server(provider, failures=1)
    plain = Server(provider)
    ask(plain.model(), "Hi")
    options: dict[str, Any] = {
        "extra_headers": {"x-one": "1"},
        "extra_query": {"q": "2"},
        "extra_body": {"own": {"max_tokens": 3}},
        "timeout": 7.5,
        "max_retries": 1,
    }
    reply = ask(server.model(), "Hi", stream_usage=None, **options)
    request = server.seen[-1]
    assert reply.text == "Hello"
    assert (request.headers["x-one"], request.url.params["q"]) == ("1", "2")
    assert request.extensions["timeout"]["read"] == 7.5
    assert server.body == {**plain.body, "own": {"max_tokens": 3}}
    assert len(server.seen) == 2


@each_wire
def test_options_also_come_bound_and_as_model_kwargs(provider: Provider) -> None:
    """`bind` and `model_kwargs` carry the SDK's options like a call, which wins over them."""
    server = Server(provider)
    chat = server.model(
        model_kwargs={"extra_headers": {"x-one": "1"}, "timeout": 3, "stream": True},
        extra_body={"a": 1, "b": 1},
    )
    chat.bind(extra_body={"b": 2}, timeout=4).invoke("Hi")
    request = server.seen[-1]
    assert (request.headers["x-one"], request.extensions["timeout"]["read"]) == ("1", 4)
    assert (server.body["a"], server.body["b"]) == (1, 2)
    assert not server.body.get("stream")
    assert "timeout" not in server.body


@each_wire
def test_a_call_without_retries_fails_at_once(provider: Provider) -> None:
    """`max_retries=0` of a call is an option like any other number."""
    server = Server(provider, failures=9)
    with pytest.raises(ServerError):
        server.model(max_retries=3).invoke("Hi", max_retries=0)
    assert len(server.seen) == 1


@each_wire
@pytest.mark.parametrize("ask", [invoke, astream])
def test_options_of_a_model_go_to_its_clients(provider: Provider, ask: Ask) -> None:
    """Default headers and query are on every request, and the user's HTTP client stays open."""
    server = Server(provider)
    chat = server.model(default_headers={"x-all": "1"}, default_query={"q": "2"})
    ask(chat, "Hi")
    ask(chat, "Hi", extra_headers={"X-All": "3"})
    assert [request.headers["x-all"] for request in server.seen] == ["1", "3"]
    assert [request.url.params["q"] for request in server.seen] == ["2", "2"]
    assert not any(client.is_closed for client in server.clients)


def test_a_header_of_the_user_replaces_the_one_of_the_model() -> None:
    """A version of Anthropic's API is sent once, in any case of its letters."""
    server = Server(next(p for p in PROVIDERS if p.name == "anthropic"))
    chat = server.model(temperature=0.5)
    chat.invoke("Hi", extra_headers={"Anthropic-Version": "2026-10-21"})
    assert server.seen[0].headers.get_list("anthropic-version") == ["2026-10-21"]


@each_wire
def test_arguments_of_models_and_batches_are_refused_by_name(provider: Provider) -> None:
    """A key or an address in a call is an error that names it, and nothing is sent."""
    server = Server(provider)
    chat = server.model()
    for name in ("api_key", "base_url", "cache", "http_client", "progress", "checkpoint"):
        for ask in (invoke, astream):
            with pytest.raises(TypeError, match=f"{name}="):
                ask(chat, "Hi", **{name: "x"})
    assert server.seen == []


@each_method
def test_stream_is_decided_by_the_method(ask: Ask) -> None:
    """`stream=True` in `invoke` says what to write; where it agrees with the method, it is fine."""
    streams = ask in (stream, astream)
    other = r"model\.invoke" if streams else r"model\.stream"
    with pytest.raises(TypeError, match=other):
        ask(ScriptedChatModel(["Hi"]), "Hi", stream=not streams)
    assert ask(ScriptedChatModel(["Hi"]), "Hi", stream=streams).text == "Hi"


def batch(chat: Any, text: str, **params: Any) -> Any:
    return chat.batch([text, text], **params)


def abatch(chat: Any, text: str, **params: Any) -> Any:
    return asyncio.run(chat.abatch([text, text], [{}, {}], **params))


def batch_as_completed(chat: Any, text: str, **params: Any) -> Any:
    return list(chat.batch_as_completed([text], **params))


def transform(chat: Any, text: str, **params: Any) -> Any:
    return list(chat.transform(iter([text]), **params))


def stream_log(chat: Any, text: str, **params: Any) -> Any:
    return list(chat.stream_log(text, **params))


def _call(name: str) -> Ask:
    return lambda chat, text, **params: CALLS[name](chat, text, params)


METHODS: dict[str, Ask] = {
    **{ask.__name__: ask for ask in (invoke, ainvoke, stream, astream, transform)},
    **{ask.__name__: ask for ask in (batch, abatch, batch_as_completed, stream_log)},
    **{name: _call(name) for name in CALLS},
}
PROMPT = ChatPromptTemplate.from_messages([("human", "{text}")])
RUNNABLES: dict[str, Callable[[BaseChatModel], Any]] = {
    "model": lambda chat: chat,
    "bound": lambda chat: chat.bind(seed=1),
    "retry": lambda chat: chat.with_retry(),
    "chain": lambda chat: RunnableLambda(lambda text: {"text": text}) | PROMPT | chat,
}


@pytest.mark.parametrize("kind", RUNNABLES)
@pytest.mark.parametrize("method", METHODS)
def test_entries_of_the_config_are_honoured_as_keywords(method: str, kind: str) -> None:
    """Handlers, tags and all else of a config act in every method, and none is in the body."""
    if method in CALLS and kind != "model":
        return  # Those are methods of chat models only.
    server = Server(PROVIDERS[0])
    handler = Recorder()
    runnable = RUNNABLES[kind](server.model())
    METHODS[method](
        runnable,
        "Hi",
        callbacks=[handler],
        tags=["t"],
        metadata={"m": 1},
        run_name="named",
        max_concurrency=1,
        recursion_limit=9,
        configurable={"c": 1},
    )
    assert handler.told
    body = {name for name in server.body if name not in ("stream", "stream_options", "seed")}
    assert body == {"messages", "model"}


def test_the_run_has_what_the_keywords_say() -> None:
    """A run's name, tags, metadata and id are those given beside the input."""
    runs = list[Any]()

    class Handler:
        def on_start(self, run: Any) -> None:
            runs.append(run)

    chat = ScriptedChatModel(["Hi"])
    chat.invoke("Hi", {"tags": ["a"]}, callbacks=[Handler()], tags=["b"], run_name="n", run_id="i")
    assert [(run.name, run.tags, run.id) for run in runs] == [("n", ["a", "b"], "i")]


def test_a_function_keeps_its_own_parameters() -> None:
    """A parameter of a function that is called as a config's entry is the function's."""
    tagged = RunnableLambda(lambda text, tags=(): (text, tags))
    assert tagged.invoke("a", tags=[1]) == ("a", [1])
    assert tagged.bind(tags=[2]).batch(["a"]) == [("a", [2])]


def test_equal_requests_share_a_cached_reply_whatever_the_timeout() -> None:
    """Timeouts and retries are in no key of a cache; headers and bodies are."""
    server = Server(PROVIDERS[0])
    chat = server.model(cache=InMemoryCache())
    for options in ({}, {"timeout": 3}, {"max_retries": 1}):
        chat.invoke("Hi", **options)
    assert len(server.seen) == 1
    for options in ({"extra_headers": {"a": "1"}}, {"extra_body": {"a": 1}}):
        chat.invoke("Hi", **options)
    assert len(server.seen) == 3


def test_a_client_of_httpx_serves_as_well() -> None:
    """An HTTP client of the package httpx, which the SDK also takes, fails with chatnb's errors."""
    httpx = pytest.importorskip("httpx")

    def broken() -> Iterator[bytes]:
        yield delta("Hel")
        raise httpx.ReadTimeout("late")

    def answer(request: Any) -> Any:
        if json.loads(request.content).get("stream"):
            return httpx.Response(
                200, content=broken(), headers={"content-type": "text/event-stream"}
            )
        return httpx.Response(200, json=PROVIDERS[0].wire.whole("Hello"))

    http = httpx.Client(transport=httpx.MockTransport(answer))
    chat = PROVIDERS[0].model("http://server/v1", http_client=http)
    assert chat.invoke("Hi").text == "Hello"
    with pytest.raises(ModelTimeoutError) as raised:
        stream(chat, "Hi")
    assert raised.value.partial == AIMessage("Hel")
