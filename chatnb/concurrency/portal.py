"""The portal: an event loop on a background thread, and iterators over what runs there."""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Collection, Coroutine
from contextlib import aclosing, closing, suppress
from contextvars import Context, ContextVar, copy_context
from functools import partial
from queue import SimpleQueue
from typing import Any, Generic, TypeAlias, TypeVar
from weakref import ref

from chatnb.concurrency.cancellation import Abandoned, OnCancel, check_cancelled, current_scope
from chatnb.concurrency.locks import Lock
from chatnb.concurrency.waiting import (
    Failed,
    Ok,
    Outcome,
    Promise,
    has_threads,
    outcome_of_task,
    post,
    resolve,
    take,
    wait,
)

T = TypeVar("T")
# What a pump delivers: items one by one, and last a failure or None.
Delivery: TypeAlias = Outcome[Any] | None
Deliver: TypeAlias = Callable[[Delivery], object]

# The portal that runs this task, or the task that started this thread: synchronous code there may
# be keeping the loop from running, so that it needs another portal.
_outer_portal: ContextVar[Portal | None] = ContextVar("chatnb_portal", default=None)
# Each portal within another has a thread and three files of its own.
_MAX_DEPTH = 100
# An event loop alone does not keep its tasks alive.
_tasks = set[asyncio.Task[Any]]()


class Portal:
    """An event loop on a daemon thread, started at its first use, for any synchronous caller.

    In a browser, where there are no threads, it is the event loop that there is.
    """

    def __init__(self, depth: int = 0) -> None:
        self._depth = depth
        self._lock = Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def submit(self, work: Coroutine[Any, Any, T]) -> Promise[T]:
        """Start a coroutine with the caller's context variables."""
        promise = Promise[T]()
        self._start(work, promise)
        return promise

    def call(self, work: Coroutine[Any, Any, T]) -> Outcome[T]:
        """Run a coroutine and return its outcome; an interrupt of the wait cancels it."""
        outer = _outer_portal.get()
        if outer is None:
            return self._call(work)
        with closing(Portal(outer._depth + 1)) as other:
            return other._call(work)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine, and return its value or raise its very exception."""
        return self.call(work).unwrap()

    def iterate(self, source: Callable[[], AsyncGenerator[T, None]]) -> LoopIterator[T]:
        """Iterate over an asynchronous generator that runs in one task, one item on request."""
        return LoopIterator(source, *self._place())

    def stream(
        self,
        source: Callable[[], AsyncGenerator[T, None]],
        on_interrupt: Callable[[], object] | None = None,
    ) -> PortalStream[T]:
        """Iterate over an asynchronous generator, with a `close` that waits; like `iterate`."""
        return PortalStream(source, *self._place(), on_interrupt)

    def close(self) -> None:
        """Stop the loop, and cancel what runs on it; the next use starts another."""
        loop, self._loop = self._loop, None
        if loop is not None:
            post(loop, loop.stop)

    def forget(self) -> None:
        """Have the next use start another loop: in a fork, the thread of this is the parent's."""
        self._loop = None

    def _call(self, work: Coroutine[Any, Any, T]) -> Outcome[T]:
        promise, scope = Promise[T](), current_scope.get()
        cancel: OnCancel = lambda _: promise.cancel()  # noqa: E731
        try:
            self._start(work, promise)
            if scope is not None:
                scope.add_callback(cancel)
            wait(promise)
        except BaseException:  # An interrupt, which may come when the work has just been started.
            promise.cancel()
            raise
        finally:
            if scope is not None:
                scope.remove_callback(cancel)
        assert promise.outcome is not None
        _check_own_cancellation(promise.outcome)
        return promise.outcome

    def _start(self, work: Coroutine[Any, Any, T], promise: Promise[T]) -> None:
        try:
            loop, context = self._running_loop(), self._context()
        except BaseException:
            work.close()
            raise
        tasks = list[asyncio.Task[T]]()

        def start() -> None:
            tasks.append(start_task(work, context, lambda t: promise.set(outcome_of_task(t))))

        promise.cancel = lambda: post(loop, lambda: [task.cancel() for task in tasks])
        loop.call_soon_threadsafe(start)

    def _place(
        self,
    ) -> tuple[asyncio.AbstractEventLoop, Context, Callable[[], object] | None]:
        """Return the loop of an iterator, the context of its task, and what to do at its end."""
        outer = _outer_portal.get()
        if outer is None:
            return self._running_loop(), self._context(), None
        other = Portal(outer._depth + 1)
        return other._running_loop(), other._context(), other.close

    def _context(self) -> Context:
        context = copy_context()
        context.run(_outer_portal.set, self)
        return context

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if not has_threads():
            return asyncio.get_event_loop()
        with self._lock:
            return self._loop or self._start_loop()

    def _start_loop(self) -> asyncio.AbstractEventLoop:
        if self._depth > _MAX_DEPTH:
            raise RecursionError(
                f"Asynchronous functions call synchronous methods {_MAX_DEPTH} deep: await "
                "asynchronous methods in them"
            )
        runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        loop = runner.get_loop()
        try:
            self._loop = loop
            serve = partial(self._serve, runner, loop)
            threading.Thread(target=serve, name="chatnb", daemon=True).start()
        except Exception:  # The process has no room for a thread.
            self._loop = None
            loop.close()
            raise
        except BaseException:  # An interrupt: the thread may have started.
            self.close()
            raise
        return loop

    def _serve(self, runner: asyncio.Runner, loop: asyncio.AbstractEventLoop) -> None:
        with runner:
            while self._loop is loop:  # Code on the loop may stop it: only `close` ends it.
                # asyncio raises the exit of a task here, too; the task's caller gets it.
                with suppress(SystemExit, KeyboardInterrupt):
                    loop.run_forever()


def _check_own_cancellation(outcome: Outcome[Any] | None) -> None:
    """Raise the reason of this context's cancellation for a task that ended by it."""
    if isinstance(outcome, Failed) and isinstance(outcome.error, asyncio.CancelledError):
        check_cancelled()


def start_task(
    work: Coroutine[Any, Any, T],
    context: Context | None,
    on_end: Callable[[asyncio.Task[T]], object],
) -> asyncio.Task[T]:
    """Start a task that stays alive until its end, which `on_end` gets, however it ends."""
    task = asyncio.get_running_loop().create_task(work, context=context)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    task.add_done_callback(on_end)
    return task


async def end_tasks(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel tasks, and wait until those of the running loop have ended."""
    loop = asyncio.get_running_loop()
    running = [task for task in tasks if not task.done() and task.get_loop() is loop]
    for task in running:
        task.cancel()
    for task in tasks:  # Of a generator that another loop began: that one may not run any more.
        if task.get_loop() is not loop:
            post(task.get_loop(), task.cancel)
    if running:  # A wait for ended tasks would wait, too, also where a closing loop forbids it.
        await asyncio.wait(running)


class TaskPump:
    """A task that reads an asynchronous generator, and delivers an item on request."""

    # All of it runs in one task, so that timeouts and cancel scopes in the generator work.

    def __init__(
        self,
        source: Callable[[], AsyncGenerator[Any, None]],
        deliver: Deliver,
        context: Context | None = None,
    ) -> None:
        self.task: asyncio.Task[None] | None = None
        self._source = source
        self._deliver = deliver
        self._context = context
        self._requested: asyncio.Future[None] | None = None
        self._cancelled = False
        self.ended = Promise[Delivery]()  # Set after the last delivery, and to it.

    def request_next(self) -> None:
        """Have the next item read, on the running loop."""
        if self.ended.outcome is not None:  # An interrupt of the reader has lost the last delivery.
            self._deliver(self.ended.outcome.unwrap())
        elif self._requested is not None:
            resolve(self._requested, None)
        elif self.task is None and not self._cancelled:
            self.task = start_task(self._run(), self._context, self._finish)

    def cancel(self) -> None:
        """Cancel the task, or keep it from starting; further calls do nothing."""
        if self._cancelled:
            return
        self._cancelled = True
        if self.task is not None:
            self.task.cancel()
        else:
            self._deliver_last(None)

    async def aclose(self) -> None:
        """Cancel the task, and wait for its end."""
        self.cancel()
        if self.task is not None:
            await end_tasks([self.task])

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        async with aclosing(self._source()) as items:
            async for item in items:
                if self._cancelled:  # The generator has swallowed it.
                    return
                self._requested = loop.create_future()
                self._deliver(Ok(item))
                await self._requested

    def _finish(self, task: asyncio.Task[None]) -> None:
        outcome = outcome_of_task(task)
        self._deliver_last(None if isinstance(outcome, Ok) else outcome)

    def _deliver_last(self, delivery: Delivery) -> None:
        self._deliver(delivery)
        self.ended.set(Ok(delivery))


class DroppedObjects:
    """Calls functions for objects that nobody uses any more, on a thread of its own."""

    # A finalizer in Python would lose an interrupt that comes while it runs, and not end what it
    # was to end. This one is a weak reference that puts itself into a queue, all of it in C.

    def __init__(self) -> None:
        self._dropped = SimpleQueue[ref[Any]]()
        # By the number of the reference: those to one object are equal.
        self._functions = dict[int, tuple[ref[Any], Callable[[], object]]]()
        self._thread: threading.Thread | None = None

    def add(self, item: object, function: Callable[[], object]) -> ref[Any]:
        """Have a function called when an object is dropped; it must not lead to the object."""
        if self._thread is None and has_threads():
            thread = threading.Thread(target=self._serve, name="chatnb-finalizer", daemon=True)
            thread.start()
            self._thread = thread
        reference = ref(item, self._dropped.put if has_threads() else self._call)
        self._functions[id(reference)] = (reference, function)
        return reference

    def remove(self, reference: ref[Any]) -> None:
        """Have a function called no more."""
        self._functions.pop(id(reference), None)

    def _serve(self) -> None:
        while True:
            self._call(self._dropped.get())

    def _call(self, reference: ref[Any]) -> None:
        _, function = self._functions.pop(id(reference), (None, None))
        if function is None:
            return
        try:
            function()
        except BaseException as error:  # Other objects need this thread.
            sys.excepthook(type(error), error, error.__traceback__)


dropped_objects = DroppedObjects()
"""Calls functions for dropped objects of the whole package."""


class LoopIterator(Generic[T]):
    """An iterator, for other threads, over an asynchronous generator of an event loop."""

    # The pump knows nothing of it, so that it can be dropped while the pump goes on. An interrupt
    # ends the iteration; with `on_interrupt`, which gets the first one on the loop and has the
    # generator end, it is raised after the last item.

    def __init__(
        self,
        source: Callable[[], AsyncGenerator[T, None]],
        loop: asyncio.AbstractEventLoop,
        context: Context,
        on_end: Callable[[], object] | None = None,
        on_interrupt: Callable[[], object] | None = None,
    ) -> None:
        self._loop = loop
        self._on_interrupt = on_interrupt
        self._interrupt: KeyboardInterrupt | None = None
        self._arrived = SimpleQueue[Delivery]()
        self._pump = TaskPump(source, self._arrived.put, context)
        self._ended = self._abandoned = False
        self._end_pump = end_pump = partial(_end_pump, loop, self._pump, on_end)
        self._finalizer = dropped_objects.add(self, end_pump)
        self._scope = current_scope.get()
        self._on_cancel: OnCancel = lambda _: end_pump()
        if self._scope is not None:
            self._scope.add_callback(self._on_cancel)

    def __iter__(self) -> LoopIterator[T]:
        return self

    def __next__(self) -> T:
        is_open = not self._ended
        delivery = self._next() if is_open else None
        if self._abandoned:
            raise Abandoned
        if isinstance(delivery, Ok):
            return delivery.value
        self.cancel()
        _check_own_cancellation(delivery)
        interrupt, self._interrupt = self._interrupt, None
        if interrupt is not None:
            raise interrupt
        if delivery is not None:
            return delivery.unwrap()
        if is_open and self._scope is not None:  # What is cancelled may end without an error.
            self._scope.check()
        raise StopIteration

    def cancel(self) -> None:
        """End the iteration without a wait."""
        if not self._ended:
            self._end()

    async def aclose(self) -> None:
        """End the iteration on the loop; a thread that still iterates gets `Abandoned`."""
        self._abandoned = self._ended = True
        await self._pump.aclose()

    def _next(self) -> Delivery:
        try:
            self._loop.call_soon_threadsafe(self._pump.request_next)
            return take(self._arrived)
        except BaseException as error:
            if not isinstance(error, KeyboardInterrupt) or self._on_interrupt is None:
                self.cancel()
                raise
            on_interrupt, self._on_interrupt = self._on_interrupt, None
            self._interrupt = error
            post(self._loop, on_interrupt)
            return self._next()

    def _end(self) -> bool:
        """Cancel the task, and return whether it is there to be waited for."""
        self._ended = True
        running = self._end_pump()
        # After it, as an interrupt that comes before leaves the task to the finalizer.
        dropped_objects.remove(self._finalizer)
        if self._scope is not None:
            self._scope.remove_callback(self._on_cancel)
        return running


def _end_pump(
    loop: asyncio.AbstractEventLoop, pump: TaskPump, on_end: Callable[[], object] | None
) -> bool:
    running = post(loop, pump.cancel)
    if on_end is not None:
        on_end()
    return running


class PortalStream(LoopIterator[T]):
    """An iterator with a `close` that waits."""

    # Generators pass its items on by `yield from chain(...)`, as `yield from` alone would close it:
    # a finalizer may close them on any thread, with any locks held, and would swallow an interrupt
    # of the wait.

    def close(self) -> None:
        """End the iteration, and wait until the generator is closed."""
        if self._ended or not self._end() or asyncio._get_running_loop() is self._loop:
            return
        wait(self._pump.ended)  # An interrupt may have lost a delivery, the last one, too.


# The portal of the whole package: clients that were opened on it stay usable from call to call.
package_portal = Portal()


def _forget_parent() -> None:
    package_portal.forget()
    dropped_objects.__init__()


def _end_main_first() -> None:
    # At its exit Python empties the modules that somebody holds, the last one of this dict first.
    # Half-read iterators of a script end with its module, and need the names of this package.
    sys.modules["__main__"] = sys.modules.pop("__main__")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parent)
atexit.register(_end_main_first)
