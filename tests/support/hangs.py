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
