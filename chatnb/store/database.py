"""One SQLite file, for all threads of a process and across its forks."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from chatnb.errors import ConfigurationError
from chatnb.store.tables import APPLICATION_ID, SCHEMA_VERSION, TABLES

MEMORY: Final = ":memory:"
_BUSY_SECONDS = 30.0
"""How long to wait for another process that writes."""
_NAME_ANOTHER = "Set CHATNB_STORE to another path, or to :memory: to keep nothing."

_open_databases: weakref.WeakSet[Database] = weakref.WeakSet()
_of_the_parent: list[sqlite3.Connection] = []
"""Connections of the process that this one was forked from: SQLite forbids even to close them."""


class Database:
    """A connection that every thread of the process may use, one at a time.

    A fork opens the file anew; a fork of a store in memory has a copy of its own.

    Args:
        path: The file, or `:memory:`.

    Raises:
        ConfigurationError: If the file cannot be opened, is none of chatnb's, or is of a newer
            chatnb. It is left as it was.

    Example:
        >>> Database(":memory:").read("SELECT 1 + 1")
        [(2,)]
    """

    def __init__(self, path: str | Path) -> None:
        self._path = str(path)
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._connection = _opened(self._path)
        _open_databases.add(self)

    def __del__(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def read(self, statement: str, *values: Any) -> list[Any]:
        """The rows that a query gives."""
        with self._lock, self._told():
            return self._connect().execute(statement, values).fetchall()

    @contextmanager
    def writing(self) -> Generator[sqlite3.Connection]:
        """A connection in a transaction: all that is written in the block, or nothing."""
        with self._lock, self._told():
            connection = self._connect()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def scrub(self) -> None:
        """Leave nothing of what was deleted in the file or beside it."""
        with self._lock, self._told():
            connection = self._connect()
            connection.execute("INSERT INTO words (words) VALUES ('optimize')")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Let go of the file; the next use opens it again, but what was in memory is gone."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = _opened(self._path)
        return self._connection

    @contextmanager
    def _told(self) -> Generator[None]:
        """What goes wrong with a disk, in words: it is full, or another program locks the file."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise ConfigurationError(
                f"The conversations in {self._path} could not be read or written ({error}). "
                f"{_NAME_ANOTHER}"
            ) from error

    def _before_fork(self) -> None:
        self._lock.acquire()

    def _after_fork(self) -> None:
        self._lock.release()

    def _begin_in_fork(self) -> None:
        self._lock = threading.RLock()
        if self._connection is not None and self._path != MEMORY:
            _of_the_parent.append(self._connection)
            self._connection = None


def _each(step: str) -> None:
    for database in list(_open_databases):
        getattr(database, step)()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=lambda: _each("_before_fork"),
        after_in_parent=lambda: _each("_after_fork"),
        after_in_child=lambda: _each("_begin_in_fork"),
    )


def _opened(path: str) -> sqlite3.Connection:
    try:
        if path != MEMORY:
            _refuse_other_files(path)
            _make_private_file(path)
        return _prepared(path)
    except (sqlite3.Error, OSError) as error:
        raise ConfigurationError(
            f"{path} cannot be used for conversations ({error}). {_NAME_ANOTHER}"
        ) from error


def _make_private_file(path: str) -> None:
    """What was said is its user's own: nobody else on the machine may read it."""
    Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _refuse_other_files(path: str) -> None:
    """Look at a file without writing to it."""
    file = Path(path)
    if not file.exists() or file.stat().st_size == 0:
        return
    address = f"{file.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS)) as connection:
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.DatabaseError as error:
            if "not a database" not in str(error):
                raise
            raise ConfigurationError(_foreign(path)) from None
        _check_header(connection, path)


def _check_header(connection: sqlite3.Connection, path: str) -> int:
    """The version of a store's tables, 0 if it has none yet."""
    ((application,),) = connection.execute("PRAGMA application_id").fetchall()
    ((version,),) = connection.execute("PRAGMA user_version").fetchall()
    ((tables,),) = connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
    if not tables and not version:
        return 0
    if application != APPLICATION_ID:
        raise ConfigurationError(_foreign(path))
    if version > SCHEMA_VERSION:
        raise ConfigurationError(
            f"{path} was written by a newer chatnb (its version is {version}, this chatnb knows "
            f"{SCHEMA_VERSION}). Update chatnb: pip install -U chatnb. {_NAME_ANOTHER}"
        )
    return int(version)


def _foreign(path: str) -> str:
    return f"{path} does not hold chatnb's conversations and is left as it is. {_NAME_ANOTHER}"


def _prepared(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        _log_writes_ahead(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = ON")
        _make_tables(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _log_writes_ahead(connection: sqlite3.Connection) -> None:
    """SQLite does not wait for others in this step, though they are done within moments."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _make_tables(connection: sqlite3.Connection, path: str) -> None:
    if _check_header(connection, path):
        return
    connection.execute("BEGIN IMMEDIATE")
    if not _check_header(connection, path):
        for statement in TABLES:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.commit()
