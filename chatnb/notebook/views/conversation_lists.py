"""Conversations, their turns and what was found in them, as a cell shows them."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from chatnb.conversations.writing import conversation_markdown
from chatnb.markdown.safe_markdown import safe_markdown
from chatnb.notebook.control_characters import made_visible
from chatnb.store import Found, Node, Summary

_FONT = (
    "font-family: var(--jp-ui-font-family, var(--vscode-font-family, sans-serif)); "
    "font-size: var(--jp-ui-font-size1, 13px); line-height: 1.5; "
    "font-variant-numeric: tabular-nums;"
)
_TABLE = f"border-collapse: collapse; margin: 0; {_FONT}"
_CELL = "padding: 2px 16px 2px 0; text-align: left; vertical-align: top; white-space: nowrap;"
_LAST = "padding: 2px 0; text-align: left; vertical-align: top; overflow-wrap: anywhere;"
_NUMBER = "padding: 2px 16px 2px 0; text-align: right; vertical-align: top;"
_QUIET = "color: var(--jp-ui-font-color2, var(--vscode-descriptionForeground, #757575));"
_MARK = (
    "background: none; color: inherit; font-weight: 600; text-decoration: underline; "
    "text-underline-offset: 2px;"
)
_MOST_ROWS = 50
_LONGEST = 80
_SPEAKERS = {"human": "you", "ai": "model"}


class _Column(NamedTuple):
    title: str
    style: str


def conversations_bundle(
    kept: Sequence[Summary], own: str | None, current: str | None
) -> dict[str, str]:
    """A table of conversations.

    Args:
        kept: The conversations, the last first.
        own: The name of the notebook's own one, which cells call `main`.
        current: The name of the one that cells go on with.

    Returns:
        `text/plain` and `text/html`.

    Example:
        >>> kept = [Summary("ideas", "", 2, 0.0, 0.0, "A name for a boat?", {})]
        >>> print(conversations_bundle(kept, None, "ideas")["text/plain"])  # doctest: +ELLIPSIS
        Conversation     Turns  Last              Begins with
        ideas (goes on)  2      19...  A name for a boat?
    """
    if not kept:
        return _line("No conversation is kept yet.")
    columns = [
        _Column("Conversation", _CELL),
        _Column("Turns", _NUMBER),
        _Column("Last", _CELL + _QUIET),
        _Column("Begins with", _LAST),
    ]
    rows = [_summary_row(said, own, current) for said in kept[:_MOST_ROWS]]
    more = len(kept) - len(rows)
    notice = f"And {more:,} earlier; %chat search WORDS finds what was said." if more else ""
    return _table(columns, rows, html.escape, notice)


def _summary_row(said: Summary, own: str | None, current: str | None) -> tuple[str, ...]:
    name = said.name + _place(said.name, own, current)
    return name, str(said.turns), _when(said.changed), _cut(said.first)


def _place(name: str, own: str | None, current: str | None) -> str:
    places = [*(["main"] if name == own else []), *(["goes on"] if name == current else [])]
    return f" ({', '.join(places)})" if places else ""


def found_bundle(found: Sequence[Found]) -> dict[str, str]:
    """A table of messages that hold the words that were searched.

    Args:
        found: The messages, the best first.

    Returns:
        `text/plain` and `text/html`; the words are marked in the latter.

    Example:
        >>> found_bundle([])["text/plain"]
        'Nothing that was said has these words.'
    """
    if not found:
        return _line("Nothing that was said has these words.")
    columns = [
        _Column("Conversation", _CELL),
        _Column("Who", _CELL + _QUIET),
        _Column("When", _CELL + _QUIET),
        _Column("Said", _LAST),
    ]
    marked = {each.snippet: _with_marks(each) for each in found}
    rows = [
        (each.conversation, _SPEAKERS.get(each.role, each.role), _when(each.created), each.snippet)
        for each in found
    ]
    return _table(columns, rows, lambda cell: marked.get(cell) or html.escape(cell))


def _with_marks(found: Found) -> str:
    parts, at = list[str](), 0
    for begin, end in found.marks:
        word = html.escape(found.snippet[begin:end])
        parts += [html.escape(found.snippet[at:begin]), f'<mark style="{_MARK}">{word}</mark>']
        at = end
    return "".join([*parts, html.escape(found.snippet[at:])])


def history_bundle(name: str, path: Sequence[Node], system: str | None) -> dict[str, str]:
    """What was said in a conversation.

    Args:
        name: What it is called.
        path: The messages in order.
        system: What the model was told first.

    Returns:
        `text/plain`, and `text/markdown` in which nothing can act.

    Example:
        >>> history_bundle("ideas", [], None)["text/plain"]
        'Nothing was said in ideas yet.'
    """
    if not path:
        return _line(f"Nothing was said in {name} yet.")
    text = conversation_markdown("", path, system)
    return {"text/plain": made_visible(text), "text/markdown": safe_markdown(text)}


def _table(
    columns: Sequence[_Column],
    rows: Sequence[tuple[str, ...]],
    shown: Callable[[str], str],
    notice: str = "",
) -> dict[str, str]:
    head = "".join(f'<th style="{style}">{title}</th>' for title, style in columns)
    styles = [column.style for column in columns]
    body = "".join(f"<tr>{''.join(map(_html_cell, styles, map(shown, row)))}</tr>" for row in rows)
    table = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    below = f'<div style="{_FONT} {_QUIET}">{html.escape(notice)}</div>' if notice else ""
    text = "\n".join([_aligned([tuple(c.title for c in columns), *rows]), *filter(None, [notice])])
    return {"text/plain": text, "text/html": f'<table style="{_TABLE}">{table}</table>{below}'}


def _html_cell(style: str, shown: str) -> str:
    return f'<td style="{style}">{shown}</td>'


def _aligned(table: Sequence[tuple[str, ...]]) -> str:
    cells = [[made_visible(cell) for cell in row] for row in table]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


def _line(text: str) -> dict[str, str]:
    return {
        "text/plain": text,
        "text/html": f'<div style="{_FONT} {_QUIET}">{html.escape(text)}</div>',
    }


def _when(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M}"


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
