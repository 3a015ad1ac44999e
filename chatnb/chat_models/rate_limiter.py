"""A limit on how often a chat model is called, kept on this side of the wire."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable


class RateLimiter:
    """Spaces calls out; one limiter may be shared by several models, threads and event loops.

    Args:
        requests_per_second: The calls that are allowed on average, such as 0.5 for one in two
            seconds.
        burst: The calls that may follow each other at once after a pause.
        clock: Seconds that only grow.

    Raises:
        ValueError: If a number is not positive.

    Example:
        >>> limiter = RateLimiter(2, clock=lambda: 10.0)
        >>> limiter.reserve(), limiter.reserve(), limiter.reserve()
        (0.0, 0.5, 1.0)
    """

    def __init__(
        self,
        requests_per_second: float,
        *,
        burst: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if requests_per_second <= 0 or burst < 1:
            raise ValueError("A rate limiter takes requests_per_second above 0 and burst from 1 on")
        self._interval = 1 / requests_per_second
        self._tolerance = (burst - 1) * self._interval
        self._clock = clock
        self._next = float("-inf")
        self._lock = threading.Lock()

    def reserve(self) -> float:
        """Take the next place in the row.

        Returns:
            Seconds to wait before the call.
        """
        with self._lock:
            now = self._clock()
            place = max(now, self._next)
            self._next = place + self._interval
            return max(0.0, place - self._tolerance - now)

    def acquire(self) -> None:
        """Wait for a place in the row."""
        time.sleep(self.reserve())

    async def aacquire(self) -> None:
        """Wait for a place in the row without blocking the event loop."""
        try:
            await asyncio.sleep(self.reserve())
        except asyncio.CancelledError:
            self._give_back()
            raise

    def _give_back(self) -> None:
        """A call that was cancelled while it waited leaves its place to the others."""
        with self._lock:
            self._next -= self._interval
