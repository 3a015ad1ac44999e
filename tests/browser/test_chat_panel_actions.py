"""The actions on a panel's messages, and many of them, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell
from playwright.sync_api import Browser, expect

from chatnb.notebook.cell.code_cell import code_cell
from tests.browser.chat_panel_page import (
    STATIC,
    ChatPanelPage,
    ai,
    branch,
    call,
    chat_panel_page,
    human,
    turns,
)

pytestmark = pytest.mark.browser

CODE = "Look:\n\n```python\nif x:\n    y = 1\n```\n\nDone."


@pytest.fixture
def panel(browser: Browser) -> Iterator[ChatPanelPage]:
    with chat_panel_page(browser) as page:
        yield page


# What can be done with messages.


def test_branches_are_switched(panel: ChatPanelPage) -> None:
    """2/3 with an arrow on each side asks for the neighbour, and the focus stays on the arrow; at
    the end of the row the arrow is off."""
    panel.open([human("Two", id="h2", branch=branch(2, 3, "h1", "h3")), ai(id="a2")])
    expect(panel.message(0)).to_contain_text("2/3")
    panel.message(0).get_by_role("button", name="Next version").click()
    assert panel.sent("select_branch") == [{"type": "select_branch", "id": "h3", "buffers": []}]
    panel.run(
        "model.path(given)", [human("Three", id="h3", branch=branch(3, 3, "h2", None)), ai(id="a3")]
    )
    expect(panel.message(0)).to_contain_text("Three")
    assert panel.focused() == "Next version"
    following = panel.message(0).get_by_role("button", name="Next version")
    expect(following).to_have_attribute("aria-disabled", "true")
    following.click(force=True)
    assert len(panel.sent("select_branch")) == 1


def test_regenerate_delete_and_copy(panel: ChatPanelPage) -> None:
    """Regenerate asks at once; Delete asks back and says how much goes; Copy takes the source."""
    panel.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    panel.open([*turns(2), human(id="h"), ai("**Bold**", id="a")])
    panel.message(5).get_by_role("button", name="Copy").click()
    assert panel.run("return navigator.clipboard.readText()") == "**Bold**"
    panel.message(5).get_by_role("button", name="Regenerate").click()
    assert panel.sent("regenerate") == [{"type": "regenerate", "id": "a", "buffers": []}]
    panel.message(2).hover()
    panel.message(2).get_by_role("button", name="Delete", exact=True).click()
    expect(panel.message(2)).to_contain_text("Delete this message and the 3 after it?")
    assert panel.sent("delete") == []
    panel.page.keyboard.press("Escape")
    assert panel.focused() == "Delete"
    panel.page.keyboard.press("Enter")
    panel.page.keyboard.press("Enter")
    assert panel.sent("delete") == [{"type": "delete", "id": "h1", "buffers": []}]
    assert panel.focused() == "Message"


def test_try_again_begins_where_the_error_begins(panel: ChatPanelPage) -> None:
    """On a narrow page, where the button stands below the error, it is not indented."""
    panel.page.set_viewport_size({"width": 360, "height": 700})
    error = "The model is overloaded by all the others who ask it. Try again in a moment."
    panel.open([human(), ai("Half", status="failed", error=error)])
    words = panel.message(1).get_by_text(error).bounding_box()
    button = panel.button("Try again").bounding_box()
    assert words
    assert button
    assert button["y"] >= words["y"] + words["height"]
    assert button["x"] == words["x"]


def test_editing_makes_a_branch(panel: ChatPanelPage) -> None:
    """Edit opens the message's text, keeps it until the new branch is there, and goes with Esc."""
    panel.open(turns(1))
    panel.message(0).hover()
    panel.message(0).get_by_role("button", name="Edit").click()
    field = panel.page.get_by_label("Edit your message")
    expect(field).to_have_value("Question 0?")
    panel.page.keyboard.type(" Please.")
    panel.page.keyboard.press("Enter")
    (sent,) = panel.sent("edit")
    assert (sent["id"], sent["text"]) == ("h0", "Question 0? Please.")
    expect(field).to_be_visible()
    panel.run(
        "model.path(given)",
        [human("Question 0? Please.", id="h9", branch=branch(2, 2, "h0", None))],
    )
    expect(field).to_be_hidden()
    assert panel.focused() == "Message"


def test_code_can_be_copied_and_offers_a_cell(panel: ChatPanelPage) -> None:
    """A block of code has its own buttons; where there is no notebook a cell is offered by the
    clipboard, and said so."""
    panel.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    panel.open([human(), ai(CODE)])
    panel.run(
        "model.message({ type: 'highlighter', source: given })",
        (STATIC / "highlighter.js").read_text(encoding="utf-8"),
    )
    panel.button("Copy code").click()
    assert panel.run("return navigator.clipboard.readText()") == "if x:\n    y = 1"
    panel.run("await navigator.clipboard.writeText('')")
    panel.button("Insert as cell").click()
    expect(panel.page.get_by_text("Copied. Paste it into a new cell.")).to_be_visible()
    assert panel.run("return navigator.clipboard.readText()") == "if x:\n    y = 1"
    expect(panel.page.locator(".chatnb-hl-keyword")).to_have_text("if")


BLOCKS = [
    ("python", "x = 1"),
    ("{python}", "x = 1"),
    ("", "x = 1"),
    ("pycon", ">>> x = 1\n>>> x\n1"),
    ("bash", "ls -l"),
    ("SH", "ls"),
    ("bash", "$ ls -l\ntotal 0\n$ pwd"),
    ("shell-session", "$ ls\n$\nfile"),
    ("python:a/b.py", "x = 1"),
    ("{.python .numbered}", "    if x:\n        y()"),
    ("js", "let x"),
    ("html", "<b>Hi</b>"),
    ("tex", "x^2"),
    ("ruby", "puts 1"),
    ("json", '{"x": 1}'),
    ("mermaid", "graph TD"),
    ("rust", "fn main() {}"),
    ("constructor", "x"),
]


def test_code_that_is_still_written_has_its_bar(panel: ChatPanelPage) -> None:
    """Its language is named and it can be copied; it is inserted once it is whole."""
    panel.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    panel.open([human(), ai("", status="streaming")], running=True)
    panel.run("model.grow('```python\\nx = 1\\ny = 2\\n')")
    expect(panel.page.locator(".chatnb-panel-code-bar")).to_have_text("python")
    panel.button("Copy code").click()
    assert panel.run("return navigator.clipboard.readText()") == "x = 1\ny = 2"
    expect(panel.button("Insert as cell")).to_have_count(0)
    panel.run("model.grow('```\\n')")
    expect(panel.button("Insert as cell")).to_have_count(1)
    expect(panel.button("Copy code")).to_have_count(1)


def test_a_cell_is_offered_for_what_a_cell_runs(
    panel: ChatPanelPage, bare_shell: InteractiveShell
) -> None:
    """With the magic of its language, as `--code` does it; other languages can only be copied."""
    panel.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    text = "\n\n".join(f"```{language}\n{code}\n```" for language, code in BLOCKS)
    nested = "1. Like this:\n\n   ```python\n   if x:\n       y()\n   ```\n"
    panel.open([human(), ai(f"{text}\n\n{nested}")])
    cells = [
        code_cell(f"```{language}\n{code}\n```", bare_shell.find_cell_magic).source
        for language, code in BLOCKS
    ]
    offered = panel.page.get_by_role("button", name="Insert as cell", exact=True)
    expected = [*filter(None, cells), "if x:\n    y()"]
    expect(offered).to_have_count(len(expected))
    for number, source in enumerate(expected):
        offered.nth(number).click()
        copied = panel.page.get_by_text("Copied. Paste it into a new cell.")
        expect(copied).to_have_count(number + 1)
        assert panel.run("return navigator.clipboard.readText()") == source


# Tools.


def test_calls_are_shown_and_asked_for(panel: ChatPanelPage) -> None:
    """A call shows its name, arguments, state and result; one that asks has three answers."""
    asking = call("asking", id="c2", name="remove_file", arguments='{"path": "a.txt"}')
    panel.open(
        [human(), ai("", status="waiting", tool_calls=[call("done", result="3 books"), asking])]
    )
    expect(panel.log).to_contain_text("remove_file")
    expect(panel.log).to_contain_text('{"path": "a.txt"}')
    expect(panel.log).to_contain_text("asks for your approval")
    panel.page.get_by_label("Call of look_up").locator("summary").click()
    expect(panel.log).to_contain_text("3 books")
    reason = panel.page.get_by_label("Reason for rejecting remove_file")
    expect(reason).to_be_hidden()
    panel.button("Reject").click()
    panel.page.keyboard.press("Escape")
    assert panel.focused() == "Reject"
    panel.page.keyboard.press("Enter")
    panel.page.keyboard.type("Not that one.")
    panel.page.keyboard.press("Enter")
    expect(panel.field).to_have_value("")
    decided = panel.sent("decide")[0]
    assert decided == {
        "type": "decide",
        "call": "c2",
        "decision": "reject",
        "reason": "Not that one.",
        "buffers": [],
    }
    assert panel.focused() == "Message"
    rejected = {**asking, "state": "rejected"}
    panel.run("model.turn({ status: 'done', tool_calls: [given] })", rejected)
    expect(panel.button("Reject")).to_have_count(0)
    expect(panel.log).to_contain_text("rejected")


@pytest.mark.parametrize(
    ("name", "decision"), [("Allow once", "once"), ("Always in this conversation", "always")]
)
def test_calls_are_allowed(panel: ChatPanelPage, name: str, decision: str) -> None:
    """Allowing sends the decision, and the focus goes to the next call that asks."""
    calls = [call("asking", id="c1"), call("asking", id="c2", name="second")]
    panel.open([human(), ai("", status="waiting", tool_calls=calls)], running=True)
    panel.button(name).first.click()
    sent = panel.sent("decide")[0]
    assert (sent["call"], sent["decision"], sent["reason"]) == ("c1", decision, "")
    assert panel.focused() == "Allow once"
    panel.page.keyboard.press("Enter")
    assert panel.sent("decide")[1]["call"] == "c2"


# Long conversations.


MOST_IN_PAGE = 140
"""Messages of two heights of the log above and below what is in sight, in whole groups."""


def test_a_long_conversation_opens_at_its_end(panel: ChatPanelPage) -> None:
    """Few of its messages are in the page; as the reader scrolls up others come in their order,
    while the reader's place and what streams stay as they are."""
    items = [*turns(500), ai("One ", status="streaming")]
    shown = panel.page.locator(".chatnb-panel-item")
    panel.open(items, running=True)
    assert shown.count() <= MOST_IN_PAGE
    expect(shown.last).to_contain_text("One")
    panel.log.hover()
    panel.page.mouse.wheel(0, -300)
    expect(panel.button("Jump to latest")).to_be_visible()
    panel.settle()
    panel.mark_seen()
    panel.run("model.grow('two')")
    panel.settle()
    assert panel.moved() == pytest.approx(0, abs=2)
    panel.log.press("Home")
    expect(panel.page.get_by_text("Question 0?", exact=True)).to_be_visible()
    assert shown.count() <= MOST_IN_PAGE
    panel.button("Jump to latest").click()
    expect(shown.last).to_contain_text("One two")


SCROLL_UP = """
const log = document.querySelector(".chatnb-panel-log"), seen = new Set(), moves = [];
const drawn = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
let most = 0;
while (true) {
    const { top, bottom } = log.getBoundingClientRect();
    const items = [...log.querySelectorAll(".chatnb-panel-item")];
    const shown = items.filter((item) => {
        const place = item.getBoundingClientRect();
        return place.bottom > top && place.top < bottom;
    });
    for (const item of shown.toReversed()) seen.add(item.textContent);
    most = Math.max(most, items.length);
    if (log.scrollTop === 0) return { seen: [...seen], moves, most };
    const before = shown.at(-1).getBoundingClientRect().top;
    log.scrollBy(0, -150);
    await drawn();
    if (log.scrollTop > 0) moves.push(shown.at(-1).getBoundingClientRect().top - before);
}
"""


def test_every_message_of_a_long_conversation_can_be_reached(panel: ChatPanelPage) -> None:
    """Scrolled from the end to the beginning, each message has been in sight, in order, none moves
    another, and the page has never had many of them."""
    items = turns(100)
    for number, item in enumerate(items):
        item["text"] = f"Message {number}\n\n" + "- Herons wade.\n" * (number % 7)
    panel.open(items)
    scrolled = panel.run(SCROLL_UP)
    numbers = re.findall(r"Message (\d+)", " ".join(scrolled["seen"]))
    assert numbers == [str(number) for number in reversed(range(200))]
    assert scrolled["moves"] == pytest.approx([150] * len(scrolled["moves"]), abs=2)
    assert scrolled["most"] <= MOST_IN_PAGE


def test_home_goes_to_the_first_message(panel: ChatPanelPage) -> None:
    """At once, however much higher the messages on the way are than their spaces."""
    text = "## Herons\n\nThey wade.\n\n- one\n- two\n\n```python\nwade()\n```\n\n" * 3
    panel.open(turns(150, text))
    panel.log.hover()
    panel.page.mouse.wheel(0, -2_500)
    expect(panel.button("Jump to latest")).to_be_visible()
    panel.log.press("Home")
    assert panel.log.evaluate("log => log.scrollTop") == 0
    panel.page.wait_for_timeout(1_000)  # For a scroll that goes on, if there is one.
    assert panel.log.evaluate("log => log.scrollTop") == 0
    expect(panel.page.get_by_text("Question 0?", exact=True)).to_be_in_viewport()
    expect(panel.button("Jump to latest")).to_be_visible()


def test_what_is_begun_in_a_message_out_of_sight_stays(panel: ChatPanelPage) -> None:
    """A message that the reader edits stays as it is while another part is read."""
    panel.open(turns(200))
    last = panel.page.locator(".chatnb-panel-item").nth(-2)
    last.hover()
    last.get_by_role("button", name="Edit").click()
    panel.page.get_by_label("Edit your message").fill("Half a thought")
    panel.log.evaluate("log => log.scrollTo(0, 0)")
    expect(panel.page.get_by_text("Question 0?", exact=True)).to_be_visible()
    panel.log.evaluate("log => log.scrollTo(0, log.scrollHeight)")
    panel.settle()
    expect(panel.page.get_by_label("Edit your message")).to_have_value("Half a thought")


@pytest.mark.parametrize(
    ("status", "answers", "call_state", "interrupted"),
    [
        ("idle", False, "running", True),
        ("busy", False, "running", False),
        ("idle", True, "running", False),
        ("idle", False, "done", False),
    ],
    ids=["deaf", "a cell runs", "it answers", "no call runs"],
)
def test_stop_interrupts_a_kernel_that_code_of_the_turn_keeps_from_hearing(
    panel: ChatPanelPage, status: str, answers: bool, call_state: str, interrupted: bool
) -> None:
    """Only while a call runs, and neither while a cell does nor if the kernel answers."""
    panel.page.clock.install()
    calls = [call(call_state, id="a.0")]
    panel.open([human(), ai("", status="streaming", tool_calls=calls)], running=True)
    kernel = "{ status: given, interrupt: async () => { window.interrupts += 1; } }"
    panel.run(f"window.interrupts = 0; model.kernel = {kernel}", status)
    panel.stop_clock()
    panel.button("Stop").dispatch_event("click")
    assert len(panel.sent("stop")) == 1
    if answers:
        panel.run("model.set({ running: false })")
    panel.page.clock.run_for(1500)
    assert panel.run("return window.interrupts") == int(interrupted)
