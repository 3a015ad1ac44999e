"""A call on its way, for whoever counts it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol

from chatnb.schema.messages import AIMessage, BaseMessage
from chatnb.schema.model_call import ModelCall, prompt_line
from chatnb.schema.usage import latest_usage
from chatnb.tracing.counting import CallCounter, counters_here


class Answering(Protocol):
    """What is told of a chat model."""

    model_name: str
    provider: str


class CountedCall:
    """A call of a chat model, from before it is made to its end.

    Args:
        model: Who answers.
        messages: What is asked.
        counters: Who counts.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        model: Answering,
        messages: Sequence[BaseMessage],
        counters: tuple[CallCounter, ...],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._counters = counters
        self._clock = clock
        self._call = ModelCall(model.model_name, model.provider, prompt_line(messages))
        self._started: float | None = None

    def admit(self) -> None:
        """The call is about to be made, unless a budget is spent.

        Raises:
            BudgetSpentError: If one is.
        """
        for counter in self._counters:
            counter.admit()
        self._started = self._clock()

    def take(self, chunk: AIMessage) -> None:
        """Take a chunk of the reply, or all of it."""
        call, said = self._call, chunk.response_metadata
        if chunk.usage_metadata is not None:
            call.usage = latest_usage(call.usage, chunk.usage_metadata)
        if said:
            call.model = said.get("model_name") or call.model
            call.finish_reason = said.get("finish_reason") or call.finish_reason
            call.cached = bool(said.get("from_cache"))
        if call.first_seconds is None and self._started is not None and chunk.content:
            call.first_seconds = self._clock() - self._started

    def take_whole(self, reply: AIMessage) -> None:
        """Take a reply that came at once, whose first word says nothing."""
        self.take(reply)
        self._call.first_seconds = None

    def __enter__(self) -> CountedCall:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        call = self._call
        if self._started is None and not call.cached:
            return  # It was not admitted, or answered by an earlier try.
        if self._started is not None:
            call.seconds = self._clock() - self._started
        if isinstance(error, Exception):
            call.error = type(error).__name__
        elif error is not None:
            call.finish_reason = "stopped"
        for counter in self._counters:
            counter.take(call)


class Uncounted:
    """A call that nobody counts."""

    def admit(self) -> None:
        """Let it be made."""

    def take(self, chunk: AIMessage) -> None:
        """Pass a chunk by."""

    take_whole = take

    def __enter__(self) -> Uncounted:
        return self

    def __exit__(self, *ended: object) -> None:
        """Tell nobody."""


_UNCOUNTED = Uncounted()


def counted(model: Answering, messages: Sequence[BaseMessage]) -> CountedCall | Uncounted:
    """Begin a call, told to whoever counts the calls of this context.

    Args:
        model: Who answers.
        messages: What is asked.

    Returns:
        A context manager of the call; its counters are told at its end.
    """
    counters = counters_here()
    return CountedCall(model, messages, counters) if counters else _UNCOUNTED
