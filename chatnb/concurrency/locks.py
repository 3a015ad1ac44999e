"""Locks that survive forks, copies and pickles of the objects that hold them."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from threading import RLock as _RLock
else:
    _RLock = type(threading.RLock())


class Lock(_RLock):  # pyright: ignore[reportGeneralTypeIssues] (not final at run time)
    """A reentrant lock; a copy of it, in a forked process too, is free."""

    # Reentrant, because a finalizer may need the lock while its own thread holds it.

    def __init__(self) -> None:
        super().__init__()
        _locks.add(self)

    def __reduce__(self) -> tuple[type[Lock], tuple[()]]:
        return Lock, ()


_locks: WeakSet[Lock] = WeakSet()


def _free_locks() -> None:
    # The threads that held them do not exist in this process.
    for lock in list(_locks):
        lock._at_fork_reinit()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] (as of `logging`)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_free_locks)
