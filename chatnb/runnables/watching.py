"""Runs that are watched: where a notebook says how they are shown."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any

from chatnb.errors import ConfigurationError
from chatnb.schema.run_log import RunLogPatch

Show = Callable[[AsyncGenerator[RunLogPatch, None]], Any]
_show: Show | None = None


def show_with(show: Show) -> None:
    """Say how runs are shown from now on.

    Args:
        show: Takes the patches of a run and gives what shows them.
    """
    global _show
    _show = show


def shown(patches: AsyncGenerator[RunLogPatch, None]) -> Any:
    """What shows the patches of a run.

    Raises:
        ConfigurationError: If nobody said how they are shown.
    """
    if _show is None:
        raise ConfigurationError("watch() shows runs in a notebook. First run: %load_ext chatnb")
    return _show(patches)
