"""A draft: a streaming reply that is written to disk as it grows."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from sqlite3 import Connection
from typing import Any
from weakref import WeakMethod

from chatnb.concurrency.waiting import Failed, Outcome, Promise
from chatnb.errors import ConfigurationError, error_line
from chatnb.schema.messages import AIMessageChunk, BaseMessage, join_chunks
from chatnb.store import Status, Store
from chatnb.store.rows import append_chunk, finish_node
from chatnb.store.store import SILENT_SECONDS
from chatnb.terminal import warn

# Other machines see from it that this process still runs.
_HEARTBEAT_SECONDS = SILENT_SECONDS / 3


class Draft:
    """A streaming reply; the disk is never a second behind it.

    The thread that writes the store writes its chunks, so that `append` costs next to nothing and a
    pause of the model leaves nothing unwritten.

    Args:
        store: The store that keeps it.
        node_id: The id of its node, which has the status `streaming`.
        on_finish: Called once its end is written.
        add: Adds the node, unless it is there.

    Example:
        >>> from chatnb import Conversation
        >>> conversation = Conversation("ideas", store=Store(":memory:"))
        >>> with conversation.replying() as draft:
        ...     draft.append(AIMessageChunk("Hel"))
        ...     draft.append(AIMessageChunk("lo"))
        >>> conversation.messages
        [AIMessage(content='Hello')]
    """

    _beat: Callable[[], object] | None = None

    def __init__(
        self,
        store: Store,
        node_id: str,
        on_finish: Callable[[], object] = lambda: None,
        add: Callable[[], object] = lambda: None,
    ) -> None:
        self.node_id = node_id
        self._store = store
        self._on_finish = on_finish
        self._add = add
        self._process = os.getpid()
        self._pending: list[AIMessageChunk] = []
        self._count = 0  # Of the pending chunks, those that are being written.
        self._written_at = time.monotonic()
        self._end: tuple[BaseMessage | None, Status, Mapping[str, Any]] | None = None
        self._ending = self._ended = self._warned = False

    def begin(self) -> Draft:
        """Add the node, unless it is there, as a `with` block does, and return the draft."""
        add, self._add = self._add, lambda: None
        if self._beat is None:  # Else `begin_reply` has begun it, and a `with` block does again.
            self._beat = partial(_call_if_alive, WeakMethod(self._post))
        self._store.repeat(self._beat)
        try:
            add()
        except BaseException:
            # An interrupt ends the wait for the node, and not the transaction that adds it.
            self._post_end(None, "stopped")
            raise
        return self

    __enter__ = begin

    def __exit__(self, type: object, error: BaseException | None, traceback: object) -> None:
        if error is None:
            self.finish()
            return
        failed = isinstance(error, Exception)
        facts = {"error": error_line(error)} if failed else {}
        ended = self._post_end(None, "failed" if failed else "stopped", facts)
        # The collector closes generators on any thread, which must not wait then.
        if ended is not None and not isinstance(error, GeneratorExit):
            try:
                ended.result()
            except ConfigurationError as problem:
                self._warn(problem)

    def __del__(self) -> None:
        # An interrupt may come before the first line of `__exit__`, or before that posts the end.
        is_open = self._beat is not None and not self._ended and os.getpid() == self._process
        if is_open and not sys.is_finalizing():
            self._end = self._end or (None, "stopped", {})
            self._post_until_written()

    def append(self, chunk: AIMessageChunk) -> None:
        """Add the next `chunk`, from any thread. It is on disk within a second."""
        self._pending.append(chunk)

    def finish(
        self,
        message: BaseMessage | None = None,
        status: Status = "done",
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the end of the reply; further calls do nothing.

        An interrupt ends only the wait. What cannot be written now is tried again.

        Args:
            message: The whole reply, or None for the sum of the chunks.
            status: `done`, `stopped` or `failed`; the last two are marked in the message's
                `response_metadata["finish_reason"]`.
            facts: Its metadata: model, seconds, first_seconds, cost, error...

        Raises:
            ConfigurationError: If the disk cannot be written to.
        """
        ended = self._post_end(message, status, facts)
        if ended is not None:
            ended.result()
            self._on_finish()

    def _post_end(
        self, message: BaseMessage | None, status: Status, facts: Mapping[str, Any] | None = None
    ) -> Promise[None] | None:
        """Start to write the end, once and only in this process."""
        if self._end is not None or os.getpid() != self._process:
            return None
        self._end = message, status, facts or {}
        return self._post_until_written()

    def _post_until_written(self) -> Promise[None] | None:
        # Unlike the beat, this keeps the draft.
        self._store.repeat(self._post)
        return self._post()

    def _post(self) -> Promise[None] | None:
        """Start to write what is new, or the end; the store repeats it until that is written."""
        is_recent = time.monotonic() - self._written_at < _HEARTBEAT_SECONDS
        if is_recent and not self._pending and self._end is None:
            return None
        return self._store.post(self._write, self._on_written)

    def _write(self, connection: Connection, now: float) -> None:
        if self._ended:
            return
        end = self._end  # Another thread may set it now.
        message, status, facts = end or (None, "streaming", {})
        self._count, self._ending = len(self._pending), end is not None
        if message is None:
            chunk = join_chunks(self._pending[: self._count]) if self._count else None
            append_chunk(connection, now, self.node_id, chunk)
        if end is not None:
            finish_node(connection, now, self.node_id, message, status, facts)

    def _on_written(self, outcome: Outcome[None]) -> None:
        if isinstance(outcome, Failed):
            if self._end is None:  # Else whoever ends the reply gets the error.
                self._warn(outcome.error)
            return
        del self._pending[: self._count]
        self._written_at = time.monotonic()
        if self._ending:
            self._ended = True
            self._store.end_repeat(self._post)
            if self._beat is not None:
                self._store.end_repeat(self._beat)

    def _warn(self, error: BaseException) -> None:
        """Warn once: a disk that is full for a while must not end a streaming reply."""
        if not self._warned:
            self._warned = True
            warn(f"A reply is not on disk yet: {error}", stacklevel=2)


def _call_if_alive(method: WeakMethod[Callable[[], object]]) -> None:
    call = method()
    if call is not None:
        call()
