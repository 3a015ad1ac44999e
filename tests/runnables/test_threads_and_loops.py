from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from chatnb.runnables import Runnable, RunnableLambda
from chatnb.runnables.loop_thread import LoopThread, package_loop

place: ContextVar[str] = ContextVar("place", default="nowhere")


async def loop_id(_: Any = None) -> int:
    return id(asyncio.get_running_loop())


def test_one_loop_serves_all_synchronous_callers() -> None:
    """From outside a loop and inside one, always the same: clients opened on it stay usable."""
    own = RunnableLambda(loop_id)

    async def inside() -> int:
        return own.invoke("")

    first = own.invoke("")
    assert (own.invoke(""), list(own.stream("")), asyncio.run(inside())) == (first, [first], first)
    assert package_loop.submit(loop_id()).result(10) == first


def test_work_on_the_loop_may_call_back_into_it() -> None:
    """However deep, a synchronous verb beneath the loop gets another loop, and nothing hangs."""

    def deeper(depth: int) -> Any:
        async def func(_: str) -> list[int]:
            below = RunnableLambda(deeper(depth - 1)) if depth else None
            return [await loop_id(), *(below.invoke("") if below else [])]

        return func

    loops = RunnableLambda(deeper(3)).invoke("")
    assert len(set(loops)) == 4
    submitted = package_loop.submit(_streams_inside())
    assert submitted.result(10) == ["a", "b"]


async def letters(_: str) -> AsyncIterator[str]:
    yield "a"
    yield "b"


async def _streams_inside() -> list[str]:
    return list(RunnableLambda(letters).stream(""))


@pytest.mark.parametrize("way", ["sync over async", "async over sync"])
def test_closing_a_stream_early_ends_what_makes_it(way: str) -> None:
    """A generator is closed when its reader leaves, on the other side of the thread too."""
    closed = threading.Event()

    async def aendless(_: str) -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    def endless(_: str) -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    async def leave() -> None:
        stream = RunnableLambda(endless).astream("")
        await anext(stream)
        await stream.aclose()

    if way == "async over sync":
        asyncio.run(leave())
    else:
        stream = RunnableLambda(aendless).stream("")
        next(stream)
        stream.close()  # type: ignore[attr-defined]
        assert closed.is_set()
    assert closed.wait(10)


def test_an_asynchronous_generator_stays_in_one_task() -> None:
    """All of it runs in one task, so that timeouts and context variables hold across chunks."""

    async def tasks(_: str) -> AsyncIterator[Any]:
        place.set("inside")
        yield asyncio.current_task()
        yield asyncio.current_task() if place.get() == "inside" else None

    first, second = RunnableLambda(tasks).stream("")
    assert first is second
    assert place.get() == "nowhere"


def test_items_are_made_when_they_are_asked_for() -> None:
    """Neither side runs ahead of its reader by more than the item at hand."""
    made = list[int]()

    async def anumbers(_: str) -> AsyncIterator[int]:
        for number in range(5):
            made.append(number)
            yield number

    stream = RunnableLambda(anumbers).stream("")
    assert next(stream) == 0
    assert package_loop.run(loop_id())  # The loop had its turn, and made no more.
    assert made == [0]
    assert list(stream) == [1, 2, 3, 4]


def test_a_cancelled_wait_leaves_the_loop_usable() -> None:
    """Cancelling an asynchronous verb of something synchronous ends the wait at once."""
    release = threading.Event()

    async def run() -> str:
        waiting = asyncio.create_task(RunnableLambda(lambda _: release.wait(10)).ainvoke(""))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        release.set()
        return await RunnableLambda(str.upper).ainvoke("a")

    assert asyncio.run(run()) == "A"


def test_no_threads_are_left_behind() -> None:
    """Threads of calls end with them, and a loop of its own with the call that needed it."""

    async def nested(_: str) -> list[str]:
        return list(RunnableLambda(letters).stream(""))

    package_loop.run(loop_id())
    before = set(threading.enumerate())
    RunnableLambda(len).batch(["a"] * 20)
    RunnableLambda(nested).invoke("")
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive()


def test_a_closed_loop_thread_starts_again() -> None:
    """Closing is no end: the next use starts another loop."""
    thread = LoopThread()
    first = thread.run(loop_id())
    thread.close()
    thread.close()
    assert first
    assert thread.run(loop_id())
    thread.close()


def test_what_only_computes_needs_no_thread() -> None:
    """A runnable that says so is run where it is awaited."""

    class Where(Runnable[Any, int]):
        in_place = True

        def invoke(self, input: Any, config: Any = None, **kwargs: Any) -> int:
            return threading.get_ident()

    assert asyncio.run(Where().ainvoke("")) == threading.get_ident()
