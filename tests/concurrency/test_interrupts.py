"""Interrupts of code that reads streams and waits for batches."""

from __future__ import annotations

import asyncio
import gc
import itertools
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import closing, suppress
from typing import Any

import pytest

from chatnb.chat_models import ScriptedChatModel
from chatnb.concurrency.portal import package_portal
from chatnb.runnables import RunnableGenerator, RunnableLambda, RunnableParallel
from tests.support.hangs import wait_until
from tests.support.interrupts import interrupt_at_call


async def letters(chunks: AsyncIterator[Any]) -> AsyncGenerator[str, None]:
    async for _ in chunks:
        for letter in "abc":
            yield letter


async def double(number: int) -> int:
    return 2 * number


steps = RunnableGenerator(letters)
branches = RunnableParallel(a=steps, b=steps)
chat = ScriptedChatModel([["a", "b", "c"]])


def read_to_the_end() -> None:
    assert list(steps.stream("x")) == ["a", "b", "c"]


def close() -> None:
    with closing(steps.stream("x")) as stream:  # pyright: ignore[reportArgumentType]
        next(stream)


def fail() -> None:
    with suppress(ValueError):
        for _ in steps.stream("x"):
            raise ValueError


def close_branches() -> None:
    with closing(branches.stream("x")) as stream:  # pyright: ignore[reportArgumentType]
        next(stream)


def read_a_log() -> None:
    for _ in steps.stream_log("x"):
        break


def drop() -> None:
    next(steps.stream("x"))


def invoke_branches() -> None:
    assert branches.invoke("x") == {"a": "abc", "b": "abc"}


def stream_within_a_deadline() -> None:
    with closing(chat.stream("x", {"deadline": 60})) as stream:  # pyright: ignore[reportArgumentType]
        next(stream)


def map_prompts() -> None:
    with closing(chat.map(["a", "b", "c"], progress=False)) as replies:  # pyright: ignore[reportArgumentType]
        next(replies)


def generate() -> None:
    assert len(chat.generate([["a"], ["b"], ["c"]], progress=False).generations) == 3


def batch() -> None:
    assert RunnableLambda(double).batch([1, 2, 3], progress=False) == [2, 4, 6]


WORKS = [
    read_to_the_end,
    close,
    fail,
    drop,
    close_branches,
    invoke_branches,
    read_a_log,
    stream_within_a_deadline,
    map_prompts,
    generate,
    batch,
]


@pytest.mark.parametrize("work", WORKS)
def test_an_interrupt_at_any_call_leaves_nothing_running(work: Callable[[], None]) -> None:
    """The tasks and threads of a stream or batch end after an interrupt at any point."""
    before = set[threading.Thread]()

    def running() -> list[object]:
        gc.collect()
        tasks = package_portal.run(other_tasks())
        return [*tasks, *(set(threading.enumerate()) - before)]

    work()  # What is opened once and kept.
    before.update(thread for thread in running() if isinstance(thread, threading.Thread))

    call = 0
    for call in itertools.count():
        if not interrupt_at_call(call, work):
            break
    assert call > 10
    wait_until(lambda: not running())


async def other_tasks() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {asyncio.current_task()}
