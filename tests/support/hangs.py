"""A limit on the time of code that a defect would let hang for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

from chatnb.concurrency.waiting import Promise, outcome_of, take

T = TypeVar("T")
SECONDS = 120  # On a machine that stalls.


def ends(work: Callable[[], T], seconds: float = 30) -> T:
    """Do work on a daemon thread, and return its value or raise its error; fail if it hangs."""
    promise = Promise[T]()
    threading.Thread(target=lambda: promise.set(outcome_of(work)), daemon=True).start()
    return promise.result(seconds)


def is_linear(work: Callable[[str], object], unit: str, before: str = "", after: str = "") -> bool:
    """Return whether work on a long text takes little more time than on its parts.

    The text is a unit, repeated, with a text before and after.
    """

    def seconds(times: int) -> float:
        start = time.process_time()
        work(before + unit * times + after)
        return time.process_time() - start

    times = 400_000 // len(unit)
    seconds(1)  # What the first call alone does.
    return seconds(times) < 16 * 3 * max(seconds(times // 16), 0.02)


def is_waiting(frame: FrameType) -> bool:
    """Return whether a frame, the innermost of its thread, waits for an item of a queue."""
    frames = (frame, frame.f_back)
    return any(each is not None and each.f_code is take.__code__ for each in frames)


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for a condition that code on other threads brings about; fail if it does not come."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
