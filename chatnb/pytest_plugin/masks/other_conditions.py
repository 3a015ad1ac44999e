"""Another machine, folder and time for a replay, so that what depends on them shows.

Paths of Python are replaced in its outputs, as no process can move them.
"""

# pyright: standard
# It replaces functions of the standard library.

from __future__ import annotations

import asyncio
import itertools
import math
import os
import platform
import re
import socket
import sys
import sysconfig
import threading
import time
import timeit
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from chatnb.cassettes.after_import import after_import, replace_function
from chatnb.cassettes.cassette import Cassette

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
_MORE_CPUS = 3
# Of so many threads that begin together, the first begins last: each so many seconds before it.
# Long batches wait at their beginning only.
_THREADS, _WAIT_SECONDS, _MAX_WAITS = 4, 0.02, 100
# Too short for names that are masked wherever they stand.
_PYTHON = "/opt2/py2"
_SYSTEM_FOLDERS = ("/", "/usr", "/usr/bin", "/usr/local", "/usr/local/bin")
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


def python_folders() -> list[str]:
    """Return the paths of this process's Python that are others on another machine."""
    paths = sysconfig.get_paths()
    found = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    found |= {str(Path(sys.executable).parent), sys.prefix, sys.base_prefix}
    return sorted(found - {*_SYSTEM_FOLDERS, ""}, key=len, reverse=True)


def moved(value: Any, folders: Sequence[str]) -> Any:
    """Return outputs, in place, in which folders have other paths.

    Args:
        value: The outputs, or a part of them.
        folders: The folders, longer paths first.

    Example:
        >>> moved(["In /opt/env/lib/x.py, not in /opt/envy"], ["/opt/env"])
        ['In /opt2/py2/lib/x.py, not in /opt/envy']
    """
    return with_texts(value, lambda text: _moved(text, folders))


def _moved(text: str, folders: Sequence[str]) -> str:
    for folder in folders:
        whole = rf"(?<![\w./\\-]){re.escape(folder)}(?![\w-])"
        text = re.sub(whole, _PYTHON, text)
    return text


def with_texts(value: Any, change: Callable[[str], str]) -> Any:
    """Return outputs, in place, in which a function has changed all texts."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        found: Any = value  # With the attributes of an output.
        for name, part in found.items():
            found[name] = with_texts(part, change)
        return found
    return [with_texts(part, change) for part in value] if isinstance(value, list) else value


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
    replace_function(socket, "gethostname", lambda: HOST)
    replace_function(platform, "node", lambda: HOST)
    cpus = os.cpu_count() or 1
    replace_function(os, "cpu_count", lambda: cpus + _MORE_CPUS)
    after_import({"getpass": _rename_user})
    _kept.append(b"x" * (_MEGABYTES << 20))
    getcwd, here = os.getcwd, str(Path.cwd())
    if Path(folder).exists():
        replace_function(os, "getcwd", lambda: getcwd().replace(here, folder, 1))
    for name in ("perf_counter", "process_time", "thread_time"):
        _speed_up(time, name)
        _speed_up(time, f"{name}_ns")
    timeit.default_timer = time.perf_counter
    for name in ("monotonic", "monotonic_ns"):
        _speed_up_in_notebook(name)
    if sys.platform != "win32":
        after_import({"resource": _speed_up_usage})
    _delay_threads(_waits())
    _delay_replies(_waits())


def _waits() -> Iterator[float]:
    """Return seconds to wait, shorter and shorter ones in turn, and at last none."""
    # Threads may take the next one at the same time, as they may not from a generator.
    some = (_WAIT_SECONDS * (_THREADS - number % _THREADS) for number in range(_MAX_WAITS))
    return itertools.chain([*some], itertools.repeat(0.0))


def _delay_threads(waits: Iterator[float]) -> None:
    """Let threads that begin together run in another order, as they may where more of them run."""
    real = threading.Thread.run

    def run(self: threading.Thread) -> None:
        time.sleep(next(waits))
        real(self)

    threading.Thread.run = run


def _delay_replies(waits: Iterator[float]) -> None:
    """Let threads that call models get their replies in another order."""
    for name in ("call", "http_call"):
        real = getattr(Cassette, name)

        def call(*args, _real=real, **options):
            # A wait in the thread of an event loop would delay all that it does alike.
            is_loop = asyncio._get_running_loop() is not None
            if threading.current_thread() is not threading.main_thread() and not is_loop:
                time.sleep(next(waits))
            return _real(*args, **options)

        setattr(Cassette, name, call)


def _rename_user(module) -> None:
    replace_function(module, "getuser", lambda: _USER)


def _speed_up(module: ModuleType, name: str) -> None:
    real = getattr(module, name)
    start = real()
    replace_function(module, name, lambda: start + (real() - start) * _RATE)


def _speed_up_in_notebook(name: str) -> None:
    """Speed a clock up for the code of cells; event loops and threads have time limits by it."""
    real = getattr(time, name)
    start = real()

    def fast():
        now = real()
        is_notebook = sys._getframe(1).f_globals.get("__name__") == "__main__"
        return start + (now - start) * _RATE if is_notebook else now

    replace_function(time, name, fast)


def _speed_up_usage(module) -> None:
    real, clock = module.getrusage, time.perf_counter

    def fast(who):
        user, system, *others = real(who)
        # What took no time of the system by chance takes some, too.
        gone = clock()
        return module.struct_rusage((user * _RATE + gone, system * _RATE + gone, *others))

    replace_function(module, "getrusage", fast)
