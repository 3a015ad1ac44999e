"""The view of a reply while it streams: an anywidget that lives until the reply is done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from chatnb.notebook.views.reply_state import ReplyState

_STATIC = Path(__file__).parent.parent.parent / "static"
_FLUSH_SECONDS = 0.05
"""Short enough to look continuous, long enough to send few messages."""


class ReplyView(anywidget.AnyWidget):
    """A reply as it streams: Markdown, a quiet line, a Stop button.

    Text goes to the browser as numbered deltas; the snapshot is what a browser starts from when
    it comes late or has missed one. All methods but the constructor and `retire` run on the
    thread that the reply runs on.

    Args:
        on_stop: Called, on any thread, when someone presses Stop.
        model_name: Who answers.
        stop_with: `message` where the kernel hears the browser while a cell runs, else
            `interrupt`, which the browser sends to the kernel itself.
        stops_all: Whether Stop also stops the replies beside it, and is to say so.
    """

    _esm = _STATIC / "reply.js"
    _css = _STATIC / "reply.css"

    snapshot = traitlets.Dict({"seq": 0, "text": ""}).tag(sync=True)
    phase = traitlets.Unicode("waiting").tag(sync=True)
    model_name = traitlets.Unicode("").tag(sync=True)
    stop_with = traitlets.Unicode("message").tag(sync=True)
    stops_all = traitlets.Bool(default_value=False).tag(sync=True)

    _highlighter_sent = False

    def __init__(
        self,
        on_stop: Callable[[], None],
        *,
        model_name: str,
        stop_with: str,
        stops_all: bool = False,
    ) -> None:
        super().__init__(model_name=model_name, stop_with=stop_with, stops_all=stops_all)
        self._state = ReplyState(heard=stop_with == "message")
        self._on_stop = on_stop
        self._flushed_at = 0.0
        self._flush_timer: asyncio.TimerHandle | None = None
        self.on_msg(self._heard)

    def append(self, text: str) -> None:
        """Take the next piece of the reply's text."""
        self._state.push(text)
        if self._flush_timer is not None:
            return
        waiting = self._flushed_at + _FLUSH_SECONDS - time.monotonic()
        if waiting > 0:
            self._flush_timer = asyncio.get_running_loop().call_later(waiting, self._flush)
        else:
            self._flush()

    def end(self) -> None:
        """Send what is still waiting."""
        self._state.end()
        if self._flush_timer is not None:
            self._flush_timer.cancel()
        self._flush()

    def retire(self) -> None:
        """Leave nothing of the widget behind, in the browser or in a saved notebook."""
        layout = self.layout
        self.close()
        layout.close()

    def _flush(self) -> None:
        self._flush_timer = None
        self._flushed_at = time.monotonic()
        delta = self._state.take_delta()
        if delta is None:
            return
        if self.phase == "waiting":
            self.phase = "streaming"
        self.send(delta)
        snapshot = self._state.take_due_snapshot()
        if snapshot is not None:
            self.snapshot = snapshot
        if not ReplyView._highlighter_sent and "```" in delta["text"]:
            self._send_highlighter()

    def _send_snapshot(self) -> None:
        """Send the whole text, also when the browser has missed this very snapshot before."""
        self.set_trait("snapshot", self._state.snapshot())
        self.send_state("snapshot")

    def _send_highlighter(self) -> None:
        ReplyView._highlighter_sent = True
        source = (_STATIC / "highlighter.js").read_text(encoding="utf-8")
        self.send({"kind": "highlighter", "source": source})

    def _heard(self, _widget: object, content: Any, _buffers: object) -> None:
        """Answer the browser; whatever it sends is untrusted."""
        kind = content.get("kind") if isinstance(content, dict) else None
        if kind == "stop":
            self._on_stop()
        elif kind == "resync":
            self._send_snapshot()
        elif kind == "highlighter":
            self._send_highlighter()
