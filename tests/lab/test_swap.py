"""The place that a finished reply takes of its live view, frame by frame."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.lab.jupyterlab import REPLY, JupyterLab, NotebookPage

pytestmark = pytest.mark.lab

# Replies are held before their end, when all of the text is there, while there is no file "end".
SETUP = """\
%load_ext chatnb
import asyncio, os
from chatnb import ScriptedChatModel
from chatnb.errors import ServerError
from chatnb.messages import AIMessage

class Held(ScriptedChatModel):
    async def _astream(self, *args, **kwargs):
        async for chunk in super()._astream(*args, **kwargs):
            yield chunk
        while not os.path.exists("end"):
            await asyncio.sleep(0.02)

class Failing(Held):
    async def _astream(self, *args, **kwargs):
        async for chunk in super()._astream(*args, **kwargs):
            yield chunk
        raise ServerError("The model is overloaded.", hint="Try again in a moment.")

wide = "|" + " column |" * 20 + "\\n|" + "--|" * 20 + "\\n|" + " value 123 |" * 20
used = {"input_tokens": 1234, "output_tokens": 2345, "total_tokens": 3579}
facts = {"usage": [used], "model_name": "a-model-with-a-long-name"}
listed = Held(["- one\\n- two\\n\\n  more\\n\\n1. x\\n\\n```python\\nlast = 1\\n```"], **facts)
chart = "```mermaid\\ngraph TD\\n  A[Start] --> B\\n```"
drawn = Held([f"{chart}\\n\\nThe last = 1\\n\\n## Sum\\n\\n$$\\\\frac12$$"])
thought = AIMessage("", additional_kwargs={"reasoning_content": "Hm.\\n" * 9 + "last = 1"})
thoughts = Held([thought])
prose = Held(["A heron wades. " * 2000 + "The last = 1"])
failing = Failing(["The last = 1"], **facts)
unbroken = Held([f"{'x' * 400}\\n\\n`{'y' * 300}`\\n\\n{wide}\\n\\nThe last = 1"])
"""
# Footers are longer than the line before them, and notices come with them: of `{typo}` and `{1+1}`.
CELLS = (
    "%%chat -m listed\nHi {typo} {1+1}",
    "%%chat -m unbroken\nHi",
    "%%chat -m drawn\nHi",
    "%%chat -m thoughts\nHi",
    "%%chat -m failing\nHi",
    "%%chat --compare listed,unbroken,thoughts\nHi {typo}",
)
WIDTHS = (480, 1000, 1600)
# Diagrams and formulas are drawn by what JupyterLab loads for the first one.
DRAWN = {"%%chat -m drawn\nHi": ("figure img", "mjx-container")}
UNTIL_AT_REST = """cell => new Promise((done) => {
    let [height, frames] = [0, 0];
    const look = () => {
        frames = cell.offsetHeight === height ? frames + 1 : 0;
        height = cell.offsetHeight;
        if (frames > 20) done(); else requestAnimationFrame(look);
    };
    look();
})"""
RECORD = """cell => {
    const area = cell.querySelector(".jp-OutputArea");
    const scroller = document.querySelector(".jp-WindowedPanel-outer");
    window.strip = [];
    window.recording = true;
    const shoot = () => {
        strip.push([area.offsetHeight, scroller.scrollTop]);
        if (recording) requestAnimationFrame(shoot);
    };
    shoot();
}"""


def film_of_swap(
    notebook: NotebookPage, cell: Locator, end: Path, drawn: Sequence[str] = ()
) -> list[list[float]]:
    """Return the height of the output and the scroll position in each frame of the swap."""
    live = cell.locator(REPLY)
    expect(live.first).to_be_visible()
    for reply in live.all():
        expect(reply).to_contain_text("last = 1")
    for selector in drawn:
        expect(live.locator(selector)).to_be_visible(timeout=60_000)
    cell.evaluate(UNTIL_AT_REST)
    cell.evaluate(RECORD)
    end.touch()
    notebook.wait_until_done(cell)
    expect(live).to_have_count(0)
    expect(cell.locator(".chatnb-swapping")).to_have_count(0)
    cell.evaluate(UNTIL_AT_REST)
    return notebook.page.evaluate("() => { recording = false; return strip; }")


@pytest.mark.thorough
def test_a_finished_reply_has_the_height_of_its_live_view(
    lab: JupyterLab, browser: Browser
) -> None:
    """No frame of the swap differs by more than 2 px from the one before, however wide the page is:
    with lists, code, long words, wide tables, a diagram, a formula at the end, reasoning alone,
    columns, an error, and footers of several lines."""
    path, end = lab.write("film.ipynb", SETUP, *CELLS), lab.folder / "end"
    with lab.open(browser, path) as notebook:
        notebook.run_command("application:toggle-left-area")
        notebook.run(0)
        for width in WIDTHS:
            notebook.page.set_viewport_size({"width": width, "height": 900})
            for number, source in enumerate(CELLS, 1):
                end.unlink(missing_ok=True)
                strip = film_of_swap(notebook, notebook.start(number), end, DRAWN.get(source, ()))
                for before, after in pairwise(strip):
                    assert abs(after[0] - before[0]) <= 2, (width, source, strip)
                    assert after[1] == before[1], (width, source, strip)
        notebook.page.set_viewport_size({"width": 1200, "height": 900})
        notebook.run_command("application:toggle-left-area")


@pytest.mark.thorough
def test_a_long_reply_stays_open_in_notebook_7(notebook7: JupyterLab, browser: Browser) -> None:
    """Its output, which has more than the 100 lines that Notebook 7 shows at once, does not
    collapse at the end, nor when a cell is inserted, unless the reader wants it to."""
    path, end = (
        notebook7.write("long.ipynb", SETUP, "%%chat -m prose\nHi"),
        notebook7.folder / "end",
    )
    with notebook7.open(browser, path) as notebook:
        notebook.run(0)
        cell = notebook.start(1)
        strip = film_of_swap(notebook, cell, end)
        assert strip[0][0] > 1820
        assert max(abs(after[0] - before[0]) for before, after in pairwise(strip)) <= 2
        area = cell.locator(".jp-OutputArea").first
        for _ in range(2):
            notebook.page.keyboard.press("Shift+Enter")  # The last cell: another comes below it.
            notebook.wait_until_done(cell)
            expect(cell.locator(".chatnb-swapping")).to_have_count(0)
            assert area.evaluate("area => area.offsetHeight") > 1820
            notebook.run_command("notebook:insert-cell-below")
            cell.evaluate(UNTIL_AT_REST)
            assert area.evaluate("area => area.offsetHeight") > 1820
            cell.locator(".jp-InputPrompt").click()
        notebook.run_command("notebook:enable-output-scrolling")
        notebook.run_command("notebook:insert-cell-above")
        chosen = notebook.cell(2)
        chosen.evaluate(UNTIL_AT_REST)
        area = chosen.locator(".jp-OutputArea").first
        assert 100 < area.evaluate("area => area.offsetHeight") < 1000


@pytest.mark.thorough
def test_a_panel_of_a_long_conversation_is_open_in_notebook_7(
    notebook7: JupyterLab, browser: Browser
) -> None:
    """The frame that the length of its transcript gives it goes when the panel is there, and after
    each turn."""
    code = "from chatnb import ChatPanel\nprose.responses = ['A heron wades. ' * 2000]\n"
    panel = "panel = ChatPanel(prose)\nawait panel.ask('Hi')\npanel"
    path = notebook7.write("long_panel.ipynb", SETUP, code + panel)
    (notebook7.folder / "end").touch()
    with notebook7.open(browser, path) as notebook:
        notebook.run(0)
        cell = notebook.run(1)
        send = cell.get_by_role("button", name="Send")
        expect(send).to_be_visible()
        expect(cell).not_to_have_class(re.compile("jp-mod-outputsScrolled"))
        cell.locator("textarea").last.fill("Again")
        send.click()
        expect(cell.get_by_text("2 turns")).to_be_visible()
        expect(send).to_be_visible()
        notebook.saved()  # The transcript of both turns is in the output by now.
        expect(cell).not_to_have_class(re.compile("jp-mod-outputsScrolled"))
