"""The progress bar of a batch in a notebook: one line of HTML, updated in place."""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import uuid4

from tqdm import tqdm

from chatnb.concurrency.waiting import is_main_thread
from chatnb.markdown.html import SafeHtml, element
from chatnb.markdown.mimebundle import Mimebundle
from chatnb.notebook.widgets.front_end import cell_view
from chatnb.notebook.widgets.html import MUTED, NO_MATH
from chatnb.notebook.widgets.mounting import publish
from chatnb.runnables.batches.progress import Bar, terminal_bar
from chatnb.terminal import SafeText

_REDRAW_SECONDS = 0.25
_LINE = f"{MUTED} display: flex; flex-wrap: wrap; align-items: center; gap: 0 12px;"
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
    """A progress bar in the output of a cell, with the methods of tqdm's."""

    def __init__(self, total: int | None, clock: Callable[[], float] = time.time) -> None:
        self.n = 0
        self.start_t = self.last_print_t = clock()
        self._total = total
        self._clock = clock
        self._postfix = ""
        self._display_id: str | None = None
        self._drawn_at = 0.0

    def set_postfix_str(self, s: str = "", refresh: bool = True) -> None:
        """Set the text behind the count."""
        self._postfix = s
        if refresh:
            self.refresh()

    def update(self, n: float | None = 1) -> None:
        """Add to the count, and draw the bar unless it was drawn just now."""
        self.n += int(n or 0)
        if self._clock() - self._drawn_at >= _REDRAW_SECONDS:
            self.refresh()

    def refresh(self) -> None:
        """Draw the bar now."""
        self._drawn_at = self._clock()
        shown = bar_mimebundle(self.n, self._total, self._drawn_at - self.start_t, self._postfix)
        again, self._display_id = self._display_id is not None, self._display_id or uuid4().hex
        publish(shown, self._display_id, update=again)

    def close(self) -> None:
        """Leave the bar as it was last drawn."""


def notebook_bar(total: int | None) -> Bar | None:
    """Return a bar in the cell's output, or on the terminal."""
    # None on other threads than the cell's, and in notebooks that programs run.
    if (view := cell_view()) == "text":
        return terminal_bar(total)
    return NotebookBar(total) if is_main_thread() and view == "live" else None


def bar_mimebundle(done: int, total: int | None, elapsed: float, postfix: str) -> Mimebundle:
    """Write a bar as HTML and as text; without a track, if the total is not known."""
    line = " · ".join([*_pace(done, total, elapsed), *(postfix.split(", ") if postfix else [])])
    track = _track(done, total, failed="failed" in postfix) if total and done < total else ""
    shown = element(
        "div", track, element("span", line), class_=f"chatnb-bar {NO_MATH}", style=_LINE
    )
    return {"text/html": shown, "text/plain": SafeText(line)}


def _track(done: int, total: int, *, failed: bool) -> SafeHtml:
    width = f"width: {100 * done / total:.1f}%"
    return element(
        "div",
        element("div", style=f"{_FAILED if failed else _DONE} {width}"),
        style=_TRACK,
        role="progressbar",
        aria_valuemin=0,
        aria_valuemax=total,
        aria_valuenow=done,
        aria_label="Calls",
    )


def _pace(done: int, total: int | None, elapsed: float) -> list[str]:
    facts = [f"{done:,}" if total is None else f"{done:,} of {total:,}"]
    if not (done and elapsed):
        return facts
    if total is None:
        spent = tqdm.format_interval(elapsed)
        return [*facts, f"{done / elapsed:.1f} a second", f"{spent} so far"]
    left = (total - done) * elapsed / done
    time_of = tqdm.format_interval
    ending = f"{time_of(left)} left" if done < total else f"{time_of(elapsed)} in all"
    return [*facts, f"{done / elapsed:.1f} a second", ending]
