"""Loops and what crosses them: pumps, portals, locks, pickles, notices and the main thread."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from chatnb.concurrency.cancellation import (
    CancelScope,
)
from chatnb.concurrency.locks import Lock
from chatnb.concurrency.main_thread import (
    MainThreadWork,
    interrupts_raised,
    run_within_loop,
)
from chatnb.concurrency.pickling import (
    KeyOfThisProcess,
    OfThisProcess,
    dumps,
    find_in_module,
    is_class_of_pickle,
    name_in_module,
)
from chatnb.concurrency.portal import Portal, TaskPump, end_tasks, package_portal, start_task
from chatnb.concurrency.retry_notices import RetryNotice, retries_told, tell_retry
from chatnb.concurrency.waiting import (
    Failed,
    Ok,
)
from chatnb.errors import ModelError, ModelTimeoutError, RateLimitError, ServerError
from tests.support.hangs import ends


class Reason(BaseException):
    """The reason of a test's cancellation."""


async def settle() -> None:
    """Let all that can run on this loop run."""
    for _ in range(10):
        await asyncio.sleep(0)


async def numbers() -> AsyncGenerator[int, None]:
    for number in range(3):
        yield number


def test_a_pump_delivers_an_item_on_request() -> None:
    """Its end once more to a reader that lost it; a cancelled one delivers its end alone."""

    async def pumped() -> list[object]:
        got = list[Any]()
        pump = TaskPump(numbers, got.append)
        for _ in range(6):
            pump.request_next()
            await settle()
        await pump.aclose()
        return [item and item.unwrap() for item in got]

    assert asyncio.run(pumped()) == [0, 1, 2, None, None, None]

    async def cancelled(*, begun: bool) -> list[object]:
        got = list[Any]()
        pump = TaskPump(numbers, got.append)
        if begun:
            pump.request_next()
            await settle()
        await pump.aclose()
        pump.cancel()
        pump.request_next()
        await settle()
        return [type(item) for item in got]

    assert asyncio.run(cancelled(begun=False)) == [type(None)] * 2
    assert asyncio.run(cancelled(begun=True)) == [Ok, Failed, Failed]


def test_tasks_are_ended_and_waited_for() -> None:
    """Those that have ended are not, and none is lost while it runs."""
    ended = list[str]()

    async def stay(name: str) -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append(name)

    async def end() -> None:
        done = start_task(asyncio.sleep(0), None, lambda _: ended.append("done"))
        tasks = [start_task(stay(name), None, lambda _: None) for name in "ab"]
        await settle()
        await end_tasks([done, *tasks])
        assert all(task.cancelled() for task in tasks)
        await end_tasks([])

    asyncio.run(end())
    assert ended == ["done", "a", "b"]


def test_a_portal_gives_items_outcomes_and_promises() -> None:
    """To any synchronous caller; what is closed early gives no more."""
    portal = Portal()
    try:
        assert list(portal.iterate(numbers)) == list(portal.stream(numbers)) == [0, 1, 2]
        stream = portal.stream(numbers)
        assert next(stream) == 0
        stream.close()
        stream.close()
        assert list(stream) == []
        cancelled = portal.iterate(numbers)
        assert next(cancelled) == 0
        cancelled.cancel()
        assert list(cancelled) == []
        assert portal.submit(asyncio.sleep(0, 7)).result(60) == 7
        waiting = portal.submit(asyncio.sleep(1000))
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            waiting.result(60)
        assert isinstance(portal.call(asyncio.sleep(0, ValueError("no"))), Ok)
    finally:
        portal.close()
        portal.close()


def test_a_call_ends_with_its_scope() -> None:
    """For its reason, whether the scope was cancelled before or is while it waits."""
    for wait_before in (True, False):
        scope = CancelScope()
        with scope.entered():
            if wait_before:
                threading.Timer(0.01, scope.cancel, [Reason]).start()
            else:
                scope.cancel(Reason)
            with pytest.raises(Reason):
                package_portal.run(asyncio.sleep(1000))


@pytest.mark.parametrize("begins_cancelled", [True, False])
def test_a_cancelled_iteration_does_not_look_complete(begins_cancelled: bool) -> None:
    """It raises the reason of its scope, also if it has never begun."""

    async def count() -> AsyncGenerator[int, None]:
        yield 1
        await asyncio.Event().wait()

    scope = CancelScope()
    with scope.entered():
        if begins_cancelled:
            scope.cancel(TimeoutError)
        items = package_portal.iterate(count)
        if not begins_cancelled:
            assert next(items) == 1
            scope.cancel(TimeoutError)
        with pytest.raises(TimeoutError):
            next(items)
        assert list(items) == []


def test_locks_are_reentrant_and_copies_are_free() -> None:
    """Also those in pickles."""
    lock = Lock()
    with lock, lock:
        for other in (copy.copy(lock), pickle.loads(pickle.dumps(lock))):
            assert isinstance(other, Lock)
            assert ends(lambda other=other: other.acquire(blocking=False))
        assert not ends(lambda: lock.acquire(blocking=False))


def test_pickles_leave_out_what_is_of_this_process() -> None:
    """Unless keys are sent; copies keep it."""
    key = KeyOfThisProcess("k")
    assert copy.deepcopy(key) is key
    assert pickle.loads(pickle.dumps(key)).value is None
    assert pickle.loads(dumps(key)).value is None
    assert pickle.loads(dumps(key, send_keys=True)).value == "k"
    assert pickle.loads(pickle.dumps(key)).value is None
    with pytest.raises(TypeError, match="no way"):
        pickle.dumps(OfThisProcess(object(), "no way"))
    assert pickle.loads(dumps("text")) == "text"
    assert pickle.loads(dumps(lambda: 7))() == 7


def test_things_are_found_by_their_names() -> None:
    """If the module has them under these; a class is no class of a pickle."""
    assert name_in_module(Reason, Reason) == (__name__, "Reason")
    assert name_in_module(object(), Reason) is None
    assert name_in_module(Reason, 7) is None
    assert find_in_module(__name__, "Reason") is Reason
    assert not is_class_of_pickle()

    def _make_skeleton_class() -> bool:
        return is_class_of_pickle()

    assert _make_skeleton_class()


@pytest.mark.parametrize(
    ("error", "seconds", "text"),
    [
        (RateLimitError("no"), 1.0, "rate limited, trying again in 1 s"),
        (ModelTimeoutError("no"), 0.99, "no answer in time, trying again"),
        (ServerError("no"), 12.4, "server error, trying again in 12 s"),
        (ModelError("No\n  way."), 0, "ModelError: No way., trying again"),
        (ValueError("x" * 200), 0, f"ValueError: {'x' * 108}, trying again"),
    ],
)
def test_further_attempts_are_told_in_short(error: Exception, seconds: float, text: str) -> None:
    """To whoever shows the reply of this context, and to nobody after that."""
    told = list[RetryNotice]()
    tell_retry(error, seconds)
    with retries_told(told.append):
        tell_retry(error, seconds)
    tell_retry(error, seconds)
    assert [str(notice) for notice in told] == [text]


def test_work_for_the_main_thread_is_done_there_in_order() -> None:
    """Work that nobody wants any more is left out; errors are its own, interrupts everybody's."""
    work, done = MainThreadWork(), list[object]()
    wakes = list[str]()
    first = work.submit(lambda: done.append(work.is_idle), lambda: wakes.append("woken"))
    unwanted = work.submit(lambda: done.append("unwanted"))
    work.cancel(unwanted, Reason())
    failing = work.submit(lambda: 1 / 0)
    ends(work.run_pending)
    assert (done, wakes) == ([], ["woken"])
    work.run_when_idle()
    assert (done, work.is_idle, first.done()) == ([True], False, True)
    with pytest.raises(Reason):
        unwanted.result(0)
    with pytest.raises(ZeroDivisionError):
        failing.result(0)

    def interrupt() -> None:
        raise KeyboardInterrupt

    ends(lambda: work.cancel(failing, Reason()))  # It runs no more, so that nothing is interrupted.
    interrupted, later = work.submit(interrupt), work.submit(lambda: 7)
    with pytest.raises(KeyboardInterrupt):
        work.run_pending()
    assert (interrupted.done(), later.done()) == (True, False)
    work.run_pending()
    assert later.result(0) == 7


def test_a_coroutine_runs_within_another_loop_that_waits() -> None:
    """Afterwards the outer loop and task are what they were."""

    async def inner() -> object:
        return asyncio.current_task(), asyncio.get_running_loop()

    async def outer() -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        inner_task, inner_loop = run_within_loop(inner())
        assert inner_task is not task
        assert inner_loop is not loop
        assert (asyncio.current_task(), asyncio.get_running_loop()) == (task, loop)
        await asyncio.sleep(0)
        with interrupts_raised():
            await asyncio.sleep(0)

    asyncio.run(outer())
