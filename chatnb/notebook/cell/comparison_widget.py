"""The widget of a comparison, with a column for each model, and the output of its cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypedDict

import traitlets

from chatnb.markdown.mimebundle import Mimebundle
from chatnb.markdown.rendering import closed_blocks
from chatnb.markdown.safe_markdown import plain_markdown
from chatnb.notebook.cell.display import ReplySink
from chatnb.notebook.cell.outputs import CellOutput, CellOutputs
from chatnb.notebook.cell.reply_widget import (
    Delta,
    ReplyState,
    StreamedWidget,
    snapshot_schedule,
)
from chatnb.notebook.tables.comparison import Answer, grid_columns
from chatnb.notebook.widgets.tool_calls import ItemToolCall


class ColumnState(TypedDict):
    """A column without its text: the model's name, and how far its reply has come."""

    model_name: str
    phase: str
    footer: str
    note: str


class ColumnDelta(Delta):
    """The next text of a column."""

    column: int


class ComparisonView(StreamedWidget):
    """Replies of several models as they stream: side by side, or below each other if narrow."""

    columns = traitlets.List(traitlets.Dict()).tag(sync=True)
    snapshots = traitlets.List(traitlets.Dict()).tag(sync=True)
    # Apart from the columns, which are sent again as each of them goes on.
    media = traitlets.List(traitlets.List(traitlets.Unicode())).tag(sync=True)
    grid_columns = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self, names: Sequence[str], on_stop: Callable[[], None], *, stop_with: str, **options: Any
    ) -> None:
        self._names = list(names)
        self._states = [ReplyState() for _ in names]
        # All snapshots travel together, so that one schedule bounds their cost.
        self._schedule = snapshot_schedule(can_ask=stop_with == "message")
        super().__init__(
            on_stop,
            stop_with=stop_with,
            columns=[
                ColumnState(model_name=name, phase="waiting", footer="", note="") for name in names
            ],
            snapshots=[state.snapshot() for state in self._states],
            media=[[] for _ in names],
            grid_columns=grid_columns(len(names)),
            **options,
        )

    def sink(self, index: int) -> ReplySink:
        """Return the receiver of a column's reply."""
        return _Column(self, self._states[index], index)

    def end_column(self, index: int, answer: Answer) -> None:
        """Show how a column's reply ended."""
        self.flush()
        self._states[index].end(answer.below)
        self.snapshots = self._current_snapshots()
        if answer.media:
            media = [*self.media]
            media[index] = answer.media_urls
            self.media = media
        self.change_column(index, phase=answer.outcome, footer=answer.footer)

    def change_column(self, index: int, **changes: str) -> None:
        """Change the state of a column."""
        self.columns = [
            {**column, **changes} if number == index else column
            for number, column in enumerate(self.columns)
        ]

    @property
    def texts(self) -> dict[str, str]:
        """The text of each model so far."""
        return {name: state.text for name, state in zip(self._names, self._states, strict=True)}

    def _send_new(self) -> bool:
        deltas = {index: state.take_delta() for index, state in enumerate(self._states)}
        for index, delta in deltas.items():
            if delta is None:
                continue
            if self.columns[index]["phase"] == "waiting":
                self.change_column(index, phase="streaming")
            self._send_delta(ColumnDelta(**delta, column=index))
        if self._schedule.is_due(sum(state.sent_length for state in self._states)):
            self.snapshots = self._current_snapshots()
        return any(deltas.values())

    def _current_snapshots(self) -> list[Any]:
        return [self._timed(state.snapshot()) for state in self._states]

    async def _send_snapshot(self) -> None:
        self.set_trait("snapshots", self._current_snapshots())
        self.send_state("snapshots")


class _Column:
    """The receiver of the reply in one column."""

    def __init__(self, view: ComparisonView, state: ReplyState, index: int) -> None:
        self._view, self._state, self._index = view, state, index

    def append(self, text: str) -> None:
        """Show the next text."""
        self._state.push(text)
        self._view.wake()

    def append_reasoning(self, text: str) -> None:
        """Show the next text of the reasoning."""
        self._state.push_reasoning(text)
        self._view.wake()

    def show_note(self, text: str) -> None:
        """Show a note while the reply is waited for."""
        self._view.change_column(self._index, note=text)

    def show_calls(self, calls: Sequence[ItemToolCall]) -> None:
        """Show nothing: the chat's own tools need no approval, and its answer tells of them."""

    def end(self) -> None:
        """Show nothing yet: `end_column` shows how the reply ended."""


class BrowserDisplay:
    """The widget while the replies stream, plain columns afterwards."""

    def __init__(
        self,
        page: CellOutputs,
        names: Sequence[str],
        on_stop: Callable[[], None],
        *,
        stop_with: str,
    ) -> None:
        self._view = view = ComparisonView(
            names,
            on_stop,
            stop_with=stop_with,
            on_delta=lambda: self._output.grow(),
            code_model=page.code_model(stop_with),
        )
        self.sink, self.end = view.sink, view.end_column
        self._output = CellOutput(page, view, names, self._text, view.retire)

    def finish(self, mimebundle: Mimebundle) -> None:
        """Replace the widget by the final output."""
        self._output.replace(mimebundle)
        self._output.finish([mimebundle])

    def _text(self) -> str:
        titled = self._view.texts.items()
        return closed_blocks(*(f"#### {plain_markdown(name)}\n\n{text}" for name, text in titled))
