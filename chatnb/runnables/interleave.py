"""Several streams side by side: one input for all, their chunks in the order they come."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeAlias

from chatnb.runnables.chunks import AsyncSnapshots, Snapshots
from chatnb.runnables.threads import Ended, Pump, next_of

Named: TypeAlias = tuple[str, Any]


def tee(source: Iterator[Any], count: int) -> list[Iterator[Any]]:
    """Copies of an iterator that several threads may read, each at its own pace.

    Args:
        source: The iterator; each item is taken from it once, by whoever needs it first.
        count: How many copies to make.
    """
    lock, buffers = threading.Lock(), [deque[Any]() for _ in range(count)]

    def read(buffer: deque[Any]) -> Iterator[Any]:
        end = object()
        while True:
            with lock:
                if not buffer:
                    item = next(source, end)
                    if item is end:
                        return
                    for each in buffers:
                        each.append(item)
                item = buffer.popleft()
            yield item

    copies = [read(buffer) for buffer in buffers]
    return [Snapshots(copy) for copy in copies] if isinstance(source, Snapshots) else [*copies]


def atee(source: AsyncIterator[Any], count: int) -> list[AsyncIterator[Any]]:
    """Copies of an asynchronous iterator, each at its own pace; like `tee`."""
    lock, buffers = asyncio.Lock(), [deque[Any]() for _ in range(count)]

    async def read(buffer: deque[Any]) -> AsyncGenerator[Any, None]:
        end: Any = object()
        while True:
            async with lock:
                if not buffer:
                    item = await anext(source, end)
                    if item is end:
                        return
                    for each in buffers:
                        each.append(item)
                item = buffer.popleft()
            yield item

    copies = [read(buffer) for buffer in buffers]
    if isinstance(source, AsyncSnapshots):
        return [AsyncSnapshots(copy) for copy in copies]
    return [*copies]


def interleave(streams: Mapping[str, Callable[[], Iterator[Any]]]) -> Iterator[Named]:
    """The chunks of several streams as they come.

    Args:
        streams: Makes each stream, on a thread of its own; a single one stays on the caller's.

    Yields:
        Pairs of a stream's name and its chunk; closing this iterator closes the streams.
    """
    if len(streams) == 1:
        [(name, source)] = streams.items()
        yield from ((name, chunk) for chunk in source())
        return
    arrived = SimpleQueue[Named]()
    pumps = {name: Pump(source, partial(_put, arrived, name)) for name, source in streams.items()}
    running = len(pumps)
    try:
        while running:
            name, item = next_of(arrived)
            if not isinstance(item, Ended):
                yield name, item
                pumps[name].more()
            elif item.error is not None:
                raise item.error
            else:
                running -= 1
    finally:
        for pump in pumps.values():
            pump.stop()


def _put(arrived: SimpleQueue[Named], name: str, item: Any) -> None:
    arrived.put((name, item))


async def ainterleave(
    streams: Mapping[str, Callable[[], AsyncGenerator[Any, None]]],
) -> AsyncGenerator[Named, None]:
    """The chunks of several streams as they come, each stream in a task; like `interleave`."""
    arrived = asyncio.Queue[Named](maxsize=1)
    running = len(streams)
    tasks = [asyncio.create_task(_deliver(arrived, *stream)) for stream in streams.items()]
    try:
        while running:
            name, item = await arrived.get()
            if not isinstance(item, Ended):
                yield name, item
            elif item.error is not None:
                raise item.error
            else:
                running -= 1
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _deliver(
    arrived: asyncio.Queue[Named], name: str, source: Callable[[], AsyncGenerator[Any, None]]
) -> None:
    ended = Ended()
    try:
        async with aclosing(source()) as chunks:
            async for chunk in chunks:
                await arrived.put((name, chunk))
    except Exception as error:
        ended = Ended(error)
    await arrived.put((name, ended))
