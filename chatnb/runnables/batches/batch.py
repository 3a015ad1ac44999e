"""Batches: many inputs at a time, limited and in order, on threads or in tasks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import (
    AsyncGenerator,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import AsyncExitStack, contextmanager
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeAlias

from chatnb.concurrency.cancellation import CancelScope, current_scope
from chatnb.concurrency.portal import end_tasks
from chatnb.concurrency.threads import start_thread
from chatnb.concurrency.waiting import (
    Failed,
    Ok,
    Outcome,
    available,
    has_threads,
    outcome_of_task,
    take,
)
from chatnb.errors import BatchError, BatchInterrupted
from chatnb.runnables.batches.backoff import Pace, current_pace
from chatnb.runnables.batches.checkpoint import Checkpoint, current_checkpoint
from chatnb.runnables.batches.progress import Progress, ProgressBar
from chatnb.runnables.config import RunnableConfig, check_config
from chatnb.runnables.deadlines import to_deadline
from chatnb.tracing.usage_tracking import (
    BatchSlot,
    UsageTotals,
    current_slot,
    next_position,
    track_calls_in_context,
)

DEFAULT_CONCURRENCY = 64  # The calls mostly wait.
_TICK_SECONDS = 0.5
_GRACE_POLL_SECONDS = 0.02

Pair: TypeAlias = tuple[int, Any]
Ended: TypeAlias = int | Failed
Calls: TypeAlias = Sequence[Callable[[], Any]]
AsyncCalls: TypeAlias = Sequence[Callable[[], Coroutine[Any, Any, Any]]]


@dataclass(frozen=True)
class BatchOptions:
    """The options of a batch; `retry_rate_limits` repeats calls at a slower pace."""

    max_concurrency: int | None = None
    return_exceptions: bool = False
    checkpoint: str | Path | None = None
    progress: bool = True
    checkpoint_grace: float = 0.0
    retry_rate_limits: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.checkpoint_grace < inf:
            raise ValueError(f"checkpoint_grace takes seconds, not {self.checkpoint_grace!r}")
        if self.checkpoint_grace and self.checkpoint is None:
            raise ValueError("checkpoint_grace= keeps replies in a file: give checkpoint=, too")

    @classmethod
    def within_run(cls, max_concurrency: int | None) -> BatchOptions:
        """Return the options for parallel parts of one run, which is no batch of the user's."""
        return cls(max_concurrency, progress=False, retry_rate_limits=False)

    def progress_of(self, total: int) -> Progress:
        """Return the progress of so many inputs, before the first is started."""
        return Progress(total, return_exceptions=self.return_exceptions)

    def workers(self, total: int) -> int:
        """Return how many of so many calls run at a time."""
        return min(self.max_concurrency or DEFAULT_CONCURRENCY, total)


def as_completed(calls: Calls, options: BatchOptions) -> Generator[Pair]:
    """Run calls on threads and yield each index and value as it ends; raise failures last."""
    # Whatever ends the iteration early ends the requests of running calls, too.
    batch = Batch(options, options.progress_of(len(calls)))
    results = batch.progress.results
    with batch.running():
        for ended in _run_all(calls, batch, options, each=True):
            batch.tick()
            batch.save_replies()
            for index in indexes_of(ended):
                if index in results:
                    yield index, results[index]
    batch.raise_failures()


def values_of(calls: Calls, options: BatchOptions) -> dict[int, Any]:
    """Run calls on threads and return their values by index; raise failures last."""
    batch = Batch(options, options.progress_of(len(calls)))
    with batch.running():
        for ended in _run_all(calls, batch, options, each=False):
            batch.tick()
            for _ in indexes_of(ended):
                pass
    batch.raise_failures()
    return batch.progress.results


def _run_all(
    calls: Calls, batch: Batch, options: BatchOptions, *, each: bool
) -> Iterator[list[Ended]]:
    """Run calls and yield those that end; without `each` threads tell only of errors."""
    workers = options.workers(len(calls))
    can_be_left = calls and current_scope.get() is not None  # As a thread can.
    if has_threads() and (workers > 1 or can_be_left):
        return _run_on_threads(calls, batch, workers, each=each)
    return ([index] for index in _run_in_turn(calls, batch, batch.context))


def _run_in_turn(calls: Calls, batch: Batch, context: Context | None = None) -> Iterator[int]:
    while (index := batch.progress.next_index()) is not None:
        batch.run(index, calls[index], context)
        yield index


def _run_on_threads(
    calls: Calls, batch: Batch, workers: int, *, each: bool
) -> Iterator[list[Ended]]:
    ended = SimpleQueue[Ended | None]()

    def work() -> None:
        try:
            for index in _run_in_turn(calls, batch):
                if each:
                    ended.put(index)
        except BaseException as error:
            ended.put(Failed(error))
        else:
            ended.put(None)

    # Where calls are short one thread may have made all of them before the next is started.
    running = 0
    while running < workers and batch.progress.has_next():
        start_thread(work, batch.context.copy())
        running += 1
    while running:
        items = [take(ended, meanwhile=batch.tick), *available(ended)]
        running -= items.count(None)
        yield [item for item in items if item is not None]


async def aas_completed(calls: AsyncCalls, options: BatchOptions) -> AsyncGenerator[Pair, None]:
    """Run calls as tasks; like `as_completed`. Closing the generator cancels the tasks."""
    batch, running = Batch(options, options.progress_of(len(calls))), set[asyncio.Task[None]]()
    ended, results = asyncio.Queue[Ended](), batch.progress.results

    def start_next() -> None:
        if (index := batch.progress.next_index()) is not None:
            work, context = batch.arun(index, calls[index]), batch.context.copy()
            task = asyncio.get_running_loop().create_task(work, context=context)
            running.add(task)
            task.add_done_callback(partial(end, index))

    def end(index: int, task: asyncio.Task[None]) -> None:
        running.discard(task)
        outcome = outcome_of_task(task)  # It failed if it was cancelled or exited.
        ended.put_nowait(outcome if isinstance(outcome, Failed) else index)
        start_next()

    async with batch.running_tasks(running):
        for _ in range(options.workers(len(calls))):
            start_next()
        batch.keep_ticking()
        while running or not ended.empty():
            items = [await ended.get(), *available(ended)]
            await batch.asave_replies()
            for index in indexes_of(items):
                if index in results:
                    yield index, results[index]
    batch.raise_failures()


def indexes_of(items: Iterable[Ended]) -> Iterator[int]:
    """Yield the indexes of inputs that have ended; raise the error that ended a thread or task."""
    for item in items:
        yield item.unwrap() if isinstance(item, Failed) else item


def configs_for(
    config: RunnableConfig | Sequence[RunnableConfig] | None, total: int
) -> list[RunnableConfig | None]:
    """Return one config for each input; raise ValueError if they do not fit the inputs."""
    if config is None:
        return [None] * total
    if isinstance(config, Sequence):
        if len(config) != total:
            raise ValueError(f"{total} inputs were given and {len(config)} configs")
        return [check_config(item) for item in config]
    config = check_config(config)
    if total > 1 and "run_id" in config:
        raise ValueError("run_id is the id of one run: give a list with a config for each input")
    if (deadline := config.get("deadline")) is not None:  # All inputs share it.
        config = {**config, "deadline": to_deadline(deadline)}
    return [config] * total


class Batch:
    """State that the calls of a batch share: progress and its bar, pace, context variables."""

    def __init__(self, options: BatchOptions, progress: Progress) -> None:
        outer = current_pace.get()
        self.position = next_position()
        self.limit = options.max_concurrency or DEFAULT_CONCURRENCY
        self._opened = time.monotonic()
        self._failed: dict[int, float] = {}  # When each input failed that is to be run again.
        self._grace = options.checkpoint_grace
        self._scope = CancelScope()
        self.checkpoint: Checkpoint | None = None
        self.progress = progress
        self.pace = (outer or Pace()) if options.retry_rate_limits else None
        self.context = self._scope.context()
        tracker = UsageTotals()
        # A batch within a batch shows no bar of its own.
        shown = options.progress and outer is None and progress.total not in (0, 1)
        self.bar = ProgressBar(self.progress, tracker) if shown else None
        self._timer: asyncio.TimerHandle | None = None
        if self.pace is not None:
            self.context.run(current_pace.set, self.pace)
        if options.checkpoint is not None:
            self.checkpoint = Checkpoint(options.checkpoint)
            self.context.run(current_checkpoint.set, self.checkpoint)
        if self.bar is not None:
            self.context.run(track_calls_in_context, tracker)

    @contextmanager
    def running(self) -> Generator[None]:
        """Start no more inputs at the end; give an interrupt the results so far."""
        try:
            yield
        except KeyboardInterrupt as interrupt:
            self._let_calls_end()
            self._scope.cancel()
            raise BatchInterrupted(*self.progress.snapshot()) from interrupt
        except asyncio.CancelledError as cancelled:
            # The caller finds on it the attributes of `BatchInterrupted`.
            results, failures, remaining = self.progress.snapshot()
            vars(cancelled).update(results=results, failures=failures, remaining=remaining)
            raise
        except BaseException:
            self._scope.cancel()
            raise
        finally:
            self._scope.close()
            self.progress.stop()
            self.save_replies()
            if self.bar is not None:
                self.bar.close()
            if self._timer is not None:
                self._timer.cancel()

    def running_tasks(self, running: set[asyncio.Task[None]]) -> AsyncExitStack:
        """Cancel the tasks at the end; like `running`."""
        # No generator has it: a loop that ends closes all of them at once, this one's user as well.
        stack = AsyncExitStack()
        stack.enter_context(self.running())
        stack.push_async_exit(partial(self._end_tasks, running))
        return stack

    async def _end_tasks(
        self, running: set[asyncio.Task[None]], error_type: type[BaseException] | None, *_: object
    ) -> None:
        self.progress.stop()
        try:
            if error_type is asyncio.CancelledError and running and self._grace:
                await asyncio.wait(running, timeout=self._grace)
        finally:
            await end_tasks(running)

    def run(self, index: int, call: Callable[[], Any], context: Context | None = None) -> None:
        """Make a call; after errors of the provider's rate limit again, at a slower pace."""
        enter = self._call if context is None else partial(context.run, self._call)
        while True:
            if self.pace is not None:
                self.pace.wait()
            if self.progress.ended:
                return
            self.progress.running.add(index)
            try:
                outcome = Ok(enter(index, call))
            except Exception as error:
                outcome = Failed(error)
            finally:
                self.progress.running.discard(index)
            if self._record(index, outcome):
                return

    async def arun(self, index: int, call: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """Make a call in its task; like `run`."""
        while True:
            if self.pace is not None:
                await self.pace.await_start()
            if self.progress.ended:
                return
            self._open_slot(index)
            try:
                outcome = Ok(await call())
            except Exception as error:
                outcome = Failed(error)
            if self._record(index, outcome):
                return

    def _let_calls_end(self) -> None:
        """Give calls that are running the time that was asked for; another interrupt ends it."""
        self.progress.stop()
        deadline = time.monotonic() + self._grace
        try:
            while self.progress.running and time.monotonic() < deadline:
                time.sleep(_GRACE_POLL_SECONDS)
        except KeyboardInterrupt:
            pass

    def _call(self, index: int, call: Callable[[], Any]) -> Any:
        self._open_slot(index)
        return call()

    def _open_slot(self, index: int) -> None:
        waited = 0.0
        # An input that is among the first, and was not held, has waited only for a busy machine.
        is_first = index < self.limit and index not in self._failed
        if not is_first or (self.pace is not None and self.pace.is_limited):
            waited = time.monotonic() - self._failed.get(index, self._opened)
        current_slot.set(BatchSlot((*self.position, index), waited))

    def _record(self, index: int, outcome: Outcome[Any]) -> bool:
        """Record an outcome, unless the call is to be made again."""
        error = outcome.error if isinstance(outcome, Failed) else None
        if self.pace is not None and self.pace.should_retry(error):
            self._failed[index] = time.monotonic()
            return False
        self._failed.pop(index, None)
        self.progress.record(index, outcome)
        return True

    def raise_failures(self) -> None:
        """Raise a `BatchError` if any input failed."""
        if self.progress.failures:
            raise BatchError.of(*self.progress.snapshot())

    def save_replies(self) -> None:
        """Wait until the replies so far are on disk, if there is a checkpoint."""
        if self.checkpoint is not None:
            self.checkpoint.flush(at_once=self.progress.ended)

    async def asave_replies(self) -> None:
        """Wait until the replies so far are on disk, without blocking the event loop."""
        if self.checkpoint is not None:
            await self.checkpoint.aflush()

    def tick(self) -> None:
        """Update the bar, if there is one."""
        if self.bar is not None:
            self.bar.tick()

    def keep_ticking(self) -> None:
        """Update the bar from now on, on the running event loop."""
        if self.bar is not None:
            self.bar.tick()
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(_TICK_SECONDS, self.keep_ticking)
