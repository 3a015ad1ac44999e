"""How fast a batch goes: when a provider says that it is too fast, all of it slows down."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar

from chatnb.errors import QuotaSpentError, RateLimitError

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0
_FIRST_INTERVAL = 0.01
_LONGEST_INTERVAL = 5.0
_FASTER = 0.9
_NEVER = float("-inf")
_MOST_IN_VAIN = 8
"""So many pauses in a row after which not one call was answered are no mere limit of rate."""


class Pace:
    """The pace of one batch, which its calls keep together.

    A refusal stops all calls for as long as the provider says and spaces out those that follow;
    each answer lets them come a little closer again.

    Args:
        clock: Seconds that only grow.

    Example:
        >>> pace = Pace(clock=lambda: 10.0)
        >>> pace.wait_seconds()
        0.0
        >>> pace.hold(2.0)
        >>> pace.wait_seconds()
        2.0
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._held_until = _NEVER
        self._next = _NEVER
        self._interval = 0.0
        self._in_vain = 0

    def hold(self, seconds: float | None) -> None:
        """Start no call for a while: a provider has refused one.

        Args:
            seconds: How long, if the provider said; otherwise longer each time.
        """
        with self._lock:
            now = self._clock()
            if now >= self._held_until:  # Refusals of calls that were sent together count once.
                self._in_vain += 1
                slower = max(2 * self._interval, _FIRST_INTERVAL)
                self._interval = min(slower, _LONGEST_INTERVAL)
            growing = min(_FIRST_PAUSE * 2.0 ** (self._in_vain - 1), _LONGEST_PAUSE)
            pause = growing if seconds is None else seconds
            self._held_until = max(self._held_until, now + pause)

    def answered(self) -> None:
        """A call was answered."""
        if self._held_until == _NEVER:
            return
        with self._lock:
            self._in_vain = 0
            faster = self._interval * _FASTER
            self._interval = faster if faster > _FIRST_INTERVAL / 10 else 0.0

    def heeds(self, outcome: object) -> bool:
        """Take in how a call ended.

        Args:
            outcome: What it gave, or the exception.

        Returns:
            Whether to make it again, at the pace that holds from now on.
        """
        if not isinstance(outcome, RateLimitError):
            self.answered()
            return False
        if isinstance(outcome, QuotaSpentError):
            return False
        self.hold(outcome.retry_after)
        return self._in_vain <= _MOST_IN_VAIN

    def wait_seconds(self) -> float:
        """How long to wait before the next call, which has its place in the row from now on."""
        if self._held_until == _NEVER:
            return 0.0
        with self._lock:
            now = self._clock()
            start = max(now, self._held_until, self._next)
            self._next = start + self._interval
            return start - now

    def still_held(self) -> float:
        """Seconds until calls may start again, after a wait in which another was refused."""
        with self._lock:
            return max(0.0, self._held_until - self._clock())

    def wait(self) -> None:
        """Wait until a call may start."""
        seconds = self.wait_seconds()
        while seconds > 0:
            time.sleep(seconds)
            seconds = self.still_held()

    async def await_turn(self) -> None:
        """Wait until a call may start, without blocking."""
        seconds = self.wait_seconds()
        while seconds > 0:
            await asyncio.sleep(seconds)
            seconds = self.still_held()


pace_here: ContextVar[Pace | None] = ContextVar("chatnb_pace", default=None)
"""The pace of the batch that this context belongs to."""


def slow_down(seconds: float | None) -> None:
    """A provider has refused a call of this context for its rate: hold its batch, if it is in one.

    Args:
        seconds: How long, if the provider said.
    """
    pace = pace_here.get()
    if pace is not None:
        pace.hold(seconds)
