"""Runs as lines of Python's own log."""

from __future__ import annotations

import logging
from typing import Any

from chatnb.tracing.run import Run

_LONGEST = 500
_ID_WIDTH = 8


class LoggingHandler:
    """Logs a line when a run starts (DEBUG), ends, tries again (WARNING) or breaks off.

    A run that broke off is an ERROR; within another run, which may still cope with it, a WARNING;
    one that was only stopped INFO.

    Args:
        logger: The logger, or its name.
        level: At which level runs that gave their output are logged.
        content: Whether inputs, outputs and the messages of errors, which may quote them, are
            logged too, each cut to 500 characters.

    Example:
        >>> import sys
        >>> from datetime import UTC, datetime, timedelta
        >>> logger = logging.Logger("shown")
        >>> logger.addHandler(logging.StreamHandler(sys.stdout))
        >>> start = datetime(2026, 1, 1, tzinfo=UTC)
        >>> run = Run("3f2a91bc-0000", "ChatOpenAI", "llm", start)
        >>> run.end_time = start + timedelta(seconds=1.25)
        >>> run.usage_metadata = {"input_tokens": 12, "output_tokens": 3, "total_tokens": 15}
        >>> LoggingHandler(logger).on_end(run)
        ChatOpenAI (llm) ended after 1.25 s, 12 tokens in, 3 out [3f2a91bc]
    """

    def __init__(
        self,
        logger: str | logging.Logger = "chatnb.runs",
        level: int = logging.INFO,
        *,
        content: bool = False,
    ) -> None:
        self.logger = logging.getLogger(logger) if isinstance(logger, str) else logger
        self.level = level
        self.content = content

    def on_start(self, run: Run) -> None:
        """Log that a run starts."""
        self._log(logging.DEBUG, run, "starts", run.inputs)

    def on_retry(self, run: Run, attempt: int, error: BaseException, pause: float) -> None:
        """Log that an attempt failed."""
        said = f"tries again in {pause:.2f} s, attempt {attempt} failed: {type(error).__name__}"
        self._log(logging.WARNING, run, said, error)

    def on_end(self, run: Run) -> None:
        """Log that a run has given its output."""
        self._log(self.level, run, f"ended{_cost(run)}", _output(run))

    def on_error(self, run: Run) -> None:
        """Log that a run broke off."""
        kind = run.error["type"] if run.error else "unknown"
        if run.error and run.error["stopped"]:
            self._log(logging.INFO, run, f"was stopped{_cost(run)}: {kind}", _output(run))
            return
        level = logging.WARNING if run.parent else logging.ERROR
        self._log(level, run, f"failed{_cost(run)}: {kind}", run.exception)

    def _log(self, level: int, run: Run, said: str, content: Any) -> None:
        if not self.logger.isEnabledFor(level):
            return
        shown = f": {content!r:.{_LONGEST}}" if self.content and content is not None else ""
        line = f"{run.name} ({run.type}) {said} [{run.id[:_ID_WIDTH]}]{shown}"
        self.logger.log(level, "%s", " ".join(line.splitlines()))


def _cost(run: Run) -> str:
    took = f" after {(run.end_time - run.start_time).total_seconds():.2f} s" if run.end_time else ""
    usage = run.usage_metadata
    if usage is None:
        return took
    return f"{took}, {usage['input_tokens']} tokens in, {usage['output_tokens']} out"


def _output(run: Run) -> Any:
    """What a run gave, without the wrapping; of a chat model the texts."""
    match run.output:
        case {"generations": [*prompts]}:
            return [candidate["text"] for candidates in prompts for candidate in candidates]
        case {"output": output}:
            return output
        case other:
            return other
