"""The table of calls in a real JupyterLab."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.lab.jupyterlab import OUTPUT, JupyterLab

pytestmark = pytest.mark.lab

SETUP = """\
%load_ext chatnb
from chatnb import ScriptedChatModel
usage = [{"input_tokens": n, "output_tokens": 2 * n, "total_tokens": 3 * n} for n in (7, 90, 300)]
chat = ScriptedChatModel(["Hello."], usage=usage, model_name="scripted")"""
GENERATE = 'chat.generate([["One"], ["Two"], ["Three"]], max_concurrency=1)'


def test_what_generate_gave_is_a_table(lab: JupyterLab, browser: Browser) -> None:
    """It stands in the place of the static table, keys reach it and not JupyterLab's shortcuts, it
    is there again when the page is loaded again, and the file holds the static one."""
    path = lab.write("usage.ipynb", SETUP, GENERATE, "print(6 * 7)")
    with lab.open(browser, path) as notebook:
        notebook.run(0)
        cell = notebook.run(1)
        grid = cell.get_by_role("grid")
        expect(grid.locator(".chatnb-usage-call")).to_have_count(3)
        expect(cell.locator("table")).to_be_hidden()
        grid.get_by_role("button", name="Total").click()
        grid.locator(".chatnb-usage-call").first.click()
        notebook.page.keyboard.press("Control+a")
        expect(cell.get_by_role("status")).to_have_text("3 calls · 3 selected")
        notebook.page.keyboard.press("Escape")
        notebook.page.keyboard.press("b")
        expect(cell.get_by_role("status")).to_have_text("3 calls")
        saved = notebook.saved()["cells"]
        assert len(saved) == 3
        [output] = saved[1]["outputs"]
        assert set(output["data"]) == {"text/plain", "text/html", "text/markdown"}
        assert "".join(output["data"]["text/plain"]).startswith("LLMResult(")
        notebook.reload()
        again = notebook.cell(1).locator(".chatnb-usage-call")
        expect(again).to_have_count(3)


@pytest.mark.thorough
def test_a_notebook_without_its_kernel_shows_the_static_table(
    lab: JupyterLab, browser: Browser
) -> None:
    """A saved notebook that is opened with another kernel shows every call, and no error."""
    path = lab.write("usage_saved.ipynb", SETUP, GENERATE)
    with lab.open(browser, path) as notebook:
        notebook.run(0)
        cell = notebook.run(1)
        expect(cell.locator(".chatnb-usage-call")).to_have_count(3)
        notebook.saved()
        notebook.run_command("kernelmenu:shutdown")
        expect(notebook.page.get_by_text("No Kernel").first).to_be_visible()
    with lab.open(browser, path, fresh=True) as notebook:
        shown = notebook.cell(1).locator(OUTPUT)
        expect(shown.locator("tfoot th").first).to_have_text("Total · 3 calls")
        expect(shown.locator("tbody tr")).to_have_count(3)
