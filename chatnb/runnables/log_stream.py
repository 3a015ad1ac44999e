"""Stream the log of a run as patches, and view it in a notebook."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from chatnb.concurrency.locks import Lock
from chatnb.concurrency.portal import end_tasks, package_portal
from chatnb.concurrency.waiting import post
from chatnb.errors import ConfigurationError
from chatnb.runnables.config import RunnableConfig, effective_config, merge_configs
from chatnb.runnables.tracing import origin
from chatnb.schema.message_types import plain_text
from chatnb.schema.messages import AIMessageChunk
from chatnb.schema.run_logs.log import RunLogPatch
from chatnb.tracing.log_writer import LogWriter, Selection
from chatnb.tracing.run import Run

# Beyond so many unread patches the logged run yields no next chunk, and tokens of a run within it
# are joined to its last unread ones.
MAX_UNREAD = 256

Item = TypeVar("Item")
Written = TypeVar("Written", covariant=True)


class Writer(Protocol[Written]):
    """A form of the events of a run, such as the patches of its log."""

    def has_entry(self, run: Run) -> bool: ...
    def start(self, run: Run) -> Written | None: ...
    def token(self, run: Run, text: str, time: datetime) -> Written | None: ...
    def end(self, run: Run) -> Written | None: ...


Source: TypeAlias = Callable[[RunnableConfig], AsyncGenerator[Any, None]]
Viewer: TypeAlias = Callable[[AsyncGenerator[RunLogPatch, None]], Any]


def stream_run_log(
    source: Source, config: RunnableConfig | None, selection: Selection
) -> AsyncGenerator[RunLogPatch, None]:
    """Start a run and yield its patches; raise its exception after them."""
    return stream_feed(source, config, lambda run_id: LogFeed(LogWriter(run_id, selection)))


async def stream_feed(
    source: Source, config: RunnableConfig | None, make_feed: Callable[[str], LogFeed[Item]]
) -> AsyncGenerator[Item, None]:
    """Start a run and yield what a feed writes of it; raise its exception after that."""
    given = effective_config(config)
    run_id = str((given or {}).get("run_id") or origin.get().new_id())
    feed = make_feed(run_id)
    own = merge_configs(given, {"run_id": run_id, "callbacks": [feed]})
    stop = _run_stop.get()
    _run_stop.set(None)  # Logs within the run have readers of their own.
    task = asyncio.create_task(feed.pump(source(own)))
    task.add_done_callback(lambda _: feed.close())  # Also if it is cancelled before it begins.
    if stop is not None:
        stop.set_task(task)
    try:
        async for patch in feed.patches():
            yield patch
        await task
    finally:
        feed.close()
        task.cancel()  # Also if it has failed, so that its error is not logged as unread.
        # asyncio.run closes this generator and the one around it at once, after all tasks: what is
        # waited for then, the one around it finds running.
        await end_tasks([task])


class RunStop:
    """The stop of a run, which may be requested before the run has begun."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._requested = False

    def __call__(self) -> None:
        self._requested = True
        if self._task is not None:
            self._task.cancel()

    def set_task(self, task: asyncio.Task[None]) -> None:
        """Tell the task of the run."""
        self._task = task
        if self._requested:
            task.cancel()


_run_stop: ContextVar[RunStop | None] = ContextVar("chatnb_run_stop", default=None)


def iterate_run_log(log: Callable[[], AsyncGenerator[Any, None]]) -> Iterator[Any]:
    """Iterate over a log; an interrupt stops the run, and is raised after its last patches."""
    stop = RunStop()
    token = _run_stop.set(stop)  # The portal copies the context.
    try:
        return package_portal.stream(log, on_interrupt=stop)
    finally:
        _run_stop.reset(token)


class LogFeed(Generic[Item]):
    """A handler that posts the patches of one run to a reader on an event loop."""

    # A handler may run anywhere: under a lock of the user's, on a thread that the reader waits for,
    # in a finalizer. So no post ever waits, and only `pump` waits for the reader.

    def __init__(self, writer: Writer[Item]) -> None:
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._reader_thread = threading.get_ident()
        self._unread: deque[tuple[Item, list[str] | None]] = deque()
        # The texts of each run's last token patch; empty once it is read.
        self._texts: dict[str, list[str]] = {}
        self._lock = Lock()  # A finalizer may post while its own thread does.
        self._arrived: asyncio.Future[None] | None = None
        self._has_room: asyncio.Future[None] | None = None
        self._closed = False

    def ignores_tokens_of(self, run: Run) -> bool:
        """Return whether a run has no entry; `pump` posts the chunks of the logged run."""
        return not self._writer.has_entry(run)

    def on_start(self, run: Run) -> None:
        with self._lock:
            self._post(self._writer.start(run))

    def on_token(self, run: Run, chunk: AIMessageChunk) -> None:
        text, now = plain_text(chunk), origin.get().now()
        with self._lock:
            texts = self._texts.get(run.id)
            if texts and len(self._unread) >= MAX_UNREAD:
                texts.append(text)
            elif patch := self._writer.token(run, text, now):
                texts = self._texts[run.id] = [text]
                self._post(patch, texts)

    def on_end(self, run: Run) -> None:
        with self._lock:
            self._texts.pop(run.id, None)
            self._post(self._writer.end(run))

    on_error = on_end

    async def pump(self, chunks: AsyncGenerator[Any, None]) -> None:
        """Post the chunks of the logged run, at the pace of the reader."""
        try:
            async with aclosing(chunks):
                async for chunk in chunks:
                    self.add_output(chunk)
                    while len(self._unread) >= MAX_UNREAD and not self._closed:
                        self._has_room = self._loop.create_future()
                        await self._has_room
        finally:
            self.close()

    def add_output(self, chunk: Any) -> None:
        """Post a chunk of the logged run, on the loop, which needs no lock."""
        op = {"op": "add", "path": "/streamed_output/-", "value": chunk}
        patch: Any = RunLogPatch(op, time=origin.get().now())
        self._unread.append((patch, None))
        _wake(self._arrived)

    async def patches(self) -> AsyncIterator[Item]:
        """Yield the patches until the feed is closed and empty."""
        while True:
            while self._unread:
                patch, texts = self._unread.popleft()
                if texts:
                    self._join(patch, texts)
                if self._has_room is not None and len(self._unread) < MAX_UNREAD:
                    _wake(self._has_room)
                yield patch
            if self._closed:
                return
            # A post that comes after this line wakes the reader, one before it is in `_unread`.
            self._arrived = arrived = self._loop.create_future()
            if not self._unread and not self._closed:
                await arrived

    def close(self) -> None:
        """End the feed, from either side, on the loop."""
        with self._lock:
            self._closed = True
        _wake(self._arrived)
        _wake(self._has_room)

    def _post(self, patch: Item | None, texts: list[str] | None = None) -> None:
        if patch is None or self._closed:
            return
        self._unread.append((patch, texts))
        arrived, self._arrived = self._arrived, None
        if arrived is None:
            return
        if threading.get_ident() == self._reader_thread:
            _wake(arrived)
        else:
            post(self._loop, _wake, arrived)

    def _join(self, patch: Any, texts: list[str]) -> None:
        with self._lock:
            patch.ops[0]["value"] = "".join(texts)
            texts.clear()


def _wake(waiting: asyncio.Future[None] | None) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)


_viewer: Viewer | None = None


def set_run_viewer(viewer: Viewer) -> None:
    """Choose the function that views the patches of a run."""
    global _viewer
    _viewer = viewer


def view_run(patches: AsyncGenerator[RunLogPatch, None]) -> Any:
    """Return a view of a run; raise ConfigurationError without a notebook."""
    if _viewer is None:
        raise ConfigurationError("watch() shows runs in a notebook. First run: %load_ext chatnb")
    return _viewer(patches)
