"""Commands and comparisons beyond a plain %%chat cell, in a real JupyterLab."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.lab.jupyterlab import OUTPUT, REPLY, JupyterLab
from tests.support.thorough import thorough

pytestmark = pytest.mark.lab

SETUP = """\
%load_ext chatnb
import asyncio
import os
from chatnb.chat_models import ScriptedChatModel
from chatnb.errors import ServerError

class Held(ScriptedChatModel):
    async def _astream(self, *args, **params):
        async for chunk in super()._astream(*args, **params):
            yield chunk
        while not os.path.exists("enough"):
            await asyncio.sleep(0.01)

left, right = Held(["left " * 60]), Held(["right " * 60])
breaks = ScriptedChatModel([["Half", ServerError("Overloaded.")]])
fixer = ScriptedChatModel(["By zero.\\n```python\\nprint(6 * 7)\\n```"])"""


def lefts(columns: Locator) -> list[float]:
    """Return the left edges of the columns, in pixels."""
    boxes = [column.bounding_box() for column in columns.all()]
    return [box["x"] for box in boxes if box is not None]


@pytest.mark.parametrize(("width", "beside"), [(1200, 3), *thorough([(520, 1)])])
def test_models_stream_side_by_side_and_stay_there(
    lab: JupyterLab, browser: Browser, width: int, beside: int
) -> None:
    """Three columns where there is room and one where there is not, live and when done; what is
    saved is no widget."""
    enough = lab.folder / "enough"
    enough.unlink(missing_ok=True)
    path = lab.write(f"compare{width}.ipynb", SETUP, "%%chat --compare left,breaks,right\nHi")
    with lab.open(browser, path, viewport={"width": width, "height": 900}) as notebook:
        if width < 700:
            notebook.page.evaluate("window.jupyterapp.shell.collapseLeft()")
        notebook.run(0)
        cell = notebook.start(1)
        expect(cell.locator(REPLY).nth(1)).to_contain_text("ServerError: Overloaded.")
        expect(cell.get_by_role("button", name="Stop all replies").first).to_be_visible()
        assert len(set(lefts(cell.locator(REPLY)))) == beside
        enough.touch()
        notebook.wait_until_done(cell)
        columns = cell.locator(".chatnb-comparison > div")
        expect(columns).to_have_count(3)
        assert len(set(lefts(columns))) == beside
        expect(columns.nth(1)).to_contain_text("Broke off · ")
        # Prompts are Markdown to JupyterLab's editor.
        assert "markdown" in (cell.locator(".cm-content").get_attribute("data-language") or "")
        expect(cell.locator(REPLY)).to_have_count(0)
        saved = notebook.saved()
        (output,) = saved["cells"][1]["outputs"]
        assert set(output["data"]) == {"text/html", "text/markdown", "text/plain"}
        assert "widgets" not in saved["metadata"]


@pytest.mark.thorough
def test_the_fixed_cell_is_proposed_under_its_explanation(
    lab: JupyterLab, browser: Browser
) -> None:
    """Explain after a failure: the words stay, and Accept puts the code into the cell that failed,
    not run; fix shows the change alone."""
    cells = ("1 / 0", "%chat use fixer\n%chat explain", "0 / 0", "%chat fix", "'last'")
    path = lab.write("explain.ipynb", SETUP, *cells)
    with lab.open(browser, path) as notebook:
        notebook.run(0)
        notebook.run(1)
        explained = notebook.run(2)
        expect(explained.locator(OUTPUT).nth(1)).to_contain_text("By zero.")
        expect(explained.locator("pre").last).to_contain_text("+print(6 * 7)")
        explained.get_by_role("button", name="Accept").click()
        expect(explained.locator("summary").last).to_contain_text("Accepted change of In[2]")
        expect(notebook.cell(1).locator(".cm-content")).to_have_text("print(6 * 7)")
        expect(notebook.cell(1).locator(".jp-InputPrompt")).to_have_text("[2]:")
        notebook.run(3)
        fixed = notebook.run(4)
        expect(fixed.get_by_text("By zero.")).to_have_count(0)
        fixed.get_by_role("button", name="Reject").click()
        expect(fixed.locator("summary").last).to_contain_text("Rejected change of In[4]")
        expect(notebook.cell(3).locator(".cm-content")).to_have_text("0 / 0")
        expect(notebook.page.locator(".jp-CodeCell")).to_have_count(6)


def test_tab_completes_in_the_editor(lab: JupyterLab, browser: Browser) -> None:
    """Tab on the first line of a cell asks the kernel, and takes what it offers."""
    path = lab.write("tab.ipynb", SETUP, "%%chat --conv")
    with lab.open(browser, path) as notebook:
        notebook.run(0)
        notebook.cell(1).locator(".cm-content").click()
        notebook.page.keyboard.press("End")
        notebook.page.keyboard.press("Tab")
        expect(notebook.page.locator(".jp-Completer")).to_contain_text("--conversation")
        notebook.page.keyboard.press("Enter")
        expect(notebook.cell(1).locator(".cm-content")).to_have_text("%%chat --conversation")
