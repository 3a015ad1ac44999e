"""The conversations that a notebook's cells go on with."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import PurePath
from typing import TYPE_CHECKING

from chatnb.conversations import Conversation
from chatnb.errors import ChatnbError
from chatnb.notebook.failures import in_one_line
from chatnb.store import Store, shared_store

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

OWN = "main"
"""What cells call the notebook's own conversation, whatever its name on disk."""
_WITHOUT_NOTEBOOK = "session"


class Conversations:
    """Which conversation a cell goes on with.

    A notebook's own conversation, `main`, begins anew with each kernel: a notebook that is run
    from the top after a restart asks what it asked the first time. It is kept under the
    notebook's name (`analysis`, then `analysis.2`...), so that `resume` finds the earlier ones.
    Every other name means the same conversation in every notebook.

    Args:
        origin: Gives the notebook's file, or "" where the kernel does not know it.

    Example:
        >>> Conversations(lambda: "/home/ada/analysis.ipynb")["ideas"]  # doctest: +SKIP
        Conversation('ideas')
    """

    def __init__(self, origin: Callable[[], str]) -> None:
        self._origin = origin
        self._own: str | None = None
        self._chosen: str | None = None
        self._read: dict[tuple[int, str], Conversation] = {}

    def __getitem__(self, name: str | None) -> Conversation:
        """The conversation of that name; without a name, the one that cells go on with."""
        return self._conversation(self.name_of(name) or self._begin())

    def name_of(self, name: str | None) -> str | None:
        """Its name on disk; None for the notebook's own while nothing was said in it."""
        name = name or self._chosen or OWN
        return self._own if name == OWN else name

    @property
    def store(self) -> Store:
        """Where they are kept."""
        try:
            return shared_store()
        except ChatnbError as error:
            raise in_one_line(error) from None

    def names(self) -> list[str]:
        """What `-c` may say: the notebook's own, and all on disk."""
        return [OWN, *(kept.name for kept in self.store.summaries())]

    def go_on_with(self, name: str | None) -> None:
        """Choose what cells without `-c` go on with; None for the notebook's own, anew."""
        if name is None:
            self._own = self._chosen = None
        else:
            self._chosen = None if name in (OWN, self._own) else name

    def earlier(self) -> str | None:
        """The newest conversation that an earlier kernel of this notebook had, or None."""
        origin = self._origin()
        names = (
            kept.name
            for kept in self.store.summaries()
            if origin and kept.origin == origin and kept.name != self._own
        )
        return next(names, None)

    def forgotten(self, name: str) -> None:
        """Stop going on with a conversation that is no more."""
        self._own = None if self._own == name else self._own
        self._chosen = None if self._chosen == name else self._chosen

    def _begin(self) -> str:
        origin = self._origin()
        self._own = self.store.begin(PurePath(origin).stem or _WITHOUT_NOTEBOOK, origin)
        return self._own

    def _conversation(self, name: str) -> Conversation:
        store = self.store
        key = (id(store), name)
        if key not in self._read:
            self._read[key] = Conversation(name, store=store)
        return self._read[key]


def notebook_of(shell: InteractiveShell) -> str:
    """The notebook that a shell runs, as far as its front end tells: a path, or "".

    Jupyter's server names it in the kernel's environment, VS Code in a variable.
    """
    named = shell.user_ns.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME") or ""
    return str(named)
