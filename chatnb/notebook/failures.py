"""How a cell fails: in one line that says what happened and what to do."""

from __future__ import annotations

from typing import TypeVar

E = TypeVar("E", bound=BaseException)


class ReplyInterrupted(KeyboardInterrupt):
    """The kernel was interrupted while a reply streamed; what had come of it is kept."""

    def __init__(self) -> None:
        super().__init__("the reply was stopped and what had come of it is kept")


def in_one_line(error: E) -> E:
    """Make IPython show an error as one line, without the frames that led to it.

    Args:
        error: The error to raise from a magic; its type stays, so that tests can tell.

    Returns:
        The same error.

    Example:
        >>> in_one_line(ValueError("no"))._render_traceback_()
        ['ValueError: no']
    """
    line = f"{type(error).__name__}: {error}"
    error._render_traceback_ = lambda: [line]  # type: ignore[attr-defined]
    return error
