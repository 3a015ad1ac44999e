"""What is kept of conversations, and every way to change it."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from chatnb.schema.messages import AIMessageChunk, BaseMessage
from chatnb.store import rows
from chatnb.store.database import Database
from chatnb.store.nodes import COLUMNS, Node, Status, facts_json, message_json, node_of, words_of
from chatnb.store.search import Found, search
from chatnb.store.summaries import Changes, Summary
from chatnb.store.writers import is_alive, this_writer


class Store:
    """Conversations in a file, for any number of threads and processes.

    Messages, settings and facts are written as they are given; nothing else of a chat model, so
    no key, comes here. What changes a conversation makes it if there is none of that name.

    Args:
        path: The file, made if it does not exist; or `:memory:`.
        clock: The time in seconds since 1970.
        new_id: Makes the ids of messages.

    Raises:
        ConfigurationError: If the file cannot be used; it is left as it was.

    Example:
        >>> from chatnb.schema import HumanMessage
        >>> store = Store(":memory:", clock=lambda: 0.0)
        >>> node_id = store.add("ideas", HumanMessage("A name for a boat?"), parent=None)
        >>> [(said.name, said.turns) for said in store.summaries()]
        [('ideas', 1)]
        >>> [found.snippet for found in store.search("boat")]
        ['A name for a boat?']
    """

    def __init__(
        self,
        path: str | Path,
        *,
        clock: Callable[[], float] = time.time,
        new_id: Callable[[], str] = lambda: uuid4().hex,
    ) -> None:
        self._database = Database(path)
        self._clock = clock
        self._new_id = new_id

    def close(self) -> None:
        """Let go of the file; the next use opens it again."""
        self._database.close()

    def summaries(self) -> list[Summary]:
        """All conversations, the one that changed last first."""
        read = self._database.read(
            "SELECT name, origin, settings, created, changed, "
            "(SELECT count(*) FROM nodes WHERE conversation = c.number AND hidden = 0 "
            " AND json_extract(message, '$.type') = 'human'), "
            "(SELECT substr(text, 1, 200) FROM nodes WHERE conversation = c.number "
            " AND hidden = 0 AND json_extract(message, '$.type') = 'human' "
            " ORDER BY nodes.number LIMIT 1) "
            "FROM conversations AS c ORDER BY changed DESC, number DESC"
        )
        return [
            Summary(name, origin, turns, created, changed, first or "", json.loads(settings))
            for name, origin, settings, created, changed, turns, first in read
        ]

    def changes(self, name: str, *, conversation: int = 0, since: int = -1) -> Changes | None:
        """What is new in a conversation.

        Args:
            name: Which one.
            conversation: The number that it had when it was read; 0 if it was not yet.
            since: The version that it had then.

        Returns:
            All of it if it is another one by now, or None if there is none.
        """
        self._settle()
        read = self._database.read(
            "SELECT number, version, leaf, settings FROM conversations WHERE name = ?", name
        )
        if not read:
            return None
        number, version, leaf, settings = read[0]
        known = since if number == conversation else -1
        nodes = self._nodes(number, known) if version != known else []
        return Changes(number, version, leaf, json.loads(settings), nodes)

    def add(
        self,
        name: str,
        message: BaseMessage,
        *,
        parent: str | None,
        status: Status = "done",
        facts: Mapping[str, Any] | None = None,
        created: float | None = None,
    ) -> str:
        """Write a message after another, and choose the path that it ends.

        A parent that was forgotten meanwhile, by another process, makes it a first message.

        Returns:
            The id of the new node.
        """
        now = self._clock()
        id = self._new_id()
        values = {
            "id": id,
            "parent": parent,
            "message": message_json(message),
            "text": words_of(message),
            "status": status,
            "facts": facts_json(facts),
            "created": now if created is None else created,
            "writer": this_writer() if status == "streaming" else None,
            "beat": now,
        }
        with self._changing(name) as (connection, number, version):
            rows.insert_node(connection, values, number, version)
        return id

    def append(self, node_id: str, chunk: AIMessageChunk | None) -> None:
        """Write the next piece of a reply that is streaming, or only a sign of life."""
        with self._database.writing() as connection:
            connection.execute("UPDATE nodes SET beat = ? WHERE id = ?", (self._clock(), node_id))
            if chunk is None:
                return
            number = rows.touch(connection, node_id, self._clock())
            if number is not None:
                connection.execute(
                    "INSERT INTO pieces (node, chunk) VALUES (?, ?)", (node_id, message_json(chunk))
                )

    def finish(
        self,
        node_id: str,
        message: BaseMessage | None = None,
        status: Status = "done",
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """End a reply that was streaming; nothing happens if it was forgotten meanwhile.

        Args:
            node_id: Which one.
            message: The whole reply, or None for the sum of its pieces.
            status: How it ended.
            facts: What there is to say of it, beside what was said when it began.
        """
        with self._database.writing() as connection:
            rows.finish_node(connection, node_id, message, status, facts or {}, self._clock())

    def select(self, name: str, leaf: str | None) -> None:
        """Choose the message that the path ends with."""
        with self._changing(name) as (connection, number, _):
            connection.execute("UPDATE conversations SET leaf = ? WHERE number = ?", (leaf, number))

    def hide(self, node_id: str) -> None:
        """Hide a message and all that follows it; `unhide` brings back what this hid."""
        with self._database.writing() as connection:
            rows.hide(connection, node_id, self._clock())

    def unhide(self, node_id: str) -> None:
        """Show again what `hide` hid."""
        with self._database.writing() as connection:
            rows.unhide(connection, node_id, self._clock())

    def change_settings(self, name: str, settings: Mapping[str, Any]) -> None:
        """Set some of a conversation's settings; None takes one away."""
        with self._changing(name) as (connection, number, _):
            (written,) = connection.execute(
                "SELECT settings FROM conversations WHERE number = ?", (number,)
            ).fetchone()
            merged = {**json.loads(written), **settings}
            kept = {key: value for key, value in merged.items() if value is not None}
            connection.execute(
                "UPDATE conversations SET settings = ? WHERE number = ?", (facts_json(kept), number)
            )

    def begin(self, stem: str, origin: str = "") -> str:
        """Make a conversation of its own.

        Args:
            stem: Its name, if none is called so yet.
            origin: The notebook that begins it.

        Returns:
            Its name: the stem, or the stem with the next number.
        """
        with self._database.writing() as connection:
            name = rows.free_name(connection, stem)
            rows.make(connection, name, origin, self._clock())
        return name

    def set_aside(self, name: str) -> str | None:
        """Give a conversation another name, so that its own is free.

        Returns:
            The other name, or None if there is no such conversation.
        """
        with self._database.writing() as connection:
            aside = rows.free_name(connection, name)
            renamed = connection.execute(
                "UPDATE conversations SET name = ? WHERE name = ?", (aside, name)
            )
            return aside if renamed.rowcount else None

    def forget(self, name: str) -> bool:
        """Remove a conversation for good, down to the bytes of the file.

        Returns:
            Whether there was one.
        """
        of = "(SELECT number FROM conversations WHERE name = ?)"
        with self._database.writing() as connection:
            nodes = f"(SELECT id FROM nodes WHERE conversation = {of})"
            connection.execute(f"DELETE FROM pieces WHERE node IN {nodes}", (name,))
            connection.execute(f"DELETE FROM nodes WHERE conversation = {of}", (name,))
            gone = connection.execute("DELETE FROM conversations WHERE name = ?", (name,))
        self._database.scrub()
        return gone.rowcount > 0

    def search(self, words: str, most: int = 50) -> list[Found]:
        """Find messages by their words.

        Args:
            words: Any text. All its words must be there, or words that begin so.
            most: How many to give.

        Returns:
            The best first.
        """
        self._settle()
        return search(self._database, words, most)

    @contextmanager
    def _changing(self, name: str) -> Generator[tuple[sqlite3.Connection, int, int]]:
        """A transaction on a conversation; its number and the version that it gets."""
        with self._database.writing() as connection:
            rows.make(connection, name, "", self._clock())
            number, version = connection.execute(
                "UPDATE conversations SET version = version + 1, changed = ? WHERE name = ? "
                "RETURNING number, version",
                (self._clock(), name),
            ).fetchone()
            yield connection, number, version

    def _nodes(self, conversation: int, since: int) -> list[Node]:
        read = self._database.read(
            f"SELECT {COLUMNS} FROM nodes WHERE conversation = ? AND version > ? ORDER BY number",
            conversation,
            since,
        )
        return [node_of(row, self._pieces(row)) for row in read]

    def _pieces(self, row: tuple[Any, ...]) -> list[str]:
        _, id, _, _, status, *_ = row
        if status != "streaming":
            return []
        return [chunk for (chunk,) in self._database.read(rows.PIECES, id)]

    def _settle(self) -> None:
        """Mark the replies whose process is gone as stopped."""
        streaming = "SELECT id, writer, beat FROM nodes WHERE status = 'streaming'"
        left = [row for row in self._database.read(streaming) if row[1] != this_writer()]
        now = self._clock()
        for id, writer, beat in left:
            if is_alive(writer, beat=beat, now=now):
                continue
            with self._database.writing() as connection:
                if (id, writer, beat) in connection.execute(streaming).fetchall():
                    rows.finish_node(connection, id, None, "stopped", {}, now)
