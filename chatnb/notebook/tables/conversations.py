"""Conversations, their turns and search results, as a cell shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chatnb.conversations.markdown import conversation_markdown
from chatnb.markdown.html import SafeHtml, element, join
from chatnb.markdown.mimebundle import Mimebundle
from chatnb.markdown.safe_markdown import safe_markdown
from chatnb.notebook.widgets.formatting import aligned, count, one_line
from chatnb.notebook.widgets.html import LONG_TEXT, MUTED, MUTED_COLOR, NO_MATH, Column, table_html
from chatnb.store import Found, Node, Summary
from chatnb.terminal import SafeText

_CELL = "padding: 2px 16px 2px 0; text-align: left; vertical-align: top; white-space: nowrap;"
_LAST = f"padding: 2px 0; {LONG_TEXT}"
_NUMBER = "padding: 2px 16px 2px 0; text-align: right; vertical-align: top;"
_MARK = (
    "background: none; color: inherit; font-weight: 600; text-decoration: underline; "
    "text-underline-offset: 2px;"
)
_MAX_ROWS = 50
_MAX_CHARACTERS = 80
_SPEAKERS = {"human": "you", "ai": "model"}


def conversations_mimebundle(
    summaries: Sequence[Summary], own: str | None, current: str | None, hidden: int = 0
) -> Mimebundle:
    """Write a table of conversations; `own` is the notebook's, which cells call `main`."""
    # `hidden` counts the unnamed ones that are left out.
    if not summaries and not hidden:
        return _note("No conversations yet.")
    columns = [
        Column("Conversation", _CELL),
        Column("Turns", _NUMBER),
        Column("Last", _CELL + MUTED_COLOR),
        Column("First message", _LAST),
    ]
    rows = [_summary_row(summary, own, current) for summary in summaries[:_MAX_ROWS]]
    more = len(summaries) - len(rows)
    notice = f"And {more:,} older ones; %chat search WORDS finds messages." if more else ""
    if hidden:
        notice = f"{notice} And {count(hidden, 'unnamed panel')}: %chat list all.".strip()
    return _table(columns, rows, notice)


def found_mimebundle(found: Sequence[Found]) -> Mimebundle:
    """Write a table of search results, with the words marked in HTML."""
    if not found:
        return _note("No message has these words.")
    columns = [
        Column("Conversation", _CELL),
        Column("Role", _CELL + MUTED_COLOR),
        Column("When", _CELL + MUTED_COLOR),
        Column("Message", _LAST),
    ]
    rows = [
        (
            message.conversation,
            _SPEAKERS.get(message.role, message.role),
            _time(message.created),
            _marked(message),
        )
        for message in found
    ]
    texts = [(*row[:-1], message.snippet) for row, message in zip(rows, found, strict=True)]
    return _table(columns, rows, texts=texts)


def history_mimebundle(name: str, path: Sequence[Node], system: str | None) -> Mimebundle:
    """Write the messages of a conversation."""
    if not path:
        return _note(f"{name} has no messages yet.")
    text = conversation_markdown("", path, system)
    return {"text/plain": SafeText(text), "text/markdown": safe_markdown(text)}


def _summary_row(summary: Summary, own: str | None, current: str | None) -> tuple[str, ...]:
    roles = {"main": own, "current": current}
    notes = ", ".join(role for role, name in roles.items() if name == summary.name)
    name = f"{summary.name} ({notes})" if notes else summary.name
    first = one_line(summary.first, _MAX_CHARACTERS)
    return name, str(summary.turns), _time(summary.changed), first


def _marked(found: Found) -> SafeHtml:
    parts, start = list[str](), 0
    for begin, end in found.marks:
        word = element("mark", found.snippet[begin:end], style=_MARK)
        parts += [found.snippet[start:begin], word]
        start = end
    return join(*parts, found.snippet[start:])


def _table(
    columns: Sequence[Column],
    rows: Sequence[tuple[str, ...]],
    notice: str = "",
    texts: Sequence[tuple[str, ...]] | None = None,
) -> Mimebundle:
    """Write rows as text and as HTML; `texts` are the rows as text where the rows hold HTML."""
    titles = tuple(column.title for column in columns)
    below = element("div", notice, class_=NO_MATH, style=MUTED) if notice else ""
    lines = [aligned([titles, *(rows if texts is None else texts)]), notice]
    return {
        "text/plain": SafeText("\n".join(filter(None, lines))),
        "text/html": join(table_html(columns, rows), below),
    }


def _note(text: str) -> Mimebundle:
    shown = element("div", text, class_=NO_MATH, style=MUTED)
    return {"text/plain": SafeText(text), "text/html": shown}


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M}"
