"""Cancel scopes: calls on threads that another thread can end together, or a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from queue import Empty, SimpleQueue
from typing import TypeAlias

Reason: TypeAlias = Callable[[], BaseException]
OnCancel: TypeAlias = "Callable[[CancelScope], object]"


# Not an `Exception`, so that code which handles failures does not take it for the end of input.
class Abandoned(BaseException):
    """Raised in a thread that still works on output that was closed."""


class CancelScope:
    """Calls that end together: reads of the network at once, all others at their next wait."""

    # A task of an event loop can be cancelled; a thread cannot, and looks here. There is no lock:
    # each step is one operation on a dict, and callbacks may be called twice.

    def __init__(self) -> None:
        self.reason: Reason | None = None
        self._callbacks = dict[OnCancel, None]()
        self._outer = current_scope.get()
        if self._outer is not None:
            self._outer.add_callback(self._follow)

    def cancel(self, reason: Reason = Abandoned) -> None:
        """End the calls; from any thread."""
        if self.reason is None:
            self.reason = reason
            for callback in list(self._callbacks):
                callback(self)

    def close(self) -> None:
        """Let go of calls that have ended, so that a cancellation has no effect any more."""
        self._callbacks.clear()
        if self._outer is not None:
            self._outer.remove_callback(self._follow)

    def check(self) -> None:
        """Raise the reason of the cancellation, if there was one."""
        if self.reason is not None:
            raise self.reason()

    def add_callback(self, callback: OnCancel) -> None:
        """Have a function called at the cancellation, at once if that was before."""
        self._callbacks[callback] = None
        if self.reason is not None:
            callback(self)

    def remove_callback(self, callback: OnCancel) -> None:
        """Have a function called no more."""
        self._callbacks.pop(callback, None)

    def context(self) -> Context:
        """Return a copy of the caller's context in which calls are within this scope."""
        context = copy_context()
        context.run(current_scope.set, self)
        return context

    @contextmanager
    def entered(self) -> Generator[None]:
        """Make the calls of a block calls within this scope."""
        token = current_scope.set(self)
        try:
            yield
        finally:
            current_scope.reset(token)

    def _follow(self, outer: CancelScope) -> None:
        self.cancel(outer.reason or Abandoned)


current_scope: ContextVar[CancelScope | None] = ContextVar("chatnb_cancel_scope", default=None)


def cancellation() -> BaseException | None:
    """Return the reason if the calls of this context were cancelled, as a new exception."""
    scope = current_scope.get()
    return None if scope is None or scope.reason is None else scope.reason()


def check_cancelled() -> None:
    """Raise the reason if the calls of this context were cancelled."""
    scope = current_scope.get()
    if scope is not None:
        scope.check()


def pause(seconds: float) -> None:
    """Sleep, unless the calls of this context are cancelled."""
    if seconds <= 0:  # A sleep of no time gives up the rest of the thread's turn.
        return
    scope = current_scope.get()
    if scope is None:
        time.sleep(seconds)
        return
    cancelled = SimpleQueue[CancelScope]()
    scope.add_callback(cancelled.put)
    try:
        cancelled.get(timeout=seconds)
    except Empty:
        return
    finally:
        scope.remove_callback(cancelled.put)
    scope.check()
