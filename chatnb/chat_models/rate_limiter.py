"""A client-side limit on how often a chat model is called."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from heapq import heappop, heappush

from chatnb.concurrency.cancellation import pause
from chatnb.concurrency.locks import Lock


class RateLimiter:
    """Spaces calls out; several models, threads and event loops may share one limiter.

    Args:
        requests_per_second: The average rate, such as 0.5 for one call in two seconds.
        burst: The number of calls without a wait after a pause.
        clock: A monotonic clock, in seconds.

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
        self._free = list[float]()  # A heap of the slots before `_next` that were given back.
        self._lock = Lock()

    def reserve(self) -> float:
        """Reserve the next slot, and return the seconds to wait until it begins."""
        with self._lock:
            now = self._clock()
            while self._free and self._free[0] < now:
                heappop(self._free)
            if self._free:
                slot = heappop(self._free)
            else:
                slot = max(now, self._next)
                self._next = slot + self._interval
            return max(0.0, slot - self._tolerance - now)

    def acquire(self) -> None:
        """Wait for the next slot; an interrupted wait gives it back."""
        with self._slot() as seconds:
            pause(seconds)

    async def aacquire(self) -> None:
        """Wait for the next slot without blocking the event loop; like `acquire`."""
        with self._slot() as seconds:
            await asyncio.sleep(seconds)

    @contextmanager
    def _slot(self) -> Generator[float]:
        seconds = self.reserve()
        slot = self._clock() + seconds + self._tolerance
        try:
            yield seconds
        except BaseException:
            if seconds:  # Otherwise the slot is as good as over.
                with self._lock:
                    heappush(self._free, slot)
            raise
