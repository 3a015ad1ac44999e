"""The widget of a panel: sends updates to the browser and receives its requests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from itertools import zip_longest
from typing import Any
from weakref import ref

import traitlets

from chatnb.concurrency.portal import package_portal, start_task
from chatnb.concurrency.threads import in_thread
from chatnb.errors import error_line
from chatnb.markdown.mimebundle import Mimebundle
from chatnb.notebook.panel import requests
from chatnb.notebook.panel.controller import PanelController
from chatnb.notebook.panel.transcript import Transcript
from chatnb.notebook.widgets.base import (
    ComputedTrait,
    MountedWidget,
    ResendSchedule,
    WidgetOutputs,
    static_file,
)
from chatnb.schema.messages import AIMessage, BaseMessage


class ChatPanelWidget(MountedWidget):
    """A panel in the browser, with the transcript below it in the notebook file."""

    # Requests arrive on the thread on which the kernel receives messages, and are handled on the
    # package's event loop. Observers of the traits may block, and run on threads.

    _esm = static_file("panel.js")
    _css = static_file("panel.css")

    seq = traitlets.Int(0).tag(sync=True)
    """The number of the last update: a browser with a lower one has missed something."""
    messages = ComputedTrait[list[BaseMessage]](lambda panel: panel._messages())
    """The messages of the branch that is shown, without the system prompt."""
    busy = ComputedTrait[bool](lambda panel: panel._controller.running)
    """True while a reply is streaming or queued."""
    value = ComputedTrait[str](lambda panel: panel._last_reply())
    """The text of the last reply that has ended."""
    model = ComputedTrait[str](
        lambda panel: panel._controller.backend.model, lambda panel, name: panel._choose_model(name)
    )
    """The name of the model that replies; setting it chooses another."""

    def __init__(self, controller: PanelController) -> None:
        super().__init__()
        self._controller = controller
        self._transcript, self._outputs = Transcript(), WidgetOutputs(self)
        self._resend, self._notifying = ResendSchedule(), asyncio.Lock()
        self._seen: tuple[object, ...] = ()
        controller.view = ref(self)

    def open(self) -> None:
        """Open the comm, and send everything unasked."""
        is_new = self.comm is None
        super().open()
        if is_new and self.comm is not None:
            package_portal.submit(self._send_all())

    async def save_transcript(self) -> None:
        """Send the transcript."""
        await self._controller.change(self._outputs.update)

    async def end_turn(self) -> None:
        """Send updates now, with the number of the last one, and the transcript."""
        self.flush()
        self.seq = self._controller.updates.seq
        await self.save_transcript()
        await self._notify()

    def static_mimebundle(self, mount: str = "") -> Mimebundle:
        """Return the transcript."""
        return self._transcript.mimebundle(self._controller.backend.path(), mount)

    async def _detach(self) -> None:
        """Send nothing more, and leave the transcript alone in the outputs."""
        self.cancel_flush()
        self._controller.unsubscribe()
        await self._controller.change(lambda: self._outputs.update("static"))

    def _choose_model(self, name: str) -> None:
        changed = partial(self._controller.backend.change_settings, requests.Settings(model=name))
        package_portal.run(self._controller.change(changed))

    def _messages(self) -> list[BaseMessage]:
        return [node.message for node in self._controller.backend.path()]

    def _last_reply(self) -> str:
        replies = (each.text for each in reversed(self._messages()) if isinstance(each, AIMessage))
        return next(replies, "")

    async def _notify(self) -> None:
        """Tell observers what has changed, one change after the other."""
        if not self.is_observed:
            return
        async with self._notifying:
            try:
                await in_thread(self.notify)
            except Exception as error:  # An observer's; the panel shows it as its own.
                self._controller.show_error(error_line(error))

    async def _send_all(self) -> None:
        await self._controller.refresh()
        self.flush()
        self._send_snapshot()

    def _send_new(self) -> bool:
        state = self._controller.committed
        if any(new is not old for new, old in zip_longest(state, self._seen)):
            self._seen = state
            if self.is_observed:
                start_task(self._notify(), None, lambda _: None)
        updates = self._controller.updates.take()
        for update in updates:
            self.send(update)
        if self._resend.is_due(self._controller.updates.seq):
            self._send_snapshot()
        return bool(updates)

    def _send_snapshot(self) -> None:
        for part in self._controller.updates.snapshot():
            self.send(part)

    def _on_message(self, content: Any, buffers: Sequence[Any]) -> None:
        try:
            request = requests.parse_request(content, buffers)
        except ValueError as error:
            request = error
        if request is not None:
            package_portal.submit(self._handle(request))

    async def _handle(self, request: requests.Request | ValueError) -> None:
        """Handle a request and send something: browsers take silence for a dead kernel."""
        if isinstance(request, ValueError):
            self._controller.show_error(str(request))
        else:
            await self._controller.handle(request)
        if isinstance(request, requests.Hello | requests.Resync):
            self._resend.stop()
            self.flush()
            self._send_snapshot()
            self.seq = self._controller.updates.seq
        elif isinstance(request, requests.ListVariables):
            self.send(self._controller.variables)
        elif not self.flush():
            self._controller.updates.resend_state()
            self.flush()
