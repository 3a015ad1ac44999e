"""A panel's conversation without a notebook, and the browser that it talks to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

from chatnb.notebook.views.chat_panel_conversation import PanelConversation
from chatnb.notebook.views.chat_panel_requests import request_of
from chatnb.notebook.views.chat_panel_settings import PanelSettings
from chatnb.notebook.views.chat_panel_talk import PanelTalk
from chatnb.notebook.views.chat_panel_wire import PanelWire


class Browser:
    """What a front end makes of the messages; it fails where one does not fit."""

    def __init__(self) -> None:
        self.seq = 0
        self.items: list[dict[str, Any]] = []
        self.state: dict[str, Any] = {}
        self.heard: list[dict[str, Any]] = []
        self._parts: list[dict[str, Any]] = []

    def hear(self, messages: Sequence[dict[str, Any]]) -> None:
        for message in messages:
            self.heard.append(message)
            if message["kind"] == "snapshot":
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
        match message["kind"]:
            case "state":
                self.state = message["state"]
            case "path":
                self.items = [dict(item) for item in message["items"]]
            case "item":
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
            case kind:
                raise AssertionError(kind)

    @property
    def texts(self) -> list[str]:
        return [item["text"] for item in self.items]

    @property
    def last(self) -> dict[str, Any]:
        return self.items[-1]


class Desk:
    """A panel's conversation and a browser that hears everything at once."""

    def __init__(
        self, chat: Any, name: str | None = "desk", *, tools: Any = (), approve: Any = None
    ) -> None:
        conversation = PanelConversation(name)
        self.talk = PanelTalk(conversation, PanelSettings(conversation, chat, tools), approve)
        self.browser = Browser()
        self.talk.on_change = self.flush
        self.talk.look()
        self.browser.hear(self.talk.wire.snapshot())

    def flush(self) -> None:
        messages = self.talk.wire.take()
        for message in messages:
            json.dumps(message, ensure_ascii=False).encode()
        self.browser.hear(messages)

    def say(self, content: object, buffers: Sequence[bytes] = ()) -> None:
        """Send what a browser would."""
        request = request_of(content, buffers)
        assert request is not None
        self.talk.heard(request)

    async def ask(self, text: str) -> None:
        """Send a message and wait for the answer."""
        self.say({"kind": "send", "text": text})
        await self.talk.idle()

    async def until(self, happened: Callable[[Browser], bool]) -> None:
        """Wait for the browser to show something."""
        async with asyncio.timeout(10):
            while not happened(self.browser):  # noqa: ASYNC110
                await asyncio.sleep(0.002)


def wire_of(wire: PanelWire) -> Browser:
    """A browser that comes to a wire now."""
    browser = Browser()
    browser.hear(wire.snapshot())
    return browser
