"""The time and chance of a recording, for its replays."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from chatnb.cassettes.after_import import after_import, replace_function
from chatnb.errors import MissingRuntimeError

_MOMENT = re.compile(r'^recorded_at: "(.+)"$', re.MULTILINE)
_MAX_HEAD = 1000
_SEED = 0
_NO_TIME_MACHINE = (
    "The clock of a recording needs time-machine. "
    'Install it with: pip install "chatnb[testing]", or leave it out: --chatnb-clock=real'
)


def recorded_moment(path: Path) -> datetime | None:
    """Return the moment at which a cassette was recorded, or None if it has none."""
    with suppress(OSError, ValueError), path.open(encoding="utf-8") as file:
        if found := _MOMENT.search(file.read(_MAX_HEAD)):
            return checked_moment(found[1])
    return None


def checked_moment(text: str) -> datetime:
    """Return the moment in a text; raise ValueError if there is none, or it has no time zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment


def start_clock(moment: datetime, elapsed: Callable[[float], float] | None = None) -> None:
    """Set this process's date and time, which go on, and seed what draws numbers at random.

    Args:
        moment: The date and time.
        elapsed: Returns the seconds that they have gone on after real seconds. Default: as many.
    """
    try:
        import time_machine
    except ImportError as error:
        raise MissingRuntimeError(_NO_TIME_MACHINE) from error
    traveller: Any = time_machine.travel(moment, tick=True).start()
    real_time = traveller.time_ns
    start = real_time()
    if elapsed is not None:
        traveller.time_ns = lambda: start + int(elapsed((real_time() - start) / 1e9) * 1e9)
    _set_texts_of_now()
    random.seed(_SEED)
    after_import({"numpy": _seed_numpy})


def _set_texts_of_now() -> None:
    """Let the texts of the time, which the C library makes, be of this date and time, too."""
    ctime, asctime = time.ctime, time.asctime

    def written_seconds(seconds: float | None = None, /) -> str:
        return ctime(time.time() if seconds is None else seconds)

    def written_moment(moment: Any = None, /) -> str:
        return asctime(moment or time.localtime())

    replace_function(time, "ctime", written_seconds)
    replace_function(time, "asctime", written_moment)


def _seed_numpy(module: Any) -> None:
    module.random.seed(_SEED)
