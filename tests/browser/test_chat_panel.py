"""The chat panel, in a real browser: how a conversation comes, and what it shows of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chat_panel_page import (
    ChatPanelPage,
    ai,
    call,
    chat_panel_page,
    human,
    turns,
)

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror='window.pwned = 1'><script>window.pwned = 2</script>"


@pytest.fixture
def panel(browser: Browser) -> Iterator[ChatPanelPage]:
    with chat_panel_page(browser) as page:
        yield page


# How a conversation comes.


def test_a_late_view_asks_for_everything(panel: ChatPanelPage) -> None:
    """A panel that opens says hello, and shows the whole conversation when it comes."""
    panel.open(turns(3), usage="3 turns · 120 tokens", name="herons")
    sent = [message["type"] for message in panel.run("return model.sent")]
    assert sent == ["hello", "subscribe"]
    expect(panel.log).to_contain_text("Question 2?")
    assert panel.page.locator(".chatnb-panel-item").count() == 6
    expect(panel.page.get_by_text("3 turns · 120 tokens")).to_be_visible()
    expect(panel.page.get_by_text("herons")).to_be_visible()


def test_snapshots_come_in_parts(panel: ChatPanelPage) -> None:
    """The parts of a snapshot make one conversation, and what comes between them is not lost."""
    panel.open()
    panel.run(
        """
        const [first, second] = [given.slice(0, 3), given.slice(3)];
        const state = model.state;
        model.message({ type: "snapshot", seq: 7, part: 0, parts: 2, items: first, state });
        model.message({ type: "delta", seq: 8, id: "a1", field: "text", at: 8, text: " Later." });
        model.message({ type: "snapshot", seq: 7, part: 1, parts: 2, items: second, state });
        """,
        turns(2),
    )
    expect(panel.message(3)).to_contain_text("Because. Later.")
    assert panel.sent("resync") == []


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_lost_part_of_a_snapshot_is_asked_for(panel: ChatPanelPage, lost: int) -> None:
    """After the loss of any part of an unasked snapshot, the panel asks for everything in seconds,
    again if that is lost, too, and goes on with what the kernel has by then."""
    panel.page.clock.install()
    panel.open([human(), ai("One ", status="streaming")], running=True)
    panel.stop_clock()
    panel.run(
        """
        model.alive = false;
        model.event({}, true);
        const seq = model.traits.seq, parts = 3, state = model.state;
        const given_part = (part) => ({ type: "snapshot", seq, part, parts, items: [], state });
        for (const part of [0, 1, 2]) if (part !== given) model.message(given_part(part));
        model.grow("two ");
        """,
        lost,
    )
    panel.page.clock.run_for(5_000)
    asked = len(panel.sent("resync"))
    assert asked >= 1
    panel.run("model.alive = true")
    panel.page.clock.run_for(20_000)
    panel.run("model.grow('three'); model.turn({ status: 'done' })")
    panel.page.clock.run_for(100)
    expect(panel.message(1)).to_contain_text("One two three")
    panel.page.clock.run_for(60_000)
    assert len(panel.sent("resync")) == asked + 1


def test_the_kernel_knows_whether_the_page_shows_the_panel(panel: ChatPanelPage) -> None:
    """A page subscribes with its first view, and unsubscribes some time after its last one is gone,
    but not if the notebook only draws the output again; and at once when the page is hidden."""
    panel.page.clock.install()
    panel.open(turns(1))
    panel.stop_clock()
    (subscribed,) = panel.sent("subscribe")
    panel.run("view.dispose(); window.view = await window.show(); view.dispose()")
    panel.page.clock.run_for(1_000)
    panel.run("window.view = await window.show()")
    panel.page.clock.run_for(5_000)
    assert panel.sent("unsubscribe") == []
    panel.run("view.dispose()")
    panel.page.clock.run_for(5_000)
    (unsubscribed,) = panel.sent("unsubscribe")
    assert unsubscribed["page"] == subscribed["page"] != ""
    panel.run("window.view = await window.show()")
    panel.run(
        """
        Object.defineProperty(document, "hidden", { configurable: true, get: () => true });
        document.dispatchEvent(new Event("visibilitychange"));
        """
    )
    assert len(panel.sent("subscribe")) == len(panel.sent("unsubscribe")) == 2


def test_a_gap_asks_once_and_heals(panel: ChatPanelPage) -> None:
    """A missed event asks for everything, once, and nothing is shown on top of the gap."""
    panel.open([human(), ai("One ", status="streaming")], running=True)
    panel.run(
        """
        model.alive = false;
        model.grow("two ", "text", true);
        model.grow("three ");
        model.grow("four ");
        """
    )
    assert len(panel.sent("resync")) == 1
    assert panel.message(1).locator(".chatnb-text").inner_text() == "One"
    panel.run("model.snapshot(); model.grow('five'); model.turn({ status: 'done' })")
    expect(panel.message(1)).to_contain_text("One two three four five")
    assert len(panel.sent("resync")) == 1


def test_a_lost_last_event_is_noticed(panel: ChatPanelPage) -> None:
    """The trait with the last number reveals that the very last update was lost."""
    panel.open([human(), ai("One ", status="streaming")], running=True)
    panel.run("model.grow('two\\n\\n', 'text', true)")
    expect(panel.message(1)).to_contain_text("One two")
    assert len(panel.sent("resync")) == 1


def test_a_delta_that_does_not_fit_asks_for_everything(panel: ChatPanelPage) -> None:
    """A delta that begins elsewhere than where the text ends is not appended."""
    panel.open([human(), ai("One ", status="streaming")], running=True)
    panel.run("model.event({ type: 'delta', id: 'ai', field: 'text', at: 99, text: 'nonsense' })")
    assert len(panel.sent("resync")) == 1
    expect(panel.log).not_to_contain_text("nonsense")


def test_odd_messages_are_ignored(panel: ChatPanelPage) -> None:
    """Messages of another shape neither throw nor show."""
    panel.open(turns(1))
    panel.run(
        """
        const odd = [null, 7, "x", {}, { type: "delta" }, { type: "item_changed", seq: 1 },
            { type: "state_changed", seq: "1" }, { type: "path_changed", seq: NaN }];
        for (const message of odd) model.message(message);
        const state = { limits: 3, models: [null, 4], temperature: "hot" };
        model.event({ type: "state_changed", state });
        model.event({ type: "item_changed", item: { id: "odd", role: "fool", status: 3, branch: 4,
            attachments: [null, { name: 3, mime: "image/png", data: "'\\"><script>" }],
            tool_calls: [{}] } });
        """
    )
    assert panel.page.locator(".chatnb-panel-item").count() == 3
    assert panel.page.locator(".chatnb-panel script, .chatnb-panel img").count() == 0


def test_it_stands_in_its_place_and_moves_with_it(panel: ChatPanelPage) -> None:
    """In its place the panel hides the static transcript once it knows everything, and when the
    notebook draws the output anew it is the same panel, with its text, focus and scrolling."""
    panel.run(
        """
        window.place = () => {
            const made = document.createElement("div");
            made.dataset.chatnbMount = "here";
            made.innerHTML = "<p class=still>The transcript</p>";
            document.querySelector("main").replaceChildren(made);
        };
        place();
        """
    )
    panel.open(turns(20))
    panel.run("view.dispose()")
    expect(panel.page.locator(".still")).to_be_hidden()
    panel.field.fill("half a word")
    panel.log.hover()
    panel.page.mouse.wheel(0, -300)
    expect(panel.button("Jump to latest")).to_be_visible()
    panel.settle()
    scrolled = panel.log.evaluate("log => log.scrollTop")
    panel.run("window.before = document.querySelector('.chatnb-panel'); place()")
    panel.settle()
    assert panel.run("return document.querySelector('.chatnb-panel') === before")
    assert panel.log.evaluate("log => log.scrollTop") == scrolled > 0
    assert panel.focused() == "Message"
    expect(panel.field).to_have_value("half a word")
    panel.run("unload()")
    expect(panel.page.locator(".still")).to_be_visible()


# What messages show.


def test_answers_stream_as_markdown(panel: ChatPanelPage) -> None:
    """An answer grows by appending: its nodes and those of the other messages stay."""
    panel.open([*turns(2), ai("# Herons\n\n", status="streaming")], running=True)
    panel.run("window.before = [...document.querySelectorAll('.chatnb-panel-item, h1')]")
    panel.run("for (const piece of ['They *fi', 'sh*. ', 'And fly.']) model.grow(piece)")
    panel.run("model.turn({ status: 'done' })")
    assert panel.run("return before.every((node) => node.isConnected)")
    expect(panel.message(4).locator("em")).to_have_text("fish")
    expect(panel.message(4).locator("h1")).to_have_text("Herons")


def test_a_list_stands_close_to_its_line(panel: ChatPanelPage) -> None:
    """Closer than paragraphs to each other, and items of paragraphs are as close as that."""
    panel.open([human(), ai("One:\n\n- a\n\n- b\n\nTwo.\n\nThree.")])
    blocks = panel.page.locator(".chatnb-text > :is(p, ul)")
    boxes = [block.bounding_box() for block in blocks.all()]
    before, _, paragraphs = (_gap(*pair) for pair in pairwise(boxes))
    items = [item.bounding_box() for item in panel.page.locator(".chatnb-text li").all()]
    assert 0 < before < paragraphs
    assert 0 < _gap(*items) < paragraphs


def _gap(above: Any, below: Any) -> float:
    return below["y"] - above["y"] - above["height"]


def test_buttons_of_a_long_question_are_beside_it_in_a_narrow_panel(panel: ChatPanelPage) -> None:
    """Below it they would be a gap until the pointer is there."""
    panel.page.set_viewport_size({"width": 400, "height": 800})
    panel.open([human("A question that is longer than a line of this panel. " * 3), ai()])
    question = panel.page.locator(".chatnb-panel-said").bounding_box()
    whole = panel.message(0).bounding_box()
    assert question
    assert whole
    assert question["height"] == pytest.approx(whole["height"], abs=1)
    assert question["width"] > whole["width"] / 2


@pytest.mark.parametrize("status", ["autorestarting", "dead"])
def test_a_panel_ends_with_its_kernel(panel: ChatPanelPage, status: str) -> None:
    """The reply is stopped as far as it has come, with its calls, the notice says what to do, and
    a draft stays."""
    panel.run(
        """
        const slots = [];
        window.kernel = { status: "idle", statusChanged: {
            connect: (slot) => slots.push(slot), disconnect: () => {},
        } };
        window.turn = (status) => { kernel.status = status; slots.forEach((slot) => slot()); };
        """
    )
    calls = [call("asking"), call("running", id="b")]
    panel.open([human(), ai("Half a", status="streaming", tool_calls=calls)], running=True)
    panel.run("turn('busy'); turn('idle')")
    expect(panel.button("Stop")).to_be_visible()
    expect(panel.button("Allow once")).to_be_visible()
    panel.run("turn(given)", status)
    expect(panel.message(1)).to_have_attribute("data-status", "stopped")
    expect(panel.message(1)).to_contain_text("Half a")
    expect(panel.button("Stop")).to_be_hidden()
    expect(panel.button("Allow once")).to_have_count(0)
    expect(panel.message(1)).to_contain_text("Not run: the kernel is gone.")
    expect(panel.message(1)).to_contain_text("Broke off: the kernel is gone.")
    notice = panel.page.get_by_role("alert")
    expect(notice).to_have_text(
        "The kernel is gone. Run the panel's cell again to go on with the conversation."
    )
    sent = len(panel.run("return model.sent"))
    panel.ask("More")
    expect(notice).to_contain_text("What you wrote is kept here.")
    assert panel.field.input_value() == "More"
    assert len(panel.run("return model.sent")) == sent


def test_blocks_of_a_long_reply_are_in_groups(panel: ChatPanelPage) -> None:
    """Of 400 blocks the page lays out those in sight and some 30 groups, all in their order."""
    text = "".join(f"## Part {i}\n\nText {i}\n\n" for i in range(200))
    panel.open([human(), ai("", status="streaming")], running=True)
    panel.run(
        "for (let at = 0; at < given.length; at += 300) model.grow(given.slice(at, at + 300))", text
    )
    panel.settle()
    blocks = panel.run(
        """
        const text = document.querySelector("[data-role=ai] .chatnb-text");
        const isSkipped = ({ firstElementChild: first }) =>
            !first.checkVisibility({ contentVisibilityAuto: true });
        const paragraphs = [...text.querySelectorAll("p")];
        return {
            top: text.children.length,
            texts: paragraphs.map((paragraph) => paragraph.textContent),
            skipped: [...text.querySelectorAll(":scope > div")].filter(isSkipped).length,
        };
        """
    )
    assert blocks["texts"] == [f"Text {i}" for i in range(200)]
    assert blocks["top"] < 50
    assert blocks["skipped"] > 5


@pytest.mark.parametrize(
    ("width", "expected"),
    [(1600, (640, 776, 1135)), (1000, (640, 776, 835)), (480, (422, 422, 422))],
)
def test_code_and_tables_are_wider_than_text(
    panel: ChatPanelPage, width: int, expected: tuple[int, int, int]
) -> None:
    """As wide at the end of a long reply as at its beginning: code has the column, wide tables all
    of the panel, and lines of text end where they can be read."""
    panel.page.set_viewport_size({"width": width, "height": 900})
    wide = "|" + " column |" * 40 + "\n|" + "--|" * 40 + "\n|" + " value |" * 40
    part = f"{'word ' * 200}\n\n```python\n{'x' * 200}\n```\n\n{wide}\n\n"
    panel.open([human(), ai(part * 30)])
    panel.page.wait_for_function("document.querySelectorAll('.chatnb-text table').length === 30")
    measure = """
        const log = document.querySelector(".chatnb-panel-log");
        const right = log.getBoundingClientRect().left + log.clientWidth;
        return Object.fromEntries(given.map((selector) => {
            const found = [...document.querySelectorAll(`.chatnb-text ${selector}`)];
            const boxes = found.map((node) => node.getBoundingClientRect());
            const sizes = boxes.map((box) => [box.width, right - box.right].map(Math.round));
            return [selector, sizes];
        }));
    """
    measured = panel.run(measure, ["p", ".chatnb-panel-code", "table"])
    assert all(len(boxes) == 30 for boxes in measured.values())
    assert all(len({tuple(box) for box in boxes}) == 1 for boxes in measured.values())
    assert tuple(boxes[0][0] for boxes in measured.values()) == expected
    assert all(box[1] >= 12 for boxes in measured.values() for box in boxes)


def test_nodes_touched_per_delta_do_not_grow(panel: ChatPanelPage) -> None:
    """A delta touches nodes of the last message alone, and as few of them at the end of a reply of
    100,000 characters as at its beginning, but for the one attribute that marks it as long."""
    panel.open([*turns(30), ai("", status="streaming")], running=True)
    touched = panel.run(
        """
        const counts = [], last = [...document.querySelectorAll(".chatnb-panel-item")].at(-1);
        const outside = new Set();
        const observer = new MutationObserver(() => {});
        observer.observe(document.querySelector(".chatnb-panel"), { childList: true, subtree: true,
            characterData: true, attributes: true });
        const line = "Herons **wade**, `fish`, [wait](https://a.test).\\n\\n- one\\n- two\\n\\n";
        while (model.items.at(-1).text.length < 100000) {
            model.grow(line);
            const isGroup = ({ className }) => className === "chatnb-panel-blocks";
            const isDelta = ({ addedNodes }) => ![...addedNodes].some(isGroup);
            const records = observer.takeRecords().filter(isDelta);
            const elsewhere = records.filter(({ target }) => !last.contains(target));
            for (const { target } of elsewhere) outside.add(target.className);
            counts.push(records.reduce((sum, each) => sum + 1 + each.addedNodes.length, 0));
        }
        return { first: Math.max(...counts.slice(2, 12)), worst: Math.max(...counts.slice(12)),
            outside: [...outside] };
        """
    )
    assert touched["outside"] == []
    assert touched["worst"] <= touched["first"]


def test_long_code_is_in_blocks_and_the_same_code(panel: ChatPanelPage) -> None:
    """Long code is laid out in several blocks, so that a delta costs no more at its end; what one
    copies or selects of it is the code, character by character."""
    code = "\n".join(f"line {i}" if i % 7 else "" for i in range(1, 3_000))
    panel.open([human(), ai("```text\n", status="streaming")], running=True)
    panel.run(
        "for (let at = 0; at < given.length; at += 40) model.grow(given.slice(at, at + 40))", code
    )
    panel.run("model.grow('\\n```\\n'); model.turn({ status: 'done' })")
    shown = panel.page.locator("pre code")
    assert shown.text_content() == code
    assert len(code) / 4096 - 2 < shown.locator("span").count() < len(code) / 2048
    selected = shown.evaluate(
        "code => { getSelection().selectAllChildren(code); return getSelection().toString(); }"
    )
    assert selected == code
    one_block = shown.evaluate(
        """code => { const tall = code.offsetHeight || code.getBoundingClientRect().height;
            const pre = code.parentElement, before = pre.scrollHeight;
            code.textContent = code.textContent; return [before, pre.scrollHeight]; }"""
    )
    assert one_block[0] == one_block[1]


def test_a_whole_long_answer_comes_in_slices(panel: ChatPanelPage) -> None:
    """An answer of 100,000 characters that comes at once is shown whole, in slices."""
    text = "Herons **wade**.\n\n" * 6_000
    panel.open([human(), ai(text)])
    panel.page.wait_for_function(
        "document.querySelectorAll('.chatnb-panel-item strong').length === 6000"
    )


def test_facts_and_endings_are_said(panel: ChatPanelPage) -> None:
    """Under an answer stand its facts; that it was stopped or failed is said in words."""
    panel.open(
        [
            *turns(1),
            human(id="h5"),
            ai("Half of", id="a5", status="stopped", footer="8 tokens · 0.4 s"),
            human(id="h6"),
            ai("", id="a6", status="failed", error="RateLimitError: Too many requests."),
        ]
    )
    expect(panel.message(3)).to_contain_text("Stopped")
    expect(panel.message(3)).to_contain_text("8 tokens · 0.4 s")
    expect(panel.message(5)).to_contain_text("Failed: RateLimitError: Too many requests.")


def test_finished_reasoning_says_its_time(panel: ChatPanelPage) -> None:
    """Also to a page that was loaded later; where it is not known, it says what it is."""
    timed = ai("So.", id="timed", reasoning="Hm.", reasoning_seconds=75.2)
    panel.open([human(), timed, ai("So.", id="untimed", reasoning="Hm.")])
    titles = panel.page.locator(".chatnb-reasoning > summary")
    expect(titles).to_have_text(["Thought for 1 min 15 s", "Reasoning"])


def test_reasoning_folds_when_the_answer_begins(panel: ChatPanelPage) -> None:
    """The last lines of the reasoning are seen while it streams, and it is folded afterwards, with
    the time that it took; what the reader opens stays open."""
    panel.page.clock.install()
    panel.open([human(), ai("", status="streaming")], running=True)
    panel.run("model.grow('Let me.\\n'.repeat(50), 'reasoning')")
    fold = panel.page.locator(".chatnb-reasoning")
    expect(fold).to_have_attribute("open", "")
    expect(fold.locator("summary")).to_have_text("Thinking…")
    thoughts = fold.locator(".chatnb-reasoning-frame")
    assert thoughts.evaluate("each => each.clientHeight < 100")
    ends = "each => each.getBoundingClientRect().bottom"
    assert thoughts.evaluate(ends) == fold.locator(".chatnb-reasoning-text").evaluate(ends)
    panel.page.clock.run_for(12_000)
    panel.run("model.grow('Because.\\n\\n')")
    expect(fold).not_to_have_attribute("open", "")
    # The page's clock runs on, also while the machine stalls.
    expect(fold.locator("summary")).to_have_text(re.compile(r"^Thought for (1[2-9]|[2-9]\d) s$"))
    fold.locator("summary").click()
    panel.run("model.grow('More.', 'reasoning'); model.turn({ status: 'done' })")
    expect(fold).to_have_attribute("open", "")
    expect(panel.message(1)).to_contain_text("Because.")


def test_an_answer_says_how_long_it_is_waited_for(panel: ChatPanelPage) -> None:
    """The seconds are counted until the first word comes, there, and then beside Stop."""
    panel.page.clock.install()
    panel.open([human(), ai("", status="streaming")], running=True, model="chat")
    expect(panel.message(1)).to_contain_text("Waiting for chat…")
    panel.page.clock.run_for(3000)
    expect(panel.message(1)).to_contain_text(re.compile(r"Waiting for chat · ([3-9]|[1-9]\d) s"))
    speed = panel.page.locator(".chatnb-panel-status")
    expect(speed).to_be_empty()
    panel.run("model.turn({ note: 'rate limited, trying again in 2 s' })")
    panel.page.clock.run_for(2000)
    expect(panel.message(1)).to_contain_text("chat: rate limited, trying again in 2 s")
    panel.run("model.turn({ note: '' })")
    expect(panel.message(1)).to_contain_text(re.compile(r"Waiting for chat · ([5-9]|[1-9]\d) s"))
    panel.run("model.grow('Because.')")
    expect(panel.message(1).get_by_text("Waiting")).to_be_hidden()
    panel.page.clock.run_for(1000)
    expect(speed).to_contain_text(re.compile(r"\d s"))


@pytest.mark.parametrize(
    ("status", "words"),
    [("stopped", "Stopped before anything arrived"), ("done", "The reply is empty")],
)
def test_an_answer_without_anything_says_so(panel: ChatPanelPage, status: str, words: str) -> None:
    """And it can be made again; of one with text there is nothing to say, or only that it was
    stopped."""
    panel.open([human(), ai("", status=status)])
    expect(panel.message(1)).to_contain_text(words)
    panel.button("Try again").click()
    assert [request["id"] for request in panel.sent("regenerate")] == ["ai"]
    panel.run("model.turn({ text: 'Because.' })")
    expect(panel.button("Try again")).to_have_count(0)
    expect(panel.message(1)).not_to_contain_text(words)


def test_a_failed_answer_is_made_again_by_its_button(panel: ChatPanelPage) -> None:
    """The error stands in the answer alone, a long one folded after its first sentence."""
    long = "ServerError: The server is overloaded. " + "It said so at length. " * 20
    panel.open([human(), ai("", status="failed", error=long, id="a1")])
    expect(panel.message(1)).to_contain_text("Failed: ServerError: The server is overloaded.")
    expect(panel.page.get_by_role("alert")).to_be_hidden()
    details = panel.message(1).get_by_text("Details")
    details.click()
    expect(panel.message(1).get_by_text("at length. It said so at length.")).to_be_visible()
    panel.button("Try again").click()
    assert [request["id"] for request in panel.sent("regenerate")] == ["a1"]


def test_addresses_in_errors_are_links(panel: ChatPanelPage) -> None:
    """They open beside the notebook and do not fold the error; what is no address is text."""
    address = "https://example.org/docs/providers.md#built-in-providers"
    error = f"There is no key. Set it. See {address}. {'Or http:, ftp://x or javascript:1. ' * 4}"
    panel.open([human(), ai("", status="failed", error=error, id="a1")], error=f"See {address}")
    for root in (panel.message(1), panel.page.get_by_role("alert")):
        link = root.get_by_role("link")
        expect(link).to_have_count(1)
        expect(link).to_have_text(address)
        expect(link).to_have_attribute("href", address)
        expect(link).to_have_attribute("target", "_blank")
    expect(panel.message(1).get_by_text("Details")).to_be_hidden()


def test_a_call_of_a_tool_is_one_line(panel: ChatPanelPage) -> None:
    """It says the call as Python would, and a short result; one that failed is open."""
    calls = [
        call(id="1", result="A long-legged bird.", arguments='{"word": "heron", "limit": 3}'),
        call("failed", id="2", result="TimeoutError: too slow"),
        call(id="3", arguments='{"word": "her'),
    ]
    panel.open([human(), ai("", tool_calls=calls)])
    lines = panel.page.locator(".chatnb-panel-call")
    expect(lines.nth(0)).to_contain_text('look_up(word="heron", limit=3) → A long-legged bird.')
    expect(lines.nth(0).get_by_role("group", name="Result")).to_be_hidden()
    expect(lines.nth(1).get_by_role("group", name="Result")).to_have_text("TimeoutError: too slow")
    expect(lines.nth(2)).to_contain_text('look_up({"word": "her)')
    heights = [lines.nth(at).evaluate("each => each.clientHeight") for at in (0, 2)]
    assert heights == [24, 24]
    lines.nth(0).locator("summary").click()
    expect(lines.nth(0).get_by_role("group", name="Arguments")).to_be_visible()


def test_hostile_texts_do_nothing(panel: ChatPanelPage) -> None:
    """All that the kernel sends is shown as the text it is, and nothing is fetched."""
    file = {"name": HOSTILE, "mime": "image/svg+xml", "size": 5, "data": "PHN2Zz4="}
    hostile_call = call("failed", name=HOSTILE, arguments=HOSTILE, result=HOSTILE)
    panel.open(
        [
            human(HOSTILE, attachments=[file]),
            ai(
                f"{HOSTILE}\n\n![a](https://evil.test/a.png) [b](javascript:alert(1))",
                reasoning=HOSTILE,
                footer=HOSTILE,
                error=HOSTILE,
                status="failed",
                tool_calls=[hostile_call],
            ),
        ],
        name=HOSTILE,
        model=HOSTILE,
        error=HOSTILE,
        usage=HOSTILE,
        system=HOSTILE,
    )
    panel.page.wait_for_timeout(50)
    assert panel.run("return window.pwned ?? null") is None
    assert panel.page.locator(".chatnb-panel :is(img, script)").count() == 0
    assert panel.page.locator("a[href^=javascript]").count() == 0
    assert panel.requests == []
