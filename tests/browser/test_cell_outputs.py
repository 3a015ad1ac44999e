"""The part of the page that knows the outputs of %%chat cells: saves, reloads, buttons."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

STATIC = Path(__file__).parents[2] / "chatnb" / "static"
FAKE_PAGE = Path(__file__).parent / "cell_outputs_page.js"
VIEW = "application/vnd.jupyter.widget-view+json"
NOTE = "*m was replying.*"
REPLY = {"cell_id": "a", "view_id": "v", "note": NOTE, "finished": False}
FINISHED = {**REPLY, "finished": True}


def output(text: str = "", **more: Any) -> dict[str, Any]:
    data = {"text/markdown": text, "text/plain": text}
    return {"output_type": "display_data", "metadata": {}, "data": data, **more}


LIVE = output(data={VIEW: {"version_major": 2, "version_minor": 0, "model_id": "v"}})
DRAFT = output("Half", metadata={"chatnb": {"reply": "r"}})
EARLIER = output("An earlier reply")
FINAL, FOOTER = output("All of it"), output("m · 1.0 s")
OUTPUTS = {"type": "outputs", "id": "r", "outputs": [FINAL, FOOTER], "execution_count": 7}


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    load(page)
    yield page
    context.close()


@pytest.fixture
def fresh_page(page: Page) -> Page:
    """A document without the widgets of the tests before, each of which watches it."""
    page.goto("about:blank")
    load(page)
    return page


def load(page: Page) -> None:
    page.add_style_tag(content=(STATIC / "cell_outputs.css").read_text(encoding="utf-8"))
    source = (STATIC / "cell_outputs.js").read_text(encoding="utf-8")
    page.evaluate(FAKE_PAGE.read_text(encoding="utf-8"), source)


def opened(page: Page, outputs: list[Any], reply: dict[str, Any], cell_id: str = "a") -> None:
    cell = {"id": cell_id, "outputs": outputs}
    page.evaluate("openPage", {"cells": [{"id": "other"}, cell], "replies": {"r": reply}})


@pytest.mark.parametrize(
    ("in_file", "cell_id", "shown"),
    [
        ([], "a", [LIVE]),
        ([EARLIER, FOOTER], "a", [LIVE]),
        ([DRAFT], "a", [LIVE]),
        ([LIVE], "a", [LIVE]),
        ([DRAFT], "moved", [LIVE]),
        ([EARLIER], "another", [EARLIER]),
    ],
)
def test_a_reply_that_runs_is_shown_again_where_it_was(
    page: Page, in_file: list[Any], cell_id: str, shown: list[Any]
) -> None:
    """A reply that runs replaces nothing, an earlier reply, or its own text so far, in place."""
    opened(page, in_file, REPLY, cell_id)
    assert page.evaluate("shown()") == [[], shown]
    assert page.evaluate("sent") == [{"type": "hello"}]
    assert page.evaluate("shown()[0]") == []


@pytest.mark.parametrize("in_file", [[], [EARLIER], [DRAFT], [LIVE], [FINAL, FOOTER]])
def test_a_reply_that_ended_while_the_page_was_away_is_put_in_its_cell(
    page: Page, in_file: list[Any]
) -> None:
    """Once, and then the kernel is told so."""
    opened(page, in_file, FINISHED)
    assert {"type": "get_outputs", "id": "r"} in page.evaluate("sent")
    page.evaluate("receive", OUTPUTS)
    assert page.evaluate("shown()[1]") == [FINAL, FOOTER]
    assert page.evaluate("sent")[-1] == {"type": "delivered", "id": "r"}


def test_a_reply_that_jupyterlab_finished_is_left_alone(page: Page) -> None:
    """The page that ran the cell only tells that all is there, and so do other front ends."""
    opened(page, [LIVE], REPLY)
    page.evaluate("change", {"r": FINISHED})
    assert page.evaluate("sent")[-1] == {"type": "get_outputs", "id": "r"}
    opened(page, [FINAL, FOOTER, EARLIER], {})
    page.evaluate("openPage", {"cells": [], "replies": {}})
    page.evaluate("change", {"r": FINISHED})
    assert page.evaluate("sent") == [{"type": "hello"}, {"type": "delivered", "id": "r"}]


def test_a_save_in_mid_reply_has_the_text_so_far(page: Page) -> None:
    """In the file alone; once the kernel is gone the file says so."""
    opened(page, [LIVE], REPLY)
    page.evaluate("receive", {"type": "draft", "id": "r", "start": 0, "text": f"Ha\n\n{NOTE}"})
    page.evaluate("receive", {"type": "draft", "id": "r", "start": 2, "text": f"lf\n\n{NOTE}"})
    saved = output(f"Half\n\n{NOTE}", metadata={"chatnb": {"reply": "r"}})
    assert page.evaluate("save()[1]") == [saved]
    assert page.evaluate("shown()[1]") == [LIVE]
    page.evaluate("kernel.status = 'dead'; kernel.statusChanged.emit('dead')")
    [saved] = page.evaluate("save()[1]")
    gone = "Half\n\n*Broke off: the kernel is gone. `%chat resume` goes on.*"
    assert saved["data"] == {"text/markdown": gone, "text/plain": gone}


@pytest.mark.parametrize("others", [{}, {"c": {"state": {"layout": "IPY_MODEL_d"}}, "d": {}}])
def test_a_save_has_no_state_of_our_widgets(page: Page, others: dict[str, Any]) -> None:
    """Nor of their layouts; widgets of others stay as JupyterLab has written them."""
    own = {"_anywidget_id": "chatnb.notebook.cell.outputs.CellOutputs", "layout": "IPY_MODEL_b"}
    kind = "application/vnd.jupyter.widget-state+json"
    saved = {kind: {"version_major": 2, "state": {"a": {"state": own}, "b": {}, **others}}}
    opened(page, [FINAL], {})
    page.evaluate("widgets => { metadata.widgets = widgets; save(); }", saved)
    left = {"widgets": {kind: {"version_major": 2, "state": others}}} if others else {}
    assert page.evaluate("metadata") == left


def test_a_page_that_missed_a_draft_asks_for_all(page: Page) -> None:
    """A draft that goes on where the page has nothing is not taken."""
    opened(page, [LIVE], REPLY)
    page.evaluate("receive", {"type": "draft", "id": "r", "start": 9, "text": "more"})
    assert page.evaluate("sent") == [{"type": "hello"}] * 2
    assert page.evaluate("save()[1][0].data['text/plain']") == NOTE


DRAWN = """() => { document.body.innerHTML = `
  <div class="jp-Cell jp-CodeCell"><div class="jp-OutputArea">
    <div class="jp-OutputArea-child"><div class="jp-RenderedMarkdown"><p>Look:</p>
      <pre><code class="language-python">x = 1</code></pre><pre><code>plain</code></pre></div></div>
    <div class="jp-OutputArea-child">${FOOTER}</div>
  </div></div>` }"""
FOOTERS = {
    "markdown": '<div class="jp-RenderedMarkdown"><p><em><em>m · 1.0 s</em></em></p></div>',
    "html": '<div class="chatnb-footer"><div>m · 1.0 s</div></div>',
    "folds": """<div class="chatnb-footer"><details><summary>m · 1.0 s</summary>
        <pre>x</pre></details><div>m</div></div>""",
}


@pytest.mark.parametrize("footer", FOOTERS)
def test_finished_replies_have_buttons_for_the_pointer_and_the_keyboard(
    page: Page, footer: str
) -> None:
    """They take no room, show on hover and on focus, and are not in the notebook."""
    page.evaluate(DRAWN.replace("${FOOTER}", FOOTERS[footer]))
    height = "document.querySelector('.jp-Cell').offsetHeight"
    before = page.evaluate(height)
    text = "**Look:**\n\n```python\nx = 1\n```"
    cell = {"id": "a", "source": "%%chat -c birds\nHi", "outputs": [output(text), FOOTER]}
    page.evaluate("openPage", {"cells": [cell], "replies": {}})
    bars = page.get_by_role("toolbar")
    expect(bars).to_have_count(3)
    names = [
        [button.get_attribute("title") for button in bar.get_by_role("button").all()]
        for bar in bars.all()
    ]
    assert names == [
        ["Insert as cell", "Copy code"],
        ["Insert as cell", "Copy code"],
        ["Copy the reply", "Ask again: run this cell", "Go on in a panel: add a cell"],
    ]
    assert page.evaluate(height) == before
    page.mouse.move(0, 700)
    expect(bars.nth(2)).to_have_css("opacity", "0")
    page.get_by_role("button", name="Copy the reply").focus()
    expect(bars.nth(2)).to_have_css("opacity", "1")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("button", name="Ask again: run this cell")).to_be_focused()
    assert bars.nth(2).locator("button[tabindex='0']").count() == 1
    page.locator("pre").first.hover()
    expect(bars.nth(0)).to_have_css("opacity", "1")
    copying = "document.execCommand = () => (window.copied = getSelection().toString(), true)"
    page.evaluate(f"() => {{ {copying} }}")
    page.get_by_role("button", name="Copy the reply").click()
    page.wait_for_function("text => window.copied === text", arg=text)
    assert page.evaluate("shown()") == [[output(text), FOOTER]]
    page.get_by_role("button", name="Ask again: run this cell").click()
    assert page.evaluate("sent")[-1] == {"type": "ask_again", "cell_id": "a"}
    page.evaluate("document.body.innerHTML = ''")


def test_arrows_show_the_other_answers_of_a_cell(fresh_page: Page) -> None:
    """In sight without a hover; the outputs of the answer replace those that are there, and the
    arrow that was pressed keeps the focus in the new ones."""
    fresh_page.evaluate(DRAWN.replace("${FOOTER}", FOOTERS["markdown"]))
    text = "**Look:**\n\n```python\nx = 1\n```"
    cell = {"id": "a", "source": "%%chat\nHi", "outputs": [output(text), FOOTER]}
    fresh_page.evaluate("openPage", {"cells": [cell], "replies": {}})
    panel_style = (STATIC / "panel.css").read_text(encoding="utf-8")
    fresh_page.add_style_tag(content=panel_style)
    previous = fresh_page.get_by_role("button", name="Previous version")
    expect(previous).to_have_count(0)
    fresh_page.evaluate("place", {"a": {"index": 2, "count": 2}})
    fresh_page.mouse.move(0, 700)
    expect(fresh_page.get_by_role("toolbar", name="Reply")).to_have_css("opacity", "1")
    expect(fresh_page.get_by_role("group", name="Version 2 of 2")).to_contain_text("2/2")
    fresh_page.get_by_role("button", name="Next version").click(force=True)
    assert fresh_page.evaluate("sent") == [{"type": "hello"}]
    previous.click()
    assert fresh_page.evaluate("sent")[-1] == {"type": "select_answer", "cell_id": "a", "index": 1}
    other = [output("Look: x = 1, plain"), output("m · 2.0 s")]
    fresh_page.evaluate("receive", {"type": "answer", "cell_id": "a", "outputs": other})
    fresh_page.evaluate("place", {"a": {"index": 1, "count": 2}})
    assert fresh_page.evaluate("shown()") == [other]
    # JupyterLab draws them: the footer, and sometime later the text above it.
    fresh_page.evaluate(DRAWN.replace("${FOOTER}", FOOTERS["markdown"].replace("1.0", "2.0")))
    expect(fresh_page.get_by_role("group", name="Version 1 of 2")).to_be_visible()
    expect(previous).to_be_focused()
    # No kernel, no other answer.
    fresh_page.evaluate("kernel.status = 'dead'; kernel.statusChanged.emit('dead')")
    expect(fresh_page.get_by_role("group", name="Version 1 of 2")).to_be_hidden()


def test_a_reply_that_is_drawn_after_its_footer_has_buttons(fresh_page: Page) -> None:
    """JupyterLab loads the language of a code block before it draws the text."""
    fresh_page.evaluate(DRAWN.replace("${FOOTER}", FOOTERS["markdown"]))
    fresh_page.evaluate(
        """() => {
            window.text = document.querySelector(".jp-RenderedMarkdown");
            window.parts = [...text.childNodes];
            text.replaceChildren();
        }"""
    )
    cell = {"id": "a", "source": "%%chat\nHi", "outputs": [output("Look:\n\n    x = 1"), FOOTER]}
    fresh_page.evaluate("openPage", {"cells": [cell], "replies": {}})
    expect(fresh_page.get_by_role("toolbar")).to_have_count(0)
    fresh_page.evaluate("() => text.append(...parts)")
    expect(fresh_page.get_by_role("button", name="Copy the reply")).to_have_count(1)


def test_prompts_are_markdown_and_other_cells_are_not(page: Page) -> None:
    """Also while a cell is written, in one that is inserted, and after a kernel has started."""
    cells = [{"id": "a", "source": "%%chat -m x\n# Hi"}, {"id": "b", "source": "x = 1\n%%chat"}]
    page.evaluate("openPage", {"cells": cells, "replies": {}})
    assert page.evaluate("languages()") == ["markdown", "text/x-ipython"]
    page.evaluate("insert('c', '%%chatter'); insert('d', '%%chat\\nHi')")
    assert page.evaluate("languages()")[2:] == ["text/x-ipython", "markdown"]
    page.evaluate("cell(0).setSource('x = 1'); cell(1).setSource('%%chat')")
    assert page.evaluate("languages()")[:2] == ["text/x-ipython", "markdown"]
    page.evaluate("startKernel()")
    assert page.evaluate("languages()") == ["text/x-python", "markdown"] * 2
    page.evaluate("cell(1).setSource('x')")
    assert page.evaluate("languages()")[1] == "text/x-python"
