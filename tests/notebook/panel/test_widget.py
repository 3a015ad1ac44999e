"""The widgets of panels and run trees, and a browser that asks them for everything at any time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chatnb.concurrency.portal import package_portal
from chatnb.notebook.panel.backend import PanelBackend
from chatnb.notebook.panel.controller import PanelController
from chatnb.notebook.panel.requests import parse_request
from chatnb.notebook.panel.widget import ChatPanelWidget
from chatnb.notebook.run_tree.updates import RunTreeUpdates
from chatnb.notebook.run_tree.widget import RunTreeView
from chatnb.schema import BaseMessage
from tests.support.panel_controllers import Browser
from tests.support.run_logs import generated, story


class PanelPage:
    """A browser of a panel whose widget sends nothing by itself: its timer never fires."""

    def __init__(self, chat: Any) -> None:
        self.controller = PanelController(PanelBackend("panel", chat, ()))
        self.widget, self.browser = ChatPanelWidget(self.controller), Browser()
        self.snapshots = 0
        self.widget.wake = lambda: None  # type: ignore[method-assign]
        self.widget.send = self._receive  # type: ignore[method-assign]

    def _receive(self, message: Any) -> None:
        self.snapshots += message["type"] == "snapshot"
        if self.browser.state or message["type"] == "snapshot":
            self.browser.receive([message])

    async def request(self, type: str, **content: Any) -> None:
        await self.widget._handle(parse_request({"type": type, **content}))  # type: ignore[arg-type]


@pytest.mark.parametrize("asks_at", range(6))
@pytest.mark.parametrize("type", ["hello", "resync"])
def test_a_browser_may_ask_before_anything_was_sent(asks_at: int, type: str) -> None:
    """All that waits then to be sent is in the answer, once, and what follows fits behind it; from
    then on nothing is sent again unasked."""

    async def talk() -> PanelPage:
        said, goes_on = asyncio.Semaphore(0), asyncio.Semaphore(0)

        async def chat(messages: list[BaseMessage]) -> AsyncIterator[str]:
            for word in ("Half ", "a ", "reply."):
                yield word
                yield ""  # The panel has the word before: it reads one ahead.
                said.release()
                await goes_on.acquire()

        async def ask(number: int) -> None:
            if number == asks_at:
                await page.request(type)
                assert page.widget.seq == page.browser.seq
                assert page.browser.items == page.controller.updates.items
            if number == asks_at + 1:
                page.widget.flush()

        page = PanelPage(chat)
        await ask(0)
        page.controller.ask(page.controller.new_turn("Hi"))
        for number in range(1, 4):
            await ask(number)
            await said.acquire()
            goes_on.release()
        await ask(4)
        await page.controller.wait_idle()
        await ask(5)
        page.widget.flush()
        return page

    page = package_portal.run(talk())
    assert page.browser.texts == ["Hi", "Half a reply."]
    assert page.browser.items == page.controller.updates.items
    assert page.browser.state == page.controller.updates.state
    before = page.snapshots

    async def more() -> None:
        await page.controller.change(lambda: None)
        for number in range(20):
            page.controller.show_error(str(number))
            page.widget.flush()

    package_portal.run(more())
    assert page.browser.state["error"] == "19"
    assert page.snapshots == before


def test_every_request_of_a_panel_is_acknowledged() -> None:
    """Browsers take silence for a dead kernel: a state comes also where nothing has changed, and
    what is no valid request is told."""

    async def talk() -> None:
        page = PanelPage("scripted:Hello.")
        await page.request("hello")
        for content in ({"type": "stop"}, {"type": "decide", "call": "x", "decision": "once"}):
            before = len(page.browser.received)
            await page.request(**content)
            assert [told["type"] for told in page.browser.received[before:]] == ["state_changed"]
        await page.widget._handle(ValueError("No such thing."))
        assert page.browser.state["error"] == "No such thing."

    package_portal.run(talk())


@pytest.mark.parametrize("seed", range(5))
def test_a_run_tree_is_whole_whenever_a_browser_asks(seed: int) -> None:
    """Also before the first page was sent: pages fit behind those that it has."""
    dice, log = random.Random(seed), (story() if seed == 0 else generated(seed, 60))
    view, known, pages = RunTreeView(), list[Any](), list[Any]()

    def receive(page: Any) -> None:
        pages.append(page)
        # A browser that is not there yet misses pages; one that misses some asks.
        if is_there and page["first"] <= len(known):
            known[page["first"] :] = page["patches"]

    async def replay() -> None:
        nonlocal is_there
        asks_at = dice.randrange(len(log.patches))
        for number, patch in enumerate(log.patches):
            view._updates.push(patch)
            if number == asks_at:
                is_there = True
                await view._send_page(len(known))
            elif dice.random() < 0.3:
                view.flush()
        view._send_end()
        while len(known) < view.length:
            await view._send_page(len(known))

    is_there = False
    view.phase = "live"
    view.send = receive  # type: ignore[method-assign]
    package_portal.run(replay())
    whole = RunTreeUpdates()
    for patch in log.patches:
        whole.push(patch)
    assert known == whole.page(0)["patches"][: len(known)]
    assert (len(known), view.phase) == (len(log.patches), "ended")


def test_a_run_tree_takes_what_its_page_may_ask() -> None:
    """To stop, and for its patches from a number on that there is."""
    sent: list[Any] = []
    stops: list[bool] = []

    class View(RunTreeView):
        def stop(self) -> None:
            stops.append(True)

    view = View()
    for patch in story().patches:
        view._updates.push(patch)
    view.send = sent.append  # type: ignore[method-assign]
    count = len(view._updates)
    for first in (0, count - 1, count, -1, count + 1, "0", None):
        view._on_message({"type": "resync", "first": first}, [])
    for content in ({"type": "resync"}, {"type": "other"}, None):
        view._on_message(content, [])
    assert stops == []
    view._on_message({"type": "stop"}, [])
    assert stops == [True]
    package_portal.run(_nothing())
    assert [page["first"] for page in sent] == [0, count - 1, count]


async def _nothing() -> None:
    """Let what was submitted before come first."""
