"""`asyncio.run` in notebook cells, on request."""

from __future__ import annotations

import asyncio
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from chatnb.concurrency.waiting import is_main_thread
from chatnb.errors import ConfigurationError, MissingRuntimeError

# Earlier versions lose queued cells on ipykernel 7.
_MIN_VERSION = (1, 7, 3)
_INSTALL = 'Install "nest-asyncio2>=1.7.3" and restart the kernel.'


def nested_asyncio() -> None:
    """Allow `asyncio.run` and `loop.run_until_complete` while an event loop runs, as in notebooks.

    This changes asyncio for the whole process and cannot be undone, so chatnb never does it by
    itself and does not need it: `await` in a cell is the better way. It is for code that calls
    `asyncio.run` and that you cannot change. It does nothing while no event loop runs.

    Raises:
        ConfigurationError: If it is known to break things here: on another thread than the main
            one, on an event loop that is not asyncio's own such as uvloop, or where the older
            package nest_asyncio was applied on ipykernel 7.
        MissingRuntimeError: If nest-asyncio2 is not installed, or too old.

    Example:
        >>> nested_asyncio()  # No event loop runs here.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return
    _check_thread()
    _check_loop(loop)
    if _is_patched_by_predecessor():
        _check_predecessor()
        return
    _nest_asyncio2().apply(loop)


def _check_thread() -> None:
    if not is_main_thread():
        raise ConfigurationError(
            "nested_asyncio() works only on the event loop of the main thread. Call it in a cell, "
            "not in a thread or a subshell."
        )


def _check_loop(loop: asyncio.AbstractEventLoop) -> None:
    if not isinstance(loop, asyncio.BaseEventLoop):
        name = f"{type(loop).__module__.partition('.')[0]}'s {type(loop).__name__}"
        raise ConfigurationError(
            f"nested_asyncio() cannot change {name}; only asyncio's own event loops can be nested. "
            "Use await in the cell, or a kernel without it."
        )


def _is_patched_by_predecessor() -> bool:
    return hasattr(asyncio, "_nest_patched") and not hasattr(asyncio, "_nest_asyncio2")


def _check_predecessor() -> None:
    # It works on ipykernel 6, and loses the cells that wait from 7 on.
    ipykernel: Any = sys.modules.get("ipykernel")
    if ipykernel is not None and ipykernel.version_info[0] >= 7:
        raise ConfigurationError(
            "nest_asyncio.apply() was called before, and on ipykernel 7 it loses cells that wait. "
            "Remove it, restart the kernel and call chatnb.nested_asyncio() in its place."
        )


def _nest_asyncio2() -> Any:
    try:
        found = version("nest-asyncio2")
        import nest_asyncio2
    except (PackageNotFoundError, ImportError) as error:
        raise MissingRuntimeError(f"nested_asyncio() needs nest-asyncio2. {_INSTALL}") from error
    if tuple(int(part) for part in found.split(".")[:3]) < _MIN_VERSION:
        raise MissingRuntimeError(
            f"nest-asyncio2 {found} loses cells that wait on ipykernel 7. {_INSTALL}"
        )
    return nest_asyncio2
