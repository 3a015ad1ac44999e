"""Counting calls, for what must not regress in kind."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


def calls_during(work: Callable[[], object]) -> dict[str, int]:
    """Return the number of calls of each Python function."""
    calls: dict[str, int] = {}

    def note(frame: Any, event: str, _: object) -> None:
        if event == "call":
            name = frame.f_code.co_qualname
            calls[name] = calls.get(name, 0) + 1

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls
