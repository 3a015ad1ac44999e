"""Panels and their turns in the cells of a page, and of a program that runs the notebook."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from chatnb import ChatPanel
from chatnb.chat_models import ScriptedChatModel
from chatnb.errors import ServerError
from tests.support.live_cells import Page, until

WAITING = "<a turn of a ChatPanel: await it, or call its result()>"


@pytest.fixture
def page(bare_shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> Page:
    page = Page(bare_shell, monkeypatch)
    panel = ChatPanel(ScriptedChatModel(["Hello **you**.", ServerError("Overloaded."), "Third."]))
    page.shell.push({"panel": panel, "turns": []})
    return page


def test_a_page_shows_the_turn_in_the_panel_alone(page: Page) -> None:
    """The cell that asks ends at once, and has no reply in its output."""
    result = page.run("panel.ask('Hi')")
    assert repr(result.result) == WAITING
    data, _ = page.shell.display_formatter.format(result.result)  # type: ignore[union-attr]
    assert data == {"text/plain": WAITING}
    assert result.result.result(60).text == "Hello **you**."


def test_a_program_waits_for_the_reply_and_shows_it(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cell ends no sooner than the turn; an error is its type and message."""
    monkeypatch.setenv("CHATNB_VIEW", "static")
    page.run("turns.append(panel.ask('Hi'))")
    page.run("turns.append(panel.ask('Again'))")
    shown: list[Any] = []
    for turn in page.shell.user_ns["turns"]:
        assert turn.done
        data, _ = page.shell.display_formatter.format(turn)  # type: ignore[union-attr]
        shown.append(data)
    assert shown == [
        {"text/markdown": "Hello **you**.", "text/plain": "Hello **you**."},
        {"text/plain": "ServerError: Overloaded."},
    ]
    page.run("1 + 1")
    page.run("turns.append(panel.ask('Once more'))")
    assert page.shell.user_ns["turns"][-1].result(0).text == "Third."
    assert not page.shell.events.callbacks["post_run_cell"] or all(
        "wait_after_cell" not in each.__qualname__
        for each in page.shell.events.callbacks["post_run_cell"]
    )


def test_a_panel_of_a_program_shows_the_whole_conversation(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its output is the transcript."""
    monkeypatch.setenv("CHATNB_VIEW", "static")
    page.run("panel.ask('Hi')\npanel._ipython_display_()")
    text = page.outputs[0].data["text/plain"]
    assert "Hi" in text
    assert "Hello **you**." in text


def test_a_turn_that_takes_too_long_goes_on() -> None:
    """A wait for it ends with an error, and a later one has the reply."""
    go = asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def chat(messages: list[Any]) -> str:
        loops.append(asyncio.get_running_loop())
        await go.wait()
        return "Late."

    panel = ChatPanel(chat)
    turn = panel.ask("Hi")
    until(lambda: loops)
    with pytest.raises(TimeoutError, match=r"^No answer within 0\.001 s$"):
        turn.result(0.001)
    loops[0].call_soon_threadsafe(go.set)
    assert turn.result(60).text == "Late."
    asyncio.run(panel.wait())


def test_a_panel_says_what_it_is_and_what_it_holds() -> None:
    """A name once it has one, and its messages as Markdown and as cells."""
    panel = ChatPanel("scripted:Hello.", name="greeting", temperature=0.5, system="Be brief.")
    assert repr(panel) == "ChatPanel(name='greeting')"
    assert repr(ChatPanel("scripted:a")) == "ChatPanel()"
    panel.ask("Hi").result(60)
    assert panel.conversation.settings["temperature"] == 0.5
    assert panel.conversation.system == "Be brief."
    markdown = panel.to_markdown()
    assert "Hi" in markdown
    assert "Hello." in markdown
    assert [cell["cell_type"] for cell in panel.to_cells()] == ["markdown"] * 2
    assert panel.usage is None


def test_requests_of_a_page_reach_the_panel(page: Page) -> None:
    """One that it cannot have is an error in the panel, and an unknown one is passed over."""
    panel = page.shell.user_ns["panel"]
    model_id = panel.model_id
    page.say(model_id, {"type": "hello"})
    until(lambda: page.told(model_id, "snapshot"))
    page.say(model_id, {"type": "send", "text": "Hi", "attachments": [{}]})
    until(lambda: "did not arrive whole" in str(page.told(model_id, "state_changed")))
    page.say(model_id, {"type": "unknown"})
    page.say(model_id, {"type": "list_variables"})
    until(lambda: page.told(model_id, "variables"))
    panel.close()
