"""Who writes a reply, and whether they still can."""

from __future__ import annotations

import json
import os
import socket
from functools import cache
from pathlib import Path
from typing import Any, Final

SILENT_SECONDS: Final = 30.0
"""After so long without a sign of life a writer on another machine is taken for gone."""
_SAME_START_SECONDS = 2.0
"""A clock that was set makes the start of a process look a little different."""


def this_writer() -> str:
    """The process that runs this, as text.

    Example:
        >>> is_alive(this_writer(), beat=0, now=0)
        True
    """
    return _writer(os.getpid())


@cache
def _writer(pid: int) -> str:
    import psutil

    started = psutil.Process(pid).create_time()
    return json.dumps({"machine": _machine(), "pid": pid, "started": started})


def is_alive(writer: str, *, beat: float, now: float) -> bool:
    """Tell whether a process is still there.

    Args:
        writer: What `this_writer` gave.
        beat: When it last gave a sign of life, in seconds since 1970; counts only where its
            processes cannot be seen, as in another container.
        now: The time now, likewise.

    Example:
        >>> is_alive('{"machine": "elsewhere", "pid": 1, "started": 0}', beat=0, now=100)
        False
    """
    said: dict[str, Any] = json.loads(writer)
    if said["machine"] != _machine():
        return now - beat < SILENT_SECONDS
    import psutil

    try:
        started = psutil.Process(said["pid"]).create_time()
    except psutil.Error:
        return False
    return abs(started - said["started"]) < _SAME_START_SECONDS


@cache
def _machine() -> str:
    """The machine, or the container on it, whose processes this one sees."""
    try:
        processes = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        processes = ""
    return f"{socket.gethostname()} {processes}".strip()
