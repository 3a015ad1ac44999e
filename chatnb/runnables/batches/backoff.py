"""The pace of a batch: calls wait, and follow one another more slowly, after rate limit errors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextvars import ContextVar
from math import inf

from chatnb.concurrency.cancellation import pause
from chatnb.concurrency.locks import Lock
from chatnb.errors import QuotaSpentError, RateLimitError

_FIRST_PAUSE = 1.0
_MAX_PAUSE = 60.0
_FIRST_INTERVAL = 0.01
_MAX_INTERVAL = 5.0
_SPEED_UP = 0.9
# So many pauses in a row without one answered call are not a mere rate limit.
_MAX_FAILED_PAUSES = 8
_NEVER = float("-inf")

MAX_RETRY_AFTER = 600.0
"""The most seconds that are waited before another attempt, whatever a provider says."""

current_pace: ContextVar[Pace | None] = ContextVar("chatnb_pace", default=None)


class Pace:
    """The pace of one batch, shared by all of its calls."""

    # A rate limit error pauses all calls for as long as the provider says and spaces out those that
    # follow; each answered call brings them a little closer again.

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._held_until = _NEVER
        self._holds = 0
        self._next = _NEVER
        self._interval = 0.0
        self._failed_pauses = 0

    @property
    def is_limited(self) -> bool:
        """Return whether there was any rate limit error."""
        return self._held_until != _NEVER

    @property
    def interval(self) -> float:
        """The seconds between the starts of two calls."""
        return self._interval

    @property
    def seconds_held(self) -> float:
        """The seconds until any call may start."""
        return max(0.0, self._held_until - self._clock())

    def hold(self, seconds: float | None) -> None:
        """Start no call for so many seconds; if None, for longer each time."""
        with self._lock:
            now = self._clock()
            # Calls that were sent together and fail together count once.
            if now >= self._held_until:
                self._failed_pauses += 1
                slower = max(2 * self._interval, _FIRST_INTERVAL)
                self._interval = min(slower, _MAX_INTERVAL)
            growing = min(_FIRST_PAUSE * 2.0 ** (self._failed_pauses - 1), _MAX_PAUSE)
            until = now + (growing if seconds is None else seconds)
            if until > self._held_until:
                # All that wait reserve another start, so that they stay spaced out.
                self._held_until = self._next = until
                self._holds += 1

    def record_success(self) -> None:
        """Let calls follow a little closer: one was answered."""
        if not self.is_limited:
            return
        with self._lock:
            self._failed_pauses = 0
            faster = self._interval * _SPEED_UP
            self._interval = faster if faster > _FIRST_INTERVAL / 10 else 0.0

    def should_retry(self, error: BaseException | None) -> bool:
        """Record how a call ended, and return whether to make it again at the new pace."""
        if not isinstance(error, RateLimitError):
            if self._held_until != _NEVER:  # `is_limited`; most batches never are.
                self.record_success()
            return False
        if not is_limit_of_rate(error):
            return False
        self.hold(seconds_to_retry(error))
        return self._failed_pauses <= _MAX_FAILED_PAUSES

    def reserve_start(self) -> float:
        """Return the seconds until the next call may start, and reserve that start."""
        if not self.is_limited:
            return 0.0
        with self._lock:
            now = self._clock()
            start = max(now, self._held_until, self._next)
            self._next = start + self._interval
            return start - now

    def wait(self) -> None:
        """Wait until a call may start."""
        holds = 0
        while holds != self._holds:
            holds = self._holds
            pause(self.reserve_start())

    async def await_start(self) -> None:
        """Wait until a call may start, without blocking."""
        holds = 0
        while holds != self._holds:
            holds = self._holds
            await asyncio.sleep(self.reserve_start())


def slow_down(seconds: float | None) -> None:
    """Hold the batch of this context, if there is one: a provider limited the rate of a call."""
    pace = current_pace.get()
    if pace is not None and (seconds is None or seconds <= MAX_RETRY_AFTER):
        pace.hold(seconds)


def is_limit_of_rate(error: BaseException | None) -> bool:
    """Return whether an error is a rate limit that a wait overcomes."""
    return (
        isinstance(error, RateLimitError)
        and not isinstance(error, QuotaSpentError)
        and not is_wait_too_long(error)
    )


def seconds_to_retry(error: BaseException | None) -> float | None:
    """Return the seconds that an error says to wait, 0 or more, or None if it says none.

    Example:
        >>> seconds_to_retry(RateLimitError("Slower.", retry_after=-1.0)), seconds_to_retry(None)
        (0.0, None)
    """
    given = getattr(error, "retry_after", None)
    if isinstance(given, bool) or not isinstance(given, int | float) or given != given:
        return None
    return inf if given > 2**53 else float(max(0, given))


def is_wait_too_long(error: BaseException) -> bool:
    """Return whether an error says to wait so long that it is raised at once; then it says so."""
    wait = seconds_to_retry(error)
    if wait is None or wait <= MAX_RETRY_AFTER:
        return False
    note = f"Not tried again: {wait:g} s is longer than the {MAX_RETRY_AFTER:g} s that is waited."
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)
    return True
