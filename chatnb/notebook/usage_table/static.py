"""A usage table in the notebook file: as HTML, Markdown and aligned text."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import LiteralString, NamedTuple

from chatnb.markdown.html import SafeHtml, element, join
from chatnb.markdown.mimebundle import Mimebundle
from chatnb.markdown.safe_markdown import (
    SafeMarkdown,
    join_blocks,
    plain_markdown,
    safe_markdown,
)
from chatnb.notebook.usage_table.columns import CellWriter, Column, calls_summary
from chatnb.notebook.usage_table.summary import sum_up
from chatnb.notebook.widgets.formatting import markdown_table, one_line
from chatnb.notebook.widgets.html import MUTED_COLOR, NO_MATH
from chatnb.notebook.widgets.mounting import mount_point
from chatnb.schema.model_call import ModelCall
from chatnb.terminal import SafeText

NO_CALLS = "No calls yet."
MAX_ROWS = 100
_MAX_CHARACTERS = 48
_STYLE = (
    "color: var(--jp-ui-font-color1, var(--vscode-foreground, inherit)); "
    "font-family: var(--jp-ui-font-family, var(--vscode-font-family, sans-serif)); "
    "font-size: var(--jp-ui-font-size1, 13px); font-variant-numeric: tabular-nums; "
    "border-collapse: collapse; margin: 0; text-align: right; white-space: nowrap"
)
_NOTE = f"{MUTED_COLOR} font-size: var(--jp-ui-font-size0, 11px)"
_LEFT = "text-align: left; white-space: nowrap"


class TotalLine(NamedTuple):
    """A line of totals: its label, and the total and the note of unknown values per column."""

    label: str
    cells: list[tuple[str, str]]

    def joined(self) -> list[str]:
        """Return each cell as one text; the label is in the first column."""
        return [self.label, *(" ".join(filter(None, cell)) for cell in self.cells[1:])]


class TextTable(NamedTuple):
    """The text of a table: columns, rows of cells, totals, and notes."""

    columns: list[Column]
    rows: list[list[str]]
    totals: list[TotalLine]
    notes: list[str]
    prices_note: str


def usage_mimebundle(calls: Sequence[ModelCall], mount: str = "") -> Mimebundle:
    """Write calls as text, HTML and Markdown; long tables are cut, totals are of all rows."""
    table = text_table(calls, MAX_ROWS)
    note = table.prices_note
    class_name = f"chatnb-usage-saved {NO_MATH}"
    prices = [f"*{plain_markdown(note)}*"] if note else []
    return {
        "text/plain": usage_plain_text(table),
        "text/html": mount_point(_html(table, note), class_name, mount),
        "text/markdown": join_blocks(usage_markdown(table), *prices),
    }


def text_table(calls: Sequence[ModelCall], max_rows: int | None = None) -> TextTable:
    """Return the text of every cell of a table, of at most `max_rows` rows."""
    summary = sum_up(calls)
    columns, writer = summary.columns, CellWriter(summary.price_digits)
    shown = calls if max_rows is None else calls[:max_rows]
    rows = [[_cell(writer, column, call) for column in columns] for call in shown]
    totals = [
        TotalLine(
            f"{label} · {calls_summary(total)}", [writer.total(column, total) for column in columns]
        )
        for label, total in summary.totals
    ]
    notes = [f"… and {more:,} more calls"] if (more := len(calls) - len(shown)) else []
    return TextTable(columns, rows, totals, notes, summary.prices_note)


def usage_plain_text(table: TextTable) -> SafeText:
    """Write a table as aligned text."""
    if not table.rows:
        return SafeText(NO_CALLS)
    head = [column.title for column in table.columns]
    totals = [total.joined() for total in table.totals]
    widths = [max(map(_width, column)) for column in zip(head, *table.rows, *totals, strict=True)]
    rule = "  ".join("─" * width for width in widths)
    left = [column.kind == "text" for column in table.columns]

    def line(cells: Sequence[str]) -> str:
        padded = zip(cells, widths, left, strict=True)
        return "  ".join(_pad(*each) for each in padded).rstrip()

    lines = [line(head), rule, *map(line, table.rows), *table.notes]
    return SafeText("\n".join([*lines, *([rule, *map(line, totals)] if totals else [])]))


def usage_markdown(table: TextTable) -> SafeMarkdown:
    """Write a table as Markdown, in which prompts and models are escaped."""
    if not table.rows:
        return safe_markdown(NO_CALLS)
    head = [column.title for column in table.columns]
    ruler = ["---" if column.kind == "text" else "---:" for column in table.columns]
    rows = [[plain_markdown(cell) for cell in row] for row in table.rows]
    totals = [
        [f"**{plain_markdown(cell)}**" if cell else "" for cell in total.joined()]
        for total in table.totals
    ]
    return join_blocks(markdown_table([head, ruler, *rows, *totals]), *table.notes)


def _cell(writer: CellWriter, column: Column, call: ModelCall) -> str:
    cell = writer.cell(column, call)
    return one_line(cell, _MAX_CHARACTERS) if column.kind == "text" else cell


def _pad(cell: str, width: int, left: bool) -> str:
    space = " " * (width - _width(cell))
    return cell + space if left else space + cell


def _width(text: str) -> int:
    """Return the width of a text in the columns of a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


def _html(table: TextTable, prices: str) -> SafeHtml:
    if not table.rows:
        return element("div", NO_CALLS, style=f"{_STYLE}; text-align: left")
    styles = [_LEFT if column.kind == "text" else None for column in table.columns]
    head = _html_row("th", [column.title for column in table.columns], styles)
    rows = (_html_row("td", list(map(_unbroken, row)), styles) for row in table.rows)
    totals = (_html_row("th", _html_totals(total), styles) for total in table.totals)
    body = [element("thead", head), element("tbody", *rows), element("tfoot", *totals)]
    shown = element("div", element("table", *body, style=_STYLE), style="overflow-x: auto")
    notes = [element("div", note, style=_NOTE) for note in [*table.notes, prices] if note]
    return join(shown, *notes)


def _html_totals(total: TotalLine) -> list[str]:
    cells = [
        join(_unbroken(known), element("div", _unbroken(note), style=_NOTE) if note else "")
        for known, note in total.cells[1:]
    ]
    return [total.label, *cells]


def _html_row(tag: LiteralString, cells: Sequence[str], styles: Sequence[str | None]) -> SafeHtml:
    pairs = zip(cells, styles, strict=True)
    return element("tr", *(element(tag, cell, style=style) for cell, style in pairs))


def _unbroken(text: str) -> str:
    # Short texts stay on one line, whatever a page's own style does to cells.
    return text.replace(" ", "\u00a0") if len(text) < 16 else text
