"""Where the conversations of this user are kept."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final

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

    Raises:
        ConfigurationError: If its file cannot be used.

    Example:
        >>> shared_store() is shared_store()  # doctest: +SKIP
        True
    """
    path = store_path()
    with _making:
        if path not in _stores:
            _stores[path] = Store(path)
        return _stores[path]
