"""The chat panel, in a real browser: how a conversation comes, and what it shows of it."""

from __future__ import annotations

from collections.abc import Iterator

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
    assert [message["kind"] for message in panel.run("return model.sent")] == ["hello"]
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
        model.message({ kind: "snapshot", seq: 7, part: 0, parts: 2, items: first, state });
        model.message({ kind: "delta", seq: 8, id: "a1", field: "text", at: 8, text: " Later." });
        model.message({ kind: "snapshot", seq: 7, part: 1, parts: 2, items: second, state });
        """,
        turns(2),
    )
    expect(panel.message(3)).to_contain_text("Because. Later.")
    assert panel.sent("resync") == []


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
    """When the very last event is lost, the trait that counts them tells so."""
    panel.open([human(), ai("One ", status="streaming")], running=True)
    panel.run("model.grow('two\\n\\n', 'text', true)")
    expect(panel.message(1)).to_contain_text("One two")
    assert len(panel.sent("resync")) == 1


def test_a_delta_that_does_not_fit_asks_for_everything(panel: ChatPanelPage) -> None:
    """A delta that begins elsewhere than where the text ends is not appended."""
    panel.open([human(), ai("One ", status="streaming")], running=True)
    panel.run("model.event({ kind: 'delta', id: 'ai', field: 'text', at: 99, text: 'nonsense' })")
    assert len(panel.sent("resync")) == 1
    expect(panel.log).not_to_contain_text("nonsense")


def test_odd_messages_are_ignored(panel: ChatPanelPage) -> None:
    """Messages of another shape neither throw nor show."""
    panel.open(turns(1))
    panel.run(
        """
        for (const message of [null, 7, "x", {}, { kind: "delta" }, { kind: "item", seq: 1 },
            { kind: "state", seq: "1" }, { kind: "path", seq: NaN }]) model.message(message);
        const state = { limits: 3, models: [null, 4], temperature: "hot" };
        model.event({ kind: "state", state });
        model.event({ kind: "item", item: { id: "odd", role: "fool", status: 3, branch: 4,
            attachments: [null, { name: 3, mime: "image/png", data: "'\\"><script>" }],
            calls: [{}] } });
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
            made.dataset.chatnbPlace = "here";
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
    panel.run("document.querySelector('[role=log]').scrollTop = 120")
    panel.settle()
    panel.run("document.querySelector('[role=log]').scrollTop = 100")
    panel.settle()
    panel.run("window.before = document.querySelector('.chatnb-panel'); place()")
    panel.settle()
    assert panel.run("return document.querySelector('.chatnb-panel') === before")
    assert panel.run("return document.querySelector('[role=log]').scrollTop") == 100
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


def test_nodes_touched_per_delta_do_not_grow(panel: ChatPanelPage) -> None:
    """A delta touches nodes of the last message alone, and as few of them at the end of a reply of
    100,000 characters as at its beginning."""
    panel.open([*turns(30), ai("", status="streaming")], running=True)
    touched = panel.run(
        """
        const counts = [], last = document.querySelector(".chatnb-panel-item:last-of-type");
        const outside = new Set();
        const observer = new MutationObserver(() => {});
        observer.observe(document.querySelector(".chatnb-panel"), { childList: true, subtree: true,
            characterData: true, attributes: true });
        const line = "Herons **wade**, `fish`, [wait](https://a.test).\\n\\n- one\\n- two\\n\\n";
        while (model.items.at(-1).text.length < 100000) {
            model.grow(line);
            const records = observer.takeRecords();
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
            ai("Half of", id="a5", status="stopped", facts="8 tokens · 0.4 s"),
            human(id="h6"),
            ai("", id="a6", status="failed", error="RateLimitError: Too many requests."),
        ]
    )
    expect(panel.message(3)).to_contain_text("Stopped")
    expect(panel.message(3)).to_contain_text("8 tokens · 0.4 s")
    expect(panel.message(5)).to_contain_text("Failed: RateLimitError: Too many requests.")


def test_reasoning_is_folded(panel: ChatPanelPage) -> None:
    """What the model thought is there, folded up, while it comes and afterwards."""
    panel.open([human(), ai("", status="streaming", reasoning="Let me ")], running=True)
    panel.run("model.grow('think.', 'reasoning'); model.grow('Because.\\n\\n')")
    fold = panel.page.locator("details")
    assert not fold.evaluate("fold => fold.open")
    fold.locator("summary").click()
    expect(fold).to_have_text("ReasoningLet me think.")
    expect(panel.message(1)).to_contain_text("Because.")


def test_hostile_texts_do_nothing(panel: ChatPanelPage) -> None:
    """Whatever the kernel tells is shown as the text it is, and nothing is fetched."""
    file = {"name": HOSTILE, "mime": "image/svg+xml", "size": 5, "data": "PHN2Zz4="}
    hostile_call = call("failed", name=HOSTILE, arguments=HOSTILE, result=HOSTILE)
    panel.open(
        [
            human(HOSTILE, attachments=[file]),
            ai(
                f"{HOSTILE}\n\n![a](https://evil.test/a.png) [b](javascript:alert(1))",
                reasoning=HOSTILE,
                facts=HOSTILE,
                error=HOSTILE,
                status="failed",
                calls=[hostile_call],
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
