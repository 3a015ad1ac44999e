"""The calls of a cassette: which answers what, in which order, and how they get into the file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from chatnb.errors import CassetteError
from chatnb.testing.cassette_file import (
    Contents,
    lock_of,
    read_contents,
    replace_text,
    written_call,
    written_head,
)
from chatnb.testing.requests import key_of
from chatnb.testing.takes import Take, read_take


class _Entry:
    """A recorded call."""

    def __init__(self, request: dict[str, Any], take: Take, text: str) -> None:
        self.request = request
        self.key = key_of(request)
        self.take = take
        self.text = text
        self.asked = False


class Tape:
    """The calls of one file, as this process knows them; callers take turns.

    Args:
        path: The file.
        fresh: Whether what is in the file answers nothing, and is replaced by what is recorded.
    """

    def __init__(self, path: Path, *, fresh: bool = False) -> None:
        self._path = path
        self._fresh = fresh
        self._entries: list[_Entry] = []
        self._mine: dict[int, _Entry] = {}
        self._tickets = 0
        self._seen: tuple[int, int, int] | None = None
        self.default_model: str | None = None

    def load(self) -> None:
        """Read the file, if there is one.

        Raises:
            CassetteError: If it is damaged, or newer than this chatnb.
        """
        if not self._path.exists():
            return
        contents = self._read()
        self.default_model = contents.default_model
        self._entries = [self._entry(place, call) for place, call in enumerate(contents.calls)]

    def requests(self) -> list[dict[str, Any]]:
        """Every request that was recorded."""
        return [entry.request for entry in self._all()]

    def next_take(self, key: str, streamed: bool, *, again: bool) -> Take | None:
        """The next take for a request, of the kind that is wanted if there is one.

        Args:
            key: The request's key.
            streamed: Whether chunks are wanted rather than whole replies.
            again: Whether the last take answers again once all have been given.
        """
        if self._fresh:
            return None
        known = [entry for entry in self._entries if entry.key == key]
        waiting = [entry for entry in known if not entry.asked]
        chosen = _of_kind(waiting, streamed)[:1]
        if not chosen and again:
            chosen = _of_kind(known, streamed)[-1:]
        for entry in chosen:
            entry.asked = True
            return entry.take
        return None

    def reserve(self) -> int:
        """A place in the order of the calls, for one that begins now and is recorded later."""
        self._tickets += 1
        return self._tickets

    def add(self, ticket: int, request: dict[str, Any], take: Take, text: str) -> None:
        """Put a call in its place, and write the file."""
        entry = _Entry(request, take, text)
        entry.asked = True
        self._mine[ticket] = entry
        self._write()

    def note_default(self, name: str) -> None:
        """Note which model answers cells that name none."""
        if name != self.default_model:
            self.default_model = name
            self._write()

    def prune(self) -> None:
        """Drop the calls that nobody has asked for."""
        dropped = Counter(entry.text for entry in self._entries if not entry.asked)
        if not dropped:
            return
        if self._fresh:
            recorded = [entry for entry in self._all() if entry.asked]
            self._mine = dict(enumerate(recorded, 1))
            self._tickets = max(self._tickets, len(recorded))
        self._entries = [entry for entry in self._entries if entry.asked]
        self._write(dropped)

    def _all(self) -> list[_Entry]:
        """What was in the file, then what is new; what is asked anew stays where it was."""
        mine = [self._mine[ticket] for ticket in sorted(self._mine)]
        if not self._fresh:
            return [*self._entries, *mine]
        ordered = list[_Entry]()
        for old in self._entries:
            new = next((entry for entry in mine if entry.key == old.key), None)
            if new is not None:
                mine.remove(new)
            ordered.append(new or old)
        return [*ordered, *mine]

    def _write(self, dropped: Counter[str] | None = None) -> None:
        with lock_of(self._path):
            if self._path.exists() and self._stamp() != self._seen:
                self._take_in_others(dropped or Counter())
            texts = [entry.text for entry in self._all()]
            replace_text(self._path, "".join([written_head(self.default_model), *texts]))
            self._seen = self._stamp()

    def _take_in_others(self, dropped: Counter[str]) -> None:
        """Keep what other processes have recorded in the meantime."""
        contents = self._read()
        self.default_model = self.default_model or contents.default_model
        known = Counter(entry.text for entry in [*self._entries, *self._mine.values()]) + dropped
        for place, call in enumerate(contents.calls):
            entry = self._entry(place, call)
            if known[entry.text] > 0:
                known[entry.text] -= 1
            else:
                self._entries.append(entry)

    def _read(self) -> Contents:
        self._seen = self._stamp()
        try:
            text = self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeError) as error:
            raise CassetteError(f"{self._path} cannot be read: {error}") from error
        return read_contents(text, str(self._path))

    def _stamp(self) -> tuple[int, int, int]:
        found = self._path.stat()
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _entry(self, place: int, call: dict[str, Any]) -> _Entry:
        try:
            request = call["request"]
            take = read_take(call)
            return _Entry(request, take, written_call(call))
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise CassetteError(
                f"{self._path} is damaged: call {place + 1} cannot be read ({error}). "
                "Restore it from version control, or delete it and record it again."
            ) from error


def _of_kind(entries: list[_Entry], streamed: bool) -> list[_Entry]:
    """Those that were streamed, or came whole; all of them if none were."""
    alike = [entry for entry in entries if (entry.take.chunks is not None) == streamed]
    return alike or entries
