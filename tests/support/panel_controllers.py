"""A panel's controller without a notebook, and a browser for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

from chatnb.notebook.panel.backend import PanelBackend
from chatnb.notebook.panel.controller import PanelController
from chatnb.notebook.panel.requests import parse_request
from chatnb.notebook.panel.updates import PanelUpdates


class Browser:
    """A front end that applies updates, and fails on one that does not fit."""

    def __init__(self) -> None:
        self.seq = 0
        self.items: list[dict[str, Any]] = []
        self.state: dict[str, Any] = {}
        self.received: list[dict[str, Any]] = []
        self._parts: list[dict[str, Any]] = []

    def receive(self, messages: Sequence[Any]) -> None:
        for message in messages:
            self.received.append(message)
            if message["type"] == "snapshot":
                self._fold_part(message)
                continue
            assert message["seq"] == self.seq + 1
            self.seq = message["seq"]
            self._fold(message)

    def _fold_part(self, message: dict[str, Any]) -> None:
        assert message["part"] == len(self._parts)
        self._parts.append(message)
        if len(self._parts) == message["parts"]:
            self.items = [dict(item) for part in self._parts for item in part["items"]]
            self.state, self.seq, self._parts = message["state"], message["seq"], []

    def _fold(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "state_changed":
                self.state = message["state"]
            case "path_changed":
                self.items = [dict(item) for item in message["items"]]
            case "item_changed":
                ids = [item["id"] for item in self.items]
                item = dict(message["item"])
                if item["id"] in ids:
                    self.items[ids.index(item["id"])] = item
                else:
                    self.items.append(item)
            case "delta":
                (item,) = (item for item in self.items if item["id"] == message["id"])
                field = message["field"]
                assert len(item[field].encode("utf-16-le")) // 2 == message["at"]
                item[field] += message["text"]
            case type:
                raise AssertionError(type)

    @property
    def texts(self) -> list[str]:
        return [item["text"] for item in self.items]

    @property
    def last(self) -> dict[str, Any]:
        return self.items[-1]


class PanelDriver:
    """Drives a panel's controller; its browser receives everything at once."""

    def __init__(
        self, chat: Any, name: str | None = "panel", *, tools: Any = (), approve: Any = None
    ) -> None:
        self.controller = PanelController(PanelBackend(name, chat, tools), approve)
        self.browser = Browser()
        self.browser.receive(self.controller.updates.snapshot())
        self.controller.view = lambda: self

    def wake(self) -> None:
        messages = self.controller.updates.take()
        for message in messages:
            json.dumps(message, ensure_ascii=False).encode()
        self.browser.receive(messages)

    async def save_transcript(self) -> None:
        self.wake()

    async def end_turn(self) -> None:
        self.wake()

    async def send(self, content: object, buffers: Sequence[bytes] = ()) -> None:
        """Send what a browser would, and wait until it is done."""
        request = parse_request(content, buffers)
        assert request is not None
        await self.controller.handle(request)

    async def ask(self, text: str) -> None:
        """Send a message and wait for the answer."""
        await self.send({"type": "send", "text": text})
        await self.controller.wait_idle()

    async def until(self, happened: Callable[[Browser], object]) -> None:
        """Wait for the browser to show something."""
        async with asyncio.timeout(10):
            while not happened(self.browser):  # noqa: ASYNC110
                await asyncio.sleep(0.002)


def browser_from_updates(updates: PanelUpdates) -> Browser:
    """Return a browser that has a snapshot of these updates."""
    browser = Browser()
    browser.receive(updates.snapshot())
    return browser
