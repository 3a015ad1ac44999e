"""Checkpoints of batches on disk, and the removal of stored replies that do not parse."""

from __future__ import annotations

import sqlite3
import time
from array import array
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from itertools import chain
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from chatnb.concurrency.locks import Lock
from chatnb.concurrency.threads import in_thread
from chatnb.concurrency.waiting import Failed, Outcome, Promise, has_threads, wait
from chatnb.errors import error_line
from chatnb.store.database import Database
from chatnb.store.file_format import FileFormat
from chatnb.terminal import warn

_MAX_REPLIES = 10_000
_MAX_EQUAL_REPLIES = 1_000  # Such as "yes" of a million calls.
_BUCKET_MASK = 0xFFFF
_ROWS_OF_STATEMENT = 300  # SQLite takes 999 values, newer versions more.
# A transaction takes about as long for ten replies as for one.
_SECONDS_BETWEEN_WRITES = 0.05
PROVIDER_FIELD = "chatnb_provider"
"""The field of `response_metadata` of stored replies, which whoever reads them does not get."""
CHECKPOINT_FORMAT = FileFormat(
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
        self._lock = Lock()
        self._read = _KeyCounts()
        self._database = Database(path, CHECKPOINT_FORMAT)
        # Without replies of an earlier attempt there is nothing to read, nor to count.
        self._continues = bool(self._database.read("SELECT 1 FROM answers LIMIT 1"))
        self._unwritten = deque[tuple[str, str]]()
        self._is_posted = False
        self._written: int | None = None  # By the transaction that runs; None until it does.
        self._last_write: Promise[None] | None = None
        self._next_write = 0.0  # The time from which on replies are written.
        self._wanted = SimpleQueue[None]()  # An item for each wait for them that has no patience.

    def next_reply(self, key: str) -> str | None:
        """Return the next reply that an earlier attempt left under a key, or None."""
        if not self._continues:
            return None
        with self._lock:
            rows = self._database.read(
                "SELECT text FROM answers WHERE key = ? AND nth = ?", key, self._read.count(key)
            )
            if not rows:
                return None
            self._read.add(key)
            return rows[0][0]

    def append(self, key: str, text: str) -> None:
        """Write a reply to disk at once, or with those that arrive soon after an earlier write."""
        with self._lock:
            if self._continues:
                self._read.add(key)
            self._unwritten.append((key, text))
            if not self._is_posted:
                self._is_posted = True
                self._last_write = self._database.post(
                    self._write_all, self._end_write, before=self._gather
                )

    def flush(self, *, at_once: bool = True) -> None:
        """Wait until all replies so far are on disk, where they survive a crash.

        Unless it is to be `at_once`, they may be written together with later ones.
        """
        if self._last_write is None or self._last_write.done():
            return
        if at_once:
            self._hurry()
        wait(self._last_write)

    async def aflush(self) -> None:
        """Wait until all replies so far are on disk, with later ones, without blocking."""
        if self._last_write is not None and not self._last_write.done():
            await in_thread(partial(self.flush, at_once=False))

    def remove(self, key: str, text: str) -> None:
        """Remove a reply, so that the next attempt requests it again."""
        with self._lock:
            if self._continues:
                self._read.discard(key)
        self._hurry()
        self._database.write(lambda connection: _remove(connection, key, text))

    def _hurry(self) -> None:
        if self._last_write is not None and not self._last_write.done():
            self._wanted.put(None)

    def _gather(self) -> None:
        left = self._next_write - time.monotonic()
        if left > 0 and has_threads():
            with suppress(Empty):
                self._wanted.get(timeout=left)

    def _write_all(self, connection: sqlite3.Connection) -> None:
        # This may run again, while another process is in its way.
        with self._lock:
            self._is_posted = False
            rows = list(self._unwritten)
            self._written = len(rows)
        self._insert(connection, rows)

    def _insert(self, connection: sqlite3.Connection, rows: list[tuple[str, str]]) -> None:
        for some in _statements_of(rows):
            # Each statement sees the rows of those before it, and none of its own.
            seen, numbered = Counter[str](), list[tuple[str, int, str]]()
            for key, text in some:
                numbered.append((key, seen[key], text))
                seen[key] += 1
            _insert_rows(
                connection,
                "INSERT INTO answers SELECT column1, column2 + "
                "(SELECT coalesce(max(nth) + 1, 0) FROM answers WHERE key = column1), column3 "
                "FROM (VALUES {})",
                numbered,
            )

    def _end_write(self, outcome: Outcome[None]) -> None:
        self._next_write = time.monotonic() + _SECONDS_BETWEEN_WRITES
        with self._lock:
            if self._written is None:  # The file was busy for too long.
                self._is_posted, self._written = False, len(self._unwritten)
            for _ in range(self._written):
                self._unwritten.popleft()
            self._written = None
        if isinstance(outcome, Failed):
            warn(f"Replies could not be kept: {error_line(outcome.error)}", stacklevel=2)


class SharedCheckpoint(Checkpoint):
    """The checkpoint of a batch whose inputs are run by several processes, as one of them uses it.

    Each use of a reply, new or old, has a row, so that equal requests of all processes are told
    apart. The uses of a part of the inputs that is run again, after its worker died, do not count.
    """

    def __init__(self, path: str | Path, part: str) -> None:
        super().__init__(path)
        self._continues = False  # The uses are counted in the file.
        self._part = part
        self._database.write(self._forget_uses)

    @staticmethod
    def begin(checkpoint: Checkpoint) -> None:
        """Let other processes share a checkpoint."""
        checkpoint._database.write(_begin_sharing)

    @staticmethod
    def end(checkpoint: Checkpoint) -> None:
        """Remove what the processes noted."""
        checkpoint._database.write(
            lambda connection: connection.execute("DROP TABLE IF EXISTS uses").close()
        )

    def next_reply(self, key: str) -> str | None:
        """Return the next reply that no process has used, or None."""
        if not self._database.read("SELECT 1 FROM answers WHERE key = ? LIMIT 1", key):
            return None
        self._hurry()
        return self._database.write(lambda connection: self._use_next(connection, key))

    def remove(self, key: str, text: str) -> None:
        """Remove a reply, so that the next attempt requests it again."""
        super().remove(key, text)
        self._database.write(
            lambda connection: connection.execute(
                "DELETE FROM uses WHERE rowid = "
                "(SELECT max(rowid) FROM uses WHERE key = ? AND part = ?)",
                (key, self._part),
            ).close()
        )

    def _use_next(self, connection: sqlite3.Connection, key: str) -> str | None:
        rows = connection.execute(
            "SELECT text FROM answers WHERE key = ? AND nth = (SELECT count(*) FROM uses "
            "WHERE key = ?)",
            (key, key),
        ).fetchall()
        if not rows:
            return None
        connection.execute("INSERT INTO uses VALUES (?, ?)", (key, self._part))
        return rows[0][0]

    def _forget_uses(self, connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM uses WHERE part = ?", (self._part,))

    def _insert(self, connection: sqlite3.Connection, rows: list[tuple[str, str]]) -> None:
        super()._insert(connection, rows)
        for some in _statements_of(rows):
            uses = [(key, self._part) for key, _ in some]
            _insert_rows(connection, "INSERT INTO uses VALUES {}", uses)


class CollectedReplies(Checkpoint):
    """Replies that go home with the results, from a worker that does not see the checkpoint."""

    def __init__(self) -> None:
        self.rows = list[tuple[str, str]]()

    def next_reply(self, key: str) -> str | None:
        """Return None: the worker knows no replies."""
        return None

    def append(self, key: str, text: str) -> None:
        """Keep a reply in memory."""
        self.rows.append((key, text))

    def remove(self, key: str, text: str) -> None:
        """Keep a reply no longer."""
        if (key, text) in self.rows:
            self.rows.remove((key, text))

    def flush(self, *, at_once: bool = True) -> None:
        """Return at once."""


def _statements_of(rows: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """Yield the rows of each statement; few, as after each a thread waits for its turn again."""
    for start in range(0, len(rows), _ROWS_OF_STATEMENT):
        yield rows[start : start + _ROWS_OF_STATEMENT]


def _insert_rows(
    connection: sqlite3.Connection, statement: str, rows: Sequence[tuple[Any, ...]]
) -> None:
    row = f"({', '.join('?' * len(rows[0]))})"
    values = statement.format(", ".join([row] * len(rows)))
    connection.execute(values, [*chain.from_iterable(rows)]).close()


def _begin_sharing(connection: sqlite3.Connection) -> None:
    connection.execute("DROP TABLE IF EXISTS uses")  # Of a process that was killed.
    connection.execute("CREATE TABLE uses (key TEXT, part TEXT)")
    connection.execute("CREATE INDEX uses_by_key ON uses (key)")


class _KeyCounts:
    """Counts of keys, for many more of them than a dict of strings would hold."""

    # By 64 bits of each key, in arrays that are short enough to be searched; a key that was added
    # before is counted apart, since many inputs may be equal.

    def __init__(self) -> None:
        self._buckets = dict[int, "array[int]"]()
        self._repeats = Counter[int]()

    def count(self, key: str) -> int:
        """Return how often a key was added."""
        number = hash(key)
        known = number in self._buckets.get(number & _BUCKET_MASK, ())
        return known + self._repeats[number]

    def add(self, key: str) -> None:
        """Count a key once more."""
        number = hash(key)
        bucket = self._buckets.setdefault(number & _BUCKET_MASK, array("q"))
        if number in bucket:
            self._repeats[number] += 1
        else:
            bucket.append(number)

    def discard(self, key: str) -> None:
        """Count a key once less."""
        number = hash(key)
        if self._repeats[number] > 1:
            self._repeats[number] -= 1
        elif not self._repeats.pop(number, 0):
            bucket = self._buckets.get(number & _BUCKET_MASK)
            if bucket and number in bucket:
                bucket.remove(number)


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
        self._forget = OrderedDict[int, deque[Callable[[], None]]]()

    def add(self, texts: Iterable[str], forget: Callable[[], None]) -> None:
        """Add a reply: its text, and the arguments of its calls."""
        with self._lock:
            for key in map(hash, texts):
                self._forget.setdefault(key, deque(maxlen=_MAX_EQUAL_REPLIES)).append(forget)
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
