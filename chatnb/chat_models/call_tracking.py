"""Track one model call: usage, timing, outcome."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Protocol, TypeVar

from chatnb.errors import ModelError
from chatnb.schema.messages import AIMessage, BaseMessage
from chatnb.schema.model_call import ModelCall, prompt_line
from chatnb.schema.usage import latest_usage
from chatnb.tracing.usage_tracking import (
    CallTracker,
    current_slot,
    current_trackers,
    next_position,
)

C = TypeVar("C", bound=AIMessage)


class TrackedModel(Protocol):
    """The attributes of a chat model that trackers report."""

    model_name: str
    provider: str


def track_call(
    model: TrackedModel, messages: Sequence[BaseMessage], tracker: CallTracker | None = None
) -> TrackedCall | NullCallTracker:
    """Return the context of one call; at its end the trackers of this context get it."""
    trackers = current_trackers() if tracker is None else (*current_trackers(), tracker)
    return TrackedCall(model, messages, trackers) if trackers else _NULL_TRACKER


class TrackedCall:
    """The usage, timing and outcome of one call, from the budget check to its end."""

    def __init__(
        self,
        model: TrackedModel,
        messages: Sequence[BaseMessage],
        trackers: tuple[CallTracker, ...],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._trackers = trackers
        self._clock = clock
        slot = current_slot.get()
        self._call = ModelCall(
            model.model_name,
            model.provider,
            prompt_line(messages),
            queue_seconds=slot.take_queue_seconds() if slot else None,
            position=next_position(),
        )
        self._started: float | None = None

    def admit(self) -> None:
        """Start the call, or raise a BudgetSpentError."""
        for tracker in self._trackers:
            tracker.admit()
        self._started = self._clock()

    def restart(self) -> None:
        """Start the call now: it has waited for a rate limiter since it was admitted."""
        now, call = self._clock(), self._call
        waited = 0.0 if self._started is None else now - self._started
        call.queue_seconds = (call.queue_seconds or 0.0) + waited
        self._started = now

    def follow_recording(self, clock: Callable[[], float]) -> None:
        """Take the time from a replay, which knows how long the recorded call has lasted so far."""
        self._clock, self._started = clock, 0.0
        self._call.replayed = True
        self._call.queue_seconds = None  # How long the recorded call has waited is not known.

    def add_chunk(self, chunk: AIMessage) -> None:
        """Add a chunk of the reply, or all of it."""
        self.add_reply(chunk)
        call = self._call
        if call.first_seconds is None and self._started is not None and chunk.content:
            call.first_seconds = self._clock() - self._started

    def tracked(self, chunks: Iterator[C]) -> Iterator[C]:
        """Yield chunks of the reply, and add each."""
        for chunk in chunks:
            self.add_chunk(chunk)
            yield chunk

    def add_reply(self, reply: AIMessage) -> None:
        """Add a whole reply, which has no time to the first token."""
        call, metadata = self._call, reply.response_metadata
        if reply.usage_metadata is not None:
            call.usage = latest_usage(call.usage, reply.usage_metadata)
        if metadata:
            call.model = metadata.get("model_name") or call.model
            call.finish_reason = metadata.get("finish_reason") or call.finish_reason
            call.cached = bool(metadata.get("from_cache"))

    def __enter__(self) -> TrackedCall:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        call = self._call
        if self._started is None and not call.cached:
            return  # Not admitted, or answered from a checkpoint.
        if self._started is not None:
            call.seconds = self._clock() - self._started
        if isinstance(error, Exception):
            call.error = type(error).__name__
            # A reply that ended badly was paid for.
            if call.usage is None and isinstance(error, ModelError) and error.partial:
                call.usage = error.partial.usage_metadata
        elif error is not None:
            call.finish_reason = "stopped"
        for tracker in self._trackers:
            tracker.record(call)


class NullCallTracker:
    """A call without trackers."""

    def admit(self) -> None: ...

    def restart(self) -> None: ...

    def follow_recording(self, clock: Callable[[], float]) -> None: ...

    def add_chunk(self, chunk: AIMessage) -> None: ...

    add_reply = add_chunk

    def tracked(self, chunks: Iterator[C]) -> Iterator[C]:
        return chunks

    def __enter__(self) -> NullCallTracker:
        return self

    def __exit__(self, *outcome: object) -> None: ...


_NULL_TRACKER = NullCallTracker()
