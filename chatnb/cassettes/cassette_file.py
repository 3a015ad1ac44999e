"""The file of a cassette, appended to under a lock or replaced, and that of child requests."""

from __future__ import annotations

import atexit
import hashlib
import os
import tempfile
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path

from chatnb.cassettes.yaml_file import NO_LIBRARIES
from chatnb.errors import CassetteError, MissingRuntimeError
from chatnb.files import replace_text

# A lock file stays, since another process may be about to take it. With so few digits of its
# cassette's hash in its name there are at most 256; cassettes that share one wait for each other.
_LOCK_DIGITS = 2
# A file that replaces another may have its inode number: what else tells it apart.
_SAMPLE_BYTES = 1024
# The environment variable of child processes: the parent's number, and the file of their requests.
_REQUESTS_VARIABLE = "CHATNB_CASSETTE_REQUESTS"


class CassetteFile:
    """A cassette's file, as this process has read or written it last."""

    # A note in the temporary folder says where an append begins and ends, while it goes on. Who
    # reads the file then, or after a kill, leaves out what is not there as a whole.

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity = (0, 0)
        self._size = self._modified = 0
        self._sample = b""
        self.is_torn = False
        """True if the file ends with a part of what was to be appended."""

    def exists(self) -> bool:
        """Return whether there is a file."""
        return self._path.exists()

    @contextmanager
    def lock(self) -> Generator[None]:
        """Hold the lock that processes take before they change the file."""
        try:
            from filelock import FileLock
        except ImportError as error:
            raise MissingRuntimeError(NO_LIBRARIES) from error
        with FileLock(self._in_temporary("lock", _LOCK_DIGITS), timeout=60):
            yield

    def read(self) -> str:
        """Return the text."""
        end = self._end_of_torn_append()
        self.is_torn = end is not None
        data = self._read_bytes(0)
        return self._decoded(data if end is None else data[:end])

    def read_appended(self) -> str | None:
        """Return what others have appended, "" for nothing; None if the file is another one."""
        stat = self._path.stat()
        if self._identity != (stat.st_dev, stat.st_ino) or stat.st_size < self._size:
            return None
        if (stat.st_size, stat.st_mtime_ns) == (self._size, self._modified):
            return ""
        if self._read_sample() != self._sample:
            return None
        # A text editor may have written to it, too; and a torn append is to be cut off.
        if stat.st_size == self._size or self._end_of_torn_append() is not None:
            return None
        return self._decoded(self._read_bytes(self._size))

    def append(self, text: str) -> None:
        """Append a text; the lock is held."""
        data, note = text.encode(), self._in_temporary("append")
        with self._problems(), self._path.open("ab", buffering=0) as file:
            start = file.tell()
            note.write_text(f"{start} {start + len(data)}")
            try:
                if file.write(data) != len(data):
                    raise OSError("it could not be written completely: is the disk full?")
            except BaseException:
                os.truncate(self._path, start)
                raise
            finally:
                note.unlink(missing_ok=True)
            self._note_state(os.fstat(file.fileno()))

    def replace(self, texts: Iterable[str]) -> None:
        """Replace the text; the lock is held."""
        with self._problems():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            replace_text(self._path, texts)
            self._in_temporary("append").unlink(missing_ok=True)
            self._note_state(self._path.stat())
        self.is_torn = False

    def _read_bytes(self, start: int) -> bytes:
        with self._problems("read"), self._path.open("rb") as file:
            file.seek(start)
            data = file.read()
            self._note_state(os.fstat(file.fileno()), start + len(data))
            return data

    def _note_state(self, stat: os.stat_result, size: int | None = None) -> None:
        self._identity = stat.st_dev, stat.st_ino
        self._size, self._modified = size or stat.st_size, stat.st_mtime_ns
        self._sample = self._read_sample()

    def _read_sample(self) -> bytes:
        """Return the first bytes of what was read or written last, and its last ones."""
        with self._problems("read"), self._path.open("rb") as file:
            first = file.read(min(_SAMPLE_BYTES, self._size))
            file.seek(max(0, self._size - _SAMPLE_BYTES))
            return first + file.read(min(_SAMPLE_BYTES, self._size))

    def _end_of_torn_append(self) -> int | None:
        """Return where the last append began, if it is not there as a whole."""
        with suppress(OSError, ValueError):
            start, end = map(int, self._in_temporary("append").read_text().split())
            if start < self._path.stat().st_size < end:
                return start
        return None

    def _decoded(self, data: bytes) -> str:
        try:
            return data.decode().replace("\r\n", "\n")
        except UnicodeError as error:
            raise CassetteError(f"{self._path} cannot be read: {error}") from error

    @contextmanager
    def _problems(self, what: str = "written") -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise CassetteError(f"{self._path} cannot be {what}: {error}") from error

    def _in_temporary(self, suffix: str, digits: int = 24) -> Path:
        # In the temporary folder: beside the cassette, people would commit it. Users cannot open
        # each other's files, so the name has the user's number: a container's user may have no
        # name. Windows has neither numbers nor a shared folder.
        user = os.getuid() if hasattr(os, "getuid") else ""
        digest = hashlib.sha256(str(self._path.resolve()).encode()).hexdigest()[:digits]
        return Path(tempfile.gettempdir()) / f"chatnb-cassette-{user}-{digest}.{suffix}"


def count_child_requests() -> None:
    """From now on, let requests of processes that this one starts count as its own.

    Workers of an executor find the cassette in their environment, and use it. Their entries are
    then neither dropped as unrequested, nor told as such.
    """
    handle, name = tempfile.mkstemp(prefix="chatnb-requests-")
    os.close(handle)
    os.environ[_REQUESTS_VARIABLE] = f"{os.getpid()}:{name}"
    atexit.register(_remove, os.getpid(), Path(name))


def is_child() -> bool:
    """Return whether the requests of this process count as those of its parent."""
    return _requests_file() is not None


def note_request(request: str) -> None:
    """Note a request for the parent, if its children's requests count as its own."""
    file = _requests_file()
    if file is not None and file.exists():  # Else the parent has ended.
        with file.open("ab", buffering=0) as noted:
            noted.write(f"{request}\n".encode())


def child_requests() -> set[str]:
    """Return the requests that child processes have noted."""
    parent, _, name = os.environ.get(_REQUESTS_VARIABLE, "").partition(":")
    if parent != str(os.getpid()) or not Path(name).exists():
        return set()
    return set(Path(name).read_text().split())


def _requests_file() -> Path | None:
    parent, _, name = os.environ.get(_REQUESTS_VARIABLE, "").partition(":")
    return Path(name) if parent not in ("", str(os.getpid())) else None


def _remove(process: int, file: Path) -> None:
    if process == os.getpid():  # And not a fork of it.
        file.unlink(missing_ok=True)
