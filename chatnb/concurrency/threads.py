"""Threads for blocking work: calls, iterators, and chunks that cross to an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, closing
from contextvars import Context, copy_context
from functools import partial
from queue import SimpleQueue
from typing import Any, Generic, TypeVar
from weakref import ref

from chatnb.concurrency.cancellation import Abandoned, CancelScope, Reason
from chatnb.concurrency.portal import Deliver, Delivery, LoopIterator
from chatnb.concurrency.waiting import Ok, Outcome, has_threads, outcome_of, post, resolve

T = TypeVar("T")
Result = TypeVar("Result")
_NEXT = object()


def start_thread(work: Callable[[], object], context: Context | None = None) -> None:
    """Run work on a new daemon thread with the caller's context variables.

    In a browser, where there are no threads, the event loop runs it soon.
    """
    # Every call gets a thread of its own, because the calls only wait: a pool would make them
    # queue, and work in a full pool that waits for other work in it would wait for ever.
    run = (context or copy_context()).run
    if not has_threads():
        asyncio.get_event_loop().call_soon(run, work)
        return
    threading.Thread(target=run, args=[work], name="chatnb-call", daemon=True).start()


async def in_thread(work: Callable[[], T], context: Context | None = None) -> T:
    """Await blocking work on a new thread; when the wait is cancelled the work goes on."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Outcome[T]] = loop.create_future()
    start_thread(lambda: post(loop, resolve, done, outcome_of(work)), context)
    return (await done).unwrap()


async def finish_in_thread(work: Callable[[], T]) -> T:
    """Await blocking work on a new thread; a cancellation takes effect once it is done."""
    task, running = asyncio.current_task(), asyncio.ensure_future(in_thread(work))
    try:
        await asyncio.wait({running})
    except asyncio.CancelledError:
        await asyncio.wait({running})
        if task is not None:
            task.uncancel()  # As the next line counts it again, and a timeout around here counts.
            task.cancel()
    return running.result()


async def call_in_thread(work: Callable[[], T]) -> T:
    """Await a blocking call on a new thread; when the wait is cancelled its requests end."""
    scope = CancelScope()
    try:
        return await in_thread(work, scope.context())
    except asyncio.CancelledError:
        scope.cancel()
        raise
    finally:
        scope.close()


class ThreadPump:
    """A thread that iterates, and delivers an item on request; the first needs none."""

    # The thread does not know it, so that a pump whose owner was interrupted stops with it: its
    # weak reference is put among the requests, without a finalizer in Python, which would lose an
    # interrupt that comes while it runs.

    def __init__(self, source: Callable[[], Iterator[Any]], deliver: Deliver) -> None:
        self._requests = requests = SimpleQueue[object]()
        self._scope = CancelScope()
        finalizer = ref(self, requests.put)
        self._run = partial(_pump_items, source, deliver, requests, self._scope, finalizer)

    def start(self) -> None:
        """Start the thread."""
        start_thread(self._run, self._scope.context())

    def request_next(self) -> None:
        """Let the thread take the next item."""
        self._requests.put(_NEXT)

    def stop(self, reason: Reason = Abandoned) -> None:
        """End the requests of the thread, and close the iterator after its item."""
        self._requests.put(None)
        self._scope.cancel(reason)


def _pump_items(
    source: Callable[[], Iterator[Any]],
    deliver: Deliver,
    requests: SimpleQueue[object],
    scope: CancelScope,
    finalizer: ref[Any],
) -> None:
    def iterate() -> None:
        items = source()
        try:
            for item in items:
                deliver(Ok(item))
                if requests.get() is not _NEXT:
                    return
        finally:
            close(items)

    outcome = outcome_of(iterate)
    scope.close()
    deliver(None if isinstance(outcome, Ok) else outcome)


async def iterate_in_thread(source: Callable[[], Iterator[T]]) -> AsyncGenerator[T, None]:
    """Iterate over a blocking iterator, all of it on one thread, one item on request."""
    if not has_threads():
        with closing(ClosableIterator(source())) as items:
            for item in items:
                yield item
                await asyncio.sleep(0)
        return
    loop = asyncio.get_running_loop()
    arrived = asyncio.Queue[Delivery]()
    # The thread must not keep this generator, nor a task that waits for the queue: both end it.
    inbox = ref(arrived)
    pump = ThreadPump(source, lambda delivery: post(loop, _put, inbox, delivery))
    delivery = None
    try:
        pump.start()
        while (delivery := await arrived.get()) is not None:
            yield delivery.unwrap()
            pump.request_next()
    finally:
        del delivery  # An error would keep this frame alive, and this frame the error.
        pump.stop()


def _put(inbox: ref[asyncio.Queue[Delivery]], delivery: Delivery) -> None:
    queue = inbox()
    if queue is not None:
        queue.put_nowait(delivery)


def pull_in_thread(items: Iterator[T]) -> AsyncGenerator[T, None]:
    """Iterate over an input of another thread, perhaps made by way of this very loop."""
    return iterate_in_thread(lambda: (item for item in items))  # So that `items` stay open.


async def transform_in_thread(
    transform: Callable[[Iterator[T]], Iterator[Result]], items: AsyncIterator[T]
) -> AsyncGenerator[Result, None]:
    """Run a blocking transform on a thread, over chunks that come from this loop."""
    source = lambda: (item async for item in items)  # noqa: E731 (so that `items` stay open)
    pulled = LoopIterator(source, asyncio.get_running_loop(), copy_context())
    output = iterate_in_thread(lambda: transform(pulled))
    async with aclosing(pulled), aclosing(output):
        async for chunk in output:
            yield chunk


def close(items: Iterator[Any]) -> None:
    """Close an iterator, if its type can be closed."""
    # A finalizer may be here, which must not wait.
    closing = getattr(items, "cancel" if isinstance(items, LoopIterator) else "close", None)
    if closing is not None:
        closing()


class ClosableIterator(Generic[T]):
    """An iterator that can be closed while another thread is in it."""

    # A running generator cannot be closed from outside: then the thread that runs it closes it
    # after its step, and gets `Abandoned` instead of the item.

    def __init__(self, items: Iterator[T]) -> None:
        self._items = items
        self._stepping = threading.Lock()
        self._closed = False

    def __iter__(self) -> ClosableIterator[T]:
        return self

    def __next__(self) -> T:
        try:
            with self._stepping:
                if self._closed:
                    raise Abandoned
                item = next(self._items)
        finally:
            if self._closed:
                self.close()
        if self._closed:
            raise Abandoned
        return item

    def close(self) -> None:
        """Close the iterator, or leave that to the thread that is in it."""
        self._closed = True
        if self._stepping.acquire(blocking=False):
            try:
                close(self._items)
            finally:
                self._stepping.release()
