"""A comparison while it streams: a reply widget for each model, in columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ipywidgets import GridBox, Layout

from chatnb.markdown.mimebundle import Mimebundle
from chatnb.markdown.rendering import closed_blocks
from chatnb.markdown.safe_markdown import plain_markdown
from chatnb.notebook.cell.display import ReplySink
from chatnb.notebook.cell.outputs import CellOutput, CellOutputs
from chatnb.notebook.cell.reply_widget import ReplyView
from chatnb.notebook.tables.comparison import COLUMNS, GAP, Answer, bold


class BrowserDisplay:
    """Reply widgets side by side, or below each other where it is narrow."""

    def __init__(
        self,
        page: CellOutputs,
        names: Sequence[str],
        on_stop: Callable[[], None],
        *,
        stop_with: str,
    ) -> None:
        code_model = page.code_model(stop_with)
        self._columns = [
            _Column(name, on_stop, stop_with, lambda: self._output.grow(), code_model)
            for name in names
        ]
        views = [column.view for column in self._columns]
        layout = Layout(grid_template_columns=COLUMNS, grid_gap=GAP, width="100%")
        self._grid = GridBox(views, layout=layout)
        self._grid.add_class("chatnb-comparison")
        self._output = CellOutput(page, self._grid, names, self._text, self._retire)

    def sink(self, index: int) -> ReplySink:
        """Return the column of one reply."""
        return self._columns[index]

    def end(self, index: int, answer: Answer) -> None:
        """Show a column's footer and error."""
        self._columns[index].close(answer)

    def finish(self, mimebundle: Mimebundle) -> None:
        """Replace the widgets by the final output."""
        self._output.replace(mimebundle)
        self._output.finish([mimebundle])

    def _text(self) -> str:
        titled = ((column.view.title, column.view.text) for column in self._columns)
        return closed_blocks(*(f"#### {plain_markdown(name)}\n\n{text}" for name, text in titled))

    def _retire(self) -> None:
        for column in self._columns:
            column.view.retire()
        layout = self._grid.layout
        self._grid.close()
        layout.close()


class _Column:
    """One model's reply widget, with its name above the text."""

    def __init__(
        self,
        name: str,
        on_stop: Callable[[], None],
        stop_with: str,
        on_delta: Callable[[], None],
        code_model: str,
    ) -> None:
        self.view = ReplyView(
            on_stop,
            model_name=name,
            stop_with=stop_with,
            stops_all=True,
            title=name,
            on_delta=on_delta,
            code_model=code_model,
        )
        self.append, self.append_reasoning = self.view.append, self.view.append_reasoning
        self.show_note = self.view.show_note

    def end(self) -> None:
        """Show nothing yet: `close` shows how the reply ended."""

    def close(self, answer: Answer) -> None:
        """Show how the reply ended."""
        if answer.error:
            self.append(f"\n\n{bold(answer.error)}")
        self.view.end()
        self.view.footer = answer.footer
        self.view.phase = answer.outcome
