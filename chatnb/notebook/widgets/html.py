"""The styles and the small tables that static HTML shares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import LiteralString, NamedTuple

from chatnb.markdown.html import SafeHtml, element

MUTED_COLOR = "color: var(--jp-ui-font-color2, var(--vscode-descriptionForeground, #757575));"
UI_FONT = (
    "font-family: var(--jp-ui-font-family, var(--vscode-font-family, sans-serif)); "
    "font-size: var(--jp-ui-font-size1, 13px); line-height: 1.5; "
    "font-variant-numeric: tabular-nums;"
)
MUTED = f"{MUTED_COLOR} {UI_FONT}"
"""The style of footers and notes."""
# JupyterLab typesets what stands between dollars in HTML, prices included, but not in these.
NO_MATH = "tex2jax_ignore mathjax_ignore"
LONG_TEXT = "text-align: left; vertical-align: top; min-width: 10em; overflow-wrap: anywhere;"
"""The style of cells that break anywhere, but not into a letter a line in a narrow window."""
WRAPPED = "white-space: pre-wrap; word-break: normal; overflow-wrap: anywhere;"
"""The style of text in `pre`, of which JupyterLab would break every line in mid-word."""
_TABLE = f"border-collapse: collapse; margin: 0; {UI_FONT}"


class Column(NamedTuple):
    """A column of a small table: its title, and the style of its cells."""

    title: str
    style: str


def table_html(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> SafeHtml:
    """Return a table with a head; cells that are no HTML are escaped."""
    head = element("thead", _row("th", columns, [column.title for column in columns]))
    body = element("tbody", *(_row("td", columns, row) for row in rows))
    return element("table", head, body, class_=NO_MATH, style=_TABLE)


def _row(tag: LiteralString, columns: Iterable[Column], cells: Iterable[str]) -> SafeHtml:
    pairs = zip(columns, cells, strict=True)
    return element("tr", *(element(tag, cell, style=column.style) for column, cell in pairs))
