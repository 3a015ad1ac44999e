"""Calls of tools on threads that can be ended from outside."""

from __future__ import annotations

import asyncio
import ctypes
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from chatnb.concurrency.cancellation import Abandoned
from chatnb.concurrency.threads import call_in_thread

T = TypeVar("T")


class StoppableCall(Generic[T]):
    """Synchronous work that another thread can end by an exception, as Ctrl-C ends a cell's."""

    # The exception comes between two bytecodes, so that a tool's `finally` blocks run, and an
    # asynchronous tool that this thread waits for is cancelled. A call of C code is not cut short.
    # Source: https://docs.python.org/3/c-api/threads.html#c.PyThreadState_SetAsyncExc

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._stopped = False

    def run(self) -> T:
        """Do the work; raise `Abandoned` if it is stopped."""
        self._thread = threading.get_ident()
        try:
            if self._stopped:
                raise Abandoned
            return self._work()
        finally:
            with self._lock:
                self._thread = None
            if self._stopped:
                time.sleep(0)  # An exception on its way comes here, and not after the work.

    async def arun(self) -> T:
        """Do the work on a thread; a cancellation ends it."""
        try:
            return await call_in_thread(self.run)
        except asyncio.CancelledError:
            self.stop()
            raise

    def stop(self) -> None:
        """End the work, if another thread does it, or keep it from beginning."""
        with self._lock:
            thread, self._thread, self._stopped = self._thread, None, True
            if thread not in (None, threading.get_ident()):
                identifier = ctypes.c_ulong(thread)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(identifier, ctypes.py_object(Abandoned))
