"""How far a batch has come."""

from __future__ import annotations

import threading
from typing import Any


class Progress:
    """What of a batch is done, and what comes next.

    Args:
        total: How many inputs there are.
        return_exceptions: Whether a failure is a result like any other.
    """

    def __init__(self, total: int, *, return_exceptions: bool) -> None:
        self.results = dict[int, Any]()
        self.failures = dict[int, Exception]()
        self.total = total
        self._return_exceptions = return_exceptions
        self.failed = 0
        self.stopped = False
        self._next = 0
        self._lock = threading.Lock()

    def take(self) -> int | None:
        """The next input to start; None if no more are to be started."""
        with self._lock:
            if self._next >= self.total or self.failures:
                return None
            self._next += 1
            return self._next - 1

    def record(self, index: int, outcome: Any) -> bool:
        """Note how an input ended.

        Returns:
            Whether the outcome is one to hand out.
        """
        with self._lock:
            self.failed += isinstance(outcome, Exception)
            if isinstance(outcome, Exception) and not self._return_exceptions:
                self.failures[index] = outcome
                return False
            self.results[index] = outcome
            return True

    def stop(self) -> None:
        """Start no more."""
        with self._lock:
            self.stopped = True
            self._next = self.total

    @property
    def done(self) -> int:
        """How many inputs have ended, in whatever way."""
        return len(self.results) + len(self.failures)

    def so_far(self) -> tuple[dict[int, Any], dict[int, Exception], list[int]]:
        """What finished, what failed, and which inputs did neither, as it is at this moment:
        calls that are under way may still end."""
        with self._lock:
            done = self.results.keys() | self.failures.keys()
            remaining = [index for index in range(self.total) if index not in done]
            return dict(self.results), dict(self.failures), remaining
