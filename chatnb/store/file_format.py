"""Formats of chatnb's SQLite files: their mark, their tables, and the migrations to these."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from chatnb.errors import ConfigurationError, DamagedFileError
from chatnb.files import create_private, make_private

MEMORY: Final = ":memory:"
_DAMAGED = (
    "Restore it from a backup, or move it away together with the files {name}-wal and {name}-shm; "
    "chatnb then begins a new one. "
)
_LOCKED = "Another program keeps it locked: end that program, or its transaction, and try again."
# Of SQLite: the newest messages are in the first of them.
_FILES_BESIDE = ("-wal", "-shm", "-journal")
_FULL = "Make room on the disk and try again."


@dataclass(frozen=True)
class FileFormat:
    """A kind of SQLite file."""

    # Files are told from those of other programs by `application_id`. Files of earlier versions
    # that bear none have the tables `unmarked`, with these columns, and are left unmarked.

    use: str
    """The use of a file, as errors name it: "for conversations"."""
    contents: str
    advice: str
    """The way to use another file."""
    application_id: int
    migrations: Sequence[Sequence[str]]
    """Each brings the tables from the version before it to its own; the first is version 1."""
    unmarked: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    is_own: bool = False
    """True for a file of the user's own: its folder is made, and nobody else may read it."""

    def check(self, path: str) -> None:
        """Raise a ConfigurationError for a file of another program; else see that it is private."""
        if path == MEMORY:
            return
        file = Path(path)
        if file.exists() and (not file.is_file() or file.stat().st_size):
            self._check_contents(file)
        if self.is_own:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        create_private(path)
        if not os.access(path, os.R_OK | os.W_OK if self.is_own else os.R_OK):
            raise PermissionError(f"{path} cannot be written to" if self.is_own else "no access")

    def prepare(self, connection: sqlite3.Connection) -> None:
        """Bring the tables to the newest version, in one transaction."""
        if self._read_version(connection) == len(self.migrations):
            return
        connection.execute("BEGIN IMMEDIATE")
        # Another process may have done it while this one waited for the lock.
        for statements in self.migrations[self._read_version(connection) :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {self.application_id}")
        connection.execute(f"PRAGMA user_version = {len(self.migrations)}")
        connection.execute("COMMIT")

    def error(self, path: str, problem: BaseException) -> ConfigurationError:
        """Return the error for whoever uses the file: its name, the problem, and what to do."""
        if isinstance(problem, ConfigurationError):
            return problem
        code = getattr(problem, "sqlite_errorcode", 0) & 0xFF
        is_damaged = code == sqlite3.SQLITE_CORRUPT or isinstance(problem, ValueError)
        remedies = {
            sqlite3.SQLITE_BUSY: f"{_LOCKED} ",
            sqlite3.SQLITE_LOCKED: f"{_LOCKED} ",
            sqlite3.SQLITE_FULL: f"{_FULL} ",
        }
        remedy = _DAMAGED.format(name=Path(path).name) if is_damaged and self.is_own else ""
        error_class = DamagedFileError if is_damaged else ConfigurationError
        return error_class(
            f"{path} cannot be used {self.use} ({problem}). "
            f"{remedies.get(code, remedy)}{self.advice}"
        )

    def _check_contents(self, file: Path) -> None:
        """Raise an error for contents that chatnb did not write, or cannot read."""
        if not file.is_file():
            raise OSError("it is no file")
        # Read-only: another program's file is not written to, not even to recover it.
        address = f"{file.absolute().as_uri()}?mode=ro"
        try:
            with closing(sqlite3.connect(address, uri=True, timeout=0)) as connection:
                self._read_version(connection)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_READONLY:
                raise
            # A process was killed while it wrote: only the header can be read before a recovery.
            with file.open("rb") as opened:
                mark = int.from_bytes(opened.read(72)[68:], "big")
            if mark != self.application_id and (mark or not self.unmarked):
                raise sqlite3.DatabaseError(self._foreign) from error
        if self.is_own:
            make_private(file, _FILES_BESIDE)

    @property
    def _foreign(self) -> str:
        return f"it holds something else than chatnb's {self.contents}, and is left as it is"

    def _read_version(self, connection: sqlite3.Connection) -> int:
        """Return the version of the tables, 0 if there are none yet."""
        try:
            rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            tables = {name for (name,) in rows.fetchall()}
            ((application,),) = connection.execute("PRAGMA application_id").fetchall()
            ((version,),) = connection.execute("PRAGMA user_version").fetchall()
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_NOTADB:
                raise
            raise sqlite3.DatabaseError(f"{error}; {self._foreign}") from error
        return self._version(connection, tables, application, version)

    def _version(
        self, connection: sqlite3.Connection, tables: set[str], application: int, version: int
    ) -> int:
        newest = len(self.migrations)
        if not (tables or application or version):
            return 0
        if version > newest and application in (0, self.application_id):
            raise sqlite3.DatabaseError(
                f"it is of version {version}, made by a newer chatnb than this one: "
                "pip install -U chatnb"
            )
        if application == self.application_id:
            return int(version)
        if application or not self._is_unmarked(connection, tables):
            raise sqlite3.DatabaseError(self._foreign)
        return newest

    def _is_unmarked(self, connection: sqlite3.Connection, tables: set[str]) -> bool:
        return (
            bool(self.unmarked)
            and tables == set(self.unmarked)
            and all(
                [row[1] for row in connection.execute(f"PRAGMA table_info({name})")] == [*columns]
                for name, columns in self.unmarked.items()
            )
        )
