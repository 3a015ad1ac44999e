"""A usage table as text: cell by cell, aligned, and as Markdown."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from chatnb.markdown.plain_text import plain_markdown
from chatnb.markdown.safe_markdown import safe_markdown
from chatnb.notebook.views.usage_table_columns import (
    CellWriter,
    Column,
    one_line,
    shown_columns,
    told_of,
)
from chatnb.schema.call_totals import CallTotals, calls_by_model, totals_of
from chatnb.schema.model_call import ModelCall

NO_CALLS = "No calls yet."
_MOST_MODELS = 20
_LONGEST_TEXT = 48


class TotalLine(NamedTuple):
    """A line below the rows: whose it is, and what stands below each column."""

    label: str
    cells: list[tuple[str, str]]

    def joined(self) -> list[str]:
        """Each cell as one text; the label stands in the first column."""
        return [self.label, *(" ".join(filter(None, cell)) for cell in self.cells[1:])]


class TextTable(NamedTuple):
    """The text of a table.

    Args:
        columns: The columns that are shown.
        rows: The cells, row by row.
        totals: The lines below them.
        notes: What is to say of the table.
    """

    columns: list[Column]
    rows: list[list[str]]
    totals: list[TotalLine]
    notes: list[str]


def text_table(calls: Sequence[ModelCall], most_rows: int | None = None) -> TextTable:
    """The text of every cell of a table.

    Args:
        calls: The rows.
        most_rows: The most of them to write; all without it.
    """
    columns, writer = shown_columns(calls), CellWriter(calls)
    shown = calls if most_rows is None else calls[:most_rows]
    rows = [[_cell(writer, column, call) for column in columns] for call in shown]
    totals = [_total(columns, writer, *each) for each in _summed(calls)]
    notes = [f"… and {more:,} more calls"] if (more := len(calls) - len(shown)) else []
    return TextTable(columns, rows, totals, notes)


def usage_text(table: TextTable) -> str:
    """A table as text, aligned.

    Args:
        table: The table.
    """
    if not table.rows:
        return NO_CALLS
    head = [column.title for column in table.columns]
    below = [total.joined() for total in table.totals]
    widths = [max(map(_width, column)) for column in zip(head, *table.rows, *below, strict=True)]
    rule = "  ".join("─" * width for width in widths)
    left = [column.kind == "text" for column in table.columns]

    def line(cells: Sequence[str]) -> str:
        padded = zip(cells, widths, left, strict=True)
        return "  ".join(_pad(*each) for each in padded).rstrip()

    lines = [line(head), rule, *map(line, table.rows), *table.notes]
    return "\n".join([*lines, *([rule, *map(line, below)] if below else [])])


def usage_markdown(table: TextTable) -> str:
    """A table as Markdown.

    Args:
        table: The table.

    Returns:
        Markdown in which all that prompts and models say is text.
    """
    if not table.rows:
        return NO_CALLS
    head = [column.title for column in table.columns]
    ruler = ["---" if column.kind == "text" else "---:" for column in table.columns]
    rows = [[plain_markdown(cell) for cell in row] for row in table.rows]
    below = [
        [f"**{plain_markdown(cell)}**" if cell else "" for cell in total.joined()]
        for total in table.totals
    ]
    lines = [f"| {' | '.join(cells)} |" for cells in (head, ruler, *rows, *below)]
    return safe_markdown("\n".join(lines)) + "".join(f"\n\n{note}" for note in table.notes)


def _cell(writer: CellWriter, column: Column, call: ModelCall) -> str:
    cell = writer.cell(column, call)
    return one_line(cell, _LONGEST_TEXT) if column.kind == "text" else cell


def _summed(calls: Sequence[ModelCall]) -> Iterator[tuple[str, CallTotals]]:
    """The lines below a table: one a model, where there are several, and one for all."""
    if len(calls) < 2:
        return
    by_model = calls_by_model(calls)
    if len(by_model) > 1:
        for model in list(by_model)[:_MOST_MODELS]:
            yield one_line(model, _LONGEST_TEXT) or "unknown model", totals_of(by_model[model])
        rest = [call for some in list(by_model.values())[_MOST_MODELS:] for call in some]
        if rest:
            yield f"{len(by_model) - _MOST_MODELS:,} more models", totals_of(rest)
    yield "Total", totals_of(calls)


def _total(
    columns: Sequence[Column], writer: CellWriter, label: str, totals: CallTotals
) -> TotalLine:
    cells = [writer.total(column, totals) for column in columns]
    return TotalLine(f"{label} · {told_of(totals)}", cells)


def _pad(cell: str, width: int, left: bool) -> str:
    space = " " * (width - _width(cell))
    return cell + space if left else space + cell


def _width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )
