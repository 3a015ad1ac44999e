"""Finding what was said, by its words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chatnb.store.database import Database
from chatnb.store.nodes import searchable

_BEGIN, _END = "\x02", "\x03"
_SNIPPET_TOKENS = 16
_SNIPPET_CHARACTERS = 100
_COLUMNS = "c.name, n.id, json_extract(n.message, '$.type'), n.created"
_FROM = "JOIN conversations AS c ON c.number = n.conversation WHERE n.hidden = 0"


@dataclass(frozen=True)
class Found:
    """A message that holds the words.

    Args:
        conversation: The name of its conversation.
        node_id: Which message it is.
        role: `human`, `ai`, `tool`...
        created: When it was said, in seconds since 1970.
        snippet: The words in their surroundings, on one line.
        marks: Where in the snippet the words are, as (begin, end).
    """

    conversation: str
    node_id: str
    role: str
    created: float
    snippet: str
    marks: tuple[tuple[int, int], ...]


def search(database: Database, words: str, most: int) -> list[Found]:
    """Find the messages that have all the words, or words that begin so; the best first.

    Where there is none, those that hold the text as it stands, as in languages without spaces.
    """
    terms = searchable(words).split()
    if not terms:
        return []
    query = " ".join('"' + term.replace('"', '""') + '"*' for term in terms)
    rows = database.read(
        f"SELECT {_COLUMNS}, snippet(words, 0, '{_BEGIN}', '{_END}', '…', {_SNIPPET_TOKENS}) "
        f"FROM words JOIN nodes AS n ON n.number = words.rowid {_FROM} AND words MATCH ? "
        "ORDER BY rank, n.number DESC LIMIT ?",
        query,
        most,
    )
    return [_found(*row) for row in rows] or _holding(database, " ".join(terms), most)


def _holding(database: Database, text: str, most: int) -> list[Found]:
    rows = database.read(
        f"SELECT {_COLUMNS}, n.text FROM nodes AS n {_FROM} AND instr(lower(n.text), lower(?)) "
        "ORDER BY n.number DESC LIMIT ?",
        text,
        most,
    )
    return [
        _found(name, id, kind, created, _around(whole, text))
        for name, id, kind, created, whole in rows
    ]


def _around(whole: str, text: str) -> str:
    at = max(whole.lower().find(text.lower()), 0)
    begin, end = max(at - _SNIPPET_CHARACTERS // 2, 0), at + len(text)
    before = ("…" if begin else "") + whole[begin:at]
    after = whole[end : end + _SNIPPET_CHARACTERS // 2]
    more = "…" if end + len(after) < len(whole) else ""
    return f"{before}{_BEGIN}{whole[at:end]}{_END}{after}{more}"


def _found(name: str, node_id: str, kind: Any, created: float, marked: str) -> Found:
    marks, plain, at = list[tuple[int, int]](), "", 0
    for piece in " ".join(marked.split()).split(_BEGIN):
        word, end, rest = piece.partition(_END)
        if end:
            marks.append((at, at + len(word)))
        plain += word + rest
        at = len(plain)
    return Found(name, node_id, str(kind), created, plain, tuple(marks))
