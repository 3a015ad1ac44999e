"""The log of a run as it is written, for whoever reads it."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from functools import partial
from typing import Any

from chatnb.runnables.config import RunnableConfig, effective_config, merge_configs
from chatnb.runnables.threads import in_thread
from chatnb.runnables.traced import origin
from chatnb.schema.messages import AIMessageChunk
from chatnb.schema.run_log import RunLogPatch
from chatnb.tracing.log_writer import LogWriter, Selection
from chatnb.tracing.run import Run

MOST_UNREAD = 256
"""How many patches may wait for their reader before the run waits, too."""
_PATIENCE = 0.5
"""Seconds after which a thread that waits for the reader asks whether its loop still turns."""


class PatchQueue:
    """Patches on their way from a run, on whatever threads, to a reader on an event loop.

    A run that is too far ahead waits, on its thread or on its loop. Only while synchronous code
    stands on the reader's own loop it goes on, there and on threads that this code may wait for,
    since the reader could not come to read.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader_thread = threading.get_ident()
        self._patches: deque[RunLogPatch] = deque()
        self._arrived: asyncio.Future[None] | None = None
        self._has_room = threading.Condition()
        self._blocked = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed = False
        self._asked = False
        self._stuck = False

    def put(self, patch: RunLogPatch) -> None:
        """Add a patch from a thread, which waits for room."""
        if threading.get_ident() != self._reader_thread:
            with self._has_room:
                self._blocked += 1
                while not self._has_room.wait_for(self._takes_more, _PATIENCE):
                    self._ask()
                self._blocked -= 1
        self._append(patch)

    def put_nowait(self, patch: RunLogPatch) -> bool:
        """Add a patch on the reader's loop, if there is room."""
        if len(self._patches) >= MOST_UNREAD:
            return False
        self._patches.append(patch)
        self._wake()
        return True

    async def aput(self, patch: RunLogPatch) -> None:
        """Add a patch from an event loop, which goes on with other work until there is room."""
        if asyncio.get_running_loop() is self._loop:
            while len(self._patches) >= MOST_UNREAD and not self._closed:
                room = self._loop.create_future()
                self._waiting.append(room)
                await room
        elif not self._takes_more():
            await in_thread(partial(self.put, patch))
            return
        self._append(patch)

    def close(self) -> None:
        """There will be no more patches, or no more reader."""
        self._closed = True
        self._wake()
        self._make_room()

    async def patches(self) -> AsyncIterator[RunLogPatch]:
        """The patches, until the queue is closed and read to its end."""
        while True:
            while self._patches:
                patch = self._patches.popleft()
                self._make_room()
                yield patch
            if self._closed:
                return
            self._arrived = self._loop.create_future()
            if not self._patches:
                await self._arrived

    def _takes_more(self) -> bool:
        return self._closed or self._stuck or len(self._patches) < MOST_UNREAD

    def _ask(self) -> None:
        self._stuck = self._asked
        if not self._asked:
            self._asked = True
            self._loop.call_soon_threadsafe(self._answer)

    def _answer(self) -> None:
        self._asked = self._stuck = False

    def _append(self, patch: RunLogPatch) -> None:
        self._patches.append(patch)
        if threading.get_ident() == self._reader_thread:
            self._wake()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    def _make_room(self) -> None:
        while self._waiting and (self._closed or len(self._patches) < MOST_UNREAD):
            room = self._waiting.popleft()
            if not room.done():
                room.set_result(None)
        if self._blocked:
            with self._has_room:
                self._has_room.notify_all()


class LogHandler:
    """A handler that writes the patches of one logged run into a queue.

    Args:
        writer: Writes them.
        queue: Takes them.
    """

    def __init__(self, writer: LogWriter, queue: PatchQueue) -> None:
        self._writer = writer
        self._queue = queue

    def ignores_tokens_of(self, run: Run) -> bool:
        """The chunks of the logged run itself are written by who reads them."""
        return not self._writer.has_entry(run)

    def on_start(self, run: Run) -> None:
        self._put(self._writer.start(run))

    async def aon_start(self, run: Run) -> None:
        await self._aput(self._writer.start(run))

    def on_token(self, run: Run, chunk: Any) -> None:
        self._put(self._token(run, chunk))

    async def aon_token(self, run: Run, chunk: Any) -> None:
        await self._aput(self._token(run, chunk))

    def on_end(self, run: Run) -> None:
        self._put(self._writer.end(run))

    async def aon_end(self, run: Run) -> None:
        await self._aput(self._writer.end(run))

    def on_error(self, run: Run) -> None:
        self._put(self._writer.end(run))

    async def aon_error(self, run: Run) -> None:
        await self._aput(self._writer.end(run))

    def _token(self, run: Run, chunk: AIMessageChunk) -> RunLogPatch | None:
        return self._writer.token(run, chunk.text, origin.get().now())

    def _put(self, patch: RunLogPatch | None) -> None:
        if patch is not None:
            self._queue.put(patch)

    async def _aput(self, patch: RunLogPatch | None) -> None:
        if patch is not None:
            await self._queue.aput(patch)


async def logged(
    source: Callable[[RunnableConfig], AsyncGenerator[Any, None]],
    config: RunnableConfig | None,
    selection: Selection,
) -> AsyncGenerator[RunLogPatch, None]:
    """The patches of a run, as it goes.

    Args:
        source: Starts the run with a config.
        config: The config of the call.
        selection: Which runs within it get an entry.

    Yields:
        The patches; closing this generator ends the run.

    Raises:
        Exception: What the run raised, after the patch that says so.
    """
    given = effective_config(config)
    run_id = str((given or {}).get("run_id") or origin.get().new_id())
    queue = PatchQueue()
    handler = LogHandler(LogWriter(run_id, selection), queue)
    own = merge_configs(given, {"run_id": run_id, "callbacks": [handler]})
    task = asyncio.create_task(_write(source, own, queue))
    try:
        async for patch in queue.patches():
            yield patch
        await task
    finally:
        queue.close()
        task.cancel()
        await asyncio.wait([task])


async def _write(
    source: Callable[[RunnableConfig], AsyncGenerator[Any, None]],
    config: RunnableConfig,
    queue: PatchQueue,
) -> None:
    now = origin.get().now
    try:
        async with aclosing(source(config)) as chunks:
            async for chunk in chunks:
                op = {"op": "add", "path": "/streamed_output/-", "value": chunk}
                patch = RunLogPatch(op, time=now().isoformat(timespec="microseconds"))
                if not queue.put_nowait(patch):
                    await queue.aput(patch)
    finally:
        queue.close()
