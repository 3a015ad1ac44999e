"""Deadlines: calls that end after so many seconds, whatever they are waiting for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from contextlib import aclosing, contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from chatnb.concurrency.cancellation import CancelScope
from chatnb.concurrency.portal import Delivery
from chatnb.concurrency.threads import ThreadPump, start_thread
from chatnb.concurrency.waiting import Failed, Ok, Outcome, Promise, outcome_of, take, wait
from chatnb.errors import DeadlineExceededError
from chatnb.schema.messages import AIMessageChunk, join_chunks

T = TypeVar("T")

# A call that is ended raises its own error, which has the partial reply, if it does so this soon.
_LAST_SECONDS = 0.25
_END: Any = object()
_LONGEST = 1e18  # Seconds; larger integers may be too large for a float.


class Deadline:
    """A point in time at which a call has to have ended.

    Args:
        seconds: The seconds until then.

    Raises:
        ValueError: If it is no positive number.
    """

    def __init__(self, seconds: float) -> None:
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"deadline takes seconds, a number above 0, not {seconds!r}")
        self._seconds = seconds
        self._end = time.monotonic() + min(seconds, _LONGEST)

    @property
    def left(self) -> float:
        """The seconds until then, 0 or more."""
        return max(0.0, self._end - time.monotonic())

    def error(self) -> DeadlineExceededError:
        """Return the error of a call that has not ended by then."""
        return DeadlineExceededError(
            f"The call did not end within its deadline of {self._seconds:g} s.",
            hint="Give deadline= more seconds.",
        )


def to_deadline(given: float | Deadline) -> Deadline:
    """Return a deadline that was given in seconds, which begin now."""
    return given if isinstance(given, Deadline) else Deadline(given)


def invoke_within(deadline: Deadline, work: Callable[[], T]) -> T:
    """Do work on a thread, and return its value or raise its error; end its requests if late."""
    scope, promise = CancelScope(), Promise[T]()
    start_thread(lambda: promise.set(outcome_of(work)), scope.context())
    try:
        is_late = not wait(promise, timeout=deadline.left)
        if is_late:
            scope.cancel(deadline.error)
            wait(promise, timeout=_LAST_SECONDS)
    except BaseException:
        scope.cancel()
        raise
    finally:
        scope.close()
    return _in_time(promise.outcome, deadline, is_late=is_late).unwrap()


async def ainvoke_within(deadline: Deadline, work: Callable[[], Awaitable[T]]) -> T:
    """Await work, and cancel it if it is late; like `invoke_within`."""
    scope = CancelScope()
    try:
        with scope.entered():
            async with _timeout(deadline, scope):
                return await work()
    except TimeoutError as error:
        if scope.reason is None:
            raise
        raise deadline.error() from error
    except BaseException:
        scope.cancel()
        raise
    finally:
        scope.close()


def stream_within(deadline: Deadline, source: Callable[[], Iterator[T]]) -> Iterator[T]:
    """Iterate on a thread; like `invoke_within`."""
    arrived, chunks = SimpleQueue[Delivery](), list[Any]()
    pump = ThreadPump(source, arrived.put)
    try:
        pump.start()
        while (delivery := _next_delivery(arrived, pump, deadline)) is not None:
            with _partial_in_error(chunks):
                chunk = delivery.unwrap()
            chunks.append(chunk)
            yield chunk
            pump.request_next()
    finally:
        pump.stop()


async def astream_within(
    deadline: Deadline, source: Callable[[], AsyncGenerator[T, None]]
) -> AsyncGenerator[T, None]:
    """Iterate over an asynchronous generator, and cancel it if it is late."""
    scope, chunks = CancelScope(), list[Any]()
    try:
        async with aclosing(source()) as items:
            while True:
                with _partial_in_error(chunks):
                    chunk = await _next_within(deadline, scope, items)
                if chunk is _END:
                    return
                chunks.append(chunk)
                yield chunk
    except BaseException:
        scope.cancel()
        raise
    finally:
        scope.close()


async def _next_within(
    deadline: Deadline, scope: CancelScope, items: AsyncGenerator[Any, None]
) -> Any:
    try:
        with scope.entered():
            async with _timeout(deadline, scope):
                return await anext(items, _END)
    except TimeoutError as error:
        if scope.reason is None:
            raise
        raise deadline.error() from error


class _timeout:
    """`asyncio.timeout`, with a scope that tells the cancelled code what the reason is."""

    def __init__(self, deadline: Deadline, scope: CancelScope) -> None:
        self._deadline = deadline
        self._scope = scope
        self._limit = asyncio.timeout(None)

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()
        loop = asyncio.get_running_loop()
        self._handle = loop.call_later(self._deadline.left, self._expire)

    async def __aexit__(self, *error: Any) -> bool | None:
        self._handle.cancel()
        return await self._limit.__aexit__(*error)

    def _expire(self) -> None:
        self._scope.cancel(self._deadline.error)
        self._limit.reschedule(asyncio.get_running_loop().time())


def _next_delivery(
    arrived: SimpleQueue[Delivery], pump: ThreadPump, deadline: Deadline
) -> Delivery:
    with suppress(Empty):
        return take(arrived, deadline.left)
    pump.stop(deadline.error)
    last: Delivery = None
    with suppress(Empty):
        while isinstance(last := take(arrived, _LAST_SECONDS), Ok):
            pass  # A chunk that came too late.
    return _in_time(last, deadline, is_late=True)


def _in_time(outcome: Outcome[T] | None, deadline: Deadline, *, is_late: bool) -> Outcome[T]:
    """Return the outcome of work; the deadline's error if it has none, or ended by that."""
    if outcome is None or (is_late and isinstance(outcome, Failed) and not _is_own(outcome)):
        return Failed(deadline.error())
    return outcome


def _is_own(outcome: Failed) -> bool:
    return isinstance(outcome.error, DeadlineExceededError)


@contextmanager
def _partial_in_error(chunks: list[Any]) -> Generator[None]:
    """Give the deadline's error the reply whose chunks came last, if it has none."""
    try:
        yield
    except DeadlineExceededError as error:
        reply = list[AIMessageChunk]()
        for chunk in reversed(chunks):
            if not isinstance(chunk, AIMessageChunk):
                break
            reply.insert(0, chunk)
        if error.partial is None and reply:
            error.partial = join_chunks(reply).to_message()
        raise
