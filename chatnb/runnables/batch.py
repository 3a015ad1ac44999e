"""Many inputs at a time: bounded, in order, and nothing lost when one of them fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from queue import SimpleQueue
from typing import Any, TypeAlias

from chatnb.errors import BatchError, BatchInterrupted
from chatnb.runnables.config import RunnableConfig, check_config
from chatnb.runnables.progress import Progress
from chatnb.runnables.terms import Surroundings, Terms
from chatnb.runnables.threads import next_of, start_thread

Item: TypeAlias = tuple[int, Any]
Calls: TypeAlias = Sequence[Callable[[], Any]]
AsyncCalls: TypeAlias = Sequence[Callable[[], Coroutine[Any, Any, Any]]]

_TICK_SECONDS = 0.5


def as_completed(calls: Calls, terms: Terms) -> Iterator[Item]:
    """Run calls on threads.

    Args:
        calls: The calls.
        terms: How many at a time, and the like.

    Yields:
        Each call's index and outcome, as they end.

    Raises:
        BatchError: At the end, if any failed.
        BatchInterrupted: On a KeyboardInterrupt.
    """
    progress = Progress(len(calls), return_exceptions=terms.return_exceptions)
    shared = Surroundings(terms, progress)
    workers = terms.workers(len(calls))
    run = _one_by_one if workers <= 1 else _on_threads
    try:
        for index, outcome in run(calls, workers, progress, shared):
            shared.tick()
            if _checked(progress, index, outcome):
                yield index, outcome
    except KeyboardInterrupt as interrupt:
        raise BatchInterrupted(*progress.so_far()) from interrupt
    finally:
        progress.stop()
        shared.end()
    _check(progress)


def _check(progress: Progress) -> None:
    if progress.failures:
        raise BatchError.of(*progress.so_far())


def _checked(progress: Progress, index: int, outcome: Any) -> bool:
    if isinstance(outcome, BaseException) and not isinstance(outcome, Exception):
        raise outcome
    return index in progress.results


def _outcome(call: Callable[[], Any], shared: Surroundings) -> Any:
    while True:
        try:
            with shared.around():
                outcome = call()
        except Exception as error:
            outcome = error
        if not shared.again(outcome):
            return outcome
        shared.wait()
        if shared.stopped:
            return outcome


def _one_by_one(
    calls: Calls, workers: int, progress: Progress, shared: Surroundings
) -> Iterator[Item]:
    while True:
        shared.wait()
        if (index := progress.take()) is None:
            return
        outcome = _outcome(calls[index], shared)
        progress.record(index, outcome)
        yield index, outcome


def _on_threads(
    calls: Calls, workers: int, progress: Progress, shared: Surroundings
) -> Iterator[Item]:
    ended = SimpleQueue[Item | None]()

    def work() -> None:
        try:
            for item in _one_by_one(calls, 1, progress, shared):
                ended.put(item)
        except BaseException as error:
            ended.put((-1, error))
        finally:
            ended.put(None)

    for _ in range(workers):
        start_thread(work)
    while workers:
        item = next_of(ended, meanwhile=shared.tick)
        if item is None:
            workers -= 1
        else:
            yield item


async def aas_completed(calls: AsyncCalls, terms: Terms) -> AsyncGenerator[Item, None]:
    """Run calls as tasks; like `as_completed`. Closing it cancels what runs.

    Raises:
        CancelledError: If the caller is cancelled; it has the `results`, `failures` and
            `remaining` of `BatchInterrupted`.
    """
    progress = Progress(len(calls), return_exceptions=terms.return_exceptions)
    shared = Surroundings(terms, progress)
    ended = asyncio.Queue[Item]()
    tasks = set[asyncio.Task[None]]()

    async def work(index: int) -> None:
        try:
            outcome = await _aoutcome(calls[index], shared)
        except asyncio.CancelledError as stopped:  # By the call itself, if the batch goes on.
            outcome = stopped
        else:
            progress.record(index, outcome)
        ended.put_nowait((index, outcome))

    def start() -> None:
        if (index := progress.take()) is not None:
            task = asyncio.create_task(work(index))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            running.add(index)

    running = set[int]()
    ticking = asyncio.create_task(_tick(shared)) if shared.bar else None
    try:
        for _ in range(terms.workers(len(calls))):
            start()
        while running:
            index, outcome = await ended.get()
            running.discard(index)
            start()
            if _checked(progress, index, outcome):
                yield index, outcome
    except asyncio.CancelledError as stopped:
        results, failures, remaining = progress.so_far()
        vars(stopped).update(results=results, failures=failures, remaining=remaining)
        raise
    finally:
        progress.stop()
        for task in (*tasks, *([ticking] if ticking else [])):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        shared.end()
    _check(progress)


async def _aoutcome(call: Callable[[], Coroutine[Any, Any, Any]], shared: Surroundings) -> Any:
    while True:
        await shared.await_turn()
        try:
            with shared.around():
                outcome = await call()
        except Exception as error:
            outcome = error
        if not shared.again(outcome):
            return outcome


async def _tick(shared: Surroundings) -> None:
    while True:
        await asyncio.sleep(_TICK_SECONDS)
        shared.tick()


def configs_for(
    config: RunnableConfig | Sequence[RunnableConfig] | None, total: int
) -> list[RunnableConfig | None]:
    """One config for each input of a batch.

    Raises:
        ValueError: If there is a list of configs of another length than the inputs, or one
            `run_id` for several runs.
    """
    if config is None:
        return [None] * total
    if isinstance(config, Sequence):
        if len(config) != total:
            raise ValueError(f"{total} inputs were given and {len(config)} configs")
        return [check_config(each) for each in config]
    check_config(config)
    if total > 1 and "run_id" in config:
        raise ValueError("run_id is the id of one run: give a list with a config for each input")
    return [config] * total
