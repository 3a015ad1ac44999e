"""One streaming reply, under the cell and the panel alike: chunks, timing, draft and outcome."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import fsum
from typing import Any, Literal, TypeAlias

from chatnb.chat_models.base import BaseChatModel
from chatnb.concurrency.retry_notices import RetryNotice, retries_told
from chatnb.concurrency.waiting import post
from chatnb.conversations import Draft
from chatnb.errors import ModelError, error_line
from chatnb.notebook.widgets.footer import total_usage
from chatnb.notebook.widgets.tool_calls import ItemToolCall
from chatnb.schema.characters import SurrogateJoiner
from chatnb.schema.content.reply_parts import ReplyParts, joined_parts, reply_parts
from chatnb.schema.messages import AIMessage, AIMessageChunk, BaseMessage, join_chunks
from chatnb.schema.model_call import ModelCall

Outcome: TypeAlias = Literal["done", "stopped", "failed"]

_REASONING = "reasoning_content"
_MIN_NOTE_SECONDS = 1.0  # Shorter waits could not be read.


@dataclass(frozen=True)
class Reply:
    """A reply that has ended.

    Args:
        message: The reply, partial unless the outcome is `done`.
        outcome: `done`, `stopped` by the user, or `failed` with `error`.
        seconds: From the request to the end.
        first_seconds: From the request to the first text or reasoning, or None if there was none.
        reasoning_seconds: From the first reasoning to the first text, or None if there was none.
        error: The error of a reply that failed.
        earlier: The messages before it in the same turn: calls of tools, and their results.
        calls: The calls, as they are shown.
    """

    message: AIMessage
    outcome: Outcome
    seconds: float
    first_seconds: float | None = None
    reasoning_seconds: float | None = None
    error: BaseException | None = None
    earlier: Sequence[BaseMessage] = ()
    calls: Sequence[ItemToolCall] = ()

    @property
    def whole(self) -> AIMessage:
        """The message with the texts, the reasoning and the tokens of all in the turn."""
        replies = self._replies
        if len(replies) == 1:
            return self.message
        text = "\n\n".join(filter(None, (reply.text for reply in replies)))
        reasoning = "\n\n".join(filter(None, (reply.reasoning for reply in replies)))
        kwargs = {**self.message.additional_kwargs, _REASONING: reasoning}
        usage = total_usage(replies)
        return replace(self.message, content=text, additional_kwargs=kwargs, usage_metadata=usage)

    @property
    def parts(self) -> ReplyParts:
        """The media, sources and calls of the provider's tools of all messages in the turn."""
        return joined_parts(map(reply_parts, self._replies))

    @property
    def _replies(self) -> list[AIMessage]:
        return [*(m for m in self.earlier if isinstance(m, AIMessage)), self.message]


@contextmanager
def retry_notes(show: Callable[[str], object]) -> Generator[None]:
    """Show why and when a call is made again, on this event loop and while the wait lasts."""
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle | None = None

    def show_for_a_while(notice: RetryNotice) -> None:
        nonlocal timer
        if timer is not None:
            timer.cancel()
        show(str(notice))
        timer = loop.call_later(max(notice.seconds, _MIN_NOTE_SECONDS), show, "")

    try:
        with retries_told(lambda notice: post(loop, show_for_a_while, notice)):
            yield
    finally:
        if timer is not None:
            timer.cancel()


class ReplayedTimes:
    """A call tracker that adds the recorded times of replayed calls up."""

    def __init__(self) -> None:
        self._calls: list[ModelCall] = []

    def admit(self) -> None:
        """Admit every call."""

    def record(self, call: ModelCall) -> None:
        """Add a call."""
        self._calls.append(call)

    def take(self) -> tuple[float, float | None] | None:
        """Return the time, and that to the first token; None unless all calls were replayed."""
        calls, self._calls = self._calls, []
        if not calls or not all(call.replayed for call in calls):
            return None
        return fsum(call.seconds or 0.0 for call in calls), calls[0].first_seconds


class ReplyStream:
    """Gather the chunks of a streaming reply, time it, and write its draft."""

    # No chunk that comes out of `add` ends in half a character, so that it can be shown and encoded
    # as it is.

    def __init__(
        self,
        model: BaseChatModel | None = None,
        draft: Draft | None = None,
        clock: Callable[[], float] = time.perf_counter,
        replayed: ReplayedTimes | None = None,
    ) -> None:
        self.draft = draft
        self._replayed = replayed or ReplayedTimes()
        self._model = model
        self._clock = clock
        self._started = clock()
        self._first_seconds: float | None = None
        self._reasoning_start: float | None = None
        self._reasoning_seconds: float | None = None
        self._chunks: list[AIMessageChunk] = []
        self._text, self._reasoning = SurrogateJoiner(), SurrogateJoiner()

    def restart_clock(self) -> None:
        """Measure from now on, and not from when the stream was made."""
        self._started = self._clock()

    @property
    def message(self) -> AIMessage:
        """The reply as far as it has come."""
        return join_chunks(self._chunks).to_message()

    def add(self, chunk: AIMessageChunk) -> AIMessageChunk:
        """Take the next chunk."""
        chunk = self._in_whole_characters(chunk)
        self._keep(chunk)
        if chunk.text or chunk.reasoning:
            self._take_times(self._clock(), chunk)
        return chunk

    def flush(self) -> AIMessageChunk | None:
        """Return what `add` held back, if anything; no chunk follows."""
        text, reasoning = self._text.flush(), self._reasoning.flush()
        if not (text or reasoning):
            return None
        rest = AIMessageChunk(text)
        if reasoning:
            rest.additional_kwargs = {_REASONING: reasoning}
        self._keep(rest)
        return rest

    def finish(self, outcome: Outcome = "done", error: BaseException | None = None) -> Reply:
        """Return the reply as it ended."""
        # A partial reply says so in its `finish_reason`, and a `ModelError` keeps it as `partial`.
        with self._draft_ended_by_errors():
            self.flush()
            message = self.message
        if outcome != "done":
            message.response_metadata = {**message.response_metadata, "finish_reason": outcome}
        if isinstance(error, ModelError):
            error.partial = message
        now = self._clock()
        self._end_reasoning(now)
        measured = (now - self._started, self._first_seconds)
        times = self._replayed.take() or measured
        return Reply(message, outcome, *times, self._reasoning_seconds, error)

    def save(self, reply: Reply, **metadata: Any) -> None:
        """Write the end of the draft, if there is one."""
        if self.draft is not None:
            with self._draft_ended_by_errors(reply.message):
                stored = self._metadata(reply) | metadata
            self.draft.finish(reply.message, reply.outcome, stored)

    @contextmanager
    def _draft_ended_by_errors(self, message: AIMessage | None = None) -> Generator[None]:
        """Mark the draft as failed if its end cannot be made out, such as its price."""
        try:
            yield
        except Exception as error:
            if self.draft is not None:
                self.draft.finish(message, "failed", {"error": error_line(error)})
            raise

    def _take_times(self, now: float, chunk: AIMessageChunk) -> None:
        if self._first_seconds is None:
            self._first_seconds = now - self._started
        if self._reasoning_start is None and chunk.reasoning:
            self._reasoning_start = now
        if chunk.text:
            self._end_reasoning(now)

    def _end_reasoning(self, now: float) -> None:
        if self._reasoning_start is not None and self._reasoning_seconds is None:
            self._reasoning_seconds = now - self._reasoning_start

    def _keep(self, chunk: AIMessageChunk) -> None:
        self._chunks.append(chunk)
        if self.draft is not None:
            self.draft.append(chunk)

    def _in_whole_characters(self, chunk: AIMessageChunk) -> AIMessageChunk:
        if isinstance(chunk.content, str):
            text = self._text.push(chunk.content)
            chunk = chunk if text == chunk.content else replace(chunk, content=text)
        reasoning = chunk.additional_kwargs.get(_REASONING)
        if not reasoning:
            return chunk
        kwargs = {**chunk.additional_kwargs, _REASONING: self._reasoning.push(reasoning)}
        return replace(chunk, additional_kwargs=kwargs)

    def _metadata(self, reply: Reply) -> dict[str, Any]:
        model = self._model
        metadata = {
            "model": reply.message.response_metadata.get("model_name")
            or (model and model.model_name),
            "seconds": round(reply.seconds, 3),
            "first_seconds": reply.first_seconds,
            "reasoning_seconds": reply.reasoning_seconds,
            "cost": model and model.cost_of_run(reply.message),
            "error": reply.error and error_line(reply.error),
        }
        return {name: value for name, value in metadata.items() if value is not None}
