"""A panel as Python code uses it: turns that end, whatever happens to them."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from chatnb import ChatPanel
from chatnb.errors import ConfigurationError, MissingRuntimeError
from chatnb.runnables import RunnableLambda
from chatnb.schema import BaseMessage

SECONDS = 60
"""A turn that has not ended after this time never does."""


def until(happened: Callable[[], object]) -> None:
    """Wait for something, and fail if it does not come."""
    deadline = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.002)


class Held:
    """A chat that waits in each reply until it is let go; `begun` has the questions."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self._go: dict[str, threading.Event] = {}

    async def __call__(self, messages: list[BaseMessage]) -> AsyncIterator[str]:
        question = messages[-1].text
        yield "Half "
        self.begun.append(question)
        while not self._event(question).is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        yield f"to {question}"

    def let_go(self, question: str) -> None:
        self._event(question).set()

    def _event(self, question: str) -> threading.Event:
        return self._go.setdefault(question, threading.Event())


def test_a_turn_that_has_ended_stops_no_other() -> None:
    """`stop` of a turn that is over, or of one in the queue, leaves the one that is running."""
    chat = Held()
    chat.let_go("one")
    panel = ChatPanel(chat)
    first = panel.ask("one")
    assert first.result(SECONDS).text == "Half to one"
    second, third = panel.ask("two"), panel.ask("three")
    until(lambda: "two" in chat.begun)
    first.stop()
    third.stop()
    assert third.result(SECONDS).text == ""
    chat.let_go("two")
    assert second.result(SECONDS).text == "Half to two"
    assert [message.text for message in panel.messages[2:]] == ["two", "Half to two"]


def test_a_stopped_turn_gives_way_to_the_next() -> None:
    """The next one in the queue is answered; stopping the panel stops them all."""
    chat = Held()
    panel = ChatPanel(chat)
    first, second, third = panel.ask("one"), panel.ask("two"), panel.ask("three")
    until(lambda: chat.begun == ["one"])
    first.stop()
    assert first.result(SECONDS).text == "Half "
    until(lambda: chat.begun == ["one", "two"])
    panel.stop()
    assert (second.result(SECONDS).text, third.result(SECONDS).text) == ("Half ", "")


class Fatal(BaseException):
    """An error that no `except Exception` catches."""


class Mute(Exception):
    """An error without a message."""

    def __str__(self) -> str:
        raise AttributeError("detail")


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(2),
        KeyboardInterrupt(),
        Fatal("No."),
        OSError("No."),
        Mute(),
        ValueError(Mute()),
        Exception("half a character: \ud83d"),
    ],
)
@pytest.mark.parametrize("blocking", [True, False])
def test_an_error_ends_its_turn_alone(error: BaseException, blocking: bool) -> None:
    """Anything that the function raises, also by `sys.exit`, fails that turn; the next one,
    other panels and other calls work."""

    def answer(messages: list[BaseMessage]) -> str:
        if messages[-1].text == "fail":
            raise error
        return "Fine."

    async def answer_async(messages: list[BaseMessage]) -> str:
        return answer(messages)

    panel = ChatPanel(answer if blocking else answer_async)
    failing, following = panel.ask("fail"), panel.ask("again")
    with pytest.raises(type(error)):
        failing.result(SECONDS)
    assert following.result(SECONDS).text == "Fine."
    assert panel.messages[1].response_metadata["finish_reason"] == "failed"
    assert ChatPanel("scripted:Hello.").ask("Hi").result(SECONDS).text == "Hello."


def test_sys_exit_fails_its_turn_with_its_message() -> None:
    """A function that ends the program, as argparse does, ends the turn, and nothing else."""

    async def chat(messages: list[BaseMessage]) -> str:
        sys.exit(f"usage: {messages[-1].text}")

    turn = ChatPanel(chat).ask("Hi")
    with pytest.raises(SystemExit, match="usage: Hi"):
        turn.result(SECONDS)


@pytest.mark.parametrize(
    "error", [GeneratorExit, SystemExit, KeyboardInterrupt, asyncio.CancelledError, StopIteration]
)
@pytest.mark.parametrize("is_async", [True, False])
def test_a_function_may_raise_whatever_there_is(
    error: type[BaseException], is_async: bool, store: Path
) -> None:
    """The turn of a function that raises ends, nothing streams on, and the next begins."""

    def chat(messages: list[BaseMessage]) -> str:
        if messages[-1].text == "Raise":
            raise error("broken")
        return "Hello"

    async def achat(messages: list[BaseMessage]) -> str:
        return chat(messages)

    panel = ChatPanel(achat if is_async else chat)
    panel.ask("Raise").wait()
    assert panel.ask("Hi").result(SECONDS).text == "Hello"
    with closing(sqlite3.connect(store)) as connection:
        [(streaming,)] = connection.execute(
            "SELECT COUNT(*) FROM nodes WHERE status = 'streaming'"
        ).fetchall()
    assert streaming == 0


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Write to a store as another process, which takes its time."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "conversations.db"
    monkeypatch.setenv("CHATNB_STORE", str(path))
    return path


def test_another_writer_delays_only_what_is_written(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another process writes, a panel's turn waits for it; other calls do not, and the turn
    can be stopped meanwhile."""
    monkeypatch.setattr("chatnb.store.database._BUSY_SECONDS", 4 * SECONDS)
    panel = ChatPanel("scripted:Hello.", name="locked")
    panel.ask("Hi").result(SECONDS)

    async def double(number: int) -> int:
        return 2 * number

    done = threading.Event()

    def call() -> None:
        RunnableLambda(double).invoke(3)
        done.set()

    with locked(store):
        waiting, queued = panel.ask("Wait"), panel.ask("Later")
        threading.Thread(target=call, daemon=True).start()
        assert done.wait(SECONDS)
        queued.stop()
        assert queued.result(SECONDS).text == ""
        assert not waiting.done
        waiting.stop()
    assert waiting.result(SECONDS).response_metadata["finish_reason"] == "stopped"
    assert panel.ask("Again").result(SECONDS).text == "Hello."
    assert "streaming" not in {node.status for node in panel.conversation.path()}


def test_a_broken_disk_ends_every_turn(store: Path) -> None:
    """A disk that breaks while a reply streams fails that turn and those in the queue, each with
    the reason; once it is mended the panel works again."""
    panel = ChatPanel("scripted:Hello.", name="broken")
    panel.ask("Hi").result(SECONDS)
    kept = store.read_bytes()

    def break_disk() -> None:
        panel.conversation.store.close()
        store.write_bytes(b"no database at all" * 1000)

    async def chat(messages: list[BaseMessage]) -> AsyncIterator[str]:
        yield "Half "
        break_disk()
        yield "whole."

    panel = ChatPanel(chat, name="broken")
    turns = [panel.ask(text) for text in ("One", "Two", "Three")]
    for turn in turns:
        with pytest.raises(ConfigurationError, match=r"chatnb's conversations"):
            turn.result(SECONDS)
    panel.conversation.store.close()
    store.write_bytes(kept)
    again = ChatPanel("scripted:Fine.", name="broken")
    assert again.ask("Four").result(SECONDS).text == "Fine."


def test_a_turn_has_the_context_of_whoever_asked() -> None:
    """A queued turn is replied to with the context variables that were set when it was asked."""
    from contextvars import ContextVar

    who = ContextVar("who", default="nobody")
    chat = Held()

    async def answer(messages: list[BaseMessage]) -> AsyncIterator[Any]:
        async for part in chat(messages):
            yield part
        yield f" by {who.get()}"

    panel = ChatPanel(answer)
    who.set("Ada")
    first = panel.ask("one")
    who.set("Bea")
    second = panel.ask("two")
    who.set("nobody")
    chat.let_go("one")
    chat.let_go("two")
    assert first.result(SECONDS).text.endswith(" by Ada")
    assert second.result(SECONDS).text.endswith(" by Bea")


def test_a_panel_opens_beside_the_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs the package sidecar, and says what to do without it."""
    panel = ChatPanel("scripted:Yes")
    monkeypatch.setitem(sys.modules, "sidecar", None)
    with pytest.raises(MissingRuntimeError, match=r"chatnb\[beside\].*Create New View"):
        panel.open_beside()
    opened = MagicMock()
    monkeypatch.setitem(sys.modules, "sidecar", opened)
    panel.open_beside()
    opened.Sidecar.assert_called_once_with(title="Chat", anchor="split-right")
    opened.Sidecar.return_value.__enter__.assert_called_once()
