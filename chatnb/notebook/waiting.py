"""Waiting in a cell for what runs on the package's loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

_SLICE_SECONDS = 0.1
"""How often a waiting cell wakes, so that an interrupt lands at once."""


async def awaited(work: concurrent.futures.Future[T], stop: Callable[[], None]) -> T:
    """Await work of another thread; an interrupt or a cancellation of the wait stops it.

    Args:
        work: What is waited for.
        stop: Ends the work.

    Returns:
        What it gave.
    """
    ending = asyncio.wrap_future(work)
    try:
        while not ending.done():
            await asyncio.wait({ending}, timeout=_SLICE_SECONDS)
    except (asyncio.CancelledError, KeyboardInterrupt):
        stop()
        raise
    return ending.result()


def wait_for(
    work: concurrent.futures.Future[Any],
    stop: Callable[[], None],
    timeout: float | None = None,
) -> bool:
    """Block until work of another thread has ended, well or not; an interrupt stops it.

    Args:
        work: What is waited for.
        stop: Ends the work.
        timeout: The most seconds to wait.

    Returns:
        Whether it has ended.

    Example:
        >>> wait_for(concurrent.futures.Future(), lambda: None, timeout=0.01)
        False
    """
    left = timeout
    try:
        while not work.done() and (left is None or left > 0):
            step = _SLICE_SECONDS if left is None else min(_SLICE_SECONDS, left)
            concurrent.futures.wait([work], step)
            left = None if left is None else left - step
    except KeyboardInterrupt:
        stop()
        raise
    return work.done()
