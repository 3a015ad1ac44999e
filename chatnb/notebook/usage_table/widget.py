"""The widget of a usage table, and its state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NotRequired, TypedDict

import traitlets

from chatnb.notebook.usage_table.columns import COLUMNS, Column, Kind
from chatnb.notebook.usage_table.summary import sum_up
from chatnb.notebook.widgets.base import ComputedTrait, MountedWidget, static_file
from chatnb.notebook.widgets.formatting import one_line
from chatnb.runnables.batches.checkpoint_calls import CheckpointCalls
from chatnb.schema.model_call import ModelCall

_MAX_CHARACTERS = 200
_MAX_BROWSER_ROWS = 10_000
_DECIMALS = {"dollars": 9, "seconds": 6}


class ColumnState(TypedDict):
    """A column; texts are indexes into `words`, flags are the indexes of the rows with them."""

    name: str
    title: str
    kind: Kind
    values: list[float | None]
    words: NotRequired[list[str]]


class TableState(TypedDict):
    """A table with `length` rows, and a note with the source of its prices."""

    length: int
    note: str
    columns: list[ColumnState]


def table_state(calls: Sequence[ModelCall]) -> TableState:
    """Return the state of a table, with the columns in which some value is known."""
    summary = sum_up(calls)
    shown = summary.columns
    columns = [c for c in COLUMNS if c in shown or (not c.title and any(map(c.value, calls)))]
    return {
        "length": len(calls),
        "note": summary.prices_note,
        "columns": [_column_state(column, list(map(column.value, calls))) for column in columns],
    }


def _column_state(column: Column, values: Sequence[Any]) -> ColumnState:
    state = ColumnState(name=column.name, title=column.title, kind=column.kind, values=[])
    if column.kind == "text":
        words: dict[str, int] = {}
        lines = (None if value is None else one_line(value, _MAX_CHARACTERS) for value in values)
        indexes: list[float | None] = [
            None if line is None else words.setdefault(line, len(words)) for line in lines
        ]
        state["values"], state["words"] = indexes, list(words)
    elif column.kind == "flag":
        state["values"] = [index for index, flag in enumerate(values) if flag]
    elif column.kind == "count":
        state["values"] = list(values)
    else:
        decimals = _DECIMALS[column.kind]
        state["values"] = [None if value is None else round(value, decimals) for value in values]
    return state


class UsageTableView(MountedWidget):
    """A usage table in the browser, which has all rows and requests nothing."""

    _esm = static_file("usage_table.js")
    _css = static_file("usage_table.css")

    table = ComputedTrait[TableState](lambda table: table_state(table.browser_rows)).tag(sync=True)
    selected = traitlets.List(traitlets.Int()).tag(sync=True)
    """The indexes of the selected rows."""
    value = ComputedTrait[list[ModelCall]](lambda table: table._selected_calls())
    """The calls of the selected rows."""

    def __init__(self, calls: Sequence[ModelCall]) -> None:
        self.rows = calls
        super().__init__()

    @property
    def is_paged(self) -> bool:
        """True if the calls stay in their file, and the browser gets the first of them at most."""
        return isinstance(self.rows, CheckpointCalls)

    @property
    def browser_rows(self) -> Sequence[ModelCall]:
        """The calls that the browser gets."""
        return self.rows[:_MAX_BROWSER_ROWS] if self.is_paged else self.rows

    @traitlets.observe("selected")
    def _on_select(self, _: object) -> None:
        self.notify()

    def _selected_calls(self) -> list[ModelCall]:
        return [self.rows[index] for index in self.selected if 0 <= index < len(self.rows)]
