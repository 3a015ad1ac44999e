"""Who counts the calls of chat models: trackers, budgets, the bar of a batch.

A counter counts the calls of the context that it was opened in, and of all tasks and threads that
carry it. A plain thread carries no context: what it calls counts for whoever is counting on other
threads, unless it counts for itself.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple, Protocol

from chatnb.schema.model_call import ModelCall


class CallCounter(Protocol):
    """Somebody who counts calls; both methods may be called from any thread."""

    def admit(self) -> None:
        """A call is about to be made; what this raises keeps it from being made."""
        ...

    def take(self, call: ModelCall) -> None:
        """A call has ended, in whatever way."""
        ...


class _Open(NamedTuple):
    counter: CallCounter
    thread: int


_here: ContextVar[tuple[CallCounter, ...] | None] = ContextVar("chatnb_counters", default=None)
_open: list[_Open] = []
_always: list[CallCounter] = []


@contextmanager
def counting(counter: CallCounter) -> Generator[None]:
    """Have a counter count the calls of this block, across its tasks and threads.

    Args:
        counter: The counter.
    """
    mine = _Open(counter, threading.get_ident())
    # A thread that counts for itself is on its own: a server's requests are not each other's.
    _here.set((*(_here.get() or ()), counter))
    _open.append(mine)
    try:
        yield
    finally:
        _open.remove(mine)
        # Blocks of generators need not end in the reverse order of their beginning.
        _here.set(tuple(each for each in _here.get() or () if each is not counter) or None)


class counting_here:
    """Have a counter count the calls of this context only, without those of plain threads.

    Args:
        counter: The counter.
    """

    __slots__ = ("_before", "_counter")

    def __init__(self, counter: CallCounter) -> None:
        self._counter = counter
        self._before: tuple[CallCounter, ...] | None = None

    def __enter__(self) -> None:
        self._before = _here.get()
        _here.set((*_of_this_context(), self._counter))

    def __exit__(self, *ended: object) -> None:
        _here.set(self._before)


def count_always(counter: CallCounter) -> None:
    """Have a counter count every call of this process from now on."""
    _always.append(counter)


def counters_here() -> tuple[CallCounter, ...]:
    """Who counts a call that is made here and now."""
    return (*_always, *_of_this_context())


def _of_this_context() -> tuple[CallCounter, ...]:
    here = _here.get()
    if here is not None or not _open:
        return here or ()
    thread = threading.get_ident()
    return tuple(each.counter for each in tuple(_open) if each.thread != thread)
