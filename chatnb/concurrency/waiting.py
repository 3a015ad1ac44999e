"""Outcomes of work on another thread, and the wait for them, which an interrupt ends."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any, Generic, NoReturn, TypeAlias, TypeVar

from chatnb.concurrency.cancellation import current_scope
from chatnb.errors import ConfigurationError

T = TypeVar("T")

# A wait wakes so often because an interrupt alone may not end it: Python handles a signal that
# arrives just before a wait begins only when the wait is over, and a handler that cancels a task,
# such as ipykernel's, does not wake an event loop that waits for input.
_SLICE_SECONDS = 0.1
meanwhile_on_waits: Callable[[], object] = float
"""Called now and then by every wait, on its thread; `main_thread` sets it."""
main_thread_awaits: int = 0
"""The number of tasks on the main thread that are in such a wait."""
# Python in a browser has no threads: there, everything runs on the one event loop.
_has_threads = sys.platform != "emscripten"


def has_threads() -> bool:
    """Return whether this Python can start threads."""
    return _has_threads


def is_main_thread() -> bool:
    """Return whether this is the main thread."""
    return threading.current_thread() is threading.main_thread()


class Ok(Generic[T]):
    """The value of work that succeeded, which may be an exception that it returned."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value

    def unwrap(self) -> T:
        """Return the value."""
        return self.value


class Failed:
    """The exception of work that failed, was cancelled or exited."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def unwrap(self) -> NoReturn:
        """Raise the exception."""
        try:
            raise self.error
        finally:
            del self  # The traceback has this frame: a cycle would keep all of its frames alive.


Outcome: TypeAlias = Ok[T] | Failed


def outcome_of(work: Callable[[], T]) -> Outcome[T]:
    """Do work, and return its outcome."""
    try:
        return Ok(work())
    except BaseException as error:
        return Failed(error)


def outcome_of_task(task: asyncio.Task[T]) -> Outcome[T]:
    """Return the outcome of a task that has ended; a cancellation stays a CancelledError."""
    if task.cancelled():
        return Failed(asyncio.CancelledError())
    error = task.exception()
    return Ok(task.result()) if error is None else Failed(error)


def is_closing(error: BaseException, task: asyncio.Task[Any] | None) -> bool:
    """Return whether an error is that of a coroutine being closed, which may await no more."""
    # Code of the user may raise GeneratorExit, too: then the task is running.
    if not isinstance(error, GeneratorExit):
        return False
    try:
        return asyncio.current_task() is not task
    except RuntimeError:  # The event loop does not run any more.
        return True


def take(
    queue: SimpleQueue[T],
    timeout: float | None = None,
    meanwhile: Callable[[], object] | None = None,
) -> T:
    """Wait for the next item of a queue, calling `meanwhile` now and then; raise Empty if late."""
    deadline = None if timeout is None else time.monotonic() + timeout
    scope = current_scope.get()
    while True:
        meanwhile_on_waits()
        left = _SLICE_SECONDS if deadline is None else deadline - time.monotonic()
        try:
            return _get(queue, max(0.0, min(left, _SLICE_SECONDS)))
        except Empty:
            if left <= 0:
                raise
        if scope is not None:
            scope.check()
        if meanwhile is not None:
            meanwhile()


def available(queue: SimpleQueue[T] | asyncio.Queue[T]) -> Iterator[T]:
    """Take the items that a queue has now; nobody else takes any."""
    while not queue.empty():
        yield queue.get_nowait()


def _get(queue: SimpleQueue[T], timeout: float) -> T:
    if has_threads():
        return queue.get(timeout=timeout)
    if queue.empty():
        _run_browser_loop()
    return queue.get_nowait()


def _run_browser_loop() -> None:
    """Let the event loop run for a moment, in browsers that can suspend Python."""
    from pyodide.ffi import can_run_sync, run_sync  # pyright: ignore[reportMissingImports, reportUnknownVariableType]

    if not can_run_sync():
        raise ConfigurationError(
            "Python in this browser has no threads to wait for. Await the asynchronous methods "
            "instead: await model.ainvoke(...), async for chunk in model.astream(...)."
        )
    run_sync(asyncio.sleep(0.001))


def wait(
    promise: Promise[Any],
    on_interrupt: Callable[[], object] = lambda: None,
    timeout: float | None = None,
) -> bool:
    """Block until work has ended, and return whether it has; an interrupt calls `on_interrupt`."""
    ended = SimpleQueue[Any]()
    # An interrupt of the thread that sets the outcome may lose the callback.
    look: Callable[[], object] = lambda: promise.done() and ended.put(promise)  # noqa: E731
    try:
        if not promise.done():
            promise.add_done_callback(ended.put)
            with suppress(Empty):
                take(ended, timeout, meanwhile=look)
    except BaseException:
        on_interrupt()
        raise
    finally:
        promise.remove_done_callback(ended.put)
    return promise.done()


async def await_done(promise: Promise[Any], on_interrupt: Callable[[], object]) -> Any:
    """Await the result of work on another thread; an interrupt calls `on_interrupt`."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    wake: Callable[[object], object] = lambda _: post(loop, resolve, ended, None)  # noqa: E731
    promise.add_done_callback(wake)
    try:
        with _awaiting():
            while not promise.done():
                meanwhile_on_waits()
                await asyncio.wait([ended], timeout=_SLICE_SECONDS)
    except (asyncio.CancelledError, KeyboardInterrupt):
        on_interrupt()
        raise
    finally:
        promise.remove_done_callback(wake)
    return promise.result()


@contextmanager
def _awaiting() -> Generator[None]:
    global main_thread_awaits
    if not is_main_thread():
        yield
        return
    main_thread_awaits += 1
    try:
        yield
    finally:
        main_thread_awaits -= 1


def post(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *args: Any) -> bool:
    """Have an event loop call a function soon, and return whether the loop is open."""
    try:
        loop.call_soon_threadsafe(function, *args)
    except RuntimeError:  # It is closed, so that nothing waits there any more.
        return False
    return True


def resolve(future: asyncio.Future[T], value: T) -> None:
    """Set the result of a future, unless its reader has gone."""
    if not future.done():
        future.set_result(value)


class Promise(Generic[T]):
    """The outcome of work elsewhere: threads `wait` for it, tasks `await_done`."""

    # It has no lock, unlike a future of `concurrent.futures`: an interrupt can come between taking
    # and guarding a lock, and then the thread that sets the outcome would wait for ever.

    cancel: Callable[[], object] = staticmethod(lambda: None)
    """Requests its end; safe from any thread, and in finalizers."""

    def __init__(self) -> None:
        self.outcome: Outcome[T] | None = None
        self._callbacks: deque[Callable[[Promise[T]], object]] = deque()

    def set(self, outcome: Outcome[T]) -> None:
        """Set the outcome, unless there is one, and run the callbacks on this thread."""
        if self.outcome is None:
            self.outcome = outcome
            self._run_callbacks()

    def done(self) -> bool:
        """Return whether there is an outcome."""
        return self.outcome is not None

    def result(self, timeout: float | None = None) -> T:
        """Return the value or raise the error; raise TimeoutError if there is neither in time."""
        if not wait(self, timeout=timeout):
            raise TimeoutError
        assert self.outcome is not None
        return self.outcome.unwrap()

    def add_done_callback(self, callback: Callable[[Promise[T]], object], /) -> None:
        """Call a function with the promise when it has an outcome, at once if it has one."""
        self._callbacks.append(callback)
        if self.outcome is not None:
            self._run_callbacks()

    def remove_done_callback(self, callback: Callable[[Promise[T]], object], /) -> None:
        """Have a function called no more."""
        with suppress(ValueError):  # It has been called.
            self._callbacks.remove(callback)

    def _run_callbacks(self) -> None:
        # An error of one must not keep others waiting. Two threads may be here; each callback is
        # taken by one of them.
        with ExitStack() as calls, suppress(IndexError):
            while True:
                calls.callback(self._callbacks.pop(), self)
