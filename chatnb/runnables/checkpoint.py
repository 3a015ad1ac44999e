"""Checkpoints of batches on disk, and the removal of stored replies that do not parse."""

from __future__ import annotations

import sqlite3
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from pathlib import Path

from chatnb.concurrency.locks import Lock
from chatnb.store.database import Database
from chatnb.store.file_format import FileFormat

_MAX_REPLIES = 10_000
_FORMAT = FileFormat(
    use="as a checkpoint",
    contents="replies of a batch",
    advice="Name another file, in a folder that exists.",
    application_id=int.from_bytes(b"chcp", "big"),
    migrations=[
        [
            """CREATE TABLE answers (
                key TEXT, nth INTEGER, text TEXT NOT NULL, PRIMARY KEY (key, nth)
            ) WITHOUT ROWID"""
        ]
    ],
    unmarked={"answers": ["key", "nth", "text"]},
)


class Checkpoint:
    """The replies of one batch in a file: those of an earlier attempt are read, new ones added."""

    # Equal requests are told apart by their number: of three equal prompts, of which two were
    # answered before, two get these replies and one is requested.

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = Lock()
        self._read = Counter[str]()
        self._database = Database(path, _FORMAT)

    def next_reply(self, key: str) -> str | None:
        """Return the next reply that an earlier attempt left under a key, or None."""
        with self._lock:
            rows = self._database.read(
                "SELECT text FROM answers WHERE key = ? AND nth = ?", key, self._read[key]
            )
            if not rows:
                return None
            self._read[key] += 1
            return rows[0][0]

    def append(self, key: str, text: str) -> None:
        """Write a reply to disk, where it survives a crash of this process."""
        with self._lock:
            self._read[key] += 1
        self._database.write(
            lambda connection: connection.execute(
                "INSERT INTO answers SELECT ?, coalesce(max(nth) + 1, 0), ? "
                "FROM answers WHERE key = ?",
                (key, text, key),
            )
        )

    def remove(self, key: str, text: str) -> None:
        """Remove a reply, so that the next attempt requests it again."""
        with self._lock:
            self._read[key] -= 1
        self._database.write(lambda connection: _remove(connection, key, text))


def _remove(connection: sqlite3.Connection, key: str, text: str) -> None:
    [(nth,)] = connection.execute(
        "SELECT min(nth) FROM answers WHERE key = ? AND text = ?", (key, text)
    )
    # The later replies to equal requests move up, since the next attempt counts them from 0.
    connection.execute("DELETE FROM answers WHERE key = ? AND nth = ?", (key, nth))
    connection.execute("UPDATE answers SET nth = nth - 1 WHERE key = ? AND nth > ?", (key, nth))


current_checkpoint: ContextVar[Checkpoint | None] = ContextVar("chatnb_checkpoint", default=None)


class StoredReplies:
    """The replies that were stored or looked up last, by text, each with what forgets it."""

    # By text, because a parser may get no more than that, on another thread or in another task.

    def __init__(self) -> None:
        self._lock = Lock()
        self._forget = OrderedDict[int, list[Callable[[], None]]]()

    def add(self, texts: Iterable[str], forget: Callable[[], None]) -> None:
        """Add a reply: its text, and the arguments of its calls."""
        with self._lock:
            for key in map(hash, texts):
                self._forget.setdefault(key, []).append(forget)
                self._forget.move_to_end(key)
            while len(self._forget) > _MAX_REPLIES:
                self._forget.popitem(last=False)

    def forget(self, text: str) -> None:
        """Have a reply that does not parse requested again by the next run."""
        with self._lock:
            stored = self._forget.pop(hash(text), [])
        for forget in stored:
            forget()


stored_replies = StoredReplies()
