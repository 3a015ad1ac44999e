"""A comparison while it streams: a view of a reply for each model, in columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from IPython.display import publish_display_data
from ipywidgets import GridBox, Layout

from chatnb.notebook.turn import ReplySink
from chatnb.notebook.views.comparison import COLUMNS, GAP, Answer, bold
from chatnb.notebook.views.reply import ReplyView


class Columns:
    """Views of replies side by side, or below each other where it is narrow.

    Args:
        names: What the cell calls the models.
        on_stop: Called, on any thread, when someone presses Stop in any of them.
        stop_with: As `ReplyView` takes it.
    """

    def __init__(
        self, names: Sequence[str], on_stop: Callable[[], None], *, stop_with: str
    ) -> None:
        self._columns = [_Column(name, on_stop, stop_with) for name in names]
        views = [column.view for column in self._columns]
        layout = Layout(grid_template_columns=COLUMNS, grid_gap=GAP, width="100%")
        self._grid = GridBox(views, layout=layout)
        self._display_id = uuid4().hex
        shown = {"version_major": 2, "version_minor": 0, "model_id": self._grid.model_id}
        self._publish(
            {
                "application/vnd.jupyter.widget-view+json": shown,
                "text/plain": f"{', '.join(names)} are replying.",
            }
        )

    def sink(self, place: int) -> ReplySink:
        """The column of one reply."""
        return self._columns[place]

    def ended(self, place: int, answer: Answer) -> None:
        """Write under a column what it took, and what went wrong."""
        self._columns[place].close(answer)

    def finish(self, bundle: dict[str, str]) -> None:
        """Put what stays in the place of the widgets."""
        self._publish(bundle, update=True)
        for column in self._columns:
            column.view.retire()
        layout = self._grid.layout
        self._grid.close()
        layout.close()

    def _publish(self, bundle: dict[str, Any], *, update: bool = False) -> None:
        publish_display_data(bundle, transient={"display_id": self._display_id}, update=update)


class _Column:
    """One model's view, with its name above the text."""

    def __init__(self, name: str, on_stop: Callable[[], None], stop_with: str) -> None:
        self.view = ReplyView(on_stop, model_name=name, stop_with=stop_with, stops_all=True)
        self._title = f"{bold(name)}\n\n"
        self._begun = False

    def append(self, text: str) -> None:
        """Show the next piece of text."""
        if not self._begun:
            self._begun = True
            text = self._title + text
        self.view.append(text)

    def end(self) -> None:
        """Wait for how it ended, which is shown last."""

    def close(self, answer: Answer) -> None:
        """Show how it ended."""
        if answer.error:
            self.append(f"\n\n{bold(answer.error)}")
        self.view.end()
        self.view.model_name = " · ".join(filter(None, [answer.name, answer.took]))
        self.view.phase = answer.outcome
