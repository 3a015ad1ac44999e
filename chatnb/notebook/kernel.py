"""The event loop of the kernel's main thread, which other threads wake for work."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from IPython.core.getipython import get_ipython

from chatnb.concurrency.main_thread import main_thread_work
from chatnb.concurrency.waiting import post


def wake_main_loop() -> None:
    """Have the kernel do the work for its main thread as soon as that is idle or awaits."""
    # In a terminal without a kernel the main thread waits itself, or runs no loop.
    kernel: Any = getattr(get_ipython(), "kernel", None)
    loop = getattr(getattr(kernel, "io_loop", None), "asyncio_loop", None)
    if loop is not None and not main_thread_work.is_awaited:
        post(loop, _run_pending)


_within_cell = 0


@contextmanager
def within_cell() -> Generator[None]:
    """Mark code that runs within a cell: IPython takes its end for that of a cell."""
    global _within_cell
    _within_cell += 1
    try:
        yield
    finally:
        _within_cell -= 1


def is_within_cell() -> bool:
    """Return whether the code that ends is not a cell of the notebook."""
    return _within_cell > 0


def _run_pending() -> None:
    try:
        main_thread_work.run_when_idle()
    except KeyboardInterrupt:
        # Whoever wanted the work gets it; raised here, it would end the kernel's event loop.
        return
