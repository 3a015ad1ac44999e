from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from chatnb.chat_models import BaseChatModel
from chatnb.chat_models.rate_limiter import RateLimiter
from chatnb.errors import MalformedReplyError
from chatnb.schema import AIMessage, AIMessageChunk, BaseMessage
from chatnb.tracing.usage_tracking import track_usage


class OnlyGenerates(BaseChatModel):
    model_name = "generates"

    def _generate(self, messages: list[BaseMessage], **_: Any) -> AIMessage:
        return AIMessage("one two", id="7")


class OnlyStreams(BaseChatModel):
    model_name = "streams"

    def _stream(self, messages: list[BaseMessage], **_: Any) -> Iterator[AIMessageChunk]:
        yield AIMessageChunk("one", id="7")
        yield AIMessageChunk(" two")


class OnlyAsync(BaseChatModel):
    model_name = "async"

    async def _astream(
        self, messages: list[BaseMessage], **_: Any
    ) -> AsyncGenerator[AIMessageChunk, None]:
        yield AIMessageChunk("one", id="7")
        yield AIMessageChunk(" two")


@pytest.mark.parametrize("model", [OnlyGenerates, OnlyStreams, OnlyAsync])
def test_async_methods_come_from_any_one_hook(model: type[BaseChatModel]) -> None:
    """A provider with one hook, whichever, answers ainvoke and astream alike."""

    async def collect() -> str:
        return "".join([chunk.text async for chunk in model().astream("Hi")])

    assert asyncio.run(collect()) == "one two"
    assert asyncio.run(model().ainvoke("Hi")) == AIMessage("one two", id="7")


@pytest.mark.parametrize("model", [OnlyGenerates, OnlyStreams])
def test_sync_methods_come_from_any_one_sync_hook(model: type[BaseChatModel]) -> None:
    """A provider with one synchronous hook answers invoke and stream alike."""
    assert model().invoke("Hi") == AIMessage("one two", id="7")
    assert "".join(chunk.text for chunk in model().stream("Hi")) == "one two"


def test_a_model_without_streaming_yields_a_chunk() -> None:
    """`stream` gives chunks, never messages, so that they always add up."""
    assert list(OnlyGenerates().stream("Hi")) == [AIMessageChunk("one two", id="7")]


def test_the_default_astream_does_not_block_the_loop() -> None:
    """A synchronous provider runs on another thread than the event loop."""
    threads = list[int]()

    class Watched(BaseChatModel):
        model_name = "watched"

        def _stream(self, messages: list[BaseMessage], **_: Any) -> Iterator[AIMessageChunk]:
            threads.append(threading.get_ident())
            yield AIMessageChunk("a")

    asyncio.run(Watched().ainvoke("Hi"))
    assert threads != [threading.get_ident()]


def test_a_provider_without_hooks_is_refused_at_once() -> None:
    """Forgetting to implement a hook is noticed when the class is made."""
    with pytest.raises(TypeError, match="Empty must implement _generate or _stream"):

        class Empty(BaseChatModel):
            model_name = "empty"


@pytest.mark.parametrize("kind", [list, tuple, iter])
def test_the_chunks_of_a_model_may_be_any_iterable(kind: Callable[..., Any]) -> None:
    """A list is streamed as a generator is, and its chunks are counted."""

    class Ready(BaseChatModel):
        model_name = "ready"

        def _stream(self, messages: list[BaseMessage], **_: Any) -> Iterator[AIMessageChunk]:
            return kind([AIMessageChunk("a"), AIMessageChunk("b")])

    async def achunks() -> list[str]:
        return [chunk.text async for chunk in Ready().astream("Hi")]

    with track_usage() as tracker:
        assert [chunk.text for chunk in Ready().stream("Hi")] == ["a", "b"]
        assert asyncio.run(achunks()) == ["a", "b"]
        assert Ready().invoke("Hi").text == "ab"
    assert len(tracker.calls) == 3


def test_an_empty_stream_is_a_clear_error() -> None:
    """A provider that yields nothing has not replied."""

    class Silent(BaseChatModel):
        model_name = "silent"

        def _stream(self, messages: list[BaseMessage], **_: Any) -> Iterator[AIMessageChunk]:
            yield from ()

    async def achunks() -> list[AIMessageChunk]:
        return [chunk async for chunk in Silent().astream("Hi")]

    calls: list[Callable[[], object]] = [
        lambda: Silent().invoke("Hi"),
        lambda: list(Silent().stream("Hi")),
        lambda: asyncio.run(Silent().ainvoke("Hi")),
        lambda: asyncio.run(achunks()),
    ]
    for call in calls:
        with pytest.raises(MalformedReplyError, match=r"empty (reply|stream)"):
            call()


def test_sync_methods_of_an_async_model_work_in_and_outside_of_a_loop() -> None:
    """`invoke` and `stream` of a model that is only asynchronous need no help of the caller."""

    async def in_a_loop() -> tuple[AIMessage, str]:
        return OnlyAsync().invoke("Hi"), "".join(c.text for c in OnlyAsync().stream("Hi"))

    expected = (AIMessage("one two", id="7"), "one two")
    assert asyncio.run(in_a_loop()) == expected
    assert (OnlyAsync().invoke("Hi"), "".join(c.text for c in OnlyAsync().stream("Hi"))) == expected


def test_context_variables_reach_a_model_s_thread() -> None:
    """Context variables of the caller are seen where a synchronous provider runs."""
    user = ContextVar("user", default="nobody")

    class Greets(BaseChatModel):
        model_name = "greets"

        def _stream(self, messages: list[BaseMessage], **_: Any) -> Iterator[AIMessageChunk]:
            yield AIMessageChunk(f"Hello {user.get()}")

    async def ask() -> list[str]:
        user.set("Ada")
        streamed = [chunk.text async for chunk in Greets().astream("Hi")]
        return [*streamed, (await Greets().ainvoke("Hi")).text]

    assert asyncio.run(ask()) == ["Hello Ada", "Hello Ada"]


@pytest.mark.parametrize("model", [OnlyGenerates, OnlyStreams, OnlyAsync])
def test_a_rate_limiter_spaces_every_method_out(model: type[BaseChatModel]) -> None:
    """Each call takes one place in the row, whatever method makes it."""

    class Row(RateLimiter):
        places = 0

        def reserve(self) -> float:
            self.places += 1
            return 0.0

    chat, row = model(), Row(1)
    chat.rate_limiter = row

    async def stream() -> None:
        async for _ in chat.astream("Hi"):
            pass

    chat.invoke("Hi")
    list(chat.stream("Hi"))
    chat.generate([["Hi"], ["Ho"]])
    asyncio.run(chat.ainvoke("Hi"))
    asyncio.run(stream())
    assert row.places == 6


@pytest.mark.parametrize("hook", ["_generate", "_agenerate"])
def test_a_hook_that_returns_no_message_is_told_what_to_return(hook: str) -> None:
    """By calls of both kinds."""

    def generate(self: BaseChatModel, messages: list[BaseMessage], **_: Any) -> Any:
        return "Hi"

    async def agenerate(self: BaseChatModel, messages: list[BaseMessage], **_: Any) -> Any:
        return "Hi"

    hooks = {"_generate": generate, "_agenerate": agenerate}
    model: Any = type("Mine", (BaseChatModel,), {"model_name": "m", hook: hooks[hook]})
    for call in (model().invoke, lambda text: asyncio.run(model().ainvoke(text))):
        with pytest.raises(TypeError, match=r"Mine returns an AIMessage, not str: .*AIMessage\(t"):
            call("Hi")
