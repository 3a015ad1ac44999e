"""Loops of tool calls that are stopped while a tool or the model keeps them waiting."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Generator
from typing import Any, cast

import pytest

from chatnb.chat_models import ChatOpenAI, ScriptedChatModel
from chatnb.schema import AIMessage, ToolMessage
from chatnb.tools import ToolLoop, arun_tools, run_tools, tool
from tests.support.loopback import LoopbackServer, endless


class Waiting:
    """A tool that waits; it knows when it is waited for."""

    def __init__(self) -> None:
        self.waits, self.go_on, self.cancelled = (threading.Event() for _ in range(3))

    def wait(self) -> str:
        self.waits.set()
        # A signal that comes just before a wait begins is only seen when the wait is over.
        any(self.go_on.wait(0.1) for _ in range(600))
        return "too late"

    async def await_(self) -> str:
        self.waits.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return "never"


def calling(*names: str) -> ScriptedChatModel:
    calls: list[Any] = [{"name": name, "args": {}, "id": name} for name in names]
    return ScriptedChatModel([AIMessage("", tool_calls=calls), "Done."])


def interrupt_when(event: threading.Event) -> None:
    def interrupt() -> None:
        event.wait(60)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()


@tool
def quick() -> str:
    return "quick"


@pytest.mark.parametrize("others", [[], ["quick"]])
def test_an_interrupt_ends_the_wait_for_tools(others: list[str]) -> None:
    """Ctrl-C is KeyboardInterrupt at once, whether the tool runs here or on a thread."""
    waiting = Waiting()
    interrupt_when(waiting.waits)
    with pytest.raises(KeyboardInterrupt):
        run_tools(calling("wait", *others), [tool(waiting.wait), quick], "Go.")
    assert not waiting.go_on.is_set()
    waiting.go_on.set()


def test_closing_the_stream_waits_for_no_tool() -> None:
    """Results so far stay."""
    waiting = Waiting()
    said = ToolLoop(calling("quick", "wait"), [tool(waiting.wait), quick]).stream("Go.")
    first = next(each for each in said if isinstance(each, ToolMessage))
    assert first.content == "quick"
    cast("Generator[Any]", said).close()
    assert not waiting.go_on.is_set()
    waiting.go_on.set()


@pytest.mark.parametrize("name", ["wait", "await_"])
def test_cancelling_ends_the_wait_for_tools(name: str) -> None:
    """The task counts as cancelled; an asynchronous tool is cancelled with it."""
    waiting = Waiting()
    made = tool(waiting.wait if name == "wait" else waiting.await_)

    async def run() -> bool:
        task = asyncio.create_task(arun_tools(calling(name, "quick"), [made, quick], "Go."))
        await asyncio.to_thread(waiting.waits.wait, 60)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(run())
    assert waiting.cancelled.is_set() == (name == "await_")
    waiting.go_on.set()


class Busy:
    """A tool that works in Python until it is ended."""

    def __init__(self) -> None:
        self.works, self.ended, self.returned = (threading.Event() for _ in range(3))

    def work(self) -> str:
        self.works.set()
        try:
            while not self.returned.wait(0.001):
                pass
        finally:
            self.ended.set()
        return "returned"


@pytest.mark.parametrize("way", ["close", "interrupt", "cancel", "aclose"])
@pytest.mark.parametrize("name", ["work", "await_"])
def test_stop_ends_the_tools_that_run(way: str, name: str) -> None:
    """Those on threads and asynchronous ones, in loops of either kind."""
    busy, waiting = Busy(), Waiting()
    begun, ended = (
        (busy.works, busy.ended) if name == "work" else (waiting.waits, waiting.cancelled)
    )
    loop = ToolLoop(calling("quick", name), [tool(busy.work), tool(waiting.await_), quick])

    async def run() -> None:
        streamed = loop.astream("Go.")
        if way == "cancel":
            task = asyncio.create_task(loop.ainvoke("Go."))
            await asyncio.to_thread(begun.wait, 60)
            task.cancel()
            await asyncio.wait([task])
        else:
            while not isinstance(await anext(streamed), ToolMessage):
                pass
            await asyncio.to_thread(begun.wait, 60)
            await streamed.aclose()

    if way == "interrupt":
        interrupt_when(begun)
        with pytest.raises(KeyboardInterrupt):
            loop.invoke("Go.")
    elif way == "close":
        said = loop.stream("Go.")
        next(each for each in said if isinstance(each, ToolMessage))
        assert begun.wait(60)
        cast("Generator[Any]", said).close()
    else:
        asyncio.run(run())
    assert ended.wait(60)
    assert not busy.returned.is_set()


def loop_on(server: LoopbackServer) -> ToolLoop:
    server.plays(endless())
    chat = ChatOpenAI("m", api_key="sk-12345678", base_url=server.base_url, max_retries=0)
    return ToolLoop(chat, [quick])


def test_closing_the_stream_closes_the_connection(loopback: LoopbackServer) -> None:
    """The model is asked for no more."""
    said = loop_on(loopback).stream("Go.")
    next(iter(said))
    cast("Generator[Any]", said).close()
    assert loopback.exchanges[0].closed.wait(60)


def test_closing_the_asynchronous_stream_closes_the_connection(loopback: LoopbackServer) -> None:
    """The event loop continues meanwhile."""

    async def run() -> None:
        said = loop_on(loopback).astream("Go.")
        await anext(said)
        await said.aclose()
        assert await asyncio.to_thread(loopback.exchanges[0].closed.wait, 60)

    asyncio.run(run())


def test_an_interrupt_closes_the_connection(loopback: LoopbackServer) -> None:
    """Ctrl-C while the model speaks."""
    heard = threading.Event()
    interrupt_when(heard)
    words = (heard.set() for _ in loop_on(loopback).stream("Go."))
    with pytest.raises(KeyboardInterrupt):
        list(words)
    assert loopback.exchanges[0].closed.wait(60)
