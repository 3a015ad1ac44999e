"""A usage table as it stays in the notebook file: as HTML, as Markdown and as aligned text."""

from __future__ import annotations

import html
from collections.abc import Sequence

from chatnb.markdown.plain_text import plain_markdown
from chatnb.notebook.views.places import placed
from chatnb.notebook.views.usage_table_text import (
    NO_CALLS,
    TextTable,
    TotalLine,
    text_table,
    usage_markdown,
    usage_text,
)
from chatnb.schema.call_totals import cost_of
from chatnb.schema.model_call import ModelCall
from chatnb.schema.prices import price_list

_MOST_ROWS = 100
# JupyterLab typesets what stands between dollars in HTML, prices included, but not in these.
_CLASS = "chatnb-usage-saved tex2jax_ignore mathjax_ignore"
_STYLE = (
    "color: var(--jp-ui-font-color1, var(--vscode-foreground, inherit)); "
    "font-family: var(--jp-ui-font-family, var(--vscode-font-family, sans-serif)); "
    "font-size: var(--jp-ui-font-size1, 13px); font-variant-numeric: tabular-nums; "
    "border-collapse: collapse; margin: 0; text-align: right; white-space: nowrap"
)
_QUIET = (
    "color: var(--jp-ui-font-color2, var(--vscode-descriptionForeground, #757575)); "
    "font-size: var(--jp-ui-font-size0, 11px)"
)
_LEFT = ' style="text-align: left; white-space: nowrap"'


def usage_bundle(calls: Sequence[ModelCall], place: str = "") -> dict[str, str]:
    """Calls as text, as HTML and as Markdown.

    Args:
        calls: The rows.
        place: The name under which a browser finds the HTML, to show the live table there.

    Returns:
        `text/plain`, `text/html` and `text/markdown`, in which what prompts say is text. Long
        tables are cut, and say so; totals are always of all rows.

    Example:
        >>> usage_bundle([])["text/plain"]
        'No calls yet.'
    """
    table = text_table(calls, _MOST_ROWS)
    return {
        "text/plain": usage_text(table),
        "text/html": placed(_html(table, prices_note(calls)), _CLASS, place),
        "text/markdown": "\n\n".join([usage_markdown(table), *_quiet_markdown(calls)]),
    }


def prices_note(calls: Sequence[ModelCall]) -> str:
    """Where the prices of a table are from; nothing where it has none."""
    priced = any(not call.cached and cost_of(call) is not None for call in calls)
    return f"Costs by {price_list()}" if priced else ""


def _quiet_markdown(calls: Sequence[ModelCall]) -> list[str]:
    note = prices_note(calls)
    return [f"*{plain_markdown(note)}*"] if note else []


def _html(table: TextTable, prices: str) -> str:
    if not table.rows:
        return f'<div style="{_STYLE}">{NO_CALLS}</div>'
    aligned = [_LEFT if column.kind == "text" else "" for column in table.columns]
    head = _html_row("th", [html.escape(column.title) for column in table.columns], aligned)
    rows = (_html_row("td", list(map(_html_text, row)), aligned) for row in table.rows)
    below = (_html_row("th", _html_total(total), aligned) for total in table.totals)
    notes = "".join(
        f'<div style="{_QUIET}">{html.escape(note)}</div>'
        for note in [*table.notes, *([prices] if prices else [])]
    )
    return (
        f'<div style="overflow-x: auto"><table style="{_STYLE}"><thead>{head}</thead>'
        f"<tbody>{''.join(rows)}</tbody><tfoot>{''.join(below)}</tfoot></table></div>{notes}"
    )


def _html_total(total: TotalLine) -> list[str]:
    cells = [
        _html_text(known) + (f'<div style="{_QUIET}">{_html_text(more)}</div>' if more else "")
        for known, more in total.cells[1:]
    ]
    return [html.escape(total.label), *cells]


def _html_text(text: str) -> str:
    """A short text that stays in one line, whatever a page's own style says of cells."""
    return html.escape(text).replace(" ", "\u00a0") if len(text) < 16 else html.escape(text)


def _html_row(tag: str, cells: Sequence[str], aligned: Sequence[str]) -> str:
    made = (f"<{tag}{style}>{cell}</{tag}>" for cell, style in zip(cells, aligned, strict=True))
    return f"<tr>{''.join(made)}</tr>"
