"""A run: one call of a runnable, from its start to its end or failure."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from traceback import FrameSummary, StackSummary, TracebackException
from typing import Any
from uuid import uuid4

from chatnb.errors import error_message
from chatnb.redaction import environment_secrets, redact
from chatnb.schema.run_logs.state import RunFailure
from chatnb.schema.usage import UsageMetadata

_BRANCH = "map:key:"
_PACKAGE = str(Path(__file__).parents[1]) + os.sep


@dataclass(frozen=True)
class ClockAndIds:
    """The source of run times and ids, which tests replace."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    new_id: Callable[[], str] = lambda: str(uuid4())


@dataclass(eq=False)
class Run:
    """The state of a run so far; handlers read it and do not change it.

    Args:
        id: The run's id.
        name: The runnable's name.
        type: The run's type: `llm` (a chat model), `chain`, `prompt`, `parser` or `tool`.
        start_time: The start time, in UTC.
        parent: The run that started it.
        tags: The tags of the run and of those above it; first, of the run alone, `map:key:KEY` in a
            RunnableParallel and `seq:step:N` in a RunnableSequence.
        metadata: The metadata of the run and of those above it.
        inputs: The input; None while it still streams in.
        output: The output: of a chat model an `LLMResult` as a dict, of anything else
            `{"output": value}`; of a failed run its partial output, if any.
        first_token_time: The time of a chat model's first token.
        end_time: The time of the end or failure.
        usage_metadata: The token usage of a chat model's call.
        cost: The cost in US dollars, where the price is known.
        inputs_came_late: Whether the input was not known at the start.
        error: The failure, for logs.
        exception: The failure, as it was raised.

    Example:
        >>> from chatnb import ScriptedChatModel
        >>> from chatnb.tracing import handling
        >>> class Times:
        ...     def on_end(self, run):
        ...         print(run.name, run.type, run.end_time >= run.start_time)
        >>> with handling(Times()):
        ...     reply = ScriptedChatModel(["Hello."]).invoke("Hi")
        ScriptedChatModel llm True
    """

    id: str
    name: str
    type: str
    start_time: datetime
    parent: Run | None = None
    tags: list[str] = field(default_factory=list[str])
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    inputs: Any = None
    output: Any = None
    first_token_time: datetime | None = None
    end_time: datetime | None = None
    usage_metadata: UsageMetadata | None = None
    cost: float | None = None
    inputs_came_late: bool = False
    error: RunFailure | None = None
    exception: BaseException | None = None
    # The recorded time of replayed calls so far, which the replay itself has not taken.
    _skipped: timedelta = field(default=timedelta(0), init=False, repr=False)

    def __post_init__(self) -> None:
        """Start after the calls that the run above has replayed, or at once in a parallel."""
        if (above := self.parent) is not None:
            self._skipped = above._skipped_at_start if self._is_branch else above._skipped
            self.start_time += self._skipped
        self._skipped_at_start = self._skipped

    @property
    def _is_branch(self) -> bool:
        return bool(self.tags) and self.tags[0].startswith(_BRANCH)

    def skip(self, seconds: float) -> None:
        """Let recorded seconds pass for this run and those above it.

        Args:
            seconds: The seconds that a replayed call has lasted, and its replay has not.

        Example:
            >>> run = Run("r1", "chat", "llm", datetime(2026, 1, 2, tzinfo=UTC))
            >>> run.skip(1.5)
            >>> run.time(datetime(2026, 1, 2, tzinfo=UTC)).isoformat()
            '2026-01-02T00:00:01.500000+00:00'
        """
        run = self
        run._skipped += timedelta(seconds=seconds)
        while (above := run.parent) is not None and above._skipped < run._skipped:
            above._skipped = run._skipped
            run = above

    def time(self, now: datetime) -> datetime:
        """Return the time of the run, which is later than now by what a replay has left out.

        Args:
            now: The time now.

        Returns:
            The time, as the recording had it.
        """
        above = self.parent
        if above is not None and above._skipped > self._skipped and not self._is_branch:
            self._skipped = above._skipped  # It has read the stream of a replayed call.
        return now + self._skipped

    @property
    def parent_id(self) -> str | None:
        """The id of the run that started it."""
        return self.parent.id if self.parent else None

    @property
    def run_type(self) -> str:
        """The run's type, by LangChain's name."""
        return self.type

    @property
    def outputs(self) -> Any:
        """The output, by LangChain's name."""
        return self.output

    def fail(self, exception: BaseException, end_time: datetime) -> None:
        """End the run with a failure.

        Args:
            exception: The failure.
            end_time: The end time.
        """
        self.exception = exception
        self.end_time = end_time
        self.error = failure_from_exception(exception)


def failure_from_exception(exception: BaseException) -> RunFailure:
    """Return an exception as the failure of a run log."""
    # A cancellation, an interrupt and a reader that closes the stream are not failures but stops.
    stopped = not isinstance(exception, Exception)
    traceback = TracebackException.from_exception(exception)
    _shorten(traceback)
    return RunFailure(
        type=type(exception).__name__,
        message=_clean(error_message(exception)) or ("The run was stopped." if stopped else ""),
        traceback="" if stopped else _clean("".join(traceback.format())),
        stopped=stopped,
    )


def _clean(text: str) -> str:
    # Lines of code may hold a key, and so may errors that are not of a chat model.
    return redact(text, environment_secrets())


def _shorten(traceback: TracebackException) -> None:
    # Logs are saved and shared, so they name neither this package's own frames nor the folders of
    # this machine.
    waiting = [traceback]
    while waiting:  # A chain of exceptions may be longer than the stack allows.
        shown = waiting.pop()
        frames = [frame for frame in shown.stack if not frame.filename.startswith(_PACKAGE)]
        shown.stack = StackSummary.from_list([_shortened(frame) for frame in frames])
        related = (shown.__cause__, shown.__context__, *(shown.exceptions or ()))
        waiting += [exception for exception in related if exception is not None]


def _shortened(frame: FrameSummary) -> FrameSummary:
    return FrameSummary(_relative_path(frame.filename), frame.lineno, frame.name, line=frame.line)


def _relative_path(filename: str) -> str:
    """Return a file's path below the folder it is imported from; otherwise its name."""
    for folder in sorted(filter(None, sys.path), key=len, reverse=True):
        if filename.startswith(folder + os.sep):
            return filename[len(folder) + 1 :]
    return Path(filename).name
