"""The bar of a long batch, in terminals and logs; notebooks put one of their own in its place."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from io import StringIO
from typing import Any, Protocol

from chatnb.runnables.progress import Progress
from chatnb.tracing.usage_tracker import UsageTracker

SHORT = 2.0
"""Seconds after which a batch is long enough to show how far it is."""
_LOG_INTERVAL = 30.0
"""Seconds from line to line where no terminal can draw over the last one."""


class Drawn(Protocol):
    """A bar of tqdm's kind: what is needed of it."""

    n: int
    start_t: float
    last_print_t: float

    def set_postfix_str(self, s: str = "", refresh: bool = True) -> None:
        """Say something behind the count."""
        ...

    def refresh(self) -> object:
        """Draw it, now."""
        ...

    def update(self, n: float | None = 1) -> object:
        """Draw it, unless it was drawn just now."""
        ...

    def close(self) -> None:
        """Leave it as it stays."""
        ...


class ProgressBar:
    """How far a batch is, shown once it takes long.

    Args:
        progress: The batch.
        tracker: Counts the calls of the batch.
        clock: Seconds since 1970, as tqdm counts them.
    """

    def __init__(
        self, progress: Progress, tracker: UsageTracker, clock: Callable[[], float] = time.time
    ) -> None:
        self._progress = progress
        self._tracker = tracker
        self._clock = clock
        self._started = clock()
        self._drawn: Drawn | None = None
        self._draws = True

    def tick(self) -> None:
        """Show how far it is by now; to be called often."""
        if not self._draws or self._clock() - self._started < SHORT:
            return
        with self._unless_nowhere():
            self._draw()

    def close(self) -> None:
        """Leave the last state of it."""
        if self._drawn is None or not self._draws:
            return
        with self._unless_nowhere():
            self._take_over(self._drawn)
            self._drawn.refresh()
            self._drawn.close()

    @contextmanager
    def _unless_nowhere(self) -> Generator[None]:
        """A terminal that has gone, or a closed log, ends the bar and not the batch."""
        try:
            yield
        except (OSError, ValueError):
            self._draws = False

    def _draw(self) -> None:
        if self._drawn is None:
            self._drawn = _make(self._progress.total)
            if self._drawn is None:
                self._draws = False
                return
            self._drawn.start_t = self._drawn.last_print_t = self._started
        self._take_over(self._drawn)
        self._drawn.update(0)

    def _take_over(self, drawn: Drawn) -> None:
        drawn.n = self._progress.done
        drawn.set_postfix_str(facts_of(self._progress, self._tracker), refresh=False)


def facts_of(progress: Progress, tracker: UsageTracker) -> str:
    """Failures, tokens and money so far, as far as there are any.

    Example:
        >>> progress = Progress(3, return_exceptions=False)
        >>> progress.record(0, ValueError("no"))
        False
        >>> facts_of(progress, UsageTracker())
        '1 failed'
    """
    facts = [f"{progress.failed:,} failed"] if progress.failed else []
    usage, cost = tracker.usage, tracker.cost
    if usage is not None:
        facts.append(f"{usage['total_tokens']:,} tokens")
    if cost is not None:
        facts.append(f"${cost:.4f}")
    return ", ".join(facts)


_maker: Callable[[int], Drawn | None] | None = None


def draw_with(maker: Callable[[int], Drawn | None]) -> None:
    """Choose what draws bars from now on.

    Args:
        maker: Takes how many calls there are, and makes a bar; None for no bar here.
    """
    global _maker
    _maker = maker


def _make(total: int) -> Drawn | None:
    return (_maker or bar_of_terminal)(total)


def bar_of_terminal(total: int, file: Any = None) -> Drawn | None:
    """A bar on a terminal, or lines in a log.

    Args:
        total: How many calls there are.
        file: Where it is written; standard error if not said.

    Returns:
        The bar; None where there is no standard error, as in programs without a console.
    """
    from tqdm import tqdm

    file = file or sys.stderr
    if file is None:
        return None
    if file.isatty():
        return tqdm(total=total, unit="call", file=file, dynamic_ncols=True, mininterval=0.2)
    return tqdm(total=total, unit="call", file=LogLines(file), mininterval=_LOG_INTERVAL, ncols=100)


class LogLines(StringIO):
    """Has what draws over a line write lines below each other.

    Args:
        file: Where they are written.

    Example:
        >>> lines = LogLines(sys.stdout)
        >>> _ = lines.write("\\r 1/2  "), lines.write("\\r 2/2"), lines.write("\\n")
         1/2
         2/2
    """

    def __init__(self, file: Any) -> None:
        super().__init__()
        self._file = file

    def write(self, text: str) -> int:
        """Write a line, if this draws one."""
        line = text.strip("\r\n").rstrip()
        if line:
            self._file.write(f"{line}\n")
        return len(text)

    def flush(self) -> None:
        """Write what is held back."""
        self._file.flush()
