"""Changes of a store's rows that are more than one statement; each in its caller's transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any, Final

from chatnb.schema.messages import AIMessage, BaseMessage
from chatnb.store.nodes import (
    Status,
    ended,
    facts_json,
    message_json,
    message_of,
    whole_of,
    words_of,
)

PIECES: Final = "SELECT chunk FROM pieces WHERE node = ? ORDER BY number"


def make(connection: sqlite3.Connection, name: str, origin: str, now: float) -> None:
    """Make a conversation unless there is one of that name."""
    connection.execute(
        "INSERT INTO conversations (name, origin, settings, version, created, changed) "
        "VALUES (?, ?, '{}', 0, ?, ?) ON CONFLICT DO NOTHING",
        (name, origin, now, now),
    )


def free_name(connection: sqlite3.Connection, stem: str) -> str:
    """The stem if no conversation is called so, else the stem with the next number."""
    taken = {name for (name,) in connection.execute("SELECT name FROM conversations")}
    numbered = (f"{stem}.{count}" for count in range(2, len(taken) + 3))
    return next(name for name in (stem, *numbered) if name not in taken)


def touch(connection: sqlite3.Connection, node_id: str, now: float) -> int | None:
    """Count a change of a node in its conversation; None if there is no such node."""
    row = connection.execute(
        "UPDATE conversations SET version = version + 1, changed = ? "
        "WHERE number = (SELECT conversation FROM nodes WHERE id = ?) RETURNING version",
        (now, node_id),
    ).fetchone()
    if row is None:
        return None
    connection.execute("UPDATE nodes SET version = ? WHERE id = ?", (row[0], node_id))
    return int(row[0])


def insert_node(
    connection: sqlite3.Connection, values: Mapping[str, Any], conversation: int, version: int
) -> None:
    """Write a node and choose it; what follows a hidden one is hidden, too."""
    parent, hidden = connection.execute(
        "SELECT id, hidden FROM nodes WHERE id = ? AND conversation = ?",
        (values["parent"], conversation),
    ).fetchone() or (None, 0)
    place = {"conversation": conversation, "parent": parent, "hidden": hidden, "version": version}
    row = {**values, **place}
    marks = ", ".join(f":{name}" for name in row)
    connection.execute(f"INSERT INTO nodes ({', '.join(row)}) VALUES ({marks})", row)
    connection.execute(
        "UPDATE conversations SET leaf = ? WHERE number = ?", (values["id"], conversation)
    )


def finish_node(
    connection: sqlite3.Connection,
    node_id: str,
    message: BaseMessage | None,
    status: Status,
    facts: Mapping[str, Any],
    now: float,
) -> None:
    """Write the end of a reply, out of its pieces if it is not given; if it is still there."""
    row = connection.execute("SELECT message, facts FROM nodes WHERE id = ?", (node_id,)).fetchone()
    if row is None:
        return
    begun = message_of(row[0])
    if message is None and isinstance(begun, AIMessage):
        message = whole_of(begun, [piece for (piece,) in connection.execute(PIECES, (node_id,))])
    whole = ended(message or begun, status)
    told = facts_json({**json.loads(row[1]), **facts})
    touch(connection, node_id, now)
    connection.execute(
        "UPDATE nodes SET message = ?, text = ?, status = ?, facts = ?, writer = NULL WHERE id = ?",
        (message_json(whole), words_of(whole), status, told, node_id),
    )
    connection.execute("DELETE FROM pieces WHERE node = ?", (node_id,))


def hide(connection: sqlite3.Connection, node_id: str, now: float) -> None:
    """Mark a node and all below it with its number, by which they are found again."""
    connection.execute(
        "WITH RECURSIVE below (id) AS (SELECT ? UNION "
        "SELECT nodes.id FROM nodes JOIN below ON nodes.parent = below.id) "
        "UPDATE nodes SET hidden = (SELECT number FROM nodes WHERE id = ?) "
        "WHERE id IN below AND hidden = 0",
        (node_id, node_id),
    )
    _touch_hidden_by(connection, node_id, now)


def unhide(connection: sqlite3.Connection, node_id: str, now: float) -> None:
    """Take the mark from a node, and from what it is on."""
    _touch_hidden_by(connection, node_id, now)
    connection.execute(
        "UPDATE nodes SET hidden = 0 WHERE hidden = (SELECT number FROM nodes WHERE id = ?)",
        (node_id,),
    )


def _touch_hidden_by(connection: sqlite3.Connection, node_id: str, now: float) -> None:
    connection.execute(
        "UPDATE nodes SET version = ? WHERE hidden = (SELECT number FROM nodes WHERE id = ?)",
        (touch(connection, node_id, now), node_id),
    )
