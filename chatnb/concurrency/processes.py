"""Processes of this machine: whether they run, since when, and which of them this one sees."""

from __future__ import annotations

import os
import socket
from functools import cache
from math import inf
from pathlib import Path


@cache
def this_machine() -> str:
    """Return the machine, or the container on it, whose processes this one sees."""
    try:
        processes = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        processes = ""
    return f"{socket.gethostname()} {processes}".strip()


def is_running(pid: int) -> bool:
    """Return whether a process of this machine runs, as far as can be seen."""
    if os.name == "nt":  # Where signal 0 is Ctrl-C.
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def start_time(pid: int) -> float | None:
    """Return the time at which a process started, -inf if it is gone, None if unknown."""
    try:
        import psutil
    except ImportError:  # Kernels bring it; plain Python may not.
        return None
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return -inf
