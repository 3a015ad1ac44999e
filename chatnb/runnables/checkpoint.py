"""Replies of chat models on disk as they arrive, for the same call after a crash."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from contextvars import ContextVar
from pathlib import Path

from chatnb.errors import ConfigurationError

_VERSION = 1
_TABLE = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT, nth INTEGER, text TEXT NOT NULL, PRIMARY KEY (key, nth)
) WITHOUT ROWID
"""


class Checkpoint:
    """The answers of one batch: those of an earlier try are taken, those of this one are kept.

    Equal requests are told apart by their number: of three equal prompts, of which two were
    answered before, two get these answers and one is asked.

    Args:
        path: The file; it is made if it does not exist.

    Raises:
        ConfigurationError: If the file cannot be used.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     Checkpoint(f"{folder}/run.sqlite").keep("k", "an answer")
        ...     again = Checkpoint(f"{folder}/run.sqlite")
        ...     again.take("k"), again.take("k")
        ('an answer', None)
    """

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._taken = Counter[str]()
        self._kept = Counter[str]()
        try:
            self._file = sqlite3.connect(
                path, timeout=30, isolation_level=None, check_same_thread=False
            )
            self._prepare()
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def take(self, key: str) -> str | None:
        """The next answer to a request that an earlier try left, or None if there is no more.

        Args:
            key: The request's key.
        """
        with self._lock:
            nth = self._taken[key]
            rows = self._file.execute(
                "SELECT text FROM answers WHERE key = ? AND nth = ?", (key, nth)
            ).fetchall()
            if not rows:
                return None
            self._taken[key] += 1
            return rows[0][0]

    def keep(self, key: str, text: str) -> None:
        """Put an answer on disk, where it stays whatever becomes of this process.

        Args:
            key: The request's key.
            text: The answer.
        """
        with self._lock:
            self._file.execute(
                "INSERT INTO answers SELECT ?, coalesce(max(nth) + 1, 0), ? "
                "FROM answers WHERE key = ?",
                (key, text, key),
            )
            self._taken[key] += 1

    def __del__(self) -> None:
        """The file stays open until the last call that may answer has let go of it, also when
        whoever waited for it was interrupted."""
        if hasattr(self, "_file"):
            self._file.close()

    def _prepare(self) -> None:
        [version] = self._file.execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION):
            raise sqlite3.DatabaseError(f"it is of version {version}, made by a newer chatnb")
        tables = self._file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if (names := tables.fetchall()) and names != [("answers",)]:
            raise sqlite3.DatabaseError("it holds something else")
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = NORMAL")
        self._file.execute(_TABLE)
        self._file.execute(f"PRAGMA user_version = {_VERSION}")

    def _unusable(self, error: Exception) -> ConfigurationError:
        return ConfigurationError(
            f"{self._path} cannot be used as a checkpoint ({error}). "
            "Name another file, in a folder that exists."
        )


checkpoint_here: ContextVar[Checkpoint | None] = ContextVar("chatnb_checkpoint", default=None)
"""The checkpoint of the batch that this context belongs to."""
