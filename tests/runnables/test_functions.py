from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from chatnb.runnables import Runnable, RunnableConfig, RunnableGenerator, RunnableLambda

place: ContextVar[str] = ContextVar("place", default="nowhere")


@pytest.mark.parametrize("thing", [3, "text", None])
def test_only_functions_are_functions(thing: Any) -> None:
    """Anything else raises with the name of its type."""
    with pytest.raises(TypeError, match=f"takes a function, not {type(thing).__name__}"):
        RunnableLambda(thing)


def test_only_generator_functions_take_chunks() -> None:
    """A function that is no generator function cannot transform chunks."""
    with pytest.raises(TypeError, match="takes a generator function"):
        RunnableGenerator(len)  # type: ignore[arg-type]


def test_callables_of_any_make_are_functions() -> None:
    """Partial functions and objects with `__call__`, generators among them, are told apart."""

    class Words:
        def __call__(self, text: str) -> Iterator[str]:
            yield from text.split()

    assert list(RunnableLambda(Words()).stream("a b")) == ["a", "b"]
    assert RunnableLambda(functools.partial(int, base=2)).invoke("11") == 3


def test_a_function_may_ask_for_the_config() -> None:
    """A parameter called config gets the config of the run, also when there is none."""

    def tags(_: str, config: RunnableConfig) -> list[str]:
        return config.get("tags", [])

    async def atags(_: str, config: RunnableConfig) -> list[str]:
        return config.get("tags", [])

    for func in (tags, atags):
        assert RunnableLambda(func).invoke("", {"tags": ["a"]}) == ["a"]
        assert RunnableLambda(func).invoke("") == []


def test_arguments_of_the_call_reach_the_function() -> None:
    """Arguments that are bound or of the call are passed on; the call wins."""
    times = RunnableLambda(lambda text, times=1: text * times)
    assert times.invoke("a", times=2) == "aa"
    assert times.bind(times=3).invoke("a") == "aaa"
    assert times.bind(times=3).invoke("a", times=2) == "aa"


def test_context_variables_reach_threads_and_loops() -> None:
    """A function has the caller's context variables on any thread."""

    def where(_: Any) -> str:
        return place.get()

    async def awhere(_: Any) -> str:
        return place.get()

    async def arun() -> list[str]:
        return [await RunnableLambda(where).ainvoke(""), *await RunnableLambda(where).abatch([1])]

    token = place.set("here")
    try:
        assert RunnableLambda(where).batch([1, 2]) == ["here", "here"]
        assert RunnableLambda(awhere).invoke("") == "here"
        assert asyncio.run(arun()) == ["here", "here"]
        assert RunnableLambda(awhere).map().invoke([1, 2]) == ["here", "here"]
    finally:
        place.reset(token)


def test_a_function_does_not_block_the_loop() -> None:
    """A waiting function does not block the loop: here the loop lets it end."""
    go_on = threading.Event()

    async def release() -> None:
        go_on.set()

    async def both() -> bool:
        run = RunnableLambda(lambda _: go_on.wait(60)).ainvoke("")
        ended, _ = await asyncio.gather(run, release())
        return ended

    assert asyncio.run(both())


def test_runnables_that_return_one_another_for_ever_are_stopped() -> None:
    """The config limits how often they may; then every method raises RecursionError."""
    forever: Runnable[str, str] = RunnableLambda(lambda _: forever, name="forever")
    with pytest.raises(RecursionError, match="forever"):
        forever.invoke("")
    with pytest.raises(RecursionError, match="recursion_limit"):
        list(forever.stream("", {"recursion_limit": 3}))


def test_a_stop_iteration_of_a_function_is_no_end_of_a_stream() -> None:
    """`StopIteration` cannot travel through a coroutine, so it arrives as a RuntimeError."""

    def stops(_: str) -> str:
        raise StopIteration

    with pytest.raises(RuntimeError, match="StopIteration"):
        asyncio.run(RunnableLambda(stops).ainvoke(""))


class Slow(Runnable[Any, str]):
    """Says by which method it ran, or waits until it is cancelled."""

    def __init__(self, *, waits: bool = False) -> None:
        self.waits, self.started, self.cancelled = waits, asyncio.Event(), False

    def invoke(self, input: Any, config: Any = None, **kwargs: Any) -> str:
        return "invoke"

    async def ainvoke(self, input: Any, config: Any = None, **kwargs: Any) -> str:
        self.started.set()
        try:
            await asyncio.sleep(60 if self.waits else 0)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return "ainvoke"


def test_a_runnable_that_a_function_returns_runs_by_the_asynchronous_method() -> None:
    """In `ainvoke`, `abatch` and `astream`, also further inside; `invoke` stays synchronous."""
    inner = RunnableLambda(lambda _: Slow())
    chain = RunnableLambda(lambda _: inner)

    async def run() -> list[Any]:
        streamed = [chunk async for chunk in chain.astream("")]
        return [await chain.ainvoke(""), *await chain.abatch(["", ""]), *streamed]

    assert asyncio.run(run()) == ["ainvoke"] * 4
    assert chain.invoke("") == "invoke"


def test_a_runnable_that_a_function_returns_is_cancelled_with_the_run() -> None:
    """The cancellation reaches it, and the run counts as cancelled."""

    async def run() -> None:
        slow = Slow(waits=True)
        task = asyncio.create_task(RunnableLambda(lambda _: slow).ainvoke(""))
        await asyncio.wait_for(slow.started.wait(), 60)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert slow.cancelled

    asyncio.run(run())
