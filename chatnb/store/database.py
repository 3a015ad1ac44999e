"""A SQLite file that any thread reads and one thread of its own writes, also across forks."""

from __future__ import annotations

import atexit
import os
import sqlite3
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from sqlite3 import Connection
from typing import Any, TypeAlias, TypeVar

from chatnb.concurrency.waiting import Outcome, Promise, outcome_of
from chatnb.errors import ConfigurationError
from chatnb.store.file_format import MEMORY, FileFormat

T = TypeVar("T")
Job: TypeAlias = Callable[[], object]

# Seconds between two calls of what repeats.
_REPEAT_SECONDS = 0.4
# Seconds to wait for another process that writes, and for one that reads what is to be removed.
_BUSY_SECONDS, _READER_SECONDS = 5.0, 0.5
_MAX_PAUSE_SECONDS = 0.02
# A connection is locked while it reads the tables anew after another has changed them.
_BUSY_CODES = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

_open_databases: weakref.WeakSet[Database] = weakref.WeakSet()
# Connections of the process that this one was forked from: SQLite forbids even to close them.
_inherited: list[Connection | None] = []


class DamagedRowError(ValueError):
    """A row does not have the contents that chatnb writes."""


class _FileConnection(Connection):
    """A connection that knows its file."""

    file: tuple[int, int] | None = None


class Database:
    """A SQLite file: any thread reads it, and a thread of its own writes it."""

    # Transactions are functions, which run one after another, each again while another process is
    # in its way. An interrupt ends the wait for one, never the transaction. Reads wait for none,
    # except in memory, where there is one connection. A forked process opens the file again; its
    # copy of a database in memory is its own. So does every process once its file was deleted or
    # replaced: what it went on to write would be in no file that anyone can open.

    def __init__(self, path: str | Path, format: FileFormat) -> None:
        self._path = str(path)
        self._format = format
        self._reader: _FileConnection | None = None
        self._writer: _FileConnection | None = None
        self._reset()
        self._when_free(self._reading, self._open_reader)
        _open_databases.add(self)

    def __del__(self) -> None:
        if self._jobs is not None:
            self._jobs.put(None)
        self._close_connections()

    def read(self, statement: str, *values: Any) -> list[Any]:
        """Return the rows of a query."""
        return self._when_free(
            self._reading, lambda: self._open_reader().execute(statement, values).fetchall()
        )

    def read_as(self, convert: Callable[[Any], T], statement: str, *values: Any) -> list[T]:
        """Return the rows of a query, converted; a row of wrong contents is a DamagedFileError."""
        read = self.read(statement, *values)
        try:
            return [convert(row) for row in read]
        except DamagedRowError as error:
            raise self.error(error) from error

    def read_with(
        self, functions: Mapping[str, Callable[..., Any]], statement: str, *values: Any
    ) -> list[Any]:
        """Return the rows of a query that calls functions of Python."""
        problems = list[DamagedRowError]()

        def guarded(function: Callable[..., Any], *given: Any) -> Any:
            try:
                return function(*given)
            except DamagedRowError as error:  # SQLite tells only that a function has failed.
                problems.append(error)
                raise

        def run() -> list[Any]:
            connection = self._open_reader()
            for name, function in functions.items():
                connection.create_function(name, -1, partial(guarded, function))
            try:
                return connection.execute(statement, values).fetchall()
            except sqlite3.OperationalError:
                if problems:
                    raise problems[0] from None
                raise

        return self._when_free(self._reading, run)

    def snapshot(self, work: Callable[[], T]) -> T:
        """Return the value of a function, all of whose reads see one state of the file."""

        def run() -> T:
            connection = self._open_reader()
            try:
                _begin(connection, "DEFERRED")
                return work()
            finally:
                connection.rollback()

        return self._when_free(self._reading, run)

    def error(self, problem: Exception) -> ConfigurationError:
        """Return the error of a file that cannot be used: its name, the problem, what to do."""
        return self._format.error(self._path, problem)

    def post(
        self,
        transaction: Callable[[Connection], T],
        then: Callable[[Outcome[T]], object] = lambda _: None,
        *,
        before: Job = lambda: None,
    ) -> Promise[T]:
        """Start a transaction, which is written as a whole or not at all, and return at once.

        The writing thread calls `before`, which may wait, while the file is free for others; and
        `then`, with the outcome, before it begins another transaction.
        """
        return self._post(partial(_transact, transaction), then, before)

    def write(self, transaction: Callable[[Connection], T]) -> T:
        """Run a transaction and return its value."""
        promise = self.post(transaction)
        if threading.current_thread() is self._thread:
            # In a finalizer, which the collector runs on any thread.
            raise RuntimeError("The thread that writes cannot wait for a transaction.")
        return promise.result()

    def repeat(self, post: Job) -> None:
        """Call a function, which may only post, now and then on the writing thread."""
        self._repeated.add(post)
        self._put(lambda: None)  # The thread may be waiting for a job, however long.

    def end_repeat(self, post: Job) -> None:
        """Call a function no more."""
        self._repeated.discard(post)

    def version(self) -> tuple[int, int]:
        """Return a value that changes with every write, of this process or another."""
        [(version,)] = self.read("PRAGMA data_version")
        with self._reading:
            return version, self._open_reader().total_changes  # In memory, its own changes.

    def scrub(self) -> bool:
        """Remove deleted bytes from the file and its log; return False if that is being read."""
        # `secure_delete` alone leaves copies in pages from which SQLite has moved rows.
        self._post(lambda connection: connection.execute("VACUUM").close()).result()
        deadline = time.monotonic() + _READER_SECONDS
        while True:
            [(busy, _, _)] = self.read("PRAGMA wal_checkpoint(TRUNCATE)")
            if not busy or time.monotonic() > deadline:
                return not busy
            time.sleep(_MAX_PAUSE_SECONDS)

    def close(self) -> None:
        """Write what was posted, and close the file; the next use opens it again."""
        _call_all(self._repeated)
        with self._starting:
            jobs, thread, self._jobs = self._jobs, self._thread, None
        if jobs is not None and thread is not None:
            jobs.put(None)
            thread.join()
        with self._reading, self._writing:
            self._close_connections()

    def _post(
        self,
        work: Callable[[Connection], T],
        then: Callable[[Outcome[T]], object] = lambda _: None,
        before: Job = lambda: None,
    ) -> Promise[T]:
        promise = Promise[T]()

        # What waited behind another transaction has that much less time to wait for a lock.
        deadline = time.monotonic() + _BUSY_SECONDS

        def attempt() -> T:
            return self._when_free(self._writing, lambda: work(self._open_writer()), deadline)

        def run() -> None:
            with self._working:
                before()
                outcome = outcome_of(attempt)
                try:
                    then(outcome)
                finally:
                    promise.set(outcome)

        self._put(run)
        return promise

    def _put(self, job: Job) -> None:
        with self._starting:
            if self._jobs is None:
                jobs = self._jobs = SimpleQueue()
                serve = partial(_serve, jobs, self._repeated)
                self._thread = threading.Thread(target=serve, name="chatnb-store", daemon=True)
                try:
                    self._thread.start()
                except BaseException as error:  # If it started all the same, it ends at once.
                    jobs.put(None)
                    self._jobs = None
                    if not isinstance(error, RuntimeError):
                        raise
            if self._jobs is not None:
                self._jobs.put(job)
                return
        job()  # The interpreter is ending, and starts no thread.

    def _when_free(
        self, lock: threading.RLock, work: Callable[[], T], deadline: float | None = None
    ) -> T:
        """Work with a connection, again while another process is in its way."""
        # SQLite's own wait can neither be interrupted nor let another thread fork.
        deadline, pause = deadline or time.monotonic() + _BUSY_SECONDS, 0.001
        while True:
            try:
                with lock:
                    return work()
            except (sqlite3.Error, OSError, DamagedRowError) as error:
                code = getattr(error, "sqlite_errorcode", 0) & 0xFF
                if code not in _BUSY_CODES or time.monotonic() > deadline:
                    raise self.error(error) from error
            except UnicodeDecodeError as error:  # SQLite's own error quotes damaged bytes.
                raise self.error(DamagedRowError("the database is malformed")) from error
            time.sleep(pause)
            pause = min(2 * pause, _MAX_PAUSE_SECONDS)

    def _open_reader(self) -> Connection:
        self._reader = self._at_path(self._reader)
        return self._reader

    def _open_writer(self) -> Connection:
        if self._path == MEMORY:
            return self._open_reader()
        self._writer = self._at_path(self._writer)
        return self._writer

    def _at_path(self, connection: _FileConnection | None) -> _FileConnection:
        """Return a connection to the file that is at the path now, this one if it still is."""
        if connection is None:
            return self._open()
        if connection.in_transaction or connection.file == _file_at(self._path):
            return connection
        connection.close()
        return self._open()

    def _open(self) -> _FileConnection:
        self._format.check(self._path)
        connection = sqlite3.connect(
            self._path,
            timeout=0,
            isolation_level=None,
            check_same_thread=False,
            factory=_FileConnection,
        )
        try:
            self._format.prepare(connection)
            if self._format.is_own:
                connection.execute("PRAGMA secure_delete = ON")
            if self._path == MEMORY or os.access(self._path, os.W_OK):
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.file = _file_at(self._path)
        except BaseException:
            connection.close()
            raise
        return connection

    def _close_connections(self) -> None:
        for connection in filter(None, (self._reader, self._writer)):
            connection.close()
        self._reader = self._writer = None

    def _reset(self) -> None:
        self._jobs: SimpleQueue[Job | None] | None = None
        self._thread: threading.Thread | None = None
        self._repeated = set[Job]()
        # Reentrant, since the collector may end an abandoned reply while one is held.
        self._starting = threading.RLock()
        # Held by a job: after `close`, the next thread may start before the last one has ended.
        self._working = threading.RLock()
        # Held while a connection is in use: a fork waits for both.
        self._reading = threading.RLock()
        self._writing = self._reading if self._path == MEMORY else threading.RLock()

    def _before_fork(self) -> None:
        self._reading.acquire()
        self._writing.acquire()

    def _after_fork(self) -> None:
        self._writing.release()
        self._reading.release()

    def _after_fork_in_child(self) -> None:
        self._reset()  # The parent writes what was posted.
        if self._path != MEMORY:
            _inherited.extend((self._reader, self._writer))
            self._reader = self._writer = None


def _file_at(path: str) -> tuple[int, int] | None:
    """Return the identity of a file, or None where there is none."""
    with suppress(OSError):
        status = Path(path).stat()
        return status.st_dev, status.st_ino
    return None


def _transact(transaction: Callable[[Connection], T], connection: Connection) -> T:
    _begin(connection, "IMMEDIATE")
    try:
        value = transaction(connection)
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise
    return value


def _begin(connection: Connection, kind: str) -> None:
    if connection.in_transaction:  # An interrupt came before the end of the last one.
        connection.rollback()
    connection.execute(f"BEGIN {kind}")


def _serve(jobs: SimpleQueue[Job | None], repeated: set[Job]) -> None:
    """Run jobs until one is None, and in between what repeats."""
    due = 0.0
    while True:
        with suppress(Empty):
            job = jobs.get(timeout=max(0.0, due - time.monotonic()) if repeated else None)
            if job is None:
                return
            _run(job)
            del job  # It holds the database.
        if repeated and time.monotonic() >= due:
            due = time.monotonic() + _REPEAT_SECONDS
            _call_all(repeated)


def _call_all(repeated: set[Job]) -> None:
    # Not in `_serve`, whose variable would hold the last of them, and so the database, for ever.
    for post in list(repeated):
        post()


def _run(job: Job) -> None:
    try:
        job()
    except Exception as error:  # A callback failed; others need this thread.
        sys.excepthook(type(error), error, error.__traceback__)


def _call_on_all(step: str) -> None:
    for database in list(_open_databases):
        getattr(database, step)()


# Closing also makes SQLite remove its log beside the file.
atexit.register(_call_on_all, "close")
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=partial(_call_on_all, "_before_fork"),
        after_in_parent=partial(_call_on_all, "_after_fork"),
        after_in_child=partial(_call_on_all, "_after_fork_in_child"),
    )
