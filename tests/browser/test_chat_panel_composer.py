"""Where messages are written in the chat panel: the keys, the focus, and what is kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chat_panel_page import ChatPanelPage, ai, chat_panel_page, human, turns

pytestmark = pytest.mark.browser


@pytest.fixture
def panel(browser: Browser) -> Iterator[ChatPanelPage]:
    with chat_panel_page(browser) as page:
        yield page


# Keys.


def test_enter_sends_and_shift_enter_breaks_the_line(panel: ChatPanelPage) -> None:
    """Enter sends what is written, line breaks included; the field is empty once it has arrived."""
    panel.open()
    panel.field.click()
    panel.page.keyboard.type("One")
    panel.page.keyboard.press("Shift+Enter")
    panel.page.keyboard.type("two")
    panel.page.keyboard.press("Enter")
    (sent,) = panel.sent("send")
    assert (sent["text"], sent["attachments"]) == ("One\ntwo", [])
    expect(panel.field).to_have_value("One\ntwo")
    panel.arrive("One\ntwo")
    expect(panel.field).to_have_value("")
    assert panel.focused() == "Message"


def test_a_composed_word_is_not_sent(panel: ChatPanelPage) -> None:
    """While an input method composes a word Enter picks it, and sends nothing."""
    panel.open()
    panel.field.fill("にほ")
    panel.run(
        """for (const init of [{ isComposing: true }, { keyCode: 229 }]) {
            document.activeElement.dispatchEvent(new KeyboardEvent("keydown",
                { key: "Enter", bubbles: true, cancelable: true, ...init }));
        }"""
    )
    assert panel.sent("send") == []


def test_nothing_is_sent_when_there_is_nothing(panel: ChatPanelPage) -> None:
    """Blanks are no message, and while an answer comes Enter keeps what is written."""
    panel.open()
    panel.ask("  \n ")
    panel.run("model.set({ running: true })")
    panel.ask("Later")
    assert panel.sent("send") == []
    expect(panel.field).to_have_value("Later")


def test_escape_and_the_button_stop(panel: ChatPanelPage) -> None:
    """While an answer comes the button says Stop; it stops, as Esc does anywhere in the panel."""
    panel.open([human(), ai("One", status="streaming")], running=True)
    panel.button("Stop").click()
    panel.log.focus()
    panel.page.keyboard.press("Escape")
    assert len(panel.sent("stop")) == 2
    panel.run("model.turn({ status: 'stopped' }); model.set({ running: false })")
    expect(panel.button("Send")).to_be_visible()
    panel.page.keyboard.press("Escape")
    assert len(panel.sent("stop")) == 2


def test_arrow_up_edits_the_last_message(panel: ChatPanelPage) -> None:
    """ArrowUp in an empty field opens the last message of one's own; in a text it moves."""
    panel.open(turns(2))
    panel.field.fill("text")
    panel.page.keyboard.press("ArrowUp")
    expect(panel.page.get_by_label("Edit your message")).to_have_count(0)
    panel.field.fill("")
    panel.page.keyboard.press("ArrowUp")
    expect(panel.page.get_by_label("Edit your message")).to_have_value("Question 1?")
    assert panel.focused() == "Edit your message"
    panel.page.keyboard.press("Escape")
    assert panel.focused() == "Edit"


def test_keys_stay_in_the_panel(panel: ChatPanelPage) -> None:
    """JupyterLab passes over the element with the focus for every key that is meant for it, such as
    Shift+Enter, and is told of those that are not, such as Ctrl+S."""
    panel.open()
    panel.field.click()
    told = panel.run(
        """
        const marks = {};
        document.addEventListener("keydown", (event) => {
            const { ctrlKey, shiftKey, key } = event;
            const name = (ctrlKey ? "Ctrl+" : "") + (shiftKey ? "Shift+" : "") + key;
            marks[name] = event.target.getAttribute("data-lm-suppress-shortcuts");
        }, true);
        for (const [key, ctrlKey, shiftKey] of given) {
            const init = { key, ctrlKey, shiftKey, bubbles: true, cancelable: true };
            document.activeElement.dispatchEvent(new KeyboardEvent("keydown", init));
        }
        return marks;
        """,
        [
            ["d", False, False],
            ["Enter", False, True],
            ["Enter", True, False],
            ["z", True, False],
            ["s", True, False],
            ["C", True, True],
        ],
    )
    kept = {key for key, mark in told.items() if mark == "true"}
    assert kept == {"d", "Shift+Enter", "Ctrl+Enter", "Ctrl+z"}


# What was written is kept.


def test_a_draft_survives_the_page(panel: ChatPanelPage) -> None:
    """What was written comes back after a reload, to the conversation that it was written for."""
    panel.open(name="herons")
    panel.field.fill("half a thought")
    panel.run("await unload(); document.querySelector('main').replaceChildren()")
    panel.run("document.querySelectorAll('.chatnb-panel').forEach((each) => each.remove())")
    panel.open(name="storks")
    expect(panel.field).to_have_value("")
    panel.run("await unload()")
    panel.open(name="herons")
    expect(panel.field).to_have_value("half a thought")


def test_a_refused_message_is_kept(panel: ChatPanelPage) -> None:
    """When the kernel refuses a message, it says why, and the message is still there to be sent."""
    panel.open()
    panel.ask("Hi")
    panel.run("model.set({ error: 'There is no key for gpt-5-mini.' })")
    expect(panel.page.get_by_role("alert").first).to_have_text("There is no key for gpt-5-mini.")
    expect(panel.field).to_have_value("Hi")
    panel.field.press("Enter")
    first, second = panel.sent("send")
    assert first["nonce"] != second["nonce"]


def test_a_dead_kernel_is_said_and_nothing_lost(panel: ChatPanelPage) -> None:
    """Where no answer comes for some seconds, that is said and the text kept; sent again it bears
    the same mark, so that a kernel that was only busy takes it once."""
    panel.page.clock.install()
    panel.open()
    panel.run("model.alive = false")
    panel.ask("Hi")
    panel.page.clock.run_for(4000)
    expect(panel.page.get_by_text("The kernel does not answer")).to_be_hidden()
    panel.page.clock.run_for(2000)
    expect(panel.page.get_by_text("The kernel does not answer")).to_be_visible()
    expect(panel.field).to_have_value("Hi")
    panel.button("Try again").click()
    first, second = panel.sent("send")
    assert first["nonce"] == second["nonce"] != ""
    panel.arrive("Hi")
    expect(panel.page.get_by_text("The kernel does not answer")).to_be_hidden()
    expect(panel.field).to_have_value("")


def test_a_closed_comm_is_said_at_once(panel: ChatPanelPage) -> None:
    """Where the message cannot even be sent there is nothing to wait for."""
    panel.open()
    panel.run("model.alive = 'closed'")
    panel.ask("Hi")
    expect(panel.page.get_by_text("What you wrote is kept here.")).to_be_visible()
    panel.field.press("End")
    panel.page.keyboard.type("!")
    expect(panel.field).to_have_value("Hi!")


# Settings.


def test_settings_are_within_reach(panel: ChatPanelPage) -> None:
    """The model is chosen in the line above; temperature and system prompt are a button away."""
    panel.open(temperature=0.5, system="Be brief.")
    panel.page.get_by_label("Model").select_option("gpt-5-mini")
    panel.button("Settings").click()
    assert panel.button("Settings").get_attribute("aria-expanded") == "true"
    temperature = panel.page.get_by_label("Temperature")
    expect(temperature).to_have_value("0.5")
    assert temperature.evaluate("field => field === document.activeElement")
    temperature.fill("9")
    temperature.press("Tab")
    expect(panel.page.get_by_text("The temperature is a number from 0 to 2")).to_be_visible()
    temperature.fill("")
    temperature.press("Tab")
    system = panel.page.get_by_label("System prompt")
    expect(system).to_have_value("Be brief.")
    system.fill("Be kind.")
    system.press("Escape")
    assert panel.focused() == "Settings"
    sent = [{**each, "buffers": None} for each in panel.sent("settings")]
    assert sent == [
        {"kind": "settings", "model": "gpt-5-mini", "buffers": None},
        {"kind": "settings", "temperature": None, "buffers": None},
        {"kind": "settings", "system": "Be kind.", "buffers": None},
    ]


# Scrolling.


def test_it_follows_only_a_reader_at_the_end(panel: ChatPanelPage) -> None:
    """The log goes along with the answer while its end is in sight; who scrolls up is left alone,
    and has a button back."""
    panel.open([*turns(20), ai("", status="streaming")], running=True)
    left = "return log.scrollHeight - log.scrollTop - log.clientHeight"
    look = f"const log = document.querySelector('[role=log]'); {left}"
    panel.run("for (let line = 0; line < 40; line += 1) model.grow('Herons wade.\\n\\n')")
    panel.settle()
    assert panel.run(look) < 2
    expect(panel.button("Jump to latest")).to_be_hidden()
    panel.log.hover()
    panel.page.mouse.wheel(0, -400)
    expect(panel.button("Jump to latest")).to_be_visible()
    before = panel.log.evaluate("log => log.scrollTop")
    panel.run("for (let line = 0; line < 40; line += 1) model.grow('Herons wade.\\n\\n')")
    panel.settle()
    assert panel.log.evaluate("log => log.scrollTop") == before
    panel.button("Jump to latest").click()
    panel.settle()
    assert panel.run(look) < 2
    assert panel.focused() == "Message"


def test_the_focus_is_never_taken(panel: ChatPanelPage) -> None:
    """Whatever comes, what has the focus keeps it, and what is being typed goes on."""
    panel.open(turns(2))
    panel.field.focus()
    panel.page.keyboard.type("I was ")
    panel.arrive("From another notebook")
    panel.run("model.grow('Words '); model.set({ usage: '9 turns' }); model.snapshot()")
    panel.page.keyboard.type("typing")
    panel.run("model.turn({ status: 'done' }); model.set({ running: false })")
    expect(panel.field).to_have_value("I was typing")
    panel.message(1).get_by_role("button", name="Copy").focus()
    panel.run("model.path(model.items.slice(0, 2))")
    assert panel.focused() == "Copy"
    panel.run("model.path([])")
    assert panel.focused() == "Message"
