"""Interrupts of the main thread at chosen points of chatnb's code."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import chatnb


def interrupt_at_call(number: int, work: Callable[[], object]) -> bool:
    """Do work, raise KeyboardInterrupt at one of chatnb's calls, and return whether it had."""
    calls, package = itertools.count(), str(Path(chatnb.__file__).parent)

    # Python handles signals when a function begins and when a built-in one has returned; it ignores
    # what a finalizer raises.
    def interrupt(frame: FrameType, event: str, arg: object) -> None:
        code = frame.f_code
        if event not in ("call", "c_return") or code.co_name == "__del__":
            return
        if code.co_filename.startswith(package) and next(calls) == number:
            raise KeyboardInterrupt

    profiler, unraisable_hook = sys.getprofile(), sys.unraisablehook
    sys.unraisablehook = partial(_call_unless_interrupt, unraisable_hook)
    sys.setprofile(interrupt)
    try:
        work()
    except KeyboardInterrupt:
        return True
    finally:
        sys.setprofile(profiler)
        sys.unraisablehook = unraisable_hook
    return False


def _call_unless_interrupt(hook: Callable[[Any], object], unraisable: Any) -> None:
    # That of a finalizer is lost; pytest would keep it, with all that its frames hold.
    if unraisable.exc_type is not KeyboardInterrupt:
        hook(unraisable)
