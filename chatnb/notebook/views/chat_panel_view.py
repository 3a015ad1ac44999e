"""The widget of a panel: what the browser is told, and what it asks for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import traitlets

from chatnb.notebook.views.chat_panel_requests import Hello, request_of
from chatnb.notebook.views.chat_panel_talk import PanelTalk
from chatnb.notebook.views.placed_view import PlacedView
from chatnb.runnables.loop_thread import package_loop

_STATIC = Path(__file__).parent.parent.parent / "static"
_FLUSH_SECONDS = 0.05
"""Short enough to look continuous, long enough to send few messages."""
_POLL_SECONDS = 1.0
"""How soon what another notebook says is seen here."""
_GROWTH = 4


class ChatPanelView(PlacedView):
    """A panel in the browser.

    What the person asks arrives on whatever thread the kernel hears its browser on, and is done
    on the package's loop; all methods but `retire` run there.

    Args:
        talk: The conversation.
        place: The name of the places in a page where the browser shows the panel.
    """

    _esm = _STATIC / "chat_panel.js"
    _css = _STATIC / "chat_panel.css"

    seq = traitlets.Int(0).tag(sync=True)
    """The number of the last event: a browser that knows a lower one has missed something."""

    def __init__(self, talk: PanelTalk, place: str) -> None:
        super().__init__(place=place)
        self._talk = talk
        self._heard_from = False
        self._repeat_at = 1
        self._flushed_at = 0.0
        self._flush_timer: asyncio.TimerHandle | None = None
        self._polling: asyncio.Task[None] | None = None
        self.on_msg(self._heard)

    def tell_all(self) -> None:
        """Tell a browser everything, unasked."""
        self._talk.look()
        self._flush()
        self._send_snapshot()

    def wake(self) -> None:
        """Send what is new, soon."""
        if self._flush_timer is not None:
            return
        waiting = max(0.0, self._flushed_at + _FLUSH_SECONDS - time.monotonic())
        self._flush_timer = asyncio.get_running_loop().call_later(waiting, self._flush)

    def catch_up(self) -> None:
        """Send what is new, now, and say how far that is."""
        self._flush()
        self.seq = self._talk.wire.seq

    def close_down(self) -> None:
        """Send no more."""
        if self._polling is not None:
            self._polling.cancel()
        if self._flush_timer is not None:
            self._flush_timer.cancel()

    def _flush(self) -> bool:
        """Send what is new; whether there was anything."""
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        self._flushed_at = time.monotonic()
        messages = self._talk.wire.take()
        for message in messages:
            self.send(message)
        if not self._heard_from and self._talk.wire.seq >= self._repeat_at:
            # A browser that is not ready yet, and cannot ask while a cell runs, has missed all.
            self._repeat_at = _GROWTH * self._talk.wire.seq
            self._send_snapshot()
        return bool(messages)

    def _send_snapshot(self) -> None:
        for part in self._talk.wire.snapshot():
            self.send(part)

    def _heard(self, _widget: object, content: Any, buffers: Sequence[Any]) -> None:
        """Hand on what the browser sends, which is untrusted; on any thread."""
        if isinstance(content, dict) and content.get("kind") == "highlighter":
            self._send_highlighter()
            return
        try:
            request = request_of(content, buffers or ())
        except ValueError as error:
            package_loop.submit(self._soon(self._talk.fail, str(error)))
            return
        if request is not None:
            package_loop.submit(self._soon(self._talk.heard, request))

    async def _soon(self, act: Callable[[Any], None], argument: Any) -> None:
        """Act on the loop, and answer in any case: who hears nothing takes the kernel for dead."""
        act(argument)
        if isinstance(argument, Hello):
            self._welcome()
        elif not self._flush():
            for message in self._talk.wire.repeat_state():
                self.send(message)

    def _welcome(self) -> None:
        self._heard_from = True
        self._flush()
        self._send_snapshot()
        self.seq = self._talk.wire.seq
        if self._polling is None:
            self._polling = asyncio.create_task(self._poll())

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            self._talk.look_around()

    def _send_highlighter(self) -> None:
        source = (_STATIC / "highlighter.js").read_text(encoding="utf-8")
        self.send({"kind": "highlighter", "source": source})
