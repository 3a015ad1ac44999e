"""The bar of a long batch in a notebook: one line of HTML that is drawn anew, and stays as text."""

from __future__ import annotations

import html
import threading
import time
from collections.abc import Callable
from uuid import uuid4

from IPython.core.getipython import get_ipython
from IPython.display import publish_display_data
from tqdm import tqdm

from chatnb.notebook.frontends import is_watched
from chatnb.runnables.progress_bar import Drawn, bar_of_terminal

_SECONDS_BETWEEN = 0.25
_QUIET = (
    "color: var(--jp-ui-font-color2, var(--vscode-descriptionForeground, #757575)); "
    "font: var(--jp-ui-font-size1, 13px)/1.5 var(--jp-ui-font-family, sans-serif); "
    "font-variant-numeric: tabular-nums; display: flex; flex-wrap: wrap; align-items: center; "
    "gap: 0 12px;"
)
_TRACK = (
    "flex: 0 1 240px; min-width: 80px; height: 4px; border-radius: 2px; overflow: hidden; "
    "background: var(--jp-border-color2, var(--vscode-editorWidget-border, #e0e0e0));"
)
_DONE = (
    "height: 100%; "
    "background: var(--jp-brand-color1, var(--vscode-progressBar-background, #2196f3));"
)
_FAILED = "height: 100%; background: var(--jp-warn-color1, #f57c00);"


class NotebookBar:
    """A bar in the output of a cell.

    Args:
        total: How many calls there are.
        clock: Seconds since 1970.
    """

    def __init__(self, total: int, clock: Callable[[], float] = time.time) -> None:
        self.n = 0
        self.start_t = self.last_print_t = clock()
        self._total = total
        self._clock = clock
        self._postfix = ""
        self._display_id: str | None = None
        self._drawn_at = 0.0

    def set_postfix_str(self, s: str = "", refresh: bool = True) -> None:
        """Say something behind the count."""
        self._postfix = s
        if refresh:
            self.refresh()

    def update(self, n: float | None = 1) -> None:
        """Draw it, unless it was drawn just now."""
        self.n += int(n or 0)
        if self._clock() - self._drawn_at >= _SECONDS_BETWEEN:
            self.refresh()

    def refresh(self) -> None:
        """Draw it, now."""
        self._drawn_at = self._clock()
        shown = bar_bundle(self.n, self._total, self._drawn_at - self.start_t, self._postfix)
        again, self._display_id = self._display_id is not None, self._display_id or uuid4().hex
        publish_display_data(shown, transient={"display_id": self._display_id}, update=again)

    def close(self) -> None:
        """Leave it as it stays: as its last state was drawn."""


def notebook_bar(total: int) -> Drawn | None:
    """Make a bar where somebody watches what runs.

    Args:
        total: How many calls there are.

    Returns:
        A bar in the cell's output, or on the terminal; None on other threads than the cell's, and
        in notebooks that programs run.
    """
    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is None:
        return bar_of_terminal(total)
    on_cell = threading.current_thread() is threading.main_thread()
    return NotebookBar(total) if on_cell and is_watched(kernel) else None


def bar_bundle(done: int, total: int, elapsed: float, said: str) -> dict[str, str]:
    """What a bar shows.

    Args:
        done: How many calls have ended.
        total: How many there are.
        elapsed: Seconds since the first began.
        said: More facts, with commas between them.

    Example:
        >>> bar_bundle(12, 50, 6.0, "80 tokens")["text/plain"]
        '12 of 50 · 2.0 a second · 00:19 left · 80 tokens'
        >>> bar_bundle(50, 50, 25.0, "")["text/plain"]
        '50 of 50 · 2.0 a second · 00:25 in all'
    """
    line = " · ".join([*_pace(done, total, elapsed), *(said.split(", ") if said else [])])
    track = _track(done, total, failed="failed" in said) if done < total else ""
    said_line = f"<span>{html.escape(line)}</span>"
    shown = f'<div class="chatnb-bar" style="{_QUIET}">{track}{said_line}</div>'
    return {"text/html": shown, "text/plain": line}


def _track(done: int, total: int, *, failed: bool) -> str:
    return (
        f'<div style="{_TRACK}" role="progressbar" aria-valuemin="0" aria-valuemax="{total}" '
        f'aria-valuenow="{done}" aria-label="Calls"><div style="{_FAILED if failed else _DONE} '
        f'width: {100 * done / total:.1f}%"></div></div>'
    )


def _pace(done: int, total: int, elapsed: float) -> list[str]:
    facts = [f"{done:,} of {total:,}"]
    if not (done and elapsed):
        return facts
    left = (total - done) * elapsed / done
    time_of = tqdm.format_interval
    ending = f"{time_of(left)} left" if done < total else f"{time_of(elapsed)} in all"
    return [*facts, f"{done / elapsed:.1f} a second", ending]
