"""The store of conversations, with every operation that changes it, and the user's own store."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from sqlite3 import Connection
from typing import Any, Concatenate, Final, ParamSpec, TypeAlias, TypeVar
from uuid import uuid4

from chatnb.concurrency.locks import Lock
from chatnb.concurrency.processes import start_time, this_machine
from chatnb.concurrency.waiting import Outcome, Promise
from chatnb.errors import ConfigurationError, NotForgottenError
from chatnb.schema.messages import AIMessageChunk, BaseMessage, HumanMessage
from chatnb.store import rows
from chatnb.store.database import Database
from chatnb.store.file_format import MEMORY
from chatnb.store.migrations import store_format
from chatnb.store.nodes import Changes, Node, Status, Summary
from chatnb.store.rows import COLUMNS, clean_text, dict_json, message_json, node_from_row
from chatnb.store.search import Found, search
from chatnb.strict_json import parse_object
from chatnb.terminal import warn

T = TypeVar("T")
P = ParamSpec("P")
Transaction: TypeAlias = Callable[Concatenate[Connection, float, P], T]
"""A function of a connection and the time."""

STORE_VARIABLE: Final = "CHATNB_STORE"
_stores: dict[str, Store] = {}
_making = Lock()
# A writer on another machine counts as gone after so long without a heartbeat.
SILENT_SECONDS: Final = 30.0
# Setting the clock moves the start time that the system reports for a process a little.
_SAME_START_SECONDS = 2.0


def this_writer() -> str:
    """Return an identification of this process."""
    return _writer(os.getpid())


@cache
def _writer(pid: int) -> str:
    return json.dumps({"machine": this_machine(), "pid": pid, "started": start_time(pid)})


def is_alive(writer: str, *, heartbeat: float, now: float) -> bool:
    """Return whether a process still runs."""
    try:
        process = parse_object(writer)
        started = process["started"]
        running = start_time(process["pid"]) if process["machine"] == this_machine() else None
        if running is None or started is None:
            return now - heartbeat < SILENT_SECONDS
        return abs(running - started) < _SAME_START_SECONDS
    except (ValueError, TypeError, KeyError, OverflowError):
        return False


class Store:
    """Conversations in a file, for any number of threads and processes.

    Messages, settings and metadata are written as they are given; nothing else of a chat model,
    so no key, comes here. Methods that change a conversation create it if it does not exist.

    Args:
        path: The file, created if it does not exist; or `:memory:`.
        clock: Returns the time in seconds since 1970.
        new_id: Returns ids for messages.

    Raises:
        ConfigurationError: If the file cannot be used; it stays as it was.

    Example:
        >>> from chatnb.schema import HumanMessage
        >>> store = Store(":memory:", clock=lambda: 0.0)
        >>> node_id = store.add("ideas", HumanMessage("A name for a boat?"), parent=None)
        >>> [(summary.name, summary.turns) for summary in store.summaries()]
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
        self.path = str(path)
        self._database = Database(path, store_format())
        self._clock = clock
        self.new_id = new_id
        self.repeat, self.end_repeat = self._database.repeat, self._database.end_repeat

    def __reduce__(self) -> Any:
        if self.path == MEMORY:
            raise TypeError(
                "A store in memory cannot be pickled: other processes cannot read it. "
                "Give it a file: Store(path)."
            )
        return Store, (self.path,)

    def close(self) -> None:
        """Write what was posted and close the file; the next use opens it again."""
        self._database.close()

    def post(
        self,
        transaction: Transaction[[], T],
        then: Callable[[Outcome[T]], object] = lambda _: None,
    ) -> Promise[T]:
        """Start a transaction without waiting for it; it is written as a whole, or not at all.

        Args:
            transaction: Called on the writing thread with the connection and the time.
            then: Called there with the outcome, before another transaction begins.

        Returns:
            A promise of what the transaction returns.
        """
        now = self._clock()
        return self._database.post(lambda connection: transaction(connection, now), then)

    def write(self, transaction: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a transaction and return its value; an interrupt ends only the wait.

        Args:
            transaction: Called on the writing thread with the connection and the time.
            *args: Further arguments of it.
            **kwargs: Further arguments of it.
        """
        now = self._clock()
        return self._database.write(
            lambda connection: transaction(connection, now, *args, **kwargs)
        )

    def version(self) -> object:
        """Return a value that changes with every write, of this process or another."""
        return self._database.version()

    def error(self, problem: Exception) -> ConfigurationError:
        """Return the error of a file with contents, or a `problem`, that are not chatnb's."""
        return self._database.error(problem)

    def summaries(self) -> list[Summary]:
        """Return all conversations, the one that changed last first."""
        return self._database.read_as(
            rows.summary_from_row,
            "SELECT name, origin, settings, created, changed, "
            "(SELECT count(*) FROM nodes WHERE conversation = c.number AND hidden = 0 "
            f" AND {rows.TYPE} = 'human'), "
            "(SELECT substr(text, 1, 200) FROM nodes WHERE conversation = c.number "
            f" AND hidden = 0 AND {rows.TYPE} = 'human' "
            " ORDER BY nodes.number LIMIT 1) "
            "FROM conversations AS c ORDER BY changed DESC, number DESC",
        )

    def changes(self, name: str, *, conversation: int = 0, since: int = -1) -> Changes | None:
        """Return what is new in a conversation.

        Args:
            name: Its name.
            conversation: Its number when it was last read; 0 if it never was.
            since: Its version then.

        Returns:
            The changes; everything if another conversation has the name by now; None if none has.
        """
        self._settle()
        return self._database.snapshot(lambda: self._changes(name, conversation, since))

    def _changes(self, name: str, conversation: int, since: int) -> Changes | None:
        read = self._database.read_as(
            rows.changes_from_row,
            "SELECT number, version, leaf, settings FROM conversations WHERE name = ?",
            name,
        )
        if not read:
            return None
        changes = read[0]
        known = since if changes.conversation == conversation else -1
        is_new = changes.version != known
        nodes = self._nodes(changes.conversation, known) if is_new else []
        return replace(changes, nodes=nodes)

    def add(
        self,
        name: str,
        message: BaseMessage,
        *,
        parent: str | None,
        after: int | None = None,
        status: Status = "done",
        facts: Mapping[str, Any] | None = None,
        created: float | None = None,
        id: str | None = None,
    ) -> str:
        """Add a message after another, and select the path that ends with it.

        Args:
            name: The name of the conversation.
            message: The message.
            parent: The id of the message before it, or None.
            after: The number of the newest known message: if others have continued the path from
                the parent since then, the message follows theirs.
            status: Its status.
            facts: Its metadata.
            created: Its time, if it is not added now.
            id: Its id, if it has one.

        Returns:
            The id of the new node.

        Raises:
            DeletedMessageError: If another process has deleted the parent; nothing is added.
        """
        now = self._clock()
        id = id or self.new_id()
        values = {
            "id": id,
            "parent": parent,
            "message": message_json(message),
            "text": clean_text(message.text),
            "status": status,
            "metadata": dict_json(facts),
            "created": now if created is None else created,
            "writer": this_writer() if status == "streaming" else None,
            "heartbeat": now,
        }
        self.write(rows.add_node, name, values, after, isinstance(message, HumanMessage))
        return id

    def append(self, node_id: str, chunk: AIMessageChunk | None) -> None:
        """Write the next `chunk` of the streaming reply `node_id`; None is a mere heartbeat."""
        self.write(rows.append_chunk, node_id, chunk)

    def finish(
        self,
        node_id: str,
        message: BaseMessage | None = None,
        status: Status = "done",
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """End a streaming reply; does nothing if it was deleted meanwhile.

        Args:
            node_id: Its id.
            message: The whole reply, or None for the sum of its chunks.
            status: Its final status.
            facts: Metadata, added to what was given at its start.
        """
        self.write(rows.finish_node, node_id, message, status, facts or {})

    def select(self, name: str, leaf: str | None) -> None:
        """Select the message `leaf` as the end of the path of the conversation `name`."""
        self.write(rows.select, name, leaf)

    def hide(self, node_id: str) -> None:
        """Hide the message `node_id` and all that follow it, until `unhide`."""
        self.write(rows.hide, node_id)

    def unhide(self, node_id: str) -> None:
        """Show the message `node_id` again, which `hide` hid, and all that follow it."""
        self.write(rows.unhide, node_id)

    def change_settings(self, name: str, settings: Mapping[str, Any]) -> None:
        """Set some `settings` of the conversation `name`; None removes one."""
        self.write(rows.change_settings, name, settings)

    def begin(self, stem: str, origin: str = "") -> str:
        """Create a conversation.

        Args:
            stem: Its name, if that is free.
            origin: The notebook that creates it.

        Returns:
            Its name: the stem, or the stem with the next number.
        """
        return self.write(rows.begin, stem, origin)

    def set_aside(self, name: str) -> str | None:
        """Rename the conversation `name`, so that the name is free.

        Returns:
            The new name, or None if there is no such conversation.
        """
        return self.write(rows.set_aside, name)

    def forget(self, name: str) -> bool:
        """Remove the conversation `name` for good, down to the bytes of the file.

        Returns:
            True if there was one.

        Raises:
            NotForgottenError: If it is deleted, but its bytes could not be removed, since another
                process is reading the file.
        """
        existed = self.write(rows.delete, name)
        if not self._database.scrub():
            raise NotForgottenError(
                f"{name} is deleted, but another program is reading the store, so that the file "
                "still holds its text. End that program, then forget any conversation, or close "
                "all notebooks."
            )
        return existed

    def search(self, words: str, most: int = 50) -> list[Found]:
        """Find messages by their words.

        Args:
            words: Any text. A message must contain all its words, or words that begin so.
            most: The largest number of results.

        Returns:
            The matches, the best first.
        """
        self._settle()
        return search(self._database, words, most)

    def _nodes(self, conversation: int, since: int) -> list[Node]:
        return self._database.read_as(
            lambda row: node_from_row(row, self._chunks(row)),
            f"SELECT {COLUMNS} FROM nodes WHERE conversation = ? AND version > ? ORDER BY number",
            conversation,
            since,
        )

    def _chunks(self, row: tuple[Any, ...]) -> list[str]:
        _, id, _, _, status, *_ = row
        if status != "streaming":
            return []
        return [chunk for (chunk,) in self._database.read(rows.CHUNKS, id)]

    def _settle(self) -> None:
        """Mark replies whose process is gone as stopped."""
        streaming, now = self._database.read(rows.STREAMING), self._clock()
        others = [row for row in streaming if row[1] != this_writer()]
        left = [row for row in others if not is_alive(row[1], heartbeat=row[2], now=now)]
        if left:
            self.write(rows.settle, left)


def store_path() -> str:
    """Return the path in `CHATNB_STORE`, else a file in the user's data folder; or `:memory:`.

    Returns:
        The path.

    Example:
        >>> store_path()  # doctest: +SKIP
        '/home/ada/.local/share/chatnb/conversations.db'
    """
    named = os.environ.get(STORE_VARIABLE)
    if named == MEMORY:
        return MEMORY
    if named:
        return str(Path(named).expanduser().absolute())
    from platformdirs import user_data_path

    return str(user_data_path("chatnb", appauthor=False) / "conversations.db")


def shared_store() -> Store:
    """Return the store that all conversations of this process share by default.

    If the user's data folder is not writable, as in some containers, conversations are kept in
    memory and a warning says so. A file that CHATNB_STORE names must be usable.

    Returns:
        The store.

    Raises:
        ConfigurationError: If its file cannot be used.

    Example:
        >>> shared_store() is shared_store()  # doctest: +SKIP
        True
    """
    path = store_path()
    with _making:
        if path not in _stores:
            _stores[path] = _opened(path)
        return _stores[path]


def _opened(path: str) -> Store:
    try:
        return Store(path)
    except ConfigurationError as error:
        if os.environ.get(STORE_VARIABLE) or not isinstance(error.__cause__, OSError):
            raise
        warn(f"{error} They are in memory only, until this process ends.", stacklevel=3)
        return Store(MEMORY)
