"""Iterators that one thread reads and another one ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import aclosing
from typing import Any, Generic, TypeVar

from chatnb.runnables.threads import close, iterate_in_thread

T = TypeVar("T")
Made = TypeVar("Made")

_END: Any = object()


class Abandoned(BaseException):
    """Nobody waits for the output any more: raised in the thread that still works on it.

    No `Exception`, so that code which handles failures does not take it for the end of the input.
    """


class Handover(Generic[T]):
    """An iterator that may be closed while another thread is in it.

    A generator that is running cannot be closed from outside: then the thread that runs it closes
    it, as soon as it is back from its step, and gets `Abandoned` instead of the item.

    Args:
        items: The iterator.
    """

    def __init__(self, items: Iterator[T]) -> None:
        self._items = items
        self._stepping = threading.Lock()
        self._closed = False

    def __iter__(self) -> Handover[T]:
        return self

    def __next__(self) -> T:
        try:
            with self._stepping:
                if self._closed:
                    raise Abandoned
                item = next(self._items)
        finally:
            if self._closed:  # Whoever closed it in between could not, and left it to this thread.
                self.close()
        if self._closed:
            raise Abandoned
        return item

    def close(self) -> None:
        """Close the iterator, or have the thread that is in it do so."""
        self._closed = True
        if self._stepping.acquire(blocking=False):
            try:
                close(self._items)
            finally:
                self._stepping.release()


class FromLoop(Generic[T]):
    """An asynchronous iterator of a running loop, for a thread that may block.

    Args:
        items: The asynchronous iterator.
        loop: The loop that it belongs to.
    """

    def __init__(self, items: AsyncIterator[T], loop: asyncio.AbstractEventLoop) -> None:
        self._items = items
        self._loop = loop
        self._closed = False
        self._pending: asyncio.Task[Any] | None = None

    def __iter__(self) -> FromLoop[T]:
        return self

    def __next__(self) -> T:
        if self._closed:
            raise Abandoned
        try:
            item = asyncio.run_coroutine_threadsafe(self._step(), self._loop).result()
        except CancelledError:
            if self._closed:
                raise Abandoned from None
            raise
        if item is _END:
            raise StopIteration
        return item

    async def aclose(self) -> None:
        """End the step that is under way, on the loop; the iterator itself stays its owner's."""
        self._closed = True
        if self._pending is not None:
            self._pending.cancel()
            await asyncio.wait([self._pending])

    async def _step(self) -> Any:
        if self._closed:
            raise Abandoned
        self._pending = asyncio.current_task()
        try:
            return await anext(self._items, _END)
        finally:
            self._pending = None


async def stepping_in_thread(
    work: Callable[[Iterator[T]], Iterator[Made]], items: AsyncIterator[T]
) -> AsyncGenerator[Made, None]:
    """Run a blocking function of chunks on a thread, its input taken from this loop.

    Args:
        work: From the chunks that come in to those that go out.
        items: The chunks that come in.

    Yields:
        The chunks that go out; closing this generator ends the step that is under way.
    """
    blocking = FromLoop(items, asyncio.get_running_loop())
    output = iterate_in_thread(lambda: work(blocking))
    async with aclosing(blocking), aclosing(output):
        async for chunk in output:
            yield chunk
