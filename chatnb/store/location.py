"""Where the conversations of this user are kept."""

from __future__ import annotations

import atexit
import os
import threading
import warnings
from pathlib import Path
from typing import Final

from chatnb.errors import ConfigurationError
from chatnb.store.database import MEMORY
from chatnb.store.store import Store

STORE_VARIABLE: Final = "CHATNB_STORE"
_stores: dict[str, Store] = {}
_making = threading.Lock()


def store_path() -> str:
    """The file that `CHATNB_STORE` names, else one in the user's data folder; or `:memory:`.

    Example:
        >>> store_path()  # doctest: +SKIP
        '/home/ada/.local/share/chatnb/conversations.db'
    """
    named = os.environ.get(STORE_VARIABLE)
    if named == MEMORY:
        return MEMORY
    if named:
        return str(Path(named).expanduser().absolute())
    from platformdirs import user_data_path

    return str(user_data_path("chatnb", appauthor=False) / "conversations.db")


def shared_store() -> Store:
    """The store that all conversations of this process share unless they are given another.

    Where the user's data folder cannot be written to, as in some containers, conversations are
    kept in memory and a warning says so; a file that CHATNB_STORE names must do.

    Raises:
        ConfigurationError: If its file cannot be used.

    Example:
        >>> shared_store() is shared_store()  # doctest: +SKIP
        True
    """
    path = store_path()
    with _making:
        if path not in _stores:
            _stores[path] = _opened(path)
        return _stores[path]


def _close_all() -> None:
    """Leave one tidy file behind, without SQLite's log beside it."""
    for store in _stores.values():
        store.close()


atexit.register(_close_all)


def _opened(path: str) -> Store:
    try:
        return Store(path)
    except ConfigurationError as error:
        if os.environ.get(STORE_VARIABLE) or not isinstance(error.__cause__, OSError):
            raise
        warnings.warn(f"{error} They are kept until this process ends, no longer.", stacklevel=3)
        return Store(MEMORY)
