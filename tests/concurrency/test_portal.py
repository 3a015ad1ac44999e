from __future__ import annotations

import asyncio
import gc
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from queue import SimpleQueue
from typing import Any

import pytest

from chatnb.concurrency.portal import Portal, package_portal
from chatnb.runnables import Runnable, RunnableLambda
from tests.support.hangs import ends, wait_until

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
    assert package_portal.submit(loop_id()).result(10) == first


def test_work_on_the_loop_may_call_back_into_it() -> None:
    """A synchronous method beneath the loop gets another loop at any depth, and nothing hangs."""

    def deeper(depth: int) -> Any:
        async def func(_: str) -> list[int]:
            below = RunnableLambda(deeper(depth - 1)) if depth else None
            return [await loop_id(), *(below.invoke("") if below else [])]

        return func

    loops = RunnableLambda(deeper(3)).invoke("")
    assert len(set(loops)) == 4
    submitted = package_portal.submit(_streams_inside())
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
    assert closed.wait(60)


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
    assert package_portal.run(loop_id())  # The loop had its turn, and made no more.
    assert made == [0]
    assert list(stream) == [1, 2, 3, 4]


def test_a_cancelled_wait_leaves_the_loop_usable() -> None:
    """Cancelling an asynchronous method of something synchronous ends the wait at once."""
    release = threading.Event()

    async def run() -> str:
        waiting = asyncio.create_task(RunnableLambda(lambda _: release.wait(60)).ainvoke(""))
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

    package_portal.run(loop_id())
    before = set(threading.enumerate())
    RunnableLambda(len).batch(["a"] * 20)
    RunnableLambda(nested).invoke("")
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
        assert not thread.is_alive()


def test_a_closed_portal_starts_again() -> None:
    """Closing is no end: the next use starts another loop."""
    portal = Portal()
    first = portal.run(loop_id())
    portal.close()
    portal.close()
    assert first
    assert portal.run(loop_id())
    portal.close()


def test_closing_a_portal_ends_what_waits_for_it() -> None:
    """A call that runs is cancelled, and its caller gets the CancelledError."""
    portal, started = Portal(), threading.Event()

    async def endless() -> None:
        started.set()
        await asyncio.Event().wait()

    promise = portal.submit(endless())
    assert started.wait(60)
    portal.close()
    with pytest.raises(asyncio.CancelledError):
        promise.result(10)


@pytest.mark.parametrize("method", ["invoke", "stream"])
def test_an_exit_ends_one_call_and_not_the_loop(method: str) -> None:
    """SystemExit of an asynchronous function reaches its caller; the next call works."""

    async def leave(_: str) -> str:
        sys.exit(2)

    async def leave_midway(_: str) -> AsyncIterator[str]:
        yield "a"
        sys.exit(2)

    runs: dict[str, Callable[[], Any]] = {
        "invoke": lambda: RunnableLambda(leave).invoke(""),
        "stream": lambda: list(RunnableLambda(leave_midway).stream("")),
    }
    for _ in range(3):
        with pytest.raises(SystemExit) as left:
            ends(runs[method])
        assert left.value.code == 2
        assert ends(lambda: RunnableLambda(loop_id).invoke(""))


def test_a_loop_that_is_stopped_goes_on() -> None:
    """Code on the loop that stops it, as programs stop their own, ends neither its call nor
    another."""

    async def stop(_: str) -> str:
        asyncio.get_running_loop().stop()
        await asyncio.sleep(0)
        return "done"

    first = package_portal.run(loop_id())
    for _ in range(3):
        assert ends(lambda: RunnableLambda(stop).invoke("")) == "done"
    assert ends(lambda: package_portal.run(loop_id())) == first


def test_a_loop_whose_thread_cannot_start_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without room for a thread gets the error; the next call works."""

    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    portal = Portal()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        with pytest.raises(RuntimeError, match="start new thread"):
            portal.run(loop_id())
    assert ends(lambda: portal.run(loop_id()))
    portal.close()


def test_endless_recursion_through_loops_is_an_error() -> None:
    """An asynchronous function that calls itself by `invoke` without end raises RecursionError, and
    leaves no thread."""

    async def again(_: str) -> str:
        return RunnableLambda(again).invoke("")

    async def stream_again(_: str) -> AsyncIterator[str]:
        yield next(iter(RunnableLambda(stream_again).stream("")))

    package_portal.run(loop_id())
    before = threading.active_count()
    with pytest.raises(RecursionError, match="deep"):
        ends(lambda: RunnableLambda(again).invoke(""), 60)
    with pytest.raises(RecursionError, match="deep"):
        ends(lambda: list(RunnableLambda(stream_again).stream("")), 60)
    wait_until(lambda: threading.active_count() <= before)


def test_work_beside_one_that_exits_goes_on() -> None:
    """A call that was running when another exited returns its value."""

    async def leave() -> None:
        sys.exit(2)

    async def wait_for(event: asyncio.Event) -> str:
        await event.wait()
        return "done"

    async def make() -> asyncio.Event:
        return asyncio.Event()

    async def set_event(event: asyncio.Event) -> None:
        event.set()

    event = package_portal.run(make())
    waiting = package_portal.submit(wait_for(event))
    with pytest.raises(SystemExit):
        package_portal.submit(leave()).result(10)
    package_portal.submit(set_event(event)).result(10)
    assert waiting.result(10) == "done"


def test_a_cancellation_stays_one() -> None:
    """An asynchronous function that is cancelled raises asyncio.CancelledError to sync callers,
    which no `except Exception` takes for a failure: retries and fallbacks leave it alone."""
    calls = list[str]()

    async def cancelled(_: str) -> str:
        calls.append("call")
        raise asyncio.CancelledError

    async def cancelled_midway(_: str) -> AsyncIterator[str]:
        calls.append("stream")
        raise asyncio.CancelledError
        yield ""

    retried = RunnableLambda(cancelled).with_retry(wait_exponential_jitter=False)
    with pytest.raises(asyncio.CancelledError):
        retried.with_fallbacks([RunnableLambda(str)]).invoke("")
    retried = RunnableLambda(cancelled_midway).with_retry(wait_exponential_jitter=False)
    with pytest.raises(asyncio.CancelledError):
        list(retried.stream(""))
    assert calls == ["call", "stream"]


def test_the_collector_closes_a_stream_on_the_loop_s_own_thread() -> None:
    """A stream in a cycle is closed wherever garbage is collected, even where the loop runs."""
    closed = threading.Event()

    async def numbers(_: str) -> AsyncIterator[int]:
        try:
            for number in range(5):
                yield number
        finally:
            closed.set()

    async def collect(_: str) -> int:
        return gc.collect()

    def leave_in_a_cycle() -> None:
        cycle = list[Any]()
        stream = RunnableLambda(numbers).stream("")
        try:
            for number in stream:
                assert number
        except AssertionError as error:
            cycle += [error, cycle]

    gc.disable()
    try:
        ends(leave_in_a_cycle)
        assert not closed.is_set()
        assert ends(lambda: RunnableLambda(collect).invoke(""))
        assert closed.wait(60)
        assert ends(lambda: RunnableLambda(loop_id).invoke(""))
    finally:
        gc.enable()


@pytest.mark.parametrize("is_chain", [False, True])
@pytest.mark.parametrize("in_cycle", [False, True])
def test_a_stream_that_is_dropped_is_not_waited_for(*, is_chain: bool, in_cycle: bool) -> None:
    """A finalizer ends it without a wait: the loop may need its thread, and it swallows Ctrl-C."""
    let_go, closed = threading.Event(), threading.Event()

    async def number(_: str) -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.to_thread(let_go.wait, 60)
            closed.set()

    def leave() -> None:
        chain = RunnableLambda(number) | passed_on if is_chain else RunnableLambda(number)
        stream = chain.stream("")
        next(stream)
        if in_cycle:
            cycle = list[Any]()
            cycle += [stream, cycle]

    gc.disable()
    try:
        ends(leave)
        ends(gc.collect)
        assert not closed.is_set()
        let_go.set()
        assert closed.wait(60)
    finally:
        gc.enable()


def test_a_log_that_is_dropped_ends_its_run() -> None:
    """A stream that nothing refers to is cancelled without being closed."""
    closed = threading.Event()

    async def endless(_: str) -> AsyncIterator[int]:
        try:
            while True:
                yield 1
                await asyncio.sleep(0)
        finally:
            closed.set()

    stream = RunnableLambda(endless).stream_log("")
    next(stream)
    del stream
    assert closed.wait(60)


def test_async_input_of_a_blocking_step_stays_in_one_task() -> None:
    """Timeouts and context variables of an asynchronous generator hold across its chunks, also
    where a synchronous generator reads them on a thread."""

    async def timed(_: str) -> AsyncIterator[Any]:
        place.set("inside")
        async with asyncio.timeout(60):
            for _ in range(3):
                yield asyncio.current_task() if place.get() == "inside" else None

    async def read() -> list[Any]:
        return [c async for c in (RunnableLambda(timed) | passed_on).astream("")]

    first, second, third = ends(lambda: asyncio.run(read()))
    assert first is not None
    assert first is second is third


def test_a_timeout_inside_async_input_of_a_blocking_step_expires() -> None:
    """The generator gets its own TimeoutError, and may go on after it."""

    async def timed(_: str) -> AsyncIterator[str]:
        try:
            async with asyncio.timeout(None) as limit:
                yield "a"
                limit.reschedule(0)
                await asyncio.Event().wait()
        except TimeoutError:
            yield "late"

    async def read() -> list[Any]:
        return [c async for c in (RunnableLambda(timed) | upper).astream("")]

    assert ends(lambda: asyncio.run(read())) == ["A", "LATE"]


def passed_on(chunks: Iterator[Any]) -> Iterator[Any]:
    yield from chunks


def upper(chunks: Iterator[str]) -> Iterator[str]:
    for chunk in chunks:
        yield chunk.upper()


def test_an_interrupt_ends_the_wait_and_the_work() -> None:
    """Ctrl-C is raised where the caller waits, and cancels what it waits for."""
    started, cancelled = threading.Event(), threading.Event()

    async def endless(_: str) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    def interrupt() -> None:
        started.wait(60)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        RunnableLambda(endless).invoke("")
    assert cancelled.wait(60)


@pytest.mark.parametrize(
    ("method", "lost"),
    [*(("stream", n) for n in range(1, 4)), ("stream_log", 1), ("stream_log", 5)],
)
def test_an_interrupt_may_lose_any_item_of_a_stream(method: str, lost: int) -> None:
    """It can come just after a wait, with the end of the stream, too: closing does not hang."""
    taken = 0

    def interrupt(_frame: object, event: str, called: Any) -> None:
        nonlocal taken
        taken += event == "c_return" and isinstance(called.__self__, SimpleQueue)
        if taken == lost:
            sys.setprofile(None)
            raise KeyboardInterrupt

    def read() -> None:
        sys.setprofile(interrupt)  # Of this thread.
        try:
            with suppress(KeyboardInterrupt):
                list(getattr(RunnableLambda(letters), method)(""))
        finally:
            sys.setprofile(None)

    ends(read)
    assert taken == lost


def test_what_only_computes_needs_no_thread() -> None:
    """A runnable that says so is run where it is awaited."""

    class Where(Runnable[Any, int]):
        in_place = True

        def invoke(self, input: Any, config: Any = None, **kwargs: Any) -> int:
            return threading.get_ident()

    assert asyncio.run(Where().ainvoke("")) == threading.get_ident()
