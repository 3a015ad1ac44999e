"""Retry runnables when they fail, or run fallbacks instead."""

from __future__ import annotations

import asyncio
import random as randomness
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from copy import copy
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from chatnb.concurrency.cancellation import cancellation, pause
from chatnb.concurrency.retry_notices import tell_retry
from chatnb.concurrency.threads import close
from chatnb.errors import (
    BudgetSpentError,
    QuotaSpentError,
    error_line,
)
from chatnb.lazy_names import names_of_package
from chatnb.runnables.base import Runnable, to_runnable
from chatnb.runnables.batches.backoff import is_wait_too_long, seconds_to_retry
from chatnb.runnables.binding import ModelWrapper
from chatnb.runnables.chunks import aread_to_content, read_to_content
from chatnb.runnables.config import RunnableConfig, child_config, effective_config
from chatnb.runnables.methods import In, Out
from chatnb.runnables.tracing import anotify, notify

if TYPE_CHECKING:
    from chatnb.runnables.graph import Graph

_NEVER_RETRIED = (BudgetSpentError, QuotaSpentError)  # Another attempt cannot succeed.


class _Attempts(ModelWrapper[In, Out], Runnable[In, Out]):
    """Run attempts until one succeeds; those at a stream until one has content."""

    handled: tuple[type[BaseException], ...]
    """The exceptions after which there may be another attempt."""
    _sleep: Callable[[float], None] = staticmethod(pause)
    _asleep: Callable[[float], Awaitable[None]] = staticmethod(asyncio.sleep)

    def invoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        inner, failures = self._inner_config(config), list[BaseException]()
        while True:
            _check_cancelled(failures)
            attempt = self._attempt(input, failures)
            self._wait(attempt, config, failures)
            try:
                return attempt.runnable.invoke(attempt.input, inner, **kwargs)
            except self.handled as error:
                failures.append(error)

    async def ainvoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        inner, failures = self._inner_config(config), list[BaseException]()
        while True:
            _check_cancelled(failures)
            attempt = self._attempt(input, failures)
            await self._await(attempt, config, failures)
            try:
                return await attempt.runnable.ainvoke(attempt.input, inner, **kwargs)
            except self.handled as error:
                failures.append(error)

    def stream(
        self, input: In, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Out]:
        inner, failures = self._inner_config(config), list[BaseException]()
        while True:
            _check_cancelled(failures)
            attempt = self._attempt(input, failures)
            self._wait(attempt, config, failures)
            chunks = attempt.runnable.stream(attempt.input, inner, **kwargs)
            try:
                try:
                    opening = read_to_content(chunks)
                except self.handled as error:
                    failures.append(error)
                    continue
                yield from chain(opening, chunks)
                return
            finally:
                close(chunks)

    async def astream(
        self, input: In, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Out, None]:
        inner, failures = self._inner_config(config), list[BaseException]()
        while True:
            _check_cancelled(failures)
            attempt = self._attempt(input, failures)
            await self._await(attempt, config, failures)
            async with aclosing(attempt.runnable.astream(attempt.input, inner, **kwargs)) as chunks:
                try:
                    opening = await aread_to_content(chunks)
                except self.handled as error:
                    failures.append(error)
                    continue
                for chunk in opening:
                    yield chunk
                async for chunk in chunks:
                    yield chunk
                return

    def _attempt(self, input: Any, failures: list[BaseException]) -> _Attempt:
        """Return the next attempt after some that failed; raise an exception if it was the last."""
        raise NotImplementedError

    def _inner_config(self, config: RunnableConfig | None) -> RunnableConfig | None:
        return config

    def _wait(
        self, attempt: _Attempt, config: RunnableConfig | None, failures: list[BaseException]
    ) -> None:
        if attempt.pause is not None:
            tell_retry(failures[-1], attempt.pause)
            notify(config, "on_retry", len(failures), failures[-1], attempt.pause)
            self._sleep(attempt.pause)

    async def _await(
        self, attempt: _Attempt, config: RunnableConfig | None, failures: list[BaseException]
    ) -> None:
        if attempt.pause is not None:
            tell_retry(failures[-1], attempt.pause)
            await anotify(config, "on_retry", len(failures), failures[-1], attempt.pause)
            await self._asleep(attempt.pause)


def _check_cancelled(failures: list[BaseException]) -> None:
    ended = cancellation()
    if ended is not None:  # The last failure may be that very end, with a partial reply.
        raise failures[-1] if failures and isinstance(failures[-1], type(ended)) else ended


class _Attempt(NamedTuple):
    runnable: Runnable[Any, Any]
    input: Any
    pause: float | None = None  # The seconds to wait before it.


class RunnableRetry(_Attempts[In, Out]):
    """A runnable that is retried when it fails.

    A stream is retried only until it has content; then its exception is raised. In a batch each
    input has its own attempts. Waits are 1, 2, 4, ... times `initial` seconds, at most `maximum`,
    and up to a random second more; or the exception's `retry_after`, if that is longer.

    Args:
        bound: The runnable.
        retry_if_exception_type: The exceptions after which to retry.
        stop_after_attempt: The number of attempts in all.
        wait_exponential_jitter: True to wait between attempts.
        initial: The first wait, in seconds.
        maximum: The longest wait, except for `retry_after`.
        exponential_jitter_params: The same by LangChain's names: `initial`, `max`, `exp_base`, the
            2 of the powers above, and `jitter`, the most random seconds.
        sleep: The wait of the synchronous methods.
        asleep: The wait of the asynchronous methods.
        random: A function that returns a number from 0 to 1.

    Raises:
        ValueError: If there is not even one attempt.

    Example:
        >>> from chatnb.runnables import RunnableLambda
        >>> numbers = iter(["none", "7"])
        >>> read = RunnableLambda(lambda _: int(next(numbers)))
        >>> read.with_retry(wait_exponential_jitter=False).invoke("")
        7
    """

    def __init__(
        self,
        bound: Runnable[In, Out],
        *,
        retry_if_exception_type: tuple[type[BaseException], ...] = (Exception,),
        stop_after_attempt: int = 3,
        wait_exponential_jitter: bool = True,
        initial: float = 1.0,
        maximum: float = 60.0,
        exponential_jitter_params: Mapping[str, float] | None = None,
        sleep: Callable[[float], None] = pause,
        asleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Callable[[], float] = randomness.random,
    ) -> None:
        if stop_after_attempt < 1:
            raise ValueError(f"stop_after_attempt must be 1 or more, not {stop_after_attempt}")
        self.bound = bound
        self.name = bound.name
        self.chunks_replace = bound.chunks_replace
        self.handled = self.retry_on = retry_if_exception_type
        self.attempts = stop_after_attempt
        self._waits = wait_exponential_jitter
        self._waiting = {
            "initial": initial,
            "max": maximum,
            "exp_base": 2.0,
            "jitter": 1.0,
            **(exponential_jitter_params or {}),
        }
        self._sleep, self._asleep, self._random = sleep, asleep, random

    def __repr__(self) -> str:
        return f"RunnableRetry({self.bound!r}, stop_after_attempt={self.attempts})"

    def _attempt(self, input: Any, failures: list[BaseException]) -> _Attempt:
        pause = self._pause(len(failures), failures[-1]) if failures else None
        return _Attempt(self.bound, input, pause)

    def _pause(self, attempt: int, error: BaseException) -> float:
        # Raises the error itself after the last attempt.
        if attempt >= self.attempts or isinstance(error, _NEVER_RETRIED):
            raise error
        if is_wait_too_long(error):
            raise error
        if not self._waits:
            return 0.0
        waiting = self._waiting
        growing = min(waiting["initial"] * waiting["exp_base"] ** (attempt - 1), waiting["max"])
        growing += waiting["jitter"] * self._random()
        return max(growing, seconds_to_retry(error) or 0.0)

    def add_to_graph(self, graph: Graph) -> tuple[str, str]:
        return self.bound.add_to_graph(graph)


class RunnableWithFallbacks(_Attempts[In, Out]):
    """A runnable with fallbacks that run when it fails.

    A stream falls back only until it has content; then its exception is raised. If all fail, the
    first exception is raised, with a note of each other.

    Args:
        bound: The runnable to run first.
        fallbacks: Runnables to run instead, in turn.
        exceptions_to_handle: The exceptions after which to run the next one.
        exception_key: The key of the exception in the input of fallbacks, which is a dict then.

    Raises:
        TypeError: If a fallback is no runnable, function or dict; or, in a run, if there is an
            `exception_key` and the input is not a dict.
        ValueError: If there are no fallbacks.

    Example:
        >>> from chatnb.runnables import RunnableLambda
        >>> RunnableLambda(int).with_fallbacks([RunnableLambda(float)]).invoke("1.5")
        1.5
    """

    def __init__(
        self,
        bound: Runnable[In, Out],
        fallbacks: Sequence[Any],
        *,
        exceptions_to_handle: tuple[type[BaseException], ...] = (Exception,),
        exception_key: str | None = None,
    ) -> None:
        if not fallbacks:
            raise ValueError("with_fallbacks needs at least one fallback")
        self.bound = bound
        self.fallbacks = [to_runnable(fallback) for fallback in fallbacks]
        self.handled = exceptions_to_handle
        self.exception_key = exception_key
        self.chunks_replace = bound.chunks_replace
        self.name = bound.name

    def __repr__(self) -> str:
        return f"RunnableWithFallbacks({self.bound!r}, {self.fallbacks!r})"

    def _attempt(self, input: Any, failures: list[BaseException]) -> _Attempt:
        candidates = self.wrapped()
        if len(failures) == len(candidates):
            raise self._failure(failures)
        return _Attempt(candidates[len(failures)], self._input(input, failures))

    def _inner_config(self, config: RunnableConfig | None) -> RunnableConfig | None:
        return child_config(effective_config(config))

    def wrapped(self) -> list[Runnable[Any, Any]]:
        return [*super().wrapped(), *vars(self).get("fallbacks", ())]

    def around(self, wrapped: list[Runnable[Any, Any]]) -> Any:
        changed = copy(self)
        changed.fallbacks = wrapped[1:]
        return super(RunnableWithFallbacks, changed).around(wrapped)

    def _input(self, input: Any, failures: list[BaseException]) -> Any:
        if self.exception_key is None:
            return input
        if not isinstance(input, Mapping):
            raise TypeError(f"exception_key takes a dict as input, not {type(input).__name__}")
        return {**input, self.exception_key: failures[-1]} if failures else input  # pyright: ignore[reportUnknownVariableType]

    def _failure(self, failures: list[BaseException]) -> BaseException:
        first, *others = failures
        for candidate, error in zip(self.fallbacks, others, strict=True):
            note = f"{candidate.get_name()} failed too: {error_line(error)}"
            if note not in getattr(first, "__notes__", ()):
                first.add_note(note)
        return first

    def add_to_graph(self, graph: Graph) -> tuple[str, str]:
        begin = graph.add_node("Fallbacks")
        end = graph.add_node("Join")
        for index, candidate in enumerate(self.wrapped()):
            first, last = candidate.add_to_graph(graph)
            graph.add_edge(begin, first, f"fallback {index}" if index else "")
            graph.add_edge(last, end)
        return begin, end


if not TYPE_CHECKING:  # LangChain's module of this path has the package's other names, too.
    __getattr__ = names_of_package("chatnb.runnables")
