"""Blocking work on threads of its own, for callers that must not block.

Every call gets a thread of its own, because the calls only wait: a pool would make them queue,
and work in a full pool that waits for other work in it would wait for ever. The threads are
daemons and carry the caller's context variables.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Ended:
    """An iterator came to its end, or failed."""

    error: BaseException | None = None


Delivery: TypeAlias = Any | Ended


_HEEDS_INTERRUPTS = 0.5
"""Seconds: a signal that comes just before a wait begins is only seen when the wait is over."""


def next_of(queue: SimpleQueue[T], meanwhile: Callable[[], None] | None = None) -> T:
    """Wait for an item, and heed Ctrl-C meanwhile.

    Args:
        queue: Where the item comes.
        meanwhile: Called now and then while there is none.
    """
    while True:
        with suppress(Empty):
            return queue.get(timeout=_HEEDS_INTERRUPTS)
        if meanwhile is not None:
            meanwhile()


def start_thread(work: Callable[[], None]) -> None:
    """Run work on a new daemon thread with the caller's context variables."""
    context = copy_context()
    threading.Thread(target=context.run, args=[work], name="chatnb-call", daemon=True).start()


async def in_thread(work: Callable[[], T]) -> T:
    """Await work that blocks.

    Args:
        work: What to run; when the wait is cancelled it goes on unseen.

    Returns:
        What it returned.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            value = work()
        except BaseException as error:
            _tell(loop, _fail, done, error)
        else:
            _tell(loop, _finish, done, value)

    start_thread(run)
    return await done


async def iterate_in_thread(source: Callable[[], Iterator[T]]) -> AsyncGenerator[T, None]:
    """Iterate over what blocks, all of it on one thread, one item at a time.

    Args:
        source: Makes the iterator.

    Yields:
        Its items, as they are asked for; closing this generator closes the iterator.
    """
    loop = asyncio.get_running_loop()
    arrived = asyncio.Queue[Delivery]()
    pump = Pump(source, lambda item: _tell(loop, arrived.put_nowait, item))
    try:
        while not isinstance(item := await arrived.get(), Ended):
            yield item
            pump.more()
        if item.error is not None:
            raise item.error
    finally:
        pump.stop()


class Pump:
    """A thread that goes through an iterator and delivers an item whenever it is asked to.

    Args:
        source: Makes the iterator, on the thread.
        deliver: Takes each item, and `Ended` at the end. The first item comes unasked.
    """

    def __init__(
        self, source: Callable[[], Iterator[Any]], deliver: Callable[[Delivery], None]
    ) -> None:
        self._source = source
        self._deliver = deliver
        self._wanted = threading.Semaphore(0)
        self._stopped = False
        start_thread(self._run)

    def more(self) -> None:
        """Ask for the next item."""
        self._wanted.release()

    def stop(self) -> None:
        """Close the iterator, after the item it is working on."""
        self._stopped = True
        self._wanted.release()

    def _run(self) -> None:
        try:
            self._go_through()
        except BaseException as error:
            self._deliver(Ended(error))
        else:
            self._deliver(Ended())

    def _go_through(self) -> None:
        items = self._source()
        try:
            for item in items:
                self._deliver(item)
                self._wanted.acquire()
                if self._stopped:
                    return
        finally:
            close(items)


def close(items: Iterator[Any]) -> None:
    """Close an iterator, if it is of a kind that can be closed."""
    closing = getattr(items, "close", None)
    if closing is not None:
        closing()


async def pulled_in_threads(items: Iterator[T]) -> AsyncGenerator[T, None]:
    """A blocking iterator, each step on a thread: for input that only the caller can produce."""
    end = object()
    while (item := await in_thread(lambda: next(items, end))) is not end:
        yield item  # pyright: ignore[reportReturnType]


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[..., None], *arguments: Any) -> None:
    with suppress(RuntimeError):  # The loop is closed: nobody waits any more.
        loop.call_soon_threadsafe(what, *arguments)


def _finish(done: asyncio.Future[T], value: T) -> None:
    if not done.done():
        done.set_result(value)


def _fail(done: asyncio.Future[Any], error: BaseException) -> None:
    if done.done():
        return
    if isinstance(error, StopIteration):
        wrapped = RuntimeError("A function raised StopIteration")
        wrapped.__cause__ = error
        error = wrapped
    done.set_exception(error)
