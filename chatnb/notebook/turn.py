"""One turn: a prompt goes to a model, and its reply streams into a view."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Future
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from chatnb.chat_models.base import BaseChatModel
from chatnb.errors import ModelError
from chatnb.notebook.log_feed import LogFeed
from chatnb.runnables.loop_thread import package_loop
from chatnb.schema.messages import AIMessage, AIMessageChunk, BaseMessage, join_chunks

_SLICE_SECONDS = 0.1
"""How often a waiting cell wakes, so that an interrupt lands at once."""
_LAST_WORDS_SECONDS = 5.0
"""How long a stopped model may take to let go of its connection."""


class ReplySink(Protocol):
    """What a reply is shown in; both methods run on the thread of the reply."""

    def append(self, text: str) -> None:
        """Show the next piece of text."""

    def end(self) -> None:
        """Show what is held back; nothing follows."""


@dataclass(frozen=True)
class Reply:
    """How a turn ended.

    Args:
        message: What the model said, whole or not.
        outcome: `done`, `stopped` by the user, or `failed` with `error`.
        seconds: From the call to the end.
        first_seconds: From the call to the first text, or None if there was none.
        error: What went wrong, if something did.
    """

    message: AIMessage
    outcome: Literal["done", "stopped", "failed"]
    seconds: float
    first_seconds: float | None = None
    error: Exception | None = None


class Turn:
    """A reply on its way, on the thread that all replies run on.

    Args:
        chat: Who answers.
        messages: The conversation, the prompt last.
        params: The model's parameters for this call only.
        feed: Takes the patches of the reply's log, if anybody watches it.
        keep: Is given each chunk before it is shown.
    """

    def __init__(
        self,
        chat: BaseChatModel,
        messages: Sequence[BaseMessage],
        params: dict[str, Any],
        feed: LogFeed | None = None,
        keep: Callable[[AIMessageChunk], object] = lambda _: None,
    ) -> None:
        self._chat = chat
        self._messages = list(messages)
        self._params = params
        self._feed = feed
        self._keep = keep
        self._running: Future[Reply] | None = None
        self._task: asyncio.Task[Any] | None = None
        self._stop_asked = False
        self._chunks: list[AIMessageChunk] = []
        self._started = time.monotonic()
        self._first_seconds: float | None = None

    def start(self, sink: ReplySink, on_end: Callable[[Reply], None] = lambda _: None) -> None:
        """Begin.

        Args:
            sink: What the reply is shown in.
            on_end: Called with the reply when it has ended, on its thread.
        """
        self._running = package_loop.submit(self._run(sink, on_end))

    def stop(self) -> None:
        """End the reply here and close the connection; safe from any thread, at any time."""
        self._stop_asked = True
        task = self._task
        if task is not None:
            task.get_loop().call_soon_threadsafe(task.cancel)

    def wait(self) -> Reply:
        """Block until the reply has ended, in slices in which an interrupt can land."""
        assert self._running is not None
        while True:
            try:
                return self._running.result(_SLICE_SECONDS)
            except TimeoutError:
                if self._running.done():
                    raise

    async def wait_async(self) -> Reply:
        """Await the end of the reply; the loop wakes often enough for an interrupt to land."""
        assert self._running is not None
        ending = asyncio.wrap_future(self._running)
        while not ending.done():
            await asyncio.wait({ending}, timeout=_SLICE_SECONDS)
        return ending.result()

    def last_words(self) -> Reply:
        """Stop, and give what there is by then."""
        assert self._running is not None
        self.stop()
        try:
            return self._running.result(_LAST_WORDS_SECONDS)
        except TimeoutError:
            return self._reply("stopped")

    async def _run(self, sink: ReplySink, on_end: Callable[[Reply], None]) -> Reply:
        self._task = asyncio.current_task()
        self._started = time.monotonic()
        reason: BaseException | None = None
        try:
            if self._stop_asked:
                raise asyncio.CancelledError
            await self._stream(sink)
            reply = self._reply("done")
        except asyncio.CancelledError as error:
            reply, reason = self._reply("stopped"), error
        except Exception as error:
            reply = self._reply("failed", error)
        sink.end()
        on_end(reply)
        if self._feed is not None:
            self._feed.end(reason)
        return reply

    async def _stream(self, sink: ReplySink) -> None:
        async with aclosing(self._asked()) as chunks:
            async for chunk in chunks:
                self._chunks.append(chunk)
                self._keep(chunk)
                text = chunk.text
                if not text:
                    continue
                if self._first_seconds is None:
                    self._first_seconds = time.monotonic() - self._started
                sink.append(text)

    def _asked(self) -> AsyncGenerator[AIMessageChunk, None]:
        if self._feed is not None:
            return self._logged(self._feed)
        return self._chat.astream(self._messages, **self._params)

    async def _logged(self, feed: LogFeed) -> AsyncGenerator[AIMessageChunk, None]:
        """The chunks of the reply, out of its log."""
        async with aclosing(self._chat.astream_log(self._messages, **self._params)) as patches:
            async for patch in patches:
                feed.put(patch)
                for op in patch.ops:
                    if op["path"] == "/streamed_output/-":
                        yield op["value"]

    def _reply(
        self, outcome: Literal["done", "stopped", "failed"], error: Exception | None = None
    ) -> Reply:
        """What there is by now; a reply that did not reach its end says so in its metadata."""
        message = join_chunks(self._chunks).to_message()
        if outcome != "done":
            message.response_metadata = {**message.response_metadata, "finish_reason": outcome}
        if isinstance(error, ModelError):
            error.partial = message
        seconds = time.monotonic() - self._started
        return Reply(message, outcome, seconds, self._first_seconds, error)
