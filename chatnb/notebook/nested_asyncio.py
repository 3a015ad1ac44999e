"""`asyncio.run` in notebook cells, for those who ask for it."""

from __future__ import annotations

import asyncio
import sys
import threading
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from chatnb.errors import ConfigurationError, MissingRuntimeError

_OLDEST = (1, 7, 3)
"""Before it, queued cells were lost on ipykernel 7."""
_INSTALL = 'Install "nest-asyncio2>=1.7.3" and restart the kernel.'


def nested_asyncio() -> None:
    """Let `asyncio.run` and `loop.run_until_complete` be called where an event loop runs, as one
    does in notebooks.

    It changes asyncio for the whole process and cannot be taken back, so chatnb never does it by
    itself and needs it for nothing: `await` in a cell is the better way. It is for code that calls
    `asyncio.run` and that you cannot change. Where no event loop runs there is nothing to do.

    Raises:
        ConfigurationError: If it is known to break things here: on another thread than the main
            one, on an event loop that is not asyncio's own such as uvloop, or where the older
            package nest_asyncio was applied on ipykernel 7.
        MissingRuntimeError: If nest-asyncio2 is not there, or too old.

    Example:
        >>> nested_asyncio()  # No loop runs here.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return
    _refuse_thread()
    _refuse_loop(loop)
    if _is_patched_by_predecessor():
        _refuse_predecessor()
        return
    _nest_asyncio2().apply(loop)


def _refuse_thread() -> None:
    if threading.current_thread() is not threading.main_thread():
        raise ConfigurationError(
            "nested_asyncio() is for the event loop of the main thread, and this is another one. "
            "Call it in a cell, not in a thread or a subshell."
        )


def _refuse_loop(loop: asyncio.AbstractEventLoop) -> None:
    if not isinstance(loop, asyncio.BaseEventLoop):
        name = f"{type(loop).__module__.partition('.')[0]}'s {type(loop).__name__}"
        raise ConfigurationError(
            f"nested_asyncio() cannot change {name}; only asyncio's own event loops can be nested. "
            "Use await in the cell, or a kernel without it."
        )


def _is_patched_by_predecessor() -> bool:
    return hasattr(asyncio, "_nest_patched") and not hasattr(asyncio, "_nest_asyncio2")


def _refuse_predecessor() -> None:
    """On ipykernel 6 it does what is asked for; from 7 on it drops the cells that wait."""
    ipykernel: Any = sys.modules.get("ipykernel")
    if ipykernel is not None and ipykernel.version_info[0] >= 7:
        raise ConfigurationError(
            "nest_asyncio.apply() was called before, and on ipykernel 7 it loses cells that wait. "
            "Leave it out, restart the kernel and call chatnb.nested_asyncio() in its place."
        )


def _nest_asyncio2() -> Any:
    try:
        found = version("nest-asyncio2")
        import nest_asyncio2
    except (PackageNotFoundError, ImportError) as error:
        raise MissingRuntimeError(f"nested_asyncio() needs nest-asyncio2. {_INSTALL}") from error
    if tuple(int(part) for part in found.split(".")[:3]) < _OLDEST:
        raise MissingRuntimeError(
            f"nest-asyncio2 {found} loses cells that wait on ipykernel 7. {_INSTALL}"
        )
    return nest_asyncio2
