"""A runnable that is tried again when it fails."""

from __future__ import annotations

import asyncio
import random as randomness
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing
from itertools import count
from typing import TYPE_CHECKING, Any

from chatnb.errors import BudgetSpentError, QuotaSpentError
from chatnb.runnables.base import Runnable
from chatnb.runnables.chunks import aopening, opening
from chatnb.runnables.config import RunnableConfig
from chatnb.runnables.threads import close
from chatnb.runnables.traced import atell, tell
from chatnb.runnables.verbs import In, Out

if TYPE_CHECKING:
    from chatnb.runnables.graph import Graph


_IN_VAIN = (BudgetSpentError, QuotaSpentError)
"""What another attempt cannot mend."""


class RunnableRetry(Runnable[In, Out]):
    """A runnable that is tried again when it fails.

    A stream is tried again only until it says something; then the failure is raised. In a
    batch each input has its own attempts. Attempts are 1, 2, 4, ... times `initial` seconds apart,
    at most `maximum`, and up to a second more by chance; or as long as the failure says in
    `retry_after`, if that is longer.

    Args:
        bound: The runnable.
        retry_if_exception_type: The failures after which to try again.
        stop_after_attempt: How many attempts there are in all.
        wait_exponential_jitter: Whether to wait between attempts.
        initial: The first wait.
        maximum: The longest wait, but for `retry_after`.
        sleep: Waits, for the synchronous verbs.
        asleep: Waits, for the asynchronous verbs.
        random: Gives a number from 0 to 1.

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
        sleep: Callable[[float], None] = time.sleep,
        asleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Callable[[], float] = randomness.random,
    ) -> None:
        if stop_after_attempt < 1:
            raise ValueError(f"stop_after_attempt must be 1 or more, not {stop_after_attempt}")
        self.bound = bound
        self.name = bound.name
        self.chunks_replace = bound.chunks_replace
        self.retry_on = retry_if_exception_type
        self.attempts = stop_after_attempt
        self._waits = wait_exponential_jitter
        self._initial, self._maximum = initial, maximum
        self._sleep, self._asleep, self._random = sleep, asleep, random

    def __repr__(self) -> str:
        return f"RunnableRetry({self.bound!r}, stop_after_attempt={self.attempts})"

    def invoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        for attempt in count(1):
            try:
                return self.bound.invoke(input, config, **kwargs)
            except self.retry_on as error:
                failure, pause = error, self._pause(attempt, error)
            tell(config, "on_retry", attempt, failure, pause)
            self._sleep(pause)
        raise AssertionError

    async def ainvoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        for attempt in count(1):
            try:
                return await self.bound.ainvoke(input, config, **kwargs)
            except self.retry_on as error:
                failure, pause = error, self._pause(attempt, error)
            await atell(config, "on_retry", attempt, failure, pause)
            await self._asleep(pause)
        raise AssertionError

    def stream(
        self, input: In, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Out]:
        for attempt in count(1):
            chunks = self.bound.stream(input, config, **kwargs)
            try:
                held = opening(chunks)
            except self.retry_on as error:
                failure, pause = error, self._pause(attempt, error)
            else:
                yield from _resumed(held, chunks)
                return
            tell(config, "on_retry", attempt, failure, pause)
            self._sleep(pause)

    async def astream(
        self, input: In, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Out, None]:
        for attempt in count(1):
            async with aclosing(self.bound.astream(input, config, **kwargs)) as chunks:
                try:
                    held = await aopening(chunks)
                except self.retry_on as error:
                    failure, pause = error, self._pause(attempt, error)
                else:
                    for chunk in held:
                        yield chunk
                    async for chunk in chunks:
                        yield chunk
                    return
            await atell(config, "on_retry", attempt, failure, pause)
            await self._asleep(pause)

    def _pause(self, attempt: int, error: BaseException) -> float:
        """How long to wait before the next attempt; the error itself if there is none."""
        if attempt >= self.attempts or isinstance(error, _IN_VAIN):
            raise error
        if not self._waits:
            return 0.0
        growing = min(self._initial * 2 ** (attempt - 1), self._maximum) + self._random()
        asked: float | None = getattr(error, "retry_after", None)
        return max(growing, asked or 0.0)

    def add_to_graph(self, graph: Graph) -> tuple[str, str]:
        return self.bound.add_to_graph(graph)


def _resumed(held: list[Any], chunks: Iterator[Any]) -> Iterator[Any]:
    """A stream whose first chunks were taken already."""
    try:
        yield from held
        yield from chunks
    finally:
        close(chunks)
