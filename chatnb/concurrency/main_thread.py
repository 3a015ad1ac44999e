"""Work that other threads leave for the main thread: code of the notebook, questions to a user.

The main thread does it while it waits for something of chatnb's, as a cell does for its reply, or
when its own event loop is woken by `wake`. It is never done on another thread, since matplotlib,
`input()` and the notebook's own objects belong to that one.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from chatnb.concurrency import waiting
from chatnb.concurrency.waiting import Failed, Outcome, Promise, is_main_thread, outcome_of

T = TypeVar("T")


class MainThreadWork:
    """The queue of that work."""

    def __init__(self) -> None:
        self._queue = deque[tuple[Callable[[], Any], Promise[Any]]]()
        self._running = list[Promise[Any]]()
        self.is_idle = False
        """True while work is done for which no cell waits."""

    @property
    def is_awaited(self) -> bool:
        """True while a task of the main thread awaits something of chatnb's, and looks for work."""
        return waiting.main_thread_awaits > 0

    def run_when_idle(self) -> None:
        """Do what waits, on the main thread, which no cell occupies."""
        self.is_idle = True
        try:
            self.run_pending()
        finally:
            self.is_idle = False

    def submit(
        self, work: Callable[[], T], wake: Callable[[], object] = lambda: None
    ) -> Promise[T]:
        """Have work done on the main thread, which `wake` tells of it; from any thread."""
        promise = Promise[T]()
        self._queue.append((work, promise))
        wake()
        return promise

    def run_pending(self) -> None:
        """Do what waits, on the main thread; an interrupt of it is raised here as well."""
        while self._queue and is_main_thread():
            try:
                work, promise = self._queue.popleft()
            except IndexError:
                return
            if promise.done():  # Whoever wanted it has gone.
                continue
            outcome = self._run(work, promise)
            promise.set(outcome)
            if isinstance(outcome, Failed) and isinstance(outcome.error, KeyboardInterrupt):
                raise outcome.error

    def _run(self, work: Callable[[], T], promise: Promise[T]) -> Outcome[T]:
        self._running.append(promise)
        try:
            with interrupts_raised():
                return outcome_of(work)
        except KeyboardInterrupt as late:  # It came after the work.
            return Failed(late)
        finally:
            self._running.remove(promise)

    def cancel(self, promise: Promise[Any], error: BaseException) -> None:
        """Interrupt work that runs, or keep it from beginning; from any thread."""
        if self._running and self._running[-1] is promise and not is_main_thread():
            _interrupt_main_thread()
        elif promise not in self._running:
            promise.set(Failed(error))


@contextmanager
def interrupts_raised() -> Generator[None]:
    """Let an interrupt raise KeyboardInterrupt at once."""
    # Between cells a kernel ignores it, and while a cell awaits it cancels the cell's task.
    before = signal.getsignal(signal.SIGINT)
    if before in (signal.default_int_handler, None):
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def run_within_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on an event loop of its own, while the one that runs on this thread waits.

    What it leaves running is cancelled at its end.
    """
    outer = asyncio.get_running_loop()
    task = asyncio.current_task()
    if task is not None:
        asyncio._leave_task(outer, task)
    asyncio._set_running_loop(None)
    try:
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            # Its own `run` would turn an interrupt into a cancellation, which a sleep outlasts.
            return runner.get_loop().run_until_complete(coroutine)
    finally:
        asyncio._set_running_loop(outer)
        if task is not None:
            asyncio._enter_task(outer, task)


def _interrupt_main_thread() -> None:
    kill = getattr(signal, "pthread_kill", None)
    ident = threading.main_thread().ident
    if kill is not None and ident is not None:
        kill(ident, signal.SIGINT)  # Ends a sleep, too.
        return
    import _thread

    _thread.interrupt_main()


on_interrupt = ContextVar[Callable[[], object]]("on_interrupt", default=lambda: None)
"""Is called once the user has interrupted work for which this context waits on another thread."""

main_thread_work = MainThreadWork()
"""The work of the whole package."""
waiting.meanwhile_on_waits = main_thread_work.run_pending
