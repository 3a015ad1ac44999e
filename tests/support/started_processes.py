"""Notes which processes tests start, so that those of the quick run start none."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

import pytest
from _pytest.doctest import DoctestItem

# Their tests may start processes; `make test-quick` runs none of them.
MARKS = ("browser", "lab", "packaging", "process", "slow", "thorough")

started: list[str] = []


def watch() -> None:
    """Note all processes that Python starts from now on."""
    platform.processor()  # Python asks a process once; the first call of an SDK would start it.
    os.register_at_fork(before=functools.partial(started.append, "a fork"))
    subprocess.Popen.__init__ = _noted(subprocess.Popen.__init__)
    BaseProcess.start = _noted(BaseProcess.start)


def reset() -> None:
    """Forget the processes of earlier tests."""
    started.clear()


def check(item: pytest.Item) -> None:
    """Fail a test that started a process and has no mark that says so."""
    is_notebook = not isinstance(item, pytest.Function | DoctestItem)
    if started and not is_notebook and not any(map(item.get_closest_marker, MARKS)):
        pytest.fail(f"Mark it as `process`, as it started {started[0]}.", pytrace=False)


def _noted(start: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(start)
    def noted(self: object, *args: Any, **options: Any) -> Any:
        started.append(repr(args[0] if args else options.get("args", self)))
        return start(self, *args, **options)

    return noted
