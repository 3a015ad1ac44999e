"""Batches whose inputs stream: a bounded number of them is in memory at any time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Sized,
)
from contextlib import aclosing, contextmanager
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeAlias, cast
from weakref import ref

from chatnb.concurrency.portal import LoopIterator, end_tasks, package_portal
from chatnb.concurrency.threads import start_thread
from chatnb.concurrency.waiting import Failed, available, outcome_of_task, take
from chatnb.runnables.batches.batch import (
    Batch,
    BatchOptions,
    Ended,
    Pair,
    indexes_of,
)
from chatnb.runnables.batches.progress import StreamProgress

# For each input that runs, so many are in memory: waiting, or done and not yet handed out.
_INPUTS_PER_CALL = 4
# Seconds for which slow inputs keep outputs waiting that have arrived.
_PULL_SECONDS = 0.05

Inputs: TypeAlias = Iterable[Any] | AsyncIterable[Any]


def stream_completed(
    inputs: Inputs, call: Callable[[Any], Any], options: BatchOptions, *, in_order: bool
) -> Generator[Pair]:
    """Call a function with each input on threads, and yield each index and output as it ends."""
    # The caller's thread takes the inputs, so that they may be rows of a database's cursor.
    batch = StreamedBatch(inputs, options, in_order=in_order)
    waiting, ended = SimpleQueue["tuple[int, Any] | ref[_Owner]"](), SimpleQueue[Ended]()
    threads = 0
    # Dropped with the generator, it ends the threads though an interrupt came in a finalizer.
    owner = _Owner()
    dropped = ref(owner, waiting.put)

    def work() -> None:
        try:
            while not isinstance(item := waiting.get(), ref):
                index, input = item
                batch.run(index, partial(call, input))
                ended.put(index)
            waiting.put(dropped)  # For the next thread.
        except BaseException as error:
            ended.put(Failed(error))

    def fill() -> None:
        started = time.monotonic()
        for item in batch.take_inputs():
            waiting.put(item)
            if time.monotonic() - started > _PULL_SECONDS and not ended.empty():
                return

    with batch.running():
        try:
            while fill() or batch.stream.pending:
                # Where calls are short, one thread makes many before the next is started.
                while threads < batch.limit and not waiting.empty():
                    start_thread(work, batch.context.copy())
                    threads += 1
                items = [take(ended, meanwhile=batch.tick), *available(ended)]
                batch.save_replies()
                for index in indexes_of(items):
                    yield from batch.outputs(index)
                batch.tick()
        finally:
            waiting.put(dropped)
    batch.raise_failures()


class _Owner:
    """An object whose end is told to threads."""


async def astream_completed(
    inputs: Inputs,
    call: Callable[[Any], Coroutine[Any, Any, Any]],
    options: BatchOptions,
    *,
    in_order: bool,
) -> AsyncGenerator[Pair, None]:
    """Call a function with each input in tasks; like `stream_completed`."""
    batch = StreamedBatch(inputs, options, in_order=in_order)
    running, ended = set[asyncio.Task[None]](), asyncio.Queue[Ended | None]()
    free, slots = asyncio.Semaphore(batch.limit), asyncio.Semaphore(batch.capacity)
    loop = asyncio.get_running_loop()

    def end(index: int, task: asyncio.Task[None]) -> None:
        running.discard(task)
        free.release()
        outcome = outcome_of_task(task)
        ended.put_nowait(outcome if isinstance(outcome, Failed) else index)

    async def start_all() -> None:
        async with aclosing(_aiterate(inputs)) as iterated:
            async for input in iterated:
                await slots.acquire()
                await free.acquire()
                index = batch.stream.open_next()
                work, context = batch.arun(index, partial(call, input)), batch.context.copy()
                task = loop.create_task(work, context=context)
                running.add(task)
                task.add_done_callback(partial(end, index))

    async with batch.running_tasks(running):
        starting = loop.create_task(start_all())
        starting.add_done_callback(lambda _: ended.put_nowait(None))
        try:
            batch.keep_ticking()
            while batch.stream.pending or not starting.done():
                items = [await ended.get(), *available(ended)]
                if batch.progress.ended:
                    starting.cancel()
                await batch.asave_replies()
                for index in indexes_of(item for item in items if item is not None):
                    for pair in batch.outputs(index):
                        yield pair
                        slots.release()
        finally:
            await end_tasks([starting])
    batch.raise_failures()
    outcome = outcome_of_task(starting)
    if isinstance(outcome, Failed) and isinstance(outcome.error, Exception):
        outcome.unwrap()


class StreamedBatch(Batch):
    """A batch that knows neither its number of inputs nor, once handed out, its outputs."""

    def __init__(self, inputs: Inputs, options: BatchOptions, *, in_order: bool) -> None:
        total = len(inputs) if isinstance(inputs, Sized) else None
        self.stream = StreamProgress(total, return_exceptions=options.return_exceptions)
        super().__init__(options, self.stream)
        self.capacity = _INPUTS_PER_CALL * self.limit
        self._inputs = inputs
        self._iterator: Iterator[Any] | None = None
        self._reader: LoopIterator[Any] | None = None
        self._input_error: Exception | None = None
        self._in_order = in_order
        self._next_output = 0

    def take_inputs(self) -> Iterator[tuple[int, Any]]:
        """Yield inputs and their indexes while there is room for more."""
        if self._iterator is None:
            self._iterator = self._iterate()
        while len(self.stream.open) < self.capacity and not self.progress.ended:
            try:
                input = next(self._iterator)
            except StopIteration:
                self._iterator = iter(())
                return
            except Exception as error:  # It is raised once the calls have ended.
                self._iterator, self._input_error = iter(()), error
                return
            yield self.stream.open_next(), input

    def _iterate(self) -> Iterator[Any]:
        if not isinstance(self._inputs, AsyncIterable):
            return iter(self._inputs)
        self._reader = package_portal.iterate(lambda: _aiterate(self._inputs))
        return iter(self._reader)

    def raise_failures(self) -> None:
        """Raise a `BatchError` if any input failed, or the error of the inputs."""
        super().raise_failures()
        if self._input_error is not None:
            raise self._input_error

    @contextmanager
    def running(self) -> Generator[None]:
        """Close inputs that are asynchronous at the end, too; their cursors and files are open."""
        try:
            with super().running():
                yield
        finally:
            if self._reader is not None:
                self._reader.cancel()  # And no wait, as a finalizer may be here.

    def outputs(self, index: int) -> Iterator[Pair]:
        """Yield the outputs that can be handed out once an input has ended, and forget them."""
        self.stream.pending -= 1
        if not self._in_order:
            if index in self.stream.results:
                yield index, self.stream.hand_out(index)
            return
        while self._next_output in self.stream.results:
            index, self._next_output = self._next_output, self._next_output + 1
            yield index, self.stream.hand_out(index)


async def _aiterate(inputs: Inputs) -> AsyncGenerator[Any, None]:
    if isinstance(inputs, AsyncGenerator):
        async with aclosing(cast("AsyncGenerator[Any, None]", inputs)):
            async for item in inputs:
                yield item
    elif isinstance(inputs, AsyncIterable):
        async for item in inputs:
            yield item
    else:
        for item in inputs:
            yield item
