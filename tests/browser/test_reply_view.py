"""The view of a reply, in a real browser: what it shows, and what it asks of the kernel."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from chatnb.notebook.widgets.footer import reasoning_fold
from tests.browser.conftest import ReplyPage

pytestmark = pytest.mark.browser

PYTHON_BLOCK = "```python\ndef answer():\n    return 42\n```\n\nDone.\n"


# The text.


def test_deltas_append(reply_page: ReplyPage) -> None:
    """A delta adds to the page; the nodes that are there stay the same nodes."""
    reply_page.open()
    reply_page.say("# Title\n\nFirst *one*.\n\n")
    reply_page.run("window.before = [...view.text.querySelectorAll('*')]")
    reply_page.say("Second", " paragraph", ".\n\n- item\n")
    kept = reply_page.run("return before.length > 2 && before.every((n) => view.text.contains(n))")
    assert kept
    assert reply_page.run("return [...view.text.children].map((n) => n.tagName)") == [
        "H1",
        "P",
        "P",
        "UL",
    ]


@pytest.mark.parametrize(
    "before",
    [
        "",
        "# Title\n\n",
        "## ",
        "> ",
        "1. ",
        "1. one\n2. ",
        "1. one\n\n2. ",
        "1. one\n\n   more\n\n2. two\n\n   ",
        "- a\n  - b\n  - ",
        "- a\n\n  - b\n\n    1. ",
        "- a\n\n- b\n  > ",
        "- a\n\n  ```\n  code\n  ```\n\n  ",
        "- *a* b\n- *c* ",
    ],
)
def test_the_caret_ends_the_last_words(reply_page: ReplyPage, before: str) -> None:
    """While a reply streams, one caret stands on the line of its last words, in any block."""
    reply_page.open()
    reply_page.say(before, "last", " words")
    carets = """
        const hasCaret = (node) => getComputedStyle(node, "::after").content !== "none";
        return [...view.text.querySelectorAll("*")].filter(hasCaret).map((node) => {
            const block = node.querySelector("p, li, pre, blockquote");
            return [block === null, node.textContent.trim().endsWith("last words")];
        });
    """
    assert reply_page.run(carets) == [[True, True]]
    reply_page.run('model.receive("phase", "done")')
    assert reply_page.run(carets) == []


def test_duplicate_deltas_are_ignored(reply_page: ReplyPage) -> None:
    """A delta that came before changes nothing."""
    reply_page.open()
    reply_page.run("""
        for (const seq of [1, 2, 2, 1, 3]) model.delta(`d${seq} `, seq);
        model.receive("phase", "done");
    """)
    assert reply_page.text().split() == ["d1", "d2", "d3"]
    assert reply_page.run("return model.sent") == []


def test_gap_asks_once_and_snapshot_heals(reply_page: ReplyPage) -> None:
    """A missed delta asks for one resync; nothing is shown until a snapshot closes the gap."""
    reply_page.open()
    reply_page.run("""
        model.delta("one ", 1);
        for (const seq of [3, 4, 5]) model.delta(`d${seq} `, seq);
    """)
    assert reply_page.run("return model.sent") == [{"type": "resync"}]
    assert "d" not in reply_page.text()
    reply_page.run("""
        model.receive("snapshot", { seq: 5, text: "one two d3 d4 d5 " });
        model.delta("six", 6);
        model.receive("phase", "done");
    """)
    assert reply_page.text() == "one two d3 d4 d5 six"
    assert reply_page.run("return model.count('resync')") == 1


def test_second_gap_asks_again(reply_page: ReplyPage) -> None:
    """Each gap gets a resync of its own, and an old snapshot closes none."""
    reply_page.open()
    reply_page.run("""
        model.delta("a", 1);
        model.delta("c", 3);
        model.receive("snapshot", { seq: 1, text: "a" });
        model.delta("d", 4);
    """)
    assert reply_page.run("return model.count('resync')") == 1
    reply_page.run("""
        model.receive("snapshot", { seq: 4, text: "abcd" });
        model.delta("f", 6);
    """)
    assert reply_page.run("return model.count('resync')") == 2


def test_lost_requests_are_repeated(reply_page: ReplyPage) -> None:
    """A reply with a gap asks again until a snapshot comes, and then no more."""
    reply_page.page.clock.install()
    reply_page.open()
    reply_page.run("model.delta('one ', 1); model.delta('three.', 3)")
    for asked in range(1, 9):
        assert reply_page.run("return model.count('resync')") == asked
        reply_page.page.clock.fast_forward(121_000)
    reply_page.run("model.receive('snapshot', { seq: 3, text: 'one two three.' })")
    reply_page.run("model.receive('phase', 'done')")
    reply_page.page.clock.fast_forward(121_000)
    assert reply_page.run("return model.count('resync')") == 9
    assert reply_page.text() == "one two three."


def test_snapshot_that_extends_does_not_rebuild(reply_page: ReplyPage) -> None:
    """A snapshot that begins with the text shown adds the rest of it."""
    reply_page.open()
    reply_page.say("Hello *there*, ")
    reply_page.run("""
        window.paragraph = view.text.querySelector("p");
        model.receive("snapshot", { seq: 9, text: "Hello *there*, world" });
        model.receive("phase", "done");
    """)
    assert reply_page.text() == "Hello there, world"
    assert reply_page.run("return view.text.firstChild === paragraph")


def test_snapshot_that_differs_starts_anew(reply_page: ReplyPage) -> None:
    """A snapshot of another text replaces what is shown, and deltas go on from it."""
    reply_page.open()
    reply_page.say("Hello *there*, ")
    reply_page.run("""
        model.receive("snapshot", { seq: 9, text: "Goodbye " });
        model.delta("moon", 10);
        model.receive("phase", "done");
    """)
    assert reply_page.text() == "Goodbye moon"


def test_late_view_shows_what_is_there(reply_page: ReplyPage) -> None:
    """A second view, opened late, shows the same text, and both go on."""
    reply_page.open()
    reply_page.say("One **two** ")
    reply_page.run("await widget.show()")
    reply_page.say("three")
    reply_page.run("model.receive('phase', 'done')")
    texts = reply_page.run("return widget.views.map((view) => view.text.textContent)")
    assert texts == ["One two three", "One two three"]
    assert reply_page.run("return model.count('resync')") == 0


def test_model_starts_from_its_snapshot(reply_page: ReplyPage) -> None:
    """A page that loads in the middle starts from the snapshot and takes the next delta."""
    reply_page.open(snapshot={"seq": 7, "text": "Seven "}, phase="streaming")
    reply_page.run("model.delta('eight', 8); model.receive('phase', 'done')")
    assert reply_page.text() == "Seven eight"


def test_the_clock_of_a_page_loaded_in_mid_reply_goes_on(reply_page: ReplyPage) -> None:
    """The seconds are those since the reply was asked for, as the snapshot tells."""
    snapshot = {"seq": 7, "text": "Seven ", "seconds": 3000}
    reply_page.open(snapshot={**snapshot, "seconds": 2000}, phase="streaming")
    clock = reply_page.page.get_by_role("timer")
    expect(clock).to_contain_text(re.compile("20[0-9][0-9] s"))
    reply_page.run("model.receive('snapshot', given)", snapshot)
    expect(clock).to_contain_text(re.compile("30[0-9][0-9] s"))


def test_text_after_the_end_is_shown(reply_page: ReplyPage) -> None:
    """A snapshot that comes after the phase has ended is shown all the same."""
    reply_page.open()
    reply_page.say("half *a")
    reply_page.run("""
        model.receive("phase", "stopped");
        model.receive("snapshot", { seq: 2, text: "half *a* word" });
    """)
    assert reply_page.text() == "half a word"
    assert reply_page.run("return view.text.querySelectorAll('em').length") == 1


def test_unknown_messages_are_ignored(reply_page: ReplyPage) -> None:
    """A message or snapshot of another shape neither throws nor shows."""
    reply_page.open()
    reply_page.run("""
        const delta = { type: "delta", seq: "1", text: 2 };
        for (const odd of [null, 7, "x", {}, { type: "delta" }, delta]) model.message(odd);
        model.receive("snapshot", { seq: 3 });
        model.delta("fine", 1);
        model.receive("phase", "done");
    """)
    assert reply_page.text() == "fine"


def test_work_for_a_delta_does_not_grow(reply_page: ReplyPage) -> None:
    """Of 20,000 deltas the last ones touch no more of the page than the first ones."""
    reply_page.open()
    touched, longest_node, length = reply_page.run("""
        const observer = new MutationObserver(() => {});
        observer.observe(view.text, { subtree: true, childList: true, characterData: true });
        const counts = [];
        for (let i = 0; i < 20000; i += 1) {
            model.say(i % 400 === 399 ? ".\\n\\nNext " : i % 10 ? "word " : "**bold** ");
            const touched = observer.takeRecords().map(
                (record) => 1 + record.addedNodes.length + record.removedNodes.length);
            counts.push(touched.reduce((a, b) => a + b, 0));
        }
        observer.disconnect();
        const part = (from) => counts.slice(from, from + 2000).reduce((a, b) => a + b) / 2000;
        const walker = document.createTreeWalker(view.text, NodeFilter.SHOW_TEXT);
        let longest = 0;
        while (walker.nextNode()) longest = Math.max(longest, walker.currentNode.length);
        return [[part(0), part(18000)], longest, view.text.textContent.length];
    """)
    first, last = touched
    assert 0 < last <= first * 1.1
    assert last < 12
    assert longest_node < 4096
    assert length > 90_000


def test_long_line_goes_into_many_nodes(reply_page: ReplyPage) -> None:
    """A line without end costs no copy of the whole for each delta."""
    reply_page.open()
    reply_page.run("for (let i = 0; i < 20000; i += 1) model.say('abcdefghi ')")
    longest = reply_page.run("""
        const walker = document.createTreeWalker(view.text, NodeFilter.SHOW_TEXT);
        let longest = 0;
        while (walker.nextNode()) longest = Math.max(longest, walker.currentNode.length);
        return longest;
    """)
    assert longest < 4096
    reply_page.wait_for("view.text.textContent.length >= 199_990")


# Code.


def test_code_gets_colours_when_it_closes(reply_page: ReplyPage, highlighter_source: str) -> None:
    """A block is plain while it streams and coloured once it is closed, its text the same."""
    reply_page.open()
    reply_page.run("model.message({ type: 'highlighter', source: given })", highlighter_source)
    reply_page.wait_for("globalThis[Symbol.for('chatnb.highlighter')].highlight !== null")
    reply_page.say("```python\ndef answer():\n    return 42\n")
    assert reply_page.run("return view.text.querySelectorAll('code span').length") == 0
    reply_page.say("```\n", "\nDone.")
    assert reply_page.run("return view.text.querySelector('.chatnb-hl-keyword').textContent") == (
        "def"
    )
    code = reply_page.run("return view.text.querySelector('pre > code').textContent")
    assert code == "def answer():\n    return 42"
    assert reply_page.run("return model.count('get_highlighter')") == 0


def test_highlighter_is_asked_for_once(reply_page: ReplyPage, highlighter_source: str) -> None:
    """A block that closes before the highlighter is here waits for it; one request is enough."""
    reply_page.open()
    reply_page.say(PYTHON_BLOCK, PYTHON_BLOCK)
    reply_page.run("await widget.show()")
    assert reply_page.run("return model.sent") == [{"type": "get_highlighter"}]
    assert reply_page.run("return document.querySelectorAll('.chatnb-hl-keyword').length") == 0
    reply_page.run("model.message({ type: 'highlighter', source: given })", highlighter_source)
    # Two blocks in each of the two views, each with `def` and `return`.
    reply_page.wait_for("document.querySelectorAll('.chatnb-hl-keyword').length === 8")


def test_highlighter_serves_the_whole_page(reply_page: ReplyPage, highlighter_source: str) -> None:
    """The highlighter of one widget colours the code of the next, which requests nothing."""
    reply_page.open()
    reply_page.run("model.message({ type: 'highlighter', source: given })", highlighter_source)
    reply_page.wait_for("globalThis[Symbol.for('chatnb.highlighter')].highlight !== null")
    reply_page.open()
    reply_page.say(PYTHON_BLOCK)
    assert reply_page.run("return view.text.querySelectorAll('.chatnb-hl-keyword').length") == 2
    assert reply_page.run("return model.sent") == []


def test_block_left_open_gets_colours_at_the_end(
    reply_page: ReplyPage, highlighter_source: str
) -> None:
    """A reply that breaks off inside a block colours what there is of it."""
    reply_page.open()
    reply_page.run("model.message({ type: 'highlighter', source: given })", highlighter_source)
    reply_page.wait_for("globalThis[Symbol.for('chatnb.highlighter')].highlight !== null")
    reply_page.say("```python\ndef answer(")
    reply_page.run("model.receive('phase', 'stopped')")
    assert reply_page.run("return view.text.querySelectorAll('.chatnb-hl-keyword').length") == 1


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("python", "import os"),
        ("py", "import os"),
        ("ipython3", "import os"),
        ("js", "const a = 1"),
        ("ts", "type A = string"),
        ("bash", "if true; then echo hi; fi"),
        ("sh", "if true; then echo hi; fi"),
        ("json", '{"a": 1}'),
        ("SQL", "select 1"),
        ("html", "<b>x</b>"),
        ("xml", "<b>x</b>"),
        ("yaml", "a: 1"),
        ("diff", "+ a\n- b"),
        ("rust", "fn main() {}"),
        ("go", "func main() {}"),
        ("c++", "int main() {}"),
        ("r", "x <- function() 1"),
        ("java", "class A {}"),
        ("css", "a { color: red }"),
        ("julia", "function f() end"),
        ("{python}", "import os"),
    ],
)
def test_languages(
    reply_page: ReplyPage, highlighter_source: str, language: str, code: str
) -> None:
    """The languages of chat replies are known, by their aliases too."""
    reply_page.open()
    reply_page.run("model.message({ type: 'highlighter', source: given })", highlighter_source)
    reply_page.wait_for("globalThis[Symbol.for('chatnb.highlighter')].highlight !== null")
    reply_page.say(f"```{language}\n{code}\n```\n\n")
    assert reply_page.run("return view.text.querySelectorAll('[class^=chatnb-hl-]').length") > 0
    assert reply_page.run("return view.text.querySelector('pre > code').textContent") == code


def test_unknown_language_stays_plain(reply_page: ReplyPage, highlighter_source: str) -> None:
    """Code in a language nobody knows is shown as it is."""
    reply_page.open()
    reply_page.run("model.message({ type: 'highlighter', source: given })", highlighter_source)
    reply_page.wait_for("globalThis[Symbol.for('chatnb.highlighter')].highlight !== null")
    reply_page.say("```klingon\n<b>Qapla'</b>\n```\n\n")
    assert reply_page.run("return view.text.querySelector('code').innerHTML") == (
        "&lt;b&gt;Qapla'&lt;/b&gt;"
    )


def test_broken_highlighter_costs_only_the_colours(reply_page: ReplyPage) -> None:
    """A highlighter that does not load leaves the code readable."""
    reply_page.open()
    reply_page.say(PYTHON_BLOCK)
    reply_page.run("model.message({ type: 'highlighter', source: 'not a module(' })")
    reply_page.say("And on.")
    reply_page.run("model.receive('phase', 'done')")
    assert "return 42" in reply_page.text()
    assert "And on." in reply_page.text()


# Stop, the phases, the quiet line.

STOP = "document.querySelector('.chatnb-stop')"


def test_stop_sends_a_message(reply_page: ReplyPage) -> None:
    """Stop tells the kernel once, and says that it is stopping."""
    reply_page.open()
    button = reply_page.page.get_by_role("button", name="Stop the reply")
    button.focus()
    reply_page.page.keyboard.press("Enter")
    reply_page.wait_for("model.sent.length > 0")
    assert reply_page.run("return model.sent") == [{"type": "stop"}]
    assert reply_page.run(f"return [{STOP}.disabled, {STOP}.textContent]") == [True, "Stopping…"]


def test_stop_interrupts_the_kernel(reply_page: ReplyPage) -> None:
    """Stop interrupts a kernel that hears no message, and sends none."""
    reply_page.run("""
        window.interrupts = 0;
        const kernel = { async interrupt() { window.interrupts += 1; } };
        await openWidget({ stop_with: "interrupt" }, kernel);
    """)
    reply_page.page.get_by_role("button", name="Stop the reply").click()
    reply_page.wait_for("window.interrupts === 1")
    assert reply_page.run("return model.sent") == []


def test_no_button_where_nothing_stops_the_reply(reply_page: ReplyPage) -> None:
    """A page that cannot reach the kernel while a cell runs has no Stop button."""
    reply_page.run("await openWidget({ stop_with: 'nothing' })")
    assert reply_page.page.get_by_role("status").inner_text() != ""
    assert reply_page.page.get_by_role("button", name="Stop the reply").count() == 0


@pytest.mark.parametrize(
    "kernel", ["undefined", "null", "{ async interrupt() { throw new Error('gone'); } }"]
)
def test_stop_without_a_kernel_sends_a_message(reply_page: ReplyPage, kernel: str) -> None:
    """Stop falls back to the message if the view cannot reach the kernel."""
    reply_page.run(f"await openWidget({{ stop_with: 'interrupt' }}, {kernel})")
    reply_page.page.get_by_role("button", name="Stop the reply").click()
    reply_page.wait_for("model.sent.length > 0")
    assert reply_page.run("return model.sent") == [{"type": "stop"}]


@pytest.mark.parametrize(
    ("phase", "text", "status", "can_stop", "is_busy"),
    [
        ("waiting", "", "Waiting for smollm2…", True, True),
        ("streaming", "Half", "smollm2", True, True),
        ("stopping", "Half", "Stopping smollm2…", False, True),
        ("done", "All", "smollm2", False, False),
        ("stopped", "Half", "Stopped · smollm2", False, False),
        ("stopped", "", "Stopped before anything arrived · smollm2", False, False),
        ("failed", "Half", "Broke off · smollm2", False, False),
        ("failed", "", "Nothing arrived · smollm2", False, False),
    ],
)
def test_phases(
    reply_page: ReplyPage, phase: str, text: str, status: str, can_stop: bool, is_busy: bool
) -> None:
    """Each phase says what is going on, and Stop is there while there is something to stop."""
    reply_page.open(snapshot={"seq": 0, "text": text})
    reply_page.run("model.receive('phase', given)", phase)
    page = reply_page.page
    assert page.get_by_role("status").inner_text() == status
    assert page.get_by_role("button", name="Stop the reply").is_visible() == can_stop
    assert page.locator(".chatnb-text").get_attribute("aria-busy") == str(is_busy).lower()


def test_a_note_stands_in_place_of_the_wait(reply_page: ReplyPage) -> None:
    """While a call is made again the status says why, without a clock, until text comes."""
    reply_page.page.clock.install()
    reply_page.open()
    status, timer = reply_page.page.get_by_role("status"), reply_page.page.get_by_role("timer")
    reply_page.run("model.receive('note', 'rate limited, trying again in 9 s')")
    reply_page.page.clock.run_for(3000)
    expect(status).to_have_text("smollm2: rate limited, trying again in 9 s")
    expect(timer).to_have_text("")
    reply_page.run("model.receive('note', '')")
    expect(status).to_have_text("Waiting for smollm2…")
    expect(timer).to_contain_text(" s")
    reply_page.run("model.receive('note', 'server error, trying again')")
    reply_page.say("word")
    expect(status).to_have_text("smollm2")


def test_time_and_speed_run_and_stand_at_the_end(reply_page: ReplyPage) -> None:
    """Time shows after a second of waiting, the speed after one of streaming, but not while a tool
    waits or runs; the end has tenths.
    None of it is in the status that screen readers speak."""
    clock, page = reply_page.page.clock, reply_page.page
    clock.install(time=0)
    clock.pause_at(1)
    reply_page.open()
    timer = page.get_by_role("timer")
    clock.run_for(900)
    assert timer.text_content() == ""
    clock.run_for(600)
    assert timer.text_content() == " · 1 s"
    assert page.get_by_role("status").text_content() == "Waiting for smollm2…"
    reply_page.say("word " * 80)
    assert timer.text_content() == " · 1 s"
    clock.run_for(2000)
    assert timer.text_content() == " · 50 tokens/s · 3 s"
    call = {"id": "a", "name": "f", "arguments": "{}", "state": "asking", "result": ""}
    reply_page.run("model.receive('calls', [given])", call)
    clock.run_for(100)
    assert timer.text_content() == " · 3 s"
    assert page.get_by_role("status").text_content() == "smollm2"
    reply_page.run("model.receive('phase', 'done')")
    ended = timer.text_content()
    assert ended == " · 3.6 s"
    clock.run_for(5000)
    assert timer.text_content() == ended


def test_a_page_that_is_loaded_in_mid_reply_asks_for_the_text(reply_page: ReplyPage) -> None:
    """Also where nothing comes that would show it what it has missed."""
    reply_page.open(phase="streaming")
    assert reply_page.run("return model.sent") == [{"type": "resync"}]
    reply_page.run("model.receive('snapshot', { seq: 7, text: 'Half of it. ' })")
    assert reply_page.text() == "Half of it."


def test_disposing_leaves_nothing_running(reply_page: ReplyPage) -> None:
    """A view that is taken away clears its timer, and the model's end takes its listeners."""
    reply_page.run("""
        window.timers = new Set();
        const { setInterval, clearInterval } = window;
        window.setInterval = (...args) => {
            const id = setInterval(...args);
            timers.add(id);
            return id;
        };
        window.clearInterval = (id) => { timers.delete(id); clearInterval(id); };
        await openWidget();
        await widget.show();
        for (const phase of ["streaming", "stopping", "streaming"]) model.receive("phase", phase);
    """)
    assert reply_page.run("return timers.size") == 2
    reply_page.run("for (const view of widget.views) await view.dispose()")
    assert reply_page.run("return timers.size") == 0
    reply_page.say("unseen")
    assert reply_page.run("return document.querySelectorAll('.chatnb-reply').length") == 0
    reply_page.run("await widget.unload()")
    assert reply_page.run("return model.handlers.length") == 0


# Reasoning, a reply beyond the edge, and a kernel that is gone.


def test_reasoning_folds_when_the_text_begins(reply_page: ReplyPage) -> None:
    """It is open while it comes, also to a view that comes late, and folded with its time then."""
    clock = reply_page.page.clock
    clock.install(time=0)
    reply_page.open()
    clock.pause_at(600_000)  # Later than any machine gets here: it stands still from now on.
    reply_page.run("model.receive('phase', 'streaming')")
    think = "model.message({ type: 'delta', seq: ++model.seq, text: '', reasoning: given })"
    reply_page.run(think, "Let me ")
    reply_page.run(think, "think.")
    clock.run_for(100)
    fold = reply_page.page.locator(".chatnb-reasoning")
    expect(fold).to_have_attribute("open", "")
    expect(fold.locator(".chatnb-reasoning-text")).to_have_text("Let me think.")
    clock.run_for(5000)
    reply_page.say("Because")
    clock.run_for(100)
    expect(fold).not_to_have_attribute("open", "")
    expect(fold.locator("summary")).to_have_text("Thought for 5 s")
    assert reply_page.text().startswith("Becaus")


@pytest.mark.parametrize("size", [1, 7, 100])
def test_titles_in_reasoning_are_bold(reply_page: ReplyPage, size: int) -> None:
    """As soon as they are closed, however they are cut; other marks are shown as they came."""
    text = "**First step**\n\n2 ** 3, **a** and `b`\n- **open\nnext"
    reply_page.open()
    for start in range(0, len(text), size):
        reply_page.run(
            "model.message({ type: 'delta', seq: ++model.seq, text: '', reasoning: given })",
            text[start : start + size],
        )
    thoughts = reply_page.page.locator(".chatnb-reasoning-text")
    expect(thoughts.locator("strong")).to_have_text(["First step", "a"])
    shown = "First step\n\n2 ** 3, a and `b`\n- **open\nnext"
    assert thoughts.evaluate("(node) => node.textContent") == shown
    assert shown.replace("First step", "<strong>First step</strong>").replace(
        ", a", ", <strong>a</strong>"
    ) in str(reasoning_fold(text, None))


@pytest.mark.parametrize("chosen", [False, True])
def test_reasoning_that_no_answer_follows_stays_in_sight(
    reply_page: ReplyPage, chosen: bool
) -> None:
    """Its last lines are all that there is, and are scrolled by keys; a reader may close it."""
    reply_page.open()
    reply_page.run("model.receive('phase', 'streaming')")
    think = "{ type: 'delta', seq: 1, text: '', reasoning: 'Hm.\\n'.repeat(50) }"
    reply_page.run(f"model.message({think})")
    fold = reply_page.page.locator(".chatnb-reasoning")
    height = fold.evaluate("each => each.offsetHeight")
    if chosen:
        fold.locator("summary").click()
    reply_page.run("model.receive('phase', 'stopped')")
    expect(fold.locator("summary")).to_have_text(re.compile(r"^Thought for \d+ s$"))
    if chosen:
        return expect(fold).not_to_have_attribute("open", "")
    assert fold.evaluate("each => each.offsetHeight") == height
    fold.locator(".chatnb-reasoning-frame").focus()
    reply_page.page.keyboard.press("Home")
    reply_page.wait_for("document.activeElement.scrollTop < -100")
    return None


def test_the_text_is_where_the_finished_reply_has_it(reply_page: ReplyPage) -> None:
    """The reasoning stands above it and the status line below, as in the saved notebook and the
    panel."""
    reply_page.open()
    reply_page.run("model.receive('phase', 'streaming')")
    reply_page.run("model.message({ type: 'delta', seq: 1, text: '', reasoning: 'Let me.' })")
    reply_page.run(
        "model.message({ type: 'delta', seq: 2, text: 'Because.\\n\\n', reasoning: '' })"
    )
    text, line, fold = (
        reply_page.page.locator(f".chatnb-{name}") for name in ("text", "line", "reasoning")
    )
    expect(text).to_have_text("Because.")
    assert top_of(fold) == top_of(reply_page.page.locator(".chatnb-reply"))
    assert top_of(text) == bottom_of(fold)
    assert top_of(line) >= bottom_of(text)


def test_stop_below_a_long_status_is_at_the_left(reply_page: ReplyPage) -> None:
    """The button starts where the text starts if the line has no room for it."""
    reply_page.page.set_viewport_size({"width": 300, "height": 400})
    reply_page.open()
    reply_page.run("model.receive('note', 'rate limited, trying again in 20 s')")
    page = reply_page.page
    status, stop = page.locator(".chatnb-status"), page.locator(".chatnb-stop")
    assert top_of(stop) >= bottom_of(status)
    left = "node => node.getBoundingClientRect().left"
    assert stop.evaluate(left) == status.evaluate(left)


def top_of(node: Locator) -> float:
    return node.evaluate("node => node.getBoundingClientRect().top")


def bottom_of(node: Locator) -> float:
    return node.evaluate("node => node.getBoundingClientRect().bottom")


def test_a_snapshot_brings_the_reasoning(reply_page: ReplyPage) -> None:
    """A view that missed something shows text and reasoning of the snapshot, each once."""
    reply_page.open()
    reply_page.run("model.message({ type: 'delta', seq: 1, text: '', reasoning: 'Let me ' })")
    reply_page.run(
        "model.receive('snapshot', { seq: 5, text: 'Because', reasoning: 'Let me think.' })"
    )
    assert reply_page.page.locator(".chatnb-reasoning-text").text_content() == "Let me think."
    assert reply_page.text().startswith("Becaus")
    reply_page.run("model.receive('snapshot', { seq: 6, text: 'Or', reasoning: 'No.' })")
    assert reply_page.page.locator(".chatnb-reasoning-text").text_content() == "No."
    assert reply_page.text().startswith("O")


@pytest.mark.parametrize("status", ["restarting", "autorestarting", "dead"])
def test_a_kernel_that_is_gone_ends_the_view(reply_page: ReplyPage, status: str) -> None:
    """The clock stands, there is nothing to stop and no call to allow, and what goes on is said; a
    busy kernel is none that is gone."""
    reply_page.run(
        """
        const slots = [];
        window.kernel = { status: "busy", statusChanged: { connect: (slot) => slots.push(slot) } };
        window.turnKernel = (status) => {
            kernel.status = status;
            for (const slot of slots) slot();
        };
        const call = { id: "a", name: "look_up", arguments: "{}", state: "asking", result: "" };
        await openWidget({ calls: [call, { ...call, id: "b", state: "running" }] }, kernel);
        model.say("Half");
        turnKernel("idle");
        """
    )
    calls = reply_page.page.get_by_role("region", name="Call of look_up")
    expect(calls.get_by_role("button", name="Allow once")).to_be_visible()
    status_line = reply_page.page.get_by_role("status")
    expect(status_line).to_have_text("smollm2")
    reply_page.run("turnKernel(given)", status)
    expect(status_line).to_contain_text("Broke off: the kernel is gone. %chat resume goes on")
    expect(reply_page.page.get_by_role("button", name="Stop the reply")).to_be_hidden()
    expect(calls.get_by_role("button")).to_have_count(0)
    expect(calls.nth(0)).to_contain_text("Not run: the kernel is gone.")
    expect(calls.nth(1)).to_contain_text("Broke off: the kernel is gone.")
    assert reply_page.text() == "Half"


# Tool calls.
