"""Another machine, folder and time for a replay, so that what depends on them shows."""

# pyright: standard
# It replaces functions of the standard library.

from __future__ import annotations

import math
import os
import platform
import socket
import sys
import time
import timeit
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

from chatnb.cassettes.after_import import after_import

FOLDER_VARIABLE = "CHATNB_OTHER_FOLDER"
"""The environment variable that names the notebook's folder under another name."""

HOST = "host2.example"
_USER = "user2"
_FOLDER = "folder2"
_LATER = timedelta(hours=1, minutes=23, seconds=45, milliseconds=678)
# Clocks run so much faster, so that what took 0.00 s takes a while.
_RATE = 500
# The date and time gain at most so many seconds, so that the day is the same.
_MAX_GAIN = 10_000.0
_MEGABYTES = 40
_kept: list[bytes] = []


@contextmanager
def other_environment(folder: Path) -> Iterator[dict[str, str]]:
    """Yield environment variables of another user with other folders, which lead to the same.

    Args:
        folder: The folder of the notebook.
    """
    with TemporaryDirectory(prefix="chatnb-", ignore_cleanup_errors=True) as made:
        named = {"USER": _USER, "LOGNAME": _USER, "USERNAME": _USER, "HOSTNAME": HOST}
        variables = {name: value for name, value in named.items() if name in os.environ}
        temporary = Path(made, "tmp2")
        temporary.mkdir()
        variables |= {name: str(temporary) for name in ("TMPDIR", "TEMP", "TMP")}
        with suppress(OSError):  # Windows has links for administrators only.
            home = Path(made, "home2")
            home.symlink_to(Path.home(), target_is_directory=True)
            Path(made, _FOLDER).symlink_to(folder, target_is_directory=True)
            variables |= {"HOME": str(home), "USERPROFILE": str(home)}
        yield {**variables, FOLDER_VARIABLE: str(Path(made, _FOLDER))}


def other_moment(moment: datetime) -> datetime:
    """Return another time on the same day.

    Example:
        >>> from datetime import UTC
        >>> other_moment(datetime(2026, 1, 2, 23, tzinfo=UTC)).time()
        datetime.time(21, 36, 14, 322000)
    """
    later = moment + _LATER
    is_late = (later + timedelta(seconds=_MAX_GAIN)).date() != moment.date()
    return moment - _LATER if is_late else later


def faster(seconds: float) -> float:
    """Return the seconds by which a fast date and time has gone on after some seconds.

    Example:
        >>> round(faster(0.01), 1), round(faster(100000))
        (5.0, 110000)
    """
    return seconds + _MAX_GAIN * -math.expm1(-_RATE * seconds / _MAX_GAIN)


def change_conditions() -> None:
    """Let this process be on another machine, in another folder, with more memory taken."""
    folder = os.environ.pop(FOLDER_VARIABLE)
    socket.gethostname = platform.node = lambda: HOST
    _kept.append(b"x" * (_MEGABYTES << 20))
    getcwd, here = os.getcwd, str(Path.cwd())
    if Path(folder).exists():
        os.getcwd = lambda: getcwd().replace(here, folder, 1)
    for name in ("perf_counter", "process_time", "thread_time"):
        _speed_up(time, name)
        _speed_up(time, f"{name}_ns")
    timeit.default_timer = time.perf_counter
    if sys.platform != "win32":
        after_import({"resource": _speed_up_usage})


def _speed_up(module: ModuleType, name: str) -> None:
    real = getattr(module, name)
    start = real()
    setattr(module, name, lambda: start + (real() - start) * _RATE)


def _speed_up_usage(module) -> None:
    real = module.getrusage

    def fast(who):
        user, system, *others = real(who)
        return module.struct_rusage((user * _RATE, system * _RATE, *others))

    module.getrusage = fast
