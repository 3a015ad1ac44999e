"""The entries of a cassette: which recording answers a request, and how they are saved."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from chatnb.cassettes.cassette_file import CassetteFile, child_requests, note_request
from chatnb.cassettes.differences import reply_substance
from chatnb.cassettes.ignored_parts import IgnoredParts
from chatnb.cassettes.recordings import Recording, read_call
from chatnb.cassettes.requests import request_key
from chatnb.cassettes.yaml_file import call_yaml, head_yaml, parse_calls, parse_cassette

_Call: TypeAlias = tuple[str, int | None]
_Substance: TypeAlias = tuple[str, int | None, str]


class _Entry:
    """A recorded call."""

    def __init__(self, call: dict[str, Any], recording: Recording, key: str) -> None:
        self.request: dict[str, Any] = call["request"]
        self.key = key
        self.index: int | None = call.get("index")
        self.recording = recording
        self.order = 0
        """The number of the request of this process that it answers; 0 for none."""
        self._call, self._text = call, ""

    @property
    def requested(self) -> bool:
        """True if this process, or one that counts as it, has requested it."""
        return self.order > 0

    @property
    def substance(self) -> _Substance:
        """The key of calls that differ only in their times and random ids."""
        reply = json.dumps(reply_substance(self._call), sort_keys=True)
        return self.key, self.index, reply

    @property
    def text(self) -> str:
        """The entry in the file."""
        self._text = self._text or call_yaml(self._call)
        return self._text


class CassetteEntries:
    """The entries of one file, as this process knows them; not thread-safe."""

    # A call is appended to the file, and the file written as a whole only where that does not do:
    # the first time, after others have replaced it, and at the end if the calls are not in order.

    def __init__(
        self, path: Path, *, fresh: bool = False, ignored: IgnoredParts | None = None
    ) -> None:
        self._path = path
        self._ignored = ignored or IgnoredParts(())
        self._fresh = fresh
        self._entries: list[_Entry] = []
        self._by_key: defaultdict[str, list[_Entry]] = defaultdict(list)
        self._new: dict[int, _Entry] = {}
        self._tickets = 0
        self._last_ticket = 0
        self._file = CassetteFile(path)
        self._is_ordered, self._can_append = True, False
        self.default_model: str | None = None
        self.recorded_at: str | None = None
        self.outputs: list[dict[str, Any]] | None = None
        self._earlier_moment: str | None = None
        self._unchanged: defaultdict[_Substance, deque[_Entry]] | None = None
        self._repeated: list[_Entry] = []
        self.varies: Sequence[dict[str, Any]] = ()

    def load(self) -> None:
        """Read the file, if there is one."""
        if not self._path.exists():
            return
        contents = parse_cassette(self._file.read(), str(self._path))
        self._can_append = contents.can_append and not self._file.is_torn
        self.default_model, self.recorded_at = contents.default_model, contents.recorded_at
        self.outputs = contents.outputs
        self.varies = contents.varies
        for index, call in enumerate(contents.calls):
            self._keep(self._entry(index, call))

    def _keep(self, entry: _Entry) -> None:
        self._entries.append(entry)
        self._by_key[entry.key].append(entry)

    def requests(self) -> list[dict[str, Any]]:
        """Return every recorded request."""
        return [entry.request for entry in self._all()]

    def unrequested(self) -> list[dict[str, Any]]:
        """Return the recorded requests that this process has not made."""
        self._count_children()
        return [entry.request for entry in self._entries if not entry.requested]

    def repeated(self) -> list[dict[str, Any]]:
        """Return the requests that this process has made more often than they are recorded."""
        return [entry.request for entry in self._repeated]

    def request_numbers(self) -> list[int]:
        """Return the number of the request that each entry of the file answers; 0 for none."""
        self._count_children()
        return [entry.order for entry in self._all()]

    def key(self, request: dict[str, Any]) -> str:
        """Return what equal requests have in common."""
        return request_key(self._ignored.without(request))

    def next_recording(
        self, key: str, streamed: bool, *, index: int | None = None, again: bool
    ) -> Recording | None:
        """Return the next recording for a request.

        Preferably that of the same input of a batch, whose threads call in any order; and a stream
        for a stream.
        """
        if self._fresh:
            return None
        matching = self._by_key.get(key, [])
        unused = [entry for entry in matching if not entry.requested]
        chosen = _preferred(unused, streamed, index)[:1]
        if not chosen and again:
            chosen = _preferred(matching, streamed, index)[-1:]
            self._repeated += chosen
        for entry in chosen:
            self._tickets += 1
            entry.order = self._tickets
            note_request(self._noted(entry))
            return entry.recording
        return None

    def reserve(self) -> int:
        """Reserve a position for a call that starts now and is recorded later."""
        self._tickets += 1
        return self._tickets

    def add(self, ticket: int, call: dict[str, Any], recording: Recording) -> None:
        """Add a call at its position, and write it."""
        entry = _Entry(call, recording, self.key(call["request"]))
        if self._fresh:
            entry = self._unless_unchanged(entry)
        entry.order = ticket
        with self._file.lock():
            self._read_others()
            self._new[ticket] = entry
            if self._can_append:
                self._file.append(entry.text)
                self._is_ordered &= not self._fresh and ticket > self._last_ticket
            else:
                self._write()
        self._last_ticket = max(self._last_ticket, ticket)
        note_request(self._noted(entry))

    def _unless_unchanged(self, entry: _Entry) -> _Entry:
        """Return an entry, or the recorded one that differs from it in times and ids only."""
        if self._unchanged is None:
            self._unchanged = defaultdict(deque)
            for old in self._entries:
                self._unchanged[old.substance].append(old)
        same = self._unchanged[entry.substance]
        return same.popleft() if same else entry

    def finish(self) -> None:
        """Write the calls in their order, and a new moment, unless they are."""
        if not self._is_ordered:
            self._rewrite()

    def note_default(self, name: str) -> None:
        """Record the model that answers cells that name none."""
        if name != self.default_model:
            self.default_model = name
            self._rewrite()

    def note_moment(self, moment: str) -> None:
        """Record the moment that replays take for now, with the next call or at the end."""
        if moment != self.recorded_at:
            self._earlier_moment, self.recorded_at = self.recorded_at, moment
            self._can_append = self._is_ordered = False

    def note_outputs(self, outputs: list[dict[str, Any]]) -> None:
        """Keep the outputs of the cells of a notebook that is saved without them."""
        if outputs != self.outputs:
            self.outputs = outputs
            self._rewrite()

    def note_varying(self, masks: Sequence[dict[str, Any]]) -> None:
        """Record what differs from replay to replay."""
        if list(masks) != list(self.varies):
            self.varies = masks
            self._rewrite()

    def prune(self) -> None:
        """Drop the calls that were not requested, and put new ones where they were requested."""
        self._count_children()
        before = list(self._entries)
        dropped = Counter(entry.text for entry in before if not entry.requested)
        recorded, added = self._in_order()
        kept = _placed([entry for entry in recorded if entry.requested], added)
        if kept == before:
            if not self._fresh:
                return
            self.recorded_at = self._earlier_moment or self.recorded_at
        self._entries, self._new, self._by_key = [], {}, defaultdict(list)
        if self._fresh:
            self._new = dict(enumerate(kept, 1))
            self._tickets = max(self._tickets, len(kept))
        else:
            for entry in kept:
                self._keep(entry)
        self._rewrite(dropped)

    def _count_children(self) -> None:
        """Let the requests of child processes count, which may have added entries, too."""
        if noted := child_requests():
            for entry in self._entries:
                if not entry.requested and self._noted(entry) in noted:
                    entry.order = self.reserve()

    def _noted(self, entry: _Entry) -> str:
        # Several processes that replay equal requests take the same one of their recordings. Where
        # all is recorded again, the earlier recordings of a request are to go.
        return hashlib.sha256(entry.text.encode()).hexdigest() if self._fresh else entry.key

    def _all(self) -> list[_Entry]:
        """Return the entries of the file, then new ones; a refreshed one keeps its position."""
        recorded, added = self._in_order()
        return [*recorded, *added]

    def _in_order(self) -> tuple[list[_Entry], list[_Entry]]:
        """Return the entries that have a position in the file, and the others by their start."""
        new = [self._new[ticket] for ticket in sorted(self._new)]
        if not self._fresh:
            return list(self._entries), new
        unchanged = {id(entry) for entry in self._entries if entry.requested}
        successors = defaultdict[_Call, deque[_Entry]](deque)
        for entry in new:
            if id(entry) not in unchanged:
                successors[entry.key, entry.index].append(entry)
        recorded = [
            old
            if id(old) in unchanged or not successors[old.key, old.index]
            else successors[old.key, old.index].popleft()
            for old in self._entries
        ]
        used = set(map(id, recorded))
        return recorded, [entry for entry in new if id(entry) not in used]

    def _rewrite(self, dropped: Counter[str] | None = None) -> None:
        with self._file.lock():
            self._read_others(dropped)
            self._write()

    def _head(self) -> str:
        return head_yaml(self.default_model, self.recorded_at, self.varies, self.outputs)

    def _write(self) -> None:
        self._file.replace([self._head(), *(e.text for e in self._all())])
        self._is_ordered = self._can_append = True

    def _read_others(self, dropped: Counter[str] | None = None) -> None:
        """Keep what other processes have recorded meanwhile; the lock is held."""
        if not self._file.exists():
            self._can_append = False
            return
        if (added := self._file.read_appended()) is not None:
            for call in parse_calls(added, str(self._path)) if added else []:
                self._keep(self._entry(len(self._entries), call))
            return
        contents = parse_cassette(self._file.read(), str(self._path))
        self.default_model = self.default_model or contents.default_model
        self.recorded_at = self.recorded_at or contents.recorded_at
        self.outputs = contents.outputs if self.outputs is None else self.outputs
        self.varies = self.varies or contents.varies
        known = Counter(entry.text for entry in [*self._entries, *self._new.values()])
        known += dropped or Counter()
        for index, call in enumerate(contents.calls):
            entry = self._entry(index, call)
            if known[entry.text] > 0:
                known[entry.text] -= 1
            else:
                self._keep(entry)
        is_whole = not any(known.values())
        self._can_append = contents.can_append and is_whole and not self._file.is_torn

    def _entry(self, index: int, call: Any) -> _Entry:
        recording = read_call(call, index + 1, str(self._path))
        return _Entry(call, recording, self.key(call["request"]))


def _placed(recorded: list[_Entry], added: list[_Entry]) -> list[_Entry]:
    """Return entries with each added one after that which was requested before it."""
    # So a changed request stays where it was, and a diff shows what has changed of it.
    first = list[_Entry]()
    following = first
    after = {id(entry): list[_Entry]() for entry in recorded}
    for entry in sorted([*recorded, *added], key=lambda entry: entry.order):
        if id(entry) in after:
            following = after[id(entry)]
        else:
            following.append(entry)
    return [*first, *(each for entry in recorded for each in (entry, *after[id(entry)]))]


def _preferred(entries: list[_Entry], streamed: bool, index: int | None) -> list[_Entry]:
    """Return the entries of this input, of them those that were streamed (or not) as wanted."""
    same = [entry for entry in entries if entry.index == index] or entries
    return [entry for entry in same if (entry.recording.chunks is not None) == streamed] or same
