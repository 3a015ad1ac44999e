"""Who is told of runs."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Protocol

from chatnb.tracing.run import Run

_log = logging.getLogger("chatnb.tracing")


class RunHandler(Protocol):
    """What is told of runs, in `config["callbacks"]` for one call or by `add_handler` for all.

    Each method may be left out, and may be a coroutine function. What one raises is logged and
    does not disturb the run.
    """

    def on_start(self, run: Run) -> object:
        """A run starts; `run.type` says what it is of."""
        ...

    def on_token(self, run: Run, chunk: Any) -> object:
        """A chat model streams a chunk."""
        ...

    def on_retry(self, run: Run, attempt: int, error: BaseException, pause: float) -> object:
        """An attempt failed and there will be another.

        Args:
            run: The run that tries again; the attempts are runs beneath it.
            attempt: The number of the attempt that failed, from 1.
            error: Why it failed.
            pause: Seconds until the next one.
        """
        ...

    def on_end(self, run: Run) -> object:
        """A run has given its output."""
        ...

    def on_error(self, run: Run) -> object:
        """A run broke off: `run.error` says why, and whether it was only stopped."""
        ...


_everywhere: list[Any] = []


def add_handler(handler: Any) -> None:
    """Tell a handler of every run of this process from now on.

    Args:
        handler: A `RunHandler`, or something with some of its methods.

    Example:
        >>> class Names:
        ...     def on_start(self, run):
        ...         print(run.name)
        >>> from chatnb.runnables import RunnableLambda
        >>> add_handler(names := Names())
        >>> RunnableLambda(str.strip).invoke(" a ")
        strip
        'a'
        >>> remove_handler(names)
    """
    _everywhere.append(handler)


def remove_handler(handler: Any) -> None:
    """Tell a handler of no more runs.

    Raises:
        ValueError: If it was not added.
    """
    _everywhere.remove(handler)


@contextmanager
def handling(handler: Any) -> Generator[None]:
    """Tell a handler of every run of this process within the block."""
    add_handler(handler)
    try:
        yield
    finally:
        remove_handler(handler)


def handlers_everywhere() -> list[Any]:
    """The handlers that are told of every run."""
    return _everywhere


def report(handler: Any, event: str) -> None:
    """Log what a handler raised; called while it is handled."""
    _log.exception("The handler %r failed in %s", handler, event)
