"""A reply on its way to disk."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from chatnb.errors import ConfigurationError
from chatnb.schema.messages import AIMessageChunk, BaseMessage, join_chunks
from chatnb.store.nodes import Status
from chatnb.store.store import Store

WRITE_SECONDS = 0.4
"""How often what has come is written; a piece may wait this long, and must not wait a second."""


class Draft:
    """A reply that is streaming, of which the disk is never a second behind.

    A thread of its own writes what has come, so that `append` costs next to nothing and a pause
    of the model leaves nothing unwritten.

    Args:
        store: Where it is kept.
        node_id: Its node, which has the status `streaming`.
        on_finish: Is called once the end is written.
        every: How often to write, in seconds.

    Example:
        >>> from chatnb import Conversation
        >>> talk = Conversation("ideas", store=Store(":memory:"))
        >>> draft = talk.begin_reply()
        >>> draft.append(AIMessageChunk("Hel")), draft.append(AIMessageChunk("lo"))
        (None, None)
        >>> draft.finish()
        >>> talk.messages
        [AIMessage(content='Hello')]
    """

    def __init__(
        self,
        store: Store,
        node_id: str,
        on_finish: Callable[[], object] = lambda: None,
        *,
        every: float = WRITE_SECONDS,
    ) -> None:
        self.node_id = node_id
        self._store = store
        self._on_finish = on_finish
        self._every = every
        self._process = os.getpid()
        self._pending: list[AIMessageChunk] = []
        self._ended = threading.Event()
        self._finished = False
        self._told = False
        self._thread = threading.Thread(target=self._write_on, name="chatnb-draft", daemon=True)
        self._thread.start()

    def append(self, chunk: AIMessageChunk) -> None:
        """Take the next piece; from any thread, at no cost. It is on disk within a second."""
        self._pending.append(chunk)

    def finish(
        self,
        message: BaseMessage | None = None,
        status: Status = "done",
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the end of the reply; once that is done, a second time does nothing.

        Args:
            message: The whole reply, or None for the sum of the pieces.
            status: `done`, `stopped` or `failed`; the last two are marked in the message's
                `response_metadata["finish_reason"]`.
            facts: What there is to say of it: model, seconds, first_seconds, cost, error...

        Raises:
            ConfigurationError: If the disk cannot be written to.
        """
        if self._finished or os.getpid() != self._process:
            return
        self._ended.set()
        self._thread.join()
        if message is None:
            self._write()
        self._store.finish(self.node_id, message, status, facts)
        self._finished = True
        self._on_finish()

    def _write_on(self) -> None:
        while not self._ended.wait(self._every):
            try:
                self._write()
            except ConfigurationError as error:
                self._tell(error)

    def _write(self) -> None:
        """Write what is pending, which stays pending if that fails."""
        count = len(self._pending)
        chunk = join_chunks(self._pending[:count]) if count else None
        self._store.append(self.node_id, chunk)
        del self._pending[:count]

    def _tell(self, error: ConfigurationError) -> None:
        """A disk that is full for a while must not end a reply that streams."""
        if not self._told:
            warnings.warn(f"A reply is not on disk yet: {error}", stacklevel=2)
        self._told = True
