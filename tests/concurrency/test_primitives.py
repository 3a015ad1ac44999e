"""The parts that waits are made of: scopes, promises and iterators on threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue

import pytest

from chatnb.concurrency.cancellation import (
    Abandoned,
    CancelScope,
    cancellation,
    check_cancelled,
    current_scope,
    pause,
)
from chatnb.concurrency.threads import (
    ClosableIterator,
    call_in_thread,
    close,
    in_thread,
    iterate_in_thread,
)
from chatnb.concurrency.waiting import (
    Failed,
    Ok,
    Promise,
    available,
    is_closing,
    outcome_of,
    post,
    resolve,
    take,
    wait,
)
from tests.support.hangs import ends


class Reason(BaseException):
    """The reason of a test's cancellation."""


def test_a_scope_is_cancelled_once() -> None:
    """The first reason counts, each callback is told once, and those that come late at once."""
    scope, told = CancelScope(), list[str]()
    first, second = (lambda _: told.append("first")), (lambda _: told.append("second"))
    scope.check()
    scope.add_callback(first)
    scope.add_callback(first)
    scope.add_callback(second)
    scope.remove_callback(second)
    scope.remove_callback(second)
    assert told == []
    scope.cancel(Reason)
    scope.cancel(KeyError)
    assert told == ["first"]
    scope.add_callback(second)
    assert told == ["first", "second"]
    with pytest.raises(Reason):
        scope.check()


def test_a_scope_within_another_ends_with_it_unless_it_is_closed() -> None:
    """For its reason; the other way round nothing ends."""
    outer = CancelScope()
    with outer.entered():
        inner, closed = CancelScope(), CancelScope()
        closed.close()
        with inner.entered():
            deepest = CancelScope()
    deepest.cancel(KeyError)
    assert (inner.reason, outer.reason) == (None, None)
    outer.cancel(Reason)
    assert (inner.reason, deepest.reason, closed.reason) == (Reason, KeyError, None)
    default = CancelScope()
    default.cancel()
    with pytest.raises(Abandoned):
        default.check()


def test_the_calls_of_a_context_look_at_its_scope() -> None:
    """Of this thread in a block, and of another in a copy of its context."""
    scope = CancelScope()
    assert (cancellation(), current_scope.get()) == (None, None)
    check_cancelled()
    with scope.entered():
        check_cancelled()
        assert cancellation() is None
        scope.cancel(Reason)
        assert isinstance(cancellation(), Reason)
        with pytest.raises(Reason):
            check_cancelled()
    check_cancelled()
    assert current_scope.get() is None
    assert isinstance(scope.context().run(cancellation), Reason)


def test_a_pause_ends_with_its_scope() -> None:
    """At once; a pause of no time is none, and one that ends is no error."""
    scope = CancelScope()

    def cancelled() -> None:
        with scope.entered():
            threading.Timer(0.01, scope.cancel, [Reason]).start()
            with pytest.raises(Reason):
                pause(1000)
            with pytest.raises(Reason):
                pause(0.001)
            pause(0)

    ends(cancelled)
    with CancelScope().entered():
        pause(0.001)
    pause(0.001)


def test_an_item_of_a_queue_is_waited_for() -> None:
    """Until it comes, the time is over or the scope ends; something else is done meanwhile."""
    queue, looks = SimpleQueue[int](), list[int]()
    with pytest.raises(Empty):
        take(queue, 0)
    with pytest.raises(Empty):
        take(queue, -1)
    assert take(queue, meanwhile=lambda: (looks.append(1), len(looks) > 1 and queue.put(7))) == 7
    assert len(looks) == 2
    queue.put(8)
    assert take(queue, 0) == 8
    scope = CancelScope()
    with scope.entered(), pytest.raises(Reason):
        take(queue, meanwhile=lambda: scope.cancel(Reason))
    for number in range(3):
        queue.put(number)
    assert list(available(queue)) == [0, 1, 2]


def test_a_promise_has_one_outcome() -> None:
    """The first; whoever asks later is told at once, and who asks no more is not told."""
    promise, told = Promise[int](), list[object]()
    promise.cancel()
    promise.add_done_callback(told.append)
    removed: Callable[[object], object] = lambda _: told.append("removed")  # noqa: E731
    promise.add_done_callback(removed)
    promise.remove_done_callback(removed)
    promise.remove_done_callback(removed)
    assert not promise.done()
    with pytest.raises(TimeoutError):
        promise.result(0)
    promise.set(Ok(1))
    promise.set(Failed(ValueError("no")))
    assert (promise.done(), promise.result(), told) == (True, 1, [promise])
    promise.add_done_callback(told.append)
    assert told == [promise] * 2
    assert wait(promise, timeout=0)


def test_a_wait_that_is_interrupted_calls_for_the_end_of_the_work() -> None:
    """And passes the interrupt on; a wait for what has ended is none."""
    promise, told, scope = Promise[int](), list[str](), CancelScope()
    scope.cancel(Reason)
    with scope.entered():
        with pytest.raises(Reason):
            wait(promise, lambda: told.append("end"))
        promise.set(Ok(1))
        assert wait(promise, lambda: told.append("again"))
    assert told == ["end"]


def test_outcomes_give_what_they_have() -> None:
    """A value, which may be an exception, or an error that is raised."""
    error = ValueError("no")

    def fail() -> None:
        raise error

    assert outcome_of(lambda: error).unwrap() is error
    failed = outcome_of(fail)
    assert isinstance(failed, Failed)
    with pytest.raises(ValueError, match="no") as raised:
        failed.unwrap()
    assert raised.value is error


def test_a_closed_loop_takes_nothing() -> None:
    """`post` says so; a future whose reader has gone keeps its end."""
    loop = asyncio.new_event_loop()
    future: asyncio.Future[int] = loop.create_future()
    assert post(loop, resolve, future, 1)
    assert loop.run_until_complete(future) == 1
    resolve(future, 2)
    assert future.result() == 1
    loop.close()
    assert not post(loop, resolve, future, 3)


def test_the_closing_of_a_coroutine_is_told_from_an_exit_of_the_users() -> None:
    """By the task that is running, or that no loop is."""

    async def check() -> tuple[bool, bool, bool]:
        task = asyncio.current_task()
        end = GeneratorExit()
        return is_closing(end, task), is_closing(end, None), is_closing(ValueError(), None)

    assert asyncio.run(check()) == (False, True, False)
    assert is_closing(GeneratorExit(), None)


def test_an_iterator_can_be_closed_from_outside() -> None:
    """Between steps at once; within a step by the thread that is in it, which gets `Abandoned`."""
    closed = list[str]()

    def items(name: str) -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(name)

    idle = ClosableIterator(items("idle"))
    assert next(idle) == 1
    idle.close()
    idle.close()
    assert closed == ["idle"]
    with pytest.raises(Abandoned):
        next(idle)

    def closing() -> Iterator[int]:
        try:
            running.close()
            yield 1
        finally:
            closed.append("running")

    running = ClosableIterator(closing())
    with pytest.raises(Abandoned):
        next(running)
    assert closed == ["idle", "running"]
    close(iter([1]))


def test_blocking_work_is_awaited_on_a_thread() -> None:
    """Its value and its error come back; a cancelled wait ends the requests of a call."""
    names, ended = list[str](), threading.Event()

    def fail() -> None:
        raise LookupError("no")

    def request() -> None:
        try:
            pause(1000)
        except Abandoned:
            ended.set()

    async def work() -> None:
        names.append(await in_thread(lambda: threading.current_thread().name))
        names.append(await call_in_thread(lambda: threading.current_thread().name))
        for run in (in_thread, call_in_thread):
            with pytest.raises(LookupError):
                await run(fail)
        task = asyncio.ensure_future(call_in_thread(request))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(work())
    assert names == ["chatnb-call"] * 2
    assert ended.wait(60)


def test_a_blocking_iterator_is_read_on_one_thread() -> None:
    """One item on request, and closed there; its error comes after its items."""
    seen = list[object]()

    def source() -> Iterator[int]:
        seen.append(threading.get_ident())
        try:
            yield 1
            seen.append("asked")
            yield 2
            raise LookupError("no")
        finally:
            seen.append(threading.get_ident())

    async def read(most: int) -> list[int]:
        items, found = iterate_in_thread(source), list[int]()
        async for item in items:
            found.append(item)
            if len(found) == most:
                break
        await items.aclose()
        return found

    assert asyncio.run(read(1)) == [1]
    with pytest.raises(LookupError):
        asyncio.run(read(9))
    assert ends(lambda: asyncio.run(read(2))) == [1, 2]
    assert "asked" in seen
