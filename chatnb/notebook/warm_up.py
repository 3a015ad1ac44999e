"""Load what the first chat cell needs, in the background, while the kernel is idle."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any

from chatnb.cassettes.active import is_replaying
from chatnb.chat_models import BaseChatModel
from chatnb.concurrency.portal import package_portal
from chatnb.concurrency.waiting import has_threads
from chatnb.notebook.session import Session

_VARIABLE = "CHATNB_WARM_UP"
_log = logging.getLogger(__name__)

# Cells that run one after the other leave less between them.
_IDLE_SECONDS = 0.3
# In steps, since a cell that begins meanwhile shares Python's lock with the one under way.
_MODULES = (
    "pydantic",
    "httpx2",
    "openai",
    "anyio._backends._asyncio",
    "chatnb.chat_models.local",
    "anywidget",
    "chatnb.notebook.cell.outputs",
    "chatnb.notebook.cell.reply_widget",
    "chatnb.notebook.tables.answers",
)


def start_warm_up(session: Session) -> None:
    """Have the first cell's modules and model loaded once no cell has run for a moment."""
    if os.environ.get(_VARIABLE) != "0" and has_threads():
        _WarmUp(session).start()


class _WarmUp:
    """A thread that takes its steps between cells; what fails, the first chat cell tells."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()
        self._idle_since: float | None = None

    def start(self) -> None:
        """Begin after the cell that is running."""
        events = self._session.shell.events
        events.register("pre_run_cell", self._cell_begins)
        events.register("post_run_cell", self._cell_ends)

    def _cell_begins(self, *_: object) -> None:
        self._set_idle(None)

    def _cell_ends(self, *_: object) -> None:
        self._set_idle(time.monotonic())
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="chatnb-warm-up", daemon=True)
            self._thread.start()

    def _set_idle(self, idle_since: float | None) -> None:
        with self._changed:
            self._idle_since = idle_since
            self._changed.notify()

    def _run(self) -> None:
        for step in self._steps():
            self._wait_until_idle()
            try:
                step()
            except Exception:
                _log.debug("The first chat cell tells it", exc_info=True)
                break
        events = self._session.shell.events
        events.unregister("pre_run_cell", self._cell_begins)
        events.unregister("post_run_cell", self._cell_ends)

    def _wait_until_idle(self) -> None:
        with self._changed:
            while True:
                since = self._idle_since
                left = None if since is None else since + _IDLE_SECONDS - time.monotonic()
                if left is not None and left <= 0:
                    return
                self._changed.wait(left)

    def _steps(self) -> Iterator[Callable[[], object]]:
        for module in _MODULES:
            yield partial(import_module, module)
        yield self._prepare_model

    def _prepare_model(self) -> None:
        """Make the model that cells ask, unless others of the notebook are likelier to answer."""
        defaults, variables = self._session.defaults, self._session.shell.user_ns
        own = any(isinstance(value, BaseChatModel) for value in list(variables.values()))
        if is_replaying() or (own and defaults.model is None):
            return
        model: Any = self._session.model()
        prepare = getattr(model, "aprepare", None)
        if prepare is not None:
            package_portal.run(prepare())
