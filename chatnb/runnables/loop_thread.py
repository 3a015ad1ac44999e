"""An event loop on a thread of its own: where asynchronous work runs for synchronous callers."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import aclosing
from contextvars import ContextVar
from queue import SimpleQueue
from typing import Any, TypeVar

from chatnb.runnables.threads import next_of

T = TypeVar("T")

_beneath: ContextVar[bool] = ContextVar("chatnb_beneath_loop_thread", default=False)


class LoopThread:
    """An event loop on a daemon thread of its own, started at the first use.

    It works wherever the caller is: outside any event loop, inside a running one, in a forked
    process, and even on the thread itself, where a second one is started for that call.

    Example:
        >>> async def answer():
        ...     return 42
        >>> package_loop.run(answer())
        42
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine on the thread, with the caller's context variables.

        Args:
            work: The coroutine.

        Returns:
            A future of its result; cancelling it cancels the work.
        """
        return asyncio.run_coroutine_threadsafe(_marked(work), self._running_loop())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the thread and wait for it.

        Args:
            work: The coroutine; interrupting the wait cancels it.

        Returns:
            Its result.
        """
        if _beneath.get():
            return self._elsewhere(lambda other: other.run(work))
        future = self.submit(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def iterate(self, source: Callable[[], AsyncGenerator[T, None]]) -> Iterator[T]:
        """Run an asynchronous generator on the thread, one item at a time.

        Args:
            source: Makes the generator; all of it runs in one task.

        Yields:
            Its items, as they are asked for; closing this iterator closes the generator.
        """
        if _beneath.get():
            other = LoopThread()
            try:
                yield from _Pull(other._running_loop(), source).items()
            finally:
                other.close()
        else:
            yield from _Pull(self._running_loop(), source).items()

    def close(self) -> None:
        """Stop the loop; the next use starts another."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)

    def _elsewhere(self, work: Callable[[LoopThread], T]) -> T:
        """On a loop of its own: this one may be waiting for the very caller."""
        other = LoopThread()
        token = _beneath.set(False)
        try:
            return work(other)
        finally:
            _beneath.reset(token)
            other.close()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or self._pid != os.getpid():
                self._loop, self._pid = asyncio.new_event_loop(), os.getpid()
                threading.Thread(
                    target=_serve, args=[self._loop], name="chatnb", daemon=True
                ).start()
            return self._loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _marked(work: Coroutine[Any, Any, T]) -> T:
    _beneath.set(True)
    return await work


class _Pull:
    """One asynchronous generator in a task of its own, which goes on when it is asked to."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, source: Callable[[], AsyncGenerator[Any, None]]
    ) -> None:
        self._loop = loop
        self._source = source
        self._wanted = asyncio.Semaphore(0)
        self._arrived = SimpleQueue[tuple[Any] | None]()
        self._task: asyncio.Task[None] | None = None

    def items(self) -> Iterator[Any]:
        self._loop.call_soon_threadsafe(self._start)
        item = ()
        try:
            while (item := next_of(self._arrived)) is not None:
                yield item[0]
                self._loop.call_soon_threadsafe(self._wanted.release)
        finally:
            if item is not None:
                self._loop.call_soon_threadsafe(self._cancel)
                while self._arrived.get() is not None:
                    pass
        assert self._task is not None
        self._task.result()

    def _start(self) -> None:
        self._task = self._loop.create_task(self._pump())
        self._task.add_done_callback(lambda _: self._arrived.put(None))

    def _cancel(self) -> None:
        assert self._task is not None
        self._task.cancel()

    async def _pump(self) -> None:
        _beneath.set(True)
        async with aclosing(self._source()) as items:
            async for item in items:
                self._arrived.put((item,))
                await self._wanted.acquire()


package_loop = LoopThread()
"""The loop of the whole package: clients opened on it stay usable from call to call."""
