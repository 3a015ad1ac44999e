"""A handler that writes run events to Python's logging."""

from __future__ import annotations

import logging
from typing import Any

from chatnb.redaction import environment_secrets, redact
from chatnb.schema.usage import usage_text
from chatnb.terminal import SafeText
from chatnb.tracing.run import Run

_MAX_CONTENT = 500
_ID_WIDTH = 8


class LoggingHandler:
    """Logs a line when a run starts (DEBUG), ends, retries (WARNING) or fails.

    A failed run is an ERROR; within another run, which may handle it, a WARNING; a stopped run is
    INFO.

    Args:
        logger: The logger, or its name.
        level: The level of runs that return their output.
        content: Whether to log inputs, outputs and the messages of errors, which may quote them,
            each cut to 500 characters.

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
        self._secrets = environment_secrets()

    def on_start(self, run: Run) -> None:
        """Log the start of `run`."""
        self._log(logging.DEBUG, run, "starts", run.inputs)

    def on_retry(self, run: Run, attempt: int, error: BaseException, pause: float) -> None:
        """Log a failed `attempt` of `run`: its `error`, and the `pause` after it."""
        event = f"retries in {pause:.2f} s, attempt {attempt} failed: {type(error).__name__}"
        self._log(logging.WARNING, run, event, error)

    def on_end(self, run: Run) -> None:
        """Log the end of `run`."""
        self._log(self.level, run, f"ended{_usage(run)}", _output(run))

    def on_error(self, run: Run) -> None:
        """Log the failure of `run`."""
        error_type = run.error["type"] if run.error else "unknown"
        if run.error and run.error["stopped"]:
            self._log(logging.INFO, run, f"was stopped{_usage(run)}: {error_type}", _output(run))
            return
        level = logging.WARNING if run.parent else logging.ERROR
        self._log(level, run, f"failed{_usage(run)}: {error_type}", run.exception)

    def _log(self, level: int, run: Run, event: str, content: Any) -> None:
        if not self.logger.isEnabledFor(level):
            return
        shown = (
            f": {redact(repr(content), self._secrets):.{_MAX_CONTENT}}"
            if self.content and content is not None
            else ""
        )
        line = f"{run.name} ({run.type}) {event} [{run.id[:_ID_WIDTH]}]{shown}"
        self.logger.log(level, "%s", SafeText(" ".join(line.splitlines())))


def _usage(run: Run) -> str:
    duration = ""
    if run.end_time:
        duration = f" after {(run.end_time - run.start_time).total_seconds():.2f} s"
    usage = run.usage_metadata
    if usage is None:
        return duration
    return f"{duration}, {usage_text(usage)}"


def _output(run: Run) -> Any:
    """Return the output of a run without its wrapping; of a chat model the texts."""
    match run.output:
        case {"generations": [*prompts]}:
            return [candidate["text"] for candidates in prompts for candidate in candidates]
        case {"output": output}:
            return output
        case other:
            return other
