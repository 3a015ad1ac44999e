"""Rows of the store: nodes of a conversation tree, summaries, and the SQL that changes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from math import isfinite
from sqlite3 import Connection
from typing import Any, Final, cast

from chatnb.errors import DeletedMessageError
from chatnb.schema.messages import AIMessage, AIMessageChunk, BaseMessage, as_chunk, join_chunks
from chatnb.schema.serialization import (
    message_from_dict,
    message_to_dict,
    with_readable_fields,
)
from chatnb.store.database import DamagedRowError
from chatnb.store.nodes import STATUSES, Changes, Node, Status, Summary
from chatnb.strict_json import parse_object

COLUMNS: Final = "number, id, parent, message, status, metadata, created, hidden, writer, heartbeat"
TYPE: Final = "CASE WHEN json_valid(message) THEN json_extract(message, '$.type') END"
"""The type of a node's message; null for a damaged one."""
_SPACES: Final = dict.fromkeys(range(9), " ")


def node_from_row(row: tuple[Any, ...], chunks: Iterable[str] = ()) -> Node:
    """Read a row of `COLUMNS` and the chunks of a reply that is still streaming."""
    number, id, parent, message, status, metadata, created, hidden, _, _ = row
    if not (isinstance(id, str) and isinstance(parent, str | None) and status in STATUSES):
        raise DamagedRowError(f"the message in row {number} has no valid id, parent or status")
    if not (is_time(created) and isinstance(hidden, int)):
        raise DamagedRowError(f"the message {id} has no valid time")
    try:
        read = message_from_json(message)
        facts = readable_facts(dict_from_json(metadata))
    except DamagedRowError as error:
        raise DamagedRowError(f"the message {id} cannot be read: {error}") from error
    if status == "streaming" and isinstance(read, AIMessage):
        read = join_reply(read, chunks)
    return Node(number, id, parent, read, status, created, facts, bool(hidden))


def changes_from_row(row: tuple[Any, ...]) -> Changes:
    """Read a row of a conversation: its number, version, leaf and settings."""
    number, version, leaf, settings = row
    if not (isinstance(version, int) and isinstance(leaf, str | None)):
        raise DamagedRowError(f"conversation {number} has no valid version")
    return Changes(number, version, leaf, dict_from_json(settings), [])


def summary_from_row(row: tuple[Any, ...]) -> Summary:
    """Read a row of a conversation for a list."""
    name, origin, settings, created, changed, turns, first = row
    if not all(isinstance(text, str) for text in (name, origin, first or "")):
        raise DamagedRowError(f"there is a conversation without a valid name: {name!r:.80}")
    if not (is_time(created) and is_time(changed)):
        raise DamagedRowError(f"the conversation {name} has no valid time")
    return Summary(name, origin, turns, created, changed, first or "", dict_from_json(settings))


def join_reply(start: AIMessage, chunks: Iterable[str]) -> AIMessage:
    """Join the start of a reply and its chunks."""
    read = [chunk for chunk in map(message_from_json, chunks) if isinstance(chunk, AIMessageChunk)]
    return join_chunks([as_chunk(start), *read]).to_message()


def mark_ending(message: BaseMessage, status: Status) -> BaseMessage:
    """Note in the metadata of a reply that it was stopped or failed."""
    if status not in ("stopped", "failed") or not isinstance(message, AIMessage):
        return message
    return replace(
        message, response_metadata={**message.response_metadata, "finish_reason": status}
    )


def message_json(message: BaseMessage) -> str:
    """Write a message as JSON; values that JSON cannot hold are written as their repr."""
    # What could not be read back is left out: a reply is not lost for its metadata.
    return _json(message_to_dict(with_readable_fields(message)))


def message_from_json(written: str) -> BaseMessage:
    """Read the JSON of `message_json`."""
    try:
        return message_from_dict(parse_object(written))
    except (ValueError, TypeError) as error:
        raise DamagedRowError(str(error)) from error


def dict_json(values: Mapping[str, Any] | None) -> str:
    """Write metadata or settings as JSON; values that it cannot hold as their repr."""
    return _json(dict(values or {}))


def dict_from_json(written: str) -> dict[str, Any]:
    """Read the JSON of `dict_json`."""
    try:
        return parse_object(written)
    except ValueError as error:
        raise DamagedRowError(str(error)) from error


def _json(value: object) -> str:
    try:
        return json.dumps(value, default=repr, allow_nan=False)
    except ValueError:  # SQLite reads no NaN.
        return json.dumps(_finite(value))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _finite(item) for k, item in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in cast("list[Any]", value)]
    is_plain = value is None or isinstance(value, str | int)
    return value if is_plain or (isinstance(value, float) and isfinite(value)) else repr(value)


def is_time(value: object) -> bool:
    """Return whether a value is a time, in seconds since 1970, that can be shown."""
    return type(value) in (int, float) and 0 <= cast("float", value) <= _MAX_TIME


def bad_facts(facts: Mapping[str, Any]) -> list[str]:
    """Return the names of metadata that have not the types in which they are shown."""
    return [name for name, value in facts.items() if not _FACTS.get(name, _any)(value)]


def readable_facts(facts: dict[str, Any]) -> dict[str, Any]:
    """Return metadata without those of wrong types: a program may have added them."""
    bad = bad_facts(facts)
    return {name: facts[name] for name in facts if name not in bad} if bad else facts


def _any(value: object) -> bool:
    return True


def _is_text(value: object) -> bool:
    return isinstance(value, str | None)


def _is_amount(value: object) -> bool:
    return value is None or (
        type(value) in (int, float) and abs(cast("float", value)) <= _MAX_AMOUNT
    )


_MAX_AMOUNT: Final = 2.0**53
_MAX_TIME: Final = 2.5e11  # In the year 9892.
_FACTS: dict[str, Callable[[Any], bool]] = {
    "model": _is_text,
    "error": _is_text,
    "seconds": _is_amount,
    "first_seconds": _is_amount,
    "reasoning_seconds": _is_amount,
    "cost": _is_amount,
    "files": lambda value: isinstance(value, dict | None),
}


def clean_text(text: str) -> str:
    """Remove characters that SQLite's search cannot index: controls and lone surrogates."""
    return text.translate(_SPACES).encode("utf-8", "replace").decode()


CHUNKS: Final = "SELECT chunk FROM chunks WHERE node = ? ORDER BY number"
STREAMING: Final = "SELECT id, writer, heartbeat FROM nodes WHERE status = 'streaming'"
_DELETED = (
    "The message that this one follows was deleted elsewhere, so that nothing was added. "
    "Add it again: it then follows the last message that is left."
)


def insert_conversation(connection: Connection, now: float, name: str, origin: str) -> None:
    """Insert a conversation unless there is one of that name."""
    connection.execute(
        "INSERT INTO conversations (name, origin, settings, version, created, changed) "
        "VALUES (?, ?, '{}', 0, ?, ?) ON CONFLICT DO NOTHING",
        (name, origin, now, now),
    )


def free_name(connection: Connection, stem: str) -> str:
    """Return the stem if it is free, else the stem with a free number that follows a taken one."""
    if not _is_taken(connection, stem):
        return stem
    # A store may hold many thousands of a stem: their number is doubled, then halved, not counted.
    taken, free = 1, 2
    while _is_taken(connection, f"{stem}.{free}"):
        taken, free = free, 2 * free
    while free - taken > 1:
        middle = (taken + free) // 2
        if _is_taken(connection, f"{stem}.{middle}"):
            taken = middle
        else:
            free = middle
    return f"{stem}.{free}"


def _is_taken(connection: Connection, name: str) -> bool:
    found = connection.execute("SELECT 1 FROM conversations WHERE name = ?", (name,))
    return found.fetchone() is not None


def touch_conversation(connection: Connection, now: float, name: str) -> tuple[int, int]:
    """Return a conversation's number and its next version; create it if it does not exist."""
    insert_conversation(connection, now, name, "")
    return connection.execute(
        "UPDATE conversations SET version = version + 1, changed = ? WHERE name = ? "
        "RETURNING number, version",
        (now, name),
    ).fetchone()


def touch(connection: Connection, now: float, node_id: str) -> int | None:
    """Raise the version of a node's conversation; return None if there is no such node."""
    row = connection.execute(
        "UPDATE conversations SET version = version + 1, changed = ? "
        "WHERE number = (SELECT conversation FROM nodes WHERE id = ?) RETURNING version",
        (now, node_id),
    ).fetchone()
    if row is None:
        return None
    connection.execute("UPDATE nodes SET version = ? WHERE id = ?", (row[0], node_id))
    return int(row[0])


def add_node(
    connection: Connection,
    now: float,
    name: str,
    values: Mapping[str, Any],
    after: int | None = None,
    is_question: bool = False,
) -> None:
    """Add a node and select it; raise DeletedMessageError if its parent is gone or hidden."""
    number, version = touch_conversation(connection, now, name)
    if after is not None:
        end = _end_below(connection, number, values["parent"], after, settled=is_question)
        values = {**values, "parent": end}
    if values["parent"] is not None:
        visible = "SELECT 1 FROM nodes WHERE id = ? AND conversation = ? AND hidden = 0"
        if not connection.execute(visible, (values["parent"], number)).fetchall():
            raise DeletedMessageError(_DELETED)
    row = {**values, "conversation": number, "version": version}
    marks = ", ".join(f":{name}" for name in row)
    connection.execute(f"INSERT INTO nodes ({', '.join(row)}) VALUES ({marks})", row)
    connection.execute("UPDATE conversations SET leaf = ? WHERE number = ?", (row["id"], number))


# By the row: the index of the conversation would be searched from its first message on.
END_BELOW: Final = (
    f"SELECT id, status, {TYPE} FROM nodes WHERE number > ? AND +conversation = ? "
    "AND parent IS ? AND hidden = 0 ORDER BY number DESC LIMIT 1"
)


def _end_below(
    connection: Connection, conversation: int, parent: str | None, after: int, *, settled: bool
) -> str | None:
    """Return the end of what has been added below a node since the row `after`."""
    path = [(parent, "done", "")]
    while found := connection.execute(END_BELOW, (after, conversation, path[-1][0])).fetchall():
        path += found
    if settled and path[-1][1] == "streaming":
        while len(path) > 1 and path.pop()[2] != "human":
            pass
    return path[-1][0]


def append_chunk(
    connection: Connection, now: float, node_id: str, chunk: AIMessageChunk | None
) -> None:
    """Write the next chunk of a streaming reply, or only a heartbeat; ignore a deleted one."""
    beat = "UPDATE nodes SET heartbeat = ? WHERE id = ? AND status = 'streaming'"
    if connection.execute(beat, (now, node_id)).rowcount and chunk is not None:
        touch(connection, now, node_id)
        connection.execute(
            "INSERT INTO chunks (node, chunk) VALUES (?, ?)", (node_id, message_json(chunk))
        )


def finish_node(
    connection: Connection,
    now: float,
    node_id: str,
    message: BaseMessage | None,
    status: Status,
    facts: Mapping[str, Any],
) -> None:
    """Write the end of a reply, joined from its chunks unless given; ignore a deleted one."""
    row = connection.execute(
        "SELECT message, metadata FROM nodes WHERE id = ?", (node_id,)
    ).fetchone()
    if row is None:
        return
    start = message_from_json(row[0])
    if message is None and isinstance(start, AIMessage):
        chunks = connection.execute(CHUNKS, (node_id,))
        message = join_reply(start, [chunk for (chunk,) in chunks])
    whole = mark_ending(message or start, status)
    merged = dict_json({**dict_from_json(row[1]), **facts})
    touch(connection, now, node_id)
    connection.execute(
        "UPDATE nodes SET message = ?, text = ?, status = ?, metadata = ?, writer = NULL "
        "WHERE id = ?",
        (message_json(whole), clean_text(whole.text), status, merged, node_id),
    )
    connection.execute("DELETE FROM chunks WHERE node = ?", (node_id,))


def begin(connection: Connection, now: float, stem: str, origin: str) -> str:
    """Create a conversation under a free name, and return that."""
    name = free_name(connection, stem)
    insert_conversation(connection, now, name, origin)
    return name


def select(connection: Connection, now: float, name: str, leaf: str | None) -> None:
    """Select the message that a conversation's path ends with."""
    number, _ = touch_conversation(connection, now, name)
    connection.execute("UPDATE conversations SET leaf = ? WHERE number = ?", (leaf, number))


def change_settings(
    connection: Connection, now: float, name: str, settings: Mapping[str, Any]
) -> None:
    """Set some settings of a conversation; None removes one."""
    number, _ = touch_conversation(connection, now, name)
    [(written,)] = connection.execute(
        "SELECT settings FROM conversations WHERE number = ?", (number,)
    )
    merged = {**dict_from_json(written), **settings}
    kept = {key: value for key, value in merged.items() if value is not None}
    connection.execute(
        "UPDATE conversations SET settings = ? WHERE number = ?", (dict_json(kept), number)
    )


def set_aside(connection: Connection, now: float, name: str) -> str | None:
    """Rename a conversation; return its new name, or None if there is no such conversation."""
    aside = free_name(connection, name)
    renamed = connection.execute("UPDATE conversations SET name = ? WHERE name = ?", (aside, name))
    return aside if renamed.rowcount else None


def delete(connection: Connection, now: float, name: str) -> bool:
    """Delete a conversation with its words in the search index; return whether there was one."""
    of = "(SELECT number FROM conversations WHERE name = ?)"
    nodes = f"(SELECT id FROM nodes WHERE conversation = {of})"
    connection.execute(f"DELETE FROM chunks WHERE node IN {nodes}", (name,))
    connection.execute(f"DELETE FROM nodes WHERE conversation = {of}", (name,))
    gone = connection.execute("DELETE FROM conversations WHERE name = ?", (name,))
    # Not 'optimize': up to SQLite 3.40 it adds a level to the index each time, and after 2,000 of
    # them the index, and with it the whole table, counts as damaged.
    connection.execute("INSERT INTO messages_fts (messages_fts) VALUES ('rebuild')")
    return gone.rowcount > 0


def settle(connection: Connection, now: float, left: Iterable[tuple[Any, ...]]) -> None:
    """Stop replies that their process left, by their rows of `STREAMING`, if these still hold."""
    for row in set(left).intersection(connection.execute(STREAMING)):
        finish_node(connection, now, row[0], None, "stopped", {})


def hide(connection: Connection, now: float, node_id: str) -> None:
    """Hide a node and all below it, marked with its number so that `unhide` finds them."""
    connection.execute(
        "WITH RECURSIVE below (id) AS (SELECT ? UNION "
        "SELECT nodes.id FROM nodes JOIN below ON nodes.parent = below.id) "
        "UPDATE nodes SET hidden = (SELECT number FROM nodes WHERE id = ?) "
        "WHERE id IN below AND hidden = 0",
        (node_id, node_id),
    )
    _touch_hidden_by(connection, now, node_id)


def unhide(connection: Connection, now: float, node_id: str) -> None:
    """Show a node again, with all nodes that `hide` marked with it."""
    _touch_hidden_by(connection, now, node_id)
    connection.execute(
        "UPDATE nodes SET hidden = 0 WHERE hidden = (SELECT number FROM nodes WHERE id = ?)",
        (node_id,),
    )


def _touch_hidden_by(connection: Connection, now: float, node_id: str) -> None:
    connection.execute(
        "UPDATE nodes SET version = ? WHERE hidden = (SELECT number FROM nodes WHERE id = ?)",
        (touch(connection, now, node_id), node_id),
    )


UNNAMED = "unnamed"
"""The setting of a conversation whose name nobody chose: lists leave it out after a while."""
