"""Full-text search in the messages of a store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chatnb.store.database import Database
from chatnb.store.rows import TYPE, clean_text

_BEGIN, _END = "\x02", "\x03"
_SNIPPET_TOKENS = 16
_SNIPPET_CHARACTERS = 100
_COLUMNS = f"c.name, n.id, {TYPE}, n.created"
_FROM = "JOIN conversations AS c ON c.number = n.conversation WHERE n.hidden = 0"


@dataclass(frozen=True)
class Found:
    """A message that contains the words of a search.

    Args:
        conversation: The name of its conversation.
        node_id: The id of the message.
        role: `human`, `ai`, `tool`...
        created: Its time, in seconds since 1970.
        snippet: The words with the text around them, on one line.
        marks: Positions of the words in the snippet, as (begin, end).

    Example:
        >>> Found("trip", "n1", "human", 0.0, "Where to?", [(0, 5)]).conversation
        'trip'
    """

    conversation: str
    node_id: str
    role: str
    created: float
    snippet: str
    marks: tuple[tuple[int, int], ...]


def search(database: Database, words: str, most: int) -> list[Found]:
    """Return the messages that contain all words or words that begin so, the best first."""
    terms = clean_text(words).split()
    if not terms:
        return []
    query = " ".join('"' + term.replace('"', '""') + '"*' for term in terms)
    rows = database.read(
        f"SELECT {_COLUMNS}, "
        f"snippet(messages_fts, 0, '{_BEGIN}', '{_END}', '…', {_SNIPPET_TOKENS}) "
        "FROM messages_fts JOIN nodes AS n ON n.number = messages_fts.rowid "
        f"{_FROM} "
        "AND messages_fts MATCH ? "
        "ORDER BY rank, n.number DESC LIMIT ?",
        query,
        most,
    )
    return [_found(*row) for row in rows] or _containing(database, " ".join(terms), most)


def _containing(database: Database, text: str, most: int) -> list[Found]:
    # Languages without spaces have no words that the index knows: look for the text as it stands.
    rows = database.read(
        f"SELECT {_COLUMNS}, n.text FROM nodes AS n {_FROM} AND instr(lower(n.text), lower(?)) "
        "ORDER BY n.number DESC LIMIT ?",
        text,
        most,
    )
    return [
        _found(name, id, type, created, _around(whole, text))
        for name, id, type, created, whole in rows
    ]


def _around(whole: str, text: str) -> str:
    at = max(whole.lower().find(text.lower()), 0)
    begin, end = max(at - _SNIPPET_CHARACTERS // 2, 0), at + len(text)
    before = ("…" if begin else "") + whole[begin:at]
    after = whole[end : end + _SNIPPET_CHARACTERS // 2]
    more = "…" if end + len(after) < len(whole) else ""
    return f"{before}{_BEGIN}{whole[at:end]}{_END}{after}{more}"


def _found(name: str, node_id: str, type: Any, created: float, marked: str) -> Found:
    marks, plain, at = list[tuple[int, int]](), "", 0
    for part in " ".join(marked.split()).split(_BEGIN):
        word, end, rest = part.partition(_END)
        if end:
            marks.append((at, at + len(word)))
        plain += word + rest
        at = len(plain)
    return Found(name, node_id, str(type), created, plain, tuple(marks))
