"""Run several runnables in parallel on one input, and merge their streams."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeAlias

from chatnb.concurrency.portal import Delivery, TaskPump, end_tasks
from chatnb.concurrency.threads import ThreadPump
from chatnb.concurrency.waiting import Ok, outcome_of, take
from chatnb.runnables.base import Runnable, to_runnable
from chatnb.runnables.batches.batch import BatchOptions, as_completed
from chatnb.runnables.chunks import AddableDict, AsyncSnapshots, SingleItem, Snapshots
from chatnb.runnables.config import RunnableConfig, child_config, effective_config, tagged_config
from chatnb.runnables.methods import In

if TYPE_CHECKING:
    from chatnb.runnables.graph import Graph

NamedChunk: TypeAlias = tuple[str, Any]

_END: Any = object()


class RunnableParallel(Runnable[In, dict[str, Any]]):
    """Runnables that all get the same input; the output is a dict of theirs.

    The branches run at the same time, on threads or in tasks. Their chunks are yielded as they
    come, each in an `AddableDict` with the branch's key.

    Args:
        branches: Runnables, functions or dicts of these, by key.
        **more: More of them.

    Raises:
        TypeError: If a branch is none of these.
        ValueError: If there is no branch.

    Example:
        >>> RunnableParallel(upper=str.upper, length=len).invoke("abc")
        {'upper': 'ABC', 'length': 3}
    """

    def __init__(self, branches: Mapping[str, Any] | None = None, **more: Any) -> None:
        named = {**(branches or {}), **more}
        if not named:
            raise ValueError("Runnables in parallel need at least one branch")
        self.branches = {key: to_runnable(branch) for key, branch in named.items()}

    def __repr__(self) -> str:
        return f"RunnableParallel({self.branches!r})"

    def invoke(
        self, input: In, config: RunnableConfig | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        config = effective_config(config)
        inner = child_config(config)
        calls = [
            partial(branch.invoke, input, _branch_config(inner, key), **kwargs)
            for key, branch in self.branches.items()
        ]
        if len(calls) == 1:
            outputs = {0: calls[0]()}
        else:
            outputs = _run_all(calls, (config or {}).get("max_concurrency"))
        return {key: outputs[index] for index, key in enumerate(self.branches)}

    async def ainvoke(
        self, input: In, config: RunnableConfig | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        inner = child_config(effective_config(config))
        runs = [
            branch.ainvoke(input, _branch_config(inner, key), **kwargs)
            for key, branch in self.branches.items()
        ]
        tasks = [asyncio.ensure_future(run) for run in runs]
        try:
            return dict(zip(self.branches, await asyncio.gather(*tasks), strict=True))
        finally:
            await end_tasks(tasks)

    def transform(
        self, input: Iterator[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[dict[str, Any]]:
        inner = child_config(effective_config(config))
        copies = tee(input, len(self.branches))
        streams = {
            key: partial(branch.transform, copy, _branch_config(inner, key), **kwargs)
            for (key, branch), copy in zip(self.branches.items(), copies, strict=True)
        }
        for key, chunk in merge_streams(streams):
            yield self._keyed_chunk(key, chunk)

    async def atransform(
        self, input: AsyncIterator[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[dict[str, Any], None]:
        inner = child_config(effective_config(config))
        async with AsyncTee(input, len(self.branches)) as copies:
            streams = {
                key: partial(branch.atransform, copy, _branch_config(inner, key), **kwargs)
                for (key, branch), copy in zip(self.branches.items(), copies, strict=True)
            }
            async with aclosing(amerge_streams(streams)) as chunks:
                async for key, chunk in chunks:
                    yield self._keyed_chunk(key, chunk)

    def _keyed_chunk(self, key: str, chunk: Any) -> AddableDict:
        replaced = [key] if self.branches[key].chunks_replace else ()
        return AddableDict({key: chunk}, replaced=replaced)

    def add_to_graph(self, graph: Graph) -> tuple[str, str]:
        begin = graph.add_node(f"Parallel<{','.join(self.branches)}>")
        end = graph.add_node("Join")
        for key, branch in self.branches.items():
            first, last = branch.add_to_graph(graph)
            graph.add_edge(begin, first, key)
            graph.add_edge(last, end)
        return begin, end


def _branch_config(inner: RunnableConfig | None, key: str) -> RunnableConfig | None:
    return tagged_config(inner, f"map:key:{key}")


def _run_all(calls: list[Callable[[], Any]], limit: int | None) -> dict[int, Any]:
    # A failure is raised at once, and ends the requests of other branches.
    attempts = [partial(outcome_of, call) for call in calls]
    with closing(as_completed(attempts, BatchOptions.within_run(limit))) as pairs:
        return {index: outcome.unwrap() for index, outcome in pairs}


def merge_streams(streams: Mapping[str, Callable[[], Iterator[Any]]]) -> Iterator[NamedChunk]:
    """Yield the chunks of several streams as they come, each stream on a thread of its own."""
    if len(streams) == 1:  # A single one stays on the caller's thread.
        [(name, source)] = streams.items()
        yield from ((name, chunk) for chunk in source())
        return
    arrived = SimpleQueue[tuple[str, Delivery]]()
    pumps = {
        name: ThreadPump(source, partial(_put, arrived.put, name))
        for name, source in streams.items()
    }
    running = len(pumps)
    delivery: Delivery = None
    try:
        for pump in pumps.values():
            pump.start()
        while running:
            name, delivery = take(arrived)
            if delivery is None:
                running -= 1
            else:
                yield name, delivery.unwrap()
                pumps[name].request_next()
    finally:
        del delivery  # An error would keep this frame alive, and this frame the error.
        for pump in pumps.values():
            pump.stop()


async def amerge_streams(
    streams: Mapping[str, Callable[[], AsyncGenerator[Any, None]]],
) -> AsyncGenerator[NamedChunk, None]:
    """Yield the chunks of several streams as they come, each stream in a task."""
    arrived = asyncio.Queue[tuple[str, Delivery]]()
    pumps = {
        name: TaskPump(source, partial(_put, arrived.put_nowait, name))
        for name, source in streams.items()
    }
    running = len(pumps)
    delivery: Delivery = None
    try:
        for pump in pumps.values():
            pump.request_next()
        while running:
            name, delivery = await arrived.get()
            if delivery is None:
                running -= 1
            else:
                yield name, delivery.unwrap()
                pumps[name].request_next()
    finally:
        del delivery
        await end_tasks([pump.task for pump in pumps.values() if pump.task is not None])


def _put(put: Callable[[tuple[str, Delivery]], object], name: str, delivery: Delivery) -> None:
    put((name, delivery))


def tee(source: Iterator[Any], count: int) -> list[Iterator[Any]]:
    """Return copies of an iterator for several threads, each read at its own pace."""
    if isinstance(source, SingleItem):
        items = list(source)
        return [iter(items) for _ in range(count)]
    # A copy waits for the thread that reads the source only while it has no item of its own.
    reading, buffers = threading.Lock(), [deque[Delivery]() for _ in range(count)]

    def read(buffer: deque[Delivery]) -> Iterator[Any]:
        while True:
            if not buffer:
                with reading:
                    if not buffer:
                        _append_to_each(buffers, source)
            if (delivery := buffer.popleft()) is None:
                return
            yield delivery.unwrap()

    copies = [read(buffer) for buffer in buffers]
    return [Snapshots(copy) for copy in copies] if isinstance(source, Snapshots) else [*copies]


def _append_to_each(buffers: list[deque[Delivery]], source: Iterator[Any]) -> None:
    delivery = outcome_of(lambda: next(source, _END))
    for buffer in buffers:
        buffer.append(None if isinstance(delivery, Ok) and delivery.value is _END else delivery)


class AsyncTee:
    """Copies of an asynchronous iterator, each read at its own pace; one task reads the source."""

    # A context manager that is a generator would not do: a loop that ends closes all asynchronous
    # generators in any order, and so that one before the stream that it is used in.

    def __init__(self, source: AsyncIterator[Any], count: int) -> None:
        self._source, self._count = source, count
        self._queues = list[asyncio.Queue[Delivery]]()
        self._is_reading = False
        self._pump: TaskPump | None = None

    async def __aenter__(self) -> Sequence[AsyncIterator[Any]]:
        if isinstance(self._source, SingleItem):
            items = list(self._source)
            return [_iterate(items) for _ in range(self._count)]
        source = self._source
        self._pump = TaskPump(lambda: (item async for item in source), self._deliver)
        self._queues = [asyncio.Queue[Delivery]() for _ in range(self._count)]
        copies = [self._read(queue, self._pump) for queue in self._queues]
        if isinstance(source, AsyncSnapshots):
            return [AsyncSnapshots(copy) for copy in copies]
        return copies

    async def __aexit__(self, *_: object) -> None:
        if self._pump is not None:
            await self._pump.aclose()

    def _deliver(self, delivery: Delivery) -> None:
        self._is_reading = False
        for queue in self._queues:
            queue.put_nowait(delivery)

    async def _read(
        self, queue: asyncio.Queue[Delivery], pump: TaskPump
    ) -> AsyncGenerator[Any, None]:
        while True:
            if queue.empty() and not self._is_reading:
                self._is_reading = True
                pump.request_next()
            if (delivery := await queue.get()) is None:
                return
            yield delivery.unwrap()


async def _iterate(items: list[Any]) -> AsyncGenerator[Any, None]:
    for item in items:
        yield item
