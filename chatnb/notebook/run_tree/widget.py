"""The widget of a run log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import traitlets

from chatnb.concurrency.portal import package_portal
from chatnb.notebook.run_tree.updates import RunTreeUpdates
from chatnb.notebook.widgets.base import MountedWidget, ResendSchedule, static_file


class RunTreeView(MountedWidget):
    """A run's log in the browser, live or ended."""

    # New patches go out in numbered pages; a browser that comes late, or has missed one, asks for
    # the rest page by page.

    _esm = static_file("run_tree.js")
    _css = static_file("run_tree.css")

    phase = traitlets.Unicode("ended").tag(sync=True)
    # The number of patches in the end: a browser that has fewer asks for the rest.
    length = traitlets.Int(0).tag(sync=True)
    patch = traitlets.Int(None, allow_none=True).tag(sync=True)
    """The patch, from 1 on, to which the tree is rewound; None for the last one."""
    selected = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    """The run whose details are open: its key in the log's `logs`, "" for the root, or None."""

    def __init__(self) -> None:
        super().__init__()
        self._updates = RunTreeUpdates()
        self._sent = 0
        self._resend = ResendSchedule()

    def _prepare(self) -> None:
        self._sent = len(self._updates)  # The browser asks for what has come before.

    def stop(self) -> None:
        """End the run."""
        raise NotImplementedError

    def _send_end(self) -> None:
        """Send what is still waiting, and that nothing follows; on the event loop's thread."""
        self.flush()
        self.length = len(self._updates)
        self.phase = "ended"

    def _send_new(self) -> bool:
        if self._resend.is_due(len(self._updates)):
            self._sent = 0
        start = self._sent
        while self._sent < len(self._updates):
            page = self._updates.page(self._sent)
            self.send(page)
            self._sent += len(page["patches"])
        return self._sent > start

    async def _send_page(self, first: int) -> None:
        # On the loop that sends new patches, so that no page overtakes another.
        self._resend.stop()
        self.send(self._updates.page(first))

    def _on_message(self, content: Any, buffers: Sequence[Any]) -> None:
        match content:
            case {"type": "stop"}:
                self.stop()
            case {"type": "resync", "first": int(first)} if 0 <= first <= len(self._updates):
                package_portal.submit(self._send_page(first))
            case _:
                return
