"""Many inputs at a time: bounded, in order, and nothing lost when one of them fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from queue import SimpleQueue
from typing import Any, TypeAlias

from chatnb.errors import BatchError, BatchInterrupted
from chatnb.runnables.config import RunnableConfig, check_config
from chatnb.runnables.progress import Progress
from chatnb.runnables.threads import next_of, start_thread

DEFAULT_CONCURRENCY = 64
"""How many items run at a time when the config does not say: the calls mostly wait."""

Item: TypeAlias = tuple[int, Any]


def as_completed(
    calls: Sequence[Callable[[], Any]], limit: int | None, *, return_exceptions: bool
) -> Iterator[Item]:
    """Run calls on threads.

    Args:
        calls: The calls.
        limit: How many run at a time; by default `DEFAULT_CONCURRENCY`.
        return_exceptions: Whether to yield exceptions instead of raising them.

    Yields:
        Each call's index and outcome, as they end.

    Raises:
        BatchError: At the end, if any failed.
        BatchInterrupted: On a KeyboardInterrupt.
    """
    progress = Progress(len(calls), return_exceptions=return_exceptions)
    workers = min(limit or DEFAULT_CONCURRENCY, len(calls))
    run = _one_by_one if workers <= 1 else _on_threads
    try:
        for index, outcome in run(calls, workers, progress):
            if _checked(progress, index, outcome):
                yield index, outcome
    except KeyboardInterrupt as interrupt:
        raise BatchInterrupted(
            progress.results, progress.failures, progress.remaining()
        ) from interrupt
    finally:
        progress.stop()
    _check(progress)


def _check(progress: Progress) -> None:
    if progress.failures:
        raise BatchError.of(progress.results, progress.failures, progress.remaining())


def _checked(progress: Progress, index: int, outcome: Any) -> bool:
    if isinstance(outcome, BaseException) and not isinstance(outcome, Exception):
        raise outcome
    return index in progress.results


def _outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:
        return error


def _one_by_one(
    calls: Sequence[Callable[[], Any]], workers: int, progress: Progress
) -> Iterator[Item]:
    while (index := progress.take()) is not None:
        outcome = _outcome(calls[index])
        progress.record(index, outcome)
        yield index, outcome


def _on_threads(
    calls: Sequence[Callable[[], Any]], workers: int, progress: Progress
) -> Iterator[Item]:
    ended = SimpleQueue[Item | None]()

    def work() -> None:
        try:
            for item in _one_by_one(calls, 1, progress):
                ended.put(item)
        except BaseException as error:
            ended.put((-1, error))
        finally:
            ended.put(None)

    for _ in range(workers):
        start_thread(work)
    while workers:
        item = next_of(ended)
        if item is None:
            workers -= 1
        else:
            yield item


async def aas_completed(
    calls: Sequence[Callable[[], Coroutine[Any, Any, Any]]],
    limit: int | None,
    *,
    return_exceptions: bool,
) -> AsyncGenerator[Item, None]:
    """Run calls as tasks; like `as_completed`. Closing it cancels what runs."""
    progress = Progress(len(calls), return_exceptions=return_exceptions)
    ended = asyncio.Queue[Item]()
    tasks = set[asyncio.Task[None]]()

    async def work(index: int) -> None:
        try:
            outcome = await calls[index]()
        except Exception as error:
            outcome = error
        progress.record(index, outcome)
        ended.put_nowait((index, outcome))

    def start() -> None:
        if (index := progress.take()) is not None:
            task = asyncio.create_task(work(index))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            running.add(index)

    running = set[int]()
    try:
        for _ in range(min(limit or DEFAULT_CONCURRENCY, len(calls))):
            start()
        while running:
            index, outcome = await ended.get()
            running.discard(index)
            start()
            if index in progress.results:
                yield index, outcome
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    _check(progress)


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
