"""The composer of the chat panel: keys, focus and drafts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chat_panel_page import ChatPanelPage, ai, call, chat_panel_page, human, turns

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


def test_enter_while_a_reply_streams_says_when_it_sends(panel: ChatPanelPage) -> None:
    """The text stays, also once the reply has ended: it is sent by another Enter, and once."""
    panel.open([human(), ai("Half", status="streaming")], running=True)
    hint = panel.page.get_by_text("Enter sends once the reply has ended")
    panel.field.press("Enter")
    expect(hint).to_have_count(0)
    panel.ask("And then?")
    expect(hint).to_have_count(2)  # One of them is read out.
    expect(hint.first).to_be_visible()
    panel.field.fill("")
    expect(panel.page.locator(".chatnb-panel-hint")).to_be_empty()
    panel.ask("And then?")
    expect(panel.page.locator(".chatnb-panel-hint")).not_to_be_empty()
    panel.run("model.turn({ status: 'done' }); model.set({ running: false })")
    expect(panel.page.locator(".chatnb-panel-hint")).to_be_empty()
    expect(panel.field).to_have_value("And then?")
    assert panel.sent("send") == []
    panel.field.press("Enter")
    assert [request["text"] for request in panel.sent("send")] == ["And then?"]


def test_enter_in_the_edit_form_says_so_too(panel: ChatPanelPage) -> None:
    """The form stays with its text until the reply has ended, and then Enter sends it."""
    panel.open([human("One?", id="h"), ai("One.")])
    panel.message(0).get_by_role("button", name="Edit").click()
    form = panel.page.locator(".chatnb-panel-edit")
    panel.run("model.item(given); model.set({ running: true })", ai("", id="b", status="streaming"))
    form.get_by_label("Edit your message").fill("Two?")
    form.get_by_label("Edit your message").press("Enter")
    expect(form).to_contain_text("Enter sends once the reply has ended")
    assert panel.sent("edit") == []
    panel.run("model.turn({ status: 'done' }); model.set({ running: false })")
    expect(form).not_to_contain_text("Enter sends")
    form.get_by_label("Edit your message").press("Enter")
    assert [request["text"] for request in panel.sent("edit")] == ["Two?"]


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
    """A draft comes back after a reload, in its own conversation."""
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
    """A rejected message stays in the field, with the reason above it."""
    panel.open()
    panel.ask("Hi")
    panel.run("model.set({ error: 'There is no key for gpt-5-mini.' })")
    expect(panel.page.get_by_role("alert").first).to_have_text("There is no key for gpt-5-mini.")
    expect(panel.field).to_have_value("Hi")
    panel.field.press("Enter")
    first, second = panel.sent("send")
    assert first["nonce"] != second["nonce"]


def test_a_dead_kernel_is_said_and_nothing_lost(panel: ChatPanelPage) -> None:
    """Without an answer for some seconds a notice appears and the text is kept; sent again it bears
    the same mark, so that a kernel that was only busy takes it once."""
    panel.page.clock.install()
    panel.open()
    panel.stop_clock()
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
    """A message that cannot be sent is reported at once."""
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
    sent = [{**each, "buffers": None} for each in panel.sent("change_settings")]
    assert sent == [
        {"type": "change_settings", "settings": {"model": "gpt-5-mini"}, "buffers": None},
        {"type": "change_settings", "settings": {"temperature": None}, "buffers": None},
        {"type": "change_settings", "settings": {"system": "Be kind."}, "buffers": None},
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
    panel.mark_seen()
    panel.run("for (let line = 0; line < 40; line += 1) model.grow('Herons wade.\\n\\n')")
    panel.settle()
    assert panel.moved() == pytest.approx(0, abs=1)
    panel.button("Jump to latest").click()
    panel.settle()
    assert panel.run(look) < 2
    assert panel.focused() == "Message"
    panel.log.evaluate("log => { log.scrollTop = 0; }")  # As browsers do when a page is redrawn.
    panel.settle()
    assert panel.run(look) > 100
    panel.run("model.grow('And fish.\\n\\n')")
    panel.settle()
    assert panel.run(look) < 2


def test_the_focus_is_never_taken(panel: ChatPanelPage) -> None:
    """An element that has the focus keeps it, and typing goes on, through every update."""
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


# Before the first message, variables, and what is in sight.


def test_the_empty_panel_offers_a_beginning(panel: ChatPanelPage) -> None:
    """It says who replies and what may be dropped; a click on a suggestion fills the field,
    Shift+click sends it, and "/" lists them all."""
    five = [f"Question {n}?" for n in range(4)] + ["What is in {df}?"]
    panel.open(about="m replies · 1 tool: look_up", suggestions=five)
    expect(panel.log).to_contain_text("m replies · 1 tool: look_up")
    expect(panel.log).to_contain_text("PNG, text")
    offered = panel.page.get_by_role("group", name="Suggestions").get_by_role("button")
    expect(offered).to_have_text(five[:4])
    offered.nth(1).click()
    expect(panel.field).to_have_value("Question 1?")
    assert panel.focused() == "Message"
    panel.field.fill("/what")
    expect(panel.page.locator(".chatnb-panel-choice")).to_have_text(["What is in {df}?"])
    panel.page.keyboard.press("Enter")
    expect(panel.field).to_have_value("What is in {df}?")
    expect(panel.page.get_by_role("group", name="Variables")).to_contain_text("df· 200 x 5")
    assert panel.sent("send") == []
    offered.nth(0).click(modifiers=["Shift"])
    (sent,) = panel.sent("send")
    assert (sent["text"], sent["variables"]) == ("Question 0?", [])


def test_a_brace_completes_a_variable_that_goes_along(panel: ChatPanelPage) -> None:
    """The list follows the keys and leaves Enter, Escape and Stop alone once it is closed; the chip
    says what is sent, and can be taken back."""
    panel.open(turns(1), running=True)
    chips = panel.page.get_by_role("group", name="Variables")
    options = panel.page.locator(".chatnb-panel-choices").get_by_role("option")
    panel.field.click()
    panel.page.keyboard.type("Plot {")
    expect(options).to_have_text(["df200 x 5", "depth2.5"])
    panel.page.keyboard.type("de")
    expect(options).to_have_text(["depth2.5"])
    panel.page.keyboard.press("Escape")
    expect(options).to_have_count(0)
    assert panel.sent("stop") == []
    panel.page.keyboard.press("Backspace")
    panel.page.keyboard.press("ArrowDown")
    panel.page.keyboard.press("Tab")
    expect(panel.field).to_have_value("Plot {depth}")
    panel.page.keyboard.type(" and {df}")
    expect(chips).to_contain_text("df· 200 x 5")
    panel.button("Leave {depth} as text").click()
    panel.run("model.set({ running: false })")
    panel.page.keyboard.press("Enter")
    (sent,) = panel.sent("send")
    assert (sent["text"], sent["variables"]) == ("Plot {depth} and {df}", ["df"])


def test_composer_and_stop_stay_in_sight_while_the_end_is_followed(panel: ChatPanelPage) -> None:
    """The page scrolls by just what is missing, until the reader scrolls it away."""
    panel.run("document.querySelector('main').style.height = '600px'")
    panel.run("document.body.style.paddingBottom = '900px'")
    panel.open(turns(1))
    bottom = "document.querySelector('.chatnb-panel').getBoundingClientRect().bottom"
    in_sight = f"Math.abs(innerHeight - 12 - {bottom}) <= 2"
    panel.run("document.querySelector('.chatnb-panel-input').focus({ preventScroll: true })")
    panel.page.keyboard.type("More")
    panel.page.keyboard.press("Enter")
    panel.arrive("More")
    panel.run("model.grow('Because.\\n\\n'.repeat(40))")
    panel.page.wait_for_function(in_sight)
    assert panel.run("return document.querySelector('.chatnb-panel-log').clientHeight") <= (
        panel.run("return innerHeight / 2")
    )
    panel.page.mouse.move(5, 5)
    panel.page.mouse.wheel(0, -400)
    panel.page.wait_for_function(f"{bottom} > innerHeight + 200")
    place = panel.run("return scrollY")
    panel.run("model.grow('Because.\\n\\n'.repeat(40))")
    panel.settle()
    panel.settle()
    assert panel.run("return scrollY") == place


def test_a_turn_has_one_line_under_it(panel: ChatPanelPage) -> None:
    """An answer of several messages has one line with its sums and actions, once it has ended,
    which are about the whole answer; while it streams, its speed stands beside Stop."""
    asked = [human(id="h"), ai("Let me look.", id="a1", footer="m · 1", tool_calls=[call()])]
    panel.open([*asked, ai("So.", id="a2", footer="m · 2")], running=True)
    lines = panel.log.get_by_text("m · ")
    expect(lines.filter(visible=True)).to_have_count(0)
    expect(panel.page.locator(".chatnb-panel-status")).to_have_text("1 s")
    panel.run("model.set({ running: false })")
    expect(lines.filter(visible=True)).to_have_text(["m · 2"])
    expect(panel.page.locator(".chatnb-panel-status")).to_have_text("")
    panel.button("Regenerate").filter(visible=True).click()
    assert panel.sent("regenerate")[0]["id"] == "a1"
    panel.button("Delete").last.click()
    panel.button("Delete").last.click()
    assert panel.sent("delete")[0]["id"] == "a1"
