"""The widget of a run log: what the browser is told, and what it may ask for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import traitlets

from chatnb.notebook.views.placed_view import PlacedView
from chatnb.notebook.views.run_tree_wire import RunTreeWire

_STATIC = Path(__file__).parent.parent.parent / "static"
_FLUSH_SECONDS = 0.05
"""Short enough to look continuous, long enough to send few messages."""
_GROWTH = 4


class RunTreeView(PlacedView):
    """A run's log in the browser, live or ended.

    New patches go out as they come, in numbered pages; a browser that comes late, or has missed
    one, asks for the rest page by page.

    Args:
        wire: The patches.
        place: The name of the places in a page where the browser shows the tree, which are the
            static trees in the outputs.
        on_stop: Called, on any thread, when someone presses Stop.
        live: Whether more patches are to come.
    """

    _esm = _STATIC / "run_tree.js"
    _css = _STATIC / "run_tree.css"

    phase = traitlets.Unicode("live").tag(sync=True)
    length = traitlets.Int(0).tag(sync=True)
    """How many patches there are in the end: a browser that knows fewer asks for the rest."""

    def __init__(
        self, wire: RunTreeWire, place: str, on_stop: Callable[[], None], *, live: bool
    ) -> None:
        ended: dict[str, Any] = {} if live else {"phase": "ended", "length": len(wire)}
        super().__init__(place=place, **ended)
        self._wire = wire
        self._on_stop = on_stop
        self._sent = len(wire)
        self._heard_from = False
        self._repeat_at = 1
        self._flushed_at = 0.0
        self._flush_timer: asyncio.TimerHandle | None = None
        self.on_msg(self._heard)

    def wake(self) -> None:
        """Send what is new, soon; on the thread of the log."""
        if self._flush_timer is not None:
            return
        waiting = max(0.0, self._flushed_at + _FLUSH_SECONDS - time.monotonic())
        self._flush_timer = asyncio.get_running_loop().call_later(waiting, self._flush)

    def end(self) -> None:
        """Send what is still waiting, and that nothing follows; on the thread of the log."""
        if self._flush_timer is not None:
            self._flush_timer.cancel()
        self._flush()
        self.length = len(self._wire)
        self.phase = "ended"

    def _flush(self) -> None:
        self._flush_timer = None
        self._flushed_at = time.monotonic()
        if not self._heard_from and len(self._wire) >= self._repeat_at:
            # A browser that is not ready yet, and cannot ask while a cell runs, has missed all.
            self._sent, self._repeat_at = 0, _GROWTH * len(self._wire)
        while self._sent < len(self._wire):
            page = self._wire.page(self._sent)
            self.send(page)
            self._sent += len(page["patches"])

    def _heard(self, _widget: object, content: Any, _buffers: object) -> None:
        """Answer the browser; whatever it sends is untrusted."""
        match content:
            case {"kind": "stop"}:
                self._on_stop()
            case {"kind": "resync", "first": int(first)} if 0 <= first <= len(self._wire):
                self._heard_from = True
                self.send(self._wire.page(first))
            case _:
                return
