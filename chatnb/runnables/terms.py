"""On what terms a batch runs: how many at a time, at which pace, kept where, shown or not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chatnb.runnables.checkpoint import Checkpoint, checkpoint_here
from chatnb.runnables.pacing import Pace, pace_here
from chatnb.runnables.progress import Progress
from chatnb.runnables.progress_bar import ProgressBar
from chatnb.tracing.counting import counting_here
from chatnb.tracing.usage_tracker import UsageTracker

DEFAULT_CONCURRENCY = 64
"""How many items run at a time when nobody says: the calls mostly wait."""


@dataclass(frozen=True)
class Terms:
    """What a caller says about a batch.

    Args:
        limit: How many run at a time; 64 if None.
        return_exceptions: Whether a failure is a result like any other.
        checkpoint: The file in which the replies of chat models are kept as they arrive.
        progress: Whether a bar is shown when it takes long.
        paced: Whether a call that is refused for its rate is made again, and the others wait.
    """

    limit: int | None = None
    return_exceptions: bool = False
    checkpoint: str | Path | None = None
    progress: bool = True
    paced: bool = True

    def workers(self, total: int) -> int:
        """How many of so many items run at a time."""
        return min(self.limit or DEFAULT_CONCURRENCY, total)


def side_by_side(limit: int | None, *, return_exceptions: bool) -> Terms:
    """The terms of calls that are parts of one run, and no batch of anybody's."""
    return Terms(limit, return_exceptions, progress=False, paced=False)


class Around:
    """The context of one call; a class, for a generator would cost each call several times that.

    Args:
        pace: The pace of its batch; that of the batch around it if None.
        checkpoint: The checkpoint, likewise.
        tracker: Who counts it, if anybody does for its batch.
    """

    __slots__ = ("_before", "_checkpoint", "_counting", "_pace")

    def __init__(
        self, pace: Pace | None, checkpoint: Checkpoint | None, tracker: UsageTracker | None
    ) -> None:
        self._pace = pace
        self._checkpoint = checkpoint
        self._counting = counting_here(tracker) if tracker is not None else None

    def __enter__(self) -> None:
        self._before = pace_here.get(), checkpoint_here.get()
        if self._pace is not None:
            pace_here.set(self._pace)
        if self._checkpoint is not None:
            checkpoint_here.set(self._checkpoint)
        if self._counting is not None:
            self._counting.__enter__()

    def __exit__(self, *ended: object) -> None:
        if self._counting is not None:
            self._counting.__exit__()
        pace, checkpoint = self._before
        pace_here.set(pace)
        checkpoint_here.set(checkpoint)


class Surroundings:
    """What the calls of a batch have in common: their pace, their checkpoint, who counts them.

    Args:
        terms: What the caller said.
        progress: The batch.
    """

    def __init__(self, terms: Terms, progress: Progress) -> None:
        outer = pace_here.get()
        self.pace = (outer or Pace()) if terms.paced else None
        self._progress = progress
        self._checkpoint = Checkpoint(terms.checkpoint) if terms.checkpoint else None
        self._tracker = UsageTracker()
        shown = terms.progress and outer is None and progress.total > 1
        self.bar = ProgressBar(progress, self._tracker) if shown else None

    def around(self) -> Around:
        """The context of one call."""
        return Around(self.pace, self._checkpoint, self._tracker if self.bar else None)

    def wait(self) -> None:
        """Wait until a call may start."""
        if self.pace is not None:
            self.pace.wait()

    async def await_turn(self) -> None:
        """Wait until a call may start, without blocking."""
        if self.pace is not None:
            await self.pace.await_turn()

    def again(self, outcome: object) -> bool:
        """Whether a call that ended so is to be made again."""
        return self.pace is not None and self.pace.heeds(outcome) and not self.stopped

    @property
    def stopped(self) -> bool:
        """Whether nobody waits for the batch any more."""
        return self._progress.stopped

    def tick(self) -> None:
        """Show how far the batch is, if it is shown at all."""
        if self.bar is not None:
            self.bar.tick()

    def end(self) -> None:
        """Leave what is shown as it stays."""
        if self.bar is not None:
            self.bar.close()
