"""Progress of a batch, and its bar in terminals and logs."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from io import StringIO
from typing import Any, Protocol, TypeAlias, cast

from chatnb.concurrency.waiting import Ok, Outcome
from chatnb.tracing.usage_tracking import UsageTotals, UsageTracker

CallSums: TypeAlias = UsageTotals | UsageTracker

MIN_SECONDS = 2.0  # A shorter batch shows no bar.
_LOG_INTERVAL_SECONDS = 30.0  # In a log, where each update is another line.


class Progress:
    """Results and failures of a batch by index, and the index to start next."""

    # Every step is one operation on a dict, a set or a deque, so that threads need no lock.

    def __init__(self, total: int, *, return_exceptions: bool) -> None:
        self.total: int | None = total
        self.results = dict[int, Any]()
        self.failures = dict[int, Exception]()
        self.running = set[int]()
        self.workers = 0  # Of an executor.
        self.stopped = False
        self._return_exceptions = return_exceptions
        self._failed = set[int]()
        self._not_started = deque(range(total))

    @property
    def done(self) -> int:
        """Return the number of inputs that have ended."""
        return len(self.results) + len(self.failures)

    @property
    def failed(self) -> int:
        """Return the number of inputs that have failed."""
        return len(self._failed)

    @property
    def ended(self) -> bool:
        """Return whether no more inputs are to start: after a failure, or a stop."""
        return self.stopped or bool(self.failures)

    def has_next(self) -> bool:
        """Return whether there are inputs to start."""
        return bool(self._not_started)

    def next_index(self) -> int | None:
        """Return the next input to start; None at the end, and after a failure."""
        try:
            return self._not_started.popleft()
        except IndexError:
            return None

    def record(self, index: int, outcome: Outcome[Any]) -> None:
        """Record the outcome of an input."""
        if isinstance(outcome, Ok):
            self.results[index] = outcome.value
            return
        error = cast("Exception", outcome.error)
        self._failed.add(index)
        if self._return_exceptions:
            self.results[index] = error
        else:
            self.failures[index] = error
            self._not_started.clear()

    def stop(self) -> None:
        """Start no more inputs."""
        self.stopped = True
        self._not_started.clear()

    def snapshot(self) -> tuple[dict[int, Any], dict[int, Exception], list[int]]:
        """Return copies of results and failures, and the inputs with neither."""
        # Calls that are running may still end and record theirs.
        results, failures = self.results.copy(), self.failures.copy()
        ended = results.keys() | failures.keys()
        remaining = [i for i in range(self.total or 0) if i not in ended]
        return results, failures, remaining


class StreamProgress(Progress):
    """Progress of a batch whose inputs stream: outputs are forgotten once they are handed out."""

    # Only the batch's own thread or task opens inputs and hands out outputs.

    def __init__(self, total: int | None, *, return_exceptions: bool) -> None:
        super().__init__(0, return_exceptions=return_exceptions)
        self.total = total
        self.open = set[int]()  # The inputs that have been taken, and not handed out.
        self.pending = 0  # The number of inputs whose end the batch has not seen.
        self._opened = self._handed_out = self._failures_handed_out = 0

    @property
    def done(self) -> int:
        """Return the number of inputs that have ended."""
        return self._handed_out + super().done

    @property
    def failed(self) -> int:
        """Return the number of inputs that have failed."""
        return self._failures_handed_out + super().failed

    def open_next(self) -> int:
        """Take an input, and return its index."""
        index, self._opened = self._opened, self._opened + 1
        self.open.add(index)
        self.pending += 1
        return index

    def hand_out(self, index: int) -> Any:
        """Return an output, and forget it."""
        self.open.discard(index)
        self._handed_out += 1
        if index in self._failed:
            self._failed.discard(index)
            self._failures_handed_out += 1
        return self.results.pop(index)

    def snapshot(self) -> tuple[dict[int, Any], dict[int, Exception], list[int]]:
        """Return copies of results that were not handed out and failures, and other open inputs."""
        results, failures = self.results.copy(), self.failures.copy()
        return results, failures, sorted(self.open - results.keys() - failures.keys())


class Bar(Protocol):
    """The part of tqdm's interface that a batch uses."""

    n: int
    start_t: float
    last_print_t: float

    def set_postfix_str(self, s: str = "", refresh: bool = True) -> None:
        """Set the text behind the count."""
        ...

    def refresh(self) -> object:
        """Draw the bar now."""
        ...

    def update(self, n: float | None = 1) -> object:
        """Advance the bar, and draw it unless it was drawn just now."""
        ...

    def close(self) -> None:
        """Leave the bar as it was drawn last."""
        ...


class ProgressBar:
    """The bar of a batch, shown once the batch takes long."""

    # tqdm counts seconds since 1970, so that the clock does, too.
    def __init__(
        self, progress: Progress, tracker: CallSums, clock: Callable[[], float] = time.time
    ) -> None:
        self._progress = progress
        self._tracker = tracker
        self._clock = clock
        self._started = clock()
        self._bar: Bar | None = None
        self._disabled = _hidden

    def tick(self) -> None:
        """Update the bar; called often."""
        if self._disabled or self._clock() - self._started < MIN_SECONDS:
            return
        with self._disabled_on_write_errors():
            if self._bar is None:
                self._bar = _bar_factory(self._progress.total)
                if self._bar is None:
                    self._disabled = True
                    return
                self._bar.start_t = self._bar.last_print_t = self._started
            self._set_counts(self._bar)
            self._bar.update(0)

    def close(self) -> None:
        """Draw the last state."""
        if self._bar is None or self._disabled:
            return
        with self._disabled_on_write_errors():
            self._set_counts(self._bar)
            self._bar.refresh()
            self._bar.close()

    @contextmanager
    def _disabled_on_write_errors(self) -> Generator[None]:
        # A terminal that has gone, or a closed log, ends the bar and not the batch.
        try:
            yield
        except (OSError, ValueError):
            self._disabled = True

    def _set_counts(self, bar: Bar) -> None:
        bar.n = self._progress.done
        bar.set_postfix_str(_postfix(self._progress, self._tracker), refresh=False)


def _postfix(progress: Progress, tracker: CallSums) -> str:
    workers = progress.workers
    counts = [f"{workers:,} worker{'s' if workers > 1 else ''}"] if workers else []
    if progress.failed:
        counts.append(f"{progress.failed:,} failed")
    if (usage := tracker.usage) is not None:
        counts.append(f"{usage['total_tokens']:,} tokens")
    if (cost := tracker.cost) is not None:
        counts.append(f"${cost:.4f}")
    return ", ".join(counts)


def terminal_bar(total: int | None, file: Any = None) -> Bar | None:
    """Return a bar on a terminal, or lines in a log; None without a standard error."""
    from tqdm import tqdm

    file = file or sys.stderr
    if file is None:  # As in programs without a console.
        return None
    if file.isatty():
        return tqdm(total=total, unit="call", file=file, dynamic_ncols=True, mininterval=0.2)
    lines = LogLines(file)
    return tqdm(total=total, unit="call", file=lines, mininterval=_LOG_INTERVAL_SECONDS, ncols=100)


_bar_factory: Callable[[int | None], Bar | None] = terminal_bar
_hidden = False


def hide_bars() -> None:
    """Show no bars in this process, however long a batch takes."""
    global _hidden
    _hidden = True


def set_bar_factory(factory: Callable[[int | None], Bar | None]) -> None:
    """Choose the function that makes bars from a number of calls, if that is known."""
    global _bar_factory
    _bar_factory = factory


class LogLines(StringIO):
    """A file that writes each state of a redrawn line as a line of its own."""

    def __init__(self, file: Any) -> None:
        super().__init__()
        self._file = file

    def write(self, text: str) -> int:
        line = text.strip("\r\n").rstrip()
        if line:
            self._file.write(f"{line}\n")
        return len(text)

    def flush(self) -> None:
        self._file.flush()
