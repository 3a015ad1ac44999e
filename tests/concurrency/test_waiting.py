"""Outcomes of work on another thread."""

from __future__ import annotations

import asyncio
import threading

import pytest

from chatnb.concurrency.threads import finish_in_thread
from chatnb.concurrency.waiting import Ok, Promise, await_done, wait
from tests.support.hangs import ends


def test_a_callback_that_fails_keeps_no_other_waiting() -> None:
    """A waiter is told of a promise's outcome, though another callback raises."""
    promise, ended = Promise[int](), list[Promise[int]]()

    def fail(_: Promise[int]) -> None:
        raise IndexError("no")

    promise.add_done_callback(fail)
    promise.add_done_callback(ended.append)
    with pytest.raises(IndexError, match="no"):
        promise.set(Ok(1))
    assert ended == [promise]


def test_any_number_of_callbacks_is_called_in_order() -> None:
    """More waiters than Python's stack has frames are told, the first one first."""
    promise, told = Promise[int](), list[int]()
    for number in range(3000):
        promise.add_done_callback(lambda _, number=number: told.append(number))
    promise.set(Ok(1))
    assert told == list(range(3000))


def test_waits_that_time_out_leave_nothing_behind() -> None:
    """Code may look for an outcome every so often, in a task too; the last wait gets it."""
    promise, waiting = Promise[int](), threading.Event()

    async def look() -> None:
        for _ in range(20):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(await_done(promise, lambda: None), 0)

    for _ in range(3000):
        assert not wait(promise, timeout=0)
    asyncio.run(look())

    def last() -> int:
        waiting.set()
        return promise.result()

    threading.Thread(target=lambda: waiting.wait() and promise.set(Ok(7))).start()
    assert ends(last) == 7


def test_work_that_is_finished_after_its_timeout_is_late() -> None:
    """A cancellation that waits for the work counts once: the timeout around it is TimeoutError."""
    allowed = threading.Event()

    async def work() -> None:
        async with asyncio.timeout(0):
            asyncio.get_running_loop().call_later(0.01, allowed.set)
            await finish_in_thread(allowed.wait)
            await asyncio.sleep(0)

    with pytest.raises(TimeoutError):
        ends(lambda: asyncio.run(work()))
    assert allowed.is_set()
