"""Streams and pumps end when nobody uses them any more, also under interrupts."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from chatnb.concurrency.portal import dropped_objects, package_portal
from chatnb.concurrency.threads import ThreadPump, iterate_in_thread
from tests.support.hangs import wait_until

ROUNDS = 20


class Source:
    """A generator that counts how often it was closed, asynchronous or not."""

    def __init__(self) -> None:
        self.closed = 0

    async def aitems(self) -> AsyncGenerator[int, None]:
        try:
            while True:
                yield 1
                await asyncio.sleep(0)
        finally:
            self.closed += 1

    def items(self) -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            self.closed += 1


def portal_iterator(source: Source) -> Any:
    items = package_portal.iterate(source.aitems)
    next(items)
    return items


def portal_stream(source: Source) -> Any:
    items = package_portal.stream(source.aitems)
    next(items)
    return items


def thread_pump(source: Source) -> Any:
    started = threading.Event()
    pump = ThreadPump(source.items, lambda _: started.set())
    pump.start()
    assert started.wait(60)
    return pump


MAKE: dict[str, Callable[[Source], Any]] = {
    "iterator": portal_iterator,
    "stream": portal_stream,
    "pump": thread_pump,
}


class InterruptsFinalizers:
    """Raises KeyboardInterrupt in each Python function that runs while something is dropped."""

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            raise KeyboardInterrupt


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
@pytest.mark.parametrize("in_cycle", [False, True])
def test_an_interrupt_while_it_is_dropped_does_not_keep_it(
    make: Callable[[Source], Any], in_cycle: bool
) -> None:
    """Ctrl-C in a finalizer is swallowed by Python, and yet the source is closed, each time."""
    source = Source()
    gc.collect()
    gc.freeze()  # Each round collects only what it has made.
    for _ in range(ROUNDS):
        dropped = [make(source)]
        if in_cycle:
            dropped.append(dropped)
        gc.collect()
        sys.setprofile(InterruptsFinalizers())
        try:
            del dropped
            gc.collect()
        except KeyboardInterrupt:
            pass
        finally:
            sys.setprofile(None)
    wait_until(lambda: source.closed == ROUNDS)


def test_a_function_that_fails_keeps_no_other_from_its_object(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An error for a dropped object is reported, and other dropped objects get their call."""
    reported, called = list[type[BaseException]](), list[int]()

    def fail() -> None:
        raise SystemExit("no")

    monkeypatch.setattr(sys, "excepthook", lambda type, *_: reported.append(type))
    for number in range(3):
        dropped = [Source(), Source()]
        dropped_objects.add(dropped[0], fail)
        dropped_objects.add(dropped[1], lambda number=number: called.append(number))
        del dropped
    wait_until(lambda: len(called) == 3)
    assert reported == 3 * [SystemExit]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("waits", [False, True])
def test_a_loop_that_is_closed_leaves_no_thread(waits: bool) -> None:
    """A thread's iterator is closed once nobody can read it, also if a task waited for its item."""
    source, loop = Source(), asyncio.new_event_loop()

    async def read() -> object:
        items = iterate_in_thread(source.items)
        await anext(items)
        return asyncio.ensure_future(anext(items)) if waits else items

    begun = [loop.run_until_complete(read())]
    loop.set_exception_handler(lambda *_: None)  # It tells that the task was destroyed.
    loop.close()
    begun.clear()
    gc.collect()
    wait_until(lambda: source.closed)
