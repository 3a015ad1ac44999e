"""Why a run broke off, as logs have it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from traceback import FrameSummary, StackSummary, TracebackException

from chatnb.schema.run_state import RunFailure

_PACKAGE = str(Path(__file__).parents[1]) + os.sep


def failure_of(exception: BaseException) -> RunFailure:
    """Write down why a run broke off.

    A cancellation, an interrupt and a reader that closes the stream are no failures: they count as
    stopped. The traceback leaves out this package's own steps and names files without the folders
    of this machine, for logs are saved and passed on.

    Args:
        exception: What was raised.

    Returns:
        Its class, message and traceback; no traceback of what was only stopped.

    Example:
        >>> failure = failure_of(ValueError("No such city."))
        >>> failure["type"], failure["message"], failure["stopped"]
        ('ValueError', 'No such city.', False)
    """
    stopped = not isinstance(exception, Exception)
    told = TracebackException.from_exception(exception)
    _shorten(told)
    return RunFailure(
        type=type(exception).__name__,
        message=str(exception) or ("The run was stopped." if stopped else ""),
        traceback="" if stopped else "".join(told.format()),
        stopped=stopped,
    )


def _shorten(told: TracebackException) -> None:
    frames = [frame for frame in told.stack if not frame.filename.startswith(_PACKAGE)]
    told.stack = StackSummary.from_list([_shortened(frame) for frame in frames])
    for before in (told.__cause__, told.__context__):
        if before is not None:
            _shorten(before)


def _shortened(frame: FrameSummary) -> FrameSummary:
    return FrameSummary(_place(frame.filename), frame.lineno, frame.name, line=frame.line)


def _place(filename: str) -> str:
    """A file's path below the folder that it is imported from; otherwise its name."""
    for folder in sorted(filter(None, sys.path), key=len, reverse=True):
        if filename.startswith(folder + os.sep):
            return filename[len(folder) + 1 :]
    return Path(filename).name
